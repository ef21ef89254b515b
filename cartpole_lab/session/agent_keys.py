"""The keys that each library reads from its agent settings, and what their values may be.

A library takes a dictionary and never looks at keys that it doesn't know, so a slip would train as if it were not
there. Where a library has a class or a signature for its settings, the keys are read from that; rl-games reads plain
dictionaries, and its keys (version 1.6.5) stand here. A test compares them with rl-games' source.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.session import setting_checks as checks

# torch_runner.py, common/a2c_common.py, algos_torch/a2c_continuous.py; `player` is read by Isaac Lab's play command
_CONFIG = """
adv_rms_momentum bound_loss_type bounds_loss_coef bptt_length central_value_config clip_actions clip_value critic_coef
device device_name e_clip entropy_coef env_config env_info env_name epochs_between_resets features freeze_critic
full_experiment_name games_to_track gamma grad_norm horizon_length is_train kl_threshold learning_rate lr_schedule
max_epochs max_frames max_steps mini_epochs minibatch_size minibatch_size_per_env mixed_precision multi_gpu name
normalize_advantage normalize_input normalize_rms_advantage normalize_value num_actors player
population_based_training pbt_idx ppo print_stats reward_shaper save_best_after save_frequency schedule_entropy
schedule_type score_to_win self_play self_play_config seq_len seq_length tau torch_compile train_dir truncate_grads
use_action_masks use_diagnostics use_experimental_cv use_smooth_clamp value_bootstrap vec_env weight_decay
zero_rnn_on_done network network_path log_path
"""
_CENTRAL = """
clip_value device e_clip freeze_critic grad_norm learning_rate lr_schedule mini_epochs minibatch_size
minibatch_size_per_env mixed_precision model network normalize_input print_stats truncate_grads weight_decay
kl_threshold
"""
_NETWORK = """
name separate space mlp cnn rnn normalization central_value joint_obs_actions log_std_bounds require_last_actions
require_rewards value_activation value_shape conv_depths
"""

_RL_GAMES: dict[str, str] = {
    "agent": "params pbt",
    "agent.params": "seed torch_threads env algo model network config load_checkpoint load_path",
    # isaaclab_rl.rl_games.RlGamesVecEnvWrapper.from_agent_cfg; episode_length_s is cartpole_lab's
    "agent.params.env": "clip_observations clip_actions obs_groups concate_obs_groups episode_length_s",
    "agent.params.algo": "name",
    "agent.params.model": "name",
    "agent.params.network": _NETWORK,
    "agent.params.network.space": "continuous discrete multi_discrete",
    "agent.params.network.space.continuous": "mu_activation sigma_activation mu_init sigma_init fixed_sigma",
    "agent.params.network.mlp": "units activation d2rl initializer regularizer norm_only_first_layer",
    "agent.params.network.cnn": "type activation initializer regularizer convs permute_input conv_depths",
    "agent.params.network.rnn": "name units layers before_mlp concat_input concat_output layer_norm",
    "agent.params.config": _CONFIG,
    "agent.params.config.reward_shaper": "scale_value shift_value min_val max_val log_val is_torch",
    "agent.params.config.central_value_config": _CENTRAL,
    "agent.params.config.central_value_config.network": _NETWORK,
    "agent.params.config.player": "games_num deterministic n_game_life print_stats render render_sleep use_vecenv "
    "evaluation update_checkpoint_freq dir_to_monitor env_config balance_env_rewards",
}

_SECTIONS = {
    "rl_games": [f"agent.params{part}" for part in ("", ".algo", ".model", ".network", ".config")],
    "skrl": ["agent.models", "agent.agent", "agent.trainer"],
}
"""Groups that a library does not do without."""

_SKRL_MODEL = """
class clip_actions clip_mean_actions clip_log_std min_log_std max_log_std reduction initial_log_std fixed_log_std
network output
"""

RULES: dict[str, checks.Rule] = {
    **dict.fromkeys(("gamma", "tau", "gae_lambda", "lam", "lambda", "discount_factor"), checks.SHARE),
    **dict.fromkeys(
        ("learning_rate", "kl_threshold", "desired_kl", "e_clip", "clip_param", "clip_actions", "clip_observations",
         "clip_obs", "episode_length_s", "init_std", "n_timesteps"),
        checks.POSITIVE,
    ),
    **dict.fromkeys(
        ("grad_norm", "max_grad_norm", "entropy_coef", "ent_coef", "critic_coef", "vf_coef", "value_loss_coef",
         "bounds_loss_coef", "weight_decay", "clip_range", "ratio_clip", "grad_norm_clip", "value_clip", "target_kl",
         "entropy_loss_scale", "value_loss_scale"),
        checks.NOT_NEGATIVE,
    ),
    **dict.fromkeys(
        ("max_epochs", "horizon_length", "mini_epochs", "minibatch_size", "minibatch_size_per_env", "seq_length",
         "max_iterations", "num_steps_per_env", "num_learning_epochs", "num_mini_batches", "save_interval", "n_steps",
         "n_epochs", "n_minibatches", "batch_size", "rollouts", "learning_epochs", "mini_batches", "timesteps",
         "games_to_track"),
        checks.COUNT,
    ),
    **dict.fromkeys(("save_frequency", "save_best_after", "torch_threads"), checks.COUNT_OR_ZERO),
    "seed": (lambda v: isinstance(v, int) and v >= -1, "zero, a positive integer, or -1 to draw one"),
}  # fmt: skip
"""What numbers may be, by the last part of the key, in whichever library."""

_ACTIVATIONS = ("elu", "relu", "tanh", "selu", "sigmoid", "swish", "gelu", "softplus", "None")
CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "rl_games": {
        "agent.params.network.mlp.activation": _ACTIVATIONS,
        "agent.params.network.cnn.activation": _ACTIVATIONS,
        "agent.params.config.lr_schedule": ("adaptive", "linear", "identity", "fixed", "None"),
        "agent.params.config.bound_loss_type": ("bound", "regularisation"),
        "agent.params.config.schedule_type": ("legacy", "standard"),
        "agent.params.algo.name": ("a2c_continuous", "a2c_discrete", "sac"),
    },
    "rsl_rl": {
        "agent.algorithm.schedule": ("adaptive", "fixed"),
        "agent.actor.activation": ("elu", "selu", "relu", "crelu", "lrelu", "tanh", "sigmoid", "identity", "gelu"),
    },
    "skrl": {"agent.trainer.class": ("SequentialTrainer",), "agent.memory.class": ("RandomMemory",)},
    "sb3": {"agent.policy": ("MlpPolicy", "CnnPolicy", "MultiInputPolicy")},
}
"""Words that a setting may be."""


def library_of(agent: str | None) -> str | None:
    """The library that an agent entry point is for, such as ``"rl_games"``; None if none of ours."""
    return next((name for name in ("rl_games", "rsl_rl", "skrl", "sb3") if (agent or "").startswith(f"{name}_")), None)


def known(library: str | None, where: str) -> frozenset[str] | None:
    """Keys that a library reads in one section, such as ``"agent.params.config"``; None where any key will do.

    Args:
        library: ``"rl_games"``, ``"rsl_rl"``, ``"skrl"`` or ``"sb3"``; None for another.
        where: Name of the section.
    """
    return None if library is None else _sections(library).get(where)


def elsewhere(library: str, leaf: str) -> str | None:
    """Full name of a key that was looked for in the wrong section; None if the library has no such key."""
    found = [f"{where}.{leaf}" for where, keys in _sections(library).items() if leaf in keys]
    return found[0] if found else None


@cache
def _sections(library: str) -> dict[str, frozenset[str]]:
    if library == "rl_games":
        return {where: frozenset(keys.split()) for where, keys in _RL_GAMES.items()}
    if library == "skrl":
        return _skrl()
    if library == "sb3":
        return _sb3()
    return {}  # rsl-rl's settings are config classes: their fields are looked up as those of an environment


def _skrl() -> dict[str, frozenset[str]]:
    import dataclasses

    from skrl.agents.torch import ExperimentCfg
    from skrl.agents.torch.ppo import PPO_CFG
    from skrl.trainers.torch import SequentialTrainerCfg

    def fields(cls: Any) -> frozenset[str]:
        return frozenset(field.name for field in dataclasses.fields(cls))

    model, network = frozenset(_SKRL_MODEL.split()), frozenset({"name", "input", "layers", "activations"})
    return {
        "agent": frozenset({"seed", "models", "memory", "agent", "trainer", "env"}),
        "agent.env": frozenset({"clip_actions"}),  # cartpole_lab's own
        "agent.models": frozenset({"separate", "policy", "value"}),
        "agent.models.policy": model,
        "agent.models.value": model,
        "agent.models.policy.network": network,
        "agent.models.value.network": network,
        "agent.memory": frozenset({"class", "memory_size", "replacement", "export", "export_format"}),
        "agent.agent": fields(PPO_CFG) | {"class", "rewards_shaper_scale"},
        "agent.agent.experiment": fields(ExperimentCfg),
        "agent.trainer": fields(SequentialTrainerCfg) | {"class"},
    }


def _sb3() -> dict[str, frozenset[str]]:
    import inspect

    from stable_baselines3 import PPO
    from stable_baselines3.common.policies import ActorCriticPolicy

    own = {"self", "env", "_init_setup_model", "verbose", "tensorboard_log"}
    ppo = set(inspect.signature(PPO.__init__).parameters) - own
    policy = set(inspect.signature(ActorCriticPolicy.__init__).parameters) - {
        "self",
        "observation_space",
        "action_space",
    }
    # the rest is read by isaaclab_rl.entrypoints.backends.train_sb3 and isaaclab_rl.sb3.process_sb3_cfg
    rest = {"n_timesteps", "n_minibatches", "normalize_input", "normalize_value", "clip_obs"}
    return {"agent": frozenset(ppo | rest), "agent.policy_kwargs": frozenset(policy)}


def check(agent: str | None, settings: Any) -> None:
    """See that an agent's own settings can be what they are: those of a file or class, before any override.

    Args:
        agent: Name of the agent entry point, which says whose they are.
        settings: What stands behind it: a dictionary, of rsl-rl a config.

    Raises:
        UserError: A section is missing, a value cannot be, or a key has a slip in it.
    """
    library = library_of(agent)
    if library is None or (library == "rsl_rl" and hasattr(settings, "__dict__")):
        return
    if not isinstance(settings, Mapping) or not settings:
        raise UserError(f"{agent} gives {str(settings)[:80]!r}, expected the settings of an agent as a dictionary")
    for section in _SECTIONS.get(library, ()):
        owner, _, leaf = section.rpartition(".")
        if not isinstance(_section(settings, section), Mapping):
            raise UserError(f"{agent} has no group {leaf!r} below {owner}: look at the file of another task's agent")
    _check_group(library, settings, "agent")


def _section(settings: Mapping[str, Any], name: str) -> Any:
    found: Any = settings
    for part in name.split(".")[1:]:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _check_group(library: str, group: Mapping[str, Any], where: str) -> None:
    if (keys := known(library, where)) is None:  # of something beside the library, as Isaac Lab's `pbt` is
        return
    for key, value in group.items():
        name = f"{where}.{key}"
        if isinstance(value, Mapping):
            _check_group(library, value, name)
            continue
        if key not in keys:
            near = difflib.get_close_matches(str(key), keys, n=1, cutoff=0.8)
            if near and near[0] not in group:
                raise UserError(f"setting {name} in the agent's own settings is not known: did you mean {near[0]}?")
        number = checks.as_number(value)
        if value not in (None, "") and (wrong := problem(library, name, number, None)) is not None:
            raise UserError(f"setting {name} is {value!r} in the agent's own settings, expected {wrong}")


def problem(library: str, name: str, value: Any, now: Any, hint: Any = Any) -> str | None:
    """What is wrong with an agent setting: the words after "expected", or None if nothing is.

    Args:
        library: Whose setting it is.
        name: Full name, such as ``"agent.params.config.gamma"``.
        value: The value that was read.
        now: The value that is there.
        hint: Annotation of the setting, where its owner is a config class.
    """
    leaf = name.rpartition(".")[2]
    if isinstance(now, Mapping) and not isinstance(value, Mapping):
        return "the name of one of its settings: it is a group"
    if leaf == "clip_actions" and (".models." in name or name == "agent.params.config.clip_actions"):
        return None if isinstance(value, bool) else "true or false"  # whether, not how far: that stands in `env`
    choices = CHOICES.get(library, {}).get(name)
    if choices is not None and str(value) not in choices:
        return "one of " + ", ".join(choices)
    if isinstance(value, str) and leaf in ("learning_rate", "clip_range", "clip_range_vf") and library == "sb3":
        return None if re.fullmatch(r"lin_\d+(\.\d+)?(e-?\d+)?", value) else "a number, or lin_<number>"
    if leaf in ("write_interval", "checkpoint_interval"):
        count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return None if count or value == "auto" else "zero, a positive integer, or auto"
    rule = checks.NOT_NEGATIVE if (library, leaf) == ("skrl", "kl_threshold") else RULES.get(leaf)  # 0: not looked at
    if rule is not None and not isinstance(now, Mapping) and not isinstance(value, list | tuple):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number and not (value is None and (now is None or hint is not Any)):
            return rule[1]
        if number and not rule[0](value):
            return rule[1]
        now = None if isinstance(now, str) else now
    if leaf in ("units", "net_arch", "hidden_dims", "layers") and isinstance(value, list | tuple):
        whole = value and all(isinstance(item, int) and not isinstance(item, bool) and item > 0 for item in value)
        return None if whole else "a list of positive integers such as [32, 32]"
    if leaf in ("name", "full_experiment_name", "experiment_name", "run_name") and isinstance(value, str):
        return None if re.fullmatch(r"[\w][\w. -]*", value) else "a plain name, without / or other signs of a path"
    return checks.problem(leaf, value, now, hint, RULES if rule is None else {**RULES, leaf: rule})
