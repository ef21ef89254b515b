"""The four libraries on one task: train each with three seeds, judge all policies the same way, print one table.

:func:`cartpole_lab.train` picks each run's best checkpoint by evaluation; the figures come from fresh episodes that had
no say in that. The largest action is the largest that reached the environment while the library learned.

    python tests/benchmarks/libraries.py [--libraries rsl_rl skrl] [--seeds 42 43 44] [--device cpu]

Every training runs in a process of its own, so that its wall time holds everything: import, start, training.
The results go to ``_build/bench/libraries.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
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

_CHILD = """
import json, sys
from cartpole_lab import train
library, agent, seed, device, words = json.loads(sys.argv[1])
run = train(rl_library=library, agent=agent, seed=seed, device=device, progress=False, **words)
print("RUN " + json.dumps({"checkpoint": str(run.checkpoint), "largest_action": run.largest_action}), flush=True)
"""


def train(library: str, agent: str | None, seed: int, device: str | None, words: dict) -> tuple[dict, float]:
    """Train in a fresh process; return what it says of the run, and the wall time of the whole process [s]."""
    start = time.perf_counter()
    job = [sys.executable, "-c", _CHILD, json.dumps([library, agent, seed, device, words])]
    done = subprocess.run(job, capture_output=True, text=True, check=False)
    wall_s = time.perf_counter() - start
    found = [line for line in done.stdout.splitlines() if line.startswith("RUN ")]
    if not found:
        raise SystemExit(f"{library} seed {seed} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return json.loads(found[-1][4:]), wall_s


def judge(checkpoint: str, device: str | None) -> dict[str, float | bool]:
    """Evaluate a checkpoint over 1024 fresh episodes."""
    from cartpole_lab import evaluate

    result = evaluate(checkpoint, episodes=1024, seed=1000, device=device)
    return {"return": result.mean_return, "timeouts": result.timeout_share, "solved": result.solved}


def table(rows: list[dict]) -> str:
    """Mean and worst of the seeds, a line an entry."""
    head = f"{'library':<18}{'return':>8}{'worst':>8}{'time-outs':>11}{'worst':>9}{'wall s':>8}"
    lines = [f"{head}{'|action|':>10}{'solved':>8}"]
    for name in dict.fromkeys(row["entry"] for row in rows):
        own = [row for row in rows if row["entry"] == name]
        returns, timeouts = [row["return"] for row in own], [row["timeouts"] for row in own]
        wall = statistics.mean(row["wall_s"] for row in own)
        largest = max((row.get("largest_action") or float("nan")) for row in own)
        lines.append(
            f"{name:<18}{statistics.mean(returns):>8.3f}{min(returns):>8.3f}{statistics.mean(timeouts):>11.2%}"
            f"{min(timeouts):>9.2%}{wall:>8.0f}{largest:>10.2f}{sum(row['solved'] for row in own):>5} of {len(own)}"
        )
    return "\n".join(lines)


def main() -> None:
    """Train, judge, write after every run (so that a stopped benchmark keeps what it measured), print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--libraries", nargs="+", choices=list(ENTRIES), default=list(ENTRIES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[42, 43, 44])
    parser.add_argument("--device", default=None)
    parser.add_argument("--max_iterations", type=int, help="Train shorter than the agents say, to try the command.")
    parser.add_argument("--keep", action="store_true", help="Add to the runs already in the file.")
    args = parser.parse_args()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict] = json.loads(OUT.read_text())["runs"] if args.keep and OUT.exists() else []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for name in args.libraries:
        library, agent = ENTRIES[name]
        for seed in args.seeds:
            words = {"max_iterations": args.max_iterations} if args.max_iterations else {}
            run, wall_s = train(library, agent, seed, args.device, words)
            row = {"entry": name, "seed": seed, "wall_s": round(wall_s, 1), "cores": cores}
            row.update(largest_action=run["largest_action"], **judge(run["checkpoint"], args.device))
            print(row, file=sys.stderr, flush=True)
            rows = [old for old in rows if (old["entry"], old["seed"]) != (name, seed)] + [row]
            OUT.write_text(json.dumps({"machine": platform.platform(), "runs": rows}, indent=1))
    print(table(rows))


if __name__ == "__main__":
    main()
