"""Configuration classes of the physics presets. Importing them starts no simulator and no compiler."""

from __future__ import annotations

from isaaclab.utils import configclass
from isaaclab_newton.physics import MJWarpSolverCfg


@configclass
class ReplayMJWarpSolverCfg(MJWarpSolverCfg):
    """MuJoCo-Warp solver settings plus two switches of the recorded step; the physics is upstream's."""

    class_type: type | str = "cartpole_lab.physics.replay:NewtonReplayManager"

    replay: bool = True
    """Whether a CPU records the step once and replays it. ``False`` issues every launch from Python."""
