"""Worlds without an active constraint need no constraint solver.

Nothing holds a cart-pole back but its own inertia until the cart reaches the end of its rail, and an episode ends
before that. MuJoCo-Warp runs its iterations all the same and arrives at the unconstrained acceleration up to rounding.
MuJoCo's C code takes the unconstrained acceleration as it is when there is no constraint (``mj_fwdConstraint`` in
``engine_forward.c``); so does this solver, world by world. As soon as a limit or a contact is active anywhere, the
iterations run, and their result counts in the worlds that have the constraint.
"""

from __future__ import annotations

from typing import Any

import mujoco_warp._src.solver as constraint_solver
import warp as wp
from newton.solvers import SolverMuJoCo


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
    """Newton's MuJoCo-Warp solver, less the constraint iterations while no world has an active constraint."""

    def _mujoco_warp_step(self) -> None:
        original = constraint_solver.solve
        constraint_solver.solve = _solve_where_needed  # mujoco_warp.step looks it up there
        try:
            super()._mujoco_warp_step()
        finally:
            constraint_solver.solve = original


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
