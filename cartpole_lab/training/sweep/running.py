"""What Ray Tune is told: the trials, who chooses their settings, who stops them early, and what a signal means."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.training.progress import ProgressLine
from cartpole_lab.training.signals import Stopped
from cartpole_lab.training.sweep.cluster import cluster, environment
from cartpole_lab.training.sweep.options import SweepOptions
from cartpole_lab.training.sweep.plan import Plan
from cartpole_lab.training.sweep.records import STOPPING
from cartpole_lab.training.sweep.words import as_words, file_name

STATE = "tune"
"""Folder of a sweep in which Ray Tune keeps its own records."""
TRIES_AFTER_A_DEATH = 3
"""How often a trial is repeated whose process or machine has died."""


def run_trials(plan: Plan, folder: Path, options: SweepOptions) -> tuple[dict[str, str], str | None]:
    """Run what is left of a plan.

    Returns:
        Trials whose process died again and again, with the reason; and the signal that ended it all, None without one.

    Raises:
        UserError: There is no cluster at the address, Ray cannot be started, or the disk is full.
    """
    (folder / STOPPING).unlink(missing_ok=True)
    line = ProgressLine(options.progress)
    line.show("starting Ray …" if options.address is None else f"joining the Ray cluster at {options.address} …")
    with environment(), cluster(options, plan):
        from cartpole_lab.training.sweep.following import Follower, Listener

        follower = Follower(plan, folder, line)
        Listener.at_work.append(follower)
        try:
            with _signals(folder, follower), _at_home(options), _deaths_at_hand_over():
                make_tuner(plan, folder, options).fit()
        except Exception as error:
            follower.explain(error)
            raise
        finally:
            Listener.at_work.remove(follower)
    follower.close()
    if follower.full:
        raise UserError(follower.full)
    return follower.lost(), follower.stopped


def make_tuner(plan: Plan, folder: Path, options: SweepOptions) -> Any:
    """Ray Tune, told what to run; of a sweep that is gone on with, as its own records have it."""
    from ray import tune

    from cartpole_lab.training.sweep.following import Listener
    from cartpole_lab.training.sweep.trial import Trial

    resources = {"CPU": 1.0} if plan.device == "cpu" else {"CPU": 1.0, "GPU": 1 / plan.trials_per_gpu}
    trainable = tune.with_resources(Trial, resources)
    state = folder / STATE
    if list(state.glob("experiment_state-*.json")) and tune.Tuner.can_restore(str(state)):
        return tune.Tuner.restore(
            str(state),
            trainable,
            resume_unfinished=True,
            restart_errored=True,
            param_space=_space(plan, folder),
        )
    return tune.Tuner(
        trainable,
        param_space=_space(plan, folder),
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            max_concurrent_trials=options.at_once,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
            **_search(plan),
        ),
        run_config=tune.RunConfig(
            name=STATE,
            storage_path=str(folder),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # a run has its own
            failure_config=tune.FailureConfig(max_failures=TRIES_AFTER_A_DEATH),
            callbacks=[Listener()],
            verbose=0,
            log_to_file=False,
        ),
    )


@contextlib.contextmanager
def _at_home(options: SweepOptions) -> Iterator[None]:
    """In the block Tune gives trials to the processes that a Ray of this process's own has started at once.

    On a cluster, which others use too, it has Ray reserve a place for every trial, sees by a task whether that is
    there, and names environment variables. A process that has run a task, or was started without those variables, takes
    no trial: others would be started, and trials would wait for them. Here Tune itself counts the cores, and the
    variables are those of Ray, which ``cluster.SETTINGS`` has set.
    """
    if options.address is not None:
        yield
        return
    from ray.air.execution import FixedResourceManager
    from ray.tune.execution import class_cache, tune_controller

    ours: tuple[tuple[Any, str, Any], ...] = (
        (tune_controller, "PlacementGroupResourceManager", FixedResourceManager),
        (class_cache, "DEFAULT_ENV_VARS", {}),
        (class_cache, "ENV_VARS_TO_PROPAGATE", ()),
    )
    before = [(module, name, getattr(module, name)) for module, name, _ in ours]
    try:
        for module, name, value in ours:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


@contextlib.contextmanager
def _deaths_at_hand_over() -> Iterator[None]:
    """In the block Tune repeats a trial, too, whose process dies while it is handed that trial after another one.

    It deals with such a death twice, for the process and for what it was asked for. The second time the trial waits to
    be repeated, and Tune takes what is not at work for lost; besides, it takes it for one that is being handed over.
    """
    from ray.exceptions import RayActorError
    from ray.tune.execution.tune_controller import TuneController

    plain = TuneController._trial_task_failure

    def failed(self: Any, trial: Any, exception: Exception) -> None:
        handed_over = trial in self._resetting_trials
        if trial.status != "RUNNING":
            self._resetting_trials.discard(trial)
        if not (handed_over and trial.status == "PENDING" and isinstance(exception, RayActorError)):
            plain(self, trial, exception)

    TuneController._trial_task_failure = failed
    try:
        yield
    finally:
        TuneController._trial_task_failure = plain


def _name(trial: Any) -> str:
    config = trial.config
    return file_name(as_words(config["setting"]), config["seed"]) if "seed" in config else str(trial.trial_id)


def _space(plan: Plan, folder: Path) -> dict[str, Any]:
    """What Tune tries: every combination of a grid with every seed, or draws of which each gets all seeds."""
    from ray import tune

    def domain(axis: Any) -> Any:
        if axis.values:
            return tune.grid_search(list(axis.values)) if plan.search == "grid" else tune.choice(list(axis.values))
        if axis.whole:
            first, end = int(axis.low), int(axis.high) + 1
            return tune.lograndint(first, end) if axis.log else tune.randint(first, end)
        low, high = float(axis.low), float(axis.high)
        return tune.loguniform(low, high) if axis.log else tune.uniform(low, high)

    space: dict[str, Any] = {"folder": str(folder), "plan": plan.as_dict()}
    space["setting"] = {axis.name: domain(axis) for axis in plan.axes}
    if plan.search == "optuna":  # it learns from a setting's mean over the seeds: one trial runs them all
        return {**space, "seeds": list(plan.seeds)}
    return {**space, "seed": tune.grid_search(list(plan.seeds))}


def _search(plan: Plan) -> dict[str, Any]:
    """Words for Tune: who chooses the settings, how many, and who stops trials early."""
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.basic_variant import BasicVariantGenerator

    from cartpole_lab.training.sweep.trial import SCORE

    words: dict[str, Any] = {"num_samples": 1 if plan.search == "grid" else plan.samples}
    if plan.search == "optuna":
        from optuna.samplers import TPESampler
        from ray.tune.search.optuna import OptunaSearch

        sampler = TPESampler(seed=plan.search_seed)
        words["search_alg"] = OptunaSearch(metric=SCORE, mode="max", sampler=sampler)
    else:
        words["search_alg"] = BasicVariantGenerator(constant_grid_search=True, random_state=plan.search_seed)
    if plan.early_stop:
        grace = max(1, plan.max_epochs // 9)
        words["scheduler"] = ASHAScheduler(
            time_attr="epoch", metric=SCORE, mode="max", max_t=plan.max_epochs, grace_period=grace, reduction_factor=3
        )
    return words


@contextlib.contextmanager
def _signals(folder: Path, follower: Any) -> Iterator[None]:
    """In the block SIGINT and SIGTERM let Tune write its records and end; a second one ends at once."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGUSR1"):
        yield
        return

    def hear(number: int, frame: FrameType | None) -> None:
        if follower.stopped:
            raise Stopped(number)
        follower.stopped = signal.Signals(number).name
        with contextlib.suppress(OSError):
            (folder / STOPPING).touch()
        signal.raise_signal(signal.SIGUSR1)  # Tune's own way to be asked

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    try:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until Tune listens
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, hear)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
