"""Stop a training at the step at which a number stops being one, and say which: term, environment, value.

A reward, observation or action that is NaN or infinite ruins the network within one update, and what a library says
about it then ("normal expects all elements of std >= 0.0") names none of that. What the three looks a step cost,
``python -m tests.benchmarks.nan_guard`` measures; with ``check_finite=False`` there is no :class:`FiniteGuard`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from cartpole_lab.errors import UserError

_OFF = "to train on regardless: --no-check_finite"


class NotFinite(UserError):
    """A number that is not finite.

    Attributes:
        what: The term, such as ``"reward term 'alive'"``.
        env_index: Environment in which it was found; None for a loss or a weight.
        value: The number.
        step: Environment steps taken so far.
    """

    def __init__(
        self,
        what: str,
        env_index: int | None,
        value: float,
        step: int,
        why: str,
        before: str = "",
        after: str = "",
    ) -> None:
        self.what, self.env_index, self.value, self.step, self.why = what, env_index, value, step, why
        self.before, self.after = before, after
        where = f" in environment {env_index}" if env_index is not None else ""
        super().__init__(f"{before}{what} gave {value}{where} at step {step}: {why}{after}; {_OFF}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what, self.env_index, self.value, self.step, self.why, self.before, self.after)

    def in_training(self, before: str, after: str) -> NotFinite:
        """The same, with words before and after it."""
        return NotFinite(self.what, self.env_index, self.value, self.step, self.why, before, after)


class FiniteGuard(gym.Wrapper):
    """An environment whose step raises :class:`NotFinite` as soon as an action, reward or observation is not finite.

    Attributes:
        largest_action: Largest size of an action that reached the environment.
    """

    def __init__(self, env: gym.Env) -> None:
        """Wrap a manager-based environment of Isaac Lab."""
        super().__init__(env)
        self.largest_action = 0.0

    def step(self, action: torch.Tensor) -> tuple[Any, ...]:
        """Step, and look at what goes in and what comes out."""
        largest = _largest(action)
        if not math.isfinite(largest):
            index, value = _first(action)
            raise NotFinite(
                "the policy's action", index, value, self._steps(), "its weights, or what it saw, are not finite"
            )
        if largest > self.largest_action:
            self.largest_action = largest
        out = self.env.step(action)
        if not _may_be_finite(out[1]):
            self._look_at_reward(out[1])
        for group in out[0].values():
            if type(group) is not torch.Tensor or not _may_be_finite(group):
                self._look_at_observations(out[0])
                break
        return out

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Reset, and look at the first observations."""
        out = self.env.reset(**kwargs)
        self._look_at_observations(out[0])
        return out

    def _steps(self) -> int:
        return int(self.unwrapped.common_step_counter)

    def _look_at_reward(self, reward: torch.Tensor) -> None:
        if bool(torch.isfinite(reward).all()):
            return  # finite numbers with too large a sum
        manager = getattr(self.unwrapped, "reward_manager", None)
        if manager is not None:
            terms = manager._step_reward  # weight × term, shape (num_envs, terms)
            for index, name in enumerate(manager.active_terms):
                if not bool(torch.isfinite(terms[:, index]).all()):
                    env, value = _first(terms[:, index])
                    why = "look at what its function computes there"
                    if not math.isfinite(manager.get_term_cfg(name).weight):
                        why = f"its weight is {manager.get_term_cfg(name).weight}"
                    raise NotFinite(f"reward term {name!r}", env, value, self._steps(), why)
        env, value = _first(reward)
        raise NotFinite("the reward", env, value, self._steps(), "its terms are finite, their sum is not")

    def _look_at_observations(self, groups: Mapping[str, Any]) -> None:
        for group, obs in groups.items():
            for name, tensor in obs.items() if isinstance(obs, Mapping) else [("", obs)]:
                if not tensor.is_floating_point() or math.isfinite(float(tensor.sum())):
                    continue
                if bool(torch.isfinite(tensor).all()):
                    continue
                bad = (~torch.isfinite(tensor)).nonzero()[0]
                term = name or self._observation_term(group, int(bad[1]) if len(bad) > 1 else 0)
                value = float(tensor[tuple(bad)])
                raise NotFinite(
                    f"observation term {term!r} of group {group!r}", int(bad[0]), value, self._steps(),
                    "the simulation has run away there, or the term computes it",
                )  # fmt: skip

    def _observation_term(self, group: str, column: int) -> str:
        manager = getattr(self.unwrapped, "observation_manager", None)
        if manager is None:
            return group
        for name, shape in zip(manager.active_terms[group], manager.group_obs_term_dim[group], strict=False):
            column -= math.prod(shape)
            if column < 0:
                return name
        return group


def what_is_not_finite(raw: Any) -> NotFinite:
    """Which reward term or observation of a live environment is not finite after a step."""
    guard = FiniteGuard(raw)
    try:
        guard._look_at_reward(raw.reward_buf)
        guard._look_at_observations(raw.obs_buf)
    except NotFinite as error:
        return error
    steps = int(raw.common_step_counter)
    return NotFinite("a reward", None, math.nan, steps, "in one of the last steps; those since then are finite")


def guarded(env: gym.Env, on: bool) -> gym.Env:
    """``env``, watched by a :class:`FiniteGuard` if ``on``."""
    return FiniteGuard(env) if on else env


def _in_numpy(values: torch.Tensor) -> bool:
    """Whether NumPy can look at the same memory, which takes it half of PyTorch's time for a call or less."""
    return values.dtype is torch.float32 and values.is_cpu and not values.requires_grad


def _largest(values: torch.Tensor) -> float:
    """Size of the largest number, NaN where one number is."""
    if _in_numpy(values):
        numbers = values.numpy()
        return max(np.maximum.reduce(numbers, None).item(), -np.minimum.reduce(numbers, None).item())
    lowest, highest = torch.aminmax(values)  # both are NaN where one number is
    return max(highest.item(), -lowest.item())


def _may_be_finite(values: torch.Tensor) -> bool:
    """False where one number is not finite, or all are and their squares add up to more than a float holds."""
    if _in_numpy(values):
        numbers = values.numpy()
        return math.isfinite(np.vdot(numbers, numbers))
    return math.isfinite(float(values.sum()))


def _first(values: torch.Tensor) -> tuple[int, float]:
    """Environment and value of the first number that is not finite."""
    index = (~torch.isfinite(values)).nonzero()[0]
    return int(index[0]), float(values[tuple(index)])


def check_update(
    losses: Mapping[str, float | torch.Tensor], weights: Iterable[tuple[str, torch.Tensor]], *, epoch: int, step: int
) -> None:
    """See that an update has left finite losses and weights.

    Args:
        losses: Losses of the update, by name.
        weights: The network's weights, by name.
        epoch: Number of the update.
        step: Environment steps taken so far.

    Raises:
        NotFinite: They are not.
    """
    for name, loss in losses.items():
        number = float(loss.detach() if isinstance(loss, torch.Tensor) else loss)
        if not math.isfinite(number):
            why = f"the update of epoch {epoch} has spoilt the network: lower the learning rate"
            raise NotFinite(f"the {name} loss", None, number, step, why)
    for name, weight in weights:
        if not weight.is_floating_point() or math.isfinite(float(weight.detach().sum())):
            continue
        if not bool(torch.isfinite(weight).all()):
            value = float(weight[~torch.isfinite(weight)].flatten()[0])
            why = f"the update of epoch {epoch} has spoilt it: lower the learning rate"
            raise NotFinite(f"the weight {name}", None, value, step, why)
