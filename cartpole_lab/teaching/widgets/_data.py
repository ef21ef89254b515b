"""From result objects to what a page needs: short numbers, first episodes, no NaN."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cartpole_lab.tasks.success import default_weights
from cartpole_lab.teaching.widgets._base import rounded

if TYPE_CHECKING:
    from cartpole_lab.training.training_run import TrainingRun
    from cartpole_lab.video.rollout import Rollout

DEFAULT_WEIGHTS = default_weights()
"""The weights of the task."""
WEIGHT_RANGES = {
    "alive": (-2.0, 5.0),
    "terminating": (-20.0, 20.0),
    "pole_pos": (-10.0, 0.0),
    "cart_vel": (-1.0, 0.0),
    "pole_vel": (-1.0, 0.0),
    "cart_pos": (-2.0, 0.0),
}
"""Ends of the sliders of the task's terms."""
FILM_HZ = 30.0
"""Pictures a second that a page keeps of an episode."""


def range_around(value: float) -> tuple[float, float]:
    """Slider range of a term of one's own: from zero to five times its weight."""
    return (0.0, 5 * value) if value > 0 else (5 * value, 0.0) if value < 0 else (-1.0, 1.0)


def clean(value: float | None, digits: int = 4) -> float | None:
    """A number that JSON can hold: NaN and infinity become None."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def first_episode(rollout: Rollout, env: int) -> int:
    """Steps of an environment's first episode in a `Rollout`: to its first end, or all of them."""
    ended = np.flatnonzero(np.asarray(rollout.terminated[:, env]) | np.asarray(rollout.truncated[:, env]))
    return int(ended[0]) + 1 if len(ended) else len(rollout.terminated)


def summarise(run: TrainingRun, weights: Mapping[str, float], ppo: Mapping[str, float]) -> dict[str, Any]:
    """What a page keeps of a `TrainingRun`: its settings, its curve and its evaluation."""
    found = run.evaluation.as_dict()
    keep = ("episodes", "mean_return", "timeout_share", "settled_share", "mean_settle_time_s", "solved")
    named = {name: getattr(run, name) for name in ("num_envs", "seed", "env_steps") if hasattr(run, name)}
    evaluation = {name: clean(v) if isinstance(v := found.get(name), float) else v for name in keep}
    if default := found["default_reward"]:  # trained with another reward: the page compares by the task's own
        evaluation |= {"task_return": clean(default["mean_return"]), "solved": default["solved"]}
    return {
        "weights": dict(weights),
        "ppo": dict(ppo),
        **named,
        "epochs": int(run.epochs),
        "wall_s": clean(run.wall_s_train, 1),
        "curve": {
            "epoch": [int(epoch) for epoch in run.curve["epoch"]],
            "return": [clean(value, 3) for value in run.curve["return"]],
        },
        "evaluation": evaluation,
        "actor": actor_of(getattr(run, "checkpoint", None)),
    }


def actor_of(checkpoint: Path | None) -> dict[str, Any] | None:
    """The policy as numbers, for the carts of the page; None where it isn't one that a page can play."""
    if checkpoint is None:
        return None
    from cartpole_lab.errors import UserError
    from cartpole_lab.policies.export import export_weights

    try:
        return export_weights(checkpoint)
    except UserError:
        return None


def film_of(rollout: Rollout) -> dict[str, Any]:
    """The first episode of each environment of a `Rollout`, thinned to about 30 pictures a second."""
    stride = max(1, round(1 / FILM_HZ / rollout.step_dt))
    episodes = []
    for env in range(rollout.joint_pos.shape[1]):
        states = np.asarray(rollout.joint_pos[: first_episode(rollout, env), env])[::stride]
        episodes.append({"x": rounded(states[:, 0], 3), "angle": rounded(states[:, 1], 3)})
    return {"dt": rollout.step_dt * stride, "episodes": episodes}
