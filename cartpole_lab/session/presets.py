"""Presets, chosen by Isaac Lab's own resolver, and its many-line refusals said in one."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cartpole_lab.errors import UserError
from cartpole_lab.session.explained import told
from cartpole_lab.session.overrides import Override, nearest, silently
from cartpole_lab.session.task_lookup import check_decorated

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnvCfg


def resolve(task: str, agent: str | None, overrides: Sequence[str]) -> tuple[Any, Any]:
    """Load both configs of a registered task with these presets.

    Args:
        task: Registered id.
        agent: Name of the agent entry point, or None.
        overrides: Presets only: ``physics=ovphysx``, ``env.scene=with_camera``.

    Raises:
        UserError: The task has no such preset, or its settings cannot be loaded.
    """
    from isaaclab_tasks.utils import resolve_task_config

    try:
        return silently(resolve_task_config, task, agent, overrides=list(overrides))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError(_explain(task, overrides, error)) from error
    except (Exception, SystemExit) as error:  # whatever a module of the user's does, or a YAML file that is none
        raise UserError(
            f"the settings of {task} cannot be loaded: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        ) from error


def chosen(task: str, agent: str | None, overrides: Sequence[Override]) -> list[Override]:
    """The overrides that choose a preset for one part of the config, such as ``env.scene=with_camera``."""
    named = [one for one in overrides if isinstance(one.value, str)]
    if not named:
        return []
    from isaaclab_tasks.utils.hydra import collect_presets
    from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry

    roots = {"env": "env_cfg_entry_point", "agent": agent}
    paths: set[str] = set()
    for root in {one.root for one in named}:
        cfg = silently(load_cfg_from_registry, task, roots[root])
        if not isinstance(cfg, dict):
            paths |= {f"{root}.{path}" for path in collect_presets(cfg)}
    return [one for one in named if one.key in paths]


def resolve_own(cfg: Any, selectors: Sequence[str]) -> ManagerBasedRLEnvCfg:
    """A config of the user's own, copied, with its presets resolved.

    Args:
        cfg: Instance or class.
        selectors: Overrides such as ``physics=ovphysx``.

    Raises:
        UserError: It is no environment config, its class cannot be called without arguments, or a preset is unknown.
    """
    from isaaclab.envs import ManagerBasedRLEnvCfg
    from isaaclab_tasks.utils import resolve_presets
    from isaaclab_tasks.utils.hydra import collect_presets

    if isinstance(cfg, type) and issubclass(cfg, ManagerBasedRLEnvCfg):
        try:
            cfg = check_decorated(cfg, "task")()
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"config {cfg.__name__} cannot be made: {told(error)}") from error
    elif isinstance(cfg, ManagerBasedRLEnvCfg):
        cfg = copy.deepcopy(cfg)
    else:
        name = cfg.__name__ if isinstance(cfg, type) else type(cfg).__name__
        raise UserError(f"task is a {name}, expected an id or a ManagerBasedRLEnvCfg (class or object)")
    there = {name for fields in collect_presets(cfg).values() for name in fields}
    names: list[str] = []
    for override in selectors:
        key, _, value = override.partition("=")
        names += [part.strip() for part in value.split(",")]
        if missing := next((name for name in names if name not in there), None):
            raise UserError(_no_preset(type(cfg).__name__, key, missing, there))
    try:
        return resolve_presets(cfg, names)
    except ValueError as error:
        raise UserError(_explain(type(cfg).__name__, selectors, error)) from error


def _no_preset(task: str, key: str, value: str, there: set[str]) -> str:
    there = there - {"default"}
    near = nearest(value, there)
    text = f"{key} {value!r} is not known: expected one of {', '.join(sorted(there)) or f'none, {task} has no presets'}"
    return text + (f"; did you mean {near}?" if near else "")


def _explain(task: str, overrides: Sequence[str], error: Exception) -> str:
    """One line for a preset that Isaac Lab refused."""
    from cartpole_lab.physics import CartpolePhysicsCfg

    reason = " ".join(str(error).split())
    unknown = re.match(r"Unknown preset\(s\): (.*?) Available presets", reason)
    physics = {name for name in CartpolePhysicsCfg.__dataclass_fields__ if name != "default"}
    for override in overrides:
        key, _, value = override.partition("=")
        missing = unknown is not None and value in unknown[1].replace(",", " ").split()
        if key == "physics" and (missing or value not in physics):
            return _no_preset(task, key, value, physics)
        if missing:
            names = set(re.findall(r"(?<=[ ,])\w+(?=,| +->)", reason.partition("affected paths):")[2]))
            return _no_preset(task, key, value, names)
    return f"{task} does not take {' '.join(overrides) or 'its own settings'}: {reason[:300]}"
