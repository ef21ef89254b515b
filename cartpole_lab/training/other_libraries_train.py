"""Training with rsl-rl, skrl or Stable-Baselines3: one flow around three libraries.

Each library is a small class (a :class:`~cartpole_lab.training.other_libraries_watch.Learner`) that fills its settings
in and runs its own loop; settings, folder, environment, checkpoints, evaluations and verdict are those of every
training here.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.evaluation import EPISODES, run_episodes
from cartpole_lab.evaluation_result import Evaluation
from cartpole_lab.files import output_in
from cartpole_lab.policies.checkpoint import Checkpoint
from cartpole_lab.policies.meaning import Meaning
from cartpole_lab.session import agent_keys
from cartpole_lab.session.configs import configure, settled_seed
from cartpole_lab.session.env import close_env, open_env
from cartpole_lab.session.env_settings import EnvSettings, plain, record
from cartpole_lab.session.held_output import quietly
from cartpole_lab.session.nan_guard import guarded
from cartpole_lab.session.task_lookup import DEFAULT_TASK, is_task
from cartpole_lab.tasks.success import check_judged
from cartpole_lab.training import signals
from cartpole_lab.training.libraries import check_library
from cartpole_lab.training.options import VERDICT_SEED, TrainOptions
from cartpole_lab.training.other_libraries_watch import Learner, LibraryWatch
from cartpole_lab.training.progress import EpochInfo, ProgressLine
from cartpole_lab.training.run_folder import (
    check_start,
    end_track,
    make_log_dir,
    nothing_left,
    physics_name,
    prepare_env_cfg,
    preset_overrides,
    record_clips,
    start_of,
    track,
    write_params,
)
from cartpole_lab.training.training_run import TrainingRun, env_to_judge_in

_LEARNERS = {"rsl_rl": ("rsl_rl_train", "RslRl"), "skrl": ("skrl_train", "Skrl"), "sb3": ("sb3_train", "Sb3")}
"""Module and class that train with a library; imported for the one that is asked for."""


def train_library(
    task_or_cfg: Any,
    options: TrainOptions,
    *,
    agent_cfg: Any = None,
    on_epoch: Callable[[EpochInfo], bool | None] | None = None,
    started: float,
) -> TrainingRun:
    """Train with rsl-rl, skrl or Stable-Baselines3, as :func:`cartpole_lab.train` does with rl-games.

    Args:
        task_or_cfg: As for :func:`cartpole_lab.train`.
        options: What the training is told; ``rl_library`` says which library. ``max_iterations`` counts from a
            checkpoint on.
        agent_cfg: Agent settings of your own, in place of those behind ``agent``.
        on_epoch: Called after every update; returning False ends the training.
        started: :func:`time.time` at which the clock starts.

    Raises:
        UserError: Something asked for can't be done; nothing has been overwritten.
    """
    library, line = check_library(options.rl_library), ProgressLine(options.progress)
    with quietly():  # 1. settings and 2. the run's folder
        plan = _plan(library, task_or_cfg, options, agent_cfg)
        plain_cfg, env_cfg = copy.deepcopy(plan.env_cfg), prepare_env_cfg(options, plan.env_cfg)
    line.show(f"making {env_cfg.scene.num_envs} environments of {plan.task} on {env_cfg.sim.device} …")
    held = contextlib.nullcontext() if options.verbose else quietly()
    with nothing_left(plan.log_dir), held:  # 3. environment
        env = open_env(plan.task, env_cfg, launcher_args=options.launcher_args)
        check_start(plan.start, env)
        guard = guarded(record_clips(options, env, plan.log_dir), options.check_finite)
        settings = plain(plan.learner.settings)
        track(options, {"name": plan.learner.name}, env_cfg, settings, plan.log_dir)
    num_envs, meaning = env_cfg.scene.num_envs, _meaning(plan, settings, env)
    episodes = options.eval_episodes or (EPISODES if num_envs >= 256 else 4 * num_envs)
    watch = LibraryWatch(env, plan.learner, meaning, options, line, plan.log_dir, episodes=episodes, on_epoch=on_epoch)
    with nothing_left(plan.log_dir, unless=lambda: watch.epoch):
        stopped = _learn(plan, guard, watch)  # 4. the library's own loop
    wall_s_train = time.time() - watch.began
    line.show("evaluating the best checkpoint …")
    facts = _facts(plan, env_cfg, watch)  # of the live environment: 5. the verdict may need another one
    evaluation = _judge(watch, guard, plan.task, plain_cfg, options, plan.seed)
    run = TrainingRun(
        **facts,
        wall_s_total=time.time() - started,
        wall_s_train=wall_s_train,
        solved_s=watch.solved_at and watch.solved_at - started,
        stopped=stopped,
        evaluation=evaluation,
        library=library,
        largest_action=getattr(guard, "largest_action", None),
    )
    close_env()
    line.show(run.headline, keep=True)
    run.write()
    return run


@dataclass(frozen=True)
class _Plan:
    """What is settled before anything is simulated."""

    library: str
    task: str
    agent: str
    env_cfg: Any
    seed: int
    learner: Learner
    start: Checkpoint | None
    recorded: EnvSettings
    log_dir: Path


def settle(
    library: str, task_or_cfg: Any, options: TrainOptions, agent_cfg: Any
) -> tuple[str, Any, Learner, Checkpoint | None, int]:
    """Settle everything before a folder is made: task, environment's config, learner, checkpoint, seed.

    Raises:
        UserError: Something asked for can't be done.
    """
    if agent_cfg is not None:
        agent_keys.check(_agent(options, library), agent_cfg)
    start = start_of(options, task_or_cfg)
    wanted = DEFAULT_TASK if task_or_cfg is None else task_or_cfg
    if start is not None and (task_or_cfg is None or is_task(task_or_cfg, start.env.task)):
        wanted = start.env
    asked: dict[str, Any] = {"num_envs": options.num_envs, "device": options.device, "overrides": options.overrides}
    task, env_cfg, loaded = configure(wanted, agent=_agent(options, library), **asked)
    settings = copy.deepcopy(loaded if agent_cfg is None else agent_cfg)
    own_seed = settings.get("seed") if isinstance(settings, dict) else settings.seed
    seed = env_cfg.seed = settled_seed(options.seed, own_seed)
    if options.stop_when_solved:
        check_judged(env_cfg, "--stop_when_solved")
    module, name = _LEARNERS[library]
    learner_of = getattr(import_module(f"cartpole_lab.training.{module}"), name)
    learner: Learner = learner_of(settings, options, env_cfg, seed, task)
    env_cfg.compute_final_obs = learner.final_observations
    return task, env_cfg, learner, start, seed


def _agent(options: TrainOptions, library: str) -> str:
    return options.agent or f"{library}_cfg_entry_point"


def _plan(library: str, task_or_cfg: Any, options: TrainOptions, agent_cfg: Any) -> _Plan:
    """Settle everything, then make the run's folder."""
    own = task_or_cfg is not None and not isinstance(task_or_cfg, str)
    task, env_cfg, learner, start, seed = settle(library, task_or_cfg, options, agent_cfg)
    agent = _agent(options, library)
    recorded = record(task, env_cfg, preset_overrides(options, env_cfg, start), own=own)
    log_dir = make_log_dir({"name": learner.name}, options)
    env_cfg.log_dir = str(log_dir)
    write_params(log_dir, recorded, agent, learner.settings, library=library)
    return _Plan(library, task, agent, env_cfg, seed, learner, start, recorded, log_dir)


def _meaning(plan: _Plan, settings: Any, env: Any) -> Meaning:
    """What goes into every checkpoint."""
    raw, cfg = env.unwrapped, plan.env_cfg
    shape, actions = raw.single_observation_space["policy"].shape, raw.action_manager.total_action_dim
    trained = {"num_envs": cfg.scene.num_envs, "seed": plan.seed, "device": cfg.sim.device}
    return Meaning(plan.library, plan.agent, settings, plan.recorded, shape, actions, trained)


def _learn(plan: _Plan, env: Any, watch: LibraryWatch) -> str | None:
    """Run the library's loop; a signal keeps what was learned. Returns the name of the signal, None without one."""
    start, log_dir = plan.start, plan.log_dir
    resume: Mapping[str, Any] | None = None
    if start is not None:
        resume = {**start.state, "normalizer": start.meaning.normalizer}
        watch.line.show(f"going on from {start.path}", keep=True)
    with output_in(log_dir / "console.log"):
        try:
            with signals.between_steps():
                plan.learner.learn(env, log_dir, resume, watch)
        except KeyboardInterrupt as error:
            if not watch.epoch:
                raise
            signals.answered()
            return signals.reason(error)
        except (KeyError, RuntimeError, ValueError) as error:
            if isinstance(error, UserError) or start is None or watch.epoch:
                raise
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"checkpoint {str(start.path)!r} does not fit this agent and task: {reason}; repeat the settings that "
                "it was trained with"
            ) from error
    return None


def _facts(plan: _Plan, env_cfg: Any, watch: LibraryWatch) -> dict[str, Any]:
    """What was trained, on what, and how it went: fields of :class:`TrainingRun`."""
    return {
        "log_dir": plan.log_dir,
        "checkpoint": plan.log_dir / plan.learner.best_file,
        "task": plan.task,
        "physics": physics_name(env_cfg.sim.physics),
        "device": env_cfg.sim.device,
        "num_envs": env_cfg.scene.num_envs,
        "seed": plan.seed,
        "epochs": watch.epoch,
        "env_steps": watch.env_steps,
        "curve": watch.curve.arrays(),
    }


def _judge(watch: LibraryWatch, filmed: Any, task: str, cfg: Any, options: TrainOptions, seed: int) -> Evaluation:
    """The best policy over fresh episodes that had no say in choosing it."""
    policy, episodes = watch.finish(), options.eval_episodes or EPISODES
    end_track(options)
    env = env_to_judge_in(watch.env, filmed, task, cfg, options, episodes)
    with watch.mode():
        return run_episodes(env, policy, episodes=episodes, seed=VERDICT_SEED + seed, side_by_side=True)
