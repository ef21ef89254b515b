"""Configuration classes of the physics presets. Importing them starts no simulator and no compiler."""

from __future__ import annotations

from isaaclab.utils import configclass
from isaaclab_newton.physics import MJWarpSolverCfg


@configclass
class ReplayMJWarpSolverCfg(MJWarpSolverCfg):
    """MuJoCo-Warp solver settings plus switches that cost or save time; the physics is upstream's."""

    class_type: type | str = "cartpole_lab.speed.step_replay:NewtonReplayManager"

    replay: bool = True
    """Whether a CPU records the step once and replays it. ``False`` issues every launch from Python."""

    skip_idle_solver: bool = True
    """Whether a CPU leaves out the constraint iterations of a step in which no world has an active constraint.

    Their result is then the unconstrained acceleration up to rounding. ``False`` gives upstream's very bits.
    """

    skip_unreachable_contacts: bool = True
    """Whether a CPU looks for contacts only if two shapes can meet in some position of the joints.

    No number changes. Shapes are looked at when the solver is made and whenever it is told of a change, which Isaac
    Lab's methods do; whoever writes into MuJoCo-Warp's arrays by hand calls ``notify_model_changed`` or says ``False``.
    """

    skip_idle_kernels: bool = True
    """Whether a CPU leaves out kernels that look in every world for what no world has.

    They are those for activations, tendons, gravity compensation and friction of joints, and for the poses of shapes if
    nothing asks for these. No number of a state changes. The model is looked at as for ``skip_unreachable_contacts``.
    """

    num_threads: int | None = None
    """Threads that share the worlds of a recorded step. ``None``: one per core, while each has 128 worlds or more.

    The environment variable ``CARTPOLE_LAB_THREADS`` overrides it. The numbers do not depend on it.
    """
