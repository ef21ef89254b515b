"""Shared by the camera tests: pose the cart-pole, take a picture, and read the pole's direction off it."""

from __future__ import annotations

import math
from typing import Any

import torch

PIXELS_PER_RADIAN = 24.0 / 20.955  # focal length over width of the film: picture widths per unit of slope


def pose(env: Any, cart: float, angle: float) -> None:
    """Put every cart-pole at a cart position [m] and a pole angle [rad], at rest, and draw it."""
    robot = env.scene["robot"]
    order = [robot.joint_names.index(name) for name in ("slider_to_cart", "cart_to_pole")]
    position = torch.zeros(env.num_envs, 2, device=env.device)
    position[:, order[0]], position[:, order[1]] = cart, angle
    robot.write_joint_position_to_sim_index(position=position)
    robot.write_joint_velocity_to_sim_index(velocity=torch.zeros_like(position))
    env.sim.forward()
    env.scene.update(dt=env.step_dt)


def picture(env: Any, data_type: str) -> torch.Tensor:
    """The latest picture of every environment, shape ``(n, height, width, channels)``, on the CPU."""
    camera = env.scene.sensors["tiled_camera"]
    camera.update(dt=env.step_dt, force_recompute=True)
    return camera.data.output[data_type].torch.clone().cpu()


def pole_angle(mask: torch.Tensor, cart: float, distance: float = 5.1, rail_row: float | None = None) -> float:
    """Read the pole's angle [rad] off a picture.

    The camera looks along +x: a positive cart position lies left of the picture's middle, and a positive angle leans
    the pole to the right.

    Args:
        mask: True where the pole's rod is, shape ``(height, width)``.
        cart: Where the cart is [m].
        distance: From the camera to the pole [m].
        rail_row: Row of the pole's hinge; the middle by default.
    """
    height, width = mask.shape
    rows, columns = torch.nonzero(mask, as_tuple=True)
    hinge_row = (height - 1) / 2 if rail_row is None else rail_row
    hinge_column = (width - 1) / 2 - cart / distance * PIXELS_PER_RADIAN * width
    up = hinge_row - rows.float().mean()
    right = columns.float().mean() - hinge_column
    return math.atan2(right, up)
