"""A sweep of seeds beside shell loops of ``cartpole-lab train``: wall time in turns, memory, the first finished trial.

    python -m tests.benchmarks.sweep                  # 20 seeds; some ten minutes on two quiet cores
    python -m tests.benchmarks.sweep --seeds 4 --rounds 1
    python -m tests.benchmarks.sweep --device cuda --trials_per_gpu 8 --seeds 8

Three sides take turns in every round: the sweep, one loop with all cores, and as many loops side by side as there are
cores, each on one of them. Written to ``_build/bench/sweep.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

OUT = Path("_build/bench/sweep.json")
AGENT = "rl_games_with_symmetry_cfg_entry_point"
CLI = (sys.executable, "-m", "cartpole_lab.cli")


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sweep", description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--num_envs", type=int, default=512)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--trials_per_gpu", type=int, default=8)
    args = parser.parse_args()
    rows = [one_round(args, number) for number in range(args.rounds)]
    figures = {"seeds": args.seeds, "cores": len(cores()), "device": args.device, "rounds": rows}
    for name in rows[0]:
        figures[name] = statistics.median(row[name] for row in rows)
    figures["sweep_ratio_loop"] = figures["loop_s"] / figures["sweep_s"]
    if "loops_s" in figures:
        figures["sweep_ratio_loops"] = figures["loops_s"] / figures["sweep_s"]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    for name, value in figures.items():
        if isinstance(value, float):
            print(f"{name:<20}{value:8.2f}")
    print(f"written to {OUT}")
    return 0


def one_round(args: argparse.Namespace, number: int) -> dict[str, float]:
    """Every side once."""
    row: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        row.update(sweep(args, Path(folder)))
        print(f"· round {number + 1}: sweep {row}", flush=True)
        row["loop_s"] = loop(args, range(args.seeds), folder, None)
        print(f"· round {number + 1}: one loop {row['loop_s']:.1f} s", flush=True)
        if args.device == "cpu" and len(cores()) > 1:
            row["loops_s"] = loops(args, folder)
            print(f"· round {number + 1}: {len(cores())} loops side by side {row['loops_s']:.1f} s", flush=True)
    return row


def cores() -> list[int]:
    """Cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def words(args: argparse.Namespace) -> list[str]:
    """What ``make train`` says."""
    sizes = ["--num_envs", str(args.num_envs), "--device", args.device]
    return ["--agent", AGENT, "--stop_when_solved", *sizes]


def sweep(args: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Wall time of the sweep, seconds until the first trial was done, and the most memory that it took [GB]."""
    own = ["--seeds", f"0..{args.seeds - 1}", "--name", "bench", "--log_root", str(folder)]
    own += ["--trials_per_gpu", str(args.trials_per_gpu)] if args.device != "cpu" else []
    began = time.time()
    process = subprocess.Popen([*CLI, "sweep", *words(args), *own], stdout=subprocess.DEVNULL)
    most: list[float] = [0.0]
    looking = threading.Thread(target=_look_at_memory, args=(process, most))
    looking.start()
    code = process.wait()
    wall_s = time.time() - began
    looking.join()
    if code:
        raise SystemExit(f"the sweep ended with code {code}")
    done = [path.stat().st_mtime for path in (folder / "bench" / "trials").glob("*.json")]
    return {"sweep_s": wall_s, "first_trial_s": min(done) - began, "sweep_memory_gb": most[0]}


def _look_at_memory(process: subprocess.Popen, most: list[float]) -> None:
    """The most memory of a process and all below it, shared pages counted once (PSS); a look every second."""
    while process.poll() is None:
        total = 0
        try:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for one in family:
            try:
                text = Path(f"/proc/{one.pid}/smaps_rollup").read_text()
                total += int(text.partition("\nPss:")[2].split()[0]) * 1024
            except (OSError, IndexError, ValueError):
                continue  # it has just ended
        most[0] = max(most[0], total / 1e9)
        time.sleep(1.0)


def loop(args: argparse.Namespace, seeds: Any, folder: str, core: int | None) -> float:
    """Seconds of one training after the other, each a process of its own, on one core if it is named."""
    began = time.time()
    for seed in seeds:
        command = [*CLI, "train", *words(args), "--seed", str(seed), "--log_root", folder]
        pin = ["taskset", "--cpu-list", str(core)] if core is not None else []
        done = subprocess.run([*pin, *command], stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise SystemExit(f"training with seed {seed} ended with code {done.returncode}")
    return time.time() - began


def loops(args: argparse.Namespace, folder: str) -> float:
    """Seconds of several loops side by side, each on a core of its own, which share the seeds."""
    began = time.time()
    share = [
        threading.Thread(target=loop, args=(args, range(place, args.seeds, len(cores())), folder, core))
        for place, core in enumerate(cores())
    ]
    for one in share:
        one.start()
    for one in share:
        one.join()
    return time.time() - began


if __name__ == "__main__":
    sys.exit(main())
