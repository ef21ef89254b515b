"""The terms that the task is made of: Isaac Lab's own, under one name, and a few of ours."""

from isaaclab.envs.mdp import *  # noqa: F403

from cartpole_lab.tasks.mdp.image_features import frozen_image_features  # noqa: F401
from cartpole_lab.tasks.mdp.symmetry import mirror_left_right  # noqa: F401
