"""Evaluations during training leave nothing behind: training goes on to the last bit as if there had been none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

CODE = """
import sys
sys.path.insert(0, {folder!r})
from disturbing_task import DisturbingEnvCfg
from cartpole_lab.training.rl_games_train import train
run = train(DisturbingEnvCfg(), num_envs=64, device="cpu", seed=5, max_iterations=12, eval_interval={interval},
            eval_episodes=64, progress=False, log_root={root!r})
print(run.log_dir)
"""


def trained(interval: int, root: Path) -> tuple[dict[str, np.ndarray], dict[str, torch.Tensor]]:
    """The curve and the last weights of a training in a process of its own: modules and classes have state too."""
    code = CODE.format(folder=str(Path(__file__).parent), interval=interval, root=str(root))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "cannot put back" not in done.stderr
    log_dir = Path(done.stdout.strip().splitlines()[-1])
    last = sorted((log_dir / "nn").glob("last_*"))[-1]
    with np.load(log_dir / "curve.npz") as curve:
        return dict(curve), torch.load(last, weights_only=False)["model"]


def test_training_with_evaluations_is_training_without(tmp_path: Path) -> None:
    watched, unwatched = trained(2, tmp_path / "with"), trained(0, tmp_path / "without")
    assert len(watched[0]["eval_epoch"]) == 6 and not len(unwatched[0]["eval_epoch"])
    for name in ("return", "length"):
        np.testing.assert_array_equal(watched[0][name], unwatched[0][name])
    assert all(torch.equal(watched[1][name], unwatched[1][name]) for name in watched[1])
