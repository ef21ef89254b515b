"""Play fresh episodes in a live environment, and note what happens in each."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from cartpole_lab.errors import UserError
from cartpole_lab.replaced import replaced
from cartpole_lab.tasks.success import Criterion, StandingCfg, default_terms

if TYPE_CHECKING:
    import gymnasium as gym

SMALL = 64
"""Numbers in an observation up to which each is looked at: more is a picture."""


@dataclass(frozen=True)
class Round:
    """One episode in each of some environments.

    Attributes:
        returns: Undiscounted return, NaN where a number of the episode was none, shape ``(count,)``.
        timed_out: True where the episode lasted to its time limit, shape ``(count,)``.
        lengths: Steps that it lasted, shape ``(count,)``.
        settle_time_s: Seconds until the joint stays within its band, NaN where it never does, shape ``(count,)``; None
            where there is no such joint.
        paid: What each reward term paid, shape ``(count, terms)``.
        default_returns: Return under the task's own reward, shape ``(count,)``; None where the live reward is that one
            or where that one cannot be computed.
        complete: False if the round gave up early.
    """

    returns: torch.Tensor
    timed_out: torch.Tensor
    lengths: torch.Tensor
    settle_time_s: torch.Tensor | None
    paid: torch.Tensor
    default_returns: torch.Tensor | None
    complete: bool


@torch.no_grad()
def play_round(
    env: gym.Env,
    policy: Callable[[torch.Tensor], torch.Tensor],
    criterion: Criterion,
    count: int,
    seed: int,
    give_up_after: int | None,
) -> Round:
    """Play one episode in each of the first ``count`` environments.

    Args:
        env: A live environment; it is reset.
        policy: Deterministic policy.
        criterion: What the task says of success: its joint that stands, and its own reward.
        count: Number of episodes, at most that of the environments.
        seed: Seed of the start states.
        give_up_after: Stop as soon as more episodes than this have failed.
    """
    raw = env.unwrapped
    obs, _ = env.reset(seed=seed)
    tally, complete = _Tally(raw, count, criterion), True
    with also_paying(raw, criterion) as default_reward:
        for step in range(1, raw.max_episode_length + 1):
            action = policy(obs["policy"])
            tally.wrong |= tally.alive & ~_sound(obs["policy"], action)[:count]
            obs, reward, terminated, truncated, _ = env.step(action)
            tally.note(step, reward, terminated, truncated, default_reward)
            if give_up_after is not None and step % 8 == 0 and tally.failed() > give_up_after:
                complete = False
                break
            if step % 32 == 0 and not tally.alive.any():
                break
    return tally.close(complete, with_default=default_reward is not None)


class _Tally:
    """What happens in the first episode of each of the first environments; all tensors of shape ``(count,)``."""

    def __init__(self, raw: Any, count: int, criterion: Criterion) -> None:
        self.raw, self.count = raw, count
        self.alive = torch.ones(count, dtype=torch.bool, device=raw.device)
        self.timed_out, self.wrong = torch.zeros_like(self.alive), torch.zeros_like(self.alive)
        self.lengths = torch.zeros(count, dtype=torch.long, device=raw.device)
        self.last_outside = torch.zeros_like(self.lengths)  # the last step with the joint outside its band
        self.returns, self.by_default = torch.zeros(2, count, device=raw.device)
        self.paid = torch.zeros(count, len(raw.reward_manager.active_terms), device=raw.device)
        self.inside = inside_band(raw, criterion.success.standing if criterion.success else None)

    def note(
        self,
        step: int,
        reward: torch.Tensor,
        terminated: torch.Tensor,
        truncated: torch.Tensor,
        default_reward: Callable[[], torch.Tensor] | None,
    ) -> None:
        """Add what a step brought to the episodes that still run."""
        alive, terminated, truncated = self.alive, terminated[: self.count], truncated[: self.count]
        self.returns += torch.where(alive, reward[: self.count], 0.0)
        self.paid += torch.where(alive[:, None], self.raw.reward_manager._step_reward[: self.count], 0.0)
        if default_reward is not None:
            self.by_default += torch.where(alive, default_reward()[: self.count], 0.0)
        self.lengths += alive
        self.timed_out |= alive & truncated
        ended = terminated | truncated
        if self.inside is not None:
            # What ended has been reset by now: its joint belongs to the next episode.
            outside = alive & ~ended & ~self.inside()[: self.count]
            self.last_outside.masked_fill_(outside | (alive & terminated), step)  # by index a GPU would be waited for
        alive &= ~ended

    def failed(self) -> int:
        """How many episodes have ended before their time limit."""
        return int((~self.alive & ~self.timed_out).sum())

    def close(self, complete: bool, with_default: bool) -> Round:
        """The round, where an episode with a number that is none has failed."""
        if complete and not has_time_out(self.raw):
            self.timed_out |= self.alive  # nothing ends an episode that lasts
        self.wrong |= ~self.returns.isfinite()
        self.returns[self.wrong], self.by_default[self.wrong], self.timed_out[self.wrong] = math.nan, math.nan, False
        # the state of the last step is gone: the one before must stand
        settled = self.timed_out & (self.last_outside < self.lengths - 1)
        settle_time = torch.where(settled, self.last_outside * self.raw.step_dt, torch.nan)
        return Round(
            returns=self.returns.cpu(),
            timed_out=self.timed_out.cpu(),
            lengths=self.lengths.cpu(),
            settle_time_s=None if self.inside is None else settle_time.cpu(),
            paid=(self.paid * self.raw.step_dt).cpu(),
            default_returns=self.by_default.cpu() if with_default else None,
            complete=complete,
        )


def _sound(obs: Any, action: torch.Tensor) -> torch.Tensor:
    """Whether all that the policy saw and did are numbers, shape ``(num_envs,)``.

    Raises:
        UserError: What it gave is no action for each environment.
    """
    seen = obs if isinstance(obs, torch.Tensor) else action
    if not isinstance(action, torch.Tensor) or action.ndim == 0 or len(action) != len(seen):
        what = f"of shape {tuple(action.shape)}" if hasattr(action, "shape") else f"{action!r}"
        raise UserError(
            f"the policy gave a {type(action).__name__} {what[:80]}, expected a tensor with a row of actions for each "
            "environment"
        )
    total = action.reshape(len(action), -1).sum(1)
    if isinstance(obs, torch.Tensor) and obs.ndim == 2 and obs.shape[1] <= SMALL:
        total = total + obs.sum(1)
    return total.isfinite()


def has_time_out(raw: Any) -> bool:
    """Whether anything ends an episode without it being a failure."""
    manager = raw.termination_manager
    return any(manager.get_term_cfg(name).time_out for name in manager.active_terms)


def inside_band(raw: Any, standing: StandingCfg | None) -> Callable[[], torch.Tensor] | None:
    """A function that says where the joint that may stand is in its band, shape ``(num_envs,)``; None without one."""
    robot = standing and raw.scene.articulations.get(standing.asset)
    if standing is None or not robot or standing.joint not in robot.joint_names:
        return None
    index = robot.joint_names.index(standing.joint)
    # NaN is outside
    return lambda: (robot.data.joint_pos.torch[:, index] - standing.target).abs() <= standing.band


@contextlib.contextmanager
def also_paying(raw: Any, criterion: Criterion) -> Iterator[Callable[[], torch.Tensor] | None]:
    """Let an environment compute the task's own reward beside one that has been changed.

    A step resets what has ended before it returns, so the other reward must be computed where the first one is.

    Args:
        raw: Isaac Lab's environment.
        criterion: Says whether the reward has been changed.

    Yields:
        A function that gives the task's own reward of the last step, shape ``(num_envs,)``. None where it is paid
        anyway, or where the environment lacks what it looks at.
    """
    if not criterion.changed or criterion.success is None:
        yield None
        return
    from isaaclab.managers import RewardManager

    try:
        other = RewardManager(default_terms(criterion.success), raw)
    except Exception:  # another robot, which lacks the joints that the reward names
        yield None
        return
    compute = raw.reward_manager.compute

    def both(dt: float) -> torch.Tensor:
        other.compute(dt)
        return compute(dt)

    with replaced(raw.reward_manager, compute=both):
        yield lambda: other._reward_buf
