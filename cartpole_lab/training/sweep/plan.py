"""What a sweep will run: its settings, seeds and trainings, checked as ``train`` checks them before anything starts."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cartpole_lab import shortcuts
from cartpole_lab.errors import UserError
from cartpole_lab.files import write_whole
from cartpole_lab.session.held_output import quietly
from cartpole_lab.training.option_checks import check_options
from cartpole_lab.training.options import TrainOptions
from cartpole_lab.training.sweep.words import OPTIONS, Axis, file_name, option_value

FILE = "sweep.json"
"""File of a sweep's folder that says what it runs."""
MOST_CHECKED = 60
"""So many combinations are checked one by one; of a larger grid, every value beside the first ones of the others."""

Setting = dict[str, str]
"""Values of what varies, as they are written: one for each axis."""


@dataclass(frozen=True)
class Plan:
    """What a sweep runs.

    Attributes:
        task: Registered id; None for the cart-pole.
        axes: What varies.
        fixed: Words that every trial gets.
        train: Options of ``train`` that every trial gets, by name.
        seeds: Seeds of each setting.
        search: ``"grid"``, ``"random"`` or ``"optuna"``.
        samples: How many settings a search other than a grid draws.
        search_seed: Seed of what it draws.
        early_stop: Whether trials that fall behind are stopped.
        trials_per_gpu: How many trials share a GPU.
        max_epochs: Most epochs of a trial, None if nobody said.
    """

    task: str | None
    axes: tuple[Axis, ...]
    fixed: tuple[str, ...]
    train: Mapping[str, Any]
    seeds: tuple[int, ...]
    search: str = "grid"
    samples: int = 20
    search_seed: int = 0
    early_stop: bool = False
    trials_per_gpu: int = 1
    max_epochs: int | None = field(default=None)

    @property
    def total(self) -> int:
        """How many trainings there will be."""
        grid = math.prod(len(axis.values) for axis in self.axes)
        return len(self.seeds) * (grid if self.search == "grid" else self.samples)

    @property
    def device(self) -> str:
        """What trials run on, ``"cpu"`` or ``"cuda:…"``."""
        return str(self.train["device"])

    def grid(self) -> Iterator[Setting]:
        """Every combination of the ends of all axes; of a grid that is all it tries."""
        for values in itertools.product(*(axis.ends for axis in self.axes)):
            yield dict(zip((axis.name for axis in self.axes), values, strict=True))

    def checked(self) -> Iterator[Setting]:
        """Settings that are checked before anything starts."""
        if math.prod(len(axis.ends) for axis in self.axes) <= MOST_CHECKED:
            yield from self.grid()
            return
        first = {axis.name: axis.ends[0] for axis in self.axes}
        for axis in self.axes:
            for value in axis.ends:
                yield {**first, axis.name: value}

    def options(self, setting: Setting, seed: int, folder: Path) -> TrainOptions:
        """What the training of one trial is told."""
        own = {name: option_value(name, value) for name, value in setting.items() if name in OPTIONS}
        words = [f"{name}={value}" for name, value in setting.items() if name not in OPTIONS]
        return TrainOptions(
            **{
                **self.train,
                **own,
                "task": self.task,
                "seed": seed,
                "log_root": str(folder / "runs"),
                "run_timestamp": file_name(setting, seed),
                "overrides": (*self.fixed, *words),
                "progress": False,
            }
        )

    def write(self, folder: Path) -> None:
        """Write it down, for a sweep that is gone on with."""
        write_whole(folder / FILE, json.dumps(self.as_dict(), indent=2) + "\n")

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return json.loads(json.dumps({**dataclasses.asdict(self), "train": dict(self.train)}))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that :meth:`as_dict` has described."""
        lists = {name: tuple(data[name]) for name in ("fixed", "seeds")}
        return cls(**{**data, **lists, "axes": tuple(Axis.from_dict(axis) for axis in data["axes"])})

    @classmethod
    def read(cls, folder: Path) -> Plan:
        """The plan of a sweep's folder.

        Raises:
            UserError: It is not the folder of a sweep, or its file is damaged.
        """
        try:
            return cls.from_dict(json.loads((folder / FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = " ".join(str(error).split())[:120]
            raise UserError(
                f"folder {str(folder)!r} is not that of a sweep: {FILE} cannot be read ({reason})"
            ) from error


def settle(plan: Plan, elsewhere: bool = False) -> Plan:
    """The plan with its device and its most epochs, after every setting has been checked as ``train`` does.

    Args:
        plan: The plan.
        elsewhere: Whether it runs on a cluster, which may have GPUs that this machine lacks.

    Raises:
        UserError: A training could not be started as it was asked for.
    """
    _check_shape(plan)
    with shortcuts.imports(), quietly():
        from cartpole_lab.session.configs import check_device

        device = plan.train.get("device")
        if not (elsewhere and str(device).startswith("cuda")):
            device = check_device(device)
        plan = dataclasses.replace(plan, train={**plan.train, "device": device})
        here = dataclasses.replace(plan, train={**plan.train, "device": "cpu"}) if elsewhere else plan
        epochs = [check_training(here.options(setting, plan.seeds[0], Path())) for setting in plan.checked()]
    plan = dataclasses.replace(plan, max_epochs=max((one for one in epochs if one), default=None))
    if plan.early_stop:
        if plan.max_epochs is None:
            raise UserError("--early_stop needs to know the most epochs of a trial: add --max_iterations")
        interval = plan.train.get("eval_interval") or max(1, plan.max_epochs // 9)
        plan = dataclasses.replace(plan, train={**plan.train, "eval_interval": interval})
    return plan


def _check_shape(plan: Plan) -> None:
    ranges = [axis.name for axis in plan.axes if not axis.values]
    if plan.search == "grid" and ranges:
        raise UserError(f"{ranges[0]} is a range, which no grid can try in full: add --search random or optuna")
    if plan.search != "grid" and not plan.axes:
        raise UserError(
            f"a {plan.search} search needs something to vary, such as env.rewards.pole_pos.weight=-3.0..-0.1"
        )
    if plan.early_stop and plan.train.get("stop_when_solved"):
        raise UserError(
            "--early_stop compares evaluated returns, which --stop_when_solved asks for only of promising policies: "
            "leave one of them out"
        )
    if plan.early_stop and plan.search == "optuna":
        raise UserError("--early_stop leaves trials without a result, which Optuna learns from: leave one of them out")


def check_training(options: TrainOptions) -> int | None:
    """Check a training as ``train`` does before it makes a folder or an environment.

    Returns:
        The most epochs that it will take; None where the agent does not say.

    Raises:
        UserError: It could not be started.
    """
    options = check_options(options)
    if options.rl_library != "rl_games":
        from cartpole_lab.training.other_libraries_train import settle as settle_library

        settle_library(options.rl_library, options.task, options, None)
        return options.max_iterations
    from cartpole_lab.training.rl_games_settings import settle

    return int(settle(options, options.task)[4]["params"]["config"]["max_epochs"])
