"""The checks of the lessons' exercises, found by name: ``exercises.check_hanging(…)``.

A check prints one line, ✓ or ✗ with a hint, and never raises. The files load on first use, because some of them need
PyTorch. They take plain values and result objects, and start no simulator.
"""

from __future__ import annotations

from cartpole_lab.lazy_names import lazy_names

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
__getattr__, __dir__ = lazy_names(__name__, _HOME)
