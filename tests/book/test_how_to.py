"""The page "How do I …?": every block is read from the page and run as a reader would, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest
from bookbuild import paths

PAGE = (paths.BOOK / "how_to.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.M | re.S))
BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```", flags=re.M | re.S)
SHOWS = {
    "Observe one joint by name": r"'pole_angle'\] \(4, 5\)",
    "Draw the pole's mass anew at every reset": r"pole \[kg\]",
    "Draw the pole's mass once, at start-up": r"pole \[kg\]",
    "Write a task with episodes of 10 s, in a file": r"logs/rl_games",
    "Write a task with episodes of 10 s, in a package": r"My-Cartpole-v0",
    "See why two returns of one policy differ": r"the trainer says .+, fresh episodes say -?\d",
    "Pay for `alive` only, and read the verdict": r"(?s)by its own reward.+by default +no .+the task's own",
    "Stop a training": r"exit code 143",
    "Go on with a training": r"logs/rl_games",
    "Average three seeds": r"^-?\d+\.\d+ ± \d",
}

DIFFERENT_MASSES = {"Draw the pole's mass anew at every reset": 3, "Draw the pole's mass once, at start-up": 1}
"""Rows of masses that differ, of three resets."""


def small(block: str) -> str:
    """The same lines with fewer carts and a thirtieth of the epochs; nothing else changes."""
    block = re.sub(r"(--max_iterations )(\d+)", lambda m: f"{m[1]}{max(int(m[2]) // 30, 1)}", block)
    block = re.sub(r"^(cartpole-lab train)", r"\1 --num_envs 64 --eval_episodes 64", block, flags=re.M)
    return block.replace("max_iterations=60", "max_iterations=2, num_envs=64, eval_episodes=64")


def environment(folder: Path) -> dict[str, str]:
    """A Python environment of the reader's own, which sees what is installed with us: a ``pip install`` goes there."""
    home = folder / "venv"
    venv.create(home, with_pip=False)
    site = next(home.glob("lib/python*/site-packages"))
    ours = sysconfig.get_path("purelib")
    (site / "beside.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    for name, module in {"pip": "pip", "cartpole-lab": "cartpole_lab.cli"}.items():
        script = home / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{home}/bin/python" -m {module} "$@"\n')
        script.chmod(0o755)
    quiet = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {**os.environ, **quiet, "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def test_page_has_ten_recipes_each_with_a_lesson_or_a_line() -> None:
    assert set(RECIPES) == set(SHOWS) and len(RECIPES) == 10
    assert all(BLOCK.search(text) for text in RECIPES.values())
    assert len(set(re.findall(r"notebooks/(\d\d)_", PAGE))) >= 7


@pytest.mark.parametrize("recipe", SHOWS)
def test_recipe_runs_in_an_empty_folder(recipe: str, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    environ = environment(tmp_path)
    said = ""
    for language, block in BLOCK.findall(RECIPES[recipe]):
        command = ["bash", "-e", "-c", small(block)] if language == "bash" else ["python", "-c", small(block)]
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{small(block)}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
        said += done.stdout + done.stderr
    assert re.search(SHOWS[recipe], said, flags=re.M), said[-2000:]
    if recipe in DIFFERENT_MASSES:
        masses = re.findall(r"pole \[kg\] (.+)", said)
        assert len(masses) == 3 and len(set(masses)) == DIFFERENT_MASSES[recipe], masses
