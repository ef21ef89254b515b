"""What an rl-games training is made of, settled and checked before a folder or an environment is."""

from __future__ import annotations

import random
from typing import Any

from cartpole_lab.policies.builders import check_rl_games
from cartpole_lab.policies.checkpoint import Checkpoint
from cartpole_lab.tasks.success import check_judged
from cartpole_lab.training.options import TrainOptions
from cartpole_lab.training.run_folder import check_epochs, check_minibatch, check_names, resume_from, settings_of


def settled(
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
    start = resume_from(options, task_or_cfg)
    task, env_cfg, agent, agent_cfg = settings_of(options, task_or_cfg, agent_cfg, start)
    params, config = agent_cfg["params"], agent_cfg["params"]["config"]
    seed = params["seed"] if options.seed is None else options.seed
    seed = random.randint(0, 10000) if seed == -1 else seed
    params["seed"] = env_cfg.seed = seed
    config["device"] = config["device_name"] = env_cfg.sim.device
    config["num_actors"] = env_cfg.scene.num_envs
    config["print_stats"] = False  # the progress line says it
    params.setdefault("torch_threads", 0)  # as the session set them: rl-games would take all cores
    if options.max_iterations is not None:
        config["max_epochs"] = check_epochs(options.max_iterations)
    check_names(config)
    check_rl_games(params)
    check_minibatch(config)
    if options.stop_when_solved:
        check_judged(env_cfg, "--stop_when_solved")
    return start, task, env_cfg, agent, agent_cfg
