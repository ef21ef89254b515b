"""Training with rl-games, in the order in which Isaac Lab's own ``train.py`` works.

Read :func:`train` from top to bottom: settings, log folder, environment, wrapper, runner, clean-up.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from cartpole_lab import shortcuts
from cartpole_lab.evaluation import Evaluation, run_episodes
from cartpole_lab.files import output_in, write_whole
from cartpole_lab.policies.meaning import Meaning
from cartpole_lab.session.env import close_env, open_env
from cartpole_lab.session.finite import NotFinite, guarded
from cartpole_lab.session.held_output import quietly
from cartpole_lab.session.recorded import differences, record
from cartpole_lab.training import stopping
from cartpole_lab.training.checkpoints import Keeper, keeping
from cartpole_lab.training.distributed import join, part_of, sharing
from cartpole_lab.training.epoch_callback import CURVE_KEYS, EVAL_KEYS, Watch, make_observer
from cartpole_lab.training.flags import check_options
from cartpole_lab.training.libraries import LIBRARIES
from cartpole_lab.training.options import EVAL_INTERVAL, VERDICT_SEED, TrainOptions
from cartpole_lab.training.progress import EpochInfo, ProgressLine, plot_curve
from cartpole_lab.training.run_folder import (
    check_start,
    end_track,
    make_log_dir,
    names_rate,
    physics_name,
    prepare_env_cfg,
    preset_words,
    record_clips,
    track,
    write_params,
)
from cartpole_lab.training.settled import settled


@dataclass(frozen=True)
class TrainingRun:
    """What a training run left behind.

    Attributes:
        log_dir: Folder of the run: ``nn/``, ``params/``, ``summaries/``, ``curve.png``, ``summary.json``.
        checkpoint: The checkpoint that did best when evaluated.
        task, physics, device, num_envs, seed: What was trained, on what.
        epochs, env_steps: How long, in epochs and in environment steps.
        wall_s_total, wall_s_train: Seconds from start to end, and in the training loop (evaluations included).
        solved_s: Seconds from start until an evaluation found the policy solved; None if none did, or if the training
            was not to stop for it.
        stopped: Signal that ended it early, ``"SIGINT"`` or ``"SIGTERM"``; None if none did.
        evaluation: The checkpoint over fresh episodes that played no part in choosing it.
        curve: Arrays ``epoch``, ``env_steps``, ``wall_s``, ``return``, ``length``, ``episode_s``, ``whole_episode_s``,
            one entry an epoch, and ``eval_epoch``, ``eval_return``, ``eval_timeout_share``, one entry an evaluation.
            ``return`` is the number that TensorBoard shows too: where the agent cuts episodes, that of an episode of
            ``episode_s`` seconds. Evaluations play whole ones, of ``whole_episode_s`` seconds.
        library: What trained it, by its name for ``--rl_library``.
        largest_action: Largest size of an action that reached the environment; None if nobody looked.
        processes: How many processes learned together, each with ``num_envs`` environments.
    """

    log_dir: Path
    checkpoint: Path
    task: str
    physics: str
    device: str
    num_envs: int
    seed: int
    epochs: int
    env_steps: int
    wall_s_total: float
    wall_s_train: float
    solved_s: float | None
    stopped: str | None
    evaluation: Evaluation
    curve: dict[str, np.ndarray] = field(repr=False)
    library: str = "rl_games"
    largest_action: float | None = None
    processes: int = 1

    @property
    def solved(self) -> bool:
        """Whether the evaluation says so."""
        return self.evaluation.solved

    def summary(self) -> dict[str, Any]:
        """The numbers of ``summary.json``."""
        names = ("isaaclab", "newton", "warp-lang", "mujoco", "torch", LIBRARIES[self.library], "gymnasium")
        return {
            "library": self.library,
            "task": self.task,
            "physics": self.physics,
            "device": self.device,
            "num_envs": self.num_envs,
            "processes": self.processes,
            "seed": self.seed,
            "epochs": self.epochs,
            "env_steps": self.env_steps,
            "wall_s_total": round(self.wall_s_total, 2),
            "wall_s_train": round(self.wall_s_train, 2),
            "solved_s": self.solved_s and round(self.solved_s, 2),
            "stopped": self.stopped,
            **{k: v for k, v in self.evaluation.as_dict().items() if k != "seed"},
            "evaluation_seed": self.evaluation.seed,
            "largest_action": self.largest_action,
            "versions": {name: version(name) for name in names},
        }


@stopping.stoppable
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
    options = part_of(check_options((options or TrainOptions()).changed(**fields)))
    task_or_cfg = options.task if task_or_cfg is None else task_or_cfg
    if options.rl_library != "rl_games":
        from cartpole_lab.training.library_train import train_library

        return train_library(task_or_cfg, options, agent_cfg=agent_cfg, on_epoch=on_epoch, started=started)
    own = task_or_cfg is not None and not isinstance(task_or_cfg, str)
    line = ProgressLine(options.progress)

    # 1. Settings: those of the run to go on with or the task's and the agent's, then what was asked for.
    with shortcuts.imports(), quietly():
        start, task, env_cfg, agent, agent_cfg = settled(options, task_or_cfg, agent_cfg)
        params, config, seed = agent_cfg["params"], agent_cfg["params"]["config"], env_cfg.seed
        group = join(options, env_cfg, params)  # of one, unless --distributed

    # 2. Log folder, with everything needed to repeat the run.
    with shortcuts.imports(), quietly():
        recorded = record(task, env_cfg, preset_words(options, env_cfg, start), own=own)
        made = make_log_dir(Path(options.log_root).resolve(), config, options) if group.first else None
        log_dir = group.run_folder(config, made)
        env_cfg.log_dir = str(log_dir)
        if group.first:
            write_params(log_dir, recorded, agent, agent_cfg)
        plain_cfg = copy.deepcopy(env_cfg)
        env_cfg = prepare_env_cfg(options, env_cfg)

    changed = [] if start is None else differences(start.env, recorded)
    if start is not None:
        now = "".join(f", now {word}" for word in changed)
        line.show(f"going on from epoch {start.epoch} of {start.path}, with its settings{now}", keep=True)

    # 3. Environment and 4. the wrapper that rl-games expects.
    line.show(f"making {env_cfg.scene.num_envs} environments of {task} on {env_cfg.sim.device} …")
    with shortcuts.imports(), contextlib.nullcontext() if options.verbose else quietly():
        with shortcuts.rl_games_imports(compiled=config.get("torch_compile", True)):  # True is rl-games' own default
            from isaaclab_rl.rl_games import RlGamesVecEnvWrapper, register_rl_games_env
            from rl_games.torch_runner import Runner

            ppo_agent = shortcuts.ppo_agent()

        env = open_env(task, env_cfg, launcher_args=options.launcher_args)
        check_start(start, env, log_dir)
        filmed = record_clips(options, env, log_dir)
        # a GPU would wait for every look; there the watch looks at the rewards of a whole rollout
        guard = guarded(filmed, options.check_finite and env_cfg.sim.device == "cpu")
        register_rl_games_env(RlGamesVecEnvWrapper.from_agent_cfg(guard, agent_cfg))

    # 5. Runner: rl-games' own loop. The observer below looks in after every epoch.
    cameras = set(env.unwrapped.scene.sensors) - {"film_camera"}
    num_envs = env.unwrapped.num_envs
    episodes = options.eval_episodes or (num_envs if cameras else 1024 if num_envs >= 256 else 4 * num_envs)
    eval_interval = options.eval_interval
    if eval_interval is None:
        eval_interval = EVAL_INTERVAL if options.stop_when_solved else config.get("save_frequency", 0)
    spaces = env.unwrapped.single_observation_space["policy"], env.unwrapped.single_action_space
    trained = {"num_envs": num_envs, "seed": seed, "device": env_cfg.sim.device}
    meaning = Meaning("rl_games", agent, agent_cfg, recorded, spaces[0].shape, spaces[1].shape[0], trained)
    keeper = Keeper(
        log_dir,
        config["name"],
        meaning,
        start=start and start.state,
        same=start is not None
        and not (changed or options.distributed)
        and options.seed in (None, start.meaning.trained.get("seed")),
        new_rate=names_rate(options),
        writes=group.first,
    )
    watch = Watch(env, params, keeper, line, on_epoch, options.stop_when_solved, eval_interval, episodes)
    watch.check_finite, watch.processes = options.check_finite, group.size
    with quietly():
        observer = make_observer(watch, agent_cfg, options)
        runner = Runner(observer)
        runner.algo_factory.register_builder("a2c_continuous", keeping(sharing(ppo_agent, group), keeper))
        runner.load(agent_cfg)
        track(options, config, env_cfg, agent_cfg, log_dir)
    run_args: dict[str, Any] = {"train": True, "play": False, "sigma": options.sigma}
    if start is not None:
        run_args["checkpoint"] = str(start.path)  # the keeper has read it: the file is not opened again
    with output_in(log_dir / "console.log" if group.first else os.devnull):
        watch.began, stopped = time.time(), None
        try:
            with stopping.between_steps():
                runner.run(run_args)
        except KeyboardInterrupt as error:
            stopped = watch.stop(error) if group.first else None
        except NotFinite as error:
            watch.stop_at(error)
        finally:
            watch.close()
        wall_s_train = time.time() - watch.began

    if not group.first:
        close_env()
        run: TrainingRun = group.share(None)  # type: ignore[assignment]
        group.leave()
        return run

    # 6. Clean-up: evaluate the best checkpoint on episodes that had no say in choosing it, and write the numbers.
    checkpoint = watch.keep_best()
    best = watch.best or keeper.moment(watch.algo)  # the moment looks at the environment, which may close below
    line.show("evaluating the best checkpoint …")
    episodes = options.eval_episodes or (num_envs if cameras else 1024)
    if filmed is not env or num_envs < min(episodes, 256):  # few environments would play many rounds
        steps = env.unwrapped.common_step_counter
        filmed.close()
        plain_cfg.scene.num_envs = episodes
        with quietly():
            env = open_env(task, plain_cfg, launcher_args=options.launcher_args)
        env.unwrapped.common_step_counter = steps  # the curriculum goes by it
    policy = watch.policy(best)
    with watch.whole_episodes():
        evaluation = run_episodes(env, policy, episodes=episodes, seed=VERDICT_SEED + seed, side_by_side=True)
    run = TrainingRun(
        processes=group.size,
        log_dir=log_dir,
        checkpoint=checkpoint,
        task=task,
        physics=physics_name(env_cfg.sim.physics),
        device=env_cfg.sim.device,
        num_envs=num_envs,
        seed=seed,
        epochs=watch.done or watch.algo.epoch_num,
        env_steps=int(watch.algo.frame),
        wall_s_total=time.time() - started,
        wall_s_train=wall_s_train,
        solved_s=watch.solved_at and watch.solved_at - started,
        stopped=stopped,
        evaluation=evaluation,
        curve={name: np.array(watch.curve[name]) for name in (*CURVE_KEYS, *EVAL_KEYS)},
        largest_action=getattr(guard, "largest_action", None),
    )
    close_env()
    end_track(options)
    line.show(
        f"trained {run.epochs} epochs in {run.wall_s_train:.1f} s: evaluated return {evaluation.mean_return:.3f}, "
        f"{100 * evaluation.timeout_share:.2f} % time-outs of {evaluation.episodes} fresh episodes",
        keep=True,
    )
    np.savez(arrays := io.BytesIO(), **run.curve)
    write_whole(log_dir / "curve.npz", arrays.getvalue())
    line_at = evaluation.criterion and evaluation.criterion.required_return
    plot_curve(run.curve, log_dir / "curve.png", title=f"{task}, seed {seed}", solved_return=line_at)
    write_whole(log_dir / "summary.json", json.dumps(run.summary(), indent=2, allow_nan=False) + "\n")
    group.share(run)
    group.leave()
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
