"""Isaac Lab's own commands find our tasks and can train them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ISAACLAB = [sys.executable, "-m", "isaaclab"]


def _isaaclab(*words: str, cwd: Path) -> str:
    done = subprocess.run([*ISAACLAB, *words], cwd=cwd, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_list_envs_shows_the_five_ids(tmp_path: Path) -> None:
    out = _isaaclab("list_envs", cwd=tmp_path)
    for task in ("", "-RGB", "-Depth", "-RGB-ResNet18", "-RGB-TheiaTiny"):
        assert f"Isaac-Cartpole{task}-v0" in out


def test_isaaclab_train_runs_our_task_on_a_cpu(tmp_path: Path) -> None:
    words = "train --rl_library rl_games --task Isaac-Cartpole-v0 --device cpu --num_envs 32 --max_iterations 2"
    _isaaclab(*words.split(), cwd=tmp_path)
    assert list(tmp_path.glob("logs/rl_games/cartpole/*/nn/*.pth"))
