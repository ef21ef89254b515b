"""Isaac Lab's manager of MuJoCo-Warp, or the quicker one of the same numbers.

The preset names ``NewtonManager`` here. Which class that is, :func:`cartpole_lab.shortcuts.newton_manager` decides when
the simulation is made.
"""

from __future__ import annotations

from cartpole_lab import shortcuts


def __getattr__(name: str) -> type:
    if name != "NewtonManager":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return shortcuts.newton_manager()
