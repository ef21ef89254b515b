"""Starting the processes of a distributed training with torchrun, and saying in one line why they ended early."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.replaced import replaced
from cartpole_lab.training.distributed import LOST, PATIENCE, RUN_ID
from cartpole_lab.training.options import TrainOptions


def words_of(options: TrainOptions) -> list[str]:
    """The words of a command line that gives these options."""
    words = []
    for one in fields(options):
        value, flag = getattr(options, one.name), one.metadata["flag"] or f"--{one.name}"
        if one.metadata["flag"] is None or value == one.default:
            continue
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag.removeprefix('--')}")
        else:
            words.append(f"{flag}={value}")
    return [*words, *options.overrides]


def count(options: TrainOptions) -> tuple[int, bool]:
    """How many processes to start here, and whether each gets a GPU.

    Raises:
        UserError: There are fewer GPUs, or nobody has said how many where there are none.
    """
    from cartpole_lab.session.configs import check_device

    device = check_device(options.device)
    if device == "cpu":
        if options.num_gpus is None:
            raise UserError(
                "--distributed takes one process a GPU, and this training is on the CPU: to try it with two processes "
                "there, add --device cpu --num_gpus 2"
            )
        return options.num_gpus, False
    import torch

    if device != "cuda:0":
        raise UserError(
            f"--device {device} names one GPU, and --distributed gives each process its own: leave --device out, or "
            "choose with CUDA_VISIBLE_DEVICES"
        )
    there = torch.cuda.device_count()
    if options.num_gpus is not None and options.num_gpus > there:
        raise UserError(f"num_gpus is {options.num_gpus}, and PyTorch sees {there} GPU{'s' * (there != 1)}")
    return options.num_gpus or there, True


def launch(options: TrainOptions, more: Sequence[str] = ()) -> int:
    """Run ``cartpole-lab train`` with these options in several processes of this machine.

    The first one writes and shows as ever; what the others print is kept back, and read if one of them fails.

    Args:
        options: What the training is told; each process is told the same.
        more: Further words for each of them.

    Returns:
        Exit code: that of the first process, or of the one that failed.

    Raises:
        UserError: There are too few GPUs.
    """
    number, on_gpus = count(options)
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    quiet = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # torchrun's own account of it, some thirty lines
    with tempfile.TemporaryDirectory(prefix="cartpole_lab_ranks") as folder:
        held_back = {local: Std.ALL for local in range(1, number)}
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=number,
            run_id=f"{RUN_ID}{uuid.uuid4()}",
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            signals_to_handle="SIGTERM,SIGINT",
            logs_specs=DefaultLogsSpecs(log_dir=folder, redirects=held_back or Std.NONE),
            virtual_local_rank=on_gpus,  # each sees its own GPU only, as cuda:0
        )
        here = {"", os.getcwd()} & set(sys.path)
        words = [*([] if here else ["-P"]), "-m", "cartpole_lab.cli", "train", *words_of(options), *more]
        try:
            with _patient():
                elastic_launch(config, sys.executable)(*words)
        except ChildFailedError as error:
            return _told(error.failures, Path(folder), options)
        except SignalException as error:
            print(f"\nstopped: {signal.Signals(error.sigval).name}", file=sys.stderr)
            return 128 + int(error.sigval)
        finally:
            logging.disable(quiet)
    return 0


@contextlib.contextmanager
def _patient() -> Iterator[None]:
    """In the block processes that are stopped by Ctrl-C have the time to evaluate and to write what they have learned.

    After half a minute torchrun would kill them. With SIGTERM it still does, as it asks those to end that one has left.
    """
    from torch.distributed.elastic.multiprocessing import PContext

    plain = PContext.close

    def close(self: Any, death_sig: signal.Signals | None = None, timeout: int = 30) -> None:
        plain(self, death_sig, int(PATIENCE.total_seconds()) if death_sig == signal.SIGINT else timeout)

    with replaced(PContext, close=close):
        yield


def _told(failures: dict[int, Any], folder: Path, options: TrainOptions) -> int:
    """Say why a training ended, unless its first process has; return the exit code."""
    first, stopped = failures.get(0), 128 + signal.SIGTERM  # torchrun stops those that are left
    causes = [failure for failure in failures.values() if failure.exitcode not in (LOST, stopped)]
    if first is not None and first.exitcode > 0 and (first in causes or (first.exitcode == stopped and not causes)):
        return first.exitcode
    failed = min(causes, key=lambda failure: failure.timestamp, default=first)
    assert failed is not None
    process = next(rank for rank, failure in failures.items() if failure is failed)
    if failed.exitcode < 0:
        why, code = f"was ended by {signal.Signals(-failed.exitcode).name}", 1
    else:
        said = [path.read_text(errors="replace") for path in folder.rglob(f"{process}/stderr.log")]
        last = next((line for line in reversed("".join(said).splitlines()) if line.strip()), "it said nothing")
        why, code = f"ended with exit code {failed.exitcode}: {last.strip()}", failed.exitcode
    print(
        f"cartpole-lab train: error: process {process} of this training {why}; what was saved before can go on with "
        f"--checkpoint latest --log_root {options.runs}",
        file=sys.stderr,
    )
    return code
