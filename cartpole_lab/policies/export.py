"""A trained policy outside of Isaac Lab: as ONNX for any runtime, and as plain numbers for the browser."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cartpole_lab.errors import UserError
from cartpole_lab.policies.network import MLPPolicy, load_policy

ONNX_OPSET = 18
ONNX_TOLERANCE = 1e-5
"""Largest difference between the action of PyTorch and of ONNX Runtime that an export may show."""
_ACTIVATIONS = {nn.ELU: "elu", nn.ReLU: "relu", nn.Tanh: "tanh"}


def _perceptron(checkpoint: str | Path) -> MLPPolicy:
    policy = load_policy(checkpoint)
    if not isinstance(policy, MLPPolicy):
        raise UserError(
            f"checkpoint {str(checkpoint)!r} holds a {type(policy).__name__}, expected a policy on plain numbers: "
            "train Isaac-Cartpole-v0 with `cartpole-lab train`"
        )
    return policy


def export_weights(checkpoint: str | Path, path: str | Path | None = None) -> dict[str, Any]:
    """Read a checkpoint's policy as numbers that JSON can hold, which is what the playground runs on.

    Args:
        checkpoint: rl-games ``.pth`` file of a policy without a camera.
        path: Where to write them as JSON; nowhere if None.

    Returns:
        ``observation_clip`` and ``action_clip`` (floats); ``normalization``, None or ``{mean, var, epsilon, clip}``;
        ``layers``, a list of ``{weight (out x in), bias (out), activation}`` where the last one, rl-games' ``mu``
        head, has the activation None.

    Raises:
        UserError: The file isn't such a checkpoint, or its network has an activation that the browser lacks.
    """
    weights = weights_of(_perceptron(checkpoint))
    if path is not None:
        Path(path).write_text(json.dumps(weights, separators=(",", ":")) + "\n", encoding="utf-8")
    return weights


def weights_of(policy: MLPPolicy) -> dict[str, Any]:
    """`export_weights` for a policy that is already loaded."""
    layers: list[dict[str, Any]] = []
    for part in policy.body:
        if isinstance(part, nn.Linear):
            layers.append({"weight": _short(part.weight), "bias": _short(part.bias), "activation": None})
        elif type(part) in _ACTIVATIONS:
            layers[-1]["activation"] = _ACTIVATIONS[type(part)]
        else:
            raise UserError(
                f"activation {type(part).__name__} has no counterpart in the browser: use elu, relu or tanh"
            )
    normalization = None
    if policy.normalises:
        # `std` has rl-games' epsilon inside already, so none is added again.
        normalization = {"mean": _short(policy.mean), "var": _short(policy.std**2), "epsilon": 0.0, "clip": 5.0}
    return {
        "observation_clip": policy.clip_obs,
        "action_clip": policy.clip_actions,
        "normalization": normalization,
        "layers": layers,
    }


def _short(values: torch.Tensor) -> Any:
    """Six significant digits: a policy of 32 x 32 fits into about 15 kB."""

    def trim(value: Any) -> Any:
        return [trim(v) for v in value] if isinstance(value, list) else float(f"{value:.6g}")

    return trim(values.detach().cpu().double().tolist())


def export_onnx(checkpoint: str | Path, path: str | Path) -> Path:
    """Write a checkpoint's policy as ONNX and hold it against ONNX Runtime.

    The graph maps ``obs`` (n, 4), as the environment gives it, to ``action`` (n, 1) in ±1: clipping, normalisation and
    the mean of the action are inside, exploration is not.

    Args:
        checkpoint: rl-games ``.pth`` file of a policy without a camera.
        path: The file to write; its folder is made.

    Returns:
        ``path``.

    Raises:
        UserError: The file isn't such a checkpoint.
        RuntimeError: ONNX Runtime answers differently by more than :data:`ONNX_TOLERANCE`.
    """
    import onnxruntime

    policy = _perceptron(checkpoint).eval()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    width = policy.body[0].in_features
    # Wider than any start state, so that both clips are crossed too.
    probe = torch.randn(256, width, generator=torch.Generator().manual_seed(0)) * 4
    with warnings.catch_warnings():
        # The exporter of torch 2.11 uses a call that torch 2.11 calls old.
        warnings.simplefilter("ignore", FutureWarning)
        torch.onnx.export(
            policy,
            (probe,),
            str(path),
            input_names=["obs"],
            output_names=["action"],
            dynamic_shapes={"obs": {0: torch.export.Dim("n")}},
            opset_version=ONNX_OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (answer,) = session.run(["action"], {"obs": probe.numpy()})
    worst = float((torch.from_numpy(answer) - policy(probe)).abs().max())
    if not worst <= ONNX_TOLERANCE:
        raise RuntimeError(
            f"{path} answers up to {worst:.2e} off the checkpoint, expected {ONNX_TOLERANCE:.0e} or less"
        )
    return path
