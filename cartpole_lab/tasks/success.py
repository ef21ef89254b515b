"""When a task counts as solved: a few numbers beside its reward, and the only place where they stand.

An environment config carries them in its field ``success``. One without that field is measured and never called solved.
Importing this module loads no simulator.
"""

from __future__ import annotations

import ast
import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from cartpole_lab.errors import UserError

PAYS_ONE = ("is_alive",)
"""Reward functions that pay 1 at most; all others may carry a negative weight only, or name their ceiling."""


@dataclass
class StandingCfg:
    """What "standing" means: a joint within a band to the end of the episode.

    Attributes:
        joint: Name of the joint.
        asset: Name of the articulation in the scene.
        target: Position in the middle of the band [rad or m].
        band: Half-width of the band [rad or m].
    """

    joint: str = "cart_to_pole"
    asset: str = "robot"
    target: float = 0.0
    band: float = math.radians(5)


@dataclass
class SuccessCfg:
    """When a policy has solved a task, for any length of its episodes and any scale of its reward.

    An episode that goes perfectly pays the reward's ceiling every second. A policy has solved the task if

    - at least ``timeout_share`` of the episodes last to their time limit, and
    - the mean return is at least ``ceiling × (timeout_share × seconds − start_s)``: the few episodes that may fail may
      bring nothing at all, and the others may lose ``start_s`` seconds' worth of pay on the way from where they start.

    Attributes:
        timeout_share: Share of the episodes that must last.
        start_s: Seconds' worth of pay that an episode may lose to its start, however long it is.
        ceilings: The most that a reward term of positive weight gives before it is weighted, by its name.
            :func:`isaaclab.envs.mdp.is_alive` is known to give 1 and need not stand here.
        rewards: The reward that the task is defined by, as ``"module:class"``. A policy that was trained with another
            one is judged by its own reward and by this one. None: every reward is the task's.
        standing: What "standing" means, None where nothing can stand. It is measured and decides nothing.
    """

    timeout_share: float = 0.995
    start_s: float = 0.075
    ceilings: dict[str, float] = field(default_factory=dict)
    rewards: str | None = None
    standing: StandingCfg | None = None

    def required_return(self, seconds: float, ceiling: float = 1.0) -> float:
        """Mean return from which the task counts as solved.

        Args:
            seconds: Time limit of an episode [s].
            ceiling: The most that the reward pays a second.
        """
        return round(ceiling * (self.timeout_share * seconds - self.start_s), 6)


@dataclass
class CartpoleSuccessCfg(SuccessCfg):
    """The cart-pole is solved at a mean return of 4.90 of 5.00 in 5 s, and 99.5% of the episodes lasting.

    A policy that catches every pole loses about 0.045 on the way, in 2 s as in 20 s.
    """

    rewards: str | None = "cartpole_lab.tasks.cartpole_env_cfg:RewardsCfg"
    standing: StandingCfg | None = field(default_factory=StandingCfg)


CARTPOLE = CartpoleSuccessCfg()
"""The criterion of the cart-pole as it is registered."""
EPISODE_S = 5.0
"""Length of its episodes [s]."""
SOLVED_RETURN = CARTPOLE.required_return(EPISODE_S)
"""Mean return from which its default reward counts as solved, 4.90; the ceiling is 5.0."""
SOLVED_TIMEOUTS = CARTPOLE.timeout_share
"""Share of its episodes that must last to their time limit."""
STOP_MARGIN = 0.01
"""Seconds' worth of pay that a return must bring beyond "solved" to end a training: fresh episodes must agree."""
STOP_FAILURES = 1 / 1024
"""Share of failed episodes up to which a training ends; at "solved", 5 in 1024, every second one would be luck."""
PROMISING_SHARE = 0.9
"""Share of its ceiling that the latest rollout must pay for a policy to be worth an evaluation."""
PROMISING_FAILURES = 0.01
"""Episodes that failed in the latest rollout, per environment, up to which it is."""

STANDING_BAND = StandingCfg().band
"""Half-width of the band in which its pole counts as standing [rad]."""


def stop_failures(episodes: int) -> int:
    """Failed episodes up to which a training ends."""
    return int(STOP_FAILURES * episodes)


@cache
def default_weights() -> dict[str, float]:
    """The weight of each term of the cart-pole's reward, read from its config without loading a simulator."""
    tree = ast.parse(Path(__file__).with_name("cartpole_env_cfg.py").read_text(encoding="utf-8"))
    rewards = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "RewardsCfg")
    return {
        statement.targets[0].id: float(ast.literal_eval(keyword.value))
        for statement in rewards.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and isinstance(statement.value, ast.Call)
        for keyword in statement.value.keywords
        if keyword.arg == "weight"
    }


@dataclass(frozen=True)
class Verdict:
    """Whether a policy has solved what it was judged by.

    Attributes:
        solved: None where it was not judged.
        reason: Why, in a line: the numbers and what they had to be, or what is missing.
    """

    solved: bool | None
    reason: str

    def __str__(self) -> str:
        word = "not judged" if self.solved is None else "yes" if self.solved else "no"
        return f"{word} ({self.reason})"


@dataclass(frozen=True)
class Criterion:
    """A task's success as it applies to one live environment, with the reward that it pays now.

    Attributes:
        success: The task's criterion; None if its config has none.
        seconds: Time limit of an episode [s].
        ceiling: The most that the live reward pays a second; None if nobody knows.
        unknown: Why nobody knows; empty if somebody does.
        changed: Reward terms that differ from those of the task, ``"pole_pos"`` or ``"pole_pos weight -5, not -1"``.
    """

    success: SuccessCfg | None
    seconds: float
    ceiling: float | None = None
    unknown: str = ""
    changed: tuple[str, ...] = ()

    @property
    def judges(self) -> bool:
        """Whether there can be a verdict at all."""
        return self.success is not None and self.ceiling is not None

    @property
    def required_return(self) -> float | None:
        """Mean return of whole episodes from which the live reward counts as solved; None where it is not judged."""
        success, ceiling = self.success, self.ceiling
        return None if success is None or ceiling is None else success.required_return(self.seconds, ceiling)

    def by_default(self) -> Criterion:
        """The same episodes judged by the reward that the task is defined by."""
        if self.success is None or (terms := default_terms(self.success)) is None:
            return self
        ceiling, unknown = ceiling_of(terms, self.success.ceilings)
        return replace(self, ceiling=ceiling, unknown=unknown, changed=())

    def judge(self, mean_return: float, timeout_share: float, *, margin: float = 0.0) -> Verdict:
        """Judge by the reward that this criterion stands for.

        Args:
            mean_return: Mean return of whole episodes; NaN is a failure.
            timeout_share: Share of the episodes that lasted.
            margin: Seconds' worth of pay that the return must bring beyond the one that counts as solved.
        """
        if self.success is None:
            return Verdict(None, "no criterion: the task's config has no field `success`")
        if math.isnan(mean_return):
            return Verdict(False, "the return is not a number")
        if self.ceiling is None:
            return Verdict(None, self.unknown)
        best = self.ceiling * self.seconds
        if mean_return > best + 1e-3 * max(1.0, abs(best)):
            return Verdict(None, f"return {mean_return:.3f} lies above the ceiling {best:.3f}: name it in `success`")
        needed = self.success.required_return(self.seconds, self.ceiling) + margin * self.ceiling
        return Verdict(
            mean_return >= needed and timeout_share >= self.success.timeout_share,
            f"return {mean_return:.3f} of {best:.2f}, needs {needed:.2f}; "
            f"{100 * timeout_share:.2f}% lasted, needs {100 * self.success.timeout_share:.1f}%",
        )


def criterion_of(cfg: Any, terms: Mapping[str, Any], seconds: float) -> Criterion:
    """The criterion of a live environment.

    Args:
        cfg: Environment config, with or without a field ``success``.
        terms: Config of each live reward term, by name.
        seconds: Time limit of an episode [s].
    """
    success = getattr(cfg, "success", None)
    if success is None:
        return Criterion(None, seconds)
    ceiling, unknown = ceiling_of(terms, success.ceilings)
    return Criterion(success, seconds, ceiling, unknown, differences(terms, default_terms(success)))


def check_judged(cfg: Any, what: str) -> None:
    """See that a task says when it counts as solved, before anything slow relies on it.

    Args:
        cfg: Environment config.
        what: What relies on it, such as ``"--stop_when_solved"``.

    Raises:
        UserError: It does not, or its reward has no known ceiling.
    """
    rewards = cfg.rewards if isinstance(cfg.rewards, dict) else vars(cfg.rewards)
    criterion = criterion_of(cfg, {name: term for name, term in rewards.items() if term}, cfg.episode_length_s)
    if not criterion.judges and not criterion.by_default().judges:
        reason = criterion.unknown or "its config has no field `success`"
        raise UserError(
            f"{what} has nothing to go by: nothing says when {type(cfg).__name__} counts as solved ({reason}): "
            "give it a cartpole_lab.tasks.success.SuccessCfg, or leave the flag out"
        )


def ceiling_of(terms: Mapping[str, Any], ceilings: Mapping[str, float]) -> tuple[float | None, str]:
    """The most that a reward pays a second, or why nobody knows.

    A term with a negative weight is a cost and pays nothing at best.
    """
    most = 0.0
    for name, term in terms.items():
        if term.weight <= 0.0:
            continue
        pays = ceilings.get(name, 1.0 if _name(term.func) in PAYS_ONE else None)
        if pays is None:
            return None, f"reward term {name!r} has a positive weight and no ceiling in `success.ceilings`"
        most += pays * term.weight
    if math.isnan(most):
        return None, "a reward weight is not a number"
    return (most, "") if most > 0 else (None, "the reward pays for nothing: no term has a positive weight")


def default_terms(success: SuccessCfg) -> dict[str, Any] | None:
    """The reward terms that the task is defined by, by name; None if every reward is the task's."""
    if not success.rewards:
        return None
    module, _, name = str(success.rewards).partition(":")
    return {key: term for key, term in vars(getattr(importlib.import_module(module), name)()).items() if term}


def differences(terms: Mapping[str, Any], reference: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What in a reward differs from a task's own: a line for each term."""
    if reference is None:
        return ()
    found = [f"{name} added" for name, term in terms.items() if name not in reference and term.weight]
    for name, wanted in reference.items():
        term = terms.get(name)
        if term is None:
            found += [f"{name} left out"] if wanted.weight else []
        elif _what(term) != _what(wanted):
            found.append(f"{name} made another way")
        elif term.weight != wanted.weight:
            found.append(f"{name} {term.weight:g}, not {wanted.weight:g}")
    return tuple(found)


def _name(func: Any) -> str:
    """The name of a term's function or class, also of an object that Isaac Lab has made of the class."""
    return getattr(func, "__name__", None) or (
        func.rpartition(":")[2] if isinstance(func, str) else type(func).__name__
    )


def _what(term: Any) -> tuple[str, str]:
    """What a term computes, without what Isaac Lab looked up for it."""

    def plain(value: Any) -> Any:
        if hasattr(value, "joint_names"):  # a SceneEntityCfg
            return value.name, plain(value.joint_names), plain(value.body_names)
        return list(value) if isinstance(value, list | tuple) else [value] if isinstance(value, str) else value

    return _name(term.func), repr(sorted((name, plain(value)) for name, value in term.params.items()))
