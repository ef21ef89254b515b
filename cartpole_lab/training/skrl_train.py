"""skrl, in our environment and run folder, with its actions clipped and its time-outs mended."""

from __future__ import annotations

import contextlib
import copy
import logging
import math
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import skrl
import torch
from isaaclab_rl.skrl import SkrlVecEnvWrapper
from skrl.utils.runner.torch import Runner

from cartpole_lab.training.option_checks import check_batches
from cartpole_lab.training.options import TrainOptions
from cartpole_lab.training.other_libraries_watch import Learner, LibraryWatch, Stop


class ClippedActions(gym.ActionWrapper):
    """Limits what reaches the environment, as Isaac Lab's wrappers for the other libraries do.

    The policy is left alone: what it sampled is what its probability is computed of.
    """

    def __init__(self, env: gym.Env, limit: float) -> None:
        """Limit actions to plus or minus ``limit``."""
        super().__init__(env)
        self.limit = limit

    def action(self, action: torch.Tensor) -> torch.Tensor:
        """The action that the environment gets."""
        return action.clamp(-self.limit, self.limit)


class Skrl(Learner):
    """PPO of skrl.

    Worked round here, each seen in skrl 2.1.1:

    - ``models/torch/gaussian.py`` clips to the bounds of the action space, which an Isaac Lab environment does not
      have, and Isaac Lab's wrapper for skrl clips nothing. ``env.clip_actions`` of the settings does, by
      :class:`ClippedActions`.
    - ``agents/torch/ppo/ppo.py`` bootstraps a time-out from ``next_observations``. Isaac Lab resets within the step, so
      that is the *next* episode's first observation: :meth:`_true_end` hands it the last one of the episode that ended.
    - ``agents/torch/base.py`` reads checkpoints with ``weights_only=False``, which would run code in them.
    """

    best_file = "checkpoints/best_agent.pt"
    inference = False
    final_observations = True

    def __init__(self, settings: dict[str, Any], options: TrainOptions, env_cfg: Any, seed: int, task: str) -> None:
        skrl.logger.setLevel(logging.WARNING)  # it says on standard error which seed it was given
        self.settings = settings
        settings["seed"] = seed
        self.steps_per_update = settings["agent"]["rollouts"]
        if options.max_iterations is not None:
            settings["trainer"]["timesteps"] = options.max_iterations * self.steps_per_update
        settings["trainer"].update(close_environment_at_exit=False, disable_progressbar=True)
        if options.sigma is not None:
            settings["models"]["policy"]["initial_log_std"] = options.sigma
        self.name = settings["agent"]["experiment"].get("directory") or "cartpole"
        self.iterations = settings["trainer"]["timesteps"] // self.steps_per_update
        self.interval = max(1, self.iterations // 10)
        self.device = env_cfg.sim.device
        check_batches(
            "mini_batches", settings["agent"].get("mini_batches", 1), env_cfg.scene.num_envs, self.steps_per_update
        )
        self.ended: deque[tuple[float, float]] = deque(maxlen=100)
        self._paid: torch.Tensor | None = None

    def learn(self, env: Any, log_dir: Path, resume: Mapping[str, Any] | None, watch: LibraryWatch) -> None:
        limit = self.settings.get("env", {}).get("clip_actions")
        settings = copy.deepcopy({key: value for key, value in self.settings.items() if key != "env"})
        settings["agent"]["experiment"].update(directory=str(log_dir.parent), experiment_name=log_dir.name)
        wrapped = SkrlVecEnvWrapper(env if limit is None else ClippedActions(env, float(limit)))
        runner = Runner(wrapped, settings)
        self.agent = runner.agent
        if resume is not None:
            for name, data in resume.items():
                if name in self.agent.checkpoint_modules:
                    self.agent.checkpoint_modules[name].load_state_dict(data)
        self.agent.record_transition = self._true_end(self.agent.record_transition)
        update = self.agent.update

        def updated(**kwargs: Any) -> None:
            update(**kwargs)
            tracked = self.agent.tracking_data
            watch.update_done(
                {name: tracked[f"Loss / {name.capitalize()} loss"][-1] for name in ("policy", "value")
                 if tracked.get(f"Loss / {name.capitalize()} loss")}
            )  # fmt: skip

        self.agent.update = updated
        self.agent.write_checkpoint = lambda **_: None  # the watch writes them, whole and with their meaning
        try:
            with contextlib.suppress(Stop):
                runner.run()
        finally:
            if getattr(self.agent, "writer", None) is not None:
                self.agent.writer.close()

    def _true_end(self, record: Any) -> Any:
        """``record_transition`` that bootstraps a time-out from the last observation of its episode."""

        def recorded(*, next_observations: torch.Tensor, truncated: torch.Tensor, infos: Any, **kwargs: Any) -> None:
            ends = next_observations
            if bool(truncated.any()) and "final_obs" in infos:
                last = infos["final_obs"]["policy"].reshape(next_observations.shape)
                ends = torch.where(truncated.view(-1, 1), last, next_observations)
            # rewards are a view of the environment's own buffer, which skrl adds the bootstrap to
            kwargs["rewards"] = kwargs["rewards"].clone()
            self._count(kwargs["rewards"].view(-1), (kwargs["terminated"] | truncated).view(-1))
            record(next_observations=ends, truncated=truncated, infos=infos, **kwargs)
            self.agent._current_next_observations = next_observations

        return recorded

    def state(self) -> dict[str, Any]:
        modules = self.agent.checkpoint_modules
        return {name: module.state_dict() for name, module in modules.items() if hasattr(module, "state_dict")}

    def file(self, epoch: int) -> str:
        # skrl counts steps
        return f"checkpoints/agent_{epoch * self.steps_per_update}.pt"

    def weights(self) -> dict[str, torch.Tensor]:
        return self.agent.policy.state_dict()

    def episodes(self) -> tuple[float, float]:
        if not self.ended:
            return math.nan, math.nan
        returns, lengths = zip(*self.ended, strict=True)
        return float(np.mean(returns)), float(np.mean(lengths))

    def _count(self, rewards: torch.Tensor, done: torch.Tensor) -> None:
        """Keep the returns and lengths of the latest episodes: skrl forgets its own whenever it writes them down."""
        if self._paid is None:
            self._paid, self._steps = torch.zeros_like(rewards), torch.zeros_like(rewards)
        self._paid += rewards
        self._steps += 1
        if bool(done.any()):
            self.ended.extend(zip(self._paid[done].tolist(), self._steps[done].tolist(), strict=True))
            self._paid[done] = self._steps[done] = 0.0
