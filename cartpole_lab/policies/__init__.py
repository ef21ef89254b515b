"""What acts: hand-written policies, trained networks read from runs and checkpoints, and their export.

Here belongs everything from a run's folder or a file of weights to a function from observations to actions. How weights
are learned belongs into ``training``, how good they are into ``evaluation``.
"""

from __future__ import annotations

from cartpole_lab.lazy_names import lazy_names

_HOME = {
    "Policy": "network",
    "NetworkPolicy": "network",
    "load_policy": "loading",
    "build_policy": "loading",
    "zero_policy": "by_hand",
    "random_policy": "by_hand",
    "pd_policy": "by_hand",
    "Checkpoint": "checkpoint",
    "Meaning": "meaning",
    "open_checkpoint": "checkpoint",
    "read_checkpoint": "checkpoint",
    "Run": "runs",
    "find_checkpoint": "checkpoint_lookup",
    "find_runs": "checkpoint_lookup",
    "open_any": "checkpoint_lookup",
    "export_onnx": "export",
    "export_weights": "export",
    "policy_from_weights": "from_json",
}
__all__ = list(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
