"""Checks of lesson 11: what a faster simulator is worth to a training, and how a batch is cut into minibatches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from cartpole_lab.teaching.exercises.checking import Hint, number_of, says


@says("the part that isn't faster decides: Amdahl's law")
def check_speedup(speedup: Callable[..., Any]) -> None:
    """Check ``speedup(sim_s, update_s, faster)``.

    Args:
        speedup: Takes the seconds an epoch spends on simulating and on updating, and how many times faster the
            simulator becomes. Returns how many times faster the epoch becomes.
    """
    got = number_of(speedup(0.11, 0.09, 10.0), "speedup")
    expected = 0.20 / (0.011 + 0.09)
    if math.isclose(got, 10.0):
        raise Hint("10 times: only if an epoch were nothing but simulation; the update takes its 0.09 s as before")
    if math.isclose(got, 1 / expected, rel_tol=1e-3):
        raise Hint(f"{got:.2f} is the new time over the old one; turn the fraction over")
    if math.isclose(got, 0.011 + 0.09, rel_tol=1e-3):
        raise Hint(f"{got:.3f} is the new epoch in seconds; compare it with the old one")
    if not math.isclose(got, expected, rel_tol=1e-3):
        raise Hint(f"0.11 s and 0.09 s with a simulator 10 times as fast give {got:.3g}, expected {expected:.3g}")
    if not math.isclose(number_of(speedup(0.2, 0.0, 4.0), "speedup"), 4.0):
        raise Hint("an epoch without any update should become exactly as much faster as the simulator")


@says("whole minibatches, several times over: that is an epoch's work for the optimizer")
def check_optimizer_steps(optimizer_steps: Callable[..., Any]) -> None:
    """Check ``optimizer_steps(num_envs, horizon, minibatch, mini_epochs)``.

    Args:
        optimizer_steps: Takes environments, steps of each, samples a minibatch and passes over the batch. Returns
            the steps of the optimizer in an epoch, None where the batch is no multiple of the minibatch.
    """
    got = number_of(optimizer_steps(512, 16, 2048, 5), "optimizer_steps")
    if math.isclose(got, 4):
        raise Hint("4 minibatches, and the batch is gone over 5 times: multiply by mini_epochs")
    if math.isclose(got, 512 * 16 * 5):
        raise Hint("this counts samples; a step of the optimizer takes a whole minibatch of them")
    if math.isclose(got, 512 // 2048 * 5) or math.isclose(got, 512 / 2048 * 5):
        raise Hint("the horizon is missing: every environment brings 16 steps into the batch, not one")
    if math.isclose(got, 5):
        raise Hint("5 passes, each of several minibatches: divide the batch by the size of a minibatch")
    if not math.isclose(got, 20):
        raise Hint(f"512 × 16 samples in minibatches of 2048, gone over 5 times, give {got:g}, expected 20")
    odd = optimizer_steps(500, 16, 2048, 5)
    if odd is not None:
        raise Hint(
            f"500 × 16 = 8000 samples are no multiple of 2048, yet this gives {odd!r}: rl-games refuses, so None"
        )
    if optimizer_steps(512, 16, 8192, 8) is None:
        raise Hint("512 × 16 is exactly one minibatch of 8192: that does divide")
    if not math.isclose(number_of(optimizer_steps(512, 16, 8192, 8), "optimizer_steps"), 8):
        raise Hint("one minibatch, gone over 8 times, is 8 steps of the optimizer")
