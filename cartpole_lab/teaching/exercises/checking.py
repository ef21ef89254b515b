"""How a check speaks: one line, a tick or a cross with a hint, and never an exception."""

from __future__ import annotations

import contextlib
import copy
import functools
import os
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator
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


def on_copies[R](function: Callable[..., R]) -> Callable[..., R]:
    """A learner's function that is handed copies, so that writing into what it is given spoils nothing."""

    def call(*args: Any, **kwargs: Any) -> R:
        return function(*copy.deepcopy(args), **copy.deepcopy(kwargs))

    return call if callable(function) else function


def named(patterns: str | Iterable[str] | None, known: Iterable[str]) -> list[str]:
    """The joints or bodies that are meant: Isaac Lab reads each name as a pattern. What fits none stays as it is."""
    patterns = [patterns] if isinstance(patterns, str) else patterns or []
    return [name for p in patterns for name in [k for k in known if re.fullmatch(p, k)] or [p]]


def changed(cfg: Any, original: Any, *asked: str) -> str:
    """The first setting, by dotted name, in which two configs differ; "" for none. ``asked`` are those that may."""

    def flat(tree: Any, name: str = "") -> dict[str, Any]:
        if not isinstance(tree, dict):
            return {name: tree}
        return {k: v for key, below in tree.items() for k, v in flat(below, f"{name}.{key}".lstrip(".")).items()}

    new, old = flat(cfg.to_dict()), flat(original.to_dict())
    return next((n for n in new | old if not n.startswith(asked) and new.get(n) != old.get(n)), "")


@contextlib.contextmanager
def process_as_it_was() -> Iterator[None]:
    """Put back what a learner's code may change for all that comes after: the registry, paths, random streams."""
    gym, numpy, torch = (sys.modules.get(name) for name in ("gymnasium", "numpy", "torch"))
    registry = dict(gym.registry) if gym else {}
    streams = (random.getstate(), numpy and numpy.random.get_state(), torch and torch.get_rng_state())
    modes: Any = torch and (torch.is_grad_enabled(), torch.get_default_dtype())
    paths, folder, variables, outputs = list(sys.path), os.getcwd(), dict(os.environ), (sys.stdout, sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = outputs
        sys.path[:] = paths
        os.chdir(folder)
        if dict(os.environ) != variables:
            os.environ.clear()
            os.environ.update(variables)
        if gym and dict(gym.registry) != registry:
            gym.registry.clear()
            gym.registry.update(registry)
        random.setstate(streams[0])
        if numpy:
            numpy.random.set_state(streams[1])
        if torch:
            torch.set_rng_state(streams[2])
            torch.set_grad_enabled(modes[0])
            torch.set_default_dtype(modes[1])


def _one_line(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())[:500]
    except Exception:
        return "(its text cannot be shown)"


def says(praise: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Turn a function that raises :class:`Hint` on a wrong answer into a check that prints its verdict.

    Args:
        praise: What a right answer is told: what it is good for.
    """

    def wrap(examine: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(examine)
        def check(*args: Any, **kwargs: Any) -> None:
            try:
                with process_as_it_was():
                    examine(*args, **kwargs)
            except KeyboardInterrupt:
                raise
            except Hint as hint:
                print(f"✗ {_one_line(hint)}")
            except BaseException as error:  # the learner's own code, exit() included: say what it said
                print(f"✗ your code raised {type(error).__name__}: {_one_line(error)}")
            else:
                print(f"✓ {praise}")

        return check

    return wrap
