"""Around a training run: its folder, its checkpoints, and the options that not every run needs."""

from __future__ import annotations

import argparse
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.policies.network import read_checkpoint
from cartpole_lab.session.env import DEFAULT_TASK
from cartpole_lab.training.options import TrainOptions


def check_epochs(max_iterations: int) -> int:
    """Return a number of epochs.

    Raises:
        UserError: It isn't positive.
    """
    if max_iterations < 1:
        raise UserError(f"max_iterations is {max_iterations}, expected a positive number of epochs")
    return max_iterations


def check_minibatch(config: dict[str, Any]) -> None:
    """See that rl-games can cut an epoch into equal minibatches.

    Raises:
        UserError: It can't; names the numbers, and one that fits.
    """
    envs, horizon = config["num_actors"], config["horizon_length"]
    size = config.get("minibatch_size", envs * config.get("minibatch_size_per_env", 0))
    if size < 1 or (envs * horizon) % size:
        raise UserError(
            f"minibatch_size {size} does not divide an epoch of {envs} environments × {horizon} steps = "
            f"{envs * horizon}: choose a divisor, such as agent.params.config.minibatch_size={envs * horizon // 4 or 1}"
        )


def physics_name(physics: Any) -> str:
    """The preset's name of a physics config."""
    names = {"NewtonCfg": "newton_mjwarp", "PhysxCfg": "isaacsim_physx"}
    kinds = [kind.__name__ for kind in type(physics).__mro__]
    return "ovphysx" if "OvPhysxCfg" in kinds else next((names[k] for k in kinds if k in names), kinds[0])


def distribute(options: TrainOptions, env_cfg: Any, params: dict[str, Any]) -> int:
    """Give each process of a distributed run its own seed and GPU; return its rank."""
    if not options.distributed:
        return 0
    from isaaclab_rl.entrypoints.common import validate_distributed_device

    try:
        validate_distributed_device(argparse.Namespace(distributed=True, device=env_cfg.sim.device))
    except ValueError as error:
        raise UserError(str(error)) from error
    rank, local_rank = int(os.getenv("RANK", "0")), int(os.getenv("LOCAL_RANK", "0"))
    env_cfg.sim.device = f"cuda:{local_rank}"
    config = params["config"]
    config["device"] = config["device_name"] = env_cfg.sim.device
    config["multi_gpu"] = True
    env_cfg.seed = params["seed"] = params["seed"] + rank
    return rank


def resume_from(checkpoint: str | Path | None, task: str, agent: str, folder: Path) -> Path | None:
    """The checkpoint to go on from, checked before anything is written."""
    if checkpoint is None:
        return None
    path = find_checkpoint(checkpoint, task=task, agent=agent, folder=folder)
    read_checkpoint(path)  # refuses anything that would run code
    return path


def find_checkpoint(
    checkpoint: str | Path, *, task: str = DEFAULT_TASK, agent: str | None = None, folder: str | Path
) -> Path:
    """Turn ``"latest"``, ``"best"`` or a path into the path of a checkpoint.

    Args:
        checkpoint: A path, or a selector over the runs in ``folder``.
        task: Task that the run must have trained.
        agent: Agent entry point that the run must have used; None for any.
        folder: Folder that holds the runs.

    Raises:
        UserError: There is none.
    """
    from isaaclab_rl.entrypoints.common import CHECKPOINT_SELECTORS, resolve_checkpoint_selector

    if str(checkpoint) not in CHECKPOINT_SELECTORS:
        return Path(checkpoint).resolve()
    try:
        return Path(
            resolve_checkpoint_selector(
                str(folder),
                str(checkpoint),
                library="rl_games",
                task=task,
                checkpoint_pattern=r".*\.pth",
                other_dirs=["nn"],
                preferred_checkpoint_pattern=r"[^_]+\.pth" if checkpoint == "best" else None,
                metadata={"agent": agent} if agent else {},
            )
        )
    except ValueError as error:
        raise UserError(
            f"no {checkpoint} checkpoint of {task} in {str(folder)!r}: run `cartpole-lab train` first, or give a path"
        ) from error


def make_log_dir(root: Path, config: dict[str, Any], options: TrainOptions) -> Path:
    """Make ``<root>/<name>/<time>``, and tell rl-games to use it."""
    folder = root / config["name"]
    name = config.get("full_experiment_name") or datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    name = options.run_timestamp or name
    log_dir, number = folder / name, 1
    while log_dir.exists() and not options.distributed:  # never into an older run's folder
        number += 1
        log_dir = folder / f"{name}_{number}"
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
        (log_dir / ".writable").touch()
        (log_dir / ".writable").unlink()
    except OSError as error:
        raise UserError(
            f"log folder {str(log_dir)!r} cannot be written ({error.strerror}): choose another with --log_root"
        ) from error
    config["train_dir"], config["full_experiment_name"] = str(folder), log_dir.name
    return log_dir


def write_params(log_dir: Path, task: str, agent: str, env_cfg: Any, agent_cfg: dict[str, Any], rank: int) -> None:
    """Write ``run.json``, ``params/env.yaml`` and ``params/agent.yaml``."""
    from isaaclab_rl.entrypoints.common import dump_train_configs, write_run_manifest

    if rank == 0:
        write_run_manifest(str(log_dir), library="rl_games", task=task, metadata={"agent": agent})
        dump_train_configs(str(log_dir), env_cfg, agent_cfg)


def prepare_env_cfg(options: TrainOptions, env_cfg: Any) -> Any:
    """What the command line asks of the environment: descriptors of its inputs and outputs, films of the training.

    Args:
        options: What the training was told.
        env_cfg: Environment config.

    Returns:
        The config to make the environment from.
    """
    env_cfg.export_io_descriptors = options.export_io_descriptors
    if not options.video:
        return env_cfg
    from cartpole_lab.video.film_camera import with_film_camera

    return with_film_camera(env_cfg, num_envs=min(env_cfg.scene.num_envs, 9), width=1280, height=720)


def record_clips(options: TrainOptions, env: Any, log_dir: Path) -> Any:
    """Film the training, if asked to: the environment, wrapped so that it writes a clip every so often.

    Isaac Lab's ``VideoRecorderCfg`` needs moviepy 1, which nobody keeps up; the film code of ``cartpole-lab play``
    does the same.
    """
    if not options.video:
        return env
    from cartpole_lab.video.clips import ClipRecorder

    return ClipRecorder(
        env,
        log_dir / "videos" / "train",
        length=options.video_length,
        interval=options.video_interval,
    )


def track(
    options: TrainOptions, config: dict[str, Any], env_cfg: Any, agent_cfg: dict[str, Any], log_dir: Path
) -> None:
    """Follow the run in Weights & Biases, if asked to."""
    if not options.track:
        return
    import wandb
    from isaaclab.utils import to_dict

    wandb.init(
        project=options.wandb_project_name or config["name"],
        entity=options.wandb_entity,
        name=options.wandb_name or log_dir.name,
        sync_tensorboard=True,
        dir=str(log_dir),
        config={"env_cfg": to_dict(env_cfg), "agent_cfg": agent_cfg},
    )
