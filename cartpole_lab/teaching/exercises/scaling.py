"""Check of lesson 11: what a faster simulator is worth to a whole training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from cartpole_lab.teaching.exercises.hints import Hint, says
from cartpole_lab.teaching.exercises.measuring import _number


@says("the part that isn't faster decides: Amdahl's law")
def check_speedup(speedup: Callable[..., Any]) -> None:
    """Check ``speedup(sim_s, update_s, faster)``.

    Args:
        speedup: Takes the seconds an epoch spends on simulating and on updating, and how many times faster the
            simulator becomes. Returns how many times faster the epoch becomes.
    """
    got = _number(speedup(0.11, 0.09, 10.0), "speedup")
    expected = 0.20 / (0.011 + 0.09)
    if math.isclose(got, 10.0):
        raise Hint("10 times: only if an epoch were nothing but simulation; the update takes its 0.09 s as before")
    if math.isclose(got, 1 / expected, rel_tol=1e-3):
        raise Hint(f"{got:.2f} is the new time over the old one; turn the fraction over")
    if math.isclose(got, 0.011 + 0.09, rel_tol=1e-3):
        raise Hint(f"{got:.3f} is the new epoch in seconds; compare it with the old one")
    if not math.isclose(got, expected, rel_tol=1e-3):
        raise Hint(f"0.11 s and 0.09 s with a simulator 10 times as fast give {got:.3g}, expected {expected:.3g}")
    if not math.isclose(_number(speedup(0.2, 0.0, 4.0), "speedup"), 4.0):
        raise Hint("an epoch without any update should become exactly as much faster as the simulator")
