"""Isaac Lab's own PPO settings over several seeds: ``python tests/benchmarks/shipped_spread.py``, for lesson 6.

Writes ``book/measured/shipped_spread.txt`` and ``.png``. One run a seed, 1024 carts, 60 epochs, an evaluation of 1024
fresh episodes every five epochs; eight seeds take twenty minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "book")]
MEASURED = ROOT / "book" / "measured"
NUM_ENVS, EPOCHS, EVERY = 1024, 60, 5


def run_seed(seed: int) -> dict[str, Any]:
    """Train one seed with the shipped settings; epochs, returns and shares of time-outs of its evaluations."""
    import torch

    from cartpole_lab import train

    torch.set_num_threads(1)
    run = train(
        num_envs=NUM_ENVS,
        max_iterations=EPOCHS,
        eval_interval=EVERY,
        eval_episodes=NUM_ENVS,
        seed=seed,
        progress=False,
    )
    names = ("eval_epoch", "eval_return", "eval_timeout_share")
    return {"seed": seed} | {name: [float(x) for x in run.curve[name]] for name in names}


def table(runs: list[dict[str, Any]], machine: str) -> str:
    """The record, in Markdown."""
    shares = np.array([run["eval_timeout_share"] for run in runs])
    epochs = runs[0]["eval_epoch"]
    lines = ["| seed | best evaluation: time-outs, return | at epoch | last evaluation: time-outs, return |"]
    lines += ["| ---: | ---: | ---: | ---: |"]
    for run, share in zip(runs, shares, strict=True):
        k = int(np.argmax(run["eval_return"]))
        lines.append(
            f"| {run['seed']} | {share[k]:.1%}, {run['eval_return'][k]:.2f} | {epochs[k]:.0f} "
            f"| {share[-1]:.1%}, {run['eval_return'][-1]:.2f} |"
        )
    lost = sum(max(run["eval_return"]) - run["eval_return"][-1] > 0.1 for run in runs)
    lines += ["", f"Median of the last evaluations: {np.median(shares[:, -1]):.1%} time-outs."]
    lines += [f"{lost} of {len(runs)} seeds ended more than 0.1 points below their best evaluation; none was solved."]
    assert not any(np.max(run["eval_timeout_share"]) >= 0.995 and np.max(run["eval_return"]) >= 4.9 for run in runs)
    return "\n".join([*lines, "", machine, ""])


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """The picture: a thin line a seed, and the median."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    from cartpole_lab.teaching.display import use_style

    use_style()
    shares = 100 * np.array([run["eval_timeout_share"] for run in runs])
    epochs = runs[0]["eval_epoch"]
    plt.figure(figsize=(7, 3))
    plt.plot(epochs, shares.T, "C0", lw=0.8, alpha=0.6)
    plt.plot(epochs, np.median(shares, axis=0), "C1", lw=2.5, label=f"median of {len(runs)} seeds")
    plt.axhline(99.5, color="C5", ls=":", label="solved: 99.5 %")
    plt.gca().set(xlabel="epoch", ylabel="time-outs, evaluated [%]", ylim=(-2, 103))
    plt.legend(loc="lower right")
    plt.savefig(path, dpi=130)
    plt.close()


def main() -> None:
    """Run the seeds, each in a process of its own, and write the record."""
    from bookbuild.machine import describe_machine

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=[42, 1, 2, 3, 4, 5, 6, 7])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one is not None:
        print("\n" + json.dumps(run_seed(args.one)))
        return
    runs = []
    for seed in args.seeds:
        command = [sys.executable, __file__, "--one", str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout.strip().splitlines()[-1]))
        print(f"seed {seed}: {runs[-1]['eval_timeout_share'][-1]:.1%} time-outs at the end", flush=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout
    when = f"Recorded on {describe_machine()}, {datetime.now(UTC):%Y-%m-%d}, at commit `{commit.strip()}`."
    (MEASURED / "shipped_spread.txt").write_text(table(runs, when), encoding="utf-8")
    draw(runs, MEASURED / "shipped_spread.png")


if __name__ == "__main__":
    main()
