"""A policy as plain numbers: what `export_weights` writes and what the book's page hands out after it has trained."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cartpole_lab.errors import UserError
from cartpole_lab.policies.network import ACTIVATIONS, MLPPolicy

LARGEST_FILE = 20_000_000
"""Bytes beyond which a file is no policy of this kind."""
WHERE = "`cartpole-lab export` and the trainer of the book's page write such a file"


def policy_from_weights(weights: Mapping[str, Any], name: str = "these weights") -> MLPPolicy:
    """Build the policy that `export_weights` describes.

    Args:
        weights: ``observation_clip``, ``action_clip``, ``normalization``, ``layers``; other entries are not read.
        name: What an error calls them.

    Returns:
        The policy, observations ``(n, inputs)`` to actions ``(n, outputs)``.

    Raises:
        UserError: An entry is missing, has the wrong shape, or isn't a finite number.
    """
    if not isinstance(weights, Mapping) or not isinstance(weights.get("layers"), list) or not weights["layers"]:
        raise UserError(f"{name}: no list `layers`, expected a policy as numbers: {WHERE}")
    layers = weights["layers"]
    matrices: list[tuple[torch.Tensor, torch.Tensor]] = []
    for number, layer in enumerate(layers):
        where = f"{name}: layers[{number}]"
        if not isinstance(layer, Mapping):
            raise UserError(f"{where} is a {type(layer).__name__}, expected weight, bias and activation")
        weight, bias = (
            _numbers(layer.get("weight"), 2, f"{where}.weight"),
            _numbers(layer.get("bias"), 1, f"{where}.bias"),
        )
        inputs = matrices[-1][0].shape[0] if matrices else weight.shape[1]
        if weight.shape != (len(bias), inputs):
            raise UserError(f"{where}.weight has shape {tuple(weight.shape)}, expected ({len(bias)}, {inputs})")
        matrices.append((weight, bias))
    found = [layer.get("activation") for layer in layers]
    if len(found) < 2 or found[0] not in ACTIVATIONS or found != found[:1] * (len(found) - 1) + [None]:
        raise UserError(
            f"{name}: activations are {found}, expected one of {', '.join(ACTIVATIONS)} on every layer but the last"
        )
    model: dict[str, torch.Tensor] = {}
    for number, (weight, bias) in enumerate(matrices):
        part = "mu" if number == len(matrices) - 1 else f"actor_mlp.{2 * number}"
        model[f"a2c_network.{part}.weight"], model[f"a2c_network.{part}.bias"] = weight, bias
    if weights.get("normalization") is not None:
        model |= _moments(weights["normalization"], matrices[0][0].shape[1], name)
    clips = {
        limit: _numbers(weights.get(key), 0, f"{name}: {key}").item()
        for limit, key in (("clip_observations", "observation_clip"), ("clip_actions", "action_clip"))
    }
    return MLPPolicy(model, {"env": clips, "network": {"mlp": {"activation": found[0]}}})


def _moments(normalization: Any, width: int, name: str) -> dict[str, torch.Tensor]:
    """Mean and variance as rl-games' model keeps them; its own epsilon comes on top of the variance."""
    if not isinstance(normalization, Mapping):
        raise UserError(f"{name}: normalization is {str(normalization)[:40]!r}, expected mean, var, epsilon")
    mean, var = (
        _numbers(normalization.get(key), 1, f"{name}: normalization.{key}").double() for key in ("mean", "var")
    )
    for key, values in (("mean", mean), ("var", var)):
        if len(values) != width:
            raise UserError(f"{name}: normalization.{key} has {len(values)} numbers, expected {width}")
    epsilon = _numbers(normalization.get("epsilon"), 0, f"{name}: normalization.epsilon").item()
    return {"running_mean_std.running_mean": mean, "running_mean_std.running_var": var + (epsilon - 1e-5)}


def read_weights(path: str | Path) -> dict[str, Any]:
    """Read such a file. A file of the page holds the policy in ``policy``, beside how it was trained.

    Args:
        path: Path of a ``.json`` file.

    Returns:
        The weights, for `policy_from_weights`.

    Raises:
        UserError: No such file, or not JSON of a policy.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"policy {str(path)!r} is not a file: {WHERE}")
    if path.stat().st_size > LARGEST_FILE:
        raise UserError(f"policy {str(path)!r} has {path.stat().st_size} bytes, expected a small one: {WHERE}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"policy {str(path)!r} is not JSON ({str(error)[:80]}): {WHERE}") from error
    found = content.get("policy", content) if isinstance(content, dict) else content
    if not isinstance(found, dict):
        raise UserError(f"policy {str(path)!r} holds a {type(found).__name__}, expected an object: {WHERE}")
    return found


def load_weights(path: str | Path) -> MLPPolicy:
    """The policy of such a file: `read_weights`, then `policy_from_weights`."""
    return policy_from_weights(read_weights(path), f"policy {str(path)!r}")


def _numbers(value: Any, dimensions: int, name: str) -> torch.Tensor:
    """Nested lists as a tensor of finite numbers, or a UserError that says what they are."""
    try:
        tensor = torch.tensor(value, dtype=torch.float32)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise UserError(f"{name} is {str(value)[:40]!r}, expected numbers ({str(error)[:60]})") from error
    if tensor.dim() != dimensions or not tensor.numel() or not math.isfinite(float(tensor.abs().max())):
        raise UserError(f"{name} is {str(value)[:40]!r}, expected finite numbers in {dimensions} dimensions")
    return tensor
