"""A tiny task for checks of learning libraries: two numbers in, one out, every episode ends by time after ten steps."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

LENGTH, SCALE = 10, 3.0
_folder = tempfile.TemporaryDirectory()


class Toy:
    """``num_envs`` points on a line, pushed by actions; they start at random and are paid for staying near zero."""

    def __init__(self, num_envs: int = 16, seed: int = 0) -> None:
        """Place them; ``seed`` draws the starts."""
        self.num_envs, self.chance = num_envs, torch.Generator().manual_seed(seed)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.reset()

    def observe(self) -> torch.Tensor:
        """Position and time, shape ``(num_envs, 2)``."""
        return torch.stack([self.place, torch.full_like(self.place, self.time / LENGTH)], dim=1)

    def reset(self) -> torch.Tensor:
        """New starts for all."""
        self.place, self.time = SCALE * torch.randn(self.num_envs, generator=self.chance), 0
        return self.observe()

    def step(self, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Observation, reward, and whether time was up. The observation is then the next start's, as in Isaac Lab."""
        self.place = self.place + 0.5 * actions.view(-1)
        self.time += 1
        reward, over = 1.0 - 0.1 * self.place.abs(), self.time == LENGTH
        return (self.reset() if over else self.observe()), reward, torch.full((self.num_envs,), over)


def rl_games_agent(num_envs: int = 16, **settings: Any) -> Any:
    """An agent of rl-games with our network, on the toy; ``settings`` go over the file's."""
    import yaml
    from rl_games.algos_torch.a2c_continuous import A2CAgent
    from rl_games.common.algo_observer import DefaultAlgoObserver
    from rl_games.common.tr_helpers import DefaultRewardsShaper

    import cartpole_lab.tasks.agents as agents
    from cartpole_lab.session import quietly

    toy = Toy(num_envs)

    class Vec:
        """The toy as rl-games wants it."""

        def reset(self) -> dict[str, torch.Tensor]:
            return {"obs": toy.reset()}

        def step(self, actions: torch.Tensor) -> tuple[Any, ...]:
            obs, reward, over = toy.step(actions)
            return {"obs": obs}, reward, over.to(torch.uint8), {"time_outs": over}

        def set_train_info(self, *args: Any, **kwargs: Any) -> None:
            return None

        def get_env_state(self) -> None:
            return None

        def set_env_state(self, state: Any) -> None:
            return None

    file = Path(next(iter(agents.__path__))) / "rl_games_ppo_cfg.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8").replace("3e-4", "3.0e-4"))["params"]
    params["config"] |= {
        "device": "cpu",
        "device_name": "cpu",
        "num_actors": num_envs,
        "train_dir": _folder.name,
        "vec_env": Vec(),
        "env_info": {"observation_space": toy.observation_space, "action_space": toy.action_space},
        "features": {"observer": DefaultAlgoObserver()},
        "reward_shaper": DefaultRewardsShaper(),
        "print_stats": False,
        **settings,
    }
    torch.manual_seed(0)
    with quietly():
        return A2CAgent("run", params)


def start(agent: Any) -> Any:
    """What ``train`` does before its first epoch."""
    agent.init_tensors()
    agent.obs = agent.env_reset()
    agent.curr_frames = agent.batch_size_envs
    return agent
