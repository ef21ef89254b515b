"""One step of a manager-based environment, piece by piece: what runs between the pieces, recorded or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import warp as wp
from isaaclab.physics import PhysicsManager
from isaaclab_newton.physics import NewtonManager

from .step_segments import StepSegments
from .tensor_trees import tree_clone, tree_copy


class StepRunner:
    """Runs the pieces of a step in their order, and what belongs between them.

    Args:
        env: The environment.
        graphs: Whether pieces may become CUDA graphs.
    """

    def __init__(self, env: Any, graphs: bool) -> None:
        self.env, self._graphs = env, graphs
        self.segments = StepSegments(env)
        self.refused: dict[str, str] = {}
        """Pieces that run as Isaac Lab runs them, and why."""
        self._log_given: Any = None

    def _run(self, action: torch.Tensor, run: Callable[[str], None]) -> tuple:
        """A step whose pieces are run by ``run(name)``."""
        env, segments = self.env, self.segments
        if env.obs_buf is not segments.obs:  # env.reset() has handed out its own
            if segments.obs is None:
                segments.obs = tree_clone(env.obs_buf)
            else:
                tree_copy(segments.obs, env.obs_buf)
            env.obs_buf = segments.obs
        if env.extras.get("log") is not self._log_given:
            segments.last_log = env.extras.get("log")
        if action.shape[-1] != segments.action.shape[-1]:
            raise ValueError(
                f"Invalid action shape, expected: {segments.action.shape[1]}, received: {action.shape[1]}."
            )
        segments.action.copy_(action)
        per_call = env.cfg.decimation // segments.decimation
        for number in range(segments.decimation):
            env._sim_step_counter += per_call
            run("between" if number else "begin")
            self._physics("between" if number else "begin")
        env.common_step_counter += 1
        segments.steps.fill_(env._sim_step_counter // env.cfg.decimation)
        if segments.last_log is not None:
            segments.take_log(segments.last_log)
            segments.last_log = None
        run("judge")
        segments.curriculum_done = False
        info = self._curriculum()
        run("restart")
        if "restart" not in self.refused:
            self._log(info)
        self._log_given = env.extras.get("log")
        if env.sim.consume_reset_request():
            self._reset_the_others()
        run("ongoing")
        for recorder in env.video_recorders:
            recorder.step()
        run("observe")
        return tree_clone(segments.obs), env.reward_buf, env.reset_terminated, env.reset_time_outs, env.extras

    def _physics(self, before: str) -> None:
        manager = NewtonManager
        direct = (
            before not in self.refused
            and self._graphs
            and manager._graph is not None
            and not manager._model_changes
            and not self.env.sim._visualizers
            and self.env.sim.is_playing()
            and (manager._is_all_graphable() or not (manager._adapter or manager._post_actuator_callbacks))
        )
        if not direct:
            self.env.sim.step(render=False)
            return
        wp.capture_launch(manager._graph)
        self.env.sim._physics_step_count += 1
        PhysicsManager._sim_time += self.segments.physics_dt
        manager._mark_transforms_changed()

    def _curriculum(self) -> dict[str, Any]:
        """Curriculum terms decide in Python, so the device is waited for where there are any."""
        env = self.env
        if "restart" in self.refused or not env.curriculum_manager.active_terms:
            return {}
        ids = env.reset_buf.nonzero(as_tuple=False).squeeze(-1).int()
        if len(ids) == 0:
            return {}
        env.curriculum_manager.compute(env_ids=ids)
        self.segments.curriculum_done = True
        return env.curriculum_manager.reset(ids)

    def _log(self, info: dict[str, Any]) -> None:
        """A log of its own for every step: whoever keeps it finds it unchanged later."""
        segments = self.segments
        kept = {k: v for k, v in self.env.extras.get("log", {}).items() if k.startswith("Curriculum/")}
        own = dict(zip(segments.log_names, segments.log.clone().unbind(), strict=True))
        self.env.extras["log"] = {**own, **kept, **info}

    def _reset_the_others(self) -> None:
        env = self.env
        others = (~env.reset_buf).nonzero(as_tuple=False).squeeze(-1).int()
        if len(others):
            env.reset_terminated[others.long()] = True
            env._reset_idx(others)

    def _ordinary_segment(self, name: str) -> None:
        {"restart": self.segments.restart_by_index, "ongoing": self.segments.ongoing_by_index}.get(
            name, getattr(self.segments, name)
        )()
