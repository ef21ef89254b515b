"""A rollout of made-up motion, for widgets that take one."""

from __future__ import annotations

import numpy as np

from cartpole_lab.tasks.success import default_weights
from cartpole_lab.video.rollout import Rollout


def make_rollout(fails_at: int | None = None, steps: int = 20, envs: int = 2) -> Rollout:
    """As many steps of as many environments; environment 0 may fail at a step."""
    state = np.random.default_rng(0).normal(size=(steps + 1, envs, 4)).astype(np.float32)
    terminated = np.zeros((steps, envs), dtype=bool)
    if fails_at is not None:
        terminated[fails_at, 0] = True
    terms = {name: np.abs(state[1:, :, i % 4]) for i, name in enumerate(default_weights())}
    return Rollout(
        step_dt=1 / 60,
        joint_names=("slider_to_cart", "cart_to_pole"),
        joint_pos=state[..., :2],
        joint_vel=state[..., 2:],
        observations=state,
        actions=np.zeros((steps, envs, 1), dtype=np.float32),
        effort=np.zeros((steps, envs), dtype=np.float32),
        rewards=sum(default_weights()[name] * value for name, value in terms.items()) / 60,
        reward_terms=terms,
        weights=default_weights(),
        terminated=terminated,
        truncated=np.zeros_like(terminated),
    )
