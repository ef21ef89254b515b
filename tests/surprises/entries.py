"""All entries of the page: importing the modules that define them fills the register."""

from __future__ import annotations

from tests.surprises import configs, engines, episodes, learning, motors
from tests.surprises.entry import GROUPS, WORLDS, Place, Surprise, surprise

ENTRIES = surprise.entries
__all__ = ["ENTRIES", "GROUPS", "WORLDS", "Place", "Surprise", "configs", "engines", "episodes", "learning", "motors"]
