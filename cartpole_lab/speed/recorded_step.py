"""The whole step of a manager-based environment on a GPU: recorded once as CUDA graphs, replayed at every step.

A step of Isaac Lab costs some milliseconds of Python whatever the number of environments, which a GPU spends waiting.
Its terms are PyTorch code, and what PyTorch launches can be recorded; so the terms stay as they are written. A step
goes through four stages:

1. The first steps run as Isaac Lab runs them.
2. One step runs piece by piece (:mod:`.step_segments`) under observation. A piece that waits for the device, keeps
   state in Python, draws from a generator on the host or writes past the masks is undone, runs as Isaac Lab runs it,
   now and from now on, and is named in one line with the reason.
3. One step is recorded, each piece as a graph, and replayed. Physics keeps the graph that Isaac Lab has made of it.
4. All later steps are replayed. Before each, everything that the recording has baked in is compared
   (:mod:`.baked_values`). Where something differs, another recording that fits is taken, or the step goes back to 2.

The numbers are those of the ordinary step, to the last bit, but for random numbers of restarts with masks.
"""

from __future__ import annotations

import functools
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import torch
from isaaclab_newton.physics import NewtonManager

from .baked_values import CLOCKS, BakedValues
from .masked_events import NotRecordable
from .step_probe import Undo, aged, capturing, observed
from .step_runner import StepRunner
from .step_segments import NAMES

logger = logging.getLogger(__name__)

ORDINARY_STEPS = 2
"""Steps before anything is recorded; Isaac Lab makes its own graph of the physics in the first of them."""
KEPT = 6
"""Recordings kept for settings that come back, such as the length of an episode around an evaluation."""
PATIENCE, HORIZON = 8, 200
"""With more changes than this in so many steps, recording does not pay: the next so many run as Isaac Lab runs them."""


class Recording:
    """One recorded step: a graph for each piece that has one, and what is baked into them."""

    def __init__(self, graphs: dict[str, Any], baked: BakedValues) -> None:
        self.graphs, self.baked = graphs, baked
        self.outputs = [(container, key, container[key]) for container, key, _ in baked.outputs]


class RecordedStep(StepRunner):
    """Takes the place of ``env.step``.

    Args:
        env: The environment; it has to be on Newton.
        say: Is told, once each, which piece runs as Isaac Lab runs it, and why.
        graphs: Whether pieces become CUDA graphs; without, they are called (for tests on a CPU).
    """

    def __init__(self, env: Any, say: Callable[[str], None] = logger.warning, graphs: bool = True) -> None:
        super().__init__(env, graphs)
        self.say, self.ordinary = say, env.step
        self.recordings: list[Recording] = []
        self.replays = self.recorded = self.probes = 0
        self._left = ORDINARY_STEPS
        self._probed: BakedValues | None = None
        self._tried: BakedValues | None = None
        self._changes: list[int] = []
        self._step = 0
        self._said: set[str] = set()

    def __call__(self, action: torch.Tensor) -> tuple:
        """``env.step(action)``."""
        self._step += 1
        if self._left > 0 or self.blocked() is not None:
            self._left -= 1
            return self.ordinary(action)
        recording = self._fitting()
        if recording is not None:
            return self._replay(recording, action)
        if self._probed is None or self._probed.changed() is not None:
            return self._probe(action) if self._changes_seldom() else self.ordinary(action)
        recording = self._record()
        return self._replay(recording, action) if recording else self.ordinary(action)

    def blocked(self) -> str | None:
        """Why the whole step has to be Isaac Lab's, if it has to be."""
        env = self.env
        if env.scene.sensors:
            return f"sensor {next(iter(env.scene.sensors))}: pictures and sensors are drawn between the pieces"
        if env.recorder_manager.active_terms:
            return f"recorder {env.recorder_manager.active_terms[0]}: looks between the pieces"
        if env.sim.visualizers or env.sim.is_rendering:
            return "a viewer draws every step"
        return None

    def _fitting(self) -> Recording | None:
        for position, recording in enumerate(self.recordings):
            if recording.baked.changed() is None:
                if position:
                    self.recordings.insert(0, self.recordings.pop(position))
                return recording
        return None

    def _changes_seldom(self) -> bool:
        self._changes = [step for step in self._changes if step > self._step - HORIZON] + [self._step]
        if len(self._changes) <= PATIENCE:
            return True
        what = self.recordings[0].baked.changed() if self.recordings else "something"
        self._tell(f"{what} changes too often to record the step: {HORIZON} steps run as Isaac Lab runs them")
        self._left, self._changes = HORIZON, []
        return False

    def _tell(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self.say(line)

    # -- stage 2: under observation -----------------------------------------------------------------------------------

    def _probe(self, action: torch.Tensor) -> tuple:
        """A step under observation; one of whose pieces cannot be recorded is undone and runs as Isaac Lab runs it."""
        self.probes += 1
        if self._tried is None or self._tried.changed() is not None:
            self.refused = {}
        self.segments.hand_over()
        for name, why in (("restart", self.segments.why_not_masked()), ("ongoing", self.segments.why_not_ongoing())):
            if why:
                self._refuse(name, why)
        undo = Undo(self.env)

        def run(name: str) -> None:
            if name in self.refused:
                self._ordinary_segment(name)
                return
            try:
                with observed(self.env, self.segments):
                    self._piece(name)
            except NotRecordable as error:
                self._refuse(name, str(error))
                raise

        try:
            result = self._run(action, run)
        except NotRecordable:
            undo()
            self._tried = BakedValues(self.env)
            return self.ordinary(action)
        self._probed = self._tried = BakedValues(self.env)
        return result

    def _refuse(self, name: str, why: str) -> None:
        self.refused[name] = why
        self._tell(f"this part of the step runs as Isaac Lab runs it, not recorded: {name}: {why}")

    def _piece(self, name: str) -> None:
        getattr(self.segments, name)()
        if name == "begin":
            self.segments.settle()
        elif name == "between" and NewtonManager.kinematics_dirty:
            raise NotRecordable("an action writes the state of a joint before a physics step")

    # -- stage 3 ------------------------------------------------------------------------------------------------------

    def _record(self) -> Recording | None:
        graphs, kept = {}, _clocks(self.env)
        idle = {"between"} if self.segments.decimation == 1 else set()
        idle |= set() if self.segments.has_interval_events else {"ongoing"}
        pieces = [n for n in NAMES if n not in self.refused and n not in idle]
        before, name = BakedValues(self.env), "its beginning"
        try:
            with capturing(self._graphs) as capture:
                for name in pieces:
                    aged(self.env)
                    graphs[name] = capture(lambda name=name: self._piece(name))
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            logger.debug("recording the step failed", exc_info=True)
            why = (str(error).splitlines() or [type(error).__name__])[0]  # CUDA's go on with advice for its developers
            self._tell(f"the step cannot be recorded and runs as Isaac Lab runs it: {name}: {why} ({last.name})")
            self._left = 1 << 60
            return None
        finally:
            for owner, key, value in kept:
                setattr(owner, key, value)
        if wrong := before.changed():
            self._tell(
                f"the step cannot be recorded and runs as Isaac Lab runs it: {wrong} changes while it is recorded"
            )
            self._left = 1 << 60
            return None
        self.recorded += 1
        recording = Recording(graphs, before)
        self.recordings.insert(0, recording)
        del self.recordings[KEPT:]
        return recording

    # -- stage 4 ------------------------------------------------------------------------------------------------------

    def _replay(self, recording: Recording, action: torch.Tensor) -> tuple:
        self.replays += 1
        graphs, broken = recording.graphs, False

        def run(name: str) -> None:
            nonlocal broken
            graph = graphs.get(name)
            if name == "restart" and self.segments.curriculum_done:  # which may have changed anything
                broken = broken or recording.baked.changed() is not None
            if graph is None and name not in self.refused:
                return  # nothing to do
            if graph is None:
                self._ordinary_segment(name)
                broken = broken or recording.baked.changed() is not None
            elif broken:
                self._piece(name)
            else:
                if not self._graphs:
                    assert recording.baked.changed() is None, recording.baked.changed()
                graph.replay()
                if name in ("between", "judge"):
                    self._tick()

        result = self._run(action, run)
        for container, key, value in recording.outputs:
            container[key] = value
        if "judge" in graphs:
            NewtonManager.kinematics_dirty = True  # masks decide
        return result

    def _tick(self) -> None:
        """Move on the clocks of lazily computed data: what is read between two steps is computed then."""
        for asset in _assets(self.env):
            data = asset.data
            data._sim_timestamp += self.segments.physics_dt
            data._body_state_dirty = True
            for name in ("_joint_acc", "_body_com_acc_w"):  # kept by every update, so the recording has done it
                if (buffer := getattr(data, name, None)) is not None:
                    buffer.timestamp = data._sim_timestamp


def _assets(env: Any) -> Iterator[Any]:
    yield from env.scene.articulations.values()
    yield from env.scene.rigid_objects.values()


def _clocks(env: Any) -> list[tuple[Any, str, Any]]:
    """Clocks of lazily computed data, as they are."""
    kept = []
    for asset in _assets(env):
        for owner in (asset.data, *(v for v in vars(asset.data).values() if hasattr(v, "timestamp"))):
            kept += [(owner, key, getattr(owner, key)) for key in CLOCKS if hasattr(owner, key)]
    return kept


def install(env: Any, say: Callable[[str], None] = logger.warning, graphs: bool = True) -> RecordedStep | None:
    """Let ``env`` replay its step where that can be done.

    Args:
        env: The environment, with or without Gymnasium's wrappers.
        say: Is told which pieces stay as Isaac Lab runs them.
        graphs: As for :class:`RecordedStep`.

    Returns:
        What took the place of ``env.step``, or None where the step stays Isaac Lab's.
    """
    from isaaclab.envs import ManagerBasedRLEnv

    raw = env.unwrapped
    own = type(raw)
    same = all(getattr(own, name) is getattr(ManagerBasedRLEnv, name) for name in ("step", "_reset_idx"))
    if not isinstance(raw, ManagerBasedRLEnv) or not same:
        return None
    step = RecordedStep(raw, say, graphs)
    if why := step.blocked():
        logger.info("the step stays Isaac Lab's: %s", why)
        return None
    raw.step, raw.close = step, functools.partial(_close, raw)
    return step


def remove(env: Any) -> None:
    """Give ``env`` its own step back, and let go of the recordings."""
    for name in ("step", "close"):
        vars(env.unwrapped).pop(name, None)


def _close(raw: Any) -> None:
    remove(raw)
    raw.close()
