"""How a check speaks: one line, a tick or a cross with a hint, and never an exception."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


class Hint(Exception):
    """What is wrong with an answer, and what to look at."""


def number_of(value: Any, name: str) -> float:
    """``value`` as a float.

    Raises:
        Hint: It is nothing, or more than one number.
    """
    import numpy as np

    if value is None or value is ...:
        raise Hint(f"{name} returned {value!r}, expected one number")
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise Hint(f"{name} returned a {type(value).__name__}, expected one number") from None
    if array.size != 1:
        raise Hint(f"{name} returned shape {array.shape}, expected one number")
    return float(array.reshape(()))


def says(praise: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Turn a function that raises :class:`Hint` on a wrong answer into a check that prints its verdict.

    Args:
        praise: What a right answer is told: what it is good for.
    """

    def wrap(examine: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(examine)
        def check(*args: Any, **kwargs: Any) -> None:
            try:
                examine(*args, **kwargs)
            except Hint as hint:
                print(f"✗ {hint}")
            except Exception as error:  # the learner's own code: say what it said
                print(f"✗ your code raised {type(error).__name__}: {error}")
            else:
                print(f"✓ {praise}")

        return check

    return wrap
