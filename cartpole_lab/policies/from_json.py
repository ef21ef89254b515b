"""A policy as plain numbers: what `export_weights` writes and what the book's page hands out after it has trained."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cartpole_lab.errors import UserError
from cartpole_lab.policies.network import NetworkPolicy

LARGEST_FILE = 20_000_000
"""Bytes beyond which a file is no policy of this kind."""
ACTIVATIONS: dict[str, type[nn.Module]] = {"elu": nn.ELU, "relu": nn.ReLU, "tanh": nn.Tanh, "selu": nn.SELU}
"""Activations that such a file may name."""
WHERE = "`cartpole-lab export` and the trainer of the book's page write such a file"


def policy_from_weights(weights: Mapping[str, Any], name: str = "these weights") -> NetworkPolicy:
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
    if any(kind is not None and (not isinstance(kind, str) or kind not in ACTIVATIONS) for kind in found):
        raise UserError(f"{name}: activations are {str(found)[:80]}, expected one of {', '.join(ACTIVATIONS)}, or none")
    parts: list[nn.Module] = []
    for (weight, bias), activation in zip(matrices, found, strict=True):
        dense = nn.Linear(weight.shape[1], weight.shape[0])
        dense.load_state_dict({"weight": weight, "bias": bias})
        parts += [dense] if activation is None else [dense, ACTIVATIONS[activation]()]
    width = matrices[0][0].shape[1]
    normalization = weights.get("normalization")
    mean_std = None if normalization is None else _moments(normalization, width, name)
    limit = 5.0 if normalization is None else normalization.get("clip", 5.0)
    return NetworkPolicy(
        nn.Sequential(*parts),
        (width,),
        clip_obs=_numbers(weights.get("observation_clip"), 0, f"{name}: observation_clip").item(),
        normalizer=mean_std,
        clip_normalized=_numbers(limit, 0, f"{name}: normalization.clip").item(),
        clip_actions=_numbers(weights.get("action_clip"), 0, f"{name}: action_clip").item(),
        layers=parts,
    )


def _moments(normalization: Any, width: int, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of the observations."""
    if not isinstance(normalization, Mapping):
        raise UserError(f"{name}: normalization is {str(normalization)[:40]!r}, expected mean, var, epsilon")
    mean, var = (_numbers(normalization.get(key), 1, f"{name}: normalization.{key}") for key in ("mean", "var"))
    for key, values in (("mean", mean), ("var", var)):
        if len(values) != width:
            raise UserError(f"{name}: normalization.{key} has {len(values)} numbers, expected {width}")
    epsilon = _numbers(normalization.get("epsilon"), 0, f"{name}: normalization.epsilon").item()
    if not bool((var + epsilon > 0).all()):
        raise UserError(f"{name}: normalization.var is {str(var.tolist())[:60]}, expected numbers above 0")
    return mean, torch.sqrt(var + epsilon)


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


def _numbers(value: Any, dimensions: int, name: str) -> torch.Tensor:
    """Nested lists as a tensor of finite numbers, or a UserError that says what they are."""
    try:
        tensor = torch.tensor(value, dtype=torch.float32)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise UserError(f"{name} is {str(value)[:40]!r}, expected numbers ({str(error)[:60]})") from error
    if tensor.dim() != dimensions or not tensor.numel() or not math.isfinite(float(tensor.abs().max())):
        raise UserError(f"{name} is {str(value)[:40]!r}, expected finite numbers in {dimensions} dimensions")
    return tensor
