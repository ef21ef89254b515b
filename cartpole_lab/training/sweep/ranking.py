"""Which setting is better, as far as these seeds can tell: interquartile means with bootstrap intervals, by rliable.

The conventions are those of "Deep reinforcement learning at the edge of the statistical precipice" (Agarwal et al.,
2021), and so is the code: rliable draws the stratified bootstrap and computes the mean of the middle half.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cartpole_lab.training.sweep.plan import Setting
from cartpole_lab.training.sweep.records import Record
from cartpole_lab.training.sweep.words import label

REPEATS = 2000
"""Bootstrap samples of an interval."""
CONFIDENCE = 0.95
PERCENT = f"{100 * CONFIDENCE:g}%"
"""The confidence as tables and figures say it."""


@dataclass(frozen=True)
class Ranked:
    """A setting and its place.

    Attributes:
        place: 1 is the best.
        setting: What it is.
        seeds: How many of its trials have a return; ``trials`` how many are over.
        trials: See there.
        solved: How many of them were called solved.
        middle: Interquartile mean of the evaluated return over the seeds; NaN without any.
        low, high: Bootstrap interval of it, of :data:`CONFIDENCE`; NaN for a single seed, which has none.
        not_told_apart: Places of the settings whose intervals overlap with this one, or that have none.
        others: How many other settings have a return.
    """

    place: int
    setting: Setting
    seeds: int
    trials: int
    solved: int
    middle: float
    low: float
    high: float
    not_told_apart: tuple[int, ...] = ()
    others: int = 0

    @property
    def label(self) -> str:
        """The setting in a few words."""
        return label(self.setting)

    @property
    def words(self) -> str:
        """What can be said of it beside the others."""
        if not self.seeds:
            return "no result"
        if self.not_told_apart:
            return f"not told apart from {_places(self.not_told_apart)}"
        return "told apart" if self.others else ""


def _places(places: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] + 1 == place:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def interval(
    scores: np.ndarray, function: Callable[[np.ndarray], np.ndarray], repeats: int = REPEATS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A number over seeds and its bootstrap interval.

    Args:
        scores: Shape ``(seeds, 1)``, or ``(seeds, 1, points)``.
        function: The number, an array, of such scores.
        repeats: Bootstrap samples.

    Returns:
        The number, the lower and the upper end; the ends are NaN for a single seed.
    """
    from rliable import library

    at = function(scores)
    if len(scores) < 2:
        return at, np.full_like(at, np.nan), np.full_like(at, np.nan)
    with warnings.catch_warnings(), _numpy_seed(0):  # the same records give the same words
        warnings.simplefilter("ignore")
        _, ends = library.get_interval_estimates(
            {"": scores},
            function,
            reps=repeats,
            confidence_interval_size=CONFIDENCE,
        )
    return at, ends[""][0], ends[""][1]


@contextlib.contextmanager
def _numpy_seed(seed: int) -> Iterator[None]:
    """NumPy's global generator seeded in the block: rliable 1.2.0 draws from it, whatever ``random_state`` says."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)


def rank(records: Sequence[Record]) -> list[Ranked]:
    """All settings, the best first."""
    from rliable import metrics

    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(tuple(record.setting.items()), []).append(record)
    found = []
    for key, group in groups.items():
        scores = np.array([[one.score] for one in group if one.score is not None and one.status == "done"])
        middle = low = high = np.array([np.nan])
        if len(scores):
            middle, low, high = interval(scores, lambda x: np.array([metrics.aggregate_iqm(x)]))
        solved = sum(bool(one.solved) for one in group)
        found.append(
            Ranked(0, dict(key), len(scores), len(group), solved, float(middle[0]), float(low[0]), float(high[0]))
        )
    found.sort(key=lambda one: (np.isnan(one.middle), -one.middle))
    return [_placed(one, place, found) for place, one in enumerate(found, start=1)]


def _placed(one: Ranked, place: int, all_of_them: Sequence[Ranked]) -> Ranked:
    """A setting with its place, and those whose intervals overlap with its own."""
    near = [
        number
        for number, other in enumerate(all_of_them, start=1)
        if number != place and other.seeds and one.seeds and _overlap(one, other)
    ]
    fields = {name: getattr(one, name) for name in ("setting", "seeds", "trials", "solved", "middle", "low", "high")}
    others = sum(bool(other.seeds) for other in all_of_them if other is not one)
    return Ranked(place=place, not_told_apart=tuple(near), others=others, **fields)


def _overlap(one: Ranked, other: Ranked) -> bool:
    """Whether two intervals overlap; a setting without one, which has a single seed, is told apart from nothing."""
    if any(np.isnan(end) for end in (one.low, one.high, other.low, other.high)):
        return True
    return one.low <= other.high and other.low <= one.high


def text(ranking: Sequence[Ranked]) -> str:
    """The ranking as lines of text."""
    width = max([len("setting"), *(len(one.label) for one in ranking)])
    lines = [f"{'':>3} {'setting':<{width}}  {'return':>7}  {f'{PERCENT} interval':>16}  {'solved':>7}"]
    for one in ranking:
        ends = "" if np.isnan(one.low) else f"{one.low:.3f} to {one.high:.3f}"
        value = "–" if np.isnan(one.middle) else f"{one.middle:.3f}"
        solved = f"{one.solved}/{one.trials}"
        lines.append(f"{one.place:>3} {one.label:<{width}}  {value:>7}  {ends:>16}  {solved:>7}  {one.words}".rstrip())
    return "\n".join(lines)
