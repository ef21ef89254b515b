"""Make the front page's film: ``python book/film.py FOLDER`` trains until solved, evaluates and films."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from bookbuild.machine import describe_machine


def make_film(folder: Path) -> None:
    """Train with the package's fast settings and film the best policy.

    Args:
        folder: Gets ``showcase.mp4``, its poster ``showcase.png``, ``policy.json`` and ``result.json``.
    """
    from cartpole_lab.evaluation import evaluate
    from cartpole_lab.policies.export import export_weights
    from cartpole_lab.training.rl_games_train import train
    from cartpole_lab.video.film import record_video

    start = time.perf_counter()
    agent = "rl_games_fast_cfg_entry_point"
    run = train("Isaac-Cartpole-v0", agent=agent, stop_when_solved=True, log_root=folder / "logs", progress=False)
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
    (folder / "policy.json").write_text(json.dumps(export_weights(run.checkpoint)), encoding="utf-8")
    (folder / "result.json").write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    make_film(Path(sys.argv[1]))
