"""The playground: the cart-pole in the browser under exported policies. Its sliders stand in ``playground.js``.

In a lesson::

    from cartpole_lab.policies.export import export_weights
    from cartpole_lab.teaching.widgets import Playground

    Playground({"after 5 epochs": export_weights(early), "solved": export_weights(run.checkpoint)})
    Playground({"a training": {5: early, 10: later, 50: run.checkpoint}}, crowd=32)   # with a slider for its epochs
    Playground(policy="you", level=1)                                                 # a game

or ``Playground()`` for the policies that come with the package (see ``recorded/``). Its dynamics are a JavaScript twin
of the task; ``tests/parity/test_twin.py`` measures how far it is from Newton.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from cartpole_lab.teaching.widgets._base import HERE, LabWidget, module
from cartpole_lab.teaching.widgets._data import DEFAULT_WEIGHTS
from cartpole_lab.teaching.widgets._messages import Refused, name_of, number, numbers, whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

YOU, ENERGY, NOBODY = "you", "energy", "nobody"
"""Names of the drivers that are no policy: the reader's hand, a rule that swings the pole up, and no effort at all."""
LEVELS = 6
"""Levels of the game, easiest first; ``game.js`` says what they are. 0 is free play."""
MOST_CARTS = 96
"""Carts that can be shown beside the one that is driven."""
PARAMS = {
    "gravity": (0.0, 100.0),
    "pole_length": (0.05, 10.0),
    "pole_mass": (0.01, 100.0),
    "start_angle": (-360.0, 360.0),
    "speed": (0.01, 10.0),
    "push": (0.0, 10_000.0),
}
"""What can be set, and how far; the sliders end earlier."""


def recorded_policies() -> dict[str, dict[str, Any]]:
    """The policies that come with the package, by name, in the form of :func:`cartpole_lab.export_weights`."""
    return json.loads((HERE / "recorded" / "policies.json").read_text("utf-8"))["policies"]


def as_weights(policy: Mapping[str, Any] | str | Path) -> dict[str, Any]:
    """Exported weights, from themselves or from the path of a checkpoint."""
    if isinstance(policy, Mapping):
        if "layers" not in policy:
            raise ValueError(f"exported weights have a 'layers' entry, this has {sorted(policy)}: use export_weights")
        return dict(policy)
    from cartpole_lab.policies.export import export_weights

    return export_weights(policy)


def as_entry(name: str, policy: Mapping[Any, Any] | str | Path) -> dict[str, Any]:
    """What the page keeps of a policy, or of a training's policies by epoch: its last one and the way there."""
    if isinstance(policy, Mapping) and policy and all(isinstance(epoch, int) for epoch in policy):
        epochs = [{"epoch": epoch, "weights": as_weights(policy[epoch])} for epoch in sorted(policy)]
        return {"name": name, "weights": epochs[-1]["weights"], "epochs": epochs}
    return {"name": name, "weights": as_weights(policy)}


class Playground(LabWidget):
    """Push, drag, slow down and drive the cart-pole, or race a policy.

    Attributes:
        policy: Who drives: the name of a policy, ``"you"``, ``"energy"`` or ``"nobody"``. Live both ways.
        params: What differs from the defaults: ``gravity`` [m/s²], ``pole_length`` [m], ``pole_mass`` [kg],
            ``start_angle`` [deg], ``speed`` (1 is real time), ``push`` [N]. Live both ways; assign a new dict.
        game: ``level`` (0 is free play), ``rival`` (who else starts where you start), ``crowd`` (carts around it),
            ``epoch`` (that is looked at, of a training). Live both ways; assign a new dict.
        last_result: ``{"policy", "seconds", "return", "level"}`` of the last round that ended.
    """

    _esm = module("playground")
    FROM_PAGE = ("policy", "params", "game", "last_result")
    policies = traitlets.List(traitlets.Dict()).tag(sync=True)
    policy = traitlets.Unicode().tag(sync=True)
    params = traitlets.Dict().tag(sync=True)
    game = traitlets.Dict().tag(sync=True)
    reward_weights = traitlets.Dict().tag(sync=True)
    last_result = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        policies: Mapping[str, Mapping[Any, Any] | str | Path] | None = None,
        *,
        policy: str | None = None,
        level: int = 0,
        rival: str = "",
        crowd: int = 0,
        **params: float,
    ) -> None:
        """Make a playground.

        Args:
            policies: Name to exported weights, to the path of a checkpoint, or to a dict of these by epoch. None takes
                the recorded ones.
            policy: Who drives first; by default the last policy.
            level: Level of the game while you drive, 1 to 6; 0 is free play.
            rival: Who starts beside it on a rail of its own: a policy or ``"energy"``; by default nobody.
            crowd: Carts under the same driver around it, at most 96.
            **params: Starting values of the sliders, see the attribute ``params``.

        Raises:
            ValueError: No such policy or level, or weights that are none.
        """
        chosen = recorded_policies() if policies is None else policies
        listed = [as_entry(name, weights) for name, weights in chosen.items()]
        names = [entry["name"] for entry in listed]
        if policy is None:
            policy = names[-1] if names else YOU
        if policy not in (drivers := [*names, YOU, ENERGY, NOBODY]):
            raise ValueError(f"policy is {policy!r}, expected one of {drivers}")
        if rival not in (beside := ["", *names, ENERGY]):
            raise ValueError(f"rival is {rival!r}, expected one of {beside}")
        for name, value, most in (("level", level, LEVELS), ("crowd", crowd, MOST_CARTS)):
            if not 0 <= value <= most:
                raise ValueError(f"{name} is {value}, expected 0 to {most}")
        game = {"level": level, "rival": rival, "crowd": crowd, "epoch": None}
        super().__init__(policies=listed, policy=policy, params=dict(params), game=game, reward_weights=DEFAULT_WEIGHTS)

    @traitlets.validate("policy")
    def _is_driver(self, proposal: Any) -> str:
        """A driver; the page knows policies that it has trained itself."""
        known = [*(entry["name"] for entry in self.policies), YOU, ENERGY, NOBODY]
        return name_of(proposal["value"], "policy", None if self.page_speaks else known)

    @traitlets.validate("params")
    def _are_params(self, proposal: Any) -> dict[str, float]:
        return numbers(proposal["value"], "params", PARAMS)

    @traitlets.validate("game")
    def _is_game(self, proposal: Any) -> dict[str, Any]:
        game = proposal["value"]
        if unknown := sorted(map(str, set(game) - {"level", "rival", "crowd", "epoch"})):
            raise Refused(f"game has {unknown}, expected level, rival, crowd, epoch")
        whole(game.get("level", 0), "level", 0, LEVELS)
        whole(game.get("crowd", 0), "crowd", 0, MOST_CARTS)
        name_of(game.get("rival", ""), "rival")
        if game.get("epoch") is not None:
            whole(game["epoch"], "epoch", 0, 10**9)
        return game

    @traitlets.validate("last_result")
    def _is_result(self, proposal: Any) -> dict[str, Any]:
        result = proposal["value"]
        if unknown := sorted(map(str, set(result) - {"policy", "seconds", "return", "level"})):
            raise Refused(f"last_result has {unknown}, expected policy, seconds, return, level")
        for name, value in result.items():
            name_of(value, name) if name == "policy" else number(value, name)
        return result

    def describe(self) -> str:
        """What the widget shows."""
        names = ", ".join(entry["name"] for entry in self.policies) or "none"
        return f"Playground: a cart-pole to push, drag and drive, in the browser. Policies: {names}."

    def figure(self) -> Figure:
        """The cart-pole at its start angle."""
        from matplotlib.figure import Figure

        angle = math.radians(self.params.get("start_angle", 20.0))
        length = self.params.get("pole_length", 1.0) * 0.97
        figure = Figure(figsize=(7.2, 2.6))
        axes = figure.add_subplot()
        axes.plot([-4, 4], [0, 0], color="0.8", lw=3, zorder=0)
        axes.vlines([-3, 3], -0.25, 0.25, color="#b3362e", lw=2)
        axes.plot([0, -math.sin(angle) * length], [0, math.cos(angle) * length], color="#1f6fb2", lw=6)
        axes.plot([-0.15, 0.15], [0, 0], color="#1c2733", lw=12, solid_capstyle="butt")
        axes.set(xlim=(-3.6, 3.6), ylim=(-0.5, 1.3), aspect="equal", yticks=[], xlabel="cart position [m]")
        axes.spines[["left", "right", "top"]].set_visible(False)
        axes.set_title("Playground (runs in a browser)", loc="left", fontsize=10)
        return figure
