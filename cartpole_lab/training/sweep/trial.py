"""The process in which trials run, one after the other: Ray Tune's side of a training.

A process holds one simulation, and what it has imported and compiled serves every trial after the first. The training
runs in a thread of its own, so that Tune can be told of evaluations while it goes on. That thread takes one core of its
own on a CPU: forks and threads beside it would take those of other trials.
"""

from __future__ import annotations

import fcntl
import functools
import os
import queue
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.trainable import trainable

from cartpole_lab import shortcuts
from cartpole_lab.errors import UserError
from cartpole_lab.training.sweep.plan import Plan, Setting
from cartpole_lab.training.sweep.records import STOPPING, Record, read_record
from cartpole_lab.training.sweep.words import as_words, file_name

SCORE = "evaluated_return"
"""What Tune compares: the mean return of fresh episodes, under the task's own reward."""


trainable.disable_ipython = lambda: None  # it imports all of IPython, to silence what no trial has


class Trial(tune.Trainable):
    """One trial after the other, each an ordinary training."""

    def setup(self, config: dict[str, Any]) -> None:
        """Begin the first trial."""
        self.work = Work(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin another trial in the same process."""
        self.work.end()
        self.work = Work(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Wait for the next evaluation, or for the end of the trial."""
        return self.work.next_report()

    def cleanup(self) -> None:
        """Nobody wants this process any more."""
        self.work.end()


class Work:
    """One trial in the thread of this process that trains.

    Args:
        config: ``folder`` and ``plan`` of the sweep, ``setting`` and ``seeds`` of the trial.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.plan, self.folder = Plan.from_dict(config["plan"]), Path(config["folder"])
        self.setting: Setting = as_words(config["setting"])
        self.seeds = [config["seed"]] if "seed" in config else list(config["seeds"])
        self._reports: queue.Queue[dict[str, Any] | BaseException] = queue.Queue()
        self._go_on = threading.Semaphore(0)
        self._told = self._stop = False
        self._parent = os.getppid()
        self._future = _thread(self.plan.device == "cpu").submit(self._run)
        self._future.add_done_callback(self._not_begun)

    def next_report(self) -> dict[str, Any]:
        """The next report, once there is one; the training waits for it to be asked for."""
        if self._told:
            self._go_on.release()
        report = self._reports.get()
        if isinstance(report, BaseException):
            raise report
        self._told = True
        return report

    def end(self) -> None:
        """Let a trial that was stopped early end as an ordinary run.

        One whose sweep is being stopped is left alone: it is repeated when the sweep goes on. So is one of which
        nothing was heard yet, which nobody can have stopped: Tune has given it to a process that was free earlier.
        """
        if not self._future.done() and (not self._told or (self.folder / STOPPING).exists()):
            os._exit(0)
        self._stop = True
        self._go_on.release()
        self._future.exception()

    def _run(self) -> None:
        try:
            records = [train_once(self.plan, self.folder, self.setting, seed, self._look) for seed in self.seeds]
        except BaseException as error:
            self._reports.put(error)
            return
        scores = [record.score for record in records if record.score is not None]
        score = sum(scores) / len(scores) if len(scores) == len(records) else float("nan")
        self._reports.put({SCORE: score, "epoch": max(record.epochs for record in records), "done": True})

    def _not_begun(self, future: Future[None]) -> None:
        """Report why the thread could not begin: nobody else would, and the sweep would wait."""
        if (error := future.exception()) is not None:
            self._reports.put(error)

    def _look(self, info: Any) -> bool:
        """Called after every epoch: report an evaluation and wait for what Tune decides."""
        if os.getppid() != self._parent:  # Ray's own process of this machine is gone: nobody waits for this trial
            os._exit(1)
        last = info.epoch >= info.max_epochs  # over anyway: what counts is the evaluation of the whole run
        evaluated = info.evaluation is not None and info.evaluation.complete
        if self.plan.early_stop and evaluated and not last and not self._stop:
            self._reports.put({SCORE: own_return(info.evaluation), "epoch": info.epoch, "done": False})
            self._go_on.acquire()
        return not self._stop


def _where() -> dict[str, str]:
    """The machine that this process runs on, by its own name and by Ray's."""
    return {"host": socket.gethostname(), "node": ray.get_runtime_context().get_node_id()}


def own_return(evaluation: Any) -> float:
    """Mean return under the task's own reward, whatever was paid."""
    default = evaluation.default_returns
    return evaluation.mean_return if default is None else float(default.mean())


@functools.cache
def _thread(alone: bool) -> ThreadPoolExecutor:
    """The thread of this process that trains; ``alone`` gives it a core of its own."""
    return ThreadPoolExecutor(1, "trials", initializer=_take_a_core if alone else None)


_core: list[Any] = []


def _take_a_core() -> None:
    """Bind this thread to a core that no other trial of this machine has taken.

    A lock file tells; the system opens it when the process ends, however it ends. With more trials than cores, or where
    that file cannot be written, they share.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    for core in cores:
        try:
            file = open(Path(tempfile.gettempdir(), f"cartpole-lab-{os.getuid()}-core-{core}.lock"), "w")  # noqa: SIM115
        except OSError:  # in a container root may be somebody else
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        _core.append(file)
        os.sched_setaffinity(0, {core})
        return
    os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})


def train_once(plan: Plan, folder: Path, setting: Setting, seed: int, look: Callable[[Any], bool]) -> Record:
    """Run the training of one trial, unless its record is there: then it was done before the sweep was stopped.

    A training that ends in an error of its own settings is recorded as failed. What the machine does to it (a full
    disk, too little memory) is raised: Tune tries again, and so does a sweep that is gone on with.

    Args:
        plan: What the sweep runs.
        folder: Folder of the sweep.
        setting: What this trial tries.
        seed: Its seed.
        look: Called after every epoch; False ends the training.
    """
    name, began = file_name(setting, seed), time.time()
    with shortcuts.imports():
        from cartpole_lab.session.nan_guard import NotFinite
        from cartpole_lab.training.rl_games_train import train

    with open(folder / "trials" / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a search may draw one setting twice
        if (before := read_record(folder, name)) is not None and before.status != "failed":
            return before
        for left in (folder / "runs").glob(f"*/{name}"):  # by a process that was killed
            shutil.rmtree(left)
        stopped: list[bool] = []
        facts: dict[str, Any] = {"name": name, "setting": setting, "seed": seed, **_where()}

        def after(info: Any) -> bool:
            if not look(info):
                stopped.append(True)
                return False
            return True

        try:
            run = train(options=plan.options(setting, seed, folder), on_epoch=after, started=began)
        except (UserError, NotFinite) as error:
            cause = error.__cause__
            if isinstance(cause, OSError):
                raise cause from None
            record = Record(**facts, status="failed", message=" ".join(str(error).split()), began=began)
        else:
            record = Record.of(
                run, facts, "stopped early" if stopped else "done", began, own_return(run.evaluation), folder
            )
        record.write(folder)
        return record
