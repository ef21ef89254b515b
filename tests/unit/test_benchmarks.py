"""The benchmarks run by hand only; what they hold on to in the package is looked at here."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.where import EVALUATION, STAGES

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--num_envs", "16", "--max_iterations", "2", "--eval_episodes", "16", "--device", "cpu"]


def test_where_gives_every_second_of_a_training_to_a_stage(tmp_path: Path) -> None:
    out = tmp_path / "where.json"
    words = [sys.executable, "-m", "tests.benchmarks.where", str(out), "train", *SMALL, "--log_root", str(tmp_path)]
    started = time.monotonic()
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    wall = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    seconds = json.loads(out.read_text())
    assert list(seconds) == list(STAGES)
    assert all(seconds[stage] > 0 for stage in STAGES if stage != EVALUATION), seconds
    assert sum(seconds.values()) < wall
