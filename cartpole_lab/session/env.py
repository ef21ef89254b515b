"""One live environment: made quietly, rebuilt safely in the same kernel.

Isaac Lab keeps one simulation per process. :func:`make_env` closes the one that an earlier cell left behind before it
makes the next, so a cell may be run twice.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from cartpole_lab import isaac_sim, shortcuts
from cartpole_lab.errors import UserError
from cartpole_lab.session.configs import configure, has_camera
from cartpole_lab.session.env_settings import EnvSettings
from cartpole_lab.session.held_output import announce, is_held, quietly
from cartpole_lab.session.task_lookup import DEFAULT_TASK

if TYPE_CHECKING:
    import gymnasium as gym
    from isaaclab.envs import ManagerBasedRLEnvCfg

_env: gym.Env | None = None
_simulation = contextlib.ExitStack()


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
        quiet: Hold back Isaac Lab's start-up report, which is shown in full if something fails, and which terms a CPU
            takes as they are written.

    Returns:
        The environment in Gymnasium's wrappers; ``env.unwrapped`` is Isaac Lab's.

    Raises:
        UserError: Something asked for isn't there.
    """
    shortcuts.gpu(device, overrides)
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
        with shortcuts.compiling(cfg.sim.device, announce) if newton else nullcontext() as compile_step:
            shortcuts.simulator_imports(newton)
            if newton and on_cpu:
                _simulation.enter_context(shortcuts.launches())
            _env = gym.make(task, cfg=cfg, render_mode=render_mode, disable_env_checker=True)  # it knows no tensors
            sim = _env.unwrapped.sim
            if newton and isinstance(sim.physics_manager, str):  # a name that Isaac Lab looks up six times a step
                sim.physics_manager = string_to_callable(str(sim.physics_manager))
            if compile_step is not None:
                compile_step(sim.physics_manager)
    # Isaac Lab 3.0 fills the joints' velocity limits when it first writes to the simulation. Until then they are zero,
    # and the very first reset would draw every start velocity as zero.
    _env.unwrapped.scene.write_data_to_sim()
    if newton:
        shortcuts.cpu_step(_env, None if is_held() else announce) if on_cpu else shortcuts.step(_env, announce)
    return _env


def close_env() -> None:
    """Close the live environment, if there is one, however it was made."""
    global _env
    env, _env = _env, None
    if env is not None:
        env.close()
    if "isaaclab.sim.simulation_context" in sys.modules:  # the package alone loads it late, and with it the engines
        from isaaclab.sim import SimulationContext

        # An environment made without make_env, or one whose making failed half-way, still holds the simulation.
        if SimulationContext.instance() is not None:
            SimulationContext.clear_instance()
    _forget_views()
    if "omni.kit.app" not in sys.modules:  # Kit ends the process when it closes, so it stays
        _simulation.close()


def _forget_views() -> None:
    """Let go of what Newton remembers: its views cache what they find, on the class, and with it every old model."""
    view = getattr(sys.modules.get("newton.selection"), "ArticulationView", None)
    for method in vars(view).values() if view is not None else ():
        if hasattr(method, "cache_clear"):
            method.cache_clear()


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
