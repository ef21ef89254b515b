"""The messages quoted on the troubleshooting page are messages that the installed software really gives."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "troubleshooting.md").read_text(encoding="utf-8")

# What a quoted heading says, in the words of the file that prints it.
SOURCES = {
    "Gym has been unmaintained since 2022 and does not support NumPy 2.0": (
        "gym_notices",
        "Gym has been unmaintained since 2022",
    ),
    "[ERROR] Isaac Sim is not installed or not found on PYTHONPATH.": (
        "isaaclab_physx",
        "[ERROR] Isaac Sim is not installed or not found on PYTHONPATH.",
    ),
    "Failed to allocate … bytes on device 'cpu'": ("warp", "bytes on device 'cpu'"),
    "Invalid backend combination: OvPhysX physics": ("isaaclab", "Invalid backend combination: OvPhysX physics"),
    "device 'cuda:0' asked for, but PyTorch sees 0 GPU(s) here": ("cartpole_lab", "asked for, but PyTorch sees"),
    "No working C++ compiler found in torch._inductor.config.cpp.cxx": ("torch", "No working C++ compiler found in"),
    "'batch_size' (…) must be divisible by 'minibatch_size' (…)": ("rl_games", "must be divisible by 'minibatch_size'"),
    "nefc overflow - please increase njmax": ("mujoco_warp", "nefc overflow - please increase njmax"),
    "--video is not compatible with --viz none": ("isaaclab_rl", "--video is not compatible with --viz none"),
    "auto-creating a headless Kit visualizer": ("isaaclab_rl", "auto-creating a headless Kit visualizer"),
    "left out: … of PYTHONPATH": ("cartpole_lab", 'announce(f"left out: {entry} of {origin}'),
    "is installed in …, and this package is made for": ("cartpole_lab", "and this package is made for"),
    "Build Recommended": ("jupyterlab", "Build Recommended"),
}
# Provoked below, in processes of their own.
PROVOKED = {
    "module 'builtins' has no attribute 'ISAAC_LAUNCHED_FROM_TERMINAL'": """
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab_tasks.utils import resolve_task_config  # without cartpole_lab.session, which says what to do
import cartpole_lab.tasks
for _ in range(2):
    cfg, _agent = resolve_task_config("Isaac-Cartpole-v0", None, overrides=[])
    cfg.scene.num_envs, cfg.sim.device = 4, "cpu"
    ManagerBasedRLEnv(cfg)
""",
    "Environment version v0 for environment Isaac-Cartpole doesn't exist": """
import gymnasium, isaaclab_tasks
gymnasium.make("Isaac-Cartpole-v0")
""",
    "NameNotFound: Environment … doesn't exist. Did you mean": """
import gymnasium, isaaclab_tasks
gymnasium.make("Isaac-Cartpol")
""",
    "ModuleNotFoundError: No module named 'isaacsim'": "import isaacsim",
    "ModuleNotFoundError: No module named 'gym'": """
import sys
from importlib.machinery import PathFinder
class WithoutGym(PathFinder):  # as where it is not installed
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "gym" else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutGym
import isaaclab_rl.rl_games.rl_games as wrapper
""",
}
# Said by a package manager about a machine that this one is not, or by rl-games in more than one form.
ELSEWHERE = {
    "No matching distribution found for isaaclab==3.0.0",
    "Error displaying widget: model not found",  # JupyterLab's add-on, outside its Python package; see test_lab.py
}


def quoted_headings() -> set[str]:
    """Headings of the page that quote a message, without their code marks."""
    headings = re.findall(r"^### (`.+`)$", PAGE, flags=re.M)
    return {heading.replace("`", "").strip() for heading in headings}


def test_every_quoted_message_is_accounted_for() -> None:
    assert quoted_headings() == set(SOURCES) | set(PROVOKED) | ELSEWHERE


@pytest.mark.parametrize("heading", list(SOURCES))
def test_message_stands_in_the_software(heading: str) -> None:
    package, words = SOURCES[heading]
    found = importlib.util.find_spec(package)
    assert found is not None and found.origin is not None
    files = (path for ending in ("*.py", "*.js") for path in Path(found.origin).parent.rglob(ending))
    assert any(words in path.read_text(encoding="utf-8", errors="replace") for path in files)


@pytest.mark.parametrize("heading", list(PROVOKED))
def test_message_is_really_given(heading: str) -> None:
    if "isaacsim" in heading and importlib.util.find_spec("isaacsim"):
        pytest.skip("Isaac Sim is installed here, so its absence cannot be shown")
    # From the root: this package must not be found by its folder, as for a reader who forgot to import it.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROVOKED[heading]]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/", check=False)
    assert result.returncode != 0
    last = re.sub(r"`", "", result.stderr.strip().splitlines()[-1])
    for words in heading.split(" … "):
        assert words.removeprefix("NameNotFound: ") in last, f"expected {words!r} in {last!r}"
