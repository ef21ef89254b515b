"""Each row of the page "Isaac Lab 2.x and 3.0" against the installed package.

A row without a check fails, and a check without a row fails. The checks cover what 3.0 has, and that 3.0 no longer has
what the row says is gone.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import re
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "migration.md").read_text(encoding="utf-8")


def rows() -> dict[str, tuple[str, str]]:
    """The table by its first column: what 2.x had, what 3.0 has."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {what.strip(): (old.strip(), new.strip()) for what, old, new in cells[2:]}


def has(module: str, name: str) -> bool:
    """Whether a module of the installed package has a name."""
    return hasattr(importlib.import_module(module), name)


def exists(module: str) -> bool:
    """Whether a module is installed."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def fields(cls: type) -> set[str]:
    """Field names of a config class."""
    return {field.name for field in dataclasses.fields(cls)}


@functools.cache
def isaac_ids() -> set[str]:
    """The ids that Isaac Lab itself registers, seen in a process without this package's."""
    code = "import gymnasium, isaaclab_tasks; print('\\n'.join(gymnasium.registry))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    return {line for line in result.stdout.splitlines() if line.startswith("Isaac")}


def python() -> None:
    assert importlib.metadata.metadata("isaaclab")["Requires-Python"] == "<3.13,>=3.12"


def isaac_sim() -> None:
    assert not any("isaacsim" in line and "extra" not in line for line in importlib.metadata.requires("isaaclab") or [])


def engines() -> None:
    from cartpole_lab.physics import CartpolePhysicsCfg

    assert {"newton_mjwarp", "ovphysx", "isaacsim_physx"} <= fields(CartpolePhysicsCfg)
    assert has("isaaclab_newton.physics", "NewtonCfg") and exists("isaaclab_ov")


def command() -> None:
    scripts = {e.name for e in importlib.metadata.distribution("isaaclab").entry_points if e.group == "console_scripts"}
    assert "isaaclab" in scripts


def train_command() -> None:
    script = Path(sys.executable).with_name("isaaclab")
    result = subprocess.run([str(script), "train", "--help"], capture_output=True, text=True, check=True)
    assert "--rl_library" in result.stdout and "rl_games" in result.stdout


def cartpole_id() -> None:
    ids = isaac_ids()
    assert "Isaac-Cartpole" in ids and "Isaac-Cartpole-v0" not in ids


def camera_ids() -> None:
    ids = isaac_ids()
    assert "Isaac-Cartpole-Camera" in ids and not any(name.startswith("Isaac-Cartpole-RGB") for name in ids)


def direct_id() -> None:
    ids = isaac_ids()
    assert "Isaac-Cartpole-Direct" in ids and "Isaac-Cartpole-Direct-v0" not in ids


def task_module() -> None:
    assert exists("isaaclab_tasks.core.cartpole") and not exists("isaaclab_tasks.manager_based")


def resolve() -> None:
    assert has("isaaclab_tasks.utils", "resolve_task_config")
    assert not has("isaaclab_tasks.utils", "hydra_task_config")
    assert not has("isaaclab_tasks.utils.hydra", "hydra_task_config")


def launcher() -> None:
    from isaaclab.app import launch_simulation

    assert list(inspect.signature(launch_simulation).parameters)[:2] == ["cfg", "launcher_args"]


def physics_settings() -> None:
    from isaaclab.sim import SimulationCfg

    assert "physics" in fields(SimulationCfg) and "physx" not in fields(SimulationCfg)


def physx_import() -> None:
    assert has("isaaclab_physx.physics", "PhysxCfg")
    with pytest.raises(ImportError):
        exec("from isaaclab.sim import PhysxCfg")


def presets() -> None:
    from cartpole_lab.session.configs import load_cfg

    newton, _ = load_cfg("Isaac-Cartpole-v0", overrides=["physics=newton_mjwarp"])
    physx, _ = load_cfg("Isaac-Cartpole-v0", overrides=["physics=ovphysx"])
    assert type(newton.sim.physics) is not type(physx.sim.physics)


def quaternions() -> None:
    from isaaclab.assets import ArticulationCfg

    assert tuple(ArticulationCfg.InitialStateCfg().rot) == (0.0, 0.0, 0.0, 1.0)


def state_tensors() -> None:
    from isaaclab.utils.warp.proxy_array import ProxyArray

    assert isinstance(ProxyArray.torch, property) and isinstance(ProxyArray.warp, property)


def joint_state() -> None:
    from isaaclab.assets import BaseArticulation

    for name in ("write_joint_position_to_sim_index", "write_joint_velocity_to_sim_index"):
        assert name in BaseArticulation.__abstractmethods__
    assert "Deprecated" in (BaseArticulation.write_joint_state_to_sim.__doc__ or "")


def cameras() -> None:
    import isaaclab.sim as sim_utils
    from isaaclab.sensors import CameraCfg, TiledCameraCfg

    assert issubclass(TiledCameraCfg, CameraCfg)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        TiledCameraCfg(prim_path="/World/c", height=8, width=8, spawn=sim_utils.PinholeCameraCfg())
    assert any("TiledCameraCfg is deprecated" in str(w.message) for w in caught)


def renderers() -> None:
    from isaaclab.sensors import CameraCfg

    assert "renderer_cfg" in fields(CameraCfg) and has("isaaclab_newton.renderers", "NewtonWarpRendererCfg")


def films() -> None:
    from isaaclab.envs import ManagerBasedRLEnvCfg

    assert "video_recorders" in fields(ManagerBasedRLEnvCfg)
    assert has("isaaclab.envs.utils.video_recorder_cfg", "VideoRecorderCfg")


def rl_games_wrapper() -> None:
    from isaaclab_rl.rl_games import RlGamesVecEnvWrapper

    parameters = list(inspect.signature(RlGamesVecEnvWrapper.__init__).parameters)
    assert parameters[1:5] == ["env", "rl_device", "clip_obs", "clip_actions"]
    assert callable(RlGamesVecEnvWrapper.from_agent_cfg)


def entry_points() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "isaaclab.tasks" in project["entry-points"]
    package = Path(importlib.import_module("isaaclab_rl").__file__).parent
    readers = [package, package.parent / "isaaclab", package.parent / "isaaclab_tasks"]
    sources = (path.read_text(encoding="utf-8") for folder in readers for path in folder.rglob("*.py"))
    assert any('"isaaclab.tasks"' in text for text in sources), "something reads the group"


def replace() -> None:
    from isaaclab.sim import SimulationCfg
    from isaaclab.utils import replace as change

    assert change(SimulationCfg(), dt=0.01).dt == 0.01
    assert SimulationCfg().replace(dt=0.01).dt == 0.01


def dumps() -> None:
    assert has("isaaclab.utils.io", "dump_yaml") and not has("isaaclab.utils.io", "dump_pickle")


CHECKS: dict[str, Callable[[], None]] = {
    "Python": python,
    "Isaac Sim": isaac_sim,
    "Physics engine": engines,
    "Install": command,
    "Train": train_command,
    "Cart-pole id": cartpole_id,
    "Cart-pole with camera, ids": camera_ids,
    "Direct cart-pole id": direct_id,
    "Module of the task": task_module,
    "Resolve a task's configs": resolve,
    "Start the simulator": launcher,
    "Physics settings": physics_settings,
    "Import of `PhysxCfg`": physx_import,
    "Choose an engine from a shell": presets,
    "Quaternion order": quaternions,
    "State tensors": state_tensors,
    "Write a joint state": joint_state,
    "Many cameras": cameras,
    "Renderer of a camera": renderers,
    "Films": films,
    "rl-games environment": rl_games_wrapper,
    "Tell Isaac Lab of your tasks": entry_points,
    "Change a config copy": replace,
    "Save a run's configs": dumps,
}


def test_every_row_has_a_check() -> None:
    assert sorted(rows()) == sorted(CHECKS)


@pytest.mark.parametrize("row", list(CHECKS))
def test_row_holds(row: str) -> None:
    old, new = rows()[row]
    assert old and new
    CHECKS[row]()


def test_named_modules_of_the_3_0_column_exist() -> None:
    """Whatever dotted name the right-hand column gives can be imported."""
    for _, new in rows().values():
        for name in re.findall(r"`(isaaclab(?:_\w+)?(?:\.\w+)+)", new):
            if name == "isaaclab.tasks":  # a group of entry points, not a module
                continue
            module, _, attribute = name.rpartition(".")
            assert exists(name) or has(module, attribute), name
