"""Checks of lesson 3: a reward term, what the last state of an episode is worth, and the price of a crash."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from cartpole_lab.teaching.exercises.acting import tensor_of_shape
from cartpole_lab.teaching.exercises.checking import Hint, number_of, on_copies, says

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
    live = raw.scene["robot"].data.joint_pos.torch
    position = live.clone()
    cart, pole = position[:, 0], position[:, 1]
    for joint, expected in (("slider_to_cart", cart**2), ("cart_to_pole", pole**2)):
        asset_cfg = SceneEntityCfg("robot", joint_names=[joint])
        asset_cfg.resolve(raw.scene)
        got = cart_centred(raw, asset_cfg)
        if not torch.equal(live, position):
            live.copy_(position)
            raise Hint("the term has moved the joints: it is to measure them, so make new tensors")
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
    reward, next_value = torch.tensor([0.1, 0.2, 0.3, 0.4]), torch.tensor([2.0, 3.0, 4.0, 5.0])
    # the last one failed in the very step in which its time was up
    terminated = torch.tensor([False, True, False, True])
    truncated = torch.tensor([False, False, True, True])
    gamma = 0.5
    given = [t.clone() for t in (reward, next_value, terminated, truncated)]
    got = tensor_of_shape(value_target(*given, gamma), (4,), "one target an environment")
    value_target = on_copies(value_target)
    goes_on = reward + gamma * next_value
    expected = torch.where(terminated, reward, goes_on)
    if torch.allclose(got, goes_on):
        raise Hint("the second environment failed: nothing follows, so its next value must not count")
    if torch.allclose(got, torch.where(terminated | truncated, reward, goes_on)):
        raise Hint("a time-out is not the policy's fault: the third environment would have gone on earning")
    if torch.allclose(got, torch.where(truncated, reward, goes_on)):
        raise Hint("the other way round: a failure cuts the future off, a time-out does not")
    if torch.allclose(got, torch.where(terminated & ~truncated, reward, goes_on)):
        raise Hint("the fourth environment failed in the step in which its time was up: a failure is a failure")
    if torch.allclose(got, torch.where(terminated, torch.zeros(4), goes_on)):
        raise Hint("the failed environment still gets the reward of this step")
    if torch.allclose(got, torch.where(terminated, reward, reward + next_value)):
        raise Hint("gamma is missing: what comes later counts a little less")
    if not torch.allclose(got, expected):
        raise Hint(f"targets {got.tolist()}, expected {expected.tolist()}")
    if not all(torch.equal(a, b) for a, b in zip(given, (reward, next_value, terminated, truncated), strict=True)):
        raise Hint("the caller's tensors changed: make new ones instead of writing into them")
    if not math.isclose(float(value_target(reward, next_value, terminated, truncated, 0.9)[0]), 1.9, rel_tol=1e-5):
        raise Hint("right for gamma = 0.5 only: take it from the argument")


@says("a rate per second, charged for one step: that is why it looks so large")
def check_crash_weight(crash_weight: Callable[..., Any]) -> None:
    """Check ``crash_weight(price, step_dt)``: the weight with which one failure costs ``price``.

    Args:
        crash_weight: Takes the price [points, positive] and the length of a step [s]; returns the weight [1/s].
    """
    got = number_of(crash_weight(2.0, 1 / 60), "crash_weight")
    if math.isclose(got, 120.0):
        raise Hint("right in size; a cost needs a negative weight, or the reward *pays* for a crash")
    if math.isclose(got, -2.0):
        raise Hint("−2 is charged for one step of 1/60 s, which makes 0.033: divide by the length of the step")
    if math.isclose(got, -2.0 / 60, rel_tol=1e-3):
        raise Hint("the reward manager multiplies by step_dt already; to undo that, divide")
    if math.isclose(got, -2.0 * 300) or math.isclose(got, -2.0 / 5):
        raise Hint("the term pays in the one step in which the cart fails, not over the whole episode")
    if not math.isclose(got, -120.0, rel_tol=1e-6):
        raise Hint(f"a price of 2 with steps of 1/60 s gives {got:g}, expected -120")
    if not math.isclose(number_of(crash_weight(3.0, 0.05), "crash_weight"), -60.0, rel_tol=1e-6):
        raise Hint("right for steps of 1/60 s only: take the length of a step from the argument")
