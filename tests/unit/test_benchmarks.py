"""The benchmarks run by hand only; what they hold on to in the package is looked at here."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks import publish
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


def test_the_table_of_sizes_names_the_commit_that_it_was_measured_at() -> None:
    row = {"num_envs": 1024, "cores": 2, "steps_per_s": 586975.4, "rss_gb": 0.951}
    machine = {"cores": 2, "memory_gb": 24, "device": "cpu", "versions": {"newton": "1.6.1"}}
    text = publish.scaling({"scaling": [row], "commits": {"steps": "aaaaaaa", "scaling": "bbbbbbb"}, **machine})
    assert text.splitlines()[2] == "| 1,024 | 2 | 586,975 | 0.95 GB |"
    assert "at commit `bbbbbbb`," in text and "aaaaaaa" not in text
