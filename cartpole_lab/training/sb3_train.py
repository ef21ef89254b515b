"""Stable-Baselines3, in our environment and run folder, with its time-outs mended and its normalisation kept."""

from __future__ import annotations

import contextlib
import copy
import io
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from isaaclab_rl.sb3 import Sb3VecEnvWrapper, process_sb3_cfg
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

from cartpole_lab.policies.checkpoint import with_meaning
from cartpole_lab.policies.meaning import Meaning
from cartpole_lab.training.options import TrainOptions
from cartpole_lab.training.other_libraries_watch import Learner, LibraryWatch, Stop

# Isaac Lab's wrapper calls it
warnings.filterwarnings("ignore", message=r"constant_fn\(\) is deprecated")


class Sb3(Learner):
    """PPO of Stable-Baselines3.

    Worked round here, each seen in stable-baselines3 2.9.2 behind ``isaaclab_rl.sb3`` of Isaac Lab 3.0.0:

    - Without ``compute_final_obs`` Isaac Lab's wrapper gives the *next* episode's first observation as
      ``terminal_observation``, from which a time-out is bootstrapped. ``final_observations`` has it computed.
    - ``PPO.load`` unpickles what is in the archive, which would run code in it: only tensors are read here.
    - With ``normalize_input`` the statistics lie in a pickle of their own; here they go into every checkpoint, and
      evaluation reads them back.
    """

    best_file = "best.zip"
    inference = False
    final_observations = True

    def __init__(self, settings: dict[str, Any], options: TrainOptions, env_cfg: Any, seed: int, task: str) -> None:
        self.settings, self.num_envs = settings, env_cfg.scene.num_envs
        settings["seed"] = seed
        self.steps_per_update = settings.get("n_steps", 2048)
        per_update = self.steps_per_update * self.num_envs
        if options.max_iterations is not None:
            settings["n_timesteps"] = options.max_iterations * per_update
        if options.sigma is not None:
            settings.setdefault("policy_kwargs", {})["log_std_init"] = options.sigma
        self.name = task
        self.iterations = math.ceil(settings["n_timesteps"] / per_update)
        self.interval = max(1, self.iterations // 10)
        self.device = env_cfg.sim.device
        self.normalized: Any = None

    def learn(self, env: Any, log_dir: Path, resume: Mapping[str, Any] | None, watch: LibraryWatch) -> None:
        settings = process_sb3_cfg(copy.deepcopy(self.settings), self.num_envs)
        network, total = settings.pop("policy"), int(settings.pop("n_timesteps"))
        wanted = {
            key: settings.pop(key) for key in ("normalize_input", "normalize_value", "clip_obs") if key in settings
        }
        wrapped: Any = Sb3VecEnvWrapper(env)
        if wanted.get("normalize_input"):
            wrapped = self.normalized = VecNormalize(
                wrapped,
                norm_reward=wanted.get("normalize_value", False),
                clip_obs=wanted.get("clip_obs", 100.0),
                gamma=settings["gamma"],
                clip_reward=np.inf,
            )
        self.agent = PPO(network, wrapped, verbose=1, tensorboard_log=str(log_dir), **settings)
        if resume is not None:
            self._resume(resume)

        class Watcher(BaseCallback):
            """Looks in when a rollout begins, which is when an update has ended."""

            def _on_step(self) -> bool:
                return True

            def _on_rollout_start(self) -> None:
                values = self.model.logger.name_to_value
                if "train/loss" in values:
                    watch.update_done({"whole": values["train/loss"], "value": values["train/value_loss"]})

        with contextlib.suppress(Stop):
            self.agent.learn(total_timesteps=total, callback=Watcher(), log_interval=10)
            watch.update_done({"whole": self.agent.logger.name_to_value["train/loss"]})
        self.agent.logger.close()

    def _resume(self, state: Mapping[str, Any]) -> None:
        self.agent.policy.load_state_dict(state["sb3"])
        kept = state.get("normalizer")
        if self.normalized is not None and kept is not None:
            rms = self.normalized.obs_rms
            rms.mean, rms.var, rms.count = np.array(kept["mean"]), np.array(kept["var"]), float(kept.get("count", 1e4))

    def state(self) -> dict[str, Any]:
        return {"sb3": self.agent.policy.state_dict()}

    def packed(self, meaning: Meaning) -> bytes:
        self.agent.save(buffer := io.BytesIO())
        return with_meaning(buffer.getvalue(), meaning)

    def normalizer(self) -> dict[str, Any] | None:
        if self.normalized is None:
            return None
        rms = self.normalized.obs_rms
        return {
            "mean": [float(number) for number in rms.mean],
            "var": [float(number) for number in rms.var],
            "count": float(rms.count),
            "epsilon": float(self.normalized.epsilon),
            "clip": float(self.normalized.clip_obs),
        }

    def file(self, epoch: int) -> str:
        # Stable-Baselines3 counts the steps of all environments
        return f"model_{epoch * self.steps_per_update * self.num_envs}_steps.zip"

    def weights(self) -> dict[str, torch.Tensor]:
        return self.agent.policy.state_dict()

    def episodes(self) -> tuple[float, float]:
        ended = self.agent.ep_info_buffer
        if not ended:
            return math.nan, math.nan
        return float(np.mean([item["r"] for item in ended])), float(np.mean([item["l"] for item in ended]))
