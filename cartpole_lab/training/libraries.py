"""The reinforcement-learning libraries, by the names that ``--rl_library`` takes."""

from __future__ import annotations

import importlib.metadata
import importlib.util

from cartpole_lab.errors import UserError

LIBRARIES = {"rl_games": "rl-games", "rsl_rl": "rsl-rl-lib", "skrl": "skrl", "sb3": "stable-baselines3"}
"""Names that ``--rl_library`` takes, with the package that each needs."""


def check_library(library: str) -> str:
    """Return ``library`` if it can be used here.

    Raises:
        UserError: Unknown name, or its package is not installed.
    """
    if library not in LIBRARIES:
        raise UserError(f"rl_library {library!r} is not known: expected one of {', '.join(LIBRARIES)}")
    module = {"sb3": "stable_baselines3"}.get(library, library)
    if importlib.util.find_spec(module) is None:
        raise UserError(
            f"--rl_library {library} needs the package {LIBRARIES[library]}, which is not installed: "
            "pip install 'cartpole-lab[libraries]'"
        )
    return library


def installed(library: str) -> str:
    """Version of a library's package."""
    return importlib.metadata.version(LIBRARIES[library])
