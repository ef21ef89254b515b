"""The whole table of ``make bench``: time to solved, step rates, start-up, memory, in ``_build/bench/bench.json``.

    python -m tests.benchmarks                  # everything; 11 minutes on two quiet cores
    python -m tests.benchmarks --only steps     # one part, see --help
    python -m tests.benchmarks --rounds 1 --seeds 2
    python -m tests.benchmarks --device cuda:0   # into _build/bench/bench_gpu.json

Sides that are compared run alternately in one go. Parts that were not measured keep their last value in the file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.publish import ROWS

OUT = Path("_build/bench")
NUM_ENVS = {"cpu": 512, "cuda": 4096}
"""Environments of a training: as in ``make train``, and as it says of a GPU."""
SIZES = {"cpu": (64, 1024, 4096), "cuda": (64, 1024, 4096, 16384, 65536)}
"""Environments at which steps are compared."""
AGENT = "rl_games_with_symmetry_cfg_entry_point"
"""The agent of ``make train``."""
TRAIN = ("train", "--agent", AGENT, "--stop_when_solved")


def main() -> int:
    """Measure what was asked for, print the table, write the file and the plot."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), help="parts to measure")
    parser.add_argument("--rounds", type=int, default=5, help="runs of which the median counts (default: 5)")
    parser.add_argument("--seeds", type=int, default=10, help="seeds for the time to solved (default: 10)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--num_envs", type=int, help="environments of a training (default: 512 on a CPU, 4096 on a GPU)"
    )
    args = parser.parse_args()
    args.kind = args.device.partition(":")[0]
    args.num_envs = args.num_envs or NUM_ENVS[args.kind]
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / ("bench.json" if args.kind == "cpu" else "bench_gpu.json")
    figures: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    for part in args.only:
        print(f"· {part} …", flush=True)
        figures.update(PARTS[part](args))
        figures.update(_provenance(args))
        figures.setdefault("commits", {})[part] = _commit()
        path.write_text(json.dumps(figures, indent=2) + "\n")
    _print(figures)
    _plot(figures)
    print(f"written to {path}")
    return 0


def steps(args: argparse.Namespace) -> dict[str, Any]:
    """Env-steps/s of ours, Isaac Lab as shipped, and MuJoCo C."""
    words = ["--device", args.device, "--rounds", str(args.rounds), "--num_envs", *map(str, SIZES[args.kind])]
    _run([sys.executable, "tests/benchmarks/step.py", *words])
    report = json.loads((OUT / "step.json").read_text())
    return {"steps": report["sizes"], **{key: value for key, value in report.items() if key.startswith("step_ratio_")}}


def solved(args: argparse.Namespace) -> dict[str, Any]:
    """Seconds from a cold process to the evaluation that finds the policy solved, one run a seed.

    Each run then plays fresh episodes once more, after the clock has stopped: ``solved_all`` is what those say.
    """
    runs = [_train(args, seed) for seed in range(args.seeds)]
    return {
        "num_envs": args.num_envs,
        "solved_s": statistics.median(run["solved_s"] for run in runs),
        "solved_runs": runs,
        "solved_all": all(run["solved"] for run in runs),
        "peak_rss_gb": _train(args, 0, "--num_envs", "1024", "--max_iterations", "10")["peak_rss_gb"],
    }


def where(args: argparse.Namespace) -> dict[str, Any]:
    """Seconds of each stage of a cold training: medians, a seed a round."""
    runs: list[dict[str, float]] = []
    for seed in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "where.json"
            _run([sys.executable, "-m", "tests.benchmarks.where", str(out), *_training(args, seed, folder)])
            runs.append(json.loads(out.read_text()))
    return {"where_the_time_goes": {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]}}


def shipped(args: argparse.Namespace) -> dict[str, Any]:
    """Isaac Lab's whole default run, with ours before and after it: a seed a round, since seeds differ much."""
    half = max(1, args.rounds // 2)
    ours = [_train(args, seed)["solved_s"] for seed in range(half)]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        _run([sys.executable, str(Path(__file__).with_name("as_shipped.py").resolve()), args.device], cwd=folder)
        theirs = time.perf_counter() - started
    ours += [_train(args, seed)["solved_s"] for seed in range(half, args.rounds)]
    return {"shipped_s": theirs, "beside_shipped_s": ours, "solved_ratio": theirs / statistics.median(ours)}


def startup(args: argparse.Namespace) -> dict[str, Any]:
    """Seconds from process start to the first environment step, kernels cached."""
    return {"first_step_s": statistics.median(_first_step(args) for _ in range(args.rounds))}


def first_ever(args: argparse.Namespace) -> dict[str, Any]:
    """The same with an empty kernel cache, as on a new machine."""
    seconds = []
    for _ in range(max(1, args.rounds // 2)):
        with tempfile.TemporaryDirectory() as cache:
            seconds.append(_first_step(args, WARP_CACHE_PATH=cache))
    return {"first_ever_s": statistics.median(seconds)}


def retrain(args: argparse.Namespace) -> dict[str, Any]:
    """Seconds to solve the task again in a warm process, after a reward weight was changed."""
    code = f"""
import tempfile, time
from cartpole_lab import train
words = dict(agent={AGENT!r}, num_envs={args.num_envs}, stop_when_solved=True, progress=False,
             device={args.device!r}, log_root=tempfile.mkdtemp())
train(seed=100, **words)
for seed in range({args.rounds}):
    run = train(seed=seed, overrides=["env.rewards.cart_vel.weight=-0.015"], **words)
    print("RETRAINED", run.solved_s, run.solved)
"""
    lines = [line.split() for line in _run([sys.executable, "-c", code]).splitlines() if line.startswith("RETRAINED")]
    return {
        "retrain_s": statistics.median(float(line[1]) for line in lines),
        "retrain_all_solved": all(line[2] == "True" for line in lines),
    }


def scaling(args: argparse.Namespace) -> dict[str, Any]:
    """Env-steps/s and memory from 1 to 16 384 environments, on one core and on all; on a GPU up to 262 144."""
    rows = []
    cores = sorted(os.sched_getaffinity(0))
    for count in sorted({1, len(cores)} if args.kind == "cpu" else {len(cores)}):
        for num_envs in (1, 16, 64, 256, 1024, 4096, 16384) if args.kind == "cpu" else (1, *SIZES["cuda"], 262144):
            rate, rss = _rate(args, num_envs, cores[:count])
            rows.append({"num_envs": num_envs, "cores": count, "steps_per_s": rate, "rss_gb": rss})
    return {"scaling": rows}


def sweep(args: argparse.Namespace) -> dict[str, Any]:
    """Twice as many seeds in a sweep, beside shell loops of ``cartpole-lab train``."""
    words = ["--seeds", str(2 * args.seeds), "--num_envs", str(args.num_envs), "--device", args.device]
    _run([sys.executable, "-m", "tests.benchmarks.sweep", *words])
    report = json.loads((OUT / "sweep.json").read_text())
    wanted = ("sweep_ratio_loop", "sweep_ratio_loops", "sweep_memory_gb", "first_trial_s")
    return {key: report[key] for key in wanted if key in report}


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "startup": startup,
    "steps": steps,
    "solved": solved,
    "where": where,
    "retrain": retrain,
    "first_ever": first_ever,
    "scaling": scaling,
    "shipped": shipped,
    "sweep": sweep,
}


def _training(args: argparse.Namespace, seed: int, folder: str) -> list[str]:
    """The words of ``make train``, for one seed."""
    sizes = ["--num_envs", str(args.num_envs), "--seed", str(seed)]
    return [*TRAIN, *sizes, "--device", args.device, "--log_root", folder]


def _train(args: argparse.Namespace, seed: int, *more: str) -> dict[str, Any]:
    """One cold ``cartpole-lab train`` until solved."""
    with tempfile.TemporaryDirectory() as folder:
        before = time.time()
        words = [*_training(args, seed, folder), *more]
        process = subprocess.Popen([sys.executable, "-m", "cartpole_lab.cli", *words], stdout=subprocess.DEVNULL)
        _, _, usage = os.wait4(process.pid, 0)
        summary = json.loads(next(Path(folder).glob("*/*/summary.json")).read_text())
    wall_s = time.time() - before
    keys = ("seed", "epochs", "solved_s", "wall_s_total", "wall_s_train", "mean_return", "timeout_share", "solved")
    run = {key: summary[key] for key in keys}
    run["peak_rss_gb"] = usage.ru_maxrss / 2**20
    outcome = f"return {run['mean_return']:.3f}, time-outs {100 * run['timeout_share']:.2f}%"
    clock = f"solved after {run['solved_s']} s" if run["solved_s"] else f"not stopped, {wall_s:.1f} s"
    print(f"  seed {seed}: {clock}, then {outcome}", flush=True)
    return run


def _first_step(args: argparse.Namespace, **env: str) -> float:
    """Seconds that a process needs until its environments have made one step."""
    code = f"""
from cartpole_lab.session.env import make_env
env = make_env(device={args.device!r}, num_envs=1024)
import torch
env.reset()
env.step(torch.zeros(1024, 1, device=env.unwrapped.device))
import os
print(flush=True)
os._exit(0)
"""
    started = time.perf_counter()
    _run([sys.executable, "-c", code], **env)
    return time.perf_counter() - started


def _rate(args: argparse.Namespace, num_envs: int, cores: list[int]) -> tuple[float, float]:
    """Env-steps/s and peak memory [GB] of one process on some cores."""
    code = f"""
import os, resource, time
os.sched_setaffinity(0, {cores})
import torch
from cartpole_lab.session.env import make_env
env = make_env(device={args.device!r}, num_envs={num_envs})
actions = torch.rand({num_envs}, 1, device=env.unwrapped.device) * 2 - 1
env.reset()
for _ in range(5):
    env.step(actions)
rates = []
for _ in range({args.rounds}):
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < 0.5:
        env.step(actions)
        count += 1
    if env.unwrapped.device != "cpu":
        torch.cuda.synchronize()
    rates.append(count * {num_envs} / (time.perf_counter() - started))
print("RATE", sorted(rates)[len(rates) // 2], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""
    line = next(text for text in _run([sys.executable, "-c", code]).splitlines() if text.startswith("RATE"))
    return float(line.split()[1]), float(line.split()[2])


def _run(command: list[str], cwd: str | None = None, **env: str) -> str:
    """Run a command and return what it printed; show everything if it fails."""
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)[:200]} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def _commit() -> str:
    """The commit that is measured; parts may come from different ones."""
    return subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()


def _provenance(args: argparse.Namespace) -> dict[str, Any]:
    """On what and with what the figures are measured."""
    names = ("isaaclab", "newton", "warp-lang", "mujoco", "torch", "rl-games")
    gpu = {}
    if args.kind != "cpu":
        code = f"import torch; print(torch.cuda.get_device_name({args.device!r}))"
        gpu = {"gpu": _run([sys.executable, "-c", code]).strip()}
    return {
        "device": args.device,
        **gpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "platform": platform.platform(),
        "versions": {name: version(name) for name in names},
    }


def _print(figures: dict[str, Any]) -> None:
    print()
    for key, what, unit in ROWS:
        value = f"{figures[key]:8.2f} {unit}" if key in figures else "not measured"
        print(f"{what:<66}{value}")
    for name, seconds in figures.get("where_the_time_goes", {}).items():
        print(f"  {name:<64}{seconds:8.2f} s")


def _plot(figures: dict[str, Any]) -> None:
    """Env-steps/s over the number of environments, a line for each number of cores."""
    if "scaling" not in figures:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    axes = figure.subplots()
    for cores in sorted({row["cores"] for row in figures["scaling"]}):
        rows = [row for row in figures["scaling"] if row["cores"] == cores]
        label = f"{cores} core{'s' if cores > 1 else ''}"
        axes.plot([r["num_envs"] for r in rows], [r["steps_per_s"] for r in rows], "o-", label=label)
    axes.set(xscale="log", yscale="log", xlabel="environments", ylabel="environment steps a second")
    axes.legend(frameon=False)
    figure.savefig(OUT / "scaling.png", dpi=150)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    raise SystemExit(main())
