"""Checks of lesson 13: the moment of an event, and a mass that is drawn at each reset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cartpole_lab.teaching.exercises.checking import Hint, named, says

_MODES = {"light": "prestartup", "mass": "startup", "start": "reset", "gust": "interval"}
_WHY = {
    "light": "the stage is written before the simulation starts: there is a mode that comes before 'startup'",
    "mass": "each cart keeps its pole for the whole training: drawn once, when the simulation has started",
    "start": "each episode begins elsewhere: whenever an environment starts over",
    "gust": "wind blows within an episode, every few seconds",
}


@says("once before, once at the start, at each reset, and now and then")
def check_modes(modes: Mapping[str, str]) -> None:
    """Check a choice of event modes.

    Args:
        modes: Mode by wish: ``light``, ``mass``, ``start``, ``gust``.
    """
    if not isinstance(modes, Mapping):
        raise Hint(f"this is a {type(modes).__name__}, expected a dictionary with {', '.join(_MODES)}")
    if missing := [name for name in _MODES if name not in modes]:
        raise Hint(f"{missing[0]!r} is missing: one mode for each of {', '.join(_MODES)}")
    known = set(_MODES.values())
    for name, mode in modes.items():
        if mode not in known:
            raise Hint(f"{name!r} is {mode!r}: there is no such mode; the four are {', '.join(_MODES.values())}")
    for name, mode in _MODES.items():
        if modes[name] != mode:
            raise Hint(f"{name!r} at {modes[name]!r}: {_WHY[name]}")


@says("the pole and no other body, a factor and not a sum, at each reset")
def check_mass_at_reset(term: Any) -> None:
    """Check an event term that scales the pole's mass at each reset by 0.8 to 1.2.

    Args:
        term: The event term's config.
    """
    from isaaclab.envs import mdp
    from isaaclab.managers import EventTermCfg, SceneEntityCfg

    if not isinstance(term, EventTermCfg):
        raise Hint(f"this is {type(term).__name__}, expected an EventTermCfg")
    if getattr(term.func, "__name__", "") != mdp.randomize_rigid_body_mass.__name__:
        raise Hint(f"func is {getattr(term.func, '__name__', term.func)!r}, expected mdp.randomize_rigid_body_mass")
    if term.mode != "reset":
        raise Hint(f"mode is {term.mode!r}: asked was for a new mass at each *reset*")
    entity = term.params.get("asset_cfg")
    if not isinstance(entity, SceneEntityCfg) or entity.name != "robot":
        raise Hint("asset_cfg is not the robot: SceneEntityCfg('robot', …)")
    names = named(entity.body_names, ("slider", "cart", "pole"))
    if entity.joint_names:
        raise Hint("joints have no mass: name the body, body_names=['pole']")
    if not names:
        raise Hint("no body is named, so cart and rail get new masses too: body_names=['pole']")
    if names != ["pole"]:
        raise Hint(f"body_names is {names}, expected ['pole']")
    operation = term.params.get("operation")
    if operation == "add":
        raise Hint("'add' would make it 0.8 to 1.2 kg heavier: to scale is another operation")
    if operation == "abs":
        raise Hint(
            "'abs' sets the mass to 0.8 to 1.2 kg, which is the same only as long as the file says 1 kg: 'scale'"
        )
    if operation != "scale":
        raise Hint(f"operation is {operation!r}, expected 'scale'")
    low, high = term.params.get("mass_distribution_params", (0, 0))
    if low > high:
        raise Hint(f"the range {low:g} to {high:g} is turned round")
    if (low, high) != (0.8, 1.2):
        raise Hint(f"the range is {low:g} to {high:g}, expected 0.8 to 1.2")
    if term.params.get("distribution", "uniform") != "uniform":
        raise Hint(f"distribution is {term.params['distribution']!r}; evenly means 'uniform', the default")
