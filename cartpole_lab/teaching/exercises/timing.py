"""Checks of lesson 4: the clock of an environment, and a hand-written controller."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cartpole_lab.teaching.exercises.checking import Hint, changed, says

if TYPE_CHECKING:
    from cartpole_lab.evaluation_result import Evaluation

STANDS = 0.85
"""Share of the episodes in which the pole must come to stand."""


@says("finer physics, the same hand, twice the time")
def check_slow_motion(cfg_class: Callable[[], Any]) -> None:
    """Check a config class with 240 Hz physics, 60 decisions a second and episodes of 10 s.

    Args:
        cfg_class: Subclass of the task's environment config.
    """
    if not isinstance(cfg_class, type):
        raise Hint(f"this is an object of {type(cfg_class).__name__}, expected the class itself, without ()")
    cfg = cfg_class()
    dt, decimation = cfg.sim.dt, cfg.decimation
    if dt > 1:
        raise Hint(f"dt is {dt:g}: it is the time of one physics step in seconds, 1 / 240")
    if not math.isclose(dt, 1 / 240, rel_tol=1e-3):
        raise Hint(f"physics runs at {1 / dt:.0f} Hz, expected 240: set self.sim.dt")
    if not math.isclose(dt * decimation, 1 / 60, rel_tol=1e-3):
        raise Hint(
            f"{1 / (dt * decimation):.0f} decisions a second, expected 60: with a shorter dt, decimation must grow"
        )
    if not math.isclose(cfg.episode_length_s, 10.0):
        raise Hint(f"an episode lasts {cfg.episode_length_s:g} s, expected 10: it is given in seconds, not in steps")
    if cfg.sim.render_interval != decimation:
        raise Hint(f"render_interval is {cfg.sim.render_interval}, expected {decimation}: one picture a decision")
    if not hasattr(cfg.scene, "robot") or type(cfg.sim.physics).__name__ != "CartpolePhysicsCfg":
        raise Hint("scene or physics are gone: derive from CartpoleEnvCfg and call super().__post_init__() first")
    clock = ("sim.dt", "decimation", "episode_length_s", "sim.render_interval")
    if other := changed(cfg, cfg_class.__mro__[1](), *clock):
        raise Hint(f"{other} has changed too: everything but the clock stays")


@says("a controller that you understand: that is what a learner has to beat")
def check_controller(evaluation: Evaluation, gains: Mapping[str, float]) -> None:
    """Check that a hand-written controller brings most poles to stand.

    Args:
        evaluation: What the controller did.
        gains: Its four gains, as :func:`cartpole_lab.pd_policy` takes them.
    """
    stands = evaluation.settled_share or 0.0
    if stands >= STANDS:
        return
    so_far = f"{stands:.0%} of the poles stand, expected {STANDS:.0%}"
    if gains.get("pole_p", 0.0) == 0.0:
        raise Hint(f"{so_far}: pole_p is 0, so the controller does not see where the pole leans. Try −3")
    if gains["pole_p"] > 0:
        raise Hint(f"{so_far}: pole_p is positive, which pushes away from where the pole leans. Turn the sign")
    if abs(gains["pole_p"]) < 0.5:
        raise Hint(
            f"{so_far}: pole_p is {gains['pole_p']:g}, at 30° a push of {abs(gains['pole_p']) * 52:.0f} N. Be bolder"
        )
    if gains.get("pole_d", 0.0) >= 0:
        raise Hint(f"{so_far}: a pole that is caught too late swings over to the other side. Make pole_d negative")
    if gains.get("cart_p", 0.0) < 0 or gains.get("cart_d", 0.0) < 0:
        raise Hint(f"{so_far}: negative cart gains pull the cart back directly, which tips the pole over")
    if evaluation.timeout_share < STANDS:
        raise Hint(
            f"{so_far}, and {1 - evaluation.timeout_share:.0%} of the carts leave the stage: raise cart_d, then cart_p"
        )
    raise Hint(f"{so_far}: close. Raise pole_d for calmer poles, or pole_p for quicker answers")
