"""What a policy does, kept: rollouts as arrays, and films of them.

Here belong recording, cameras, drawing and encoding. How good the policy is belongs into ``evaluation``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "record_rollout": "rollout",
    "record_video": "film",
    "Rollout": "rollout",
    "film_camera_cfg": "film_camera",
    "with_film_camera": "film_camera",
    "write_mp4": "encoder",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
