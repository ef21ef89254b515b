"""Worlds without an active constraint need no constraint solver.

Nothing holds a cart-pole back but its own inertia until the cart reaches the end of its rail, and an episode ends
before that. MuJoCo-Warp runs its iterations all the same and arrives at the unconstrained acceleration up to rounding.
MuJoCo's C code takes the unconstrained acceleration as it is when there is no constraint (``mj_fwdConstraint`` in
``engine_forward.c``); so does this solver, world by world. As soon as a limit or a contact is active anywhere, the
iterations run, and their result counts in the worlds that have the constraint.

Nor is there a contact to look for where no two shapes can meet (:mod:`.reach`). That changes no number, and the largest
kernel of all is neither compiled nor launched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mujoco_warp._src.solver as constraint_solver
import warp as wp
from mujoco_warp._src.types import DisableBit
from newton import ModelFlags
from newton.solvers import SolverMuJoCo

from .reach import contacts_possible

_GEOMETRY = ModelFlags.BODY_PROPERTIES | ModelFlags.JOINT_PROPERTIES | ModelFlags.SHAPE_PROPERTIES
"""Changes of a model that may bring shapes within reach of each other."""


@wp.kernel(enable_backward=False)
def _find_constraint(nefc: wp.array[int], found: wp.array[int]):
    if nefc[wp.tid()] > 0:
        found[0] = 1


@wp.kernel(enable_backward=False)
def _take_unconstrained(
    nefc: wp.array[int],
    qacc_smooth: wp.array2d[float],
    qfrc_smooth: wp.array2d[float],
    qacc: wp.array2d[float],
    inertial_force: wp.array2d[float],
    qfrc_constraint: wp.array2d[float],
):
    world, dof = wp.tid()
    if nefc[world] == 0:
        qacc[world, dof] = qacc_smooth[world, dof]
        inertial_force[world, dof] = qfrc_smooth[world, dof]
        qfrc_constraint[world, dof] = 0.0


class IdleSolverMuJoCo(SolverMuJoCo):
    """Newton's MuJoCo-Warp solver, less what has nothing to do in the present model and step."""

    skips_solver: bool
    """Whether constraint iterations are left out while no world has an active constraint."""
    skips_contacts: bool
    """Whether contacts are left out while no two shapes can meet."""
    contacts_possible: bool
    """Whether contacts are looked for. It is part of what a recording has baked in."""
    on_change: Callable[[], None]
    """Is told of every change of the model; some come from the manager, some from Isaac Lab's assets."""

    @classmethod
    def adopt(
        cls, solver: SolverMuJoCo, *, skips_solver: bool, skips_contacts: bool, on_change: Callable[[], None]
    ) -> None:
        """Turn ``solver`` into one of this class; upstream names the class that it makes."""
        solver.__class__ = cls
        solver.skips_solver, solver.skips_contacts, solver.on_change = skips_solver, skips_contacts, on_change
        solver.contacts_possible = not skips_contacts or contacts_possible(solver)

    def notify_model_changed(self, flags: ModelFlags | int) -> None:
        """Take over a change of Newton's model, and look again which shapes can meet."""
        super().notify_model_changed(flags)
        self.on_change()
        if self.skips_contacts and flags & _GEOMETRY:
            self.contacts_possible = contacts_possible(self)

    def _mujoco_warp_step(self) -> None:
        options, solve = self.mjw_model.opt, constraint_solver.solve
        flags = options.disableflags
        if self.skips_solver:
            constraint_solver.solve = _solve_where_needed  # mujoco_warp.step looks it up there
        if not self.contacts_possible:
            options.disableflags = flags | DisableBit.CONTACT
        try:
            super()._mujoco_warp_step()
        finally:
            constraint_solver.solve, options.disableflags = solve, flags


_solve = constraint_solver.solve


def _solve_where_needed(model: Any, data: Any) -> None:
    """``mujoco_warp.solve``, at a price only where a world has a constraint."""
    if data.njmax == 0 or model.nv == 0:
        _solve(model, data)
        return
    found = wp.zeros(1, dtype=int)
    wp.launch(_find_constraint, dim=data.nworld, inputs=[data.nefc], outputs=[found])
    wp.capture_if(found, on_true=lambda: _solve(model, data))
    wp.launch(
        _take_unconstrained,
        dim=(data.nworld, model.nv),
        inputs=[data.nefc, data.qacc_smooth, data.qfrc_smooth],
        outputs=[data.qacc, data.efc.Ma, data.qfrc_constraint],
    )
