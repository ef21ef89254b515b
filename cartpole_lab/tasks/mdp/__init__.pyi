__all__ = ["frozen_image_features", "mirror_left_right"]

from isaaclab.envs.mdp import *  # noqa: F403

from .frozen_features import frozen_image_features
from .symmetry import mirror_left_right
