"""Checks of lesson 9: what a stretch of motion pays, and when giving up pays more."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from cartpole_lab.teaching.exercises.checking import Hint, number_of, says

_DT = 1 / 60


@says("weight × value × time, summed: the same sum that Isaac Lab's reward manager makes")
def check_pays(pays: Callable[..., Any]) -> None:
    """Check ``pays(terms, weights, step_dt)``: the return of a recorded episode under other weights.

    Args:
        pays: Takes term values by name, shape ``(T,)`` each, weights by name, and the length of a step [s].
    """
    steps = np.arange(120)
    terms = {"alive": np.ones(120), "pole_pos": 0.25 * np.exp(-steps / 30), "mine": np.cos(steps / 9)}
    # in another order than the terms: names say what belongs together, places do not
    weights = {"mine": 0.5, "pole_pos": -2.0, "alive": 1.0}

    def total(dt: float, names: Iterable[str] = ("alive", "pole_pos", "mine")) -> float:
        return float(sum(weights[name] * terms[name].sum() for name in names) * dt)

    def given(dt: float) -> float:
        copies = {name: values.copy() for name, values in terms.items()}
        return number_of(pays(copies, dict(weights), dt), "pays")

    expected, got = total(_DT), given(_DT)
    if math.isclose(got, total(1.0), rel_tol=1e-4):
        raise Hint(f"{got:.1f} for 2 s: a weight is a rate per second, so multiply by step_dt")
    if math.isclose(got, float(sum(t.sum() for t in terms.values())) * _DT, rel_tol=1e-4):
        raise Hint("the weights are not used: their signs decide what is a reward and what a cost")
    zipped = sum(w * t.sum() for w, t in zip(weights.values(), terms.values(), strict=True)) * _DT
    if math.isclose(got, float(zipped), rel_tol=1e-4):
        raise Hint("weights and terms are paired by their place; they may come in another order: look them up by name")
    if math.isclose(got, total(_DT, ("alive", "pole_pos")), rel_tol=1e-4):
        raise Hint("a third term, 'mine', is left out: sum over all the terms that are there, whatever their names")
    if math.isclose(got, sum(weights[n] * float(terms[n].mean()) for n in terms), rel_tol=1e-4):
        raise Hint("this is the mean rate [1/s]; the return is the sum over the steps, times step_dt")
    if not math.isclose(got, expected, rel_tol=1e-4):
        raise Hint(f"2 s of this motion give {got:.4f}, expected {expected:.4f}")
    if math.isclose(given(0.05), expected, rel_tol=1e-4):
        raise Hint("with steps of 0.05 s the answer stays the same: 1/60 is written into the function")
    if not math.isclose(given(0.05), total(0.05), rel_tol=1e-4):
        raise Hint(f"with steps of 0.05 s this gives {given(0.05):.4f}, expected {total(0.05):.4f}")


@says("a crash costs its weight times one step, so it is cheap: the cost of living decides")
def check_crash_pays(crash_pays: Callable[..., Any]) -> None:
    """Check ``crash_pays(alive, cost, terminating, seconds_left, step_dt)``.

    Args:
        crash_pays: Takes the weight of living [1/s], the mean cost of the motion [1/s, positive], the weight of a
            failure [1/s, negative], the time left in the episode [s] and the length of a step [s]. Returns True where
            ending the episode now pays more than going on.
    """

    def asked(alive: float, cost: float, terminating: float, left: float, dt: float = _DT) -> bool:
        answer = crash_pays(alive, cost, terminating, left, dt)
        if not isinstance(answer, (bool, np.bool_)):
            raise Hint(f"crash_pays returned {answer!r}, expected True or False")
        return bool(answer)

    if asked(1.0, 0.2, -2.0, 4.0):
        raise Hint("living for 4 s at 1 − 0.2 per second pays 3.2, yet crashing is said to pay more")
    if not asked(1.0, 3.0, -2.0, 4.0):
        raise Hint("4 s at 1 − 3 per second cost 8, a crash 0.03, yet living on is said to pay more")
    if not asked(1.0, 1.3, -2.0, 4.0):
        raise Hint(
            "4 s at 1 − 1.3 per second cost 1.2; a crash costs 2 × 1/60 s = 0.03, not 2: its term is paid for one step"
        )
    if asked(1.0, 1.3, -120.0, 4.0):
        raise Hint("with terminating at −120 a crash costs 2.0, more than the 1.2 of living on: is it in your sum?")
    if asked(1.0, 1.3, -30.0, 1.0):
        raise Hint("1 s at 1 − 1.3 per second costs 0.3, a crash at −30 costs 0.5: does seconds_left count?")
    if not asked(1.0, 1.3, -30.0, 4.0):
        raise Hint("4 s at 1 − 1.3 per second cost 1.2, a crash at −30 costs 0.5: does seconds_left count?")
    if asked(1.0, 1.3, -30.0, 4.0, 0.05):
        raise Hint("with steps of 0.05 s a crash at −30 costs 1.5, more than 1.2: take step_dt, not a number")
    if asked(3.0, 2.5, -2.0, 4.0):
        raise Hint("alive may be another number than 1: here it is 3, and the motion costs 2.5, so living pays")
