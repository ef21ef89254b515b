"""A film camera for Isaac Lab: one wide picture of all environments, drawn by Newton's Warp renderer on a CPU or a GPU.

Isaac Lab's cameras see one environment each. :class:`FilmRenderer` puts all environments on one set, side by side in
lanes, and draws only what the first environment's camera sees of it. Physics is left as it is.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import isaaclab.sim as sim_utils
import newton
import numpy as np
import torch
import warp as wp
from isaaclab.sensors import CameraCfg
from isaaclab.utils import configclass
from isaaclab.utils.math import create_rotation_matrix_from_view, quat_from_matrix
from isaaclab_newton.renderers import NewtonWarpRendererCfg
from isaaclab_newton.renderers.newton_warp_renderer import NewtonWarpRenderer, RenderData

from cartpole_lab.video.cpu_renderer import CpuRenderer

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnvCfg

LANE_SPACING = 1.5
"""Distance between two lanes along the world's X axis [m]."""


@wp.kernel(enable_backward=False)
def _move_to_lanes(
    poses: wp.array(dtype=wp.transformf),
    body_world: wp.array(dtype=wp.int32),
    shifts: wp.array(dtype=wp.vec3f),
    moved: wp.array(dtype=wp.transformf),
):
    body = wp.tid()
    pose = poses[body]
    world = body_world[body]
    if world >= 0:
        pose = wp.transformf(wp.transform_get_translation(pose) + shifts[world], wp.transform_get_rotation(pose))
    moved[body] = pose


class FilmRenderer(NewtonWarpRenderer):
    """Newton's Warp renderer, showing every world in one picture.

    A GPU draws each picture whole. On a CPU the standing things are drawn once, and then, picture by picture, only the
    tiles where something moves or casts a moving shadow; pixels on edges are drawn finer.
    """

    cfg: FilmRendererCfg

    def initialize(self) -> None:
        """Make the set: a copy of the model in which all shapes share one world, and a light."""
        super().initialize()
        physics = self.backend.model
        lanes = np.zeros((physics.world_count, 3), dtype=np.float32)
        lanes[:, 0] = (np.arange(physics.world_count) - (physics.world_count - 1) / 2) * LANE_SPACING
        # A shallow copy: arrays are shared with the physics, except those that are replaced here.
        self.set = copy.copy(physics)
        self.set.world_count = 1
        self.set.shape_world = wp.full_like(physics.shape_world, -1)
        self.set_state = physics.state()
        self.set.bvh_build_shapes(self.set_state)
        self._shifts = wp.array(lanes, dtype=wp.vec3f, device=physics.device)
        self.newton_sensor = newton.sensors.SensorTiledCamera(
            self.set,
            default_render_config=newton.sensors.SensorTiledCamera.RenderConfig(
                enable_textures=True, enable_shadows=True, enable_backface_culling=False, max_distance=500.0
            ),
        )
        light = np.asarray(self.cfg.light_direction) / np.linalg.norm(self.cfg.light_direction)
        self.newton_sensor.utils.create_default_light(enable_shadows=True, direction=wp.vec3f(*light.tolist()))
        self._light = light
        self._on_cpu: CpuRenderer | None = None

    def _launch_render(self, render_data: RenderData) -> None:
        poses = self.backend.state_0.body_q
        self.place(poses, self._shifts)
        if poses.device.is_cuda:
            super()._launch_render(render_data)
            return
        if self._on_cpu is None:
            self._on_cpu = CpuRenderer(self, render_data, self._light)
        picture = self._on_cpu.paint()
        pixels = render_data.outputs.color_image.numpy()[0, 0]
        pixels.view(np.uint8).reshape(*pixels.shape, 4)[..., :3] = picture

    def place(self, poses: wp.array, shifts: wp.array) -> None:
        """Stand the bodies of every world ``w`` on the set, ``shifts[w]`` [m] from where the physics has them."""
        wp.launch(
            _move_to_lanes,
            len(poses),
            [poses, self.set.body_world, shifts],
            [self.set_state.body_q],
            device=poses.device,
        )
        self.set.bvh_refit_shapes(self.set_state)


@configclass
class FilmRendererCfg(NewtonWarpRendererCfg):
    """Settings of :class:`FilmRenderer`."""

    class_type: type[FilmRenderer] | str = FilmRenderer

    create_default_light: bool = False
    use_cuda_graph: bool = False

    light_direction: tuple[float, float, float] = (-0.5, 0.45, -1.0)
    """Where the light shines to."""


def with_film_camera(
    cfg: ManagerBasedRLEnvCfg | type[ManagerBasedRLEnvCfg], *, num_envs: int, width: int, height: int
) -> ManagerBasedRLEnvCfg:
    """A copy of an environment config with a ``film_camera`` in its scene that sees ``num_envs`` lanes.

    Args:
        cfg: Config, or class of one.
        num_envs: Number of lanes that the picture has to hold.
        width, height: Size of the picture [px].
    """
    cfg = cfg() if isinstance(cfg, type) else copy.deepcopy(cfg)
    # The renderer spreads the environments out; for it they must all stand in one place.
    cfg.scene.env_spacing = 0.0
    depth = LANE_SPACING * (num_envs - 1)
    scale = max(depth, 4.0) / 10.0
    cfg.scene.film_camera = film_camera_cfg(
        width, height, eye=(depth / 2 + 7.75 * scale, -6.0 * scale, 2.0 + 3.4 * scale), target=(0.9 * scale, -0.1, 2.0)
    )
    return cfg


def film_camera_cfg(
    width: int,
    height: int,
    *,
    eye: tuple[float, float, float],
    target: tuple[float, float, float],
    field_of_view_deg: float = 40.0,
) -> CameraCfg:
    """A camera at ``eye`` that looks at ``target``.

    Args:
        width, height: Size of the picture [px].
        eye, target: Positions [m] in the world, whose origin lies below the middle lane's cart.
        field_of_view_deg: Horizontal field of view [degrees].

    Returns:
        A camera for every environment, of which only the first one draws.
    """
    rotation = create_rotation_matrix_from_view(torch.tensor([eye]), torch.tensor([target]), up_axis="Z")
    aperture = 20.955
    return CameraCfg(
        prim_path="{ENV_REGEX_NS}/FilmCamera",
        offset=CameraCfg.OffsetCfg(pos=eye, rot=tuple(quat_from_matrix(rotation)[0].tolist()), convention="opengl"),
        spawn=sim_utils.PinholeCameraCfg(
            horizontal_aperture=aperture,
            focal_length=aperture / (2 * math.tan(math.radians(field_of_view_deg) / 2)),
            clipping_range=(0.1, 500.0),
        ),
        width=width,
        height=height,
        data_types=["rgb"],
        background_color=(0.80, 0.84, 0.88),
        renderer_cfg=FilmRendererCfg(),
    )
