"""Whether the chosen physics is installed, said before anything starts."""

from __future__ import annotations

import importlib.util
from typing import Any

from cartpole_lab import isaac_sim
from cartpole_lab.errors import PhysicsUnavailable

__all__ = ["PhysicsUnavailable", "check_available"]


def check_available(physics: Any) -> None:
    """Return if the physics config can run here.

    Args:
        physics: Resolved physics config, such as ``cfg.sim.physics``.

    Raises:
        PhysicsUnavailable: Isaac Sim or ovphysx is missing; the message names what to install.
    """
    kinds = [kind.__name__ for kind in type(physics).__mro__]
    if "PhysxCfg" in kinds:
        isaac_sim.check(["physics=isaacsim_physx"])
    if "OvPhysxCfg" in kinds and importlib.util.find_spec("ovphysx") is None:
        raise PhysicsUnavailable(
            "physics=ovphysx is not installed: "
            'pip install "isaaclab[ovphysx]==3.0.0" (Linux and Windows), or choose physics=newton_mjwarp'
        )
