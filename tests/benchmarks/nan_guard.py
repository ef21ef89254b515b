"""What looking for numbers that are none costs: a step with and without :class:`FiniteGuard`, in turns, by CPU time.

    python -m tests.benchmarks.nan_guard [--sizes 64 512 1024 4096] [--rounds 15]

Both sides step one environment with the same actions; a round is one stretch of each, and they take turns in coming
first. Seconds are those that the process had of its processor, so that a busy machine disturbs little. Prints a table,
and writes it to ``_build/bench/nan_guard.json``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

OUT = Path("_build/bench/nan_guard.json")
STEPS = 200
"""Steps of a stretch."""


def stretch(env: Any, action: Any) -> float:
    """CPU time of some steps [s]."""
    began = time.process_time()
    for _ in range(STEPS):
        env.step(action)
    return time.process_time() - began


def measure(num_envs: int, rounds: int, device: str) -> dict[str, float]:
    """Microseconds a step without the guard, and what it adds, in percent of that: median of the rounds' ratios."""
    import torch

    from cartpole_lab import close_env, make_env
    from cartpole_lab.session.nan_guard import FiniteGuard

    plain = make_env(num_envs=num_envs, device=device, seed=1)
    guard, action = FiniteGuard(plain), torch.zeros(num_envs, 1, device=device)
    with torch.no_grad():
        plain.reset()
        stretch(plain, action)  # the first steps record and compile
        ratios, without = [], []
        for number in range(rounds):
            sides = (plain, guard) if number % 2 else (guard, plain)
            seconds = {side: stretch(side, action) for side in sides}
            without.append(seconds[plain])
            ratios.append(seconds[guard] / seconds[plain])
        out = plain.step(action)
        plain_step, plain.step = plain.step, lambda _: out
        began = time.process_time()
        for _ in range(2000):
            guard.step(action)
        alone = (time.process_time() - began) / 2000
        plain.step = plain_step
    close_env()
    step_us = 1e6 * statistics.median(without) / STEPS
    return {
        "num_envs": num_envs,
        "step_us": round(step_us, 1),
        "guard_us": round(1e6 * alone, 1),
        "share_percent": round(1e8 * alone / step_us, 2),
        "in_turns_percent": round(100 * (statistics.median(ratios) - 1), 2),
    }


def main() -> None:
    """Measure each size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 512, 1024, 4096])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    rows = [measure(size, args.rounds, args.device) for size in args.sizes]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1))
    print(f"{'environments':>12}{'step':>12}{'look':>10}{'share':>9}{'in turns':>10}")
    for row in rows:
        print(
            f"{row['num_envs']:>12,}{row['step_us']:>9.0f} µs{row['guard_us']:>7.1f} µs{row['share_percent']:>7.2f}%"
            f"{row['in_turns_percent']:>8.2f}%"
        )


if __name__ == "__main__":
    main()
