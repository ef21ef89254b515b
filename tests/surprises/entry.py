"""What a surprise is: a question, the guess, the truth with the numbers of a run, and why.

A check is a function that does the thing and returns numbers. Everything else of an entry stands in the decorator
beside it, so an entry has one source: the page, the record and the test are made from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Values = dict[str, Any]
"""What a check saw: numbers, texts and truths by name."""

GROUPS = {
    "configs": "Writing a configuration",
    "motors": "Motors and limits",
    "episodes": "Resets, ends and what is logged",
    "engines": "Physics engines",
    "files": "Robot files",
    "learning": "Learning libraries",
    "after": "Going on, judging, exporting",
}
"""Parts of the page, in the order in which a reader meets them."""
WORLDS = ("plain", "newton", "ovphysx")
"""Processes that the checks share. Engines of Isaac Lab cannot share one; ``plain`` starts none."""
ENGINES = "engines"
"""World of a check that takes the name of an engine and runs in both; its values get ``newton_`` or ``ovphysx_`` before
their names."""


@dataclass(frozen=True)
class Place:
    """A line of an installed package, found by its text when the checks run."""

    file: str
    """Path from the folder that holds the packages, such as ``isaaclab/envs/mdp/events.py``."""
    text: str
    """What the line says; the first line that holds it is meant."""
    after: str = ""
    """Text that stands on an earlier line, for lines that a file has more than once."""

    def find(self) -> str:
        """``file:line``.

        Raises:
            LookupError: The installed version has no such line.
        """
        package, _, rest = self.file.partition("/")
        spec = find_spec(package)
        folder = Path(next(iter(spec.submodule_search_locations))) if spec else None
        path = folder / rest if folder else None
        if path is None or not path.is_file():
            raise LookupError(f"{self.file} is not installed")
        waiting = self.after
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if waiting and waiting in line:
                waiting = ""
            if not waiting and self.text in line:
                return f"{self.file}:{number}"
        raise LookupError(f"{self.file} has no line with {self.text!r}" + (f" after {self.after!r}" * bool(self.after)))


@dataclass(frozen=True)
class Surprise:
    """An entry of the page."""

    name: str
    """Short name in kebab case."""
    world: str
    """The process it runs in, one of :data:`WORLDS`, or :data:`ENGINES`."""
    group: str
    """The part of the page, one of the keys of :data:`GROUPS`."""
    question: str
    """The heading."""
    guess: str
    """What most people answer; written before the run."""
    happens: str
    """What happens; ``{name:.2f}`` takes a value of the run."""
    why: str
    """Why, in a sentence or two; takes values as :attr:`happens` does."""
    places: tuple[Place, ...]
    """Where it is written in the installed packages."""
    todo: str
    """What to do about it."""
    packages: tuple[str, ...]
    """Distributions whose versions matter."""
    holds: Callable[[Values], bool]
    """Whether values are what :attr:`happens` says."""
    guessed: Mapping[str, Any]
    """Values as the guess would have them; :attr:`holds` must say no to them."""
    run: Callable[..., Values]
    """Does it, and returns what was seen."""
    close: float = 0.05
    """How far a number may be from the recorded one, as a share of it, on another machine."""

    def worlds(self) -> tuple[str, ...]:
        """The processes it runs in."""
        return ("newton", "ovphysx") if self.world == ENGINES else (self.world,)

    def seen_in(self, world: str) -> Values:
        """Run it in this process."""
        if self.world != ENGINES:
            return self.run()
        return {f"{world}_{name}": value for name, value in self.run(world).items()}

    @property
    def anchor(self) -> str:
        """Where the page has it: what MyST makes of its heading."""
        return re.sub(r"[^\w\- ]", "", self.question.replace("`", "").lower().replace(" ", "-"))

    def versions(self) -> dict[str, str]:
        """Versions installed here."""
        return {name: version(name) for name in self.packages}

    def with_the_guess(self, values: Values) -> Values:
        """The values, had the guess been right."""
        return {**values, **self.guessed}


@dataclass
class Register:
    """All entries, in the order in which their modules define them."""

    entries: dict[str, Surprise] = field(default_factory=dict)

    def __call__(self, **fields: Any) -> Callable[[Callable[..., Values]], Callable[..., Values]]:
        """Decorator: the function is the check of an entry with these fields; its name is the entry's."""

        def add(run: Callable[..., Values]) -> Callable[..., Values]:
            name = run.__name__.replace("_", "-")
            entry = Surprise(name=name, run=run, **{k: tidy(v) for k, v in fields.items()})
            if name in self.entries:
                raise ValueError(f"two surprises are called {name!r}")
            if entry.group not in GROUPS or entry.world not in (*WORLDS, ENGINES):
                raise ValueError(f"{name}: no group {entry.group!r}, or no world {entry.world!r}")
            self.entries[name] = entry
            return run

        return add


def tidy(value: Any) -> Any:
    """A text of several lines as one line."""
    return re.sub(r"\s+", " ", value).strip() if isinstance(value, str) else value


surprise = Register()
