"""What acts: hand-written policies, trained networks read from checkpoints, and their export.

Here belongs everything from a file of weights to a function from observations to actions. How weights are learned
belongs into ``training``, how good they are into ``evaluation``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Policy": "network",
    "load_policy": "network",
    "zero_policy": "network",
    "random_policy": "network",
    "pd_policy": "network",
    "read_checkpoint": "network",
    "policy_from_model": "network",
    "agent_params": "network",
    "MLPPolicy": "network",
    "NetworkPolicy": "network",
    "DensePolicy": "dense_policy",
    "export_onnx": "export",
    "export_weights": "export",
    "policy_from_weights": "from_json",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
