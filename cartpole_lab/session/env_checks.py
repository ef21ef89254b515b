"""Whether an environment's config can be made, seen before anything is: params, ranges that hang together, names."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.session.overrides import nearest
from cartpole_lab.session.robot_files import check_files
from cartpole_lab.session.robot_names import check_names, terms


def check_params(cfg: Any) -> None:
    """See that each term's function takes the params that the config hands it.

    Raises:
        UserError: A param that the function doesn't know, or one that it needs is missing.
    """
    for name, term in terms(cfg):
        func, params = getattr(term, "func", None), getattr(term, "params", None)
        if not callable(func) or not isinstance(params, Mapping):
            continue
        call = func.__call__ if inspect.isclass(func) else func
        try:
            found = inspect.signature(call).parameters
        except (ValueError, TypeError):  # a function that does not say what it takes
            continue
        if any(p.kind is p.VAR_KEYWORD for p in found.values()):
            continue
        takes = [p for p in found if p not in ("self", "env", "env_ids")]
        unknown = next((key for key in params if key not in takes), None)
        if unknown is not None:
            near = nearest(unknown, takes)
            raise UserError(
                f"setting {name}.params.{unknown} is not known: {func.__name__} takes {', '.join(takes) or 'none'}"
                + (f"; did you mean {near}?" if near else "")
            )


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
    episode, step = getattr(cfg, "episode_length_s", None), cfg.sim.dt * cfg.decimation
    if isinstance(episode, int | float) and episode < step:
        raise UserError(
            f"setting env.episode_length_s is {episode}, expected at least one step of env.sim.dt × env.decimation = "
            f"{step:.4g} s"
        )
    check_params(cfg)
    check_files(cfg)
    check_names(cfg)
