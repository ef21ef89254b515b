"""Set a live environment aside and bring it back: what lets training pause for an evaluation and never notice."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import warp as wp

if TYPE_CHECKING:
    import gymnasium as gym

_WALKED = ("isaaclab", "cartpole_lab", "newton.", "mujoco_warp")
_LEFT_OUT = ("Cfg", "Context", "Env", "View", "Model", "Recorder", "Visualizer")


@contextlib.contextmanager
def undisturbed(env: gym.Env) -> Iterator[None]:
    """Restore the environment and every random stream after the block.

    The buffers of the managers, the state of the robots and sensors and, with Newton, of the physics itself are copied
    before the block and written back in place after it, so training goes on to the last bit as if nothing had been.
    PhysX keeps state of its own that can't be read: there the joints are put back, which is exact only to rounding.

    Args:
        env: A live environment.
    """
    raw = env.unwrapped
    streams = (torch.get_rng_state(), np.random.get_state(), random.getstate())
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    saved = _Saved()
    saved.walk_env(raw)
    joints = {name: (a.data.joint_pos.torch.clone(), a.data.joint_vel.torch.clone()) for name, a in _robots(raw)}
    try:
        yield
    finally:
        if not _on_newton(raw):
            for name, robot in _robots(raw):
                robot.write_joint_position_to_sim_index(position=joints[name][0])
                robot.write_joint_velocity_to_sim_index(velocity=joints[name][1])
        saved.restore()
        torch.set_rng_state(streams[0])
        np.random.set_state(streams[1])
        random.setstate(streams[2])
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


def _robots(raw: Any) -> list[tuple[str, Any]]:
    return list(raw.scene.articulations.items())


def _on_newton(raw: Any) -> bool:
    return "newton" in raw.sim.physics_manager.__module__ or hasattr(raw.sim.physics_manager, "get_state_0")


class _Saved:
    """Copies of arrays, and the attributes of the objects that hold them."""

    def __init__(self) -> None:
        self.arrays: dict[int, tuple[Any, Any]] = {}
        self.attributes: list[tuple[Any, dict[str, Any]]] = []
        self.seen: set[int] = set()

    def walk_env(self, raw: Any) -> None:
        """Copy what an environment changes as it steps."""
        self._attributes_of(raw)
        for value in list(vars(raw).values()):
            self._walk(value, 0)
        if _on_newton(raw):
            from isaaclab_newton.physics import NewtonManager

            # The manager keeps its state in class attributes.
            flags = ("kinematics_dirty", "transforms_may_change_on_graph_replay")
            self.attributes.append((NewtonManager, {name: getattr(NewtonManager, name) for name in flags}))
            for holder in (
                NewtonManager._world_reset_mask,
                NewtonManager._fk_reset_mask,
                vars(NewtonManager.get_state_0()),
                vars(NewtonManager.get_control()),
                vars(getattr(NewtonManager._solver, "mjw_data", None) or NewtonManager.get_state_0()),
            ):
                self._walk(holder, 0)

    def _attributes_of(self, obj: Any) -> None:
        """Remember an object's plain numbers and which objects it refers to."""
        self.attributes.append((obj, dict(vars(obj))))

    def _walk(self, value: Any, depth: int) -> None:
        if id(value) in self.seen or depth > 8:
            return
        self.seen.add(id(value))
        if isinstance(value, torch.Tensor):
            self.arrays[id(value)] = (value, value.clone())
        elif isinstance(value, wp.array):
            if value.ptr and value.size:
                self.arrays[id(value)] = (value, wp.clone(value))
        elif isinstance(value, dict):
            for item in list(value.values()):
                self._walk(item, depth + 1)
        elif isinstance(value, list | tuple):
            for item in value:
                self._walk(item, depth + 1)
        elif _is_walked(value):
            self._attributes_of(value)
            for item in list(vars(value).values()):
                self._walk(item, depth + 1)

    def restore(self) -> None:
        """Write everything back in place: recorded physics steps hold on to the addresses."""
        for obj, attributes in self.attributes:
            for name, value in attributes.items():
                setattr(obj, name, value) if isinstance(obj, type) else vars(obj).__setitem__(name, value)
        for array, copy in self.arrays.values():
            if isinstance(array, torch.Tensor):
                array.copy_(copy)
            else:
                wp.copy(array, copy)


def _is_walked(value: Any) -> bool:
    """Whether to look inside: Isaac Lab's own stateful objects, not configs, views or the simulation itself."""
    kind = type(value)
    return (
        hasattr(value, "__dict__")
        and not isinstance(value, type)
        and kind.__module__.startswith(_WALKED)
        and not kind.__name__.endswith(_LEFT_OUT)
    )
