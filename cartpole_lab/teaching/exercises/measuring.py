"""Checks of lesson 8: how sure a mean is, and when a pole has come to stand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from cartpole_lab.teaching.exercises.checking import Hint, number_of, on_copies, says


@says("four times the episodes, half the doubt")
def check_standard_error(standard_error: Callable[[torch.Tensor], Any]) -> None:
    """Check ``standard_error(returns)``: the spread that the *mean* of the returns has.

    Args:
        standard_error: Takes a tensor of shape ``(episodes,)``; returns one number.
    """
    values = torch.randn(400, generator=torch.Generator().manual_seed(1)) * 0.4 + 4.8
    got, spread = number_of(on_copies(standard_error)(values), "standard_error"), float(values.std())
    expected = spread / math.sqrt(400)
    if math.isclose(got, spread, rel_tol=0.02):
        raise Hint(f"{got:.3f} is the spread of the episodes; their mean is known better: divide by √n, here √400")
    if math.isclose(got, spread / 400, rel_tol=0.02):
        raise Hint(f"{got:.5f} is the spread divided by n, expected {expected:.4f}: the root of n")
    if math.isclose(got, spread**2 / 400, rel_tol=0.02) or math.isclose(got, spread**2, rel_tol=0.02):
        raise Hint("this is a variance; take its square root")
    if not math.isclose(got, expected, rel_tol=0.01):
        raise Hint(f"400 returns with a spread of {spread:.3f} give {got:.4f}, expected {expected:.4f}")
    if not math.isclose(
        number_of(standard_error(values[:100]), "standard_error"), values[:100].std() / 10, rel_tol=0.01
    ):
        raise Hint("right for 400 returns only: take their number from the tensor")


@says("the last time outside counts, not the first time inside")
def check_settle_time(settle_time: Callable[..., Any]) -> None:
    """Check ``settle_time(angle, step_dt, band)`` [s].

    Args:
        settle_time: Takes angles [rad], shape ``(T,)``, the length of a step [s] and the half-width of the band [rad];
            returns the time from which on the angle stays inside, NaN if it never does.
    """
    band, dt, settle_time = 0.1, 0.5, on_copies(settle_time)
    swings = np.array([0.5, 0.05, -0.3, -0.2, 0.05, 0.0, 0.02])
    got = number_of(settle_time(swings, dt, band), "settle_time")
    if math.isclose(got, 0.5):
        raise Hint("0.5 s is when this pole first passes the band; it swings out on the other side after that")
    if math.isclose(got, 4):
        raise Hint("4 is the number of the step, expected seconds: times step_dt")
    if math.isclose(got, 1.5):
        raise Hint("1.5 s is the last moment outside the band, expected the first one after it")
    if math.isclose(got, 0.0):
        raise Hint(f"{got:g} s: look at |angle|, the pole may lean to either side")
    if not math.isclose(got, 2.0):
        raise Hint(f"angles {swings.tolist()} rad, {dt} s apart, band ±{band} rad, give {got:g} s, expected 2 s")
    if not math.isclose(number_of(settle_time(swings, 0.2, 0.25), "settle_time"), 0.6):
        raise Hint("with steps of 0.2 s and a band of ±0.25 rad it should be 0.6 s: take both from the arguments")
    if number_of(settle_time(np.full(4, 0.01), dt, band), "settle_time") != 0.0:
        raise Hint("a pole that is never outside the band stands from 0 s on")
    if not math.isnan(number_of(settle_time(np.array([0.0, 0.0, 0.3]), dt, band), "settle_time")):
        raise Hint("a pole that ends outside the band never came to stand: return NaN")


@says("episodes tell how sure one run is, seeds tell how sure the setting is")
def check_over_seeds(over_seeds: Callable[..., Any]) -> None:
    """Check ``over_seeds(returns)``: mean over the seeds, and spread between them.

    Args:
        over_seeds: Takes returns of shape ``(episodes,)`` by seed; returns a pair of numbers.
    """
    noise = torch.linspace(-1.0, 1.0, 101)
    returns = {1: 4.0 + noise, 5: 5.0 + 0.1 * noise[:40], 9: 4.5 + noise}
    means = torch.stack([values.mean() for values in returns.values()])
    together = torch.cat(list(returns.values()))
    answer = over_seeds({seed: values.clone() for seed, values in returns.items()})
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise Hint(f"this returns {type(answer).__name__}, expected a pair: the mean, and the spread between seeds")
    mean, spread = number_of(answer[0], "the first of the pair"), number_of(answer[1], "the second of the pair")
    if math.isclose(spread, float(together.std()), rel_tol=1e-3):
        raise Hint(f"{spread:.3f} is the spread of all episodes; take each seed's mean first, then their spread")
    if math.isclose(spread, float(means.mean()), rel_tol=1e-3) and math.isclose(mean, float(means.std()), rel_tol=1e-3):
        raise Hint("the pair is turned round: first the mean, then the spread")
    if math.isclose(mean, float(together.mean()), rel_tol=1e-4):
        raise Hint("a seed with more episodes counts more here; each seed is one run: average the seeds' means")
    if math.isclose(spread, float(means.std(correction=0)), rel_tol=1e-3):
        raise Hint(f"{spread:.3f} divides by n; a spread estimated from few seeds divides by n − 1")
    if math.isclose(spread, float(means.std()) / math.sqrt(3), rel_tol=1e-3):
        raise Hint("this is the doubt about the mean; asked is the spread between the seeds themselves")
    if math.isclose(spread, float(torch.stack([v.std() for v in returns.values()]).mean()), rel_tol=1e-3):
        raise Hint("this averages the spreads inside each seed; asked is how far the seeds' means lie apart")
    if not math.isclose(mean, float(means.mean()), rel_tol=1e-3):
        raise Hint(f"the mean is {mean:.3f}, expected {float(means.mean()):.3f}")
    if not math.isclose(spread, float(means.std()), rel_tol=1e-3):
        raise Hint(f"the spread is {spread:.3f}, expected {float(means.std()):.3f}")
