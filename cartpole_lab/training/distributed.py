"""Several processes that learn as one: on a GPU each, or, to try it, on a CPU.

Each process simulates its own carts with a seed of its own; gradients, KL divergence and the statistics that
normalise observations and values are averaged over all of them, so that they hold the same policy at every epoch. The
first one alone writes, evaluates and shows. ``torchrun`` starts them; :mod:`cartpole_lab.cli.launching` asks it
to.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cartpole_lab.errors import UserError
from cartpole_lab.session import cache_folders
from cartpole_lab.training import signals
from cartpole_lab.training.options import TrainOptions

if TYPE_CHECKING:
    import torch
    from rl_games.algos_torch.a2c_continuous import A2CAgent

RUN_ID = "cartpole-lab-"
"""What torchrun's name of a run begins with where the command has asked for it."""
PATIENCE = timedelta(hours=1)
"""How long a process waits for the others, which may wait for an evaluation."""
LOST = 75
"""Exit code of a process that has lost the others, which is no fault of its own."""
SPAWN_LOCK = "isaaclab_usd_spawn.lock"
"""File in the temporary folder that Isaac Lab locks while one of several processes reads a robot's file; it stays."""
_PR_SET_PDEATHSIG = 1
_joined = False


def rank() -> int:
    """Number of this process among those that torchrun has started; 0 where it has started none."""
    return int(os.environ.get("RANK", "0"))


def started_by_torchrun() -> bool:
    """Whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ and "RANK" in os.environ


def launched() -> bool:
    """Whether ``cartpole-lab train --distributed`` has asked torchrun for this process, and will say why it ended."""
    return started_by_torchrun() and os.environ["TORCHELASTIC_RUN_ID"].startswith(RUN_ID)


@dataclass(frozen=True)
class Group:
    """The processes of a training, as one of them sees them.

    Attributes:
        rank: Number of this one; the first is 0.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes, evaluates and shows."""
        return self.rank == 0

    def share[Thing](self, thing: Thing) -> Thing:
        """What the first process has; the others wait for it."""
        if self.size == 1:
            return thing
        import torch.distributed as dist

        things = [thing]
        dist.broadcast_object_list(things, 0)
        return things[0]

    def average(self, tensors: Iterable[torch.Tensor]) -> None:
        """Set tensors to their mean over the processes, in one message."""
        if self.size == 1:
            return
        import torch
        import torch.distributed as dist

        tensors = list(tensors)
        if not tensors:
            return
        everything = torch.cat([tensor.detach().double().reshape(-1) for tensor in tensors])
        dist.all_reduce(everything)
        everything /= self.size
        for tensor, mean in zip(tensors, everything.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def run_folder(self, config: dict[str, Any], log_dir: Path | None) -> Path:
        """The run's folder, which the first process has made. rl-games' files of the others go where they vanish."""
        log_dir = self.share(log_dir)
        assert log_dir is not None
        if not self.first:
            # where the command has asked torchrun, it clears up after a process that was killed too
            place = Path(os.environ["TORCHELASTIC_ERROR_FILE"]).parent if launched() else None
            self_destroying = tempfile.TemporaryDirectory(prefix="cartpole_lab_rank", dir=place)
            _keep_until_exit.append(self_destroying)
            config["train_dir"], config["full_experiment_name"] = self_destroying.name, log_dir.name
        return log_dir

    def leave(self) -> None:
        """End the membership of this process, once all of them are done."""
        global _joined
        if self.size > 1:
            import torch.distributed as dist

            self.share(None)  # nobody leaves while another one still waits for something
            dist.destroy_process_group()
            _joined = False


_keep_until_exit: list[tempfile.TemporaryDirectory[str]] = []


def part_of(options: TrainOptions) -> TrainOptions:
    """The options for this process: what only the first one does is off in the others.

    Raises:
        UserError: Nobody has started several processes, or ``num_gpus`` says another number of them.
    """
    if not options.distributed:
        return options
    if not started_by_torchrun():
        raise UserError(
            "distributed takes several processes: start them with cartpole-lab train --distributed --num_gpus 2, or "
            "torchrun --nproc_per_node=2 -m cartpole_lab.cli train --distributed"
        )
    there = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if options.num_gpus not in (None, there):
        raise UserError(f"num_gpus is {options.num_gpus}, and torchrun has started {there} processes: leave it out")
    if rank() == 0:
        return options
    return options.changed(progress=False, video=False, export_io_descriptors=False, track=False)


def use_own_lock() -> None:
    """Have temporary files of this process in a folder of its user's own, if Isaac Lab's lock is somebody else's.

    Whoever trains on a machine first leaves that file, which no other user may open for writing.
    """
    lock = Path(tempfile.gettempdir(), SPAWN_LOCK)
    if lock.exists() and not cache_folders.is_own(lock):
        with contextlib.suppress(OSError):
            tempfile.tempdir = str(cache_folders.own_temporary_folder())


def join(options: TrainOptions, env_cfg: Any, params: dict[str, Any]) -> Group:
    """Join the other processes, and settle what is this one's own: its device and its seed.

    Args:
        options: What the training was told.
        env_cfg: Environment config; its device and seed are set.
        params: The agent's ``params``; its device and seed are set.

    Raises:
        UserError: The agent learns with what is not shared.
    """
    global _joined
    if not options.distributed:
        return Group()
    use_own_lock()
    if launched() and sys.platform == "linux":
        end_with_the_command()
    import torch
    import torch.distributed as dist

    config = params["config"]
    if "central_value_config" in config:
        raise UserError(
            "agent.params.config.central_value_config is not covered by --distributed: leave one of them out"
        )
    local, device = int(os.environ.get("LOCAL_RANK", "0")), env_cfg.sim.device
    if device != "cpu":
        # a process that sees one GPU only takes that, as in Isaac Lab
        device = f"cuda:{local if local < torch.cuda.device_count() else 0}"
        torch.cuda.set_device(device)
    dist.init_process_group("gloo" if device == "cpu" else "cpu:gloo,cuda:nccl", timeout=PATIENCE)
    _joined = True
    group = Group(dist.get_rank(), dist.get_world_size())
    seed = group.share(params["seed"])
    env_cfg.seed = params["seed"] = seed + group.rank
    env_cfg.sim.device = config["device"] = config["device_name"] = device
    config["multi_gpu"] = False  # rl-games would ask for CUDA, and add the rank to the seed once more
    return group


def end_with_the_command() -> None:
    """Have SIGTERM sent to this process if the command that has started it is killed: nobody goes on alone.

    Linux sends one for each of the command's threads, as each of them ends. After the first there are no more: a second
    one would have this process leave while the others wait for it.
    """
    tell = ctypes.CDLL(None).prctl
    tell(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signals.at_first(lambda: tell(_PR_SET_PDEATHSIG, 0))


def sharing(agent: type[A2CAgent], group: Group) -> type[A2CAgent]:
    """An agent class of rl-games that learns together with those of the other processes.

    Args:
        agent: The class; with one process it is returned as it is.
        group: The processes.
    """
    if group.size == 1:
        return agent

    class SharingAgent(agent):
        def __init__(self, base_name: str, params: dict[str, Any]) -> None:
            import torch

            super().__init__(base_name, params)
            self.multi_gpu, self.global_rank, self.world_size = True, group.rank, group.size
            index = torch.device(self.ppo_device).index
            self.local_rank = -1 if index is None else index  # rl-games makes it the current GPU; -1 is none

        def train_epoch(self) -> tuple[Any, ...]:
            """One epoch; afterwards all processes normalise alike, which rl-games leaves to chance."""
            result = super().train_epoch()
            group.average(buffer for buffer in self.model.buffers() if buffer.is_floating_point())
            return result

    SharingAgent.__name__ = SharingAgent.__qualname__ = agent.__name__
    return SharingAgent


def lost_others(error: BaseException) -> bool:
    """Whether an error says that another process is gone."""
    words = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer", "Broken pipe")
    return _joined and isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def end(code: int) -> int:
    """End this process with an exit code; return it where nothing has to be done about the others.

    Before they have met, every process runs into the same mistake: the first one says so, the others wait to be ended.
    Afterwards nobody waits for those that are still at work.
    """
    if code and rank() > 0 and launched():
        time.sleep(2.0 if _joined else 20.0)
    if code and _joined:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for folder in _keep_until_exit:
            folder.cleanup()
        os._exit(code)
    return code
