"""Whether the chosen physics is installed, said before anything starts."""

from __future__ import annotations

import importlib.util
from typing import Any

from cartpole_lab.errors import UserError


class PhysicsUnavailable(UserError):
    """The chosen physics needs something that is not installed here."""


def check_available(physics: Any) -> None:
    """Return if the physics config can run here.

    Args:
        physics: Resolved physics config, such as ``cfg.sim.physics``.

    Raises:
        PhysicsUnavailable: Isaac Sim or ovphysx is missing; the message names what to install.
    """
    kinds = [kind.__name__ for kind in type(physics).__mro__]
    if "PhysxCfg" in kinds and importlib.util.find_spec("isaacsim") is None:
        raise PhysicsUnavailable(
            "physics=isaacsim_physx runs inside Isaac Sim, which is not installed: with Python 3.12, "
            'pip install "isaaclab[isaacsim]==3.0.0" from NVIDIA\'s package index, or choose physics=newton_mjwarp'
        )
    if "OvPhysxCfg" in kinds and importlib.util.find_spec("ovphysx") is None:
        raise PhysicsUnavailable(
            "physics=ovphysx is not installed: "
            'pip install "isaaclab[ovphysx]==3.0.0" (Linux and Windows), or choose physics=newton_mjwarp'
        )
