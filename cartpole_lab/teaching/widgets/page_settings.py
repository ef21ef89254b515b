"""What the page's own trainer needs to know, read from where it stands: task config, agents' YAML, criterion.

Nothing of it is typed again in JavaScript. The page's PPO covers what the cart-pole's agents use of rl-games, and
refuses the rest by name instead of ignoring it.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.tasks import success

AGENTS = {"with symmetry": "rl_games_symmetric_ppo_cfg", "fast": "rl_games_fast_ppo_cfg"}
"""Agent files that the page can train with, by the name that it shows."""
DEFAULT_AGENT = "with symmetry"
CART_POS = "cart_pos"
"""A sixth term that the page has on offer, the square of the cart's position; the task doesn't pay for it."""
NUM_ENVS = (64, 128, 256, 512, 1024)
"""Numbers of carts to choose from: multiples of 8 carts times 4 minibatches."""
DEFAULT_NUM_ENVS = 256
_NUMBERS = (
    "gamma", "tau", "learning_rate", "kl_threshold", "max_epochs", "grad_norm", "entropy_coef", "e_clip",
    "horizon_length", "minibatch_size_per_env", "mini_epochs", "critic_coef", "bounds_loss_coef",
)  # fmt: skip
_SWITCHES = ("truncate_grads", "clip_value", "normalize_value", "normalize_advantage", "lr_schedule")
_ONLY = {
    "normalize_input": (False,),
    "ppo": (True,),
    "mixed_precision": (False,),
    "multi_gpu": (False,),
    "value_bootstrap": (True, None),
    "use_smooth_clamp": (False, None),
    "schedule_type": ("legacy", None),
    "weight_decay": (0.0, None),
    "bound_loss_type": ("bound", None),
    "normalize_rms_advantage": (False, None),
    "central_value_config": (None,),
    "freeze_critic": (False, None),
    "minibatch_size": (None,),
    "lr_schedule": ("adaptive", "identity", None),
}


def page_agent(params: dict[str, Any]) -> dict[str, Any]:
    """The settings of an rl-games agent as the page's PPO takes them: a flat dict under rl-games' own names.

    Args:
        params: The agent's ``params``.

    Raises:
        UserError: The agent asks for something that the page's PPO does not do.
    """
    config, network = params["config"], params["network"]
    for name, allowed in _ONLY.items():
        if config.get(name) not in allowed:
            raise UserError(f"agent has {name} = {config[name]!r}, the page's PPO does {allowed[0]!r} only")
    if network["name"] not in ("actor_critic", "symmetric_actor_critic") or {"cnn", "rnn"} & set(network):
        raise UserError(f"agent has the network {network['name']!r}, the page's PPO has plain perceptrons only")
    space, mlp = network["space"]["continuous"], network["mlp"]
    if network.get("separate") or not space["fixed_sigma"] or space["sigma_init"].get("val", 0) != 0:
        raise UserError("agent has separate: True or another sigma, the page's PPO has one trunk and one sigma of 1")
    if mlp["activation"] not in ("tanh", "elu", "relu") or float(config["reward_shaper"].get("scale_value", 1.0)) != 1:
        raise UserError("the page's PPO knows tanh, elu, relu and an unscaled reward only")
    return {
        **{name: float(config[name]) for name in _NUMBERS},
        **{name: config[name] for name in _SWITCHES},
        **{
            name: int(config[name])
            for name in ("max_epochs", "horizon_length", "minibatch_size_per_env", "mini_epochs")
        },
        "episode_length_s": params["env"].get("episode_length_s"),
        "units": list(mlp["units"]),
        "activation": mlp["activation"],
        "symmetric": network["name"] == "symmetric_actor_critic",
    }


def page_agents() -> dict[str, dict[str, Any]]:
    """Every agent that the page can train with, by the name that it shows."""
    agents = importlib.import_module("cartpole_lab.tasks.agents")
    return {name: page_agent(getattr(agents, attribute)()["params"]) for name, attribute in AGENTS.items()}


@cache
def page_task() -> dict[str, Any]:
    """The task's numbers, read from its environment config and its agent's wrapper.

    Returns:
        ``dt`` [s], ``decimation``, ``episode_length_s`` [s], ``effort_scale`` [N], ``clip_actions``,
        ``clip_observations``, ``bounds`` [m], ``start`` (four ranges: m, rad, m/s, rad/s), ``weights`` by term,
        ``settled_angle`` [rad].
    """
    from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

    cfg = CartpoleEnvCfg()
    wrapper = importlib.import_module("cartpole_lab.tasks.agents").rl_games_symmetric_ppo_cfg()["params"]["env"]
    cart, pole = cfg.events.reset_cart_position.params, cfg.events.reset_pole_position.params
    return {
        "dt": float(cfg.sim.dt),
        "decimation": int(cfg.decimation),
        "episode_length_s": float(cfg.episode_length_s),
        "effort_scale": float(cfg.actions.joint_effort.scale),
        "clip_actions": float(wrapper["clip_actions"]),
        "clip_observations": float(wrapper["clip_observations"]),
        "bounds": list(cfg.terminations.cart_out_of_bounds.params["bounds"]),
        "start": [list(part[name]) for name in ("position_range", "velocity_range") for part in (cart, pole)],
        "weights": {**{name: float(term.weight) for name, term in vars(cfg.rewards).items()}, CART_POS: 0.0},
        "settled_angle": float(success.STANDING_BAND),
    }


def page_criterion() -> dict[str, float]:
    """When a policy counts as solved, and when a training stops for it: the numbers of ``cartpole-lab train``."""
    from cartpole_lab.evaluation import EPISODES
    from cartpole_lab.training.options import EVAL_INTERVAL

    return {
        "episodes": EPISODES,
        "mean_return": success.SOLVED_RETURN,
        "timeout_share": success.SOLVED_TIMEOUTS,
        "eval_interval": EVAL_INTERVAL,
        "stop_return": success.SOLVED_RETURN + success.STOP_MARGIN,
        "stop_failures": success.stop_failures(EPISODES),
        "promising_return": success.PROMISING_SHARE * success.EPISODE_S,
        "promising_failures": success.PROMISING_FAILURES,
    }


def page_settings() -> dict[str, Any]:
    """Everything that the page's trainer starts from: ``task``, ``agents``, ``criterion``, ``num_envs``."""
    return {
        "task": page_task(),
        "agents": page_agents(),
        "criterion": page_criterion(),
        "num_envs": list(NUM_ENVS),
        "default_num_envs": DEFAULT_NUM_ENVS,
    }
