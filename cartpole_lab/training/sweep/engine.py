"""The sweep itself: settle what to run, hand it to Ray Tune, make a table, a ranking and a report of what came out."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cartpole_lab.errors import UserError
from cartpole_lab.session.held_output import announce
from cartpole_lab.training.options import TrainOptions
from cartpole_lab.training.signals import Stopped
from cartpole_lab.training.sweep.options import (
    NOT_FOR_TRIALS,
    SweepOptions,
    check_extra,
    check_sweep_options,
    seeds_of,
)
from cartpole_lab.training.sweep.plan import FILE, Plan, settle
from cartpole_lab.training.sweep.records import read_records, table, write_table
from cartpole_lab.training.sweep.words import read_words

if TYPE_CHECKING:
    import pandas as pd

    from cartpole_lab.training.sweep.ranking import Ranked


@dataclass(frozen=True)
class Sweep:
    """What a sweep left behind.

    Attributes:
        folder: Its folder: ``results.csv``, ``results.parquet``, ``report.html``, ``runs/`` with a run a trial.
        table: One row a trial.
        ranking: The settings, the best first.
        total: How many trials it has.
        lost: Trials whose process died again and again, with the reason.
        stopped: Signal that ended it early; None if none did.
    """

    folder: Path
    table: pd.DataFrame = field(repr=False)
    ranking: list[Ranked]
    total: int
    lost: dict[str, str] = field(default_factory=dict)
    stopped: str | None = None

    @property
    def report(self) -> Path:
        """The page that shows it all, in one file."""
        return self.folder / "report.html"

    @property
    def failed(self) -> int:
        """Trials without a result."""
        return int((self.table["status"] == "failed").sum()) + len(self.lost)

    @property
    def unfinished(self) -> int:
        """Trials that are still to be run."""
        return self.total - len(self.table) - len(self.lost)

    def __str__(self) -> str:
        from cartpole_lab.training.sweep.ranking import text

        return text(self.ranking)


def sweep(
    task: str | None = None,
    words: Sequence[str] | Mapping[str, Any] = (),
    options: SweepOptions | None = None,
    *,
    train: TrainOptions | None = None,
    **fields: Any,
) -> Sweep:
    """Train a task with many settings and seeds, side by side on all cores, GPUs or machines, with Ray Tune.

    Args:
        task: Registered id; by default the cart-pole.
        words: What varies and what does not, such as ``["env.rewards.pole_pos.weight=-0.5,-1,-2"]``, or a mapping from
            names to lists of values.
        options: What the sweep is told; by default :class:`SweepOptions` as it is.
        train: What each training is told, as for :func:`cartpole_lab.train`.
        **fields: Single fields of either, such as ``seeds="0..9"`` or ``num_envs=512``.

    Returns:
        The sweep's table, ranking and report; everything lies in its folder too.

    Raises:
        UserError: Something asked for can't be done. What is wrong with a setting is said before anything starts.
        Stopped: A signal ended it; ``resume`` goes on.
    """
    own = {one.name for one in dataclasses.fields(SweepOptions)}
    given = {name: fields.pop(name) for name in list(fields) if name in own}
    options = check_sweep_options(dataclasses.replace(options or SweepOptions(), **given))
    check_extra()
    folder = None
    if options.resume is not None:
        if task is not None or words or fields or train is not None:
            raise UserError("--resume goes on with the settings that the sweep began with: name no others")
        folder = find_sweep(options)
        plan = Plan.read(folder)
    else:
        plan = plan_of(task, words, options, (train or TrainOptions()).changed(**fields))
        plan = settle(plan, elsewhere=options.address is not None)
    folder = folder or make_folder(options, plan)
    lost: dict[str, str] = {}
    stopped = None
    if len(read_records(folder, plan)) < plan.total:
        from cartpole_lab.training.sweep.running import run_trials

        lost, stopped = run_trials(plan, folder, options)
    done = results(folder, plan, lost, stopped)
    if stopped:
        announce(
            f"{len(done.table)} of {plan.total} trials are done; cartpole-lab sweep --resume {folder.name} goes on"
        )
        raise Stopped(signal.Signals[stopped])
    return done


def plan_of(
    task: str | None, words: Sequence[str] | Mapping[str, Any], options: SweepOptions, train: TrainOptions
) -> Plan:
    """What a sweep will run, not checked yet."""
    axes, fixed = read_words(words)
    changed = {
        one.name: getattr(train, one.name)
        for one in dataclasses.fields(TrainOptions)
        if getattr(train, one.name) != one.default
    }
    task = changed.pop("task", None) if task is None else task
    changed = {name: value for name, value in changed.items() if name not in ("task", "progress", "log_root")}
    for name in changed:
        if name in NOT_FOR_TRIALS:
            hint = "say seeds='0..9' instead" if name == "seed" else "leave it out"
            raise UserError(f"{name} cannot be given to the trials of a sweep: {hint}")
    return Plan(
        task=task,
        axes=tuple(axes),
        fixed=tuple(fixed),
        train=changed,
        seeds=seeds_of(options.seeds),
        search=options.search,
        samples=options.samples or 20,
        search_seed=options.search_seed,
        early_stop=options.early_stop,
        trials_per_gpu=options.trials_per_gpu,
    )


def make_folder(options: SweepOptions, plan: Plan) -> Path:
    """Make the folder of a sweep, with its plan in it.

    Raises:
        UserError: It is there already, or cannot be written.
    """
    name = options.name or datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    folder, number = Path(options.log_root).resolve() / name, 1
    try:
        while True:
            try:
                folder.mkdir(parents=True)
                break
            except FileExistsError:
                if options.name is not None:
                    raise UserError(
                        f"a sweep named {name!r} is there already: go on with it by --resume {name}, or choose another "
                        "--name"
                    ) from None
                number += 1
                folder = folder.with_name(f"{name}_{number}")
        for part in ("trials", "runs"):
            (folder / part).mkdir()
        plan.write(folder)
    except OSError as error:
        raise UserError(
            f"sweep folder {str(folder)!r} cannot be written ({error.strerror}): choose another with --log_root"
        ) from error
    return folder


def find_sweep(options: SweepOptions) -> Path:
    """The folder of the sweep to go on with.

    Raises:
        UserError: There is none of that name.
    """
    root, name = Path(options.log_root).resolve(), options.resume
    if name == "latest":
        there = [path.parent for path in root.glob(f"*/{FILE}")]
        if not there:
            raise UserError(f"there is no sweep below {str(options.log_root)!r} to go on with: start one first")
        return max(there, key=lambda path: (path / FILE).stat().st_mtime)
    for folder in (root / name, Path(name).resolve()):
        if (folder / FILE).is_file():
            return folder
    known = sorted(path.parent.name for path in root.glob(f"*/{FILE}"))
    hint = f"expected one of {', '.join(known[-5:])}" if known else f"there is none below {str(options.log_root)!r}"
    raise UserError(f"sweep {name!r} is not known: {hint}")


def results(folder: Path, plan: Plan, lost: Mapping[str, str], stopped: str | None) -> Sweep:
    """Table, ranking and report of what is done so far, written into the sweep's folder."""
    from cartpole_lab.training.sweep.ranking import rank
    from cartpole_lab.training.sweep.report import write_report

    records = read_records(folder, plan)
    frame, ranking = table(records, plan), rank(records)
    done = Sweep(folder, frame, ranking, plan.total, dict(lost), stopped)
    try:
        write_table(frame, folder)
        write_report(done, records, plan)
    except OSError as error:
        raise UserError(
            f"results of the sweep cannot be written to {str(folder)!r} ({error.strerror}); its {len(records)} trials "
            f"are kept: make room, then cartpole-lab sweep --resume {folder.name}"
        ) from error
    return done
