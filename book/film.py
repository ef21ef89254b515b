"""Make the front page's film: ``python book/film.py FOLDER`` trains until solved, evaluates and films."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bookbuild.machine import describe_machine

if TYPE_CHECKING:
    from cartpole_lab.policies.runs import Run


EPOCHS = 16
"""Epochs of the training that the front page keeps."""


def epochs_of(run: Run) -> dict[str, Any]:
    """Exported weights by epoch, up to the best one: `EPOCHS` of those that the run saved, spread evenly."""
    from cartpole_lab.policies.checkpoint_lookup import open_any
    from cartpole_lab.policies.export import export_weights

    best = open_any(run.best.path)
    opened = {found.epoch: found for found in (open_any(path) for path in run.checkpoints)} | {best.epoch: best}
    saved = sorted(epoch for epoch in opened if epoch <= best.epoch)
    kept = {saved[round(i * (len(saved) - 1) / (EPOCHS - 1))] for i in range(EPOCHS)}
    return {str(epoch): export_weights(opened[epoch]) for epoch in sorted(kept)}


def make_film(folder: Path) -> None:
    """Train with the package's fast settings and film the best policy.

    Args:
        folder: Gets ``showcase.mp4``, its poster ``showcase.png``, ``epochs.json`` (the policy by epoch) and
            ``result.json``.
    """
    from cartpole_lab.evaluation import evaluate
    from cartpole_lab.policies.runs import Run
    from cartpole_lab.training.rl_games_train import train
    from cartpole_lab.video.film import record_video

    start = time.perf_counter()
    agent = "rl_games_fast_cfg_entry_point"
    run = train(
        "Isaac-Cartpole-v0",
        agent=agent,
        stop_when_solved=True,
        log_root=folder / "logs",
        overrides=["agent.params.config.save_frequency=1"],
        progress=False,
    )
    seconds = time.perf_counter() - start
    report = evaluate(run.checkpoint, episodes=1024)
    record_video(run.checkpoint, folder / "showcase.mp4", seconds=8, width=1024, height=576, fps=60)
    result = {
        "seconds": seconds,
        "machine": describe_machine(),
        "mean_return": float(report.mean_return),
        "timeout_share": float(report.timeout_share),
        "solved": bool(report.solved),
        "env_steps": int(run.env_steps),
    }
    (folder / "epochs.json").write_text(json.dumps(epochs_of(Run.open(run.log_dir))), encoding="utf-8")
    (folder / "result.json").write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    make_film(Path(sys.argv[1]))
