"""What a sweep shows while it runs: how many trials are done, the best so far, how long it will take."""

from __future__ import annotations

import contextlib
import errno
import importlib
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ray import tune

from cartpole_lab.errors import UserError
from cartpole_lab.training.progress import ProgressLine
from cartpole_lab.training.sweep.plan import Plan
from cartpole_lab.training.sweep.records import STOPPING, Record, read_record, read_records
from cartpole_lab.training.sweep.words import as_words, file_name, label

LEAST_SPACE = 8 * 2**20
"""Bytes that have to be free for another run's files."""


class Listener(tune.Callback):
    """Tune's callback. Tune writes it down with its own records, so it holds nothing: the follower at work is told."""

    at_work: list[Follower] = []

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Called after each of Tune's steps."""
        for follower in self.at_work:
            follower.step_done(trials)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Called when a trial is over."""
        for follower in self.at_work:
            follower.trial_done(trial)


class Follower:
    """Looks at Tune's trials after each of its steps.

    Args:
        plan: What the sweep runs.
        folder: Its folder.
        line: Where to show it.
    """

    def __init__(self, plan: Plan, folder: Path, line: ProgressLine) -> None:
        self.plan, self.folder, self.line = plan, folder, line
        self.stopped: str | None = None
        """Name of the signal that asks the sweep to stop."""
        self.full = ""
        """What to say if the disk is full."""
        self._trials: Sequence[Any] = ()
        self._began, self._looked, self._done_before = time.time(), 0.0, -1
        self._new, self._last = 0, self._began
        self._most, self._imported = 0, False
        done = read_records(folder, plan)  # of a sweep that is gone on with
        self._best: Record | None = max(done, key=_score, default=None)

    def step_done(self, trials: list[Any]) -> None:
        """Look at the disk, and show where the sweep stands once a second."""
        self._trials = trials
        if self.stopped:  # it came before Tune listened
            signal.raise_signal(signal.SIGUSR1)
        self._use_idle_cores()
        # not once a second: short trials fill a disk in less
        if not self.full and shutil.disk_usage(self.folder).free < LEAST_SPACE:
            self._stop_for_space()
        if time.time() - self._looked < 1.0:
            return
        self._looked = time.time()
        self.line.show(self.text())

    def _use_idle_cores(self) -> None:
        """While the last trials run, fewer than before, import what the report needs: nobody waits for it then."""
        if self._imported or len(self._trials) < self._total:
            return
        running = sum(trial.status == "RUNNING" for trial in self._trials)
        waiting = sum(trial.status in ("PENDING", "PAUSED") for trial in self._trials)
        self._most = max(self._most, running)
        if not waiting and 0 < running < self._most:
            self._imported = True
            threading.Thread(target=import_report, daemon=True).start()

    @property
    def _total(self) -> int:
        """How many trials Tune has."""
        return self.plan.total // (len(self.plan.seeds) if self.plan.search == "optuna" else 1)

    def trial_done(self, trial: Any) -> None:
        """Remember the best trial."""
        for name in self._names(trial):
            record = read_record(self.folder, name)
            if record is not None and record.score is not None and record.score > _score(self._best):
                self._best = record

    def close(self) -> None:
        """Leave standing where the sweep has come to, in a file too, where a line is written now and then only.

        Not of one that was stopped: Tune calls trials that it has stopped, or never begun, ended.
        """
        if self._trials and not self.stopped and not self.full:
            self.line.show(self.text(), keep=True)
        else:
            self.line.close()

    def text(self) -> str:
        """Where the sweep stands, in one line."""
        done = [trial for trial in self._trials if trial.status == "TERMINATED"]
        running = sum(trial.status == "RUNNING" for trial in self._trials)
        total = self._total
        if self._done_before < 0:
            self._done_before = len(done)  # of a sweep that is gone on with
        parts = [f"{len(done)} of {total} trials done, {running} running"]
        if self._best is not None:
            best = f"{label(self._best.setting)}, seed {self._best.seed}"
            parts.append(f"best return so far {self._best.score:.3f} ({best})")
        new = len(done) - self._done_before
        if new != self._new:
            self._new, self._last = new, time.time()
        if (
            new > 0 and len(done) < total
        ):  # as of the last trial that was done, so that it runs down until the next one is
            left = (self._last - self._began) / new * (total - len(done)) - (time.time() - self._last)
            parts.append(f"about {_span(max(left, 1.0))} left")
        return "; ".join(parts)

    def lost(self) -> dict[str, str]:
        """Trials that Tune has given up, with the reason."""
        found = {}
        for trial in self._trials:
            if trial.status == "ERROR":
                error = trial.get_error()
                reason = " ".join(str(error).split())[:200] if error is not None else "its process died"
                for name in self._names(trial):
                    if read_record(self.folder, name) is None:
                        found[name] = reason
        return found

    def explain(self, error: Exception) -> None:
        """Say in one line what stopped the sweep, if it is known.

        Raises:
            UserError: The disk is full.
        """
        text = str(error)
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in text:
            raise UserError(self._no_space()) from error

    def _names(self, trial: Any) -> list[str]:
        setting = as_words(trial.config["setting"])
        seeds = [trial.config["seed"]] if "seed" in trial.config else trial.config["seeds"]
        return [file_name(setting, seed) for seed in seeds]

    def _no_space(self) -> str:
        done = len(list((self.folder / "trials").glob("*.json")))
        return (
            f"no space left for {str(self.folder)!r}: {done} of {self.plan.total} trials are done and kept; make room, "
            f"then cartpole-lab sweep --resume {self.folder.name}"
        )

    def _stop_for_space(self) -> None:
        self.full = self._no_space()
        with contextlib.suppress(OSError):
            (self.folder / STOPPING).touch()
        signal.raise_signal(signal.SIGUSR1)  # Tune ends in order


def import_report() -> None:
    """Import what ranking and report are made with."""
    for name in ("matplotlib.figure", "rliable.library", "rliable.metrics"):
        importlib.import_module(name)


def _score(record: Record | None) -> float:
    return float("-inf") if record is None or record.score is None else record.score


def _span(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )
