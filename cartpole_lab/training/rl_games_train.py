"""Training with rl-games, in the order in which Isaac Lab's own ``train.py`` works.

Read :func:`train` first, which names the steps, then each of them below it. The numbers are those of lesson 7; the
launch (3) waits for the environment (5), so that settings that are refused leave no folder and no simulator.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartpole_lab import shortcuts
from cartpole_lab.evaluation import EPISODES, run_episodes
from cartpole_lab.files import output_in
from cartpole_lab.policies.checkpoint import Checkpoint
from cartpole_lab.policies.meaning import Meaning
from cartpole_lab.session.env import close_env, open_env
from cartpole_lab.session.env_settings import EnvSettings, differences, record
from cartpole_lab.session.held_output import quietly
from cartpole_lab.session.nan_guard import NotFinite, guarded
from cartpole_lab.training import signals
from cartpole_lab.training.best_policy import Watch, make_observer
from cartpole_lab.training.checkpoints import Keeper, keeping
from cartpole_lab.training.distributed import Group, join, part_of, sharing
from cartpole_lab.training.option_checks import check_options
from cartpole_lab.training.options import EVAL_INTERVAL, VERDICT_SEED, TrainOptions
from cartpole_lab.training.progress import EpochInfo, ProgressLine
from cartpole_lab.training.rl_games_settings import names_rate, settle
from cartpole_lab.training.run_folder import (
    check_start,
    end_track,
    make_log_dir,
    nothing_left,
    physics_name,
    prepare_env_cfg,
    preset_overrides,
    record_clips,
    track,
    write_params,
)
from cartpole_lab.training.training_run import TrainingRun, env_to_judge_in


@signals.stoppable
def train(
    task_or_cfg: Any = None,
    options: TrainOptions | None = None,
    *,
    agent_cfg: dict[str, Any] | None = None,
    on_epoch: Callable[[EpochInfo], bool | None] | None = None,
    started: float | None = None,
    **fields: Any,
) -> TrainingRun:
    """Train a policy, with rl-games unless ``rl_library`` names another.

    Args:
        task_or_cfg: Registered id, or an environment config of your own; by default the options' ``task``, else that
            of the checkpoint to go on from, else the cart-pole.
        options: What the training is told; by default :class:`TrainOptions` as it is.
        agent_cfg: Agent settings of your own, in place of those behind ``agent``.
        on_epoch: Called after every epoch. Returning False ends the training and keeps what was learned.
        started: :func:`time.time` at which the clock of ``wall_s_total`` starts; by default now.
        **fields: Single fields of the options, such as ``num_envs=1024`` or ``max_iterations=50``; each is described
            at :class:`TrainOptions`.

    Returns:
        The run, evaluated.

    Raises:
        UserError: Something asked for can't be done; nothing has been overwritten.
    """
    started = time.time() if started is None else started
    options = part_of(check_options((options or TrainOptions()).changed(**fields)))  # 1. arguments
    task_or_cfg = options.task if task_or_cfg is None else task_or_cfg
    if options.rl_library != "rl_games":
        from cartpole_lab.training.other_libraries_train import train_library

        return train_library(task_or_cfg, options, agent_cfg=agent_cfg, on_epoch=on_epoch, started=started)
    line = ProgressLine(options.progress)

    plan = _settle(options, task_or_cfg, agent_cfg)  # 2. settings and 4. log folder
    if plan.start is not None:
        now = "".join(f", now {word}" for word in plan.changed)
        line.show(f"going on from epoch {plan.start.epoch} of {plan.start.path}, with its settings{now}", keep=True)
    line.show(f"making {plan.env_cfg.scene.num_envs} environments of {plan.task} on {plan.env_cfg.sim.device} …")
    envs = _make_env(plan)  # 3. launch, 5. environment and 6. the wrapper around it
    watch = _make_watch(plan, envs.env, line, on_epoch)
    with nothing_left(plan.log_dir, unless=lambda: watch.done):
        stopped = _run(plan, watch)  # 6. runner
    run: Any = _finish(plan, envs, watch, line, stopped, started) if plan.group.first else None  # 7. clean-up
    close_env()
    run = plan.group.share(run)
    plan.group.leave()
    return run


@dataclass(frozen=True)
class _Plan:
    """What a training is made of.

    Attributes:
        start: The checkpoint to go on from, None for a training from nothing.
        env_cfg, plain_cfg: Config to train in, and the same without a film camera.
        seed: Seed of the training, before processes that learn together each take one of their own.
        recorded: The environment's settings as checkpoints keep them.
        changed: Which of them are not those of ``start``.
        group: The processes that learn together; one, unless ``--distributed``.
    """

    options: TrainOptions
    start: Checkpoint | None
    task: str
    env_cfg: Any
    plain_cfg: Any
    agent: str
    agent_cfg: dict[str, Any]
    seed: int
    recorded: EnvSettings
    changed: list[str]
    group: Group
    log_dir: Path


@dataclass(frozen=True)
class _Envs:
    """The live environment: as it is made, with its clips filmed, and with its numbers checked as well."""

    env: Any
    filmed: Any
    guarded: Any


def _settle(options: TrainOptions, task_or_cfg: Any, agent_cfg: dict[str, Any] | None) -> _Plan:
    """2. Settings: those of the run to go on with or the task's and the agent's, then what was asked for.

    4. Log folder, with everything needed to repeat the run.
    """
    with shortcuts.imports(), quietly():
        start, task, env_cfg, agent, agent_cfg = settle(options, task_or_cfg, agent_cfg)
        config, seed = agent_cfg["params"]["config"], env_cfg.seed
        group = join(options, env_cfg, agent_cfg["params"])
    with shortcuts.imports(), quietly():
        own = task_or_cfg is not None and not isinstance(task_or_cfg, str)
        recorded = record(task, env_cfg, preset_overrides(options, env_cfg, start), own=own)
        made = make_log_dir(config, options) if group.first else None
        log_dir = group.run_folder(config, made)
        env_cfg.log_dir = str(log_dir)
        if group.first:
            write_params(log_dir, recorded, agent, agent_cfg)
        plain_cfg = copy.deepcopy(env_cfg)
        env_cfg = prepare_env_cfg(options, env_cfg)
    changed = [] if start is None else differences(start.env, recorded)
    return _Plan(
        options, start, task, env_cfg, plain_cfg, agent, agent_cfg, seed, recorded, changed, group, log_dir
    )  # fmt: skip


def _make_env(plan: _Plan) -> _Envs:
    """3. Launch, 5. environment and 6. the wrapper that rl-games expects."""
    options, config = plan.options, plan.agent_cfg["params"]["config"]
    held = contextlib.nullcontext() if options.verbose else quietly()
    with nothing_left(plan.log_dir), shortcuts.imports(), held:
        with shortcuts.rl_games_imports(compiled=config.get("torch_compile", True)):  # True is rl-games' own default
            import rl_games.torch_runner  # noqa: F401
            from isaaclab_rl.rl_games import RlGamesVecEnvWrapper, register_rl_games_env

            shortcuts.ppo_agent()
        env = open_env(plan.task, plan.env_cfg, launcher_args=options.launcher_args)
        check_start(plan.start, env)
        filmed = record_clips(options, env, plan.log_dir)
        # a GPU would wait for every look; there the watch looks at the rewards of a whole rollout
        checked = guarded(filmed, options.check_finite and plan.env_cfg.sim.device == "cpu")
        register_rl_games_env(RlGamesVecEnvWrapper.from_agent_cfg(checked, plan.agent_cfg))
    return _Envs(env, filmed, checked)


def _episodes(plan: _Plan, env: Any, small: int) -> int:
    """Episodes of an evaluation: as asked for; one an environment with a camera; else as usual, or ``small``."""
    num_envs, cameras = env.unwrapped.num_envs, set(env.unwrapped.scene.sensors) - {"film_camera"}
    return plan.options.eval_episodes or (num_envs if cameras else EPISODES if num_envs >= 256 else small)


def _make_watch(
    plan: _Plan, env: Any, line: ProgressLine, on_epoch: Callable[[EpochInfo], bool | None] | None
) -> Watch:
    """What looks in on rl-games after every epoch, and what writes its checkpoints."""
    options, start, params = plan.options, plan.start, plan.agent_cfg["params"]
    config, num_envs = params["config"], env.unwrapped.num_envs
    eval_interval = options.eval_interval
    if eval_interval is None:
        eval_interval = EVAL_INTERVAL if options.stop_when_solved else config.get("save_frequency", 0)
    shape = env.unwrapped.single_observation_space["policy"].shape
    actions = env.unwrapped.single_action_space.shape[0]
    trained = {"num_envs": num_envs, "seed": plan.seed, "device": plan.env_cfg.sim.device}
    keeper = Keeper(
        plan.log_dir,
        config["name"],
        Meaning("rl_games", plan.agent, plan.agent_cfg, plan.recorded, shape, actions, trained),
        start=None if start is None else start.state,
        same=start is not None
        and not (plan.changed or options.distributed)
        and options.seed in (None, start.meaning.trained.get("seed")),
        new_rate=names_rate(options),
        writes=plan.group.first,
    )
    episodes = _episodes(plan, env, 4 * num_envs)
    watch = Watch(env, params, keeper, line, on_epoch, options.stop_when_solved, eval_interval, episodes)
    watch.check_finite, watch.processes = options.check_finite, plan.group.size
    return watch


def _run(plan: _Plan, watch: Watch) -> str | None:
    """6. Runner: rl-games' own loop. The watch looks in after every epoch.

    Returns:
        The signal that ended it early, None if none did.
    """
    options, config = plan.options, plan.agent_cfg["params"]["config"]
    from rl_games.torch_runner import Runner

    with quietly():
        runner = Runner(make_observer(watch, plan.agent_cfg, options))
        agent = keeping(sharing(shortcuts.ppo_agent(), plan.group), watch.keeper)
        runner.algo_factory.register_builder("a2c_continuous", agent)
        runner.load(plan.agent_cfg)
        track(options, config, plan.env_cfg, plan.agent_cfg, plan.log_dir)
    run_args: dict[str, Any] = {"train": True, "play": False, "sigma": options.sigma}
    if plan.start is not None:
        run_args["checkpoint"] = str(plan.start.path)  # the keeper has read it: the file is not opened again
    with output_in(plan.log_dir / "console.log" if plan.group.first else os.devnull):
        watch.began = time.time()
        try:
            with signals.between_steps():
                runner.run(run_args)
        except KeyboardInterrupt as error:
            return watch.stop(error) if plan.group.first else None
        except NotFinite as error:
            watch.stop_at(error)
        finally:
            watch.close()
    return None


def _finish(
    plan: _Plan, envs: _Envs, watch: Watch, line: ProgressLine, stopped: str | None, started: float
) -> TrainingRun:
    """7. Clean-up: evaluate the best checkpoint on episodes that had no say in choosing it, write the numbers."""
    wall_s_train = time.time() - watch.began
    checkpoint = watch.keep_best()
    best = watch.best or watch.keeper.moment(watch.algo)  # the moment looks at the environment, which may close below
    line.show("evaluating the best checkpoint …")
    num_envs, episodes = envs.env.unwrapped.num_envs, _episodes(plan, envs.env, EPISODES)
    env = env_to_judge_in(envs.env, envs.filmed, plan.task, plan.plain_cfg, plan.options, episodes)
    policy = watch.policy(best)
    with watch.whole_episodes():
        evaluation = run_episodes(env, policy, episodes=episodes, seed=VERDICT_SEED + plan.seed, side_by_side=True)
    run = TrainingRun(
        processes=plan.group.size,
        log_dir=plan.log_dir,
        checkpoint=checkpoint,
        task=plan.task,
        physics=physics_name(plan.env_cfg.sim.physics),
        device=plan.env_cfg.sim.device,
        num_envs=num_envs,
        seed=plan.seed,
        epochs=watch.done or watch.algo.epoch_num,
        env_steps=int(watch.algo.frame),
        wall_s_total=time.time() - started,
        wall_s_train=wall_s_train,
        solved_s=watch.solved_at and watch.solved_at - started,
        stopped=stopped,
        evaluation=evaluation,
        curve=watch.curve.arrays(),
        largest_action=getattr(envs.guarded, "largest_action", None),
    )
    end_track(plan.options)
    line.show(run.headline, keep=True)
    run.write()
    return run


def _listed_signature() -> inspect.Signature:
    """The signature of :func:`train` with each option in it, for ``help`` and for completion."""
    parameters = list(inspect.signature(train).parameters.values())[:-1]
    parameters += [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=one.type)
        for one in dataclasses.fields(TrainOptions)
    ]
    return inspect.Signature(parameters, return_annotation=TrainingRun)


train.__signature__ = _listed_signature()  # type: ignore[attr-defined]
