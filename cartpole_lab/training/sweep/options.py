"""What a sweep can be told, beside what its trainings are told: fields that the command line and Python share."""

# ruff: noqa: RUF009  (`option` makes a `dataclasses.field`, which is what a default should be)
from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cartpole_lab.errors import UserError
from cartpole_lab.files import check_name
from cartpole_lab.training.options import option

ROOT = "logs/sweeps"
"""Folder of all sweeps, unless ``--log_root`` names another."""
SEARCHES = ("grid", "random", "optuna")
NOT_FOR_TRIALS = (
    "task",
    "seed",
    "log_root",
    "run_timestamp",
    "progress",
    "overrides",
    "checkpoint",
    "distributed",
    "num_gpus",
    "track",
    "wandb_project_name",
    "wandb_entity",
    "wandb_name",
    "video",
    "video_length",
    "video_interval",
    "headless",
    "livestream",
    "experience",
    "kit_args",
    "visualizer",
    "verbose",
)
"""Options of ``train`` that a sweep sets itself, or that make no sense for a trial that nobody watches."""


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """What a sweep can be told."""

    seeds: str | int | Sequence[int] = option(
        "0..4", "seeds of each setting, such as 0..9 or 1,2,5 (default: 0..4, five trainings a setting)"
    )
    search: str = option("grid", "grid, random or optuna (default: grid)", choices=SEARCHES)
    samples: int | None = option(None, "settings to try in a random or optuna search (default: 20)", type=int)
    search_seed: int = option(0, "seed of what a random or optuna search draws (default: 0)", type=int)
    early_stop: bool = option(
        False, "stop trials that fall behind by their evaluated return (ASHA)", action="store_true"
    )
    at_once: int | None = option(None, "trials at once (default: one a core, or what the GPUs hold)", type=int)
    trials_per_gpu: int = option(1, "trials that share a GPU (default: 1)", type=int)
    address: str | None = option(None, "a Ray cluster that runs already, such as auto or 10.0.0.1:6379")
    name: str | None = option(None, "name of the sweep's folder (default: the time)")
    log_root: str | Path = option(ROOT, f"folder of all sweeps (default: {ROOT})")
    resume: str | None = option(
        None, "go on with a sweep: its folder, its name, or nothing for the newest", nargs="?", const="latest"
    )
    progress: bool = option(True, "show a line that follows the sweep", flag=None)


def check_extra() -> None:
    """See that what a sweep needs is installed.

    Raises:
        UserError: It is not; the line has the command that installs it.
    """
    missing = [name for name in ("ray", "optuna", "rliable", "pandas", "pyarrow") if not _there(name)]
    if missing:
        raise UserError(
            f"sweep needs {', '.join(missing)}, not installed here: pip install 'cartpole-lab[sweep]', in this "
            "repository make setup"
        )


def _there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def check_sweep_options(options: SweepOptions) -> SweepOptions:
    """Return the options if they can be followed.

    Raises:
        UserError: A value is none that it can be, or two of them contradict each other.
    """
    if options.search not in SEARCHES:
        raise UserError(f"search is {options.search!r}, expected {', '.join(SEARCHES[:-1])} or {SEARCHES[-1]}")
    for name in ("samples", "at_once", "trials_per_gpu"):
        value = getattr(options, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise UserError(f"{name} is {value!r}, expected a positive number")
    if options.samples is not None and options.search == "grid":
        raise UserError("--samples says how many settings a search draws, a grid has all: add --search random")
    if options.name is not None:
        check_name(options.name, "the name of the sweep")
    return options


def seeds_of(text: str | int | Sequence[int]) -> tuple[int, ...]:
    """The seeds that a word means: ``0..9`` is ten of them, ``1,2,5`` three.

    Raises:
        UserError: It is no such word, or names a seed twice.
    """
    if isinstance(text, str):
        parts = [part.strip() for part in text.split(",")]
        if not all(re.fullmatch(r"\d{1,9}(\.\.\d{1,9})?", part) for part in parts):
            raise UserError(f"seeds are {text[:80]!r}, expected whole numbers such as 0..9 or 1,2,5")
        ends = [[int(end) for end in part.split("..")] for part in parts]
        if any(pair[0] > pair[-1] for pair in ends) or sum(pair[-1] - pair[0] for pair in ends) > 100_000:
            raise UserError(f"seeds are {text[:80]!r}, expected a range that goes up, such as 0..9")
        seeds = [seed for pair in ends for seed in range(pair[0], pair[-1] + 1)]
    else:
        seeds = [text] if isinstance(text, int) else list(text)
    if not seeds or any(isinstance(seed, bool) or not isinstance(seed, int) or seed < 0 for seed in seeds):
        raise UserError(f"seeds are {seeds!r}, expected whole numbers from 0 on")
    if len(set(seeds)) < len(seeds):
        twice = next(seed for seed in seeds if seeds.count(seed) > 1)
        raise UserError(f"seed {twice} is named twice: it would give the same numbers twice")
    return tuple(seeds)
