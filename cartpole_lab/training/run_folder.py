"""The folder of a training run, what is written into it at the start, and what records the run beside it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.files import check_name, real, write_whole
from cartpole_lab.policies.checkpoint import Checkpoint
from cartpole_lab.policies.checkpoint_lookup import find_checkpoint
from cartpole_lab.session.configs import default_presets, has_camera
from cartpole_lab.session.env_settings import EnvSettings, check_sizes, plain
from cartpole_lab.session.held_output import announce
from cartpole_lab.session.task_lookup import check_task
from cartpole_lab.training.libraries import LIBRARIES
from cartpole_lab.training.options import TrainOptions


def physics_name(physics: Any) -> str:
    """The preset's name of a physics config."""
    names = {"NewtonCfg": "newton_mjwarp", "PhysxCfg": "isaacsim_physx"}
    kinds = [kind.__name__ for kind in type(physics).__mro__]
    return "ovphysx" if "OvPhysxCfg" in kinds else next((names[k] for k in kinds if k in names), kinds[0])


def start_of(options: TrainOptions, task_or_cfg: Any, agent: str | None = None) -> Checkpoint | None:
    """The checkpoint to go on from, read and checked before anything is written; None for a training from nothing.

    Args:
        options: What the training is told.
        task_or_cfg: Registered id or config, None if nobody named any.
        agent: Entry point that a run found by a word must have trained; None for any.

    Raises:
        UserError: There is none, or it is one of another library.
    """
    if options.checkpoint is None:
        return None
    task, library = check_task(task_or_cfg) if isinstance(task_or_cfg, str) else None, options.rl_library
    found = {"task": task, "agent": agent, "library": library}
    start = find_checkpoint(options.checkpoint, log_root=options.runs, say=announce, **found)
    if (by := start.library) != library:
        hint = f"go on from it with --rl_library {by}" if by in LIBRARIES else "it can act, not go on"
        raise UserError(f"checkpoint {str(start.path)!r} was written by {LIBRARIES.get(by, by)}: {hint}")
    return start


@contextlib.contextmanager
def nothing_left(log_dir: Path, unless: Callable[[], int] = lambda: 0) -> Iterator[None]:
    """Take the run's folder away again if the block fails before anything was trained: it holds nothing but settings.

    Args:
        log_dir: The folder, made by this process a moment ago.
        unless: How many epochs have been trained; with one or more the folder stays.
    """
    try:
        yield
    except (Exception, SystemExit):
        if unless():
            raise
        shutil.rmtree(log_dir, ignore_errors=True)
        here = Path.cwd()
        with contextlib.suppress(OSError):  # another run has begun there meanwhile
            for folder in log_dir.parents:
                if here.is_relative_to(folder) or any(folder.iterdir()):
                    break
                folder.rmdir()
        raise


def check_start(start: Checkpoint | None, env: Any) -> None:
    """See that the checkpoint to go on from fits the environment.

    Raises:
        UserError: It sees other observations than the environment gives, or gives other actions than it takes.
    """
    if start is not None:
        check_sizes(env, start.env, start.meaning.observation, start.meaning.actions)


def preset_overrides(options: TrainOptions, env_cfg: Any, start: Checkpoint | None) -> list[str]:
    """Overrides that chose presets: asked for, by an environment variable, or by the checkpoint to go on from."""
    chosen = [*default_presets(options.overrides, has_camera(env_cfg)), *options.overrides]
    keys = {one.partition("=")[0] for one in chosen}
    inherited = () if start is None else start.env.presets
    return [*(one for one in inherited if one.partition("=")[0] not in keys), *chosen]


def make_log_dir(config: dict[str, Any], options: TrainOptions) -> Path:
    """Make ``<folder of all runs>/<name>/<time>``, and tell rl-games to use it.

    What can only fail when something is saved is tried here: the names of its files, and that they can be written.
    """
    folder = real(options.runs) / config["name"]
    name = config.get("full_experiment_name") or datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    name = check_name(options.run_timestamp or name, "the name of the run's folder")
    log_dir, number = folder / name, 1
    try:
        while True:
            try:
                log_dir.mkdir(parents=True, exist_ok=False)
                break
            except FileExistsError:  # never into the folder of another run, be it made at this very moment
                number += 1
                log_dir = folder / f"{name}_{number}"
        place = log_dir / "nn" if options.rl_library == "rl_games" else log_dir
        place.mkdir(exist_ok=True)
        # as long a name as a checkpoint's, and none: somebody may be looking for one
        trial = place / f".last_{config['name']}_ep_100000_rew_-100.000000.part"
        trial.touch()
        trial.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"log folder {str(log_dir)!r} cannot be written ({error.strerror}): choose another with --log_root"
        ) from error
    config["train_dir"], config["full_experiment_name"] = str(folder), log_dir.name
    return log_dir


def write_params(log_dir: Path, env: EnvSettings, agent: str, agent_cfg: Any, library: str = "rl_games") -> None:
    """Write ``run.json``, and ``params/env.yaml`` and ``params/agent.yaml`` as plain data that a safe loader reads."""
    import yaml
    from isaaclab_rl.entrypoints.common import write_run_manifest

    write_run_manifest(str(log_dir), library=library, task=env.task, metadata={"agent": agent})
    (log_dir / "params").mkdir(exist_ok=True)
    for name, values in (("env", env.values), ("agent", plain(agent_cfg))):
        write_whole(log_dir / "params" / f"{name}.yaml", yaml.safe_dump(values, sort_keys=False))


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
        reinit="finish_previous",  # by default a second training would be written into the record of the first
        dir=str(log_dir),
        config={"env_cfg": to_dict(env_cfg), "agent_cfg": agent_cfg},
    )


def end_track(options: TrainOptions) -> None:
    """End the record of the run in Weights & Biases, if there is one: the process may go on."""
    if options.track:
        import wandb

        wandb.finish()
