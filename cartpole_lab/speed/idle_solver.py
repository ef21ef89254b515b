"""Worlds without an active constraint need no constraint solver.

Nothing holds a cart-pole back but its own inertia until the cart reaches the end of its rail, and an episode ends
before that. MuJoCo-Warp runs its iterations all the same and arrives at the unconstrained acceleration up to rounding.
MuJoCo's C code takes the unconstrained acceleration as it is when there is no constraint (``mj_fwdConstraint`` in
``engine_forward.c``); so does this solver, world by world. As soon as a limit or a contact is active anywhere, the
iterations run, and their result counts in the worlds that have the constraint.

Nor is there a contact to look for where no two shapes can meet (:mod:`.reachable_contacts`). That changes no number,
and the largest kernel of all is neither compiled nor launched. Some further kernels look in every world for what the
whole model does without, such as tendons or bodies that gravity spares; they are not launched either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mujoco_warp._src.solver as constraint_solver
import warp as wp
from mujoco_warp._src.derivative import _qderiv_tendon_damping
from mujoco_warp._src.forward import _next_activation
from mujoco_warp._src.passive import _gravity_force
from mujoco_warp._src.smooth import _geom_local_to_global
from mujoco_warp._src.types import DisableBit
from newton import ModelFlags
from newton.solvers import SolverMuJoCo

from .reachable_contacts import contacts_possible

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
    skips_kernels: bool
    """Whether kernels that can change nothing are left out."""
    idle_kernels: tuple[str, ...]
    """Keys of these kernels in the present model; part of what a recording has baked in too."""
    on_change: Callable[..., None]
    """Is told of every change of the model, and whether other kernels are launched from now on.

    Some changes come from the manager, some from Isaac Lab's assets.
    """

    @classmethod
    def adopt(
        cls,
        solver: SolverMuJoCo,
        *,
        skips_solver: bool,
        skips_contacts: bool,
        skips_kernels: bool,
        on_change: Callable[..., None],
    ) -> None:
        """Turn ``solver`` into one of this class; upstream names the class that it makes."""
        solver.__class__ = cls
        solver.skips_solver, solver.skips_contacts, solver.on_change = skips_solver, skips_contacts, on_change
        solver.contacts_possible = not skips_contacts or contacts_possible(solver)
        solver.skips_kernels = skips_kernels
        solver.idle_kernels = solver._find_idle_kernels()

    def notify_model_changed(self, flags: ModelFlags | int) -> None:
        """Take over a change of Newton's model, and look again which shapes can meet."""
        super().notify_model_changed(flags)
        before = self.contacts_possible, self.idle_kernels
        if self.skips_contacts and flags & _GEOMETRY:
            self.contacts_possible = contacts_possible(self)
        self.idle_kernels = self._find_idle_kernels()
        self.on_change(before != (self.contacts_possible, self.idle_kernels))

    def _find_idle_kernels(self) -> tuple[str, ...]:
        if not self.skips_kernels:
            return ()
        model, idle = self.mjw_model, []
        if not model.na:
            idle.append(_next_activation.key)
        if not model.ntendon:
            idle.append(_qderiv_tendon_damping.key)
        if not model.body_gravcomp.numpy().any():
            idle.append(_gravity_force.key)
        # Where shapes are matters to contacts, sensors, tendons around them, flexible bodies and fluids.
        if not (self.contacts_possible or model.nsensor or model.ntendon or model.nflex or model.has_fluid):
            idle.append(_geom_local_to_global.key)
        if not (model.dof_frictionloss.numpy().any() or model.tendon_frictionloss.numpy().any()):
            idle.append("_friction_dof")  # which has a switch
        return tuple(idle)

    def _mujoco_warp_step(self) -> None:
        options, solve, launch = self.mjw_model.opt, constraint_solver.solve, wp.launch
        flags, idle = options.disableflags, self.idle_kernels

        def launch_useful(kernel: wp.Kernel, *args: Any, **kwargs: Any) -> None:
            if kernel.key not in idle:
                launch(kernel, *args, **kwargs)

        if self.skips_solver:
            constraint_solver.solve = _solve_where_needed  # mujoco_warp.step looks it up there
        if not self.contacts_possible:
            options.disableflags |= DisableBit.CONTACT
        if "_friction_dof" in idle:
            options.disableflags |= DisableBit.FRICTIONLOSS
        if idle:
            wp.launch = launch_useful
        try:
            super()._mujoco_warp_step()
        finally:
            constraint_solver.solve, options.disableflags, wp.launch = solve, flags, launch


_solve = constraint_solver.solve


def _solve_where_needed(model: Any, data: Any) -> None:
    """``mujoco_warp.solve``, at a price only where a world has a constraint."""
    if data.njmax == 0 or model.nv == 0:
        _solve(model, data)
        return
    found = wp.zeros(1, dtype=int)
    wp.launch(_find_constraint, dim=data.nworld, inputs=[data.nefc], outputs=[found])
    if wp.get_device().is_cuda:
        wp.capture_if(found, on_true=_without_allocation(model, data))
    else:
        wp.capture_if(found, on_true=lambda: _solve(model, data))
    wp.launch(
        _take_unconstrained,
        dim=(data.nworld, model.nv),
        inputs=[data.nefc, data.qacc_smooth, data.qfrc_smooth],
        outputs=[data.qacc, data.efc.Ma, data.qfrc_constraint],
    )


def _without_allocation(model: Any, data: Any) -> Callable[[], None]:
    """The iterations, ready to stand in the body of a condition of a CUDA graph, where no memory can be allocated."""
    context, solving = constraint_solver._create_solver_context(model, data), wp.empty(1, dtype=int)

    def count(shape: Any, value: int, dtype: Any = int, **kwargs: Any) -> wp.array:
        solving.fill_(value)
        return solving

    def body() -> None:
        full, wp.full = wp.full, count  # the solver makes one array: the number of worlds that go on
        try:
            constraint_solver._solve(model, data, context)
        finally:
            wp.full = full

    return body
