"""Whether any two shapes can ever touch, whatever the joints do.

A cart on a level rail two metres above the ground can't bring its pole down there. Where no two shapes can meet,
looking for contacts finds nothing, and leaving the search out changes no number.

The answer is on the safe side: every hinge may turn all the way round, every slider may go any distance, and a shape
counts as the ball around it. Shapes that cannot meet even so are apart for good.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from mujoco_warp._src.types import GeomType, JointType
from newton import BodyFlags

CLEARANCE = 1e-3
"""Distance that has to be left between two shapes [m]."""
_LEVEL = 1e-5
"""Sine of the angle up to which a slider counts as parallel to a plane: more than single precision, still level."""


@dataclass(frozen=True)
class _Region:
    """Where something can be, in every world: within a ball, which may be moved along sliders."""

    center: np.ndarray = field(default_factory=lambda: np.zeros((1, 3)))
    """Shape ``(worlds, 3)``, or ``(1, 3)`` if all worlds agree [m]."""
    radius: np.ndarray = field(default_factory=lambda: np.zeros(1))
    """Shape ``(worlds,)`` [m]."""
    turn: np.ndarray | None = field(default_factory=lambda: np.eye(3)[None])
    """Its orientation if that never changes, shape ``(worlds, 3, 3)``."""
    sliders: tuple[np.ndarray, ...] = ()
    """Directions, shape ``(worlds, 3)`` each."""

    def child(self, position: np.ndarray, quaternion: np.ndarray) -> _Region:
        """Of a frame that is fixed to this one."""
        if self.turn is None:
            return replace(self, radius=self.radius + _length(position))
        return replace(self, center=self.center + _rotate(self.turn, position), turn=self.turn @ _matrix(quaternion))

    def after(self, joint: int, anchor: np.ndarray, axis: np.ndarray) -> _Region | None:
        """Of the frame behind a joint; None if that can be anywhere."""
        if joint == JointType.FREE or (joint == JointType.SLIDE and self.turn is None):
            return None
        if joint == JointType.SLIDE:
            return replace(self, sliders=(*self.sliders, _rotate(self.turn, axis)))
        if self.turn is None:
            return replace(self, radius=self.radius + 2 * _length(anchor))
        center = self.center + _rotate(self.turn, anchor)
        return replace(self, center=center, radius=self.radius + _length(anchor), turn=None)


def contacts_possible(solver: Any) -> bool:
    """Whether two shapes of any world could touch in some position of the joints.

    Args:
        solver: Newton's ``SolverMuJoCo`` on MuJoCo-Warp, on a CPU.
    """
    model = solver.mjw_model
    if model.npair or model.nflex or not model.opt.run_collision_detection:
        return True
    if np.any(solver.model.body_flags.numpy() & int(BodyFlags.KINEMATIC)):
        return True  # moved by hand
    bodies = _bodies(model, solver.mjw_data)
    position, quaternion, geom_body = (getattr(model, f"geom_{name}").numpy() for name in ("pos", "quat", "bodyid"))
    geoms = [
        None if bodies[body] is None else bodies[body].child(position[:, geom], quaternion[:, geom])
        for geom, body in enumerate(geom_body)
    ]
    return any(_can_touch(model, geoms, *pair) for pair in model.nxn_geom_pair_filtered.numpy())


def _bodies(model: Any, data: Any) -> list[_Region | None]:
    """Where each body can be."""
    position, quaternion, parents = (getattr(model, f"body_{name}").numpy() for name in ("pos", "quat", "parentid"))
    moved, first, count = (getattr(model, f"body_{name}").numpy() for name in ("mocapid", "jntadr", "jntnum"))
    kind, anchor, axis = (getattr(model, f"jnt_{name}").numpy() for name in ("type", "pos", "axis"))
    regions: list[_Region | None] = [_Region()]
    for body in range(1, model.nbody):
        region = regions[parents[body]]
        if moved[body] >= 0:  # Newton's fixed roots, which Isaac Lab may put elsewhere
            own = (getattr(data, f"mocap_{name}").numpy()[:, moved[body]] for name in ("pos", "quat"))
            region = _Region().child(*own)
        elif region is not None:
            region = region.child(position[:, body], quaternion[:, body])
        for joint in range(first[body], first[body] + count[body]):
            if region is not None:
                region = region.after(kind[joint], anchor[:, joint], axis[:, joint])
        regions.append(region)
    return regions


def _can_touch(model: Any, geoms: list[_Region | None], one: int, other: int) -> bool:
    """Whether two shapes can touch in some world."""
    kinds, around = model.geom_type.numpy(), model.geom_rbound.numpy()
    if kinds[other] == GeomType.PLANE:
        one, other = other, one
    near, far = geoms[one], geoms[other]
    if near is None or far is None or np.any(around[:, other] <= 0):
        return True
    margin, gap = (getattr(model, f"geom_{name}").numpy()[:, [one, other]].sum(1) for name in ("margin", "gap"))
    distance = near.radius + far.radius + margin + gap + CLEARANCE
    if kinds[one] == GeomType.PLANE:
        if near.turn is None or near.sliders:
            return True
        up = _rotate(near.turn, np.array([[0.0, 0.0, 1.0]]))
        if any(np.any(np.abs(_dot(up, slider)) > _LEVEL) for slider in far.sliders):
            return True
        size = around[:, other]
        if far.turn is not None and kinds[other] == GeomType.BOX:
            half = model.geom_size.numpy()[:, other]
            size = sum(
                np.abs(_dot(up, _rotate(far.turn, edge))) * half[:, i] for i, edge in enumerate(np.eye(3)[:, None])
            )
        return bool(np.any(_dot(up, far.center - near.center) - size < distance))
    if np.any(around[:, one] <= 0):
        return True
    apart = far.center - near.center
    directions: list[np.ndarray] = []
    for slider in (*near.sliders, *far.sliders):
        left = _across(slider, directions)
        length = _length(left)[:, None]
        directions.append(np.divide(left, length, out=np.zeros_like(left), where=length > _LEVEL))
    size = around[:, one] + around[:, other]
    return bool(np.any(_length(_across(apart, directions)) - size < distance))


def _across(vector: np.ndarray, directions: list[np.ndarray]) -> np.ndarray:
    """What is left of ``vector`` at right angles to all of the unit vectors ``directions``."""
    for direction in directions:
        vector = vector - _dot(vector, direction)[:, None] * direction
    return vector


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one * other).sum(-1)


def _length(vector: np.ndarray) -> np.ndarray:
    return np.sqrt(_dot(vector, vector))


def _rotate(turn: np.ndarray, vector: np.ndarray) -> np.ndarray:
    return (turn @ vector[..., None])[..., 0]


def _matrix(quaternion: np.ndarray) -> np.ndarray:
    """Rotation matrices of unit quaternions ``(w, x, y, z)``."""
    w, x, y, z = quaternion.T.astype(float)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.moveaxis(np.array(rows), -1, 0)
