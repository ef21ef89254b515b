"""Checks of lesson 3: a reward term of one's own, and what the last state of an episode is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from cartpole_lab.teaching.exercises.acting import tensor_of_shape
from cartpole_lab.teaching.exercises.hints import Hint, says

if TYPE_CHECKING:
    import gymnasium as gym


@says("zero in the middle, and it grows with the square: a term that Isaac Lab can call")
def check_cart_centred(cart_centred: Callable[..., Any], env: gym.Env) -> None:
    """Check a reward term that squares the cart's position.

    Args:
        cart_centred: Takes the environment and a ``SceneEntityCfg``; returns shape ``(num_envs,)`` [m²].
        env: A live environment with the cart-pole, in which some cart is off the middle.
    """
    from isaaclab.managers import SceneEntityCfg

    raw = env.unwrapped
    position = raw.scene["robot"].data.joint_pos.torch
    cart, pole = position[:, 0], position[:, 1]
    for joint, expected in (("slider_to_cart", cart**2), ("cart_to_pole", pole**2)):
        asset_cfg = SceneEntityCfg("robot", joint_names=[joint])
        asset_cfg.resolve(raw.scene)
        got = cart_centred(raw, asset_cfg)
        if isinstance(got, torch.Tensor) and tuple(got.shape) == (raw.num_envs, 2):
            raise Hint(f"shape {tuple(got.shape)}, both joints are in it: select [:, asset_cfg.joint_ids]")
        got = tensor_of_shape(got, (raw.num_envs,), "did you select one joint and forget to sum or squeeze its axis?")
        if torch.allclose(got, -expected):
            raise Hint("the term itself should grow with the distance; the minus sign belongs to the weight")
        if torch.allclose(got, expected.sqrt()) or torch.allclose(got, position[:, int(joint == "cart_to_pole")]):
            raise Hint("this is the distance, expected its square")
        if joint == "slider_to_cart" and torch.allclose(got, pole**2):
            raise Hint("this is the pole's angle: use asset_cfg.joint_ids, not a number of your own")
        if joint == "cart_to_pole" and torch.allclose(got, cart**2):
            raise Hint("right for the cart, but asset_cfg is not used: the term should follow the joint it is given")
        if torch.allclose(got, expected * raw.step_dt):
            raise Hint("the reward manager multiplies by step_dt already: return the plain value")
        if not torch.allclose(got, expected, atol=1e-6):
            raise Hint(
                f"a cart at {float(cart[0]):+.2f} m gives {float(got[0]):.4f}, expected {float(expected[0]):.4f}"
            )


@says("failure ends the future, a time-out does not")
def check_value_target(value_target: Callable[..., Any]) -> None:
    """Check the target of a value function at steps that may be the last.

    Args:
        value_target: Takes rewards, values of the next states, two flags (shape ``(n,)`` each) and the discount;
            returns shape ``(n,)``.
    """
    reward, next_value = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([2.0, 3.0, 4.0])
    terminated, truncated = torch.tensor([False, True, False]), torch.tensor([False, False, True])
    gamma = 0.5
    got = tensor_of_shape(
        value_target(reward, next_value, terminated, truncated, gamma), (3,), "one target an environment"
    )
    goes_on = reward + gamma * next_value
    if torch.allclose(got, goes_on):
        raise Hint("the second environment failed: nothing follows, so its next value must not count")
    if torch.allclose(got, torch.where(terminated | truncated, reward, goes_on)):
        raise Hint("a time-out is not the policy's fault: the third environment would have gone on earning")
    if torch.allclose(got, torch.where(truncated, reward, goes_on)):
        raise Hint("the other way round: a failure cuts the future off, a time-out does not")
    if torch.allclose(got, torch.where(terminated, torch.zeros(3), goes_on)):
        raise Hint("the failed environment still gets the reward of this step")
    if torch.allclose(got, torch.where(terminated, reward, reward + next_value)):
        raise Hint("gamma is missing: what comes later counts a little less")
    if not torch.allclose(got, torch.where(terminated, reward, goes_on)):
        raise Hint(f"targets {got.tolist()}, expected {torch.where(terminated, reward, goes_on).tolist()}")
