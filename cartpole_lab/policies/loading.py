"""From a checkpoint to the policy in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cartpole_lab.errors import UserError
from cartpole_lab.policies import builders
from cartpole_lab.policies.checkpoint import Checkpoint
from cartpole_lab.policies.checkpoint_lookup import open_any
from cartpole_lab.policies.from_json import policy_from_weights
from cartpole_lab.policies.meaning import Meaning
from cartpole_lab.policies.network import NetworkPolicy


def load_policy(
    checkpoint: str | Path | Checkpoint,
    device: str | torch.device = "cpu",
    obs_shape: tuple[int, ...] | None = None,
) -> NetworkPolicy:
    """Load the deterministic policy of a checkpoint.

    Args:
        checkpoint: ``.pth`` file of rl-games, ``.pt`` of rsl-rl or skrl, ``.zip`` of Stable-Baselines3, the folder of
            a run, or a checkpoint that has been read.
        device: Where it computes.
        obs_shape: Shape of one observation, for a file that doesn't say it.

    Returns:
        Observations to actions.

    Raises:
        UserError: The file isn't there, isn't such a checkpoint, or its network is one that can't be built here.
    """
    opened = open_any(checkpoint)
    if opened.library == "json":
        return policy_from_weights(opened.state, f"policy {str(opened.path)!r}").to(device)
    weights = opened.state["model"] if opened.library == "rl_games" else opened.state
    return build_policy(weights, opened.meaning, obs_shape, name=str(opened.path)).to(device)


def build_policy(
    weights: Mapping[str, Any],
    meaning: Meaning,
    obs_shape: tuple[int, ...] | None = None,
    *,
    name: str = "the weights",
) -> NetworkPolicy:
    """Build the network that a meaning describes and load weights into it.

    The global random stream is as it was afterwards, though building a network draws from it.

    Args:
        weights: Of rl-games the state dict of the model; of the others the entries of the file.
        meaning: What they mean.
        obs_shape: Shape of one observation, if the meaning doesn't say it.
        name: What to call the weights in an error.

    Raises:
        UserError: The network can't be built here, or the weights are not of that network.
    """
    build = {
        "rl_games": builders.from_rl_games,
        "rsl_rl": builders.from_rsl_rl,
        "skrl": builders.from_skrl,
        "sb3": builders.from_sb3,
    }[meaning.library]
    try:
        with torch.random.fork_rng(devices=[]):
            return build(weights, meaning, meaning.observation or obs_shape)
    except UserError as error:
        raise UserError(f"checkpoint {name!r}: {error}") from error
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"checkpoint {name!r} does not hold the network that its settings describe: {reason}"
        ) from error
