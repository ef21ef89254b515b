"""Whether a value fits a setting: its type as Isaac Lab's config class annotates it, and what it may be.

Isaac Lab's resolver sets whatever it is given, so that ``env.decimation=0`` would fail much later, or not
at all. The types come from the annotations of the config classes, the ranges from what the settings mean.
"""

from __future__ import annotations

import builtins
import inspect
import math
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any

Rule = tuple[Callable[[Any], bool], str]
"""A test of a value, and what to say is expected."""

POSITIVE: Rule = (lambda v: v > 0, "a positive number")
NOT_NEGATIVE: Rule = (lambda v: v >= 0, "zero or a positive number")
COUNT: Rule = (lambda v: isinstance(v, int) and v >= 1, "a positive integer")
COUNT_OR_ZERO: Rule = (lambda v: isinstance(v, int) and v >= 0, "zero or a positive integer")
SHARE: Rule = (lambda v: 0 <= v <= 1, "a number from 0 to 1")

MAX_ENVS = 1_000_000
"""Environments, or episodes, beyond which a number is a slip of the hand: an H100 holds a quarter of them."""

RANGES: dict[str, Rule] = {
    "decimation": COUNT,
    "num_envs": (lambda v: isinstance(v, int) and 1 <= v <= MAX_ENVS, f"an integer from 1 to {MAX_ENVS}"),
    "env_spacing": NOT_NEGATIVE,
    "episode_length_s": POSITIVE,
    "dt": POSITIVE,
    "render_interval": COUNT,
    "num_substeps": COUNT,
    "num_threads": COUNT,
    "iterations": COUNT,
    "ls_iterations": COUNT,
    "njmax": COUNT,
    "nconmax": COUNT,
    "width": COUNT,
    "height": COUNT,
    "history_length": COUNT_OR_ZERO,
    "update_period": NOT_NEGATIVE,
    "stiffness": NOT_NEGATIVE,
    "damping": NOT_NEGATIVE,
    "armature": NOT_NEGATIVE,
    "friction": NOT_NEGATIVE,
    "static_friction": NOT_NEGATIVE,
    "dynamic_friction": NOT_NEGATIVE,
    "restitution": SHARE,
    "density": NOT_NEGATIVE,
    "mass": POSITIVE,
    "focal_length": POSITIVE,
    "horizontal_aperture": POSITIVE,
    "soft_joint_pos_limit_factor": SHARE,
    "timeout_share": SHARE,
    "start_s": NOT_NEGATIVE,
    "band": POSITIVE,
}
"""What a number may be, by the last part of the setting's name."""

CHOICES: dict[str, tuple[str, ...]] = {
    "mode": ("prestartup", "startup", "reset", "interval"),  # of an event
    "cone": ("pyramidal", "elliptic"),  # these three of MuJoCo-Warp's solver
    "integrator": ("euler", "implicitfast", "rk4"),
    "solver": ("newton", "cg"),
}
"""What a word may be, by the last part of the setting's name, where it is one of these now."""

_ENDLESS = ("limit", "max", "min", "range", "bound", "clip")
"""Parts of names for which infinity means "no limit"."""


class _Names(dict[str, Any]):
    """Names that an annotation may use; one that only a type checker imports stands for anything."""

    def __missing__(self, name: str) -> Any:
        return getattr(typing, name, getattr(builtins, name, Any))


def annotation(owner: Any, name: str) -> Any:
    """The type that a config class gives to one of its fields; :data:`typing.Any` where it gives none.

    Args:
        owner: Instance of a config class.
        name: Name of a field.
    """
    for cls in type(owner).__mro__:
        hint = inspect.get_annotations(cls).get(name)
        if hint is None:
            continue
        if not isinstance(hint, str):
            return hint
        scope = _Names(vars(sys.modules[cls.__module__])) if cls.__module__ in sys.modules else _Names()
        scope.update({k: v for k, v in vars(cls).items() if isinstance(v, type)})
        try:
            return eval(hint, {"__builtins__": {}}, scope)  # an annotation of an installed class, nothing of the user's
        except Exception:  # an annotation that Python itself cannot evaluate says nothing
            return Any
    return Any


def fits(value: Any, hint: Any) -> bool:
    """Whether a value read from text is of the annotated type. What cannot be told fits."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union or origin is types.UnionType:
        return any(fits(value, part) for part in args)
    if origin is typing.Literal:
        return value in args and type(value) in {type(arg) for arg in args}
    if hint is None or hint is type(None):
        return value is None
    if value is None:
        return hint in (Any, object)
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is str:
        return isinstance(value, str)
    if origin is tuple:
        if not isinstance(value, tuple | list):
            return False
        if len(args) == 2 and args[1] is Ellipsis:
            return all(fits(item, args[0]) for item in value)
        return len(value) == len(args) and all(fits(item, arg) for item, arg in zip(value, args, strict=True))
    if origin is list:
        return isinstance(value, list | tuple) and all(fits(item, args[0]) for item in value)
    if origin is dict or hint is dict:
        return isinstance(value, dict) and (
            not args or all(fits(key, args[0]) and fits(item, args[1]) for key, item in value.items())
        )
    if hint in (list, tuple):
        return isinstance(value, list | tuple)
    return True


def words_for(hint: Any) -> str:
    """What a type is called in a message."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union or origin is types.UnionType:
        return " or ".join(dict.fromkeys(words_for(part) for part in args if part is not Any))
    if origin is typing.Literal:
        return "one of " + ", ".join(str(arg) for arg in args)
    if origin is tuple and args and args[-1] is not Ellipsis:
        return f"{'two' if len(args) == 2 else len(args)} values, ({', '.join(words_for(arg) for arg in args)})"
    if origin in (list, tuple):
        return f"a list such as [{words_for(args[0])}, …]" if args else "a list"
    if origin is dict and args:
        return f"a dictionary of words to {words_for(args[1])}".replace("to a number", "to numbers")
    names = {bool: "true or false", int: "an integer", float: "a number", str: "a word", dict: "a dictionary"}
    return names.get(hint) or names.get(origin) or ("none" if hint in (None, type(None)) else "a value of that kind")


def hint_of(now: Any) -> Any:
    """The type of the value that is there: for settings without an annotation."""
    now = as_number(now)
    if isinstance(now, bool | int | float | str):
        return float if type(now) is int else type(now)
    if isinstance(now, list | tuple):
        item = hint_of(now[0]) if now else Any
        pair = isinstance(now, tuple) and len(now) == 2
        return types.GenericAlias(tuple, (item, item)) if pair else types.GenericAlias(list, item)
    return dict if isinstance(now, Mapping) else Any


def as_number(value: Any) -> Any:
    """A number that YAML has read as a word, as it does with 3e-4; any other value as it is."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def rule_for(name: str, hint: Any, rules: Mapping[str, Rule] = RANGES) -> Rule | None:
    """What a number may be, by the last part of the setting's name; the height of a box is no count of pixels."""
    rule = rules.get(name)
    return None if rule is COUNT and hint is float else rule


def problem(name: str, value: Any, now: Any, hint: Any = Any, rules: Mapping[str, Rule] = RANGES) -> str | None:
    """What is wrong with a value: the words after "expected", or None if nothing is.

    Args:
        name: Last part of the setting's name.
        value: The value that was read.
        now: The value that is there.
        hint: Annotation of the setting.
        rules: What numbers may be, by name.
    """
    if not fits(value, hint):
        return "a group of settings" if is_dataclass(now) else words_for(hint)
    if is_dataclass(now) and value is not None:
        return "the name of one of its settings: it is a group"
    choices = CHOICES.get(name, ())
    if now in choices and value not in choices:
        return "one of " + ", ".join(choices)
    if hint is Any or now is not None:
        loose = isinstance(value, int | float | str | Mapping) and fits(value, hint) and hint is not Any
        if not loose and value is not None and not fits(value, hint_of(now)):
            return words_for(hint_of(now))
    endless = any(part in name.lower() for part in _ENDLESS) or now in (math.inf, -math.inf)
    numbers = [item for item in _flat(value) if isinstance(item, float)]
    if any(math.isnan(item) or (math.isinf(item) and not endless) for item in numbers):
        return "a finite number"
    rule = rule_for(name, hint, rules)
    if rule is not None and isinstance(value, int | float) and not isinstance(value, bool) and not rule[0](value):
        return rule[1]
    pair = isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(v, int | float) for v in value)
    if pair and ("range" in name or "bounds" in name) and value[0] > value[1]:
        return "the smaller number first"
    return None


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [item for part in value for item in _flat(part)]
    if isinstance(value, Mapping):
        return [item for part in value.values() for item in _flat(part)]
    return [value]
