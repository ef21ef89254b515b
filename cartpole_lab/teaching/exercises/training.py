"""Checks of lesson 6: PPO's clipped gain, what counts as solved, and advantages that stop where an episode ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from cartpole_lab.tasks.success import SOLVED_RETURN, SOLVED_TIMEOUTS
from cartpole_lab.teaching.exercises.checking import Hint, on_copies, says

_RATIO = torch.tensor([1.1, 1.5, 0.5, 1.5, 0.5])
_ADVANTAGE = torch.tensor([1.0, 1.0, 1.0, -1.0, -1.0])
_GAIN = torch.tensor([1.1, 1.2, 0.5, -1.5, -0.8])


@says("the policy may profit from a change of 20% and no more, but pays in full for a mistake")
def check_clipped_gain(clipped_gain: Callable[..., torch.Tensor]) -> None:
    """Check ``clipped_gain(ratio, advantage, e_clip)``: PPO's gain of each sample.

    Args:
        clipped_gain: Takes two tensors of shape ``(n,)`` and the clip; returns shape ``(n,)``.
    """
    clipped_gain = on_copies(clipped_gain)
    gain = clipped_gain(_RATIO, _ADVANTAGE, 0.2)
    if not isinstance(gain, torch.Tensor):
        raise Hint(f"clipped_gain returned a {type(gain).__name__}, expected a tensor of shape (n,)")
    if gain.shape != _RATIO.shape:
        raise Hint(f"shape {tuple(gain.shape)}, expected {tuple(_RATIO.shape)}: one gain a sample, no mean yet")
    clipped = _RATIO.clamp(0.8, 1.2) * _ADVANTAGE
    mistakes = [
        (_RATIO * _ADVANTAGE, "nothing is clipped: a ratio of 1.5 with advantage +1 gives 1.5, expected 1.2"),
        (clipped, "ratio 1.5 with advantage −1 gives −1.2, expected −1.5: take the smaller of clipped and unclipped"),
        (
            torch.maximum(clipped, _RATIO * _ADVANTAGE),
            "ratio 1.5 with advantage +1 gives 1.5, expected 1.2: the smaller of the two, not the larger",
        ),
        (
            (_RATIO * _ADVANTAGE).clamp(0.8, 1.2),
            "ratio 0.5 with advantage −1 gives a gain above 0: clip the ratio, not the product",
        ),
    ]
    for wrong, hint in mistakes:
        if torch.allclose(gain, wrong):
            raise Hint(hint)
    for i in range(len(_GAIN)):
        if not torch.isclose(gain[i], _GAIN[i]):
            raise Hint(
                f"ratio {float(_RATIO[i]):g} with advantage {float(_ADVANTAGE[i]):+g} gives {float(gain[i]):.3g}, "
                f"expected {float(_GAIN[i]):.3g}"
            )
    if not torch.allclose(clipped_gain(_RATIO, _ADVANTAGE, 0.6), torch.tensor([1.1, 1.5, 0.5, -1.5, -0.5])):
        raise Hint("with e_clip=0.6 the answer should change: 0.2 is written into the function")


@says("two numbers, both needed: the mean can hide a few carts that crash")
def check_is_solved(is_solved: Callable[[torch.Tensor, torch.Tensor], bool]) -> None:
    """Check ``is_solved(returns, timed_out)``, both of shape ``(episodes,)``.

    Args:
        is_solved: Returns True where mean return and share of time-outs reach ``SOLVED_RETURN``, ``SOLVED_TIMEOUTS``.
    """

    def asked(mean: float, failures: int) -> object:
        timed_out = torch.ones(1000, dtype=torch.bool)
        timed_out[:failures] = False
        noise = torch.linspace(-0.1, 0.1, 1000)
        return is_solved(mean + noise, timed_out)

    good, bad = SOLVED_RETURN + 0.005, SOLVED_RETURN - 0.005
    few, many = round(800 * (1 - SOLVED_TIMEOUTS)), round(1200 * (1 - SOLVED_TIMEOUTS))
    if not isinstance(asked(good, 0), (bool, np.bool_, torch.Tensor)):
        raise Hint(f"is_solved returned {asked(good, 0)!r}, expected True or False")
    if not asked(good, 0):
        raise Hint(f"mean return {good:.3f} and no failure is not called solved")
    if asked(good, many):
        raise Hint(
            f"mean return {good:.3f} with {many} failures in 1000 ({100 - many / 10:.1f}% time-outs) is called "
            "solved: count the time-outs"
        )
    if asked(bad, 0):
        raise Hint(f"mean return {bad:.3f} without a failure is called solved: look at the return too")
    if not asked(good, few):
        raise Hint(
            f"{few} failures in 1000 are {100 - few / 10:.1f}% time-outs, which is enough: not every episode has to "
            "last"
        )


@says("an end cuts off the next value and every later surprise")
def check_gae(gae_with_ends: Callable[..., Sequence[float]]) -> None:
    """Check ``gae_with_ends(reward, value, next_value, ended, gamma, lam)``: advantages of steps that may be the last.

    Args:
        gae_with_ends: Takes four lists of one entry a step, the discount and GAE's λ. Returns one advantage a step.
    """
    reward, value, next_value = [0.5, 1.0, 0.25, 2.0], [3.0, 2.0, 4.0, 1.0], [2.0, 7.0, 1.0, 5.0]
    ended = [False, True, False, False]

    def right(gamma: float, lam: float, cut_value: bool = True, cut_later: bool = True, at: int = 0) -> list[float]:
        """The answer; the switches make it the usual wrong ones."""
        later = 0.0
        found: list[float] = []
        flags = [*ended[at:], *ended[:at]]
        for r, v, v_next, end in reversed(list(zip(reward, value, next_value, flags, strict=True))):
            later = r + gamma * v_next * (not (end and cut_value)) - v + gamma * lam * later * (not (end and cut_later))
            found.insert(0, later)
        return found

    def given(gamma: float, lam: float) -> list[float]:
        answer = gae_with_ends(list(reward), list(value), list(next_value), list(ended), gamma, lam)
        if isinstance(answer, (torch.Tensor, np.ndarray)):
            answer = answer.tolist()
        if not isinstance(answer, (list, tuple)):
            raise Hint(f"this returns {type(answer).__name__}, expected a list of {len(reward)} advantages")
        if len(answer) != len(reward):
            raise Hint(f"{len(answer)} advantages for {len(reward)} steps: one a step, the first step first")
        return [float(a) for a in answer]

    def same(a: list[float], b: list[float]) -> bool:
        return all(math.isclose(x, y, abs_tol=1e-6) for x, y in zip(a, b, strict=True))

    got, wanted = given(0.5, 0.25), right(0.5, 0.25)
    if same(got, right(0.5, 0.25, cut_value=False, cut_later=False)):
        raise Hint("the end after the second step changes nothing yet: use ended")
    if same(got, right(0.5, 0.25, cut_later=False)):
        raise Hint("the next value is cut off, but the second step still inherits the third one's advantage")
    if same(got, right(0.5, 0.25, cut_value=False)):
        raise Hint("the next advantage is cut off, but the second step still counts on the value of a state to come")
    if same(got, wanted[::-1]):
        raise Hint("these are the advantages last step first: turn the list round")
    if same(got, right(0.5, 0.25, at=1)):
        raise Hint("the cut is one step too early: ended says what happened *after* a step")
    if not same(got, wanted):
        raise Hint(f"advantages {[round(a, 3) for a in got]}, expected {[round(a, 3) for a in wanted]}")
    if not same(given(0.9, 0.5), right(0.9, 0.5)):
        raise Hint("right for one gamma and λ only: take them from the arguments")
