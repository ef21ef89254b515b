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

from cartpole_lab.lazy_names import lazy_names

_HOME = {"Playground": "playground", "PolicyMap": "policy_map", "RewardMixer": "reward_mixer", "Trainer": "trainer"}
__all__ = list(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
