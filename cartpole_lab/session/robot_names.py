"""Joint and body names in a config, looked up in the robot's file before anything is simulated."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.session.overrides import nearest
from cartpole_lab.session.robot_files import contents


def check_names(cfg: Any) -> None:
    """See that the joints and bodies which terms and actuators name are the robot's.

    An entity whose file is not on this disk is left to Isaac Lab, which looks when it makes the environment.

    Raises:
        UserError: A name or expression that matches nothing; says what there is.
    """
    known = {name: found for name, asset in _assets(cfg.scene) if (found := _file_names(asset))}
    for where, entity, kind, wanted in _wanted(cfg):
        if entity not in known:
            if entity is not None and getattr(cfg.scene, entity, None) is None:
                have = ", ".join(name for name, _ in _assets(cfg.scene)) or "none"
                raise UserError(f"setting {where} names {entity!r}, which is not in the scene: it has {have}")
            continue
        names = known[entity][0 if kind == "joint" else 1]
        for pattern in [wanted] if isinstance(wanted, str) else wanted or ():
            if not isinstance(pattern, str):
                raise UserError(f"setting {where} names the {kind} {pattern!r}, expected a word such as {names[0]!r}")
            if not names or _matches(where, pattern, names):
                continue
            near = nearest(pattern, names)
            raise UserError(
                f"setting {where} names the {kind} {pattern!r}, which {entity} does not have: expected "
                f"{' or '.join(names)}" + (f"; did you mean {near}?" if near else "")
            )


def check_standing(cfg: Any) -> None:
    """See that a joint which was named as the one that stands is there; a task may inherit one that it lacks.

    Raises:
        UserError: It is not.
    """
    standing = cfg.success.standing
    names = (_file_names(getattr(cfg.scene, standing.asset, None)) or ((), ()))[0]
    if names and standing.joint not in names:
        raise UserError(
            f"setting env.success.standing.joint names the joint {standing.joint!r}, which {standing.asset} does not "
            f"have: expected {' or '.join(names)}"
        )


def _matches(where: str, pattern: str, names: Iterable[str]) -> bool:
    try:
        return any(re.fullmatch(pattern, name) for name in names)
    except re.error as error:
        raise UserError(f"setting {where} is {pattern!r}, which is not a regular expression: {error}") from error


def _assets(scene: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(scene).items():
        if hasattr(value, "prim_path"):
            yield name, value


def _file_names(asset: Any) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    path = getattr(getattr(asset, "spawn", None), "usd_path", None)
    if not isinstance(path, str) or not hasattr(asset, "actuators"):
        return None
    found = contents(path)
    return None if found.wrong else (found.joints, found.bodies)


def _wanted(cfg: Any) -> Iterator[tuple[str, str | None, str, str | Sequence[str] | None]]:
    """Where names stand: the setting, the entity, ``"joint"`` or ``"body"``, the names."""
    for label, term in terms(cfg):
        entity = getattr(term, "asset_name", None)
        if isinstance(entity, str):
            yield f"{label}.asset_name", entity, "joint", None
            for kind in ("joint", "body"):
                yield f"{label}.{kind}_names", entity, kind, getattr(term, f"{kind}_names", None)
            for field in ("scale", "offset", "clip"):
                if isinstance(by_name := getattr(term, field, None), Mapping) and hasattr(term, "joint_names"):
                    yield f"{label}.{field}", entity, "joint", list(by_name)
        params = getattr(term, "params", None)
        for key, value in params.items() if isinstance(params, Mapping) else ():
            if type(value).__name__ == "SceneEntityCfg":
                yield f"{label}.params.{key}.name", value.name, "joint", None
                for kind in ("joint", "body"):
                    yield f"{label}.params.{key}.{kind}_names", value.name, kind, getattr(value, f"{kind}_names", None)
    for name, asset in _assets(cfg.scene):
        for actuator, settings in (getattr(asset, "actuators", None) or {}).items():
            label = f"env.scene.{name}.actuators.{actuator}.joint_names_expr"
            yield label, name, "joint", getattr(settings, "joint_names_expr", None)
        state = getattr(asset, "init_state", None)
        for field in ("joint_pos", "joint_vel"):
            yield f"env.scene.{name}.init_state.{field}", name, "joint", list(getattr(state, field, None) or ())


def terms(cfg: Any) -> list[tuple[str, Any]]:
    """Every term of every manager, with its name: observation, action, reward, termination, event, …"""
    found: list[tuple[str, Any]] = []
    for manager in ("observations", "actions", "events", "rewards", "terminations", "commands", "curriculum"):
        group = getattr(cfg, manager, None)
        if group is None:
            continue
        for name, term in _items(group):
            label = f"env.{manager}.{name}"
            if manager == "observations":
                found += [(f"{label}.{leaf}", item) for leaf, item in _items(term) if hasattr(item, "func")]
            else:
                found.append((label, term))
    return found


def _items(group: Any) -> list[tuple[str, Any]]:
    pairs = group.items() if isinstance(group, Mapping) else vars(group).items() if hasattr(group, "__dict__") else ()
    return [(str(name), value) for name, value in pairs if dataclasses.is_dataclass(value)]
