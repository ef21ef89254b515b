"""rsl-rl, in our environment and run folder. Its time-outs and clips are in order; see :class:`RslRl` for what is not.

Time-outs: rsl-rl 5.5.1 (``algorithms/ppo.py``, ``process_env_step``) adds ``gamma × V`` of the observation *before* the
step, as rl-games does, which needs no terminal observation.
"""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cartpole_lab.training.libraries import installed
from cartpole_lab.training.option_checks import check_batches
from cartpole_lab.training.options import TrainOptions
from cartpole_lab.training.other_libraries_watch import Learner, LibraryWatch, Stop


class RslRl(Learner):
    """PPO of rsl-rl.

    Two things of rsl-rl 5.5.1 are worked round here: ``OnPolicyRunner.load`` reads checkpoints with
    ``weights_only=False`` (``runners/on_policy_runner.py``), which would run code in them, so the state is read
    elsewhere and handed to its algorithm; and its rollout steps the environment in ``torch.inference_mode``, so whoever
    touches the environment afterwards has to be in that mode too (``inference``).
    """

    best_file = "best.pt"
    inference = True
    final_observations = False

    def __init__(self, settings: Any, options: TrainOptions, env_cfg: Any, seed: int, task: str) -> None:
        from isaaclab_rl.rsl_rl.utils import handle_deprecated_rsl_rl_cfg

        self.settings = handle_deprecated_rsl_rl_cfg(settings, installed("rsl_rl"))
        self.settings.seed, self.settings.device = seed, env_cfg.sim.device
        if options.max_iterations is not None:
            self.settings.max_iterations = options.max_iterations
        if options.sigma is not None:
            self.settings.actor.distribution_cfg.init_std = math.exp(options.sigma)
        self.name = self.settings.experiment_name
        self.iterations = self.settings.max_iterations
        self.steps_per_update = self.settings.num_steps_per_env
        self.interval = self.settings.save_interval
        check_batches(
            "num_mini_batches", self.settings.algorithm.num_mini_batches, env_cfg.scene.num_envs, self.steps_per_update
        )

    def learn(self, env: Any, log_dir: Path, resume: Mapping[str, Any] | None, watch: LibraryWatch) -> None:
        from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper
        from isaaclab_rl.rsl_rl.utils import create_rsl_rl_runner

        wrapped = RslRlVecEnvWrapper(env, clip_actions=self.settings.clip_actions)
        self.runner = create_rsl_rl_runner(wrapped, self.settings, log_dir=str(log_dir))
        if resume is not None:
            self.runner.alg.load(dict(resume), None, True)
        log = self.runner.logger.log

        def logged(**kwargs: Any) -> None:
            log(**kwargs)
            watch.update_done(kwargs["loss_dict"])

        self.runner.logger.log = logged
        self.runner.save = lambda *_, **__: None  # the watch writes checkpoints, whole and with their meaning
        try:
            with contextlib.suppress(Stop):
                self.runner.learn(self.iterations, init_at_random_ep_len=self.settings.init_at_random_ep_len)
        finally:
            if self.runner.logger.writer is not None:
                self.runner.logger.writer.close()

    def state(self) -> dict[str, Any]:
        return {**self.runner.alg.save(), "iter": self.runner.current_learning_iteration, "infos": None}

    def file(self, epoch: int) -> str:
        return f"model_{epoch}.pt"

    def weights(self) -> dict[str, torch.Tensor]:
        return self.runner.alg.get_policy().state_dict()

    def episodes(self) -> tuple[float, float]:
        logger = self.runner.logger
        if not logger.rewbuffer:
            return math.nan, math.nan
        return statistics.mean(logger.rewbuffer), statistics.mean(logger.lenbuffer)
