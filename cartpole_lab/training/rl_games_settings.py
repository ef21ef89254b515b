"""What an rl-games training is made of, settled and checked before a folder or an environment is made."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.files import check_name
from cartpole_lab.policies.builders import check_rl_games
from cartpole_lab.policies.checkpoint import Checkpoint
from cartpole_lab.session import agent_keys
from cartpole_lab.session.configs import DEFAULT_AGENT, configure, settled_seed
from cartpole_lab.session.overrides import apply_overrides, parse_overrides
from cartpole_lab.session.task_lookup import DEFAULT_TASK, is_task
from cartpole_lab.tasks.success import check_judged
from cartpole_lab.training.options import TrainOptions
from cartpole_lab.training.run_folder import start_of


def settle(
    options: TrainOptions, task_or_cfg: Any, agent_cfg: dict[str, Any] | None = None
) -> tuple[Checkpoint | None, str, Any, str, dict[str, Any]]:
    """Settings of the run to go on with or the task's and the agent's, then what was asked for.

    Args:
        options: What the training is told.
        task_or_cfg: Registered id or config, None if nobody named any.
        agent_cfg: Agent settings of the user's own.

    Returns:
        The checkpoint to go on from, the task's id, the environment's config, the agent's entry point and its settings.
        The seed stands in both configs.

    Raises:
        UserError: Something asked for can't be done.
    """
    if agent_cfg is not None:
        agent_keys.check(options.agent or DEFAULT_AGENT, agent_cfg)
    start = _resume_from(options, task_or_cfg)
    task, env_cfg, agent, agent_cfg = _settings_of(options, task_or_cfg, agent_cfg, start)
    params, config = agent_cfg["params"], agent_cfg["params"]["config"]
    params["seed"] = env_cfg.seed = settled_seed(options.seed, params.get("seed"))
    config["device"] = config["device_name"] = env_cfg.sim.device
    config["num_actors"] = env_cfg.scene.num_envs
    config["print_stats"] = False  # the progress line says it
    params.setdefault("torch_threads", 0)  # as the session set them: rl-games would take all cores
    if options.max_iterations is not None:
        config["max_epochs"] = options.max_iterations
    if start is not None and start.epoch is not None and config.get("max_epochs", math.inf) <= start.epoch:
        raise UserError(
            f"max_iterations is {config['max_epochs']}, and the checkpoint has trained {start.epoch} epochs, which "
            f"count: ask for more, such as --max_iterations {start.epoch + config['max_epochs']}"
        )
    _check_names(config)
    check_rl_games(params)
    _check_minibatch(config)
    if options.stop_when_solved:
        check_judged(env_cfg, "--stop_when_solved")
    return start, task, env_cfg, agent, agent_cfg


def _resume_from(options: TrainOptions, task_or_cfg: Any) -> Checkpoint | None:
    """The checkpoint to go on from, if it holds enough."""
    start = start_of(options, task_or_cfg, options.agent)
    missing = [name for name in ("epoch", "frame", "optimizer") if start is not None and name not in start.state]
    if start is not None and missing:
        raise UserError(f"checkpoint {str(start.path)!r} has no {' and no '.join(missing)}: it can act, not go on")
    return start


def _settings_of(
    options: TrainOptions, task_or_cfg: Any, agent_cfg: dict[str, Any] | None, start: Checkpoint | None
) -> tuple[str, Any, str, dict[str, Any]]:
    """Task, environment config, agent entry point and agent settings: a checkpoint's, what was asked for on top."""
    asked: dict[str, Any] = {"device": options.device, "num_envs": options.num_envs, "overrides": options.overrides}
    if start is None:
        agent = options.agent or DEFAULT_AGENT
        task, env_cfg, loaded = configure(DEFAULT_TASK if task_or_cfg is None else task_or_cfg, agent=agent, **asked)
        return task, env_cfg, agent, copy.deepcopy(loaded if agent_cfg is None else agent_cfg)
    same_task = is_task(task_or_cfg, start.env.task)
    if asked["num_envs"] is None and not any(one.startswith("env.scene.num_envs=") for one in options.overrides):
        asked["num_envs"] = start.meaning.trained.get("num_envs")
    if task_or_cfg is not None and not same_task:
        task, env_cfg, loaded = configure(task_or_cfg, agent=options.agent or start.meaning.agent, **asked)
    elif options.agent is not None:
        task, env_cfg, loaded = configure(start.env, agent=options.agent, **asked)
    else:
        asked["overrides"] = [one for one in options.overrides if not one.lstrip("+").startswith("agent.")]
        task, env_cfg, _ = configure(start.env, **asked)
        loaded = _with_overrides(start, options.overrides)
    agent_cfg = loaded if agent_cfg is None else agent_cfg
    return task, env_cfg, options.agent or start.meaning.agent, copy.deepcopy(agent_cfg)


def _with_overrides(start: Checkpoint, overrides: Sequence[str]) -> dict[str, Any]:
    """Agent settings of a checkpoint with overrides such as ``agent.params.config.gamma=0.98`` on top."""
    agent_cfg = copy.deepcopy(dict(start.meaning.agent_cfg))
    for name in ("train_dir", "full_experiment_name"):  # of the run that recorded them
        agent_cfg.get("params", {}).get("config", {}).pop(name, None)
    parsed = [one for one in parse_overrides(overrides) if one.root == "agent"]
    apply_overrides(agent_cfg, parsed, root="agent", agent=start.meaning.agent)
    return agent_cfg


def _check_minibatch(config: dict[str, Any]) -> None:
    """See that rl-games can cut an epoch into equal minibatches."""
    envs, horizon = config["num_actors"], config["horizon_length"]
    size = config.get("minibatch_size", envs * config.get("minibatch_size_per_env", 0))
    if size < 1 or (envs * horizon) % size:
        raise UserError(
            f"minibatch_size {size} does not divide an epoch of {envs} environments × {horizon} steps = "
            f"{envs * horizon}: choose a divisor, such as agent.params.config.minibatch_size={envs * horizon // 4 or 1}"
        )


def _check_names(config: dict[str, Any]) -> None:
    """See that what an agent calls itself can name a folder and files below ``--log_root``, and nothing elsewhere."""
    check_name(config.get("name"), "agent.params.config.name")
    if config.get("full_experiment_name"):
        check_name(config["full_experiment_name"], "agent.params.config.full_experiment_name")


def names_rate(options: TrainOptions) -> bool:
    """Whether a learning rate was asked for, which then wins over that of the checkpoint to go on from."""
    return any(one.startswith("agent.params.config.learning_rate=") for one in options.overrides)
