"""Learning: the training run, its options, its folder, what it shows while it lasts.

Here belong rl-games' run in the order of Isaac Lab's own script, the other libraries, the run folder and the callback
that evaluates between epochs. How good a policy is belongs into ``evaluation``; shortcuts belong into ``speed``.
"""

from __future__ import annotations

from cartpole_lab.lazy_names import lazy_names

_HOME = {
    "train": "rl_games_train",
    "TrainingRun": "training_run",
    "TrainOptions": "options",
    "EpochInfo": "progress",
    "ProgressLine": "progress",
    "plot_curve": "progress",
}
__all__ = list(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
