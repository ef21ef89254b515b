"""Checks of lesson 2: a first policy, an angle without a seam, and an observation term for one joint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from cartpole_lab.teaching.exercises.checking import Hint, changed, named, on_copies, says


def tensor_of_shape(value: Any, shape: tuple[int, ...], hint: str) -> torch.Tensor:
    """``value`` in single precision, if it is a tensor of this shape.

    Raises:
        Hint: It isn't; ends with ``hint``.
    """
    if not isinstance(value, torch.Tensor):
        raise Hint(f"this returns {type(value).__name__}, expected a tensor of shape {shape}")
    if tuple(value.shape) != shape:
        raise Hint(f"shape {tuple(value.shape)}, expected {shape}: {hint}")
    return value.float()


@says("the cart goes where the pole leans")
def check_lean(lean: Callable[[torch.Tensor], Any]) -> None:
    """Check a policy that pushes with full force to where the pole leans.

    Args:
        lean: Takes observations, shape ``(n, 4)``; returns actions, shape ``(n, 1)``.
    """
    # the signs of no two columns are alike, nor opposite, and angles are small: another column shows, and a bit of it
    signs = torch.tensor([[1.0, 1, 1, 1], [1, -1, -1, 1], [-1, 1, -1, 1], [-1, -1, 1, -1]])
    obs = signs * torch.tensor([0.5, 0.01, 0.7, 0.9])
    action = tensor_of_shape(
        on_copies(lean)(obs), (4, 1), "one action an environment; obs[:, 1:2] keeps the second axis"
    )
    if not action.any():
        raise Hint("this never pushes")
    if torch.equal(action, torch.sign(obs[:, 1:2])):
        raise Hint("the sign is wrong: a positive angle leans left, and left is negative for the cart")
    if torch.equal(action.abs(), obs[:, 1:2].abs()):
        raise Hint("the push grows with the angle; expected full force, 1 or −1")
    for column, name in ((0, "the cart's position"), (2, "the cart's velocity"), (3, "the pole's velocity")):
        if torch.equal(action.abs(), torch.ones(4, 1)) and torch.equal(action.abs(), -action * obs[:, [column]].sign()):
            raise Hint(f"obs[:, {column}] is {name}; the pole's angle is the second number, obs[:, 1]")
    if not torch.equal(action, -torch.sign(obs[:, 1:2])):
        raise Hint(f"angles {obs[:, 1].tolist()} rad get {action[:, 0].tolist()}, expected [-1, 1, -1, 1]")


@says("two numbers, no seam")
def check_sin_cos(sin_cos: Callable[[torch.Tensor], Any]) -> None:
    """Check the sine and cosine of angles, side by side.

    Args:
        sin_cos: Takes angles [rad], shape ``(n,)``; returns shape ``(n, 2)``.
    """
    angle = torch.tensor([0.0, 0.5, -1.0, 3.0])
    got = tensor_of_shape(
        on_copies(sin_cos)(angle), (4, 2), "one row an environment; torch.stack(…, dim=-1) puts things side by side"
    )
    expected = torch.stack([angle.sin(), angle.cos()], dim=-1)
    if torch.allclose(got, expected.flip(-1)):
        raise Hint("sine and cosine are swapped: the sine comes first")
    if torch.allclose(got, torch.stack([angle.deg2rad().sin(), angle.deg2rad().cos()], dim=-1)):
        raise Hint("the angle is in radians already, so it needs no conversion")
    if not torch.allclose(got, expected, atol=1e-5):
        raise Hint(f"0.5 rad gives {got[1].tolist()}, expected {expected[1].tolist()}")


@says("one joint by its name: the group now has one number a cart")
def check_pole_only(group: Any) -> None:
    """Check an observation group with one term, ``pole``: the position of the pole's joint.

    Args:
        group: The config class of the group, or an object of it.
    """
    from isaaclab.envs import mdp
    from isaaclab.managers import ObservationTermCfg, SceneEntityCfg

    cfg = group() if isinstance(group, type) else group
    terms = {name: value for name, value in vars(cfg).items() if isinstance(value, ObservationTermCfg)}
    if "pole" not in terms:
        raise Hint(f"the group has {', '.join(terms) or 'no term'}, expected one named pole")
    if len(terms) > 1:
        raise Hint(f"the group also has {', '.join(sorted(set(terms) - {'pole'}))}; asked was for one term")
    term = terms["pole"]
    if term.func is mdp.joint_vel_rel:
        raise Hint("joint_vel_rel gives velocities; asked was for the position, joint_pos_rel")
    if term.func is not mdp.joint_pos_rel:
        raise Hint(f"func is {getattr(term.func, '__name__', term.func)!r}, expected mdp.joint_pos_rel")
    entity = (term.params or {}).get("asset_cfg")
    if entity is None:
        keys = ", ".join(term.params or {}) or "empty"
        raise Hint(f"both joints are observed: params is {keys}, expected a SceneEntityCfg under the key asset_cfg")
    if not isinstance(entity, SceneEntityCfg):
        raise Hint(f"asset_cfg is a {type(entity).__name__}, expected SceneEntityCfg(…)")
    if entity.name != "robot":
        raise Hint(f"no asset of the scene is called {entity.name!r}: expected robot")
    names = named(entity.joint_names, ("slider_to_cart", "cart_to_pole"))
    if not names:
        raise Hint("no joint is named, so all are taken: joint_names=[…]")
    if names == ["slider_to_cart"]:
        raise Hint("slider_to_cart is the cart's joint; the pole's is cart_to_pole")
    if names != ["cart_to_pole"]:
        raise Hint(f"joint_names is {names}, expected ['cart_to_pole']")
    if other := next(iter(set(term.params) - {"asset_cfg"}), "") or changed(
        term, ObservationTermCfg(func=term.func), "func", "params"
    ):
        raise Hint(f"{other} was not asked for: the term is a function and one parameter, asset_cfg")
