"""Set a live environment aside and bring it back: what lets training pause for an evaluation and never notice.

Everything that an environment refers to is walked through (config, managers, terms, assets, physics), and what can
change is copied: arrays and tensors (written back in place: recorded steps know their addresses), containers,
attributes, random generators. Terms are users' code, so for them also what plain Python hides elsewhere: attributes of
the class, closures, default arguments, and the module's variables that a function names.
"""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cartpole_lab.replaced import replaced
from cartpole_lab.session.object_graph import Snapshot

if TYPE_CHECKING:
    import gymnasium as gym

_PHYSX_PROPERTIES = (
    # how a robot's buffer is called, and the method that writes it to the simulation
    ("body_mass", "set_masses_index", "masses"),
    ("body_inertia", "set_inertias_index", "inertias"),
    ("joint_stiffness", "write_joint_stiffness_to_sim_index", "stiffness"),
    ("joint_damping", "write_joint_damping_to_sim_index", "damping"),
    ("joint_armature", "write_joint_armature_to_sim_index", "armature"),
    ("joint_friction_coeff", "write_joint_friction_coefficient_to_sim_index", "joint_friction_coeff"),
    ("joint_pos_limits", "write_joint_position_limit_to_sim_index", "limits"),
    ("joint_vel_limits", "write_joint_velocity_limit_to_sim_index", "limits"),
    ("joint_effort_limits", "write_joint_effort_limit_to_sim_index", "limits"),
)


@contextlib.contextmanager
def undisturbed(env: gym.Env) -> Iterator[None]:
    """Restore the environment and every random stream after the block.

    What records or schedules a training stands still in the block: recorders, videos and the curriculum.

    With Newton the physics itself is put back, so training goes on to the last bit as if nothing had been. PhysX keeps
    state of its own that can't be read: there joints and properties are written again, which is exact only to rounding.
    What Python cannot copy, such as a running generator function, is named in a warning.

    Args:
        env: A live environment.
    """
    raw = env.unwrapped
    streams = (torch.get_rng_state(), np.random.get_state(), random.getstate())
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    flags = (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic)
    saved = Snapshot()
    saved.walk(env)
    saved.walk(raw)
    manager = raw.sim.physics_manager
    on_newton = _on_newton(manager)
    if on_newton:
        saved.walk_class(manager)  # Isaac Lab's physics managers keep their state in class attributes
    for what in saved.cannot_copy:
        warnings.warn(f"an evaluation during training cannot put back {what}", RuntimeWarning, stacklevel=3)
    before = [] if on_newton else [_physx_state(robot) for robot in raw.scene.articulations.values()]
    gravity = None if on_newton or not hasattr(manager, "get_gravity") else manager.get_gravity()
    try:
        with _standing_still(raw):
            yield
    finally:
        robots = list(zip(raw.scene.articulations.values(), before, strict=False))
        changed = [_changed(robot, state) for robot, state in robots]  # the buffers say so until they are restored
        saved.restore()
        for (robot, state), names in zip(robots, changed, strict=True):
            _write_physx(robot, state, names)
        if gravity is not None and manager.get_gravity() != gravity:
            manager.set_gravity(gravity)
        if on_newton and saved.physics_changed:
            # a recorded step may have been recorded again meanwhile
            getattr(manager._solver, "on_change", lambda: None)()
        torch.set_rng_state(streams[0])
        np.random.set_state(streams[1])
        random.setstate(streams[2])
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = flags


@contextlib.contextmanager
def _standing_still(raw: Any) -> Iterator[None]:
    """Stop what follows the training rather than the episode: its curriculum, its recorders, its videos."""
    with (
        replaced(raw.curriculum_manager, compute=lambda env_ids=None: None),
        replaced(raw.recorder_manager, _term_names=[]),
        replaced(raw, video_recorders=[]),
    ):
        yield


def _on_newton(manager: Any) -> bool:
    return "newton" in getattr(manager, "__module__", "") or hasattr(manager, "get_state_0")


def _physx_state(robot: Any) -> dict[str, torch.Tensor]:
    """What can be read of a robot: its joints and its properties."""
    names = ("joint_pos", "joint_vel", *(name for name, _, _ in _PHYSX_PROPERTIES))
    found = {name: getattr(robot.data, name, None) for name in names}
    return {name: value.torch.clone() for name, value in found.items() if value is not None}


def _changed(robot: Any, state: dict[str, torch.Tensor]) -> set[str]:
    """Names of the properties that are not what they were."""
    return {name for name, value in state.items() if not torch.equal(getattr(robot.data, name).torch, value)}


def _write_physx(robot: Any, state: dict[str, torch.Tensor], changed: set[str]) -> None:
    """Write joints, and the properties that have changed, back into the simulation."""
    for name, method, argument in _PHYSX_PROPERTIES:
        if name in changed:
            getattr(robot, method)(**{argument: state[name]})
    robot.write_joint_position_to_sim_index(position=state["joint_pos"])
    robot.write_joint_velocity_to_sim_index(velocity=state["joint_vel"])
