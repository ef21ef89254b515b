"""What each trial leaves behind, and the table of them all: one row a trial, as Parquet and as CSV."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cartpole_lab.files import write_whole
from cartpole_lab.training.sweep.plan import Plan, Setting
from cartpole_lab.training.sweep.words import labels

if TYPE_CHECKING:
    import pandas as pd

STOPPING = "stopping"
"""File of a sweep's folder that is there while the sweep is being stopped."""
MEASURED = ("began", "train_s", "total_s", "solved_s", "host", "node")
"""Columns that tell of the machine and the moment; all others are the same whenever a sweep is repeated on a CPU."""


@dataclass(frozen=True)
class Record:
    """What one trial came to.

    Attributes:
        name: Name of the trial, and of its run's folder.
        setting: What it tried.
        seed: Its seed.
        status: ``"done"``, ``"stopped early"`` or ``"failed"``.
        score: Mean return of fresh episodes under the task's own reward; None for a trial that failed.
        paid: The same under the reward that was paid, which differs where the sweep varies it.
        timeout_share: Share of the episodes that lasted to their end.
        solved: Whether the evaluation calls it solved; None where the task does not say when it is.
        epochs, env_steps: How long it learned.
        solved_s: Seconds until an evaluation called it solved, with ``--stop_when_solved``.
        train_s, total_s: Seconds of learning, and of the whole trial.
        began: :func:`time.time` at its start.
        host: The machine that it ran on; ``node`` is Ray's name for it.
        node: See there.
        run: Its run's folder, as seen from the sweep's.
        message: What went wrong, in one line.
    """

    name: str
    setting: Setting
    seed: int
    status: str
    score: float | None = None
    paid: float | None = None
    timeout_share: float | None = None
    solved: bool | None = None
    epochs: int = 0
    env_steps: int = 0
    solved_s: float | None = None
    train_s: float | None = None
    total_s: float | None = None
    began: float | None = None
    host: str = ""
    node: str = ""
    run: str = ""
    message: str = ""

    @classmethod
    def of(cls, run: Any, facts: dict[str, Any], status: str, began: float, score: float, folder: Path) -> Record:
        """The record of a training run."""
        judged = run.evaluation.criterion is not None
        return cls(
            **facts,
            status=status,
            score=score if math.isfinite(score) else None,
            paid=run.evaluation.mean_return if math.isfinite(run.evaluation.mean_return) else None,
            timeout_share=run.evaluation.timeout_share,
            solved=bool(run.solved) if judged else None,
            epochs=int(run.epochs),
            env_steps=int(run.env_steps),
            solved_s=run.solved_s and round(run.solved_s, 2),
            train_s=round(run.wall_s_train, 2),
            total_s=round(run.wall_s_total, 2),
            began=began,
            run=str(run.log_dir.relative_to(folder.resolve())),
        )

    def write(self, folder: Path) -> None:
        """Write it into the sweep's folder, whole or not at all."""
        text = json.dumps(dataclasses.asdict(self), indent=2, allow_nan=False)
        write_whole(folder / "trials" / f"{self.name}.json", text + "\n")


def read_record(folder: Path, name: str) -> Record | None:
    """The record of a trial, None if there is none yet, or it is damaged: then the trial is done once more."""
    try:
        record = Record(**json.loads((folder / "trials" / f"{name}.json").read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError, RecursionError):
        return None
    kinds = ((record.name, str), (record.setting, dict), (record.seed, int), (record.status, str))
    return record if all(isinstance(value, kind) for value, kind in kinds) else None


def read_records(folder: Path, plan: Plan) -> list[Record]:
    """Records of all trials that are done, in the order of what varies: values as they were written, then seeds."""
    names = sorted(path.stem for path in (folder / "trials").glob("*.json"))
    records = [record for name in names if (record := read_record(folder, name)) is not None]
    return sorted(records, key=lambda record: (*_place(record.setting, plan), record.seed))


def _place(setting: Setting, plan: Plan) -> tuple[Any, ...]:
    return tuple(
        axis.values.index(setting[axis.name]) if axis.values else float(setting[axis.name]) for axis in plan.axes
    )


def table(records: Sequence[Record], plan: Plan) -> pd.DataFrame:
    """One row a trial; what varies has a column each, of numbers where all its values are."""
    import pandas as pd

    short = labels([axis.name for axis in plan.axes])
    rows = []
    for record in records:
        row = dataclasses.asdict(record)
        setting = row.pop("setting")
        rows.append({"trial": row.pop("name"), **{short[name]: setting[name] for name in short}, **row})
    frame = pd.DataFrame(rows, columns=None if rows else ["trial", *short.values(), "seed", "status", "score"])
    for column in short.values():
        with_numbers = pd.to_numeric(frame[column], errors="coerce")
        if not with_numbers.isna().any():
            frame[column] = with_numbers
    for column in ("score", "paid", "timeout_share", "solved_s", "train_s", "total_s", "began"):
        if column in frame:
            frame[column] = frame[column].astype("float64")
    if "solved" in frame:
        frame["solved"] = frame["solved"].astype("boolean")
    return frame.rename(columns={"score": "return", "paid": "paid_return"})


def write_table(frame: pd.DataFrame, folder: Path) -> None:
    """Write ``results.parquet`` and ``results.csv``."""
    frame.to_parquet(buffer := io.BytesIO(), index=False)
    write_whole(folder / "results.parquet", buffer.getvalue())
    write_whole(folder / "results.csv", frame.to_csv(index=False))
