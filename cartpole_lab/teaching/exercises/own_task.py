"""Checks of lesson 12: a variant of a task, and a task in a file of one's own."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cartpole_lab.errors import UserError
from cartpole_lab.teaching.exercises.checking import Hint, changed, says
from cartpole_lab.teaching.exercises.gymnasium_ids import is_isaac_labs

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnvCfg


@says("twice the time, and everything else is inherited")
def check_long_episodes(cfg_class: type[ManagerBasedRLEnvCfg], parent: type[ManagerBasedRLEnvCfg]) -> None:
    """Check a variant of a task with episodes of 10 s.

    Args:
        cfg_class: The learner's config class.
        parent: The class it is to be derived from.
    """
    if not isinstance(cfg_class, type):
        raise Hint(f"this is an object of {type(cfg_class).__name__}, expected the class itself, without ()")
    if cfg_class is parent:
        raise Hint(f"this is {parent.__name__} itself: write a class that derives from it")
    if not issubclass(cfg_class, parent):
        raise Hint(f"derive from {parent.__name__}: everything that is not said again is inherited")
    cfg, before = cfg_class(), parent()
    step = cfg.sim.dt * cfg.decimation
    if step != before.sim.dt * before.decimation:
        raise Hint(
            f"a step lasts {step:.4f} s, expected {before.sim.dt * before.decimation:.4f}: is "
            "super().__post_init__() called before your own line?"
        )
    if cfg.episode_length_s == before.episode_length_s:
        raise Hint(
            f"an episode still lasts {cfg.episode_length_s:g} s: the parent's __post_init__ runs last and sets it; "
            "call it first, then set yours"
        )
    if cfg.episode_length_s == 600:
        raise Hint("600 are steps; episode_length_s is in seconds")
    if cfg.episode_length_s != 10.0:
        raise Hint(f"an episode lasts {cfg.episode_length_s:g} s, expected 10")
    if other := changed(cfg, before, "episode_length_s"):
        raise Hint(f"{other} has changed too: everything but the length is inherited")
    if parent().episode_length_s != before.episode_length_s:
        raise Hint(f"{parent.__name__} itself has changed: set the length in your class")


TASK = "My-Patient-Cartpole-v0"


@says("a file, an id, and every command can run it: cartpole-lab train --task your_file.py:" + TASK)
def check_task_file(text: str) -> None:
    """Check the text of a Python file that registers a task of one's own.

    The file is written to a temporary folder and looked up there; its id and module are gone afterwards.

    Args:
        text: The file's content. It registers ``My-Patient-Cartpole-v0``: the cart-pole with episodes of 10 s, agents
            included.
    """
    import gymnasium as gym

    if not isinstance(text, str):
        raise Hint(f"this is a {type(text).__name__}, expected the text of a Python file")
    before, modules, path = set(gym.registry), set(sys.modules), list(sys.path)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "patient_cartpole.py"
        file.write_text(text, encoding="utf-8")
        try:
            _examine_task(f"{file}:{TASK}", set(gym.registry))
        except UserError as error:
            raise Hint(str(error).replace(str(file), file.name)) from None
        finally:
            for name in set(gym.registry) - before:
                gym.registry.pop(name)
            for name in set(sys.modules) - modules:
                if str(getattr(sys.modules[name], "__file__", "") or "").startswith(folder):
                    del sys.modules[name]
            sys.path[:] = path


def _examine_task(task: str, before: set[str]) -> None:
    import gymnasium as gym

    from cartpole_lab.session import load_cfg
    from cartpole_lab.session.task_lookup import find_task

    find_task(task)  # imports the file
    spec: Any = gym.registry.get(TASK)
    if spec is None or TASK in before:
        raise Hint(f"the file registers no {TASK!r}: gym.register(id={TASK!r}, …)")
    if not is_isaac_labs(spec.entry_point):
        raise Hint(f"entry_point is {spec.entry_point!r}, expected 'isaaclab.envs:ManagerBasedRLEnv'")
    if not spec.kwargs.get("rl_games_cfg_entry_point"):
        raise Hint("no agent: kwargs needs 'rl_games_cfg_entry_point', or nothing can train it")
    cfg, agent = load_cfg(task, agent="rl_games_cfg_entry_point")
    if cfg.episode_length_s == 5.0:
        raise Hint("an episode lasts 5 s, as in the parent: set episode_length_s after super().__post_init__()")
    if cfg.episode_length_s != 10.0:
        raise Hint(f"an episode lasts {cfg.episode_length_s:g} s, expected 10")
    if other := changed(cfg, load_cfg("Isaac-Cartpole-v0", agent=None)[0], "episode_length_s"):
        raise Hint(f"{other} is not as in the balancing task: derive from it, and call super().__post_init__() first")
    if "params" not in (agent or {}):
        raise Hint(
            "the agent's entry leads to no settings of rl-games: name cartpole_lab.tasks.agents:rl_games_ppo_cfg"
        )
