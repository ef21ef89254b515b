"""Newton's step, recorded once and replayed: the same launches without the cost of issuing them from Python.

Isaac Lab records its Newton step as a CUDA graph and leaves a CPU to issue some hundred kernel launches a
physics step from Python. On a CPU that costs more than the arithmetic. Warp can record launches on a CPU too;
this manager does so, in the manner of the CUDA graph: the first step after a build runs eagerly, then the
launches are recorded (recording does not advance the simulation), and every later step replays them.

A recording holds addresses and numbers, not Python code. Values that live in arrays (joint state, masses,
gravity, gains, joint limits) are read afresh by every replay. What is baked in, such as the time step, the
number of substeps, a branch taken in Python or the address of an array, is compared before a replay; when it
differs the step runs eagerly and is recorded again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import warp as wp
from isaaclab.physics import PhysicsManager
from isaaclab_newton.physics import NewtonManager, NewtonMJWarpManager

from .fingerprint import deep_fingerprint, step_fingerprint

logger = logging.getLogger(__name__)


class NewtonReplayManager(NewtonMJWarpManager):
    """MuJoCo-Warp physics whose step is recorded once on a CPU and replayed; on CUDA it is Isaac Lab's CUDA graph."""

    _recording: wp.Graph | None = None
    _recorded_step: tuple | None = None
    _recorded_deep: tuple | None = None
    _recheck: bool = False
    _refused: bool = False

    @classmethod
    def step(cls) -> None:
        """Advance the simulation by one call; model changes made since the last call take effect first."""
        if cls._model_changes:
            NewtonReplayManager._recheck = True
        super().step()

    @classmethod
    def _simulate_full(cls) -> None:
        cls._replay(super()._simulate_full)

    @classmethod
    def _simulate_physics_only(cls) -> None:
        cls._replay(super()._simulate_physics_only)

    @classmethod
    def _replay(cls, simulate: Callable[[], None]) -> None:
        """Replay ``simulate`` if a valid recording of it exists; else run it, then record it."""
        if not cls._can_record():
            simulate()
            return
        if cls._recording is not None and cls._recording_is_valid(simulate):
            wp.capture_launch(cls._recording)
            return
        cls._drop_recording()
        simulate()
        cls._record(simulate)

    @classmethod
    def _can_record(cls) -> bool:
        """Whether the step consists of launches only, on a CPU, with nothing decided in Python while it runs."""
        cfg = PhysicsManager._cfg
        solver_cfg = getattr(cfg, "solver_cfg", None)
        return (
            getattr(solver_cfg, "replay", False)
            and not cls._refused
            and PhysicsManager._device == "cpu"
            and not cls._needs_collision_pipeline
            and not cls._state_force_callbacks
            and not cls._solver.use_mujoco_cpu
            and cls._solver.update_data_interval == 1
            and not cls._solver.enable_sleeping
            and cls._deterministic_mode == wp.DeterministicMode.NOT_GUARANTEED
            and not (wp.config.verify_fp or wp.config.print_launches)
        )

    @classmethod
    def _recording_is_valid(cls, simulate: Callable[[], None]) -> bool:
        """Whether everything that the recording has baked in still holds."""
        if step_fingerprint(cls, simulate) != cls._recorded_step:
            return False
        if cls._recheck:
            NewtonReplayManager._recheck = False
            return deep_fingerprint(cls) == cls._recorded_deep
        return True

    @classmethod
    def _record(cls, simulate: Callable[[], None]) -> None:
        """Record ``simulate`` without running it. A step that cannot be recorded stays eager, with a warning."""
        try:
            with wp.ScopedCapture(device="cpu") as capture:
                simulate()
        except Exception as error:  # Warp refuses some argument kinds; the eager step is always right
            logger.warning("The physics step cannot be recorded and runs launch by launch: %s", error)
            NewtonReplayManager._refused = True
            return
        NewtonReplayManager._recording = capture.graph
        NewtonReplayManager._recorded_step = step_fingerprint(cls, simulate)
        NewtonReplayManager._recorded_deep = deep_fingerprint(cls)
        NewtonReplayManager._recheck = False

    @classmethod
    def _drop_recording(cls) -> None:
        NewtonReplayManager._recording = None
        NewtonReplayManager._recorded_step = None
        NewtonReplayManager._recorded_deep = None

    @classmethod
    def _invalidate_graph(cls) -> None:
        super()._invalidate_graph()
        cls._drop_recording()
        NewtonReplayManager._refused = False

    @classmethod
    def _solver_specific_clear(cls) -> None:
        super()._solver_specific_clear()
        cls._drop_recording()
        NewtonReplayManager._refused = False
