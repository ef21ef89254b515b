"""How worlds are dealt to threads, and a thread's run of them as a simulation of its own: views, without a copy.

Newton and MuJoCo-Warp lay worlds out one after the other, and worlds do not interact. A slice ``[first, last)`` of
every per-world array is therefore a complete simulation; stepping all slices is stepping the whole, bit for bit,
in any order and on any thread.

Which axis counts worlds is not guessed: MuJoCo-Warp declares the axes of its arrays, and Newton's joint and
articulation arrays follow their counts. Arrays that hold absolute Newton indices as values (``joint_q_start``,
``joint_child``, ``mjc_body_to_newton``) keep them, and what they point into stays whole.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
import os
from typing import Any

import numpy as np
import warp as wp

from cartpole_lab.session.surroundings import cores

MIN_WORLDS_PER_THREAD = 128
"""With fewer worlds, waking a thread costs about as much as it saves."""
HEAD_START_WORLDS = 32
"""Worlds that the calling thread steps while the others wake."""

_PER_JOINT = (
    "joint_type",
    "joint_parent",
    "joint_child",
    "joint_articulation",
    "joint_X_p",
    "joint_X_c",
    "joint_dof_dim",
)


def threads_for(worlds: int) -> int:
    """How many threads share the worlds: CARTPOLE_LAB_THREADS, else one a core that gets enough of them."""
    asked = os.environ.get("CARTPOLE_LAB_THREADS")
    return min(int(asked), worlds) if asked else min(cores(), max(1, worlds // MIN_WORLDS_PER_THREAD))


def shares(worlds: int, threads: int) -> list[tuple[int, int]]:
    """The run ``[first, last)`` of worlds that each thread gets: equal ones, the first with the head start on top."""
    start = min(HEAD_START_WORLDS, worlds - threads)
    bounds = [0, *(start + (worlds - start) * i // threads for i in range(1, threads + 1))]
    return list(itertools.pairwise(bounds))


@dataclasses.dataclass(frozen=True)
class Worlds:
    """Worlds ``first`` to ``last`` (exclusive) with everything that one solver step reads and writes."""

    solver: Any
    state: Any
    control: Any
    body_f: wp.array | None
    staged_body_f: wp.array | None

    def substep(self, dt: float) -> None:
        """Advance by one solver step of ``dt`` seconds, as the manager does for all worlds at once."""
        if self.staged_body_f is not None:
            wp.copy(self.body_f, self.staged_body_f)
        self.solver.step(self.state, self.state, self.control, None, dt)
        if self.body_f is not None:
            self.body_f.zero_()

    def stage_body_forces(self) -> None:
        """Keep the body forces that were written before the step, for every substep to apply."""
        if self.staged_body_f is not None:
            wp.copy(self.staged_body_f, self.body_f)


def why_not_sliceable(solver: Any, model: Any) -> str | None:
    """Reason why the worlds of ``model`` cannot be stepped slice by slice, or ``None`` when they can."""
    worlds = model.world_count
    if worlds < 2 or solver.mjw_data.nworld != worlds:
        return "there is one world only"
    if model.particle_count:
        return "particles are shared by all worlds"
    for name in ("joint", "body", "articulation"):
        owner = getattr(model, f"{name}_world").numpy()
        if len(owner) % worlds or not np.array_equal(owner, np.repeat(np.arange(worlds), len(owner) // worlds)):
            return f"not every world has the same number of {name} entries, one world after the other"
    if model.joint_dof_count % worlds or model.joint_coord_count % worlds:
        return "worlds differ in their degrees of freedom"
    ball = solver.mjc_actuator_to_newton_ball_jnt
    if ball is not None and np.any(ball.numpy() >= 0):
        return "ball-joint actuators index the whole state"
    if solver.mjw_data.naconmax % worlds or solver.mjw_data.naccdmax % worlds:
        return "contacts are not shared out evenly"
    return None


def slice_worlds(
    solver: Any, model: Any, state: Any, control: Any, staged: wp.array | None, first: int, last: int
) -> Worlds:
    """Return :class:`Worlds` that share the memory of ``solver``, ``model``, ``state`` and ``control``."""
    worlds = model.world_count
    part = copy.copy(solver)
    part.model = _slice_model(model, first, last)
    part.mjw_model = _slice_declared(solver.mjw_model, worlds, first, last)
    part.mjw_data = _slice_declared(solver.mjw_data, worlds, first, last)
    part.mjw_data.nworld = last - first
    part.mjc_body_to_newton = solver.mjc_body_to_newton[first:last]

    own_control = copy.copy(control)
    for name in ("joint_target_q", "joint_target_qd"):
        setattr(own_control, name, _part(getattr(control, name), worlds, first, last))
    if getattr(control, "mujoco", None) is not None and getattr(control.mujoco, "ctrl", None) is not None:
        own_control.mujoco = copy.copy(control.mujoco)
        own_control.mujoco.ctrl = _part(control.mujoco.ctrl, worlds, first, last)
    return Worlds(
        solver=part,
        state=state,
        control=own_control,
        body_f=_part(state.body_f, worlds, first, last),
        staged_body_f=_part(staged, worlds, first, last),
    )


def _part(array: wp.array | None, worlds: int, first: int, last: int) -> wp.array | None:
    """Rows of ``array`` that belong to worlds ``first`` to ``last``; its length is a multiple of ``worlds``."""
    if array is None:
        return None
    rows = array.shape[0] // worlds
    if array.size == 0:
        return wp.empty(((last - first) * rows, *array.shape[1:]), dtype=array.dtype, device=array.device)
    return array[first * rows : last * rows]


def _slice_model(model: Any, first: int, last: int) -> Any:
    """Newton model of the worlds alone: joints and articulations sliced, bodies whole, gravity sliced."""
    worlds = model.world_count
    joints, articulations = model.joint_count // worlds, model.articulation_count // worlds
    part = copy.copy(model)
    part.world_count = last - first
    for count in ("joint_count", "joint_dof_count", "joint_coord_count", "articulation_count"):
        setattr(part, count, getattr(model, count) // worlds * (last - first))
    for name in _PER_JOINT:
        setattr(part, name, _part(getattr(model, name), worlds, first, last))
    for name in ("joint_q_start", "joint_qd_start"):  # one entry more than there are joints
        setattr(part, name, getattr(model, name)[first * joints : last * joints + 1])
    # articulations name their joints, and joints are now counted from the first world of the slice
    for name, extra in (("articulation_start", 1), ("articulation_end", 0)):
        whole = getattr(model, name).numpy()
        own = whole[first * articulations : last * articulations + extra] - first * joints
        setattr(part, name, wp.array(own, dtype=wp.int32, device=model.device))
    part.body_world = wp.array(model.body_world.numpy() - first, dtype=wp.int32, device=model.device)
    part.gravity = model.gravity[first:last]
    return part


def _slice_declared(group: Any, worlds: int, first: int, last: int) -> Any:
    """Copy of a MuJoCo-Warp dataclass whose per-world arrays are views of worlds ``first`` to ``last``."""
    part = copy.copy(group)
    for field in dataclasses.fields(group):
        value = getattr(group, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            setattr(part, field.name, _slice_declared(value, worlds, first, last))
        elif field.name in ("naconmax", "naccdmax"):
            setattr(part, field.name, value // worlds * (last - first))
        elif isinstance(value, wp.array) and isinstance(field.type, wp.array):
            axis = field.type.shape[0]
            if axis in ("nworld", "naconmax") or (axis == "*" and value.shape[0] == worlds):
                setattr(part, field.name, _part(value, worlds, first, last))
            elif field.name in ("nacon", "ncollision"):  # counters of a whole simulation: each slice has its own
                setattr(part, field.name, wp.zeros_like(value))
    return part
