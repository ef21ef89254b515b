"""Isaac Lab's own PPO settings over several seeds: ``python tests/benchmarks/shipped_spread.py``, for lesson 6.

Writes ``book/measured/shipped_spread.txt`` and ``.png``. One run a seed, 1024 carts, 60 epochs, an evaluation of 1024
fresh episodes every five epochs; a sweep, two seeds at once on two cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "book")]
MEASURED = ROOT / "book" / "measured"
NUM_ENVS, EPOCHS, EVERY = 1024, 60, 5


def run_seeds(seeds: list[int], log_root: Path, num_envs: int = NUM_ENVS, epochs: int = EPOCHS) -> list[dict[str, Any]]:
    """Train the seeds with the shipped settings, in a sweep; epochs, returns and shares of time-outs of evaluations."""
    from cartpole_lab import Run, sweep

    words = {"num_envs": num_envs, "max_iterations": epochs, "eval_interval": EVERY, "eval_episodes": num_envs}
    done = sweep(seeds=seeds, log_root=log_root, **words)
    if done.failed or done.unfinished:
        raise SystemExit(f"{done.failed} seeds failed, {done.unfinished} were not run")
    folders = dict(zip(done.table["seed"], done.table["run"], strict=True))
    names = ("eval_epoch", "eval_return", "eval_timeout_share")
    runs = []
    for seed in seeds:
        curve = Run.open(done.folder / folders[seed]).curve
        runs.append({"seed": seed} | {name: [float(x) for x in curve[name]] for name in names})
    return runs


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
    plt.axhline(99.5, color="C5", ls=":", label="solved: 99.5%")
    plt.gca().set(xlabel="epoch", ylabel="time-outs, evaluated [%]", ylim=(-2, 103))
    plt.legend(loc="lower right")
    plt.savefig(path, dpi=130)
    plt.close()


def main() -> None:
    """Run the seeds and write the record."""
    from bookbuild.machine import describe_machine

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=[42, 1, 2, 3, 4, 5, 6, 7])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = run_seeds(args.seeds, Path(folder))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout
    when = f"Recorded on {describe_machine()}, {datetime.now(UTC):%Y-%m-%d}, at commit `{commit.strip()}`."
    (MEASURED / "shipped_spread.txt").write_text(table(runs, when), encoding="utf-8")
    draw(runs, MEASURED / "shipped_spread.png")


if __name__ == "__main__":
    main()
