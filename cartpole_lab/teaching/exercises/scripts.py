"""Checks of lesson 7: a command line in words, how to go on with a run, and which of three settings counts."""

from __future__ import annotations

import contextlib
import io
import shlex
from collections.abc import Callable
from typing import Any

from cartpole_lab.teaching.exercises.checking import Hint, says

_WORDS = {
    "physics": "ovphysx",
    "env.rewards.cart_vel.weight": "-0.1",
    "agent.params.config.learning_rate": "1e-3",
}


def _parsed(line: Any, *asked: str) -> tuple[Any, list[str]]:
    """Flags and remaining words of a command line after ``cartpole-lab``; a Hint for a flag that was not asked for."""
    from cartpole_lab.cli import build_parser

    if not isinstance(line, str):
        raise Hint(f"the answer is a {type(line).__name__}, expected one string such as 'train --num_envs 64'")
    words = shlex.split(line)
    if not words or words[0] != "train":
        raise Hint(f"the line begins with {words[0] if words else 'nothing'!r}, expected 'train'")
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            parser = build_parser()
            flags, words = parser.parse_known_args(words)
            default = vars(parser.parse_args(["train"]))
    except SystemExit:
        raise Hint(f"the parser refuses it: {' '.join(said.getvalue().split())}") from None
    usual = {**default, "task": "Isaac-Cartpole-v0"}
    extra = [n for n, value in vars(flags).items() if n not in asked and value not in (default[n], usual[n])]
    if extra:
        raise Hint(f"--{extra[0]} was not asked for")
    return flags, words


@says("flags for the script, dotted words for the settings")
def check_command_line(line: str) -> None:
    """Check the command line of exercise 7.1.

    Args:
        line: What stands after ``cartpole-lab``.
    """
    flags, words = _parsed(line, "num_envs", "max_iterations", "seed")
    for word in words:
        if word.startswith("-"):
            raise Hint(f"{word!r} is no flag: settings are written without dashes, as name=value")
        if "=" not in word:
            raise Hint(f"{word!r} has no '=': settings are written as name=value, without spaces")
    given = dict(word.split("=", 1) for word in words)
    for flag, number in (("num_envs", 128), ("max_iterations", 20), ("seed", 3)):
        if getattr(flags, flag) != number:
            raise Hint(f"--{flag} is {getattr(flags, flag)}, expected {number}")
    for name, value in _WORDS.items():
        if name not in given:
            near = next((key for key in given if key.rsplit(".", 1)[-1] == name.rsplit(".", 1)[-1]), None)
            reason = f"you wrote {near!r}" if near else "it is missing"
            raise Hint(
                f"expected the setting {name!r}, but {reason}: the dots follow the config, from env or agent down"
            )
        if given[name] != value and not _same_number(given[name], value):
            raise Hint(f"{name} is {given[name]!r}, expected {value!r}")
    if extra := set(given) - set(_WORDS):
        raise Hint(f"{sorted(extra)[0]!r} was not asked for")


def _same_number(a: str, b: str) -> bool:
    try:
        return float(a) == float(b)
    except ValueError:
        return False


@says("the epoch counter goes on, so the limit is the sum")
def check_go_on(line: str, done: int, more: int) -> None:
    """Check the command line of exercise 7.2.

    Args:
        line: What stands after ``cartpole-lab``.
        done: Epochs that the newest run has behind it.
        more: Epochs that are to follow.
    """
    flags, words = _parsed(line, "checkpoint", "max_iterations", "num_envs", "seed", "agent")
    if flags.checkpoint is None:
        raise Hint("without --checkpoint the training starts from nothing")
    if flags.checkpoint != "latest":
        raise Hint(f"--checkpoint is {flags.checkpoint!r}, expected latest: the newest one, which may not be the best")
    if flags.max_iterations == more:
        raise Hint(f"--max_iterations {more} is reached already: the counter stands at {done} when the run goes on")
    if flags.max_iterations != done + more:
        raise Hint(f"--max_iterations is {flags.max_iterations}, expected {done} + {more}")
    if words:
        raise Hint(f"{words[0]!r} was not asked for: with another setting it is another training that goes on")


@says("the flag beats the word, the word beats the class, and nought is a value")
def check_effective(effective: Callable[[Any, Any, Any], Any]) -> None:
    """Check ``effective(from_class, word, flag)``: the setting that counts.

    Args:
        effective: Takes the class's value, and those of a dotted word and of a flag, each None where it was not given.
    """
    if effective(1, None, None) is None:
        raise Hint("without word and flag the class's value counts, yet this gives None")
    if effective(1, None, None) != 1:
        raise Hint(f"only the class says something, 1, yet this gives {effective(1, None, None)!r}")
    if effective(1, 2, None) != 2:
        raise Hint(f"class 1, word 2, no flag: this gives {effective(1, 2, None)!r}, expected the word's 2")
    if effective(1, None, 3) != 3:
        raise Hint(f"class 1, no word, flag 3: this gives {effective(1, None, 3)!r}, expected the flag's 3")
    if effective(1, 2, 3) == 2:
        raise Hint("word 2 and flag 3: here the word wins; the flag is applied last, so it counts")
    if effective(1, 2, 3) != 3:
        raise Hint(f"class 1, word 2, flag 3: this gives {effective(1, 2, 3)!r}, expected 3")
    if effective(1, 0, None) != 0 or effective(1, 2, 0) != 0:
        raise Hint("a 0 is skipped: `or` takes nought for nothing; compare with `is None`")
    if effective(5, 2, None) != 2:
        raise Hint("the larger value wins here; what counts is where it comes from")
