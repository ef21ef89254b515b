"""All entries of the page: importing the modules that define them fills the register."""

from __future__ import annotations

from tests.surprises import (
    after_training,
    configs,
    end_of_episode,
    engines,
    episodes,
    files,
    learning,
    libraries,
    motors,
)
from tests.surprises.entry import GROUPS, WORLDS, Place, Surprise, surprise

ENTRIES = surprise.entries
MODULES = (configs, motors, episodes, end_of_episode, engines, files, learning, libraries, after_training)
"""Where they are, in the order of the page."""
__all__ = ["ENTRIES", "GROUPS", "MODULES", "WORLDS", "Place", "Surprise"]
