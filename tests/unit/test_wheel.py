"""A wheel built from the tree holds everything, and works from an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return next(out.glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    tracked = subprocess.run(["git", "ls-files", "cartpole_lab"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = set(tracked.stdout.split()) - names
    assert not missing
    for kind in (".usda", ".yaml", ".js"):
        assert any(name.endswith(kind) for name in names)


def test_the_wheel_trains_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    zipfile.ZipFile(wheel).extractall(site)
    env = {**os.environ, "PYTHONPATH": str(site)}
    words = "train --num_envs 32 --max_iterations 1 --eval_interval 0 --device cpu"
    code = f"import cartpole_lab.cli as c; print(c.__file__); raise SystemExit(c.main({words.split()!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=work, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    assert str(site) in done.stdout.splitlines()[0]
    summary = json.loads(next(work.glob("logs/rl_games/cartpole/*/summary.json")).read_text())
    assert summary["num_envs"] == 32 and summary["episodes"] == 1024
