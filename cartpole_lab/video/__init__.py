"""What a policy does, kept: rollouts as arrays, and films of them.

Here belong recording, cameras, drawing and encoding. How good the policy is belongs into ``evaluation``.
"""

from __future__ import annotations

from cartpole_lab.lazy_names import lazy_names

_HOME = {
    "record_rollout": "rollout",
    "record_video": "film",
    "Rollout": "rollout",
    "film_camera_cfg": "film_camera",
    "with_film_camera": "film_camera",
    "write_mp4": "encoder",
}
__all__ = list(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
