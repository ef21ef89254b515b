"""What is simulated: importing this package registers the five cart-pole tasks with Gymnasium.

The keyword names are Isaac Lab's. Everything is given as a string, so registering loads no simulator.
"""

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

_AGENTS = f"{__name__}.agents"


def _register(task_id: str, **kwargs: str) -> None:
    """Register one task: :func:`gymnasium.register`, minus one check.

    Isaac Lab 3.0 calls its own task ``Isaac-Cartpole``, and Gymnasium refuses a versioned and an unversioned id of one
    name side by side, whichever comes first. A namespace of its own keeps ours out of that check, and keeps
    ``gym.make("Isaac-Cartpole")`` from answering with ours.
    """
    spec = EnvSpec(
        id=task_id,
        entry_point="isaaclab.envs:ManagerBasedRLEnv",
        disable_env_checker=True,  # the checker expects one environment, not a batch of them
        kwargs=kwargs,
    )
    spec.namespace = "cartpole_lab"
    gym.registry[task_id] = spec


# the cart-pole as four numbers
_register(
    "Isaac-Cartpole-v0",
    env_cfg_entry_point=f"{__name__}.cartpole_env_cfg:CartpoleEnvCfg",
    rl_games_cfg_entry_point=f"{_AGENTS}:rl_games_ppo_cfg",
    rl_games_fast_cfg_entry_point=f"{_AGENTS}:rl_games_fast_ppo_cfg",
    rl_games_with_symmetry_cfg_entry_point=f"{_AGENTS}:rl_games_symmetric_ppo_cfg",
    rsl_rl_cfg_entry_point=f"{_AGENTS}.rsl_rl_ppo_cfg:CartpolePPORunnerCfg",
    rsl_rl_with_symmetry_cfg_entry_point=f"{_AGENTS}.rsl_rl_ppo_cfg:CartpolePPORunnerWithSymmetryCfg",
    skrl_cfg_entry_point=f"{_AGENTS}:skrl_ppo_cfg.yaml",
    sb3_cfg_entry_point=f"{_AGENTS}:sb3_ppo_cfg.yaml",
    default_agent="rl_games",
)

# the cart-pole as pictures
_register(
    "Isaac-Cartpole-RGB-v0",
    env_cfg_entry_point=f"{__name__}.cartpole_camera_env_cfg:CartpoleRGBCameraEnvCfg",
    rl_games_cfg_entry_point=f"{_AGENTS}:rl_games_camera_ppo_cfg",
    rl_games_fast_cfg_entry_point=f"{_AGENTS}:rl_games_camera_fast_ppo_cfg",
    default_agent="rl_games",
)
_register(
    "Isaac-Cartpole-Depth-v0",
    env_cfg_entry_point=f"{__name__}.cartpole_camera_env_cfg:CartpoleDepthCameraEnvCfg",
    rl_games_cfg_entry_point=f"{_AGENTS}:rl_games_camera_ppo_cfg",
    rl_games_fast_cfg_entry_point=f"{_AGENTS}:rl_games_camera_fast_ppo_cfg",
    default_agent="rl_games",
)

# the cart-pole as what a frozen network makes of the pictures
_register(
    "Isaac-Cartpole-RGB-ResNet18-v0",
    env_cfg_entry_point=f"{__name__}.cartpole_camera_env_cfg:CartpoleResNet18CameraEnvCfg",
    rl_games_cfg_entry_point=f"{_AGENTS}:rl_games_feature_ppo_cfg",
    default_agent="rl_games",
)
_register(
    "Isaac-Cartpole-RGB-TheiaTiny-v0",
    env_cfg_entry_point=f"{__name__}.cartpole_camera_env_cfg:CartpoleTheiaTinyCameraEnvCfg",
    rl_games_cfg_entry_point=f"{_AGENTS}:rl_games_feature_ppo_cfg",
    default_agent="rl_games",
)
