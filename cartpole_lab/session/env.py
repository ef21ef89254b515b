"""One live environment: made quietly, rebuilt safely in the same kernel.

Isaac Lab keeps one simulation per process. :func:`make_env` closes the one that an earlier cell left behind before it
makes the next, so a cell may be run twice.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from cartpole_lab import isaac_sim, shortcuts
from cartpole_lab.errors import UserError
from cartpole_lab.session import overrides as settings
from cartpole_lab.session import presets
from cartpole_lab.session.env_checks import check_env
from cartpole_lab.session.held_output import announce, quietly
from cartpole_lab.session.recorded import EnvSettings, rebuild
from cartpole_lab.session.task_lookup import DEFAULT_TASK, check_task, entry_points_of, find_task

if TYPE_CHECKING:
    import gymnasium as gym
    from isaaclab.envs import ManagerBasedRLEnvCfg

__all__ = [
    "DEFAULT_AGENT",
    "DEFAULT_TASK",
    "NUM_ENVS",
    "check_device",
    "check_num_envs",
    "check_task",
    "close_env",
    "configure",
    "default_device",
    "has_camera",
    "load_cfg",
    "make_env",
    "open_env",
]

DEFAULT_AGENT = "rl_games_cfg_entry_point"
NUM_ENVS = {"cpu": 1024, "cuda": 4096}
"""Environments simulated when nobody says how many, by kind of device."""

_env: gym.Env | None = None
_simulation = contextlib.ExitStack()


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


def check_num_envs(num_envs: int) -> int:
    """Return ``num_envs`` if it is a number of environments.

    Raises:
        UserError: It isn't a positive integer.
    """
    if isinstance(num_envs, bool) or not isinstance(num_envs, int) or num_envs < 1:
        raise UserError(f"num_envs is {num_envs!r}, expected a positive integer such as 1024")
    return num_envs


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
        overrides: Words such as ``"physics=ovphysx"``, ``"env.rewards.pole_pos.weight=-2"`` or
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
    entries = [key for key in entry_points_of(task) if not key.startswith("env_")]
    if agent is not None and agent not in entries:
        near = settings.nearest(agent, entries)
        raise UserError(
            f"agent {agent!r} is not registered for {task}: expected one of {', '.join(entries) or '(it has none)'}"
            + (f"; did you mean {near}?" if near else "")
        )
    words = settings.parse(overrides)
    camera = "camera" in str(entry_points_of(task)["env_cfg_entry_point"]).lower()
    selectors = [*default_presets(overrides, camera and own is None), *(w.text for w in words if w.is_selector)]
    single = [word for word in words if not word.is_selector]
    if agent is None and (stray := next((w for w in single if w.root == "agent"), None)):
        raise UserError(f"setting {stray.text!r} is the agent's, and no agent takes part here: leave it out")
    if own is not None:
        cfg = presets.resolve_own(own, selectors)
        agent_cfg = presets.resolve(task, agent, [])[1] if agent is not None else None
    else:
        chosen = presets.chosen(task, agent, single)
        cfg, agent_cfg = presets.resolve(task, agent, [*selectors, *(word.text for word in chosen)])
        single = [word for word in single if word not in chosen]
    settings.apply(cfg, [word for word in single if word.root == "env"], root="env")
    settings.apply(agent_cfg, [word for word in single if word.root == "agent"], root="agent", agent=agent)
    check_env(cfg)
    return task, cfg, agent_cfg


def _load_recorded(settings: EnvSettings, agent: str | None, overrides: Sequence[str]) -> tuple[str, Any, Any]:
    """The same for settings that a checkpoint recorded."""
    agent_words = [word for word in overrides if word.lstrip("+").startswith("agent.")]
    if agent is None and agent_words:
        raise UserError(f"setting {agent_words[0]!r} is the agent's, and no agent takes part here: leave it out")
    try:
        find_task(settings.task)
    except UserError as error:
        hint = f"the checkpoint was trained on it: name what registers it, --task path/to/file.py:{settings.task}"
        raise UserError(f"{error}; {hint}") from error
    cfg = rebuild(settings, [word for word in overrides if word not in agent_words])
    check_env(cfg)
    agent_cfg = load_cfg(settings.task, agent=agent, overrides=agent_words)[1] if agent else None
    return settings.task, cfg, agent_cfg


def default_presets(overrides: Sequence[str], has_camera: bool) -> list[str]:
    """Presets that the environment variables of a Jupyter kernel ask for, unless the user chose some."""
    chosen = {str(word).partition("=")[0] for word in overrides}
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
    if num_envs is not None:
        check_num_envs(num_envs)
    recorded = isinstance(task_or_cfg, EnvSettings)
    task, cfg, agent_cfg = (_load_recorded if recorded else _load)(task_or_cfg, agent, overrides)
    word = next((word for word in overrides if word.startswith("env.scene.num_envs=")), None)
    if word is not None and num_envs is not None and num_envs != cfg.scene.num_envs:
        raise UserError(f"num_envs is {num_envs}, and {word} says otherwise: give one of them")
    if num_envs is None and word is None and (recorded or isinstance(task_or_cfg, str)):
        num_envs = min(cfg.scene.num_envs, NUM_ENVS[device.partition(":")[0]])
    cfg.sim.device = device
    isaac_sim.check_launch(cfg, {"headless": True, "device": device})
    cfg.seed = seed
    if num_envs is not None:
        cfg.scene.num_envs = num_envs
    check_num_envs(cfg.scene.num_envs)
    return task, cfg, agent_cfg


def make_env(
    task_or_cfg: str | ManagerBasedRLEnvCfg | type[ManagerBasedRLEnvCfg] | EnvSettings = DEFAULT_TASK,
    *,
    num_envs: int | None = None,
    device: str | None = None,
    seed: int = 42,
    overrides: Sequence[str] = (),
    render_mode: str | None = None,
    quiet: bool = True,
) -> gym.Env:
    """Make the live environment, closing the one before.

    Args:
        task_or_cfg: Registered id, id of an installed package, ``module:id``, ``path/to/file.py:id``, a config (class
            or object) of your own, which is copied, not changed, or the settings that a checkpoint recorded.
        num_envs: Number of environments; by default 1024 on a CPU and 4096 on a GPU, or what your config says.
        device: ``"cpu"`` or ``"cuda:<index>"``; by default the GPU if there is one.
        seed: Seed of everything random in the environment.
        overrides: As for :func:`load_cfg`.
        render_mode: Handed to :func:`gymnasium.make`.
        quiet: Hold back Isaac Lab's start-up report; it is shown in full if something fails.

    Returns:
        The environment in Gymnasium's wrappers; ``env.unwrapped`` is Isaac Lab's.

    Raises:
        UserError: Something asked for isn't there.
    """
    shortcuts.gpu(device)
    with shortcuts.imports(), quietly() if quiet else nullcontext():
        task, cfg, _ = configure(task_or_cfg, num_envs=num_envs, device=device, seed=seed, overrides=overrides)
        return open_env(task, cfg, render_mode=render_mode)


def open_env(
    task: str,
    cfg: ManagerBasedRLEnvCfg,
    *,
    render_mode: str | None = None,
    launcher_args: dict[str, Any] | None = None,
) -> gym.Env:
    """Launch what ``cfg`` needs and make its environment, closing the one before.

    Args:
        task: Registered id that names the class of the environment.
        cfg: Config as :func:`configure` returns it. It is used as it is.
        render_mode: Handed to :func:`gymnasium.make`.
        launcher_args: Further arguments of Isaac Lab's launcher.

    Raises:
        UserError: Files that the scene needs cannot be reached.
    """
    global _env
    import gymnasium as gym
    from isaaclab.app import launch_simulation
    from isaaclab.utils.string import string_to_callable

    import cartpole_lab.physics as physics
    import cartpole_lab.tasks  # noqa: F401
    from cartpole_lab.session import kernel_cache
    from cartpole_lab.session.remote_assets import check_assets

    launch = {"headless": True, **(launcher_args or {}), "device": cfg.sim.device}
    if cfg.sim.device == "cpu":  # Isaac Lab would give each of several processes a GPU
        launch.pop("distributed", None)
    physics.check_available(cfg.sim.physics)
    in_kit = isaac_sim.check_launch(cfg, launch)
    check_assets(cfg)
    close_env()
    newton, on_cpu = type(cfg.sim.physics).__name__ == "NewtonCfg", cfg.sim.device == "cpu"
    # Kit for Isaac Sim, nothing for Newton: Isaac Lab decides, as in its own scripts.
    if in_kit and "omni.kit.app" not in sys.modules:
        announce("starting Isaac Sim; the first time this takes minutes")
    with isaac_sim.starting() if in_kit else nullcontext():
        _simulation.enter_context(launch_simulation(cfg, launch))
    _simulation.enter_context(shortcuts.torch_threads(when=on_cpu and not has_camera(cfg)))
    with shortcuts.imports():
        kernel_cache.ready(announce)
    with shortcuts.imports(), shortcuts.compiling(cfg.sim.device, announce) if newton else nullcontext() as ahead:
        shortcuts.simulator_imports(newton)
        if newton and on_cpu:
            _simulation.enter_context(shortcuts.launches())
        _env = gym.make(task, cfg=cfg, render_mode=render_mode)
        sim = _env.unwrapped.sim
        if newton and isinstance(sim.physics_manager, str):  # a name that Isaac Lab looks up six times a step
            sim.physics_manager = string_to_callable(str(sim.physics_manager))
        if ahead is not None:
            ahead.add_step(sim.physics_manager)
    # Isaac Lab 3.0 fills the joints' velocity limits when it first writes to the simulation. Until then they are zero,
    # and the very first reset would draw every start velocity as zero.
    _env.unwrapped.scene.write_data_to_sim()
    if newton and not on_cpu:
        shortcuts.step(_env, announce)
    return _env


def has_camera(cfg: ManagerBasedRLEnvCfg) -> bool:
    """Whether pictures are drawn and, most likely, learned from."""
    return any(hasattr(value, "renderer_cfg") for value in vars(cfg.scene).values())


def close_env() -> None:
    """Close the live environment, if there is one, however it was made."""
    global _env
    env, _env = _env, None
    if env is not None:
        env.close()
    if "isaaclab.sim" in sys.modules:
        from isaaclab.sim import SimulationContext

        # An environment made without make_env, or one whose making failed half-way, still holds the simulation.
        if SimulationContext.instance() is not None:
            SimulationContext.clear_instance()
    if "omni.kit.app" not in sys.modules:  # Kit ends the process when it closes, so it stays
        _simulation.close()


class _FromTerminal:
    """What Isaac Lab asks when an environment is made beside a live one: its answer says what to do.

    Isaac Lab 3.0.0 reads ``builtins.ISAAC_LAUNCHED_FROM_TERMINAL`` there (``envs/manager_based_env.py``), which nothing
    sets where Isaac Sim does not run, so that all the user sees is an AttributeError of that name.
    """

    def __bool__(self) -> bool:
        raise UserError(
            "an environment is still open, and Isaac Lab keeps one simulation per process: close it first, with its "
            "close() or cartpole_lab.close_env(), or use cartpole_lab.make_env(), which does"
        )


if not hasattr(builtins, "ISAAC_LAUNCHED_FROM_TERMINAL"):
    vars(builtins)["ISAAC_LAUNCHED_FROM_TERMINAL"] = _FromTerminal()


@atexit.register
def _close_at_exit() -> None:
    """Leave nothing to Python's last moments, when modules are half gone; Kit closes by itself."""
    if "omni.kit.app" not in sys.modules:
        close_env()
