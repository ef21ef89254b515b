"""What a training can be told, and its defaults: one object that the command line and :func:`cartpole_lab.train` share.

Each field says in ``metadata["help"]`` what it does. ``cartpole-lab train --help`` prints that text, the command
reference of the book and the signature of :func:`cartpole_lab.train` are made from the same fields.
Importing this module loads nothing heavy.
"""

# ruff: noqa: RUF009  (`option` makes a `dataclasses.field`, which is what a default should be)
from __future__ import annotations

import argparse
import dataclasses
import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.session.task_lookup import DEFAULT_TASK

EVAL_INTERVAL = 3
"""Epochs between evaluations while a training waits to be solved, unless ``--eval_interval`` says."""
CHOOSING_SEED = 10_000
"""Plus the epoch: seed of the episodes by which the best policy is chosen."""
VERDICT_SEED = 20_000
"""Plus the training's seed: seed of the episodes that judge it, which had no say in choosing."""


def option(default: Any, help: str, *, flag: str | None = "", group: str = "", **argparse_words: Any) -> Any:
    """A field of an options class.

    Args:
        default: Its value when nobody says.
        help: What it does, in one line.
        flag: Its flag; by default ``--`` and the field's name, None for a field that the command line lacks.
        group: Heading under which ``--help`` lists it.
        **argparse_words: Handed to :meth:`argparse.ArgumentParser.add_argument`, such as ``type`` and ``choices``.
    """
    return field(default=default, metadata={"help": help, "flag": flag, "group": group, "argparse": argparse_words})


def _switch(help: str, **words: Any) -> Any:
    return option(False, help, action="store_true", **words)


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Everything that a training can be told, apart from Python objects such as a config of your own."""

    task: str | None = option(None, f"registered task (default: the checkpoint's, else {DEFAULT_TASK})")
    device: str | None = option(None, "cpu, cuda or cuda:<index> (default: the GPU if there is one)")
    num_envs: int | None = option(None, "environments to simulate (default: 1024 on a CPU, 4096 on a GPU)", type=int)
    agent: str | None = option(None, "agent entry point (default: <rl_library>_cfg_entry_point)")
    rl_library: str = option("rl_games", "rl_games, rsl_rl, skrl or sb3 (default: rl_games)")
    seed: int | None = option(None, "seed of everything random; -1 draws one (default: the agent's)", type=int)
    max_iterations: int | None = option(
        None,
        "most epochs to train; rl_games counts those of a --checkpoint with them (default: the agent's)",
        type=int,
    )
    checkpoint: str | Path | None = option(
        None, "go on from a file, a run's folder, or latest or best of the newest run"
    )
    sigma: float | None = option(
        None, "first log of the policy's standard deviation: 0 is 1.0, -1 is 0.37 (default: the agent's)", type=float
    )
    log_root: str | Path | None = option(None, "folder of all runs (default: logs/<rl_library>)")
    stop_when_solved: bool = option(
        False,
        "evaluate every few epochs and stop once the policy is solved",
        action=argparse.BooleanOptionalAction,
    )
    eval_interval: int | None = option(
        None,
        "epochs between evaluations; 0 for only one at the end "
        f"(default: {EVAL_INTERVAL} with --stop_when_solved, else the agent's save_frequency)",
        type=int,
    )
    eval_episodes: int | None = option(
        None, "episodes of an evaluation (default: 1024; one an environment where cameras draw)", type=int
    )
    check_finite: bool = option(
        True,
        "stop at the step at which a reward, observation, action or loss is not a number",
        action=argparse.BooleanOptionalAction,
    )
    video: bool = _switch("film the training itself")
    video_length: int = option(200, "environment steps a training clip lasts (default: 200)", type=int)
    video_interval: int = option(2000, "environment steps between training clips (default: 2000)", type=int)
    distributed: bool = _switch("learn with one process a GPU, which share their gradients; --num_envs is for each")
    num_gpus: int | None = option(
        None, "GPUs of --distributed, or processes with --device cpu (default: all GPUs of this machine)", type=int
    )
    run_timestamp: str | None = option(None, "name of the run's folder, which all processes share", flag=None)
    export_io_descriptors: bool = _switch("write the task's inputs and outputs")
    track: bool = _switch("follow the run in Weights & Biases")
    wandb_project_name: str | None = option(None, "Weights & Biases project", flag="--wandb-project-name")
    wandb_entity: str | None = option(
        None, "Weights & Biases team or user; --track needs it, unless WANDB_MODE=offline", flag="--wandb-entity"
    )
    wandb_name: str | None = option(None, "Weights & Biases name of the run", flag="--wandb-name")
    headless: bool = _switch("no window; always so without Isaac Sim", group="launcher")
    livestream: int | None = option(None, "stream Isaac Sim's window", group="launcher", type=int, choices=(0, 1, 2))
    enable_cameras: bool = _switch("let Isaac Sim draw cameras", group="launcher")
    experience: str | None = option(None, "Isaac Sim app file", group="launcher")
    kit_args: str | None = option(None, "words for Kit, in one string", group="launcher")
    visualizer: str | None = option(
        None, "a visualizer, such as newton_gl, rerun, viser or kit", group="launcher", flag="--viz"
    )
    verbose: bool = _switch("show Isaac Lab's whole start-up report, and which terms slow a CPU down", group="launcher")
    overrides: Sequence[str] = option((), "overrides as name=value, such as env.rewards.pole_pos.weight=-2", flag=None)
    progress: bool = option(True, "show a line that follows the training", flag=None)

    def changed(self, **values: Any) -> TrainOptions:
        """The same options with some fields set.

        Raises:
            UserError: There is no such field; names the nearest.
        """
        known = [f.name for f in fields(self)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
                raise UserError(f"option {name!r} of train is not known: {hint}")
        return dataclasses.replace(self, **values)

    @property
    def runs(self) -> Path:
        """Folder of all runs: what ``log_root`` says, else the library's below ``logs``."""
        return Path("logs", self.rl_library) if self.log_root is None else Path(self.log_root)

    @property
    def launcher_args(self) -> dict[str, Any]:
        """What Isaac Lab's launcher is told."""
        names = ("livestream", "enable_cameras", "experience", "kit_args", "visualizer", "verbose", "distributed")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


def add_flags(
    parser: argparse.ArgumentParser,
    options: type[Any],
    *,
    leave_out: Sequence[str] = (),
    groups: dict[str, str] | None = None,
) -> None:
    """Give a parser one flag for each field of an options class.

    Args:
        parser: The parser.
        options: A dataclass whose fields were made by :func:`option`.
        leave_out: Fields that get no flag.
        groups: What ``--help`` says below the heading of a group.
    """
    made: dict[str, Any] = {"": parser}
    for one in fields(options):
        flag, group = one.metadata["flag"], one.metadata["group"]
        if flag is None or one.name in leave_out:
            continue
        if group not in made:
            made[group] = parser.add_argument_group(group, (groups or {}).get(group))
        words = {"default": one.default, "dest": one.name, **one.metadata["argparse"]}
        made[group].add_argument(flag or f"--{one.name}", help=one.metadata["help"], **words)


def from_args(options: type[Any], args: argparse.Namespace, **values: Any) -> Any:
    """The options that a parsed command line gives.

    Args:
        options: The class whose fields :func:`add_flags` made flags of.
        args: What the parser read.
        **values: Fields that no flag gives.
    """
    given = {one.name: getattr(args, one.name) for one in fields(options) if hasattr(args, one.name)}
    return options(**{**given, **values})
