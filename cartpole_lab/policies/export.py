"""A trained policy outside of Isaac Lab: as ONNX for any runtime, and as plain numbers for the browser."""

from __future__ import annotations

import json
import math
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cartpole_lab.errors import UserError
from cartpole_lab.files import check_target, write_whole
from cartpole_lab.policies.checkpoint import Checkpoint
from cartpole_lab.policies.checkpoint_lookup import open_any
from cartpole_lab.policies.loading import load_policy
from cartpole_lab.policies.network import NetworkPolicy
from cartpole_lab.policies.runs import Run

ONNX_OPSET = 18
ONNX_TOLERANCE = 1e-5
"""Largest difference between the action of PyTorch and of ONNX Runtime that an export may show."""
_ACTIVATIONS = {nn.ELU: "elu", nn.ReLU: "relu", nn.Tanh: "tanh"}
_WIDEST = 1e9
"""What stands for "no limit" in JSON, which knows no infinity."""


def export_weights(
    checkpoint: str | Path | Checkpoint | Run, path: str | Path | None = None, *, overwrite: bool = True
) -> dict[str, Any]:
    """Read a checkpoint's policy as numbers that JSON can hold, which is what the playground runs on.

    Args:
        checkpoint: A checkpoint of any of the four libraries whose policy is a perceptron; its path will do.
        path: Where to write them as JSON; nowhere if None.
        overwrite: Whether a file that is there may be replaced.

    Returns:
        ``observation_clip`` and ``action_clip`` (floats); ``normalization``, None or ``{mean, var, epsilon, clip}``;
        ``layers``, a list of ``{weight (out x in), bias (out), activation}`` where the last one gives the action.

    Raises:
        UserError: The file isn't such a checkpoint, its network has an activation or a shape that the browser lacks, or
            ``path`` is there already.
    """
    opened = open_any(checkpoint)
    if path is not None:
        check_target(path, overwrite=overwrite, keep=opened.path)
    weights = weights_of(load_policy(opened))
    if path is not None:
        text = json.dumps(weights, separators=(",", ":"), allow_nan=False) + "\n"
        write_whole(path, text, overwrite=overwrite)
    return weights


def weights_of(policy: NetworkPolicy) -> dict[str, Any]:
    """`export_weights` for a policy that is already loaded."""
    if policy.layers is None or len(policy.obs_shape) != 1:
        raise UserError("the browser runs plain layers one after the other: this network is more than that; use ONNX")
    layers: list[dict[str, Any]] = []
    for part in policy.layers:
        if isinstance(part, nn.Linear):
            layers.append({"weight": part.weight, "bias": part.bias, "activation": None})
        elif type(part) in _ACTIVATIONS:
            layers[-1]["activation"] = _ACTIVATIONS[type(part)]
        else:
            raise UserError(
                f"activation {type(part).__name__} has no counterpart in the browser: use elu, relu or tanh"
            )
    clip = policy.clip_actions
    if policy.scale != 1.0:  # the browser limits once: what comes after the limit moves before it
        if layers[-1]["activation"] is not None:
            raise UserError(f"the browser cannot stretch an answer to ±{clip:g} after its last activation: use ONNX")
        layers[-1]["weight"] = layers[-1]["weight"] * policy.scale
        layers[-1]["bias"] = layers[-1]["bias"] * policy.scale
    normalization = None
    if policy.normalises:
        # `std` has the library's epsilon inside already, so none is added again.
        limit = min(policy.clip_normalized, _WIDEST)
        normalization = {"mean": _short(policy.mean), "var": _short(policy.std**2), "epsilon": 0.0, "clip": limit}
    return {
        "observation_clip": min(policy.clip_obs, _WIDEST),
        "action_clip": min(clip, _WIDEST),
        "normalization": normalization,
        "layers": [{**layer, "weight": _short(layer["weight"]), "bias": _short(layer["bias"])} for layer in layers],
    }


def _short(values: torch.Tensor) -> Any:
    """Six significant digits: a policy of 32 x 32 fits into about 15 kB."""

    def trim(value: Any) -> Any:
        if isinstance(value, list):
            return [trim(v) for v in value]
        if not math.isfinite(value):
            raise UserError("the policy has weights that are not numbers: its training went wrong")
        return float(f"{value:.6g}")

    return trim(values.detach().cpu().double().tolist())


def export_onnx(checkpoint: str | Path | Checkpoint | Run, path: str | Path, *, overwrite: bool = True) -> Path:
    """Write a checkpoint's policy as ONNX and hold it against ONNX Runtime.

    The graph maps ``obs`` (n, numbers), as the environment gives it, to ``action`` (n, numbers): clipping,
    normalisation and the mean of the action are inside, exploration is not.

    Args:
        checkpoint: A checkpoint of any of the four libraries; its path will do.
        path: The file to write; its folder is made.
        overwrite: Whether a file that is there may be replaced.

    Returns:
        ``path``.

    Raises:
        UserError: The file isn't such a checkpoint, or ``path`` is there already.
        RuntimeError: ONNX Runtime answers differently by more than :data:`ONNX_TOLERANCE`; nothing is written.
    """
    opened = open_any(checkpoint)
    path = check_target(path, overwrite=overwrite, keep=opened.path)
    policy = load_policy(opened)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "policy.onnx"
        probe = _write_onnx(policy, made)
        worst = _difference(policy, made, probe)
        if not worst <= ONNX_TOLERANCE:
            raise RuntimeError(
                f"ONNX answers up to {worst:.2e} off the checkpoint, expected {ONNX_TOLERANCE:.0e} or less: not written"
            )
        return write_whole(path, made.read_bytes(), overwrite=overwrite)


def _write_onnx(policy: NetworkPolicy, path: Path) -> torch.Tensor:
    """Write the graph; return observations wider than any start state, so that all clips are crossed too."""
    count = 256 if len(policy.obs_shape) == 1 else 4
    probe = torch.randn(count, *policy.obs_shape, generator=torch.Generator().manual_seed(0)) * 4
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
    return probe


def _difference(policy: NetworkPolicy, path: Path, probe: torch.Tensor) -> float:
    """The largest difference between the actions of ONNX Runtime and of PyTorch; NaN if one is none."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (answer,) = session.run(["action"], {"obs": probe.numpy()})
    return float((torch.from_numpy(answer) - policy(probe)).abs().max())
