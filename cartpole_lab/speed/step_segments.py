"""Isaac Lab's step of a manager-based environment, cut into pieces that can be recorded.

In order: *begin* (actions into the simulation), *between* (the same before every further physics step), *judge*
(terminations and rewards), *restart* (environments whose episode is over), *ongoing* (commands and interval events) and
*observe*. Each exists as Isaac Lab writes it, and in a form without anything that depends on a number only the device
knows. For *begin*, *between*, *judge* and *observe* both are the same. *restart* and *ongoing* work on environments by
their numbers; their recordable form has masks instead. It gives the same bits, except that random numbers are drawn for
all environments, so they are others than Isaac Lab's, and that means for the log are summed in another order.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import warp as wp
from isaaclab.actuators import ActuatorBase
from isaaclab.actuators.actuator_pd import DCMotor, IdealPDActuator, ImplicitActuator
from isaaclab.envs.mdp.actions.joint_actions import JointAction
from isaaclab.managers import ActionTerm, ManagerTermBase
from isaaclab.utils import index_fill_
from isaaclab_newton.physics import NewtonManager

from .masked_events import MaskedEvents, NotRecordable
from .tensor_trees import tree_clone, tree_copy

NAMES = ("begin", "between", "judge", "restart", "ongoing", "observe")
_STATELESS = (ImplicitActuator, IdealPDActuator, DCMotor)
_MASKED_ACTION_RESETS = (JointAction.reset, ActionTerm.reset, ManagerTermBase.reset)


class StepSegments:
    """The pieces of one environment's step."""

    def __init__(self, env: Any) -> None:
        self.env = env
        n, device = env.num_envs, env.device
        self.action = torch.zeros(n, env.action_manager.total_action_dim, device=device)
        self.mask = self.reset_buf = torch.zeros(n, dtype=torch.bool, device=device)
        self.mask_wp = wp.from_torch(self.mask)
        self.last_restart = torch.zeros(n, dtype=torch.int32, device=device)
        """Step of the environment at which each restarted last with a mask."""
        self.steps = torch.zeros(1, dtype=torch.int32, device=device)
        """Steps of the environment so far, for the recording."""
        self.events = MaskedEvents(env)
        self.watched = False
        """Whether masked events are looked at closely."""
        self.curriculum_done = False
        """Whether the curriculum of this step has been looked after."""
        self.log_names: list[str] = []
        self.log: torch.Tensor | None = None
        self.last_log: dict[str, Any] | None = None
        """A log that somebody else has handed out, to be kept until an environment restarts."""
        self.obs: Any = None

    @property
    def decimation(self) -> int:
        """Physics steps that Isaac Lab asks for one by one; those that the physics repeats by itself count as one."""
        return 1 if self.env._physics_handles_decimation else self.env.cfg.decimation

    @property
    def physics_dt(self) -> float:
        """Time from one look at the state to the next [s]."""
        return self.env.physics_dt * (self.env.cfg.decimation if self.env._physics_handles_decimation else 1)

    # -- the same in both forms -------------------------------------------------------------------------------------

    def begin(self) -> None:
        self.env.action_manager.process_action(self.action)
        self._apply()

    def between(self) -> None:
        self.env.scene.update(dt=self.physics_dt)
        self._apply()

    def _apply(self) -> None:
        self.env.action_manager.apply_action()
        self.env.scene.write_data_to_sim()

    def judge(self) -> None:
        env = self.env
        env.scene.update(dt=self.physics_dt)
        env.episode_length_buf += 1
        self.reset_buf.copy_(env.termination_manager.compute())
        env.reset_buf = self.reset_buf
        env.reset_terminated = env.termination_manager.terminated
        env.reset_time_outs = env.termination_manager.time_outs
        env.reward_buf = env.reward_manager.compute(dt=env.step_dt)

    def observe(self) -> None:
        obs = self.env.observation_manager.compute(update_history=True)
        if self.obs is None:
            self.obs = tree_clone(obs)
        else:
            tree_copy(self.obs, obs)
        self.env.obs_buf = self.obs
        self.env.observation_manager._obs_buffer = self.obs

    # -- as Isaac Lab writes it -------------------------------------------------------------------------------------

    def restart_by_index(self) -> torch.Tensor:
        """Isaac Lab's reset of the environments that are done, and of all if a viewer asked for it."""
        env = self.env
        ids = env.reset_buf.nonzero(as_tuple=False).squeeze(-1).int()
        if len(ids) > 0:
            if env.cfg.compute_final_obs:
                env.extras["final_obs"] = env.observation_manager.compute()
            env.recorder_manager.record_pre_reset(ids)
            with _nothing_twice(env.curriculum_manager, self.curriculum_done):
                env._reset_idx(ids)
            env.recorder_manager.record_post_reset(ids)
        return ids

    def ongoing_by_index(self) -> None:
        env = self.env
        env.command_manager.compute(dt=env.step_dt)
        if "interval" in env.event_manager.active_terms:
            env.event_manager.apply(mode="interval", dt=env.step_dt)

    # -- with masks -------------------------------------------------------------------------------------------------

    def why_not_masked(self) -> str | None:
        """What stands against a *restart* with masks, if anything does: the term and the reason."""
        env = self.env
        if env.cfg.compute_final_obs:
            return "compute_final_obs: observes before the reset, when there is one"
        if env.command_manager.active_terms:
            return f"command {env.command_manager.active_terms[0]}: resets by index"
        for name, cfg in self._events("reset"):
            if cfg.min_step_count_between_reset:
                return f"event {name}: min_step_count_between_reset"
        for manager, terms in self._class_terms():
            for name, cfg in terms:
                if type(cfg.func).reset is not ManagerTermBase.reset:
                    return f"{manager} {name}: {type(cfg.func).__name__}.reset works by index"
        return self._why_not_by_kind()

    def _why_not_by_kind(self) -> str | None:
        env = self.env
        observations = env.observation_manager
        for group, buffers in observations._group_obs_term_delay_buffer.items():
            if buffers:
                return f"observation {group}/{next(iter(buffers))}: its delay is reset by index"
        for group, buffers in observations._group_obs_term_history_buffer.items():
            if buffers:
                return f"observation {group}/{next(iter(buffers))}: its history is reset by index"
        if observations._group_obs_class_instances:
            return f"observation modifier {type(observations._group_obs_class_instances[0]).__name__}: reset by index"
        for name in env.action_manager.active_terms:
            term = env.action_manager.get_term(name)
            if type(term).reset not in _MASKED_ACTION_RESETS:
                return f"action {name}: {type(term).__name__}.reset works by index"
        for name, asset in env.scene.articulations.items():
            for group, actuator in asset.actuators._groups.items():
                native = not isinstance(actuator, ActuatorBase)
                adapter = NewtonManager._adapter
                if (native and adapter and adapter.is_stateful) or not (native or type(actuator) in _STATELESS):
                    return f"actuator {group} of {name}: its state is reset by index"
        for kind in ("cable_objects", "deformable_objects", "surface_grippers", "rigid_object_collections"):
            if getattr(env.scene, f"_{kind}", None):
                return f"scene: {kind} are reset by index"
        return None

    def _events(self, mode: str) -> list[tuple[str, Any]]:
        manager = self.env.event_manager
        names, cfgs = manager._mode_term_names.get(mode, ()), manager._mode_term_cfgs.get(mode, ())
        return list(zip(names, cfgs, strict=True))

    def _class_terms(self) -> list[tuple[str, list[tuple[str, Any]]]]:
        env = self.env

        def pairs(names: list[str], cfgs: list[Any]) -> list[tuple[str, Any]]:
            return [(n, c) for n, c in zip(names, cfgs, strict=True) if isinstance(c.func, ManagerTermBase)]

        events, observations = env.event_manager, env.observation_manager
        found = [
            ("reward", pairs(env.reward_manager._term_names, env.reward_manager._term_cfgs)),
            ("termination", pairs(env.termination_manager._term_names, env.termination_manager._term_cfgs)),
        ]
        for mode, cfgs in events._mode_term_cfgs.items():
            found.append(("event", pairs(events._mode_term_names[mode], cfgs)))
        for group, cfgs in observations._group_obs_term_cfgs.items():
            found.append((f"observation {group}", pairs(observations._group_obs_term_names[group], cfgs)))
        return found

    def restart(self) -> None:
        """``_reset_idx`` for the environments of the mask, in Isaac Lab's order."""
        env, mask = self.env, self.mask
        for asset in (*env.scene.articulations.values(), *env.scene.rigid_objects.values()):
            asset.instantaneous_wrench_composer.reset(env_mask=self.mask_wp)
            asset.permanent_wrench_composer.reset(env_mask=self.mask_wp)
        self._reset_events()
        env.action_manager.reset(mask)
        new = self._reset_rewards()
        events = env.event_manager
        for index, cfg in enumerate(events._mode_term_cfgs.get("interval", ())):
            if not cfg.is_global_time and cfg.resample_interval_on_reset:
                self._draw_interval(index, cfg, mask)
        terminations = env.termination_manager
        stats = terminations._last_episode_dones.float().mean(dim=0)
        new.update({f"Episode_Termination/{name}": stats[i] for i, name in enumerate(terminations._term_names)})
        index_fill_(env.episode_length_buf, mask, 0)
        values = torch.stack(list(new.values()))
        if self.log is None or self.log_names != list(new):
            self.log_names, self.log = list(new), values.clone()
        torch.where(mask.any(), values, self.log, out=self.log)

    def take_log(self, log: dict[str, Any]) -> None:
        """Start from the numbers of another log with the same names."""
        names = self.log_names or [name for name in log if not name.startswith("Curriculum/")]
        if all(name in log for name in names):
            device = self.env.device  # an observer may have given a number another shape
            values = [torch.as_tensor(log[name], device=device, dtype=torch.float32).reshape(()) for name in names]
            if self.log is None:
                self.log_names, self.log = names, torch.stack(values)
            else:
                self.log.copy_(torch.stack(values))

    def _reset_events(self) -> None:
        torch.where(self.mask, self.steps, self.last_restart, out=self.last_restart)
        self.events.begin()
        for name, cfg in self._events("reset"):
            self._call(f"event {name}", cfg, self.mask)

    def hand_over(self) -> None:
        """Write down for Isaac Lab when its events were last called: it asks if they are to keep a distance."""
        events = self.env.event_manager
        for last, once in zip(
            getattr(events, "_reset_term_last_triggered_step_id", ()),
            getattr(events, "_reset_term_last_triggered_once", ()),
            strict=True,
        ):
            torch.maximum(last, self.last_restart, out=last)
            once |= self.last_restart > 0

    def _call(self, name: str, cfg: Any, mask: torch.Tensor, wide: bool = False) -> None:
        try:
            self.events.call(cfg, mask, watched=self.watched, wide=wide)
        except NotRecordable as error:
            raise NotRecordable(f"{name}: {error}") from error

    def _reset_rewards(self) -> dict[str, torch.Tensor]:
        rewards, mask = self.env.reward_manager, self.mask.unsqueeze(1)
        count = self.mask.sum().clamp(min=1)
        sums = torch.where(mask, rewards._episode_sum_buf, 0.0).sum(dim=0) / count / self.env.max_episode_length_s
        rewards._episode_sum_buf.masked_fill_(mask, 0.0)
        return {f"Episode_Reward/{name}": sums[i] for i, name in enumerate(rewards._term_names)}

    @property
    def has_interval_events(self) -> bool:
        """Whether *ongoing* does anything with masks."""
        return bool(self._events("interval"))

    def why_not_ongoing(self) -> str | None:
        """What stands against *ongoing* with masks."""
        env = self.env
        if env.command_manager.active_terms:
            return f"command {env.command_manager.active_terms[0]}: resamples by index"
        for name, cfg in self._events("interval"):
            if cfg.is_global_time:
                return f"event {name}: is_global_time is decided in Python"
        return None

    def ongoing(self) -> None:
        events = self.env.event_manager
        for index, (name, cfg) in enumerate(self._events("interval")):
            left = events._interval_term_time_left[index]
            left -= self.env.step_dt
            due = left < 1e-6
            self.events.begin()
            self._draw_interval(index, cfg, due)
            self._call(f"event {name}", cfg, due, wide=True)

    def _draw_interval(self, index: int, cfg: Any, mask: torch.Tensor) -> None:
        lower, upper = cfg.interval_range_s
        left = self.env.event_manager._interval_term_time_left[index]
        torch.where(mask, torch.rand_like(left) * (upper - lower) + lower, left, out=left)

    # -- physics ----------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Bring the bodies of worlds that were reset up to date: masks on the device decide which."""
        NewtonManager.kinematics_dirty = True
        self.env.sim.physics_manager.forward()


@contextlib.contextmanager
def _nothing_twice(manager: Any, done: bool) -> Iterator[None]:
    """Keep the curriculum from being computed in the block if that is done."""
    if done:
        vars(manager)["compute"] = lambda env_ids=None: None
    try:
        yield
    finally:
        vars(manager).pop("compute", None)
