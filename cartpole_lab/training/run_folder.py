"""Around a training run: its folder, its checkpoints, and the options that not every run needs."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.files import check_name, write_whole
from cartpole_lab.policies.checkpoint import Checkpoint
from cartpole_lab.policies.selectors import find_checkpoint
from cartpole_lab.session import overrides
from cartpole_lab.session.env import DEFAULT_AGENT, DEFAULT_TASK, configure, default_presets, has_camera
from cartpole_lab.session.held_output import announce
from cartpole_lab.session.recorded import EnvSettings, check_sizes, plain
from cartpole_lab.session.task_lookup import check_task, is_task
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


def check_names(config: dict[str, Any]) -> None:
    """See that what an agent calls itself can name a folder and files below ``--log_root``, and nothing elsewhere.

    Raises:
        UserError: It cannot.
    """
    check_name(config.get("name"), "agent.params.config.name")
    if config.get("full_experiment_name"):
        check_name(config["full_experiment_name"], "agent.params.config.full_experiment_name")


def resume_from(options: TrainOptions, task_or_cfg: Any) -> Checkpoint | None:
    """The checkpoint to go on from, read and checked before anything is written.

    Raises:
        UserError: There is none, or it holds too little to go on from.
    """
    if options.checkpoint is None:
        return None
    start = find_checkpoint(
        options.checkpoint,
        log_root=options.log_root,
        task=check_task(task_or_cfg) if isinstance(task_or_cfg, str) else None,
        agent=options.agent,
        library="rl_games",
        say=announce,
    )
    if start.library != "rl_games":
        raise UserError(f"checkpoint {str(start.path)!r} is one of {start.library}: rl_games cannot go on from it")
    missing = [name for name in ("epoch", "frame", "optimizer") if name not in start.state]
    if missing:
        raise UserError(f"checkpoint {str(start.path)!r} has no {' and no '.join(missing)}: it can act, not go on")
    return start


def check_start(start: Checkpoint | None, env: Any, log_dir: Path) -> None:
    """See that the checkpoint to go on from fits the environment; the run's folder is taken away again if not.

    Raises:
        UserError: It sees other observations than the environment gives, or gives other actions than it takes.
    """
    if start is None:
        return
    try:
        check_sizes(env, start.env, start.meaning.observation, start.meaning.actions)
    except UserError:
        shutil.rmtree(log_dir, ignore_errors=True)  # made by this process a moment ago; it holds nothing but settings
        here = Path.cwd()
        for folder in log_dir.parents:
            if here.is_relative_to(folder) or any(folder.iterdir()):
                break
            folder.rmdir()
        raise


def settings_of(
    options: TrainOptions, task_or_cfg: Any, agent_cfg: dict[str, Any] | None, start: Checkpoint | None
) -> tuple[str, Any, str, dict[str, Any]]:
    """Task, environment config, agent entry point and agent settings of a training.

    A training that goes on takes those of its checkpoint; what was asked for comes on top.

    Args:
        options: What the training was told.
        task_or_cfg: Registered id or config, None if nobody named any.
        agent_cfg: Agent settings of the user's own.
        start: The checkpoint to go on from.
    """
    asked = {"device": options.device, "num_envs": options.num_envs, "overrides": options.overrides}
    if start is None:
        agent = options.agent or DEFAULT_AGENT
        task, env_cfg, loaded = configure(DEFAULT_TASK if task_or_cfg is None else task_or_cfg, agent=agent, **asked)
        return task, env_cfg, agent, copy.deepcopy(loaded if agent_cfg is None else agent_cfg)
    same_task = is_task(task_or_cfg, start.env.task)
    if asked["num_envs"] is None and not any(word.startswith("env.scene.num_envs=") for word in options.overrides):
        asked["num_envs"] = start.meaning.trained.get("num_envs")
    if task_or_cfg is not None and not same_task:
        task, env_cfg, loaded = configure(task_or_cfg, agent=options.agent or start.meaning.agent, **asked)
    elif options.agent is not None:
        task, env_cfg, loaded = configure(start.env, agent=options.agent, **asked)
    else:
        asked["overrides"] = [word for word in options.overrides if not word.lstrip("+").startswith("agent.")]
        task, env_cfg, _ = configure(start.env, **asked)
        loaded = with_words(start, options.overrides)
    agent_cfg = loaded if agent_cfg is None else agent_cfg
    return task, env_cfg, options.agent or start.meaning.agent, copy.deepcopy(agent_cfg)


def with_words(start: Checkpoint, words: Sequence[str]) -> dict[str, Any]:
    """Agent settings of a checkpoint with words such as ``agent.params.config.gamma=0.98`` on top.

    Raises:
        UserError: The agent has no such setting.
    """
    agent_cfg = copy.deepcopy(dict(start.meaning.agent_cfg))
    for name in ("train_dir", "full_experiment_name"):  # of the run that recorded them
        agent_cfg.get("params", {}).get("config", {}).pop(name, None)
    parsed = [word for word in overrides.parse(words) if word.root == "agent"]
    overrides.apply(agent_cfg, parsed, root="agent", agent=start.meaning.agent)
    return agent_cfg


def preset_words(options: TrainOptions, env_cfg: Any, start: Checkpoint | None) -> list[str]:
    """Words that chose presets: asked for, by an environment variable, or by the checkpoint to go on from."""
    words = [*default_presets(options.overrides, has_camera(env_cfg)), *options.overrides]
    keys = {word.partition("=")[0] for word in words}
    inherited = () if start is None else start.env.presets
    return [*(word for word in inherited if word.partition("=")[0] not in keys), *words]


def names_rate(options: TrainOptions) -> bool:
    """Whether a learning rate was asked for, which then wins over that of the checkpoint to go on from."""
    return any(word.startswith("agent.params.config.learning_rate=") for word in options.overrides)


def make_log_dir(root: Path, config: dict[str, Any], options: TrainOptions, library: str = "rl_games") -> Path:
    """Make ``<root>/<name>/<time>``, and tell rl-games to use it.

    What can only fail when something is saved is tried here: the names of its files, and that they can be written.
    """
    folder = root / config["name"]
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
        place = log_dir / "nn" if library == "rl_games" else log_dir
        place.mkdir(exist_ok=True)
        trial = place / f"last_{config['name']}_ep_100000_rew_-100.00000000.pth"
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
