"""What to simulate, on what and how many, settled and checked before anything is simulated."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cartpole_lab import isaac_sim
from cartpole_lab.errors import UserError
from cartpole_lab.session import agent_keys, presets
from cartpole_lab.session.env_checks import check_env, check_environment, check_manager_based
from cartpole_lab.session.env_settings import EnvSettings, rebuild
from cartpole_lab.session.overrides import apply_overrides, nearest, parse_overrides
from cartpole_lab.session.robot_names import check_standing
from cartpole_lab.session.setting_checks import MAX_ENVS
from cartpole_lab.session.task_lookup import DEFAULT_TASK, entry_points_of, find_task

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnvCfg

DEFAULT_AGENT = "rl_games_cfg_entry_point"
NUM_ENVS = {"cpu": 1024, "cuda": 4096}
"""Environments simulated when nobody says how many, by kind of device."""


def default_device() -> str:
    """``"cuda:0"`` where PyTorch sees a GPU, else ``"cpu"``."""
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def check_device(device: str | None) -> str:
    """Return a usable device name.

    Args:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:<index>"`` or None for the default.

    Raises:
        UserError: The device isn't there, or the name isn't one.
    """
    import torch

    if device is None:
        return default_device()
    device = "cuda:0" if device == "cuda" else device
    kind, _, index = device.partition(":")
    if kind not in NUM_ENVS or (index and not index.isdigit()) or (kind == "cpu" and index):
        raise UserError(f"device {device!r} is not known: expected cpu, cuda or cuda:<index>")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device {device!r} asked for, but PyTorch sees {torch.cuda.device_count()} GPU(s) here: use --device cpu, "
            "or run `cartpole-lab doctor` to see why"
        )
    return device


LARGEST_SEED = 2**31 - 1
"""NumPy's streams take twice as much, and an evaluation adds to its seed."""
MOST_DRAWN = 10_000
"""Largest seed that is drawn where none is asked for: one that is easy to type again."""


def check_num_envs(num_envs: int, name: str = "num_envs") -> int:
    """Return ``num_envs`` if it is a number of environments, or of episodes; ``name`` is what the user calls it.

    Raises:
        UserError: It isn't a positive integer, or larger than any machine's memory.
    """
    if isinstance(num_envs, bool) or not isinstance(num_envs, int) or num_envs < 1:
        raise UserError(f"{name} is {num_envs!r}, expected a positive integer such as 1024")
    if num_envs > MAX_ENVS:
        raise UserError(f"{name} is {str(num_envs)[:20]}, expected at most {MAX_ENVS}")
    return num_envs


def check_seed(seed: int | None) -> None:
    """See that every random stream takes a seed; None seeds nothing, -1 draws one.

    Raises:
        UserError: It isn't such a number.
    """
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not -1 <= seed <= LARGEST_SEED):
        raise UserError(f"seed is {str(seed)[:20]}, expected 0 to {LARGEST_SEED}, or -1 to draw one")


def settled_seed(asked: int | None, own: Any) -> int:
    """The seed of a training: the one asked for, else the agent's own; -1, or none at all, draws one.

    Raises:
        UserError: As for :func:`check_seed`.
    """
    seed = own if asked is None else asked
    check_seed(seed)
    return random.randint(0, MOST_DRAWN) if seed in (None, -1) else int(seed)


def load_cfg(
    task: str | type[ManagerBasedRLEnvCfg] | ManagerBasedRLEnvCfg = DEFAULT_TASK,
    *,
    agent: str | None = DEFAULT_AGENT,
    overrides: Sequence[str] = (),
) -> tuple[ManagerBasedRLEnvCfg, Any]:
    """Load a task's environment and agent settings, as ``isaaclab train`` does.

    Args:
        task: As for :func:`make_env`. A config of your own comes with the agents of ``Isaac-Cartpole-v0``.
        agent: Name of the agent entry point, or None for no agent settings.
        overrides: Such as ``"physics=ovphysx"``, ``"env.rewards.pole_pos.weight=-2"`` or
            ``"agent.params.config.gamma=0.98"``; ``"+agent.params.config.mine=1"`` sets a key that the library is not
            known to read.

    Returns:
        The environment config with its presets resolved, and the agent config (a dict for rl-games).

    Raises:
        UserError: Unknown task, agent, preset or setting, or a value that a setting cannot take.
    """
    return _load(task, agent, overrides)[1:]


def _load(task_or_cfg: Any, agent: str | None, overrides: Sequence[str]) -> tuple[str, ManagerBasedRLEnvCfg, Any]:
    """The id to make, and both configs with all settings checked and applied."""
    own = None if isinstance(task_or_cfg, str) else task_or_cfg
    task = DEFAULT_TASK
    if own is None:
        found = find_task(task_or_cfg)
        task, own = found.id, found.cfg
        check_environment(task)
    entries = [key for key in entry_points_of(task) if not key.startswith("env_")]
    if agent is not None and agent not in entries:
        near = nearest(agent, entries)
        raise UserError(
            f"agent {agent!r} is not registered for {task}: expected one of {', '.join(entries) or '(it has none)'}"
            + (f"; did you mean {near}?" if near else "")
        )
    parsed = parse_overrides(overrides)
    camera = "camera" in str(entry_points_of(task)["env_cfg_entry_point"]).lower()
    selectors = [*default_presets(overrides, camera and own is None), *(one.text for one in parsed if one.is_selector)]
    single = [one for one in parsed if not one.is_selector]
    if agent is None and (stray := next((one for one in single if one.root == "agent"), None)):
        raise UserError(f"setting {stray.text!r} is the agent's, and no agent takes part here: leave it out")
    if own is not None:
        cfg = presets.resolve_own(own, selectors)
        agent_cfg = presets.resolve(task, agent, [])[1] if agent is not None else None
    else:
        chosen = presets.chosen(task, agent, single)
        cfg, agent_cfg = presets.resolve(task, agent, [*selectors, *(one.text for one in chosen)])
        single = [one for one in single if one not in chosen]
    check_manager_based(task, cfg)
    agent_keys.check(agent, agent_cfg)
    apply_overrides(cfg, [one for one in single if one.root == "env"], root="env")
    apply_overrides(agent_cfg, [one for one in single if one.root == "agent"], root="agent", agent=agent)
    check_env(cfg)
    if any(one.key == "env.success.standing.joint" for one in single):
        check_standing(cfg)
    return task, cfg, agent_cfg


def _load_recorded(settings: EnvSettings, agent: str | None, overrides: Sequence[str]) -> tuple[str, Any, Any]:
    """The same for settings that a checkpoint recorded."""
    of_agent = [one for one in overrides if one.lstrip("+").startswith("agent.")]
    if agent is None and of_agent:
        raise UserError(f"setting {of_agent[0]!r} is the agent's, and no agent takes part here: leave it out")
    try:
        find_task(settings.task)
    except UserError as error:
        hint = f"the checkpoint was trained on it: name what registers it, --task path/to/file.py:{settings.task}"
        raise UserError(f"{error}; {hint}") from error
    cfg = rebuild(settings, [one for one in overrides if one not in of_agent])
    check_env(cfg)
    agent_cfg = load_cfg(settings.task, agent=agent, overrides=of_agent)[1] if agent else None
    return settings.task, cfg, agent_cfg


def default_presets(overrides: Sequence[str], has_camera: bool) -> list[str]:
    """Presets that the environment variables of a Jupyter kernel ask for, unless the user chose some."""
    chosen = {str(one).partition("=")[0] for one in overrides}
    names = {"physics": "CARTPOLE_LAB_PHYSICS"}
    if has_camera:
        names["renderer"] = "CARTPOLE_LAB_RENDERER"
    return [f"{key}={os.environ[var]}" for key, var in names.items() if key not in chosen and os.environ.get(var)]


def configure(
    task_or_cfg: str | ManagerBasedRLEnvCfg | type[ManagerBasedRLEnvCfg] | EnvSettings = DEFAULT_TASK,
    *,
    agent: str | None = None,
    num_envs: int | None = None,
    device: str | None = None,
    seed: int = 42,
    overrides: Sequence[str] = (),
) -> tuple[str, ManagerBasedRLEnvCfg, Any]:
    """Settle what to simulate, on what and how many, without simulating anything.

    Args:
        task_or_cfg: As for :func:`make_env`.
        agent: Name of the agent entry point, or None for no agent settings.
        num_envs, device, seed, overrides: As for :func:`make_env`.

    Returns:
        The id to make, the environment config and the agent config.

    Raises:
        UserError: Something asked for isn't there, or a setting cannot be what it is set to.
    """
    device = check_device(device)
    check_seed(seed)
    if num_envs is not None:
        check_num_envs(num_envs)
    recorded = isinstance(task_or_cfg, EnvSettings)
    if isinstance(task_or_cfg, EnvSettings):
        task, cfg, agent_cfg = _load_recorded(task_or_cfg, agent, overrides)
    else:
        task, cfg, agent_cfg = _load(task_or_cfg, agent, overrides)
    given = next((one for one in overrides if one.startswith("env.scene.num_envs=")), None)
    if given is not None and num_envs is not None and num_envs != cfg.scene.num_envs:
        raise UserError(f"num_envs is {num_envs}, and {given} says otherwise: give one of them")
    if num_envs is None and given is None and (recorded or isinstance(task_or_cfg, str)):
        num_envs = min(cfg.scene.num_envs, NUM_ENVS[device.partition(":")[0]])
    cfg.sim.device = device
    isaac_sim.check_launch(cfg, {"headless": True, "device": device})
    cfg.seed = seed
    if num_envs is not None:
        cfg.scene.num_envs = num_envs
    check_num_envs(cfg.scene.num_envs)
    return task, cfg, agent_cfg


def has_camera(cfg: ManagerBasedRLEnvCfg) -> bool:
    """Whether pictures are drawn and, most likely, learned from."""
    return any(hasattr(value, "renderer_cfg") for value in vars(cfg.scene).values())
