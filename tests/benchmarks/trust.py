"""What trust costs: a training until it is solved with everything that watches over it, and without, in turns.

    python -m tests.benchmarks.trust [--rounds 8] [--num_envs 512] [--seed 42]

Watching are: the look at every step and update for numbers that are none, the sums of compiled kernels before the first
is loaded and after the last, the look at the robot's file and at the names in a config, waiting until a file is on the
disk. Sides take turns in coming first, each in a process of its own with one seed, so that both do the same work.
Seconds are those that the processes had of the processor, which a busy machine disturbs less than a clock; what the two
sides differ in is still less than what two trainings of one side do. So the watching is also timed where it happens:
``parts_percent`` is the median of what it took, by the processor and by the clock, in percent of the whole training's
processor time. Prints a table, and writes it to ``_build/bench/trust.json``.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OUT = Path("_build/bench/trust.json")
STEP = "look at every step"
AGENT = "rl_games_with_symmetry_cfg_entry_point"


def watching() -> list[tuple[Any, str, Callable[..., Any], str]]:
    """Where the watching happens: owner, name, what stands there without it, and what it is called in the table."""
    import cartpole_lab.session.kernel_cache as kernel_cache
    import cartpole_lab.training.best_policy as best_policy
    from cartpole_lab.session import env_checks
    from cartpole_lab.session.nan_guard import FiniteGuard
    from cartpole_lab.training import signals

    return [
        (FiniteGuard, "step", lambda self, action: self.env.step(action), STEP),
        (best_policy, "check_update", lambda *_, **__: None, "look at every update"),
        (kernel_cache, "look", lambda folder: iter(()), "sums of compiled kernels"),
        (kernel_cache, "seal", lambda folder: None, "sums of compiled kernels"),
        (env_checks, "check_files", lambda cfg: None, "the robot's file"),
        (env_checks, "check_names", lambda cfg: None, "names in the config"),
        (env_checks, "check_params", lambda cfg: None, "names in the config"),
        (signals, "check", lambda: None, "signals between steps"),
        (os, "fsync", lambda handle: None, "waiting for the disk"),
    ]


def read_a_robot() -> None:
    """Import what reads robots' files, and have it look for its parts: a training does so on either side."""
    import isaaclab.scene.interactive_scene  # noqa: F401
    from pxr import Usd

    Usd.Stage.CreateInMemory()


class Inside:
    """An environment that notes what its steps take, processor and clock [s]."""

    def __init__(self, env: Any) -> None:
        self.env, self.took = env, (0.0, 0.0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.env, name)

    def step(self, action: Any) -> Any:
        cpu, clock = time.thread_time(), time.perf_counter()
        result = self.env.step(action)
        self.took = time.thread_time() - cpu, time.perf_counter() - clock
        return result


def timed(name: str, call: Callable[..., Any], spent: dict[str, list[float]]) -> Callable[..., Any]:
    """``call``, its processor time and its time by the clock noted; what a guarded step does inside is none of it."""

    @functools.wraps(call)
    def noted(*args: Any, **kwargs: Any) -> Any:
        if name == STEP and not isinstance(args[0].env, Inside):
            args[0].env = Inside(args[0].env)
        cpu, clock = time.thread_time(), time.perf_counter()
        try:
            result = call(*args, **kwargs)
            return iter(list(result)) if isinstance(result, Iterator) else result
        finally:
            inside = args[0].env.took if name == STEP else (0.0, 0.0)
            spent[name][0] += time.thread_time() - cpu - inside[0]
            spent[name][1] += time.perf_counter() - clock - inside[1]

    return noted


def train_once(side: str, words: list[str]) -> dict[str, Any]:
    """Train in this process, with or without; what it took."""
    import cartpole_lab.training.rl_games_train as rl_games_train
    from cartpole_lab.session import kernel_cache

    spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    read_a_robot()
    for owner, name, without, called in watching():
        if side == "without":
            setattr(owner, name, without)
        else:
            setattr(owner, name, timed(called, getattr(owner, name), spent))
    with tempfile.TemporaryDirectory() as root:
        done = rl_games_train.train(
            agent=AGENT, stop_when_solved=True, device="cpu", progress=False, log_root=root,
            num_envs=int(words[0]), seed=int(words[1]),
        )  # fmt: skip
    kernel_cache._seal_all()  # which a process does last
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "cpu_s": sum(part.ru_utime + part.ru_stime for part in used),
        "epochs": done.epochs,
        "solved": done.solved,
        "parts": {name: [round(value, 4) for value in values] for name, values in spent.items()},
    }


def main() -> None:
    """Measure both sides in turns and print what the watching adds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--num_envs", type=int, default=512)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--side", choices=("with", "without"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    words = [str(args.num_envs), str(args.seed)]
    if args.side:
        print(json.dumps(train_once(args.side, words)))
        return
    found: dict[str, list[dict[str, Any]]] = {"with": [], "without": []}
    command = [*(sys.executable, "-W", "ignore", "-m", "tests.benchmarks.trust"), *("--num_envs", words[0])]
    command += ["--seed", words[1]]
    for number in range(args.rounds):
        for side in ("with", "without") if number % 2 else ("without", "with"):
            done = subprocess.run([*command, "--side", side], capture_output=True, text=True, check=True)
            found[side].append(json.loads(done.stdout.splitlines()[-1]))
            print(number, side, found[side][-1], flush=True)
    seconds = {side: [one["cpu_s"] for one in rows] for side, rows in found.items()}
    ratios = [a / b for a, b in zip(seconds["with"], seconds["without"], strict=True)]
    table = {
        "num_envs": args.num_envs,
        "epochs": sorted({one["epochs"] for rows in found.values() for one in rows}),
        "cpu_s": {side: {"min": min(v), "median": statistics.median(v)} for side, v in seconds.items()},
        "in_turns_percent": round(100 * (statistics.median(ratios) - 1), 2),
        "least_percent": round(100 * (min(seconds["with"]) / min(seconds["without"]) - 1), 2),
        "parts_percent": {
            part: [
                round(100 * statistics.median(one["parts"][part][way] / one["cpu_s"] for one in found["with"]), 3)
                for way in (0, 1)
            ]
            for part in found["with"][0]["parts"]
        },
        "rounds": found,
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(table, indent=1))
    print(json.dumps({key: value for key, value in table.items() if key != "rounds"}, indent=1))


if __name__ == "__main__":
    main()
