"""From the settings of an agent to its network: rl-games' own builder, and the dense networks of the other libraries.

The settings may come from somebody else's file. Names in them are looked up in tables, never imported or evaluated.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from cartpole_lab import shortcuts
from cartpole_lab.errors import UserError
from cartpole_lab.policies.meaning import Meaning
from cartpole_lab.policies.network import NetworkPolicy
from cartpole_lab.tasks.agents import make_known

ALGORITHM = "a2c_continuous"
MODELS = ("continuous_a2c", "continuous_a2c_logstd")


def _classes(pairs: str) -> dict[str, type[nn.Module]]:
    """PyTorch's activations by the names of a library, from ``name=Class`` with blanks between them."""
    return {name: getattr(nn, kind) for name, kind in (pair.split("=") for pair in pairs.split())}


ACTIVATIONS = {
    "rsl_rl": _classes(
        "elu=ELU selu=SELU relu=ReLU crelu=CELU lrelu=LeakyReLU tanh=Tanh sigmoid=Sigmoid softplus=Softplus gelu=GELU "
        "swish=SiLU mish=Mish identity=Identity"
    ),
    "skrl": _classes(
        "elu=ELU leaky_relu=LeakyReLU relu=ReLU selu=SELU sigmoid=Sigmoid softplus=Softplus softsign=Softsign tanh=Tanh"
    ),
    "sb3": _classes(
        "ELU=ELU SELU=SELU ReLU=ReLU LeakyReLU=LeakyReLU CELU=CELU Tanh=Tanh Sigmoid=Sigmoid Softplus=Softplus "
        "GELU=GELU SiLU=SiLU Mish=Mish"
    ),
}
"""Activations that the settings of each library may name, with what it makes of them."""


def check_rl_games(params: Mapping[str, Any]) -> None:
    """See that an agent's policy can be read back, evaluated and exported; called before it is trained or read.

    Raises:
        UserError: It cannot; names the setting.
    """
    network, env = params.get("network", {}), params.get("env", {})
    algorithm, model = params.get("algo", {}).get("name"), params.get("model", {}).get("name")
    if algorithm != ALGORITHM or model not in MODELS:
        raise UserError(
            f"algo.name {algorithm!r} with model.name {model!r} is not supported: expected {ALGORITHM} with one of "
            f"{', '.join(MODELS)}; `isaaclab train` takes others"
        )
    if "rnn" in network:
        raise UserError(
            "network.rnn: a policy with a memory is not a function of one observation: it can be neither evaluated nor "
            "exported here: leave it out, or use `isaaclab train`"
        )
    if params["config"].get("clip_actions", True) and not math.isfinite(float(env.get("clip_actions", math.inf))):
        raise UserError(
            "env.clip_actions is not set: rl-games stretches its actions to that limit, so give one, such as "
            "agent.params.env.clip_actions=1.0"
        )
    make_known(network)
    groups = (env.get("obs_groups") or {}).get("obs", ["policy"])
    if list(groups) != ["policy"] or not env.get("concate_obs_groups", True):
        raise UserError(f"env.obs_groups.obs is {groups}, expected [policy]: the actor sees the group policy here")


def from_rl_games(weights: Mapping[str, Any], meaning: Meaning, obs_shape: tuple[int, ...] | None) -> NetworkPolicy:
    """An actor of rl-games, run by rl-games' own network code: perceptrons of all kinds, convolutions, one's own."""
    params = meaning.agent_cfg["params"]
    check_rl_games(params)
    config, env = params["config"], params.get("env", {})
    prefix = "a2c_network."
    state = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    if "mu.weight" not in state:
        raise UserError("it holds no actor of rl-games (a2c_network.mu)")
    obs_shape = obs_shape or _rl_games_shape(weights, state, params)
    actor = _rl_games_network(params, obs_shape, len(state["mu.weight"]))
    actor.load_state_dict(state)
    normalizer = None
    if config.get("normalize_input", False):
        mean, var = weights["running_mean_std.running_mean"], weights["running_mean_std.running_var"]
        normalizer = mean.float(), torch.sqrt(var.float() + 1e-5)  # the epsilon of rl-games' RunningMeanStd
    elif "running_mean_std.running_mean" in weights:
        raise UserError("it normalises its observations, its settings (normalize_input) do not")
    limit = float(env.get("clip_actions", math.inf))
    scaled = config.get("clip_actions", True)  # rl-games limits to ±1 and stretches to the limits of the environment
    return NetworkPolicy(
        _Mean(actor),
        obs_shape,
        clip_obs=float(env.get("clip_observations", math.inf)),
        normalizer=normalizer,
        clip_normalized=5.0,
        limit_mean=1.0 if scaled else math.inf,
        scale=limit if scaled else 1.0,
        clip_actions=limit,
        layers=_rl_games_layers(actor),
    )


class _Mean(nn.Module):
    """Asks a network of rl-games for its mean action."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        return self.network({"is_train": False, "obs": obs, "rnn_states": None})[0]


def _rl_games_network(params: Mapping[str, Any], obs_shape: tuple[int, ...], actions: int) -> nn.Module:
    compiled = params["config"].get("torch_compile", True)
    with contextlib.redirect_stdout(io.StringIO()), shortcuts.rl_games_imports(bool(compiled)):
        from rl_games.algos_torch.model_builder import ModelBuilder

        network = ModelBuilder().get_network_builder().load(params["network"])
        return network.build("a2c", actions_num=actions, input_shape=obs_shape, num_seqs=1, value_size=1)


def _rl_games_shape(weights: Mapping[str, Any], state: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape of an observation where only the weights tell it."""
    mean = weights.get("running_mean_std.running_mean")
    if mean is not None:
        return tuple(mean.shape)
    first = state.get("actor_mlp.0.weight", state.get("actor_mlp.linears.0.weight"))
    if "cnn" in params["network"] or first is None:
        raise UserError("it does not say how large its pictures are: pass obs_shape")
    return (first.shape[1],)


def _rl_games_layers(actor: Any) -> list[nn.Module] | None:
    body = getattr(actor, "actor_mlp", None)
    if len(getattr(actor, "actor_cnn", ())) or not isinstance(body, nn.Sequential):
        return None
    return [*body, actor.mu, *([] if isinstance(actor.mu_act, nn.Identity) else [actor.mu_act])]


def _dense(
    sizes: Sequence[int], activations: Sequence[str | None], table: Mapping[str, type[nn.Module]]
) -> list[nn.Module]:
    """Linear layers of the given widths, each but the last followed by its activation."""
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        layers.append(nn.Linear(int(inputs), int(outputs)))
        if number < len(activations) and (name := activations[number]):
            if name not in table:
                raise UserError(f"activation {name!r} is not known: expected one of {', '.join(table)}")
            layers.append(table[name]())
    return layers


def _loaded(layers: list[nn.Module], weights: Mapping[str, Any], names: Sequence[str]) -> nn.Sequential:
    """Layers with the weights of those names, in order; as many as there are, no more and no fewer."""
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    if len(linear) != len(names):
        raise UserError(f"its settings describe {len(linear)} layers, the file has {len(names)}")
    for layer, name in zip(linear, names, strict=True):
        layer.load_state_dict({part: weights[f"{name}.{part}"] for part in ("weight", "bias")})
    return nn.Sequential(*layers)


def _numbered(weights: Mapping[str, Any], prefix: str) -> list[str]:
    """Names of the dense layers under a prefix, in the order of their numbers."""
    numbers = [
        int(name[len(prefix) : -len(".weight")])
        for name in weights
        if name.startswith(prefix) and name.endswith(".weight") and name[len(prefix) : -len(".weight")].isdigit()
    ]
    return [f"{prefix}{number}" for number in sorted(numbers)]


def _width(weights: Mapping[str, Any], name: str) -> int:
    return int(weights[f"{name}.weight"].shape[1])


def from_rsl_rl(entries: Mapping[str, Any], meaning: Meaning, obs_shape: tuple[int, ...] | None) -> NetworkPolicy:
    """An actor of rsl-rl: a perceptron with a Gaussian around its answer."""
    settings, weights = meaning.agent_cfg, entries["actor_state_dict"]
    actor = settings["actor"]
    kind, spread = str(actor.get("class_name")), (actor.get("distribution_cfg") or {}).get("class_name")
    if kind.rpartition(":")[2] != "MLPModel" or spread not in (None, "GaussianDistribution"):
        raise UserError(f"its actor is a {kind} with {spread}, expected an MLPModel with a GaussianDistribution")
    if (settings.get("obs_groups") or {}).get("actor", ["policy"]) != ["policy"]:
        raise UserError(f"its actor sees {settings['obs_groups']['actor']}, expected [policy]")
    names = _numbered(weights, "mlp.")
    inputs, hidden = _width(weights, names[0]), list(actor["hidden_dims"])
    sizes = [inputs, *(inputs if width == -1 else width for width in hidden), len(weights[f"{names[-1]}.bias"])]
    layers = _dense(sizes, [str(actor["activation"]).lower()] * len(hidden), ACTIVATIONS["rsl_rl"])
    network, normalizer = _loaded(layers, weights, names), None
    if actor.get("obs_normalization"):
        normalizer = weights["obs_normalizer._mean"][0], weights["obs_normalizer._std"][0] + 1e-2  # its own epsilon
    limit = settings.get("clip_actions")
    return NetworkPolicy(
        network,
        (inputs,),
        normalizer=normalizer,
        clip_actions=math.inf if limit is None else float(limit),
        layers=layers,
    )


def from_skrl(entries: Mapping[str, Any], meaning: Meaning, obs_shape: tuple[int, ...] | None) -> NetworkPolicy:
    """A policy of skrl: one container of linear layers on the observations, and one for the actions."""
    models, weights = meaning.agent_cfg["models"], entries["policy"]
    policy = models["policy"]
    output = str(policy.get("output", "ACTIONS")).replace(" ", "")
    nets = policy["network"]
    plain_net = len(nets) == 1 and nets[0].get("input") in ("OBSERVATIONS", "STATES")
    if not plain_net or policy.get("class") != "GaussianMixin" or output not in ("ACTIONS", "tanh(ACTIONS)"):
        raise UserError(
            f"its policy is a {policy.get('class')} of {len(nets)} containers with output {output}, expected a "
            "GaussianMixin of one container on OBSERVATIONS with output ACTIONS"
        )
    hidden = nets[0]["layers"]
    if not all(isinstance(width, int) and not isinstance(width, bool) for width in hidden):
        raise UserError(f"its layers are {hidden}, expected numbers of units")
    named = nets[0].get("activations") or [""]
    named = [named] * len(hidden) if isinstance(named, str) else list(named) * (len(hidden) if len(named) == 1 else 1)
    names = [*_numbered(weights, f"{nets[0]['name']}_container."), *_skrl_heads(weights)]
    actions = len(weights[f"{names[-1]}.bias"])
    sizes = [_width(weights, names[0]), *hidden, actions]
    # like skrl, a name that it does not know is no activation
    known = [name.lower() if str(name).lower() in ACTIVATIONS["skrl"] else None for name in named]
    if "softmax" in [str(name).lower() for name in named]:
        raise UserError("its activation softmax is not supported here")
    layers = _dense(sizes, known, ACTIVATIONS["skrl"])
    if output != "ACTIONS":
        layers.append(nn.Tanh())
    network = _loaded(layers, weights, names)
    scaler, normalizer = entries.get("observation_preprocessor") or entries.get("state_preprocessor"), None
    given = (meaning.agent_cfg.get("agent") or {}).get("observation_preprocessor_kwargs") or {}
    if scaler:
        std = scaler["running_variance"].float().sqrt() + float(given.get("epsilon", 1e-8))
        normalizer = scaler["running_mean"].float(), std
    limit = (meaning.agent_cfg.get("env") or {}).get("clip_actions")  # skrl itself clips nothing
    return NetworkPolicy(
        network,
        (sizes[0],),
        normalizer=normalizer,
        clip_normalized=float(given.get("clip_threshold", 5.0)),
        clip_actions=math.inf if limit is None else float(limit),
        layers=layers,
    )


def _skrl_heads(weights: Mapping[str, Any]) -> list[str]:
    """The layer that gives the actions: named so in a model of its own, otherwise where actor and critic share one."""
    return [name for name in ("policy_layer", "output_layer") if f"{name}.weight" in weights]


def from_sb3(entries: Mapping[str, Any], meaning: Meaning, obs_shape: tuple[int, ...] | None) -> NetworkPolicy:
    """A policy of Stable-Baselines3: the perceptron of ``MlpPolicy``."""
    settings, weights = meaning.agent_cfg, entries["sb3"]
    kwargs = settings.get("policy_kwargs") or {}
    if settings.get("policy") != "MlpPolicy" or not isinstance(kwargs, Mapping) or settings.get("use_sde"):
        raise UserError(f"its policy is {settings.get('policy')!r}, expected MlpPolicy without use_sde")
    missing = kwargs.get("squash_output") or (settings.get("normalize_input", False) and meaning.normalizer is None)
    if missing or any("features_extractor" in weight for weight in weights):
        raise UserError(
            "squash_output, normalize_input or a features_extractor adds what is in no file that is read here"
        )
    arch = kwargs.get("net_arch", [64, 64])
    hidden = list(arch.get("pi", []) if isinstance(arch, Mapping) else arch)
    name = str(kwargs.get("activation_fn", "nn.Tanh")).rpartition(".")[2]
    names = [*_numbered(weights, "mlp_extractor.policy_net."), "action_net"]
    sizes = [_width(weights, names[0]), *hidden, len(weights["action_net.bias"])]
    layers = _dense(sizes, [name] * len(hidden), ACTIVATIONS["sb3"])
    network, stats, normalizer = _loaded(layers, weights, names), meaning.normalizer, None
    if stats is not None:
        mean, var = torch.tensor(stats["mean"]), torch.tensor(stats["var"])
        normalizer = mean, torch.sqrt(var + float(stats["epsilon"]))
    return NetworkPolicy(
        network,
        (sizes[0],),
        normalizer=normalizer,
        clip_normalized=float(stats["clip"]) if stats is not None else math.inf,
        clip_actions=1.0,  # Isaac Lab's wrapper tells Stable-Baselines3 that actions lie between -1 and 1, and it clips
        layers=layers,
    )
