"""What the options of a training may be, in which library: said before anything starts."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from cartpole_lab.errors import UserError
from cartpole_lab.session.setting_checks import MAX_ENVS
from cartpole_lab.training.libraries import LIBRARIES, check_library
from cartpole_lab.training.options import TrainOptions

RL_GAMES_ONLY = ("distributed", "num_gpus")
"""Options that the other libraries refuse: some can learn with a process a GPU, but would share no evaluation here."""

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


_MOST = {"num_envs": MAX_ENVS, "eval_episodes": MAX_ENVS}


def check_options(options: TrainOptions) -> TrainOptions:
    """Return the options if they can be followed.

    Raises:
        UserError: The library cannot do one of them, or a value is none that it can be.
    """
    library = check_library(options.rl_library)
    for name in RL_GAMES_ONLY:
        if getattr(options, name) and library != "rl_games":
            raise UserError(f"--{name} is honoured by rl_games only, not by {library}: leave it out")
    for name, (least, expected) in _LEAST.items():
        value = getattr(options, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise UserError(f"{name} is {value!r}, expected {expected}")
        most = _MOST.get(name)
        if most is not None and value is not None and value > most:
            raise UserError(f"{name} is {str(value)[:20]}, expected at most {most}")
    if options.num_gpus is not None and not options.distributed:
        raise UserError("num_gpus says on how many GPUs one training learns: add --distributed")
    if options.sigma is not None and not -20 <= options.sigma <= 2:
        raise UserError(f"sigma is {options.sigma}, expected the logarithm of a standard deviation, from -20 to 2")
    if options.agent is not None:
        _check_agent(options.agent, library)
    if not str(options.log_root).strip():
        raise UserError(f"log_root is {options.log_root!r}, expected a folder such as logs/{library}")
    _check_kit(options)
    _check_log_root(options.runs)
    if options.track:
        _check_track(options)
    for given in ("video_length", "video_interval"):
        if getattr(options, given) != getattr(TrainOptions, given) and not options.video:
            raise UserError(f"--{given} says how the training is filmed: add --video")
    for given in ("wandb_project_name", "wandb_entity", "wandb_name"):
        if getattr(options, given) is not None and not options.track:
            raise UserError(f"--{given.replace('_', '-')} says where to follow the run: add --track")
    return options


def check_batches(name: str, batches: int, num_envs: int, steps: int) -> None:
    """See that each minibatch of an update holds at least one step: the mean over none is no number.

    Raises:
        UserError: There are more minibatches than steps.
    """
    if batches > num_envs * steps:
        raise UserError(
            f"{name} is {batches}, more than an update of {num_envs} environments × {steps} steps = {num_envs * steps} "
            "can fill: choose fewer"
        )


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
