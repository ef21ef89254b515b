"""Interactive figures that work with a kernel and without one.

==============  =========================================================================================
`RewardMixer`   a recorded rollout's reward, term by term, under weights that sliders set
`Trainer`       weights and PPO numbers as sliders, a Train button, curves that grow and stay for comparison
`Playground`    the cart-pole in the browser under exported policies, or under your arrow keys
`PolicyMap`     what a policy answers to every angle and angular velocity, with trajectories on top
==============  =========================================================================================

Each is an anywidget: one ``.py`` beside its ``.js``. They take plain numbers and result objects and start no simulator.
The same object lives in JupyterLab and in a rendered page; where neither runs, a still picture stands in its place.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cartpole_lab.teaching.widgets.playground import Playground
    from cartpole_lab.teaching.widgets.policy_map import PolicyMap
    from cartpole_lab.teaching.widgets.reward_mixer import RewardMixer
    from cartpole_lab.teaching.widgets.trainer import Trainer

__all__ = ["Playground", "PolicyMap", "RewardMixer", "Trainer"]
_HOMES = {"Playground": "playground", "PolicyMap": "policy_map", "RewardMixer": "reward_mixer", "Trainer": "trainer"}


def __getattr__(name: str) -> Any:
    """Import a widget when it is first asked for, so that importing the package stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}, expected one of {', '.join(__all__)}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
