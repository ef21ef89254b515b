"""One live environment: made quietly, rebuilt safely, set aside and brought back.

Here belong the environment's making and closing, the overrides and their errors, the assets that a scene needs, output
that is held back, and saving and restoring a live environment's state. What is simulated belongs into ``tasks``.
"""

from __future__ import annotations

from cartpole_lab.lazy_names import lazy_names
from cartpole_lab.session.cache_folders import use_writable_caches
from cartpole_lab.session.surroundings import leave_out_foreign_packages, name_other_versions

# At once, because it cannot be mended later: what comes next imports NumPy, and Warp, which makes its cache folder.
leave_out_foreign_packages()
name_other_versions()
use_writable_caches()

_HOME = {
    "make_env": "env",
    "open_env": "env",
    "close_env": "env",
    "load_cfg": "configs",
    "configure": "configs",
    "default_device": "configs",
    "check_device": "configs",
    "check_num_envs": "configs",
    "check_task": "task_lookup",
    "has_camera": "configs",
    "DEFAULT_TASK": "task_lookup",
    "DEFAULT_AGENT": "configs",
    "NUM_ENVS": "configs",
    "quietly": "held_output",
    "announce": "held_output",
    "undisturbed": "saved_state",
    "EnvSettings": "env_settings",
    "remote_files": "remote_assets",
    "check_assets": "remote_assets",
}
__all__ = list(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
