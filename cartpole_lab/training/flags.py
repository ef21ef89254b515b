"""Which library honours which option of a training, and what an option may be: said before anything starts."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from pathlib import Path
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.training.libraries import LIBRARIES, check_library
from cartpole_lab.training.options import TrainOptions

ALL = tuple(LIBRARIES)
RL_GAMES = ("rl_games",)

HONOURED: dict[str, tuple[str, ...]] = {
    "task": ALL,
    "device": ALL,
    "num_envs": ALL,
    "agent": ALL,
    "rl_library": ALL,
    "seed": ALL,
    "max_iterations": ALL,
    "checkpoint": ALL,
    "sigma": ALL,
    "log_root": ALL,
    "stop_when_solved": ALL,
    "eval_interval": ALL,
    "eval_episodes": ALL,
    "check_finite": ALL,
    "video": ALL,
    "video_length": ALL,
    "video_interval": ALL,
    # one process a GPU: skrl and rsl-rl can, but their processes would share no evaluation here
    "distributed": RL_GAMES,
    "num_gpus": RL_GAMES,
    "run_timestamp": ALL,
    "export_io_descriptors": ALL,
    "track": ALL,
    "wandb_project_name": ALL,
    "wandb_entity": ALL,
    "wandb_name": ALL,
    "headless": ALL,
    "livestream": ALL,
    "enable_cameras": ALL,
    "experience": ALL,
    "kit_args": ALL,
    "visualizer": ALL,
    "verbose": ALL,
    "overrides": ALL,
    "progress": ALL,
}
"""For each option of :class:`TrainOptions` the libraries that do what it says. All others refuse it."""

_LEAST = {
    "max_iterations": (1, "a positive number of epochs"),
    "num_envs": (1, "a positive integer such as 1024"),
    "num_gpus": (1, "a positive number of GPUs"),
    "eval_interval": (0, "zero or a positive number of epochs"),
    "eval_episodes": (1, "a positive number of episodes"),
    "video_length": (1, "a positive number of steps"),
    "video_interval": (1, "a positive number of steps"),
    "seed": (-1, "zero, a positive integer, or -1 to draw one"),
}


def check_options(options: TrainOptions) -> TrainOptions:
    """Return the options if they can be followed.

    Raises:
        UserError: The library cannot do one of them, or a value is none that it can be.
    """
    library = check_library(options.rl_library)
    for one in dataclasses.fields(options):
        if getattr(options, one.name) != one.default and library not in HONOURED[one.name]:
            flag = one.metadata["flag"] or f"--{one.name}"
            raise UserError(
                f"{flag} is honoured by {' and '.join(HONOURED[one.name])} only, not by {library}: leave it out"
            )
    for name, (least, expected) in _LEAST.items():
        value = getattr(options, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise UserError(f"{name} is {value!r}, expected {expected}")
    if options.num_gpus is not None and not options.distributed:
        raise UserError("num_gpus says on how many GPUs one training learns: add --distributed")
    if options.sigma is not None and not -20 <= options.sigma <= 2:
        raise UserError(f"sigma is {options.sigma}, expected the logarithm of a standard deviation, from -20 to 2")
    if options.agent is not None:
        _check_agent(options.agent, library)
    _check_kit(options)
    _check_log_root(Path(options.log_root))
    if options.track:
        _check_track(options)
    for given in ("wandb_project_name", "wandb_entity", "wandb_name"):
        if getattr(options, given) is not None and not options.track:
            raise UserError(f"--{given.replace('_', '-')} says where to follow the run: add --track")
    return options


def _check_agent(agent: str, library: str) -> None:
    other = next((name for name in LIBRARIES if agent.startswith(f"{name}_") and name != library), None)
    if other is not None:
        raise UserError(f"agent {agent!r} is one of {other}: add --rl_library {other}")


def _check_kit(options: TrainOptions) -> None:
    """Flags that start Isaac Sim go through the same check as its physics."""
    from cartpole_lab import isaac_sim

    wanted = {
        "--viz kit": "kit" in (options.visualizer or "").split(","),
        f"--livestream {options.livestream}": bool(options.livestream),
        "--experience": bool(options.experience),  # empty: the launcher's own choice
        "--kit_args": bool(options.kit_args),
    }
    isaac_sim.check([flag for flag, given in wanted.items() if given])


def _check_log_root(root: Path) -> None:
    there = next(path for path in (root.absolute(), *root.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UserError(f"log_root {str(root)!r} cannot be written: {str(there)!r} is a file, not a folder")
    if not os.access(there, os.W_OK):
        raise UserError(f"log_root {str(root)!r} cannot be written: choose another with --log_root")


def _check_track(options: TrainOptions) -> None:
    if importlib.util.find_spec("wandb") is None:
        raise UserError(
            "--track needs the package wandb, which is not installed: pip install 'cartpole-lab[libraries]'"
        )
    offline = os.environ.get("WANDB_MODE", "").lower() in ("offline", "disabled", "dryrun")
    if not offline and not options.wandb_entity:
        raise UserError(
            "--track needs to know where to: add --wandb-entity <your user or team>, or keep it on this machine with "
            "WANDB_MODE=offline"
        )


def table() -> list[tuple[str, dict[str, Any]]]:
    """The rows of a table of flags: the flag, and for each library whether it honours it."""
    return [
        (one.metadata["flag"] or f"--{one.name}", {name: name in HONOURED[one.name] for name in ALL})
        for one in dataclasses.fields(TrainOptions)
        if one.metadata["flag"] is not None
    ]
