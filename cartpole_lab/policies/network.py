"""What acts: trained policies read from checkpoints, and hand-made ones to compare them with."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cartpole_lab.errors import UserError

Policy = Callable[[torch.Tensor], torch.Tensor]
"""Observations ``(n, obs_dim)`` to actions ``(n, act_dim)``, without exploring."""

ACTIVATIONS: dict[str, type[nn.Module]] = {"elu": nn.ELU, "relu": nn.ReLU, "tanh": nn.Tanh, "selu": nn.SELU}
"""Activations that the agents of the four libraries may name."""


class MLPPolicy(nn.Module):
    """The deterministic part of an rl-games actor: clip, normalise, multilayer perceptron, clip.

    Attributes:
        mean, std: Normalisation of the observations, shape ``(obs_dim,)``; 0 and 1 where the agent doesn't normalise.
        body: The network from normalised observation to mean action.
        clip_obs, clip_actions: Limits that the environment wrapper applied in training.
    """

    def __init__(self, model: dict[str, torch.Tensor], params: dict[str, Any] | None = None) -> None:
        """Build the actor out of a checkpoint's ``model`` entry.

        Args:
            model: State dict of the rl-games model.
            params: The agent's ``params``; without them Isaac Lab's cart-pole values are taken.

        Raises:
            UserError: The network isn't a perceptron that this class can hold.
        """
        super().__init__()
        params = params or {}
        env = params.get("env", {})
        self.clip_obs = float(env.get("clip_observations", 5.0))
        self.clip_actions = float(env.get("clip_actions", 1.0))
        activation = params.get("network", {}).get("mlp", {}).get("activation", "elu")
        prefix = "a2c_network.actor_mlp."
        indices = sorted({int(k[len(prefix) :].split(".")[0]) for k in model if k.startswith(prefix)})
        if not indices or "a2c_network.mu.weight" not in model or activation not in ACTIVATIONS:
            raise UserError("this checkpoint holds no perceptron actor of rl-games (a2c_network.actor_mlp and .mu)")
        layers: list[nn.Module] = []
        for index in indices:
            layers += [_linear(model, f"{prefix}{index}"), ACTIVATIONS[activation]()]
        self.body = nn.Sequential(*layers, _linear(model, "a2c_network.mu"))
        obs_dim = self.body[0].in_features
        mean = model.get("running_mean_std.running_mean", torch.zeros(obs_dim))
        var = model.get("running_mean_std.running_var", torch.ones(obs_dim) - 1e-5)
        self.register_buffer("mean", mean.float())
        self.register_buffer("std", (var.float() + 1e-5).sqrt())  # the epsilon of rl-games' RunningMeanStd
        self.normalises = "running_mean_std.running_mean" in model
        self.requires_grad_(False)

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Mean action for each observation.

        Args:
            obs: Shape ``(n, obs_dim)``.

        Returns:
            Shape ``(n, act_dim)``, within ``±clip_actions``.
        """
        obs = obs.clamp(-self.clip_obs, self.clip_obs)
        if self.normalises:
            obs = ((obs - self.mean) / self.std).clamp(-5.0, 5.0)
        return self.body(obs).clamp(-self.clip_actions, self.clip_actions)


class NetworkPolicy:
    """The deterministic part of any rl-games actor, run by rl-games' own network code (convolutions included)."""

    def __init__(self, model: dict[str, torch.Tensor], params: dict[str, Any], obs_shape: tuple[int, ...]) -> None:
        """Build the network that ``params`` describes and load ``model`` into it.

        Args:
            model: State dict of the rl-games model.
            params: The agent's ``params``.
            obs_shape: Shape of one observation.
        """
        from rl_games.algos_torch.model_builder import ModelBuilder

        config, env = params["config"], params.get("env", {})
        with contextlib.redirect_stdout(io.StringIO()):  # rl-games prints what it builds
            self.network = (
                ModelBuilder()
                .load(params)
                .build(
                    {
                        "actions_num": model["a2c_network.mu.weight"].shape[0],
                        "input_shape": obs_shape,
                        "num_seqs": 1,
                        "value_size": 1,
                        "normalize_value": config.get("normalize_value", False),
                        "normalize_input": config["normalize_input"],
                    }
                )
            )
        self.network.load_state_dict(model)
        self.network.eval()
        self.clip_obs = float(env.get("clip_observations", math.inf))
        self.clip_actions = float(env.get("clip_actions", math.inf))

    def to(self, device: str) -> NetworkPolicy:
        """Move the network."""
        self.network.to(device)
        return self

    @torch.no_grad()
    def __call__(self, obs: torch.Tensor) -> torch.Tensor:
        """Mean action for each observation."""
        obs = obs.clamp(-self.clip_obs, self.clip_obs)
        out = self.network({"is_train": False, "prev_actions": None, "obs": obs, "rnn_states": None})
        return out["mus"].clamp(-self.clip_actions, self.clip_actions)


def _linear(model: dict[str, torch.Tensor], name: str) -> nn.Linear:
    weight, bias = model[f"{name}.weight"], model[f"{name}.bias"]
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data.copy_(weight)
    layer.bias.data.copy_(bias)
    return layer


def read_checkpoint(checkpoint: str | Path) -> dict[str, Any]:
    """Read an rl-games checkpoint without running any code that it may carry.

    Args:
        checkpoint: Path of a ``.pth`` file.

    Returns:
        Its entries, ``model`` among them.

    Raises:
        UserError: No such file, or not an rl-games checkpoint.
    """
    import numpy as np

    path = Path(checkpoint)
    if not path.is_file():
        raise UserError(f"checkpoint {str(path)!r} is not a file: `cartpole-lab train` makes one under logs/rl_games")
    safe = [np._core.multiarray.scalar, np.dtype, np.dtypes.Float32DType, np.dtypes.Float64DType]
    try:
        with torch.serialization.safe_globals(safe):
            state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state.get("model"), dict):
            raise KeyError("model")
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"checkpoint {str(path)!r} is not an rl-games checkpoint ({reason[:120]})") from error
    # torch.compile, when a run used it, leaves a prefix
    state["model"] = {name.removeprefix("_orig_mod."): value for name, value in state["model"].items()}
    return state


def agent_params(checkpoint: str | Path) -> dict[str, Any] | None:
    """The agent settings that the run of a checkpoint wrote, or None if they are not beside it."""
    path = Path(checkpoint).resolve().parent.parent / "params" / "agent.yaml"
    if not path.is_file():
        return None
    import yaml

    return yaml.safe_load(path.read_text())["params"]


def load_policy(checkpoint: str | Path, device: str = "cpu", obs_shape: tuple[int, ...] | None = None) -> Policy:
    """Load the deterministic policy of a checkpoint.

    Args:
        checkpoint: Path of a ``.pth`` file of rl-games, a ``.pt`` of rsl-rl or skrl, a ``.zip`` of
            Stable-Baselines3, or a ``.json`` of `export_weights` or of the book's page.
        device: Where it computes.
        obs_shape: Shape of one observation; needed for policies that see pictures.

    Returns:
        Observations to actions.

    Raises:
        UserError: The file isn't there, or isn't such a checkpoint.
    """
    if Path(checkpoint).suffix == ".json":  # plain numbers, from `export_weights` or from the book's page
        from cartpole_lab.policies.from_json import load_weights

        return load_weights(checkpoint).to(device)
    if Path(checkpoint).suffix in (".pt", ".zip"):  # the other libraries
        from cartpole_lab.training.libraries import load_policy_any

        return load_policy_any(checkpoint, device)
    model = read_checkpoint(checkpoint)["model"]
    return policy_from_model(model, agent_params(checkpoint), obs_shape).to(device)


def policy_from_model(
    model: dict[str, torch.Tensor], params: dict[str, Any] | None, obs_shape: tuple[int, ...] | None = None
) -> MLPPolicy | NetworkPolicy:
    """The policy of an rl-games state dict: a plain perceptron where it is one, else rl-games' own network."""
    network = (params or {}).get("network", {})
    if params is not None and ("cnn" in network or "rnn" in network):
        if obs_shape is None:
            mean = model.get("running_mean_std.running_mean")
            if mean is None:
                raise UserError("the checkpoint does not say how large its pictures are: pass obs_shape")
            obs_shape = tuple(mean.shape)
        return NetworkPolicy(model, params, obs_shape)
    return MLPPolicy(model, params)


def zero_policy(obs: torch.Tensor) -> torch.Tensor:
    """Never push."""
    return torch.zeros(len(obs), 1, device=obs.device)


def random_policy(seed: int = 0) -> Policy:
    """Push at random, evenly between full left and full right.

    Args:
        seed: Seed of a random stream of its own.
    """
    generator = torch.Generator().manual_seed(seed)

    def act(obs: torch.Tensor) -> torch.Tensor:
        return (2 * torch.rand(len(obs), 1, generator=generator) - 1).to(obs.device)

    return act


def pd_policy(
    cart_p: float = 0.1, pole_p: float = -3.0, cart_d: float = 0.25, pole_d: float = -0.6, clip: float = 1.0
) -> Policy:
    """A hand-written controller: the action is a weighted sum of the four observed numbers.

    Args:
        cart_p: Action per metre of cart position.
        pole_p: Action per radian of pole angle.
        cart_d: Action per metre per second.
        pole_d: Action per radian per second.
        clip: Largest action.
    """
    gains = torch.tensor([cart_p, pole_p, cart_d, pole_d])

    def act(obs: torch.Tensor) -> torch.Tensor:
        return (obs @ gains.to(obs.device)).clamp(-clip, clip).unsqueeze(-1)

    return act
