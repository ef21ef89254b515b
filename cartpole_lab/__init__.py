"""Learn Isaac Lab on the cart-pole: a small package that the lessons import.

Where things are, one room per question:

- ``tasks``: what is simulated; ``physics``: on what it runs;
- ``session``: one live environment (:func:`make_env`);
- ``policies``: what acts, and its export; ``training``: :func:`train`, :func:`sweep`; ``evaluation``: :func:`evaluate`;
- ``video``: rollouts and films; ``teaching``: widgets and the checks of the lessons;
- ``cli``: the command; ``speed``: what is there only for speed; ``doctor``: what this machine can run.

The names below load on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from cartpole_lab.lazy_names import lazy_names

__version__ = "0.1.0"

_HOME = {
    "make_env": "session",
    "close_env": "session",
    "load_cfg": "session",
    "default_device": "session",
    "train": "training",
    "TrainingRun": "training",
    "TrainOptions": "training",
    "sweep": "training.sweep",
    "evaluate": "evaluation",
    "Evaluation": "evaluation_result",
    "load_policy": "policies",
    "Run": "policies",
    "find_runs": "policies",
    "Checkpoint": "policies",
    "open_checkpoint": "policies",
    "zero_policy": "policies",
    "random_policy": "policies",
    "pd_policy": "policies",
    "record_rollout": "video",
    "record_video": "video",
    "Rollout": "video",
    "plot_curve": "training",
    "export_onnx": "policies",
    "export_weights": "policies",
    "UserError": "errors",
}
__all__ = list(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
