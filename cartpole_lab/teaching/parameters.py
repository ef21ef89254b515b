"""The check of a lesson's parameters, before the first slow cell.

A lesson can be run with other values than those it is written with: ``papermill -p num_envs 64 …``, or an edit of its
first cell. The cell after the parameters hands them to :func:`check_parameters`, so that a wrong one costs one line
and no minute. What is allowed stands in :data:`LESSONS`; every lesson was run with the smallest of it, all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cartpole_lab.errors import UserError


class ParameterError(UserError):
    """A parameter of a lesson has a value with which the lesson cannot run."""

    def _render_traceback_(self) -> list[str]:
        """One line in a notebook: IPython asks for this before it draws a traceback."""
        return [f"ParameterError: {self}"]


@dataclass(frozen=True)
class Number:
    """A number between two limits, both allowed.

    Attributes:
        low: Smallest value.
        high: Largest value.
        example: A value to type.
        whole: Only whole numbers.
    """

    low: float
    high: float
    example: float
    whole: bool = True

    def accepts(self, value: Any) -> bool:
        """Whether the lesson runs with this value. ``True`` is no number here, and neither is ``nan``."""
        kinds = int if self.whole else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:g}".replace("e+0", "e")


@dataclass(frozen=True)
class Words:
    """Words in one string, separated by blanks: some of a set, or whole numbers between two limits.

    Attributes:
        allowed: The words to choose from, or the limits of each number.
        example: A value to type.
    """

    allowed: tuple[str, ...] | Number
    example: str

    def accepts(self, value: Any) -> bool:
        """Whether the lesson runs with this value."""
        words = value.split() if isinstance(value, str) else []
        if isinstance(self.allowed, Number):
            return bool(words) and all(word.isdecimal() and self.allowed.accepts(int(word)) for word in words)
        return bool(words) and set(words) <= set(self.allowed)

    def __str__(self) -> str:
        if isinstance(self.allowed, Number):
            return f"a string of whole numbers from {self.allowed.low:g} to {self.allowed.high:g}, separated by blanks"
        return f"a string of some of {', '.join(self.allowed)}, separated by blanks"


_ENVS = Number(16, 65_536, 512)
_EPISODES = Number(64, 65_536, 512)
_EPOCHS = Number(2, 10_000, 60)
_FILM = Number(0.1, 60, 3.0, whole=False)
_SEED = Number(0, 2**31 - 1, 42)
_STEPS = Number(1, 100_000, 60)
_THREADS = Number(1, 256, 1)

LESSONS: dict[int, dict[str, Number | Words]] = {
    1: {"picture_width": Number(32, 4096, 480), "seconds": Number(0.3, 60, 1.5, whole=False)},
    2: {"num_starts": Number(8, 65_536, 400), "push_steps": Number(1, 200, 12)},
    3: {"num_starts": _ENVS, "seed": _SEED},
    4: {"num_envs": _ENVS, "episodes": _EPISODES, "film_seconds": _FILM},
    5: {"num_envs": Number(1, 65_536, 4), "steps": _STEPS},
    6: {
        "num_envs": _ENVS,
        "epochs_tuned": _EPOCHS,
        "epochs_shipped": Number(10, 10_000, 60),  # half of it has to see an episode end, or no checkpoint is written
        "eval_every": Number(1, 10_000, 5),
        "seed": _SEED,
        "threads": _THREADS,
    },
    7: {
        "num_envs": _ENVS,
        "epochs": _EPOCHS,
        "short": _EPOCHS,
        "libraries": Words(("rsl_rl", "skrl", "sb3"), "rsl_rl sb3"),
        "updates": Number(1, 10_000, 40),
    },
    8: {
        "num_envs": _ENVS,
        "epochs": _EPOCHS,
        "num_seeds": Number(2, 100, 3),
        "episodes": _EPISODES,
        "film_seconds": _FILM,
        "seed": _SEED,
        "threads": _THREADS,
    },
    9: {"num_envs": _ENVS, "epochs": _EPOCHS, "seed": _SEED, "episodes": _EPISODES, "threads": _THREADS},
    10: {"num_envs": _ENVS, "epochs": _EPOCHS, "seed": _SEED, "threads": _THREADS},
    11: {"sizes": Words(Number(1, 1_048_576, 64), "64 256"), "steps": _STEPS},
    12: {"num_envs": _ENVS, "epochs": _EPOCHS, "seed": _SEED, "threads": _THREADS},
    13: {
        "num_envs": _ENVS,
        "epochs": _EPOCHS,
        "eval_every": Number(1, 10_000, 20),
        "num_seeds": Number(1, 100, 3),
        "episodes": _EPISODES,
        "seed": _SEED,
        "threads": _THREADS,
    },
}
"""By the number of a lesson: what its parameters may be."""


def check_parameters(lesson: int, /, **values: Any) -> None:
    """Refuse, in one line, the first value with which a lesson cannot run.

    Args:
        lesson: Number of the lesson.
        values: All its parameters, by name.

    Raises:
        ParameterError: A value has the wrong type or size. The message names it, and a ``-p`` that works.
    """
    for name, value in values.items():
        limits = LESSONS[lesson][name]
        if not limits.accepts(value):
            flag = f'-r {name} "{limits.example}"' if isinstance(limits, Words) else f"-p {name} {limits.example:g}"
            raise ParameterError(f"{name} is {value!r}, expected {limits}, such as: papermill {flag}")
