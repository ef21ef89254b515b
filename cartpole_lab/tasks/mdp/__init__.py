"""The terms that the task is made of: Isaac Lab's own, under one name."""

from isaaclab.envs.mdp import *  # noqa: F403
