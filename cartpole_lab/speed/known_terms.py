"""Isaac Lab's own terms of a cart-pole as kernels, which can stand in a recording on a CPU.

On a CPU a term costs some microseconds of PyTorch a call and no arithmetic worth mentioning. The terms that the lessons
start from are few, so each is written here once more, number by number as PyTorch computes it: the bits are the same.
What is not known here, such as a reader's own term, keeps its piece of the step in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import warp as wp
from isaaclab.envs import mdp
from isaaclab.managers import SceneEntityCfg

from . import known_kernels as kernels

MOST_JOINTS = 2
"""Joints over which a term sums. PyTorch's order of more than two is its own affair."""


class NotKnown(Exception):
    """A term has no kernel; the message names it and says why."""


class KnownTerms:
    """The terms of ``env`` for which there are kernels.

    Args:
        env: An environment with one articulation.
        robot: That articulation.
    """

    def __init__(self, env: Any, robot: Any) -> None:
        self.env, self.robot, self.data = env, robot, robot.data
        self.name = next(name for name, asset in env.scene.articulations.items() if asset is robot)
        self.over = torch.zeros(env.num_envs, dtype=torch.bool)
        """Whether an episode ended in this step."""
        self.envs = torch.zeros(env.num_envs, dtype=torch.int64)
        """Numbers of these environments, first ``count`` of them."""
        self.count, self.now = torch.zeros(2, 1, dtype=torch.int32)
        """How many there are, and at which step of the environment."""
        self.ended = [wp.from_torch(tensor) for tensor in (self.over, self.envs, self.count)]

    def joints(self, cfg: Any) -> list[int]:
        """Numbers of the joints that a term's ``asset_cfg`` names.

        Raises:
            NotKnown: It names another asset.
        """
        if type(cfg) is not SceneEntityCfg or cfg.name != self.name:
            raise NotKnown("it looks at something else than the robot's joints")
        ids = cfg.joint_ids
        if isinstance(ids, slice):
            return list(range(self.robot.num_joints)[ids])
        return [int(joint) for joint in ids]

    def process(self, given: torch.Tensor, processed: list[torch.Tensor]) -> Callable[[], None]:
        """What the action manager does with the actions ``given``.

        Raises:
            NotKnown: One of its terms does more than scale and shift.
        """
        manager, launches, first = self.env.action_manager, [], 0
        for (name, term), result in zip(manager._terms.items(), processed, strict=True):
            if term.cfg.clip is not None:
                raise NotKnown(f"action {name}: its clip has no kernel")
            numbers = [first, _number(term._scale), _number(term._offset)]
            tensors = (manager._prev_action, manager._action, term._raw_actions, result)
            launches.append((result.shape, [given, *numbers], tensors))
            first += term.action_dim

        def launch() -> None:
            for dim, inputs, outputs in launches:
                wp.launch(kernels.process, dim=dim, inputs=inputs, outputs=outputs, device="cpu")

        return launch

    def clear(self) -> None:
        """What managers forget of environments that restart."""
        actions, rewards = self.env.action_manager, self.env.reward_manager
        for term in actions._terms.values():
            before, action, sums = actions._prev_action, actions._action, rewards._episode_sum_buf
            outputs = [before, action, term._raw_actions, sums, self.env.episode_length_buf]
            wp.launch(kernels.clear, dim=1, inputs=self.ended[1:], outputs=outputs, device="cpu")

    def judge(self) -> Callable[[], None]:
        """Terminations and each term's reward.

        Raises:
            NotKnown: One of the terms has no kernel.
        """
        env, ends, rewards = self.env, self.env.termination_manager, self.env.reward_manager
        end_rows = [self._end(*pair) for pair in _named("termination", ends._term_names, ends._term_cfgs)]
        rows = [self._reward(*pair) for pair in _named("reward", rewards._term_names, rewards._term_cfgs)]
        if not end_rows or not rows:
            raise NotKnown("there is no termination, or no reward")
        kinds, outs, lows, highs, joints = zip(*end_rows, strict=True)
        reward_kinds, weights, targets, reward_joints = zip(*rows, strict=True)
        names = ("_truncated_buf", "_terminated_buf", "_term_dones", "_last_episode_dones")
        found = [getattr(ends, name) for name in names]
        position, velocity = self.data.joint_pos.warp, self.data.joint_vel.warp
        numbers = [wp.int64(env.max_episode_length), _array(kinds, int), _array(outs, wp.bool)]
        ending = [*numbers, _array(lows, float), _array(highs, float), _rows(joints), position]
        length = env.episode_length_buf
        paid = [_array(reward_kinds, int), _array(weights, float), _array(targets, float), _rows(reward_joints)]
        step_reward = rewards._step_reward

        def launch() -> None:
            n = env.num_envs
            self.ended[-1].zero_()
            wp.launch(kernels.end, dim=n, inputs=ending, outputs=[length, *found, *self.ended], device="cpu")
            seen = [*paid, position, velocity, found[1]]
            wp.launch(kernels.reward, dim=n, inputs=seen, outputs=[step_reward], device="cpu")

        return launch

    def _end(self, name: str, cfg: Any) -> tuple[int, bool, float, float, list[int]]:
        params = cfg.params
        try:
            if cfg.func is mdp.time_out and not params:
                return int(kernels.TIME_OUT), bool(cfg.time_out), 0.0, 0.0, []
            if cfg.func is mdp.joint_pos_out_of_manual_limit and set(params) == {"bounds", "asset_cfg"}:
                low, high = map(_number, params["bounds"])
                return int(kernels.OUT_OF_BOUNDS), bool(cfg.time_out), low, high, self.joints(params["asset_cfg"])
        except (NotKnown, TypeError, ValueError) as error:
            raise NotKnown(f"{name}: {error}") from error
        raise NotKnown(f"{name}: there is no kernel for {_called(cfg.func)}")

    def _reward(self, name: str, cfg: Any) -> tuple[int, float, float, list[int]]:
        params, target, joints = cfg.params, 0.0, []
        try:
            weight = _number(cfg.weight)
            if cfg.func in (mdp.is_alive, mdp.is_terminated) and not params:
                return int(kernels.ALIVE if cfg.func is mdp.is_alive else kernels.TERMINATED), weight, 0.0, []
            if cfg.func is mdp.joint_pos_target_l2 and set(params) == {"target", "asset_cfg"}:
                kind, target = int(kernels.POSITION_L2), _number(params["target"])
            elif cfg.func is mdp.joint_vel_l1 and set(params) == {"asset_cfg"}:
                kind = int(kernels.VELOCITY_L1)
            else:
                raise NotKnown(f"there is no kernel for {_called(cfg.func)}")
            joints = self.joints(params["asset_cfg"])
            if not 1 <= len(joints) <= MOST_JOINTS:
                raise NotKnown(f"it sums over {len(joints)} joints")
        except (NotKnown, TypeError, ValueError) as error:
            raise NotKnown(f"{name}: {error}") from error
        return kind, weight, target, joints

    def observe(self) -> tuple[Callable[[], None], dict[str, torch.Tensor]]:
        """Observations, and where each group is written, shape ``(num_envs, columns)``.

        Raises:
            NotKnown: One of the terms has no kernel.
        """
        manager, launches, seen = self.env.observation_manager, [], {}
        for group, cfgs in manager._group_obs_term_cfgs.items():
            names = [f"{group}/{name}" for name in manager._group_obs_term_names[group]]
            if not manager.group_obs_concatenate[group]:
                raise NotKnown(f"observation {group}: its terms are handed out one by one")
            columns = [
                column for pair in _named("observation", names, cfgs) for column in self._columns(group, *pair, manager)
            ]
            joints, is_velocity = zip(*columns, strict=True)
            data = self.data
            seen[group] = torch.zeros(self.env.num_envs, len(columns))
            inputs = [
                _array(joints, int),
                _array(is_velocity, wp.bool),
                data.joint_pos.warp,
                data.joint_vel.warp,
                data.default_joint_pos.warp,
                data.default_joint_vel.warp,
            ]
            launches.append((inputs, [seen[group]]))

        def launch() -> None:
            for inputs, outputs in launches:
                wp.launch(kernels.observe, dim=self.env.num_envs, inputs=inputs, outputs=outputs, device="cpu")

        return launch, seen

    def _columns(self, group: str, name: str, cfg: Any, manager: Any) -> list[tuple[int, bool]]:
        if cfg.func not in (mdp.joint_pos_rel, mdp.joint_vel_rel) or not set(cfg.params) <= {"asset_cfg"}:
            raise NotKnown(f"{name}: there is no kernel for {_called(cfg.func)}")
        short = name.rpartition("/")[2]
        for part in ("modifiers", "noise", "clip", "scale"):
            if getattr(cfg, part) is not None:
                raise NotKnown(f"{name}: its {part} has no kernel")
        if cfg.history_length or short in manager._group_obs_term_delay_buffer[group]:
            raise NotKnown(f"{name}: what it remembers has no kernel")
        if (group, short) in manager._term_output_specs:
            raise NotKnown(f"{name}: it writes where it is told")
        try:
            cfg_of_asset = cfg.params.get("asset_cfg")
            joints = self.joints(cfg_of_asset if cfg_of_asset is not None else SceneEntityCfg("robot"))
        except NotKnown as error:
            raise NotKnown(f"{name}: {error}") from error
        return [(joint, cfg.func is mdp.joint_vel_rel) for joint in joints]

    def restart(self) -> tuple[Callable[[], None], torch.Tensor]:
        """Reset events, and where the random numbers belong of which each needs two an environment.

        Raises:
            NotKnown: One of the events has no kernel.
        """
        events, data = self.env.event_manager, self.data
        names, cfgs = events._mode_term_names.get("reset", []), events._mode_term_cfgs.get("reset", [])
        if data.has_joint_ordering or data._joint_coord_map.required:
            raise NotKnown("joints are in another order than Newton's")
        rows = [self._event(*pair) for pair in _named("event", names, cfgs)]
        chance = torch.zeros(2 * len(rows) * self.env.num_envs)
        given = [*self.ended[1:], chance]
        shared = [data.default_joint_pos, data.default_joint_vel, data.soft_joint_pos_limits]
        inputs = [array.warp for array in shared] + [data.soft_joint_vel_limits.warp, self.now]
        outputs = [data._sim_bind_joint_pos, data._sim_bind_joint_vel, data._previous_joint_vel, data._joint_acc.data]
        marks = events._reset_term_last_triggered_step_id, events._reset_term_last_triggered_once

        def restart() -> None:
            for index, row in enumerate(rows):
                launch = [*given, index, *row, *inputs, marks[0][index], marks[1][index]]
                wp.launch(kernels.restart_joint, dim=1, inputs=launch, outputs=outputs, device="cpu")

        return restart, chance

    def _event(self, name: str, cfg: Any) -> tuple[int, float, float, float, float]:
        params = cfg.params
        known = (
            set(params) == {"asset_cfg", "position_range", "velocity_range"} and not cfg.min_step_count_between_reset
        )
        if cfg.func is not mdp.reset_joints_by_offset or not known:
            raise NotKnown(f"{name}: there is no kernel for {_called(cfg.func)}")
        try:
            low, high = map(_number, params["position_range"])
            slow, fast = map(_number, params["velocity_range"])
            joints = self.joints(params["asset_cfg"])
            if len(joints) != 1:
                raise NotKnown(f"it is for {len(joints)} joints")
        except (NotKnown, TypeError, ValueError) as error:
            raise NotKnown(f"{name}: {error}") from error
        return joints[0], high - low, low, fast - slow, slow


def _named(kind: str, names: list[str], cfgs: list[Any]) -> Iterator[tuple[str, Any]]:
    for name, cfg in zip(names, cfgs, strict=True):
        yield f"{kind} {name}", cfg


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise NotKnown(f"{value!r} is not a plain number")
    return float(value)


def _called(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _array(values: Any, dtype: Any) -> wp.array:
    return wp.array(list(values), dtype=dtype, device="cpu")


def _rows(rows: Any) -> wp.array:
    """Lists of numbers of several lengths as rows that end with -1."""
    width = max(1, *map(len, rows))
    padded = [[*row, *[-1] * (width - len(row))] for row in rows]
    return wp.array(padded, dtype=int, ndim=2, device="cpu")
