"""What is simulated: importing this package registers the five cart-pole tasks with Gymnasium.

The keyword names are Isaac Lab's. Everything is given as a string, so registering loads no simulator.
"""

from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

_AGENTS = f"{__name__}.agents"


def _register(id: str, **spec: Any) -> None:
    """Register a task beside Isaac Lab's own.

    Isaac Lab 3 has a task ``Isaac-Cartpole``. Gymnasium reads ``Isaac-Cartpole-v0`` as a version of it and refuses to
    keep a name with and without versions, whichever comes second. So the ``-v0`` is filed as part of the name.
    """
    entry = EnvSpec(id=id, **spec)
    entry.name, entry.version = id, None
    gym.registry[id] = entry


# the cart-pole as four numbers
_register(
    id="Isaac-Cartpole-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.cartpole_env_cfg:CartpoleEnvCfg",
        "rl_games_cfg_entry_point": f"{_AGENTS}:rl_games_ppo_cfg.yaml",
        "rl_games_fast_cfg_entry_point": f"{_AGENTS}:rl_games_fast_ppo_cfg.yaml",
        "rsl_rl_cfg_entry_point": f"{_AGENTS}.rsl_rl_ppo_cfg:CartpolePPORunnerCfg",
        "rsl_rl_with_symmetry_cfg_entry_point": f"{_AGENTS}.rsl_rl_ppo_cfg:CartpolePPORunnerWithSymmetryCfg",
        "skrl_cfg_entry_point": f"{_AGENTS}:skrl_ppo_cfg.yaml",
        "sb3_cfg_entry_point": f"{_AGENTS}:sb3_ppo_cfg.yaml",
        "default_agent": "rl_games",
    },
)

# the cart-pole as pictures
_register(
    id="Isaac-Cartpole-RGB-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.cartpole_camera_env_cfg:CartpoleRGBCameraEnvCfg",
        "rl_games_cfg_entry_point": f"{_AGENTS}:rl_games_camera_ppo_cfg.yaml",
        "default_agent": "rl_games",
    },
)

_register(
    id="Isaac-Cartpole-Depth-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.cartpole_camera_env_cfg:CartpoleDepthCameraEnvCfg",
        "rl_games_cfg_entry_point": f"{_AGENTS}:rl_games_camera_ppo_cfg.yaml",
        "default_agent": "rl_games",
    },
)

# the cart-pole as what a frozen network makes of the pictures
_register(
    id="Isaac-Cartpole-RGB-ResNet18-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.cartpole_camera_env_cfg:CartpoleResNet18CameraEnvCfg",
        "rl_games_cfg_entry_point": f"{_AGENTS}:rl_games_feature_ppo_cfg.yaml",
        "default_agent": "rl_games",
    },
)

_register(
    id="Isaac-Cartpole-RGB-TheiaTiny-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.cartpole_camera_env_cfg:CartpoleTheiaTinyCameraEnvCfg",
        "rl_games_cfg_entry_point": f"{_AGENTS}:rl_games_feature_ppo_cfg.yaml",
        "default_agent": "rl_games",
    },
)
