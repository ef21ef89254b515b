"""The checks of the lessons' exercises, found by name: ``exercises.check_hanging(…)``.

A check prints one line, ✓ or ✗ with a hint, and never raises. The files load on first use, because some of them need
PyTorch. They take plain values and result objects, and start no simulator.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "check_hanging": "scene",
    "check_ice": "scene",
    "check_lean": "acting",
    "check_sin_cos": "acting",
    "check_cart_centred": "mdp_terms",
    "check_value_target": "mdp_terms",
    "check_slow_motion": "timing",
    "check_controller": "timing",
    "check_registered": "gymnasium_ids",
    "check_push_limit": "gymnasium_ids",
    "check_column": "seeing",
    "check_motion": "seeing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: it has {', '.join(_HOME)}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
