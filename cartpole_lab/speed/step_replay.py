"""Newton's step, recorded once and replayed on every core: the same launches without issuing them from Python.

Isaac Lab records its Newton step as a CUDA graph and leaves a CPU to issue some hundred kernel launches a physics step
from Python, one thread at a time. On a CPU that costs more than the arithmetic. Warp can record launches on a CPU too;
this manager does so, in the manner of the CUDA graph: the first step after a build runs eagerly, then the launches are
recorded (recording does not advance the simulation), and every later step replays them. With many worlds the recording
is cut into one run of worlds per core (:mod:`.world_slices`).

A recording holds addresses and numbers, not Python code. Values that live in arrays (joint state, masses, gravity,
gains, joint limits) are read afresh by every replay. What is baked in, such as the time step, the number of substeps, a
branch taken in Python or the address of an array, is compared before a replay; when it differs the step runs eagerly
and is recorded again.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import warp as wp
from isaaclab.physics import PhysicsManager
from isaaclab.utils import replace
from isaaclab_newton.physics import NewtonMJWarpManager

if TYPE_CHECKING:
    from isaaclab_newton.physics import MJWarpSolverCfg
    from newton import Model
    from newton.solvers import SolverMuJoCo
    from warp._src.context import Module

from cartpole_lab.speed.startup import forward_kernels, paused_collector
from cartpole_lab.speed.switch import on
from cartpole_lab.speed.unread_kernels import forget_trees

from .idle_solver import IdleSolverMuJoCo
from .kernel_compilation import modules_of
from .launch_recorder import ModuleCopies, record
from .physics_snapshot import differences, restore, snapshot
from .replay_threads import ReplayPool
from .step_fingerprint import deep_fingerprint, step_fingerprint
from .world_slices import Worlds, shares, slice_worlds, threads_for, why_not_sliceable

logger = logging.getLogger(__name__)


class NewtonReplayManager(NewtonMJWarpManager):
    """MuJoCo-Warp physics whose step is recorded once on a CPU and replayed; on CUDA it is Isaac Lab's CUDA graph."""

    # class attributes because Isaac Lab's managers are classes, one simulation at a time
    _groups: list[list[wp.Graph]] | None = None
    _epilogue: wp.Graph | None = None
    _pool: ReplayPool | None = None
    _copies: ModuleCopies | None = None
    _recorded_step: tuple | None = None
    _recorded_deep: tuple | None = None
    _recheck: bool = False
    _refused: bool = False
    _unsliceable: str | None = None
    _slices_checked: bool = False
    _alone: bool = False
    _replays: bool = False

    @classmethod
    @contextlib.contextmanager
    def on_one_thread(cls) -> Iterator[None]:
        """Replay in the block on the calling thread alone: other processes have the other cores."""
        NewtonReplayManager._alone = True
        try:
            yield
        finally:
            NewtonReplayManager._alone = False

    @classmethod
    def _create_solver(cls, model: Model, solver_cfg: MJWarpSolverCfg) -> SolverMuJoCo:
        """Construct the solver; what has no effect stays off: unread sensors, constraint iterations without any."""
        NewtonReplayManager._replays = on("step_replay")
        if cls._replays and not cls._active_extended_state_attributes:
            solver_cfg = replace(solver_cfg, disable_sensors=True)
        with forward_kernels() if on("forward_kernels") else contextlib.nullcontext():
            solver = super()._create_solver(model, solver_cfg)
        if not solver.use_mujoco_cpu:
            IdleSolverMuJoCo.adopt(
                solver,
                skips_solver=on("idle_solver"),
                skips_contacts=on("unreachable_contacts"),
                skips_kernels=on("idle_kernels"),
                on_change=cls._look_again,
            )
        return solver

    @classmethod
    def kernel_modules(cls) -> list[Module]:
        """Modules of the kernels that a step will launch, without launching any."""
        steps = cls._solver._step  # counted in Python
        try:
            return modules_of(super()._simulate_physics_only)
        finally:
            cls._solver._step = steps

    @classmethod
    def _simulate_full(cls) -> None:
        cls._replay(super()._simulate_full, cls._decimation)

    @classmethod
    def _simulate_physics_only(cls) -> None:
        cls._replay(super()._simulate_physics_only, 1)

    @classmethod
    def _replay(cls, simulate: Callable[[], None], repeats: int) -> None:
        """Replay ``simulate`` if a valid recording of it exists; else run it, then record it."""
        if not cls._can_record():
            simulate()
            return
        if cls._groups is not None and cls._recording_is_valid(simulate):
            cls._run_recording()
        else:
            # a first step makes some tens of kernels
            with paused_collector(), forward_kernels() if on("forward_kernels") else contextlib.nullcontext():
                cls._run_and_record(simulate, repeats)
                forget_trees()

    @classmethod
    def _run_and_record(cls, simulate: Callable[[], None], repeats: int) -> None:
        """Run ``simulate`` and record it. The first slices of a simulation are compared with the whole."""
        cls._drop_recording()
        threads = cls._num_threads(simulate)
        check = threads > 1 and not cls._slices_checked
        before = snapshot(cls) if check else None
        simulate()
        if not cls._record(simulate, repeats, threads) or not check:
            return
        NewtonReplayManager._slices_checked = True
        expected = snapshot(cls)
        restore(before)
        cls._run_recording()
        if wrong := differences(expected):
            logger.warning("Worlds are stepped on one thread: slices of worlds differ from the whole in %s.", wrong)
            restore(expected)
            NewtonReplayManager._unsliceable = "slices differ from the whole"
            cls._record(simulate, repeats, 1)

    @classmethod
    def _run_recording(cls) -> None:
        if len(cls._groups) == 1 or cls._alone:
            for graphs in cls._groups:
                wp.capture_launch(graphs[0])
        else:
            cls._pool.replay(cls._groups)
        if cls._epilogue is not None:
            wp.capture_launch(cls._epilogue)

    @classmethod
    def _can_record(cls) -> bool:
        """Whether the step consists of launches only, on a CPU, with nothing decided in Python while it runs."""
        return (
            cls._replays
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
    def _num_threads(cls, simulate: Callable[[], None]) -> int:
        """How many threads share the worlds; 1 where something looks at all of them in the middle of a step."""
        if (
            not on("world_threads")
            or cls._report_contacts
            or (simulate.__name__ == "_simulate_full" and (cls._post_actuator_callbacks or cls._adapter is not None))
        ):
            return 1
        threads = threads_for(cls.backend.model.world_count)
        if threads > 1 and cls._unsliceable is None:
            NewtonReplayManager._unsliceable = why_not_sliceable(cls._solver, cls.backend.model) or ""
        return 1 if cls._unsliceable else max(1, threads)

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
    def _look_again(cls, other_kernels: bool = True) -> None:
        """The model has changed: see before the next replay whether that touches anything baked in."""
        NewtonReplayManager._recheck = True
        if other_kernels and PhysicsManager._device != "cpu":
            cls._invalidate_graph()  # Isaac Lab makes another CUDA graph in the next step

    @classmethod
    def _record(cls, simulate: Callable[[], None], repeats: int, threads: int) -> bool:
        """Record ``simulate`` without running it. A step that cannot be recorded stays eager, with a warning."""
        if cls._copies is None:
            NewtonReplayManager._copies = ModuleCopies()
        try:
            if threads == 1:
                groups, epilogue = [[record(simulate, cls._solver.mjw_data, 0, cls._copies)]], None
            else:
                groups, epilogue = cls._record_slices(repeats, threads), cls._record_epilogue()
        except Exception as error:  # Warp refuses some argument kinds; the eager step is always right
            logger.warning("The physics step cannot be recorded and runs launch by launch: %s", error)
            NewtonReplayManager._refused = True
            return False
        if threads > 1 and (cls._pool is None or cls._pool.threads < threads):
            cls._close_pool()
            NewtonReplayManager._pool = ReplayPool(threads)
        NewtonReplayManager._groups = groups
        NewtonReplayManager._epilogue = epilogue
        NewtonReplayManager._recorded_step = step_fingerprint(cls, simulate)
        NewtonReplayManager._recorded_deep = deep_fingerprint(cls)
        NewtonReplayManager._recheck = False
        return True

    @classmethod
    def _record_slices(cls, repeats: int, threads: int) -> list[list[wp.Graph]]:
        backend = cls.backend
        groups = []
        for worker, (first, last) in enumerate(shares(backend.model.world_count, threads)):
            part = slice_worlds(
                cls._solver, backend.model, backend.state_0, backend.control, cls._staged_body_f, first, last
            )

            def launches(part: Worlds = part) -> None:
                part.stage_body_forces()
                for _ in range(repeats * cls._num_substeps):
                    part.substep(cls._solver_dt)

            groups.append([record(launches, part.solver.mjw_data, worker, cls._copies)])
        return groups

    @classmethod
    def _record_epilogue(cls) -> wp.Graph | None:
        """What follows the last substep for all worlds at once."""
        if not (cls._post_step_callbacks or cls._newton_frame_transform_sensors or cls._newton_imu_sensors):
            return None

        def launches() -> None:
            for callback in cls._post_step_callbacks:
                callback()
            cls._update_sensors(None)

        return record(launches, cls._solver.mjw_data, 0, cls._copies)

    @classmethod
    def _drop_recording(cls) -> None:
        NewtonReplayManager._groups = None
        NewtonReplayManager._epilogue = None
        NewtonReplayManager._recorded_step = None
        NewtonReplayManager._recorded_deep = None

    @classmethod
    def _close_pool(cls) -> None:
        if cls._pool is not None:
            cls._pool.close()
            NewtonReplayManager._pool = None

    @classmethod
    def _invalidate_graph(cls) -> None:
        super()._invalidate_graph()
        cls._drop_recording()
        NewtonReplayManager._refused = False
        NewtonReplayManager._unsliceable = None
        NewtonReplayManager._slices_checked = False

    @classmethod
    def _solver_specific_clear(cls) -> None:
        super()._solver_specific_clear()
        cls._drop_recording()
        cls._close_pool()
