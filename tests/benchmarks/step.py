"""Env-steps per second: ours, Isaac Lab as shipped, and plain MuJoCo C as the practical limit.

Each side lives in a process of its own. They take turns, so that whatever else the machine does meets all of them
alike, and every figure is a median over the rounds. "As shipped" is Isaac Lab's ``Isaac-Cartpole`` on Newton with its
own settings and our asset file (its own is on a server). MuJoCo C steps the same model with ``mujoco.rollout`` and
does physics only: no observations, rewards or resets.

    python tests/benchmarks/step.py                        # 64, 1024 and 4096 environments, 5 rounds
    python tests/benchmarks/step.py --num_envs 64 --rounds 9 --device cuda:0
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SIDES = ("ours", "shipped", "mujoco")
OUT = Path("_build/bench/step.json")


def main() -> None:
    """Measure, print a table, write ``_build/bench/step.json``."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--num_envs", type=int, nargs="+", default=[64, 1024, 4096])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of stepping, a side and round")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        _work(args.side, args.num_envs[0], args.device)
        return
    results = {str(num_envs): measure(num_envs, args.rounds, args.seconds, args.device) for num_envs in args.num_envs}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    report = {"device": args.device, "cores": len(os.sched_getaffinity(0)), "rounds": args.rounds, "sizes": results}
    for num_envs, result in results.items():
        report[f"step_ratio_{num_envs}"] = result["ratio_to_shipped"]
    OUT.write_text(json.dumps(report, indent=2) + "\n")
    print(f"{'envs':>6} {'ours':>11} {'as shipped':>11} {'MuJoCo C':>11} {'ours/shipped':>13}   env-steps/s, medians")
    for num_envs, result in results.items():
        sides = result["median"]
        print(
            f"{num_envs:>6} {sides['ours']:>11,.0f} {sides['shipped']:>11,.0f} {sides['mujoco']:>11,.0f} "
            f"{result['ratio_to_shipped']:>12.1f}x"
        )
    print(f"written to {OUT}")


def measure(num_envs: int, rounds: int, seconds: float, device: str = "cpu") -> dict:
    """Let the sides take turns; return env-steps/s of every round, their medians and the ratio to as shipped."""
    workers = {side: _Worker(side, num_envs, device) for side in SIDES}
    try:
        steps = {side: max(1, round(seconds / worker.run(3) * 3)) for side, worker in workers.items()}
        rates: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(rounds):
            for side, worker in workers.items():
                rates[side].append(num_envs * steps[side] / worker.run(steps[side]))
    finally:
        for worker in workers.values():
            worker.close()
    median = {side: statistics.median(values) for side, values in rates.items()}
    return {"rates": rates, "median": median, "ratio_to_shipped": median["ours"] / median["shipped"]}


class _Worker:
    """One side in a process of its own, asleep unless it is its turn."""

    def __init__(self, side: str, num_envs: int, device: str) -> None:
        command = [sys.executable, __file__, "--side", side, "--num_envs", str(num_envs), "--device", device]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def run(self, steps: int) -> float:
        """Take ``steps`` steps of all environments and return the seconds they took."""
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("SECONDS "):
                return float(line.split()[1])
        raise RuntimeError(f"{' '.join(self._process.args)} ended with exit code {self._process.wait()}")

    def close(self) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()


def _work(side: str, num_envs: int, device: str) -> None:
    """Body of a worker: read numbers of steps, answer with seconds."""
    step = {"ours": _ours, "shipped": _shipped, "mujoco": _mujoco}[side](num_envs, device)
    step(3)  # compile, record and warm up
    for line in sys.stdin:
        start = time.perf_counter()
        step(int(line))
        print(f"SECONDS {time.perf_counter() - start}", flush=True)
    os._exit(0)


def _stepper(env) -> Callable[[int], None]:
    """Steps of an environment under random pushes, as exploration makes them."""
    import torch

    env.reset()
    shape = (env.unwrapped.num_envs, 1)
    pushes = torch.randn(64, *shape, device=env.unwrapped.device)

    def step(count: int) -> None:
        for number in range(count):
            env.step(pushes[number % 64])
        if pushes.is_cuda:
            torch.cuda.synchronize()

    return step


def _ours(num_envs: int, device: str) -> Callable[[int], None]:
    from cartpole_lab.session.env import make_env

    return _stepper(make_env(num_envs=num_envs, device=device))


def _shipped(num_envs: int, device: str) -> Callable[[int], None]:
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab_tasks.core.cartpole.cartpole_manager_env_cfg import CartpoleEnvCfg

    from cartpole_lab.tasks.robot import ASSETS, GROUND_CFG

    cfg = CartpoleEnvCfg()
    cfg.sim.physics = cfg.sim.physics.newton_mjwarp
    cfg.sim.device, cfg.scene.num_envs, cfg.seed = device, num_envs, 42
    cfg.scene.robot.spawn.usd_path = str(ASSETS / "cartpole.usda")
    cfg.scene.ground.spawn = GROUND_CFG
    return _stepper(ManagerBasedRLEnv(cfg))


def _mujoco(num_envs: int, device: str) -> Callable[[int], None]:
    import mujoco
    import mujoco.rollout
    import numpy as np
    from isaaclab_newton.physics import NewtonManager

    from cartpole_lab.session.env import make_env

    env = make_env(num_envs=2, device=device)  # whose solver holds the model; the steps below know no GPU
    decimation, solver = env.unwrapped.cfg.decimation, NewtonManager._solver
    model = solver.mj_model
    model.opt.timestep = env.unwrapped.physics_dt
    threads = len(os.sched_getaffinity(0))
    data = [mujoco.MjData(model) for _ in range(threads)]
    random = np.random.default_rng(0)
    start = np.zeros((num_envs, mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS)))
    start[:, 1 : 1 + model.nq] = random.uniform(-0.5, 0.5, (num_envs, model.nq))
    pool = mujoco.rollout.Rollout(nthread=threads)

    def step(count: int) -> None:
        while count > 0:  # at most one episode at a time, to bound the memory of the recorded states
            steps = min(count, 300)
            pool.rollout(model, data, start, nstep=steps * decimation)
            count -= steps

    return step


if __name__ == "__main__":
    main()
