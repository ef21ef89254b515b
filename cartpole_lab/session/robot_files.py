"""The USD files of a scene, opened before anything is simulated: joints, bodies, and what is wrong with a file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.tasks.server_files import is_remote


@dataclass(frozen=True)
class Contents:
    """What a USD file holds.

    Attributes:
        joints, bodies: Their names.
        robots: How many articulations it has.
        wrong: Why it cannot be used at all; empty where it can.
    """

    joints: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ()
    robots: int = 0
    wrong: str = ""


def contents(path: str) -> Contents:
    """What a USD file on this disk holds; a file that has changed is read again."""
    try:
        if not Path(path).is_file():
            return Contents(wrong="a folder, expected a file" if Path(path).is_dir() else "not there")
        stat = Path(path).stat()
    except (OSError, ValueError) as error:
        return Contents(wrong=f"no name of a file ({getattr(error, 'strerror', None) or error})")
    return _read(path, stat.st_mtime_ns, stat.st_size)


@cache
def _read(path: str, changed: int, size: int) -> Contents:
    from pxr import Sdf, Tf, Usd, UsdPhysics

    try:
        if layer := Sdf.Layer.Find(path):
            layer.Reload()
        stage = Usd.Stage.Open(path)
    except Tf.ErrorException as error:
        return Contents(wrong=f"no USD file that can be read ({_reason(error)})")
    if not stage.GetDefaultPrim():
        return Contents(wrong="a USD file without a defaultPrim, so that nothing of it would be loaded")
    joints, bodies, robots = [], [], 0
    for prim in stage.Traverse():
        if prim.IsA(UsdPhysics.RevoluteJoint) or prim.IsA(UsdPhysics.PrismaticJoint):
            joints.append(prim.GetName())
        if prim.HasAPI(UsdPhysics.RigidBodyAPI):
            bodies.append(prim.GetName())
        robots += prim.HasAPI(UsdPhysics.ArticulationRootAPI)
        for name, value in _physical(prim):
            if any(not math.isfinite(number) for number in value):
                return Contents(wrong=f"a USD file whose {prim.GetPath()} has {name} = {value}, not a finite number")
            if name == "physics:mass" and value[0] < 0:
                return Contents(wrong=f"a USD file whose {prim.GetPath()} has a mass of {value[0]:g} kg")
    return Contents(tuple(joints), tuple(bodies), robots)


def _physical(prim: Any) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Numbers of mass and inertia that a file gives; a joint's limits may be infinite."""
    for name in ("physics:mass", "physics:density", "physics:centerOfMass", "physics:diagonalInertia"):
        attribute = prim.GetAttribute(name)
        if attribute and attribute.HasAuthoredValue():
            value = attribute.Get()
            # -inf is how the schema itself says that no centre of mass is given
            if name == "physics:centerOfMass" and all(number == -math.inf for number in value):
                continue
            yield name, tuple(value) if hasattr(value, "__len__") else (float(value),)


def _reason(error: Exception) -> str:
    """What the USD library says first, without its own lines of code."""
    for line in str(error).splitlines():
        if said := line.partition(" : '")[2]:
            return said.rstrip("' ")[:200]
    return "no reason given"


def check_files(cfg: Any) -> None:
    """See that the USD files which a scene names on this disk can be loaded, and that a robot's file holds a robot.

    Raises:
        UserError: Which setting, which file, and what is wrong with it.
    """
    for name, asset in vars(cfg.scene).items():
        path = getattr(getattr(asset, "spawn", None), "usd_path", None)
        if not hasattr(asset, "prim_path") or not isinstance(path, str) or is_remote(path):
            continue
        said, found = f"setting env.scene.{name}.spawn.usd_path is {path[:200]!r}", contents(path)
        if found.wrong:
            raise UserError(f"{said}: {found.wrong}")
        if hasattr(asset, "actuators") and (found.robots != 1 or not found.joints or not found.bodies):
            raise UserError(
                f"{said}, expected one robot: it has {found.robots} articulation roots, {len(found.bodies)} bodies and "
                f"{len(found.joints)} joints that move"
            )
