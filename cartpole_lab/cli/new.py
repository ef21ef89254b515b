"""``cartpole-lab new``: a small package with a task of one's own, which both commands see once it is installed.

Isaac Lab's own generator (``isaaclab --new``) makes a whole repository whose robot comes from NVIDIA's asset server and
whose build needs a package index. This one is for a first task: its entry point is in the same group,
``isaaclab.tasks``, its layout is the same, and it works without a network.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from pathlib import Path

from cartpole_lab.errors import UserError

HELP = "write a small package with a task of your own"

_PYPROJECT = """\
[build-system]
requires = ["flit_core>=3.11,<4"]
build-backend = "flit_core.buildapi"

[project]
name = "{project}"
version = "0.1.0"
description = "A task of my own for Isaac Lab."
requires-python = ">=3.12,<3.13"
dependencies = ["cartpole-lab"]

# `isaaclab list_envs`, `isaaclab train` and `cartpole-lab` import what stands here, and see the tasks that it registers
[project.entry-points."isaaclab.tasks"]
{module} = "{module}"
"""

_INIT = '''\
"""Tasks of my own: importing this package registers them with Gymnasium."""

import gymnasium as gym

gym.register(
    id="{task}",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,  # the checker expects one environment, not a batch of them
    kwargs={{
        "env_cfg_entry_point": f"{{__name__}}.env_cfg:{cls}EnvCfg",
        "rl_games_cfg_entry_point": f"{{__name__}}.agent:rl_games_cfg",
        "default_agent": "rl_games",
    }},
)
'''

_ENV = '''\
"""The cart-pole with a reward term of my own. Start here: change a term, add one, change how an episode starts."""

import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import RewardTermCfg, SceneEntityCfg
from isaaclab.utils import configclass

from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg, RewardsCfg


def distance_from_centre(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """How far the cart is from the middle of the rail [m], shape ``(num_envs,)``."""
    joint_pos = env.scene[asset_cfg.name].data.joint_pos.torch
    return joint_pos[:, asset_cfg.joint_ids].abs().sum(dim=1)


@configclass
class {cls}RewardsCfg(RewardsCfg):
    """The cart-pole's reward, and mine."""

    # (6) Mine: stay near the middle. A rate per second, as every weight.
    centre = RewardTermCfg(
        func=distance_from_centre,
        weight=-0.05,
        params={{"asset_cfg": SceneEntityCfg("robot", joint_names=["slider_to_cart"])}},
    )


@configclass
class {cls}EnvCfg(CartpoleEnvCfg):
    """Everything of the cart-pole, with my reward."""

    rewards: {cls}RewardsCfg = {cls}RewardsCfg()
'''

_AGENT = '''\
"""PPO for my task, with rl-games: the settings that the cart-pole learns with quickly, under a name of their own."""

from typing import Any

from cartpole_lab.tasks import agents


def rl_games_cfg() -> dict[str, Any]:
    """Settings for rl-games; change them here, or at the command line with ``agent.params.config.gamma=0.98``."""
    settings = agents.rl_games_fast_ppo_cfg()
    settings["params"]["config"]["name"] = "{module}"
    return settings
'''

_TEST = '''\
"""The task is registered, can be made, and my reward term pays what it should."""

import torch

import {module}
from cartpole_lab import close_env, make_env


def test_my_task() -> None:
    env = make_env("{task}", num_envs=4, device="cpu")
    env.reset()
    *_, reward, _, _, _ = env.step(torch.zeros(4, 1))
    manager = env.unwrapped.reward_manager
    paid = manager._step_reward[:, manager.active_terms.index("centre")]
    cart = env.unwrapped.scene["robot"].data.joint_pos.torch[:, 0]
    assert {module}.__name__ == "{module}" and reward.shape == (4,)
    torch.testing.assert_close(paid, -0.05 * cart.abs())
    close_env()
'''

_README = """\
# {project}

A task of my own, `{task}`: `src/{module}/env_cfg.py` says what is simulated, `agent.py` how it learns.

```bash
pip install -e . --no-build-isolation      # in the environment of cartpole-lab; no network needed
isaaclab list_envs --keyword {task}
cartpole-lab train --task {task} --stop_when_solved
cartpole-lab evaluate --task {task}
cartpole-lab play --task {task}
python -m pytest
```
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the name and where to write."""
    parser.add_argument("name", help="name of the package, such as my_cartpole")
    parser.add_argument("--path", default=".", help="folder to write it into (default: here)")


def run(args: argparse.Namespace, overrides: list[str]) -> int:
    """Write the package, and print what to do with it."""
    folder, task = write_package(args.name, Path(args.path))
    print(
        f"package       {folder}\ntask          {task}\n\nnext:\n"
        f"  pip install -e {folder} --no-build-isolation\n  cartpole-lab train --task {task} --stop_when_solved"
    )
    return 0


def write_package(name: str, path: Path) -> tuple[Path, str]:
    """Write a package with a task: config, registration, agent, a test, and the entry point.

    Args:
        name: Name of the package: lower-case letters, digits and underscores.
        path: Folder to write it into.

    Returns:
        Its folder, and the id of its task.

    Raises:
        UserError: The name is none, is taken, or the folder is there already.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > 60:
        raise UserError(f"name {name!r} is not one of a package: expected lower-case words such as my_cartpole")
    import importlib.util
    import keyword

    if keyword.iskeyword(name) or importlib.util.find_spec(name) is not None:
        raise UserError(f"name {name!r} is taken by Python or by a package that is installed here: choose another")
    folder = path / name
    if folder.exists():
        raise UserError(f"folder {str(folder)!r} is there already: choose another name or --path")
    cls = "".join(word.capitalize() for word in name.split("_"))
    task = "-".join(word.capitalize() for word in name.split("_")) + "-v0"
    filled = {"module": name, "project": name.replace("_", "-"), "cls": cls, "task": task}
    files = {
        "pyproject.toml": _PYPROJECT,
        "README.md": _README,
        f"src/{name}/__init__.py": _INIT,
        f"src/{name}/env_cfg.py": _ENV,
        f"src/{name}/agent.py": _AGENT,
        f"tests/test_{name}.py": _TEST,
    }
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=path) as made:
            for file, text in files.items():
                target = Path(made, name, file)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text.format(**filled), encoding="utf-8")
            os.rename(Path(made, name), folder)  # whole or not there
    except OSError as error:
        raise UserError(
            f"folder {str(folder)!r} cannot be written ({error.strerror}): choose another --path"
        ) from error
    return folder, task
