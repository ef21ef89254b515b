"""The four libraries on one task: train each with three seeds, judge all policies the same way, print one table.

A training is evaluated every twenty updates and ends at the first evaluation that finds its policy solved, or with the
last update of its agent's settings; ``--whole`` trains to the last update anyway. The figures come from fresh episodes
that had no say in that. The largest action is the largest that reached the environment while the library learned.

    python tests/benchmarks/libraries.py [--libraries rsl_rl skrl] [--seeds 42 43 44] [--device cpu] [--whole]

Every training runs in a process of its own, so that its times hold everything: import, start, training, evaluations.
Seconds of the processor are what a busy machine leaves comparable. The results go to ``_build/bench/libraries.json``.
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
import time
from importlib.metadata import version
from pathlib import Path

# name in the table -> library and agent entry point
ENTRIES = {
    "rl_games": ("rl_games", "rl_games_fast_cfg_entry_point"),
    "rsl_rl": ("rsl_rl", None),
    "rsl_rl, mirrored": ("rsl_rl", "rsl_rl_with_symmetry_cfg_entry_point"),
    "skrl": ("skrl", None),
    "sb3": ("sb3", None),
}
OUT = Path("_build/bench/libraries.json")
EVERY = 20
"""Updates between evaluations: each costs as much as twenty updates' steps, so not sooner."""
PACKAGES = ("isaaclab", "newton", "torch", "rl-games", "rsl-rl-lib", "skrl", "stable-baselines3")

_CHILD = """
import json, sys
from cartpole_lab import train
library, agent, seed, device, words = json.loads(sys.argv[1])
run = train(rl_library=library, agent=agent, seed=seed, device=device, progress=False, **words)
told = {"checkpoint": str(run.checkpoint), "largest_action": run.largest_action}
told.update(updates=run.epochs, env_steps=run.env_steps, stopped_early=run.solved_s is not None)
print("RUN " + json.dumps(told), flush=True)
"""


def train(library: str, agent: str | None, seed: int, device: str | None, words: dict) -> dict:
    """Train in a fresh process; return what it says of the run, and the times of the whole process [s]."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    job = [sys.executable, "-c", _CHILD, json.dumps([library, agent, seed, device, words])]
    done = subprocess.run(job, capture_output=True, text=True, check=False)
    wall_s, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = [line for line in done.stdout.splitlines() if line.startswith("RUN ")]
    if not found:
        raise SystemExit(f"{library} seed {seed} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return {**json.loads(found[-1][4:]), "wall_s": round(wall_s, 1), "cpu_s": round(cpu_s, 1)}


def judge(checkpoint: str, device: str | None) -> dict[str, float | bool]:
    """Evaluate a checkpoint over 1024 fresh episodes."""
    from cartpole_lab import evaluate

    result = evaluate(checkpoint, episodes=1024, seed=1000, device=device)
    return {"return": result.mean_return, "timeouts": result.timeout_share, "solved": result.solved}


def table(rows: list[dict]) -> str:
    """Mean and worst of the seeds, a line an entry."""
    head = f"{'library':<18}{'updates':>9}{'return':>8}{'worst':>8}{'time-outs':>11}{'worst':>9}{'CPU s':>8}"
    lines = [f"{head}{'|action|':>10}{'solved':>8}"]
    for name in dict.fromkeys(row["entry"] for row in rows):
        own = [row for row in rows if row["entry"] == name]
        returns, timeouts = [row["return"] for row in own], [row["timeouts"] for row in own]
        updates = "-".join(dict.fromkeys(str(pick(row["updates"] for row in own)) for pick in (min, max)))
        cpu_s = statistics.mean(row["cpu_s"] for row in own)
        largest = max((row.get("largest_action") or float("nan")) for row in own)
        lines.append(
            f"{name:<18}{updates:>9}{statistics.mean(returns):>8.3f}{min(returns):>8.3f}"
            f"{statistics.mean(timeouts):>11.2%}{min(timeouts):>9.2%}{cpu_s:>8.0f}"
            f"{largest:>10.2f}{sum(row['solved'] for row in own):>5} of {len(own)}"
        )
    return "\n".join(lines)


def where() -> dict[str, object]:
    """On what and with what the figures are measured."""
    described = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return {
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "commit": described.stdout.strip(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def main() -> None:
    """Train, judge, write after every run (so that a stopped benchmark keeps what it measured), print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--libraries", nargs="+", choices=list(ENTRIES), default=list(ENTRIES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[42, 43, 44])
    parser.add_argument("--device", default=None)
    parser.add_argument("--whole", action="store_true", help="Train to the last update, solved or not.")
    parser.add_argument("--max_iterations", type=int, help="Train shorter than the agents say, to try the command.")
    parser.add_argument("--keep", action="store_true", help="Add to the runs already in the file.")
    args = parser.parse_args()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict] = json.loads(OUT.read_text())["runs"] if args.keep and OUT.exists() else []
    for name in args.libraries:
        library, agent = ENTRIES[name]
        for seed in args.seeds:
            words = {} if args.whole else {"stop_when_solved": True, "eval_interval": EVERY}
            words |= {"max_iterations": args.max_iterations} if args.max_iterations else {}
            run = train(library, agent, seed, args.device, words)
            row = {"entry": name, "seed": seed, **run, **judge(run["checkpoint"], args.device)}
            row["checkpoint"] = Path(run["checkpoint"]).name
            print(row, file=sys.stderr, flush=True)
            rows = [old for old in rows if (old["entry"], old["seed"]) != (name, seed)] + [row]
            OUT.write_text(json.dumps({**where(), "whole": args.whole, "runs": rows}, indent=1))
    print(table(rows))


if __name__ == "__main__":
    main()
