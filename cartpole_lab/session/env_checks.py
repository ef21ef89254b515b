"""Whether an environment's config can be made, seen before anything is: params, ranges that hang together, names."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.session.overrides import nearest, parameters
from cartpole_lab.session.robot_files import check_files
from cartpole_lab.session.robot_names import check_names, terms
from cartpole_lab.session.setting_checks import RANGES, Rule, annotation, fits, rule_for, words_for


def check_params(cfg: Any) -> None:
    """See that each term's function takes the params that the config hands it.

    Raises:
        UserError: A param that the function doesn't know, or one that it needs is missing.
    """
    for name, term in terms(cfg):
        func, params = getattr(term, "func", None), getattr(term, "params", None)
        if not callable(func) or not isinstance(params, Mapping):
            continue
        try:
            found = parameters(func)
        except (ValueError, TypeError):  # a function that does not say what it takes
            continue
        if any(one.kind is one.VAR_KEYWORD for one in found):
            continue
        takes = [one.name for one in found]
        unknown = next((key for key in params if key not in takes), None)
        if unknown is not None:
            near = nearest(unknown, takes)
            raise UserError(
                f"setting {name}.params.{unknown} is not known: {func.__name__} takes {', '.join(takes) or 'none'}"
                + (f"; did you mean {near}?" if near else "")
            )


def check_environment(task: str) -> None:
    """See that the class of environment that a task registers is there; Isaac Lab's own is.

    Raises:
        UserError: It is not.
    """
    import gymnasium as gym
    from gymnasium.envs.registration import load_env_creator

    entry = gym.spec(task).entry_point
    if not isinstance(entry, str) or entry == "isaaclab.envs:ManagerBasedRLEnv":
        return
    try:
        load_env_creator(entry)
    except (Exception, SystemExit) as error:  # whatever that module does
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise UserError(
            f"task {task} registers the environment {entry!r}, which cannot be loaded ({reason}): expected "
            "entry_point='isaaclab.envs:ManagerBasedRLEnv', or a class of your own as package.module:Class"
        ) from error


def check_manager_based(task: str, cfg: Any) -> None:
    """See that a task is one of managers and terms, which everything here works with.

    Raises:
        UserError: It is another one, such as a task in Isaac Lab's direct workflow.
    """
    from isaaclab.envs import ManagerBasedRLEnvCfg

    if not isinstance(cfg, ManagerBasedRLEnvCfg):
        raise UserError(
            f"task {task} has settings of the kind {type(cfg).__name__}, expected a ManagerBasedRLEnvCfg: a task "
            f"that is not made of managers and terms is trained with `isaaclab train --task {task}`"
        )


def check_values(cfg: Any, rules: Mapping[str, Rule], name: str = "env", *, above: tuple[int, ...] = ()) -> None:
    """See that the numbers in a config can be what they are, however they have come there: by override, class or file.

    Args:
        cfg: Config, or a part of one: config classes, dictionaries, values.
        rules: What numbers may be, by the last part of the name.
        name: What to call it.
        above: The parts that this one lies in, by identity.

    Raises:
        UserError: A number out of its range, one that is none, or a word where a number belongs.
    """
    if id(cfg) in above or not (isinstance(cfg, Mapping) or dataclasses.is_dataclass(cfg)):
        return
    for key, value in list(cfg.items() if isinstance(cfg, Mapping) else vars(cfg).items()):
        where, plain = f"{name}.{key}", isinstance(value, int | float | str)  # most are groups: they take no time
        hint = annotation(cfg, key) if plain and isinstance(key, str) and not isinstance(cfg, Mapping) else Any
        rule = rule_for(str(key), hint, rules)
        if isinstance(value, float) and math.isnan(value):
            raise UserError(f"setting {where} is {value!r}, expected a finite number")
        if isinstance(value, int | float) and not isinstance(value, bool) and rule is not None and not rule[0](value):
            raise UserError(f"setting {where} is {value!r}, expected {rule[1]}")
        if isinstance(value, str | bool) and hint in (int, float) and not fits(value, hint):
            raise UserError(f"setting {where} is {value!r}, expected {rule[1] if rule else words_for(hint)}")
        check_values(value, rules, where, above=(*above, id(cfg)))


def check_env(cfg: Any) -> None:
    """See that an environment config can be made: Isaac Lab's own checks, ranges that hang together, joints, bodies.

    Raises:
        UserError: It cannot.
    """
    from isaaclab.utils import validate

    try:
        validate(cfg)
    except (TypeError, ValueError) as error:
        raise UserError(f"the environment's config is not whole: {' '.join(str(error).split())}") from error
    check_values(cfg, RANGES)
    episode, step = getattr(cfg, "episode_length_s", None), cfg.sim.dt * cfg.decimation
    if isinstance(episode, int | float) and episode < step:
        raise UserError(
            f"setting env.episode_length_s is {episode}, expected at least one step of env.sim.dt × env.decimation = "
            f"{step:.4g} s"
        )
    check_params(cfg)
    check_files(cfg)
    check_names(cfg)
