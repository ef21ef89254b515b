"""The words of a sweep: ``env.rewards.pole_pos.weight=-0.5,-1,-2`` are three values, ``-3.0..-0.1`` is a range."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.training.options import TrainOptions
from cartpole_lab.training.sweep.options import NOT_FOR_TRIALS

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(:log)?")
_WORD = re.compile(r"(?P<name>\+?[A-Za-z_][\w.]*)=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True)
class Axis:
    """One thing that a sweep varies.

    Attributes:
        name: What varies: a setting such as ``env.decimation``, or an option of ``train`` such as ``num_envs``.
        values: Its values, as they were written; none for a range.
        low, high: Ends of a range, both included.
        log: Whether a range is drawn from evenly in its logarithm.
    """

    name: str
    values: tuple[str, ...] = ()
    low: str = ""
    high: str = ""
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether a range has whole numbers only: both ends are written without a point."""
        return all(re.fullmatch(r"[+-]?\d+", end) for end in (self.low, self.high))

    @property
    def ends(self) -> tuple[str, ...]:
        """Values that stand for all of them in a check: every one, or both ends of a range."""
        return self.values or (self.low, self.high)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Axis:
        """The axis that :meth:`Plan.as_dict` has described."""
        return cls(**{**data, "values": tuple(data["values"])})


def read_words(words: Sequence[str] | Mapping[str, Any]) -> tuple[list[Axis], list[str]]:
    """Tell what varies from what is the same in every trial.

    Args:
        words: As on the command line; or in Python a mapping from names to a value or a list of values.

    Returns:
        The axes, and the words that every trial gets.

    Raises:
        UserError: A word is no setting, has no value, names a value twice, or is named twice itself.
    """
    if isinstance(words, str):
        raise UserError(f"words are {words!r}, expected a list of them, such as ['env.decimation=1,2']")
    axes: list[Axis] = []
    fixed: list[str] = []
    if isinstance(words, Mapping):
        words = [f"{name}={_written(value)}" for name, value in words.items()]
    for word in words:
        found = _WORD.fullmatch(str(word))
        if found is None:
            raise UserError(f"word {str(word)[:80]!r} is no setting: expected name=value or name=value,value,…")
        name, value = found["name"], found["value"]
        if name == "seed":
            raise UserError("seeds are said by --seeds, such as --seeds 0..9, so that every setting gets the same ones")
        if name in NOT_FOR_TRIALS:
            raise UserError(f"{name} cannot be given to a trial: a sweep sets it itself, or nobody would see it")
        if any(name == axis.name for axis in axes) or any(one.partition("=")[0] == name for one in fixed):
            raise UserError(f"setting {name} is given twice: write its values in one word, {name}=first,second")
        axis = _axis(name, value)
        if axis is None:
            fixed.append(str(word))
        else:
            axes.append(axis)
    return axes, fixed


def _written(value: Any) -> str:
    values = value if isinstance(value, (list, tuple, range)) else [value]
    return ",".join(str(one) for one in values)


def _axis(name: str, value: str) -> Axis | None:
    """What a word's value varies; None if it is a single one."""
    if found := _RANGE.fullmatch(value):
        axis = Axis(name, low=found[1], high=found[2], log=bool(found[3]))
        if not float(axis.low) < float(axis.high) or not math.isfinite(float(axis.high)):
            raise UserError(f"range {name}={value} is empty: expected the lower end first, such as {name}=0.1..0.5")
        if axis.log and float(axis.low) <= 0:
            raise UserError(f"range {name}={value} has no logarithm: its lower end has to be above 0")
        return axis
    values = [one.strip() for one in split(value)]
    if len(values) == 1:
        return None
    if not all(values):
        raise UserError(f"setting {name}={value} has a value that is empty: expected {name}=first,second")
    if len(set(values)) < len(values):
        twice = next(one for one in values if values.count(one) > 1)
        raise UserError(f"setting {name} has the value {twice} twice")
    return Axis(name, tuple(values))


def split(value: str) -> list[str]:
    """A value at its commas, but for those within brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in value:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append("")
            continue
        parts[-1] += letter
    return parts


def option_value(name: str, text: str) -> Any:
    """What the text of an option of ``train`` means, such as ``512`` for ``num_envs``.

    Raises:
        UserError: It is none that the option can be.
    """
    one = next(one for one in dataclasses.fields(TrainOptions) if one.name == name)
    words = one.metadata["argparse"]
    if "action" in words:
        known = {"true": True, "false": False}
        if text.lower() not in known:
            raise UserError(f"{name} is {text!r}, expected true or false")
        return known[text.lower()]
    try:
        return words.get("type", str)(text)
    except ValueError:
        raise UserError(f"{name} is {text!r}, expected a number") from None


OPTIONS = tuple(one.name for one in dataclasses.fields(TrainOptions) if one.name not in NOT_FOR_TRIALS)
"""Options of ``train`` that a word may name, as in ``num_envs=256,512``."""


def labels(names: Sequence[str]) -> dict[str, str]:
    """A short name for each setting: its last two parts, or all of it where these are not its own."""
    short = {name: ".".join(name.lstrip("+").split(".")[-2:]) for name in names}
    return {name: text if list(short.values()).count(text) == 1 else name.lstrip("+") for name, text in short.items()}


def label(setting: Mapping[str, str]) -> str:
    """A setting in a few words, such as ``pole_pos.weight=-1``."""
    short = labels(list(setting))
    return ", ".join(f"{short[name]}={value}" for name, value in setting.items()) or "as it is"


def as_words(setting: Mapping[str, Any]) -> dict[str, str]:
    """A setting that Tune has chosen, as it is written in words: drawn numbers to six digits."""
    return {name: f"{value:.6g}" if isinstance(value, float) else str(value) for name, value in setting.items()}


def file_name(setting: Mapping[str, str], seed: int) -> str:
    """Name of a trial's folder, which tells what it tries; different for different trials."""
    text = f"{label(setting)}, seed={seed}".replace("as it is, ", "")
    plain = re.sub(r"[^A-Za-z0-9_.=,+-]", "_", text.replace(", ", ",")).lstrip(".")
    if plain == text.replace(", ", ",") and len(plain) <= 100:
        return plain
    mark = hashlib.sha256(repr((sorted(setting.items()), seed)).encode()).hexdigest()[:8]
    return f"{plain[:90]}-{mark}"
