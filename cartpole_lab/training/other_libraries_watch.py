"""What looks in on a library after every update: progress, evaluations, checkpoints, and when to stop."""

from __future__ import annotations

import contextlib
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cartpole_lab.evaluation import run_episodes
from cartpole_lab.evaluation_result import Evaluation
from cartpole_lab.files import save_somewhere
from cartpole_lab.policies.checkpoint import packed
from cartpole_lab.policies.loading import build_policy
from cartpole_lab.policies.meaning import Meaning
from cartpole_lab.policies.network import NetworkPolicy
from cartpole_lab.policies.runs import Best, Run
from cartpole_lab.session.nan_guard import check_update
from cartpole_lab.session.saved_state import undisturbed
from cartpole_lab.training import signals
from cartpole_lab.training.options import CHOOSING_SEED, EVAL_INTERVAL, TrainOptions
from cartpole_lab.training.progress import Curve, EpochInfo, ProgressLine


class Stop(Exception):
    """Raised in a library's loop to leave it after an update; what was learned is kept."""


class Learner(ABC):
    """A library, as the watch sees it. It is made of agent settings, which it fills in.

    Attributes:
        name: Folder below that of all runs.
        iterations: Updates that the training will make.
        interval: Updates between evaluations and checkpoints, by the library's own settings.
        steps_per_update: Environment steps between two updates, each environment's.
        best_file: Name of the best checkpoint below the run's folder.
        inference: Whether it steps the environment in :func:`torch.inference_mode`, whose tensors can be changed in
            that mode only.
        final_observations: Whether it bootstraps a time-out from the last observation of its episode.
        settings: Settings of the agent, filled in.
    """

    name: str
    iterations: int
    interval: int
    steps_per_update: int
    best_file: str
    inference: bool
    final_observations: bool
    settings: Any

    @abstractmethod
    def learn(self, env: Any, log_dir: Path, resume: Mapping[str, Any] | None, watch: LibraryWatch) -> None:
        """Train until the last update, or until the watch raises :class:`Stop`."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """The entries of a checkpoint as they are now."""

    def packed(self, meaning: Meaning) -> bytes:
        """A checkpoint of the library's own kind, with what it means inside."""
        return packed(self.state(), meaning)

    def normalizer(self) -> dict[str, Any] | None:
        """Statistics of the observations that are in no entry of :meth:`state`."""
        return None

    @abstractmethod
    def weights(self) -> dict[str, torch.Tensor]:
        """What is learned, by name."""

    @abstractmethod
    def episodes(self) -> tuple[float, float]:
        """Running means of return and length that the library keeps; NaN until an episode has ended."""

    @abstractmethod
    def file(self, epoch: int) -> str:
        """Name of the checkpoint of an update, as the library calls it."""


class LibraryWatch:
    """Looks in on a library after every update.

    Attributes:
        curve: The learning curve so far.
        best: The policy that did best when evaluated, None before the first evaluation.
        solved_at: :func:`time.time` at which an evaluation had found the policy solved, with ``stop_when_solved``.
    """

    def __init__(
        self,
        env: Any,
        learner: Learner,
        meaning: Meaning,
        options: TrainOptions,
        line: ProgressLine,
        log_dir: Path,
        *,
        episodes: int,
        on_epoch: Callable[[EpochInfo], bool | None] | None,
    ) -> None:
        """Make a watch.

        Args:
            env: The live environment.
            learner: The library.
            meaning: What goes into every checkpoint.
            options: What the training was told.
            line: Where progress is shown.
            log_dir: The run's folder.
            episodes: Episodes of an evaluation.
            on_epoch: Called after every update; returning False ends the training.
        """
        self.env, self.learner, self.meaning, self.options = env, learner, meaning, options
        self.line, self.log_dir, self.count, self.on_epoch = line, log_dir, episodes, on_epoch
        usual = EVAL_INTERVAL if options.stop_when_solved else learner.interval
        self.interval = usual if options.eval_interval is None else options.eval_interval
        self.curve = Curve()
        self.began, self.epoch, self.best_score = time.time(), 0, -np.inf
        self.best: NetworkPolicy | None = None
        self.solved_at: float | None = None

    @property
    def env_steps(self) -> int:
        """Environment steps so far, all environments together."""
        return self.epoch * self.learner.steps_per_update * self.env.unwrapped.num_envs

    def mode(self) -> contextlib.AbstractContextManager[Any]:
        """The mode in which the environment may be stepped."""
        return torch.inference_mode() if self.learner.inference else torch.no_grad()

    def update_done(self, losses: Mapping[str, float]) -> None:
        """Called by the library after an update.

        Raises:
            Stop: The training is to end.
            NotFinite: The update has left numbers that are not finite.
            Stopped: A signal has asked for the end.
        """
        self.epoch += 1
        if self.options.check_finite:
            check_update(losses, self.learner.weights().items(), epoch=self.epoch, step=self.env_steps)
        if self.epoch % self.learner.interval == 0:
            self.save()
        wall_s = time.time() - self.began
        mean_return, mean_length = self.learner.episodes()
        whole_s = self.env.unwrapped.cfg.episode_length_s
        info = EpochInfo(
            epoch=self.epoch,
            max_epochs=self.learner.iterations,
            env_steps=self.env_steps,
            wall_s=wall_s,
            mean_return=mean_return,
            mean_length=mean_length,
            steps_per_s=self.env_steps / self.epoch / max(wall_s - self.curve.wall_s, 1e-9),
            evaluation=self._evaluate(),
            episode_s=whole_s,
            whole_episode_s=whole_s,
        )
        self.curve.note(info)
        self.line.show(info.line())
        stop = self.on_epoch is not None and self.on_epoch(info) is False
        if self.options.stop_when_solved and info.evaluation is not None and info.evaluation.solved_with_margin():
            self.solved_at = time.time()
        if stop or self.solved_at is not None:
            raise Stop
        signals.check()

    def _evaluate(self) -> Evaluation | None:
        """Every few updates let the policy as it is play fresh episodes, and keep it if it is the best so far."""
        if self.interval <= 0 or self.epoch % self.interval:
            return None
        with self.mode(), undisturbed(self.env):
            policy = self.policy()
            result = run_episodes(
                self.env, policy, episodes=self.count, seed=CHOOSING_SEED + self.epoch, side_by_side=True
            )
        self.curve.note_evaluation(self.epoch, result)
        if result.mean_return > self.best_score or self.best is None:
            self.best_score, self.best = result.mean_return, policy
            self._save_best(f"highest mean return of {len(self.curve['eval_epoch'])} evaluation(s)")
        return result

    def policy(self) -> NetworkPolicy:
        """The deterministic policy as it is now."""
        policy = build_policy(self.learner.state(), self._meaning(), self.meaning.observation)
        return policy.to(self.env.unwrapped.device)

    def _meaning(self) -> Meaning:
        return replace(self.meaning, normalizer=self.learner.normalizer())

    def save(self) -> Path:
        """Write a checkpoint of this moment, whole or not at all, and record it."""
        return self._write(self.log_dir / self.learner.file(self.epoch), None)

    def _save_best(self, why: str) -> Path:
        score = self.best_score if math.isfinite(self.best_score) else None
        path = self.log_dir / self.learner.best_file
        return self._write(path, Best(path, why, self.epoch, score))

    def _write(self, path: Path, best: Best | None) -> Path:
        path.parent.mkdir(exist_ok=True)
        save_somewhere(path, self.learner.packed(self._meaning()))
        Run.open(self.log_dir).note_checkpoint(path, epoch=self.epoch, best=best)
        return path

    def finish(self) -> NetworkPolicy:
        """Write the last checkpoint; return the best policy, or the last where none was evaluated."""
        self.save()
        if self.best is None:
            self.best = self.policy()
            self._save_best("the last update: none was evaluated")
        return self.best
