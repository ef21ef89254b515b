"""The whole step on a CPU: Isaac Lab's own terms of a cart-pole as kernels, all others as they are written.

With few environments a step on a CPU is some hundred calls of PyTorch and Warp from Python, around a physics step that
is replayed (:mod:`.step_replay`). Here the same step is a handful of recordings (:mod:`.known_recording`) around its
physics steps, the managers' terms among them as kernels (:mod:`.known_terms`), and one of restarts. On one thread all
of a step becomes a single one, physics included, once nothing has changed for a while.

A piece with a term that is not known runs as Isaac Lab runs it, between the recordings of the others. A scene that is
not covered leaves the whole step to Isaac Lab. Everything baked in is compared before each step. Random numbers are
drawn as Isaac Lab draws them, so the step is Isaac Lab's to the last bit, restarts included.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import torch
import warp as wp
from isaaclab.physics import PhysicsManager
from isaaclab.utils import index_fill_
from isaaclab_newton.physics import NewtonManager

from .known_recording import Recording, only_robot
from .known_terms import NotKnown

logger = logging.getLogger(__name__)

PATIENCE, HORIZON = 8, 200
"""With more changes than this in so many steps, recording does not pay: the next so many run as Isaac Lab runs them."""
SETTLED = 2000
"""After so many steps without a change a recording of all as one pays, which takes as long as it saves in so many."""


class KnownStep:
    """Takes the place of ``env.step`` on a CPU.

    Args:
        env: The environment, on Newton's physics as this room replays it.
        say: Is told, once each, which piece runs as Isaac Lab runs it, and why.
    """

    def __init__(self, env: Any, say: Callable[[str], None]) -> None:
        self.env, self.say, self.ordinary = env, say, env.step
        self.manager = env.sim.physics_manager
        self.recording: Recording | None = None
        self.replays = self.recorded = self._settled = 0
        self._wait = 0
        self._step = 0
        self._changes: list[int] = []
        self._said: set[str] = set()

    @property
    def refused(self) -> dict[str, str]:
        """Pieces that run as Isaac Lab runs them, and why."""
        return self.recording.refused if self.recording else {}

    def __call__(self, action: torch.Tensor) -> tuple:
        """``env.step(action)``."""
        self._step += 1
        recording = self.recording
        if self._step <= self._wait or (recording is None and not self._covered()) or not self._runs_quietly():
            return self.ordinary(action)
        if recording is None or (why := recording.changed()) is not None:
            if recording is not None and not self._changes_seldom(why):
                return self.ordinary(action)
            recording = self._record()
        elif self.replays == self._settled:
            recording = self._record(as_one=True)
        if recording is None:
            return self.ordinary(action)
        self.replays += 1
        return self._replay(recording, action)

    def _covered(self) -> bool:
        """Whether the scene is one of those whose step can be replayed."""
        try:
            only_robot(self.env)
        except NotKnown as error:
            self._leave(error)
            return False
        return True

    def _leave(self, error: Exception) -> None:
        self._tell(f"the step runs as Isaac Lab runs it, not recorded: {str(error).splitlines()[0]}")
        self.recording, self._wait = None, self._step + HORIZON

    def _runs_quietly(self) -> bool:
        """Whether physics replays what it has recorded, and nobody looks at the step while it runs."""
        env, manager = self.env, self.manager
        return (
            manager._groups is not None
            and manager._can_record()
            and not manager._model_changes
            and not manager._recheck
            and not env.sim._visualizers
            and not env.recorder_manager.active_terms
            and not env.scene.sensors
            and not PhysicsManager._cfg.debug_mode
            and manager._recording_is_valid(manager._simulate_physics_only)
            and not env.sim.is_rendering
        )

    def _changes_seldom(self, what: str) -> bool:
        self._changes = [step for step in self._changes if step > self._step - HORIZON] + [self._step]
        if len(self._changes) <= PATIENCE:
            return True
        self._tell(f"{what} changes too often to record the step: {HORIZON} steps run as Isaac Lab runs them")
        self._wait, self._changes, self.recording = self._step + HORIZON, [], None
        return False

    def _tell(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self.say(line)

    def _record(self, as_one: bool = False) -> Recording | None:
        try:
            with torch.inference_mode(False), torch.no_grad():  # its tensors serve whatever mode comes later
                self.recording = recording = Recording(self.env, as_one)
        except Exception as error:  # what is not known, or Warp does not record; the ordinary step is always right
            logger.debug("recording the step failed", exc_info=True)
            self._leave(error)
            return None
        self.recorded += 1
        self._settled = -1 if as_one else self.replays + SETTLED
        for piece, why in recording.refused.items():
            self._tell(f"this part of the step runs as Isaac Lab runs it, not recorded: {piece}: {why}")
        return recording

    def _replay(self, recording: Recording, action: torch.Tensor) -> tuple:
        env = self.env
        if not recording.processes or action.shape != recording.action.shape:  # which Isaac Lab refuses
            env.action_manager.process_action(action.to(env.device))
            for term, processed in recording.acts:
                processed.copy_(term._processed_actions)
                term._processed_actions = processed
        else:
            recording.action.copy_(action.detach())
        self._run(recording)
        env.common_step_counter += 1
        self._judge(recording)
        if restarted := bool(recording.count[0]):
            self._restart(recording)
        if requested := env.sim.consume_reset_request():
            self._reset_the_others()
        if recording.ongoing:
            env.command_manager.compute(dt=recording.step_dt)
            if "interval" in env.event_manager.active_terms:
                env.event_manager.apply(mode="interval", dt=recording.step_dt)
        for recorder in env.video_recorders:
            recorder.step()
        if recording.observe is None:
            env.obs_buf = env.observation_manager.compute(update_history=True)
        else:
            again = requested or recording.ongoing or not recording.judges
            if again or (restarted and recording.chance is None):
                wp.capture_launch(recording.observe)
            env.obs_buf = {group: seen.clone() for group, seen in recording.seen.items()}
            env.observation_manager._obs_buffer = env.obs_buf
        return env.obs_buf, env.reward_buf, env.reset_terminated, env.reset_time_outs, env.extras

    def _run(self, recording: Recording) -> None:
        """Actions, ``env.sim.step(render=False)``, less what it asks at every step, ``scene.update`` and what ends."""
        manager, env = self.manager, self.env
        if manager.kinematics_dirty:
            wp.capture_launch(recording.forward)
            NewtonManager.kinematics_dirty = False
        wp.capture_launch(recording.begin)
        for graph in recording.rest:
            manager._run_recording()
            wp.capture_launch(graph)
        env._sim_step_counter += env.cfg.decimation
        env.sim._physics_step_count += env.cfg.decimation
        for _ in range(env.cfg.decimation):
            PhysicsManager._sim_time += recording.physics_dt
            manager._mark_transforms_changed()
            recording.tick()

    def _judge(self, recording: Recording) -> None:
        env = self.env
        ends, rewards = env.termination_manager, env.reward_manager
        if recording.judges:
            env.reset_buf = ends._truncated_buf | ends._terminated_buf
            env.reward_buf, each, dt = rewards._reward_buf, rewards._step_reward, recording.step_dt
            torch.sum(each, dim=1, out=env.reward_buf).mul_(dt)  # PyTorch's order, as the order is part of the bits
            rewards._episode_sum_buf.add_(each, alpha=dt)
        else:
            env.episode_length_buf += 1
            env.reset_buf = ends.compute()
            env.reward_buf = rewards.compute(dt=recording.step_dt)
            ids = env.reset_buf.nonzero(as_tuple=False).squeeze(-1)
            recording.over.copy_(env.reset_buf)
            recording.envs[: len(ids)] = ids
            recording.count[0] = len(ids)
        env.reset_terminated, env.reset_time_outs = ends.terminated, ends.time_outs

    def _restart(self, recording: Recording) -> None:
        """Environments whose episode is over start anew."""
        env = self.env
        count = int(recording.count[0])
        ids = recording.envs[:count].int()
        if env.cfg.compute_final_obs:
            env.extras["final_obs"] = env.observation_manager.compute()
        if recording.chance is None:
            env._reset_idx(ids)
            return
        log: dict[str, Any] = {}
        env.extras["log"] = log
        if recording.clears:
            means = torch.mean(env.reward_manager._episode_sum_buf[ids], dim=0) / env.max_episode_length_s
            log.update(zip(recording.reward_names, means.unbind(), strict=True))
        if draws := len(recording.chance) // env.num_envs:
            recording.chance[: draws * count].uniform_()  # the same stream as of one call a quantity
        recording.now[0] = env._sim_step_counter // env.cfg.decimation
        wp.capture_launch(recording.restart)
        if draws:
            recording.data._reset_pose(env_mask=recording.restarting)
        for manager in recording.resets:
            log.update(manager.reset(ids))
        if not recording.clears:
            index_fill_(env.episode_length_buf, ids, 0)

    def _reset_the_others(self) -> None:
        """A viewer asks for a restart of all."""
        env = self.env
        others = (~env.reset_buf).nonzero(as_tuple=False).squeeze(-1).int()
        if len(others):
            env.reset_terminated[others.long()] = True
            env._reset_idx(others)


def install(env: Any, say: Callable[[str], None] | None = None) -> KnownStep | None:
    """Let ``env`` replay the parts of its step whose terms are known.

    Args:
        env: The environment, with or without Gymnasium's wrappers.
        say: Is told which pieces stay as Isaac Lab runs them; by default the log is.

    Returns:
        What took the place of ``env.step``, or None where the step stays Isaac Lab's.
    """
    from isaaclab.envs import ManagerBasedRLEnv

    from .step_replay import NewtonReplayManager

    raw = env.unwrapped
    own = type(raw)
    same = isinstance(raw, ManagerBasedRLEnv) and all(
        getattr(own, name) is getattr(ManagerBasedRLEnv, name) for name in ("step", "_reset_idx")
    )
    manager = raw.sim.physics_manager
    if not same or not (isinstance(manager, type) and issubclass(manager, NewtonReplayManager)):
        return None
    if raw.scene.sensors:
        return None
    step = KnownStep(raw, say or logger.info)
    raw.step, raw.close = step, functools.partial(_close, raw)
    return step


def remove(env: Any) -> None:
    """Give ``env`` its own step back, and let go of the recordings."""
    for name in ("step", "close"):
        vars(env.unwrapped).pop(name, None)


def _close(raw: Any) -> None:
    remove(raw)
    raw.close()
