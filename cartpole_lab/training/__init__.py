"""Learning: the training run, its options, its folder, what it shows while it lasts.

Here belong rl-games' run in the order of Isaac Lab's own script, the other libraries, the run folder and the callback
that evaluates between epochs. How good a policy is belongs into ``evaluation``; shortcuts belong into ``speed``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "train": "rl_games_train",
    "TrainingRun": "training_run",
    "TrainOptions": "options",
    "EpochInfo": "progress",
    "ProgressLine": "progress",
    "plot_curve": "progress",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
