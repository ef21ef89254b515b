"""Draw films quickly on a CPU: paint what stands still once, then only the places where something moves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import newton
import numpy as np
import warp as wp

from cartpole_lab.session.surroundings import cores

if TYPE_CHECKING:
    from isaaclab_newton.renderers.newton_warp_renderer import RenderData

    from cartpole_lab.video.film_camera import FilmRenderer


class CpuRenderer:
    """Draws a still set with moving bodies on a CPU."""

    TILE = 8
    """Side of a tile [px]."""
    EDGE = 14
    """Difference between neighbours, of 255, from which a pixel is drawn finer."""
    FINER = ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))
    """Where in such a pixel the four rays go, from its middle."""

    def __init__(self, renderer: FilmRenderer, data: RenderData, light: np.ndarray) -> None:
        """Find what moves, and paint the rest.

        Args:
            renderer: Whose set to draw, with the bodies in place.
            data: The camera: its size and pose.
            light: Direction of the light, length 1.
        """
        self._renderer, self._light = renderer, light
        self.width, self.height = data.width, data.height
        self._clear = newton.sensors.SensorTiledCamera.ClearData(clear_color=data.clear_color)
        self._shares = cores()
        self._threads = ThreadPoolExecutor(self._shares)
        pose = data.camera_transforms.numpy()[0, 0]
        self._eye = pose[:3]
        self._axes = (
            np.array(wp.quat_to_matrix(wp.quat(*pose[3:].tolist()))).reshape(3, 3).astype(np.float32)
        )  # right, up, back
        corner = data.camera_rays.numpy()[
            0, 0, 0, 1
        ]  # the camera sees symmetrically, so one ray tells the focal length
        self._focal = (0.5 * self.width - 0.5) * corner[2] / corner[0]
        moving = _moving_bodies(renderer.set)
        enabled = renderer.set.bvh_shape_enabled.numpy()[: renderer.set.bvh_shape_count_enabled]
        body = renderer.set.shape_body.numpy()[enabled]
        self._moving_shapes = (body >= 0) & moving[body]
        self._coarse_background, self._background = self._paint_background(moving)

    def _paint_background(self, moving: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The set without its moving bodies, drawn with one ray a pixel and finely."""
        state, model = self._renderer.set_state, self._renderer.set
        poses = state.body_q.numpy()
        kept = poses.copy()
        poses[moving, 2] += 1e4
        model.bvh_refit_shapes(state)
        rows, columns = np.mgrid[0 : self.height, 0 : self.width]
        shape, x, y = (self.height, self.width, 3), columns.ravel(), rows.ravel()
        coarse, fine = self._trace(x, y).reshape(shape), self._trace_finely(x, y).reshape(shape)
        poses[:] = kept
        model.bvh_refit_shapes(state)
        return coarse, fine

    def paint(self) -> np.ndarray:
        """One picture, shape ``(height, width, 3)``, uint8."""
        picture = self._background.copy()
        tiles = self._touched_tiles()
        if not len(tiles):
            return picture
        offset = np.arange(self.TILE)
        rows = tiles[:, 0, None, None] * self.TILE + offset[:, None]
        columns = tiles[:, 1, None, None] * self.TILE + offset
        rows, columns = (np.broadcast_to(x, (len(tiles), self.TILE, self.TILE)) for x in (rows, columns))
        inside = (rows < self.height) & (columns < self.width)
        rows, columns = rows[inside], columns[inside]
        coarse = self._coarse_background.copy()
        coarse[rows, columns] = self._trace(columns, rows)
        changed = np.zeros((self.height, self.width), dtype=bool)
        changed[rows, columns] = (coarse[rows, columns] != self._coarse_background[rows, columns]).any(axis=1)
        picture[changed] = coarse[changed]
        # Stairs show where a pixel differs from its neighbour: in the red or in the blue of the palette used here.
        # A pixel beside a changed one may have changed in part, so it is drawn finely in any case.
        edge = _edges(coarse[..., 0], self.EDGE) | _edges(coarse[..., 2], self.EDGE)
        rows, columns = np.nonzero((changed & edge) | (~changed & _edges(changed.view(np.int8), 0)))
        picture[rows, columns] = self._trace_finely(columns, rows)
        return picture

    def _touched_tiles(self) -> np.ndarray:
        """Row and column of the tiles that a moving shape or its shadow on the floor can reach, shape ``(n, 2)``."""
        bvh = self._renderer.set.bvh_shapes
        low, high = bvh.lowers.numpy()[self._moving_shapes], bvh.uppers.numpy()[self._moving_shapes]
        pick = np.array(list(np.ndindex(2, 2, 2)), dtype=bool)
        corners = np.where(pick, high[:, None], low[:, None])  # (shapes, 8, 3)
        shadows = corners - corners[..., 2:] / self._light[2] * self._light
        touched = np.zeros((-(-self.height // self.TILE), -(-self.width // self.TILE)), dtype=bool)
        for x, y in map(self._project, np.concatenate([corners, shadows])):
            left, right = (int(np.clip(v // self.TILE, 0, touched.shape[1])) for v in (x.min() - 2, x.max() + 2))
            top, bottom = (int(np.clip(v // self.TILE, 0, touched.shape[0])) for v in (y.min() - 2, y.max() + 2))
            touched[top : bottom + 1, left : right + 1] = True
        return np.argwhere(touched)

    def _project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where on the picture points of the world are [px]."""
        right, up, back = ((points - self._eye) @ self._axes).T
        depth = np.maximum(-back, 0.1)
        return self._focal * right / depth + self.width / 2, self.height / 2 - self._focal * up / depth

    def _trace_finely(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Colour of pixels, each the mean of four rays, shape ``(n, 3)``."""
        return (sum(self._trace(x + dx, y + dy).astype(np.uint16) for dx, dy in self.FINER) // len(self.FINER)).astype(
            np.uint8
        )

    def _trace(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Colour of what rays through points ``(n,)`` [px] meet, ``(n, 3)``; each core traces a share of them."""
        ahead = np.empty((len(x), 3), dtype=np.float32)
        ahead[:, 0] = x + (0.5 - self.width / 2)
        ahead[:, 1] = (self.height / 2 - 0.5) - y
        ahead[:, 2] = -self._focal
        ahead /= np.sqrt(np.einsum("ij,ij->i", ahead, ahead))[:, None]
        rays = np.empty((len(x), 2, 3), dtype=np.float32)
        rays[:, 0] = self._eye
        np.matmul(ahead, self._axes.T, out=rays[:, 1])
        shares = np.array_split(rays, self._shares)
        return np.concatenate(list(self._threads.map(self._trace_share, shares)))

    def _trace_share(self, rays: np.ndarray) -> np.ndarray:
        pixels = wp.empty((1, 1, 1, len(rays)), dtype=wp.uint32, device="cpu")
        if len(rays):
            self._renderer.newton_sensor.update(
                self._renderer.set_state,
                wp.array([[wp.transform_identity()]], dtype=wp.transformf, device="cpu"),
                wp.array(rays[None, None], dtype=wp.vec3f, device="cpu"),
                color_image=pixels,
                clear_data=self._clear,
            )
        return pixels.numpy().view(np.uint8).reshape(-1, 4)[:, :3]


def _edges(channel: np.ndarray, threshold: int) -> np.ndarray:
    """True for pixels that differ from one of their four neighbours by more than ``threshold``."""
    level = channel.astype(np.int16)
    edge = np.zeros(level.shape, dtype=bool)
    across = np.abs(level[:, 1:] - level[:, :-1]) > threshold
    down = np.abs(level[1:] - level[:-1]) > threshold
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def _moving_bodies(model: newton.Model) -> np.ndarray:
    """True for each body that no chain of fixed joints ties to the world, shape ``(bodies,)``."""
    moving = np.ones(model.body_count, dtype=bool)
    kinds, parents, children = (x.numpy() for x in (model.joint_type, model.joint_parent, model.joint_child))
    for kind, parent, child in zip(kinds, parents, children, strict=True):
        if kind == newton.JointType.FIXED and (parent < 0 or not moving[parent]):
            moving[child] = False
    return moving
