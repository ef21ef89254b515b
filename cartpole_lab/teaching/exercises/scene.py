"""Checks of lesson 1: variants of a robot's configuration that leave the original alone."""

from __future__ import annotations

import importlib.util
import math
from typing import TYPE_CHECKING

from cartpole_lab.teaching.exercises.checking import Hint, changed, named, says

if TYPE_CHECKING:
    from isaaclab.assets import ArticulationCfg


def _is_robot(cfg: object, original: ArticulationCfg) -> None:
    """Raise unless ``cfg`` is a robot's configuration other than the original object."""
    if not hasattr(cfg, "init_state") or not hasattr(cfg, "actuators"):
        raise Hint(f"this is {type(cfg).__name__}, expected an ArticulationCfg: start from replace(CARTPOLE_CFG, …)")
    if cfg is original:
        raise Hint("this is CARTPOLE_CFG itself, not a copy: replace(CARTPOLE_CFG, …) makes one")


def _put_back(original: ArticulationCfg) -> bool:
    """Give the package's robot what it had, if somebody has written into it; whether that was so."""
    from cartpole_lab.tasks import robot

    if original is not robot.CARTPOLE_CFG:
        return False
    spec = importlib.util.find_spec(robot.__name__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fresh, changed = module.CARTPOLE_CFG, False
    for part in ("init_state", "actuators"):
        if getattr(original, part) != getattr(fresh, part):
            setattr(original, part, getattr(fresh, part))
            changed = True
    return changed


_AGAIN = "CARTPOLE_CFG is as it was again: run your cell once more"


@says("the pole hangs, and CARTPOLE_CFG still stands")
def check_hanging(cfg: ArticulationCfg, original: ArticulationCfg) -> None:
    """Check a robot whose pole starts hanging down.

    Args:
        cfg: The learner's configuration.
        original: ``CARTPOLE_CFG``, which must be as it was.
    """
    if _put_back(original):
        raise Hint(f"CARTPOLE_CFG itself had changed: use replace(), which copies. {_AGAIN}")
    if original.init_state.joint_pos["cart_to_pole"] != 0.0:
        raise Hint("CARTPOLE_CFG itself has changed: restart the kernel, and use replace(), which copies")
    _is_robot(cfg, original)
    known, given = ("slider_to_cart", "cart_to_pole"), cfg.init_state.joint_pos
    joints = {name: angle for pattern, angle in given.items() for name in named(pattern, known)}
    unknown = set(joints) - set(known)
    if unknown:
        raise Hint(f"no joint is called {sorted(unknown)[0]!r}: expected slider_to_cart or cart_to_pole")
    angle = joints.get("cart_to_pole", 0.0)
    if math.isclose(abs(angle), 180.0):
        raise Hint(f"{angle:g} are degrees; joint positions are in radians, and half a turn is π")
    if math.isclose(abs(angle), math.pi / 2, rel_tol=0.01):
        raise Hint("π/2 is a quarter of a turn: the pole lies flat. Hanging is half a turn")
    if not math.isclose(abs(angle), math.pi, rel_tol=0.01):
        raise Hint(f"cart_to_pole is {angle:g} rad, expected half a turn, π")
    if abs(cfg.init_state.pos[2]) < 1.0:
        raise Hint(
            f"the rail is {cfg.init_state.pos[2]:g} m up: a new init_state forgets the old pos, so give 2 m again"
        )
    other = "slider_to_cart" if joints.get("slider_to_cart") else changed(cfg, original, "init_state.joint_pos")
    if other:
        raise Hint(f"{other} has changed too: only the pole's angle should differ")


@says("ice on the rail, and CARTPOLE_CFG keeps its brake")
def check_ice(cfg: ArticulationCfg, original: ArticulationCfg) -> None:
    """Check a robot whose rail does not brake.

    Args:
        cfg: The learner's configuration.
        original: ``CARTPOLE_CFG``, which must be as it was.
    """
    if _put_back(original):
        raise Hint(
            "CARTPOLE_CFG itself had changed, because you changed an object that both share: replace() the actuator "
            f"too. {_AGAIN}"
        )
    if original.actuators.get("cart_actuator") is None or original.actuators["cart_actuator"].damping != 10.0:
        raise Hint(
            "CARTPOLE_CFG itself lost its brake: you changed an object that both share. Restart the kernel, "
            "and replace() the actuator too"
        )
    _is_robot(cfg, original)
    missing = set(original.actuators) - set(cfg.actuators)
    if missing:
        raise Hint(
            f"{sorted(missing)[0]} is gone: a new dict replaces the old one, so copy it with {{**old, name: new}}"
        )
    if set(cfg.actuators) - set(original.actuators):
        raise Hint("there are more actuators than before: give the new one the name of the one it replaces")
    if cfg.actuators["cart_actuator"].damping != 0.0:
        raise Hint(f"the cart's damping is {cfg.actuators['cart_actuator'].damping}, expected 0")
    if other := changed(cfg, original, "actuators.cart_actuator.damping"):
        raise Hint(
            f"{other} has changed, and only the damping should: replace(old_actuator, damping=0.0) keeps other settings"
        )
