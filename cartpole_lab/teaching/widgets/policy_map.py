"""The policy map: a policy's answer to every pole angle and angular velocity, with trajectories on top.

In a lesson::

    PolicyMap({"solved": run.checkpoint, "after 3 epochs": early}, rollout=record_rollout(run.checkpoint))

Exported weights and checkpoints are evaluated in the browser, for any position and velocity of the cart. Any other
policy (a function of observations) is sampled here, with the cart at rest in the middle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from cartpole_lab.teaching.widgets._base import LabWidget, module, rounded
from cartpole_lab.teaching.widgets._data import first_episode
from cartpole_lab.teaching.widgets._messages import name_of, number
from cartpole_lab.teaching.widgets.playground import as_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cartpole_lab.video.rollout import Rollout

GRID = (61, 81)
"""Rows (angular velocity) and columns (angle) of a map that is sampled in Python."""


class PolicyMap(LabWidget):
    """A heat map of effort over pole angle and angular velocity.

    Attributes:
        policy: Which policy is shown, by name. Live both ways.
        cart_pos, cart_vel: The cart's position [m] and velocity [m/s] for which the map is drawn. Live both ways.
    """

    _esm = module("policy_map")
    FROM_PAGE = ("policy", "cart_pos", "cart_vel")
    policies = traitlets.List(traitlets.Dict()).tag(sync=True)
    rollouts = traitlets.List(traitlets.Dict()).tag(sync=True)
    policy = traitlets.Unicode().tag(sync=True)
    cart_pos = traitlets.Float(0.0).tag(sync=True)
    cart_vel = traitlets.Float(0.0).tag(sync=True)
    angle_max = traitlets.Float().tag(sync=True)
    velocity_max = traitlets.Float().tag(sync=True)
    effort_scale = traitlets.Float().tag(sync=True)

    def __init__(
        self,
        policies: Any,
        *,
        rollout: Rollout | Mapping[str, Rollout] | None = None,
        angle_max: float = math.pi / 3,
        velocity_max: float = 4.0,
        effort_scale: float = 100.0,
        episodes: int = 4,
    ) -> None:
        """Make a map.

        Args:
            policies: One policy, or several by name: exported weights, the path of a checkpoint, or a function from
                observations ``(n, 4)`` to actions ``(n, 1)``.
            rollout: A recorded rollout, or several by name, to draw over the map.
            angle_max: Half-width of the map [rad].
            velocity_max: Half-height of the map [rad/s].
            effort_scale: Effort of action 1 [N].
            episodes: Most episodes to keep of each rollout: the first one of each environment.

        Raises:
            ValueError: No policy.
        """
        is_one = not isinstance(policies, Mapping) or "layers" in policies
        named = {"policy": policies} if is_one else dict(policies)
        if not named:
            raise ValueError("policies is empty, expected at least one policy")
        rollouts = {} if rollout is None else dict(rollout) if isinstance(rollout, Mapping) else {"rollout": rollout}
        super().__init__(
            policies=[{"name": n, **_content(p, angle_max, velocity_max)} for n, p in named.items()],
            rollouts=[{"name": name, **_paths(r, episodes)} for name, r in rollouts.items()],
            policy=next(iter(named)),
            angle_max=angle_max,
            velocity_max=velocity_max,
            effort_scale=effort_scale,
        )

    @traitlets.validate("policy")
    def _is_shown(self, proposal: Any) -> str:
        return name_of(proposal["value"], "policy", [entry["name"] for entry in self.policies])

    @traitlets.validate("cart_pos", "cart_vel")
    def _is_of_the_cart(self, proposal: Any) -> float:
        return number(proposal["value"], proposal["trait"].name, -100.0, 100.0)

    @traitlets.validate("angle_max", "velocity_max", "effort_scale")
    def _is_a_size(self, proposal: Any) -> float:
        return number(proposal["value"], proposal["trait"].name, 1e-6)

    def describe(self) -> str:
        """What the widget shows."""
        return (
            f"Policy map of {', '.join(entry['name'] for entry in self.policies)}: effort over pole angle "
            f"(±{math.degrees(self.angle_max):.0f}°) and angular velocity (±{self.velocity_max:g} rad/s)."
        )

    def figure(self) -> Figure:
        """The map of the chosen policy and the recorded trajectories."""
        from matplotlib.figure import Figure

        entry = next(p for p in self.policies if p["name"] == self.policy)
        if entry["grid"] is None:
            from cartpole_lab.policies.from_json import policy_from_weights

            policy, cart = policy_from_weights(entry["weights"]), (self.cart_pos, self.cart_vel)
            grid = np.asarray(_sample(policy, self.angle_max, self.velocity_max, *cart))
        else:
            grid = np.asarray(entry["grid"])
        figure = Figure(figsize=(6.4, 3.8))
        axes = figure.add_subplot()
        limit, span = self.effort_scale, math.degrees(self.angle_max)
        image = axes.imshow(
            grid * limit,
            extent=(-span, span, -self.velocity_max, self.velocity_max),
            origin="lower",
            aspect="auto",
            cmap="PuOr",
            vmin=-limit,
            vmax=limit,
        )
        figure.colorbar(image, label="effort [N]")
        for rollout in self.rollouts:
            for path in rollout["episodes"]:
                axes.plot(np.degrees(path["angle"]), path["velocity"], color="k", lw=0.9)
        axes.set(xlim=(-span, span), ylim=(-self.velocity_max, self.velocity_max))
        axes.set(xlabel="pole angle [°]", ylabel="angular velocity [rad/s]")
        axes.set_title(f"Policy map: {self.policy}", loc="left", fontsize=10)
        return figure


def _observations(angle_max: float, velocity_max: float, cart_pos: float = 0.0, cart_vel: float = 0.0) -> np.ndarray:
    """Observations of the grid, shape ``(rows * columns, 4)``: cart and pole position, then velocity."""
    velocity, angle = np.meshgrid(
        np.linspace(-velocity_max, velocity_max, GRID[0]), np.linspace(-angle_max, angle_max, GRID[1]), indexing="ij"
    )
    cart = np.full(angle.size, cart_pos), np.full(angle.size, cart_vel)
    return np.stack([cart[0], angle.ravel(), cart[1], velocity.ravel()], axis=1)


def _content(policy: Any, angle_max: float, velocity_max: float) -> dict[str, Any]:
    if isinstance(policy, Mapping | str | Path):
        return {"weights": as_weights(policy), "grid": None}
    return {"weights": None, "grid": _sample(policy, angle_max, velocity_max)}


def _sample(policy: Callable[[Any], Any], angle_max: float, velocity_max: float, *cart: float) -> list[list[float]]:
    """A function's actions on the grid, clipped to ±1; ``cart`` is its position and velocity."""
    import torch

    with torch.no_grad():
        observations = torch.from_numpy(_observations(angle_max, velocity_max, *cart)).float()
        return rounded(policy(observations).reshape(GRID).clamp(-1, 1), 3)


def _paths(rollout: Rollout, episodes: int) -> dict[str, Any]:
    kept = []
    for env in range(min(episodes, rollout.joint_pos.shape[1])):
        span = slice(0, first_episode(rollout, env))
        kept.append(
            {
                "x": rounded(rollout.joint_pos[span, env, 0], 3),
                "angle": rounded(rollout.joint_pos[span, env, 1], 4),
                "cart_vel": rounded(rollout.joint_vel[span, env, 0], 3),
                "velocity": rounded(rollout.joint_vel[span, env, 1], 3),
            }
        )
    return {"dt": float(rollout.step_dt), "episodes": kept}
