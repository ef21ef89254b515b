"""Settings of an environment as plain data: what a run or a checkpoint keeps of them, and how they come back.

Plain data are texts, numbers, lists and tables. They are read by a safe loader, and nothing in them is imported or
called when an environment is built again: the registered task is loaded, and values are set in it one by one.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cartpole_lab.errors import UserError

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnvCfg

_PRESET = re.compile(r"(physics|renderer|presets)=[\w,]+")
_SLICE = re.compile(r"slice\((None|-?\d+), (None|-?\d+), (None|-?\d+)\)")
_ADDRESS = re.compile(r"(https?|omniverse|file)://|[A-Za-z]:[\\\\/]")
_NOT_THE_TASKS = (
    "seed",
    "log_dir",
    "sim.device",
    "sim.log_dir",
    "scene.num_envs",
    "export_io_descriptors",
    "compute_final_obs",  # for trainers that look at an episode's last observation
)
"""Settings of one run, not of what is simulated."""
_own_cfgs: dict[str, Any] = {}
"""Configs of the user's own that this process has trained, by digest: what plain data cannot bring back."""


@dataclass(frozen=True)
class EnvSettings:
    """Settings of an environment. :func:`cartpole_lab.make_env` takes them in place of a task.

    Attributes:
        task: Registered id that the settings start from.
        presets: Words that choose presets, such as ``physics=ovphysx``.
        values: The whole config as plain data; empty if nobody wrote it down.
    """

    task: str
    presets: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def digest(self) -> str:
        """Tells settings apart."""
        return hashlib.sha256(json.dumps(self.values, sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for :meth:`from_dict`."""
        return {"task": self.task, "presets": list(self.presets), "values": dict(self.values)}

    @classmethod
    def from_dict(cls, data: Any) -> EnvSettings:
        """Read plain data.

        Raises:
            UserError: It is something else.
        """
        if not isinstance(data, Mapping) or not isinstance(data.get("task"), str):
            raise UserError("the settings of the environment name no task")
        if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", data["task"]):  # a path or a module would be imported
            raise UserError(f"the settings of the environment name the task {data['task']!r}, expected a registered id")
        presets, values = data.get("presets") or [], data.get("values") or {}
        if not isinstance(values, Mapping) or not all(_PRESET.fullmatch(str(one)) for one in presets):
            raise UserError(f"the settings of the environment of {data['task']!r} are not those of a config")
        return cls(data["task"], tuple(str(one) for one in presets), dict(values))


def plain(value: Any) -> Any:
    """A config, or any part of one, as plain data: functions by name, tuples as lists, slices as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        from isaaclab.utils.dict import class_to_dict

        return plain(class_to_dict(value))
    return str(value)


def record(task: str, cfg: ManagerBasedRLEnvCfg, overrides: Sequence[str], *, own: bool = False) -> EnvSettings:
    """Write down the settings of an environment.

    Args:
        task: Registered id.
        cfg: Its config, with everything in it that was asked for.
        overrides: Those that made it, presets that the environment variables chose included.
        own: Whether the config is the user's own; it is then remembered as long as the process lives.
    """
    settings = EnvSettings(task, tuple(one for one in overrides if _PRESET.fullmatch(one)), plain(cfg))
    if own:
        _own_cfgs[settings.digest] = copy.deepcopy(cfg)
    return settings


def rebuild(settings: EnvSettings, overrides: Sequence[str] = ()) -> ManagerBasedRLEnvCfg:
    """The config that settings were recorded from, with further overrides on top.

    Args:
        settings: Recorded settings.
        overrides: As for :func:`cartpole_lab.load_cfg`; they win over what was recorded.

    Raises:
        UserError: The settings hold terms that the registered task lacks, so that they came from a config of the
            user's own, of which plain data are not enough.
    """
    from cartpole_lab.session.configs import load_cfg

    overrides = [one for one in overrides if not one.startswith("agent.")]
    keys = {one.partition("=")[0] for one in overrides}
    presets = [one for one in settings.presets if one.partition("=")[0] not in keys]
    if settings.digest in _own_cfgs and not overrides:
        return copy.deepcopy(_own_cfgs[settings.digest])
    cfg = load_cfg(settings.task, agent=None, overrides=[*presets, *overrides])[0]
    if not settings.values:
        return cfg
    base = plain(load_cfg(settings.task, agent=None, overrides=list(settings.presets))[0])
    taken = [key.removeprefix("env.") for key in keys] + ["sim.physics"] * ("physics" in keys)
    foreign = []
    for path, value in changes(base, settings.values):
        if any(path == key or path.startswith(f"{key}.") for key in taken):
            continue
        if not _set(cfg, path.split("."), value):
            foreign.append(path)
    if foreign:
        raise UserError(
            f"trained with a config of your own: {', '.join(foreign[:3])} {'are' if len(foreign) > 1 else 'is'} not in "
            f"{settings.task}; say what to simulate, with task_or_cfg=<your config> in Python, or --task <your task>"
        )
    return cfg


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What differs between two configs as plain data: dotted path and the value of ``after``, run settings left out."""
    for path, old, new in _differences(before, after, ""):
        machinery = path.startswith("sim.") and isinstance(old, str) and ":" in old  # classes of the simulation itself
        if path not in _NOT_THE_TASKS and old != new and not machinery:
            yield path, new


def differences(before: EnvSettings, after: EnvSettings) -> list[str]:
    """What differs between two settings: the later task, and overrides with the later values."""
    words = [after.task] if after.task != before.task else []
    words += [one for one in after.presets if one not in before.presets]
    if before.values and after.values:
        found = changes(before.values, after.values)
        words += [_override(path, value) for path, value in found if not path.startswith("sim.physics.")]
    return words


def check_sizes(
    env: Any, trained: EnvSettings | None, observation: Sequence[int] | None, actions: int | None = None
) -> None:
    """See that a trained policy can act in a live environment.

    Args:
        env: The environment.
        trained: Settings that the policy was trained with, None if nobody wrote them down.
        observation: Shape of one observation that it sees; None is not looked at.
        actions: Numbers of one action that it gives; None is not looked at.

    Raises:
        UserError: It sees other observations than the environment gives, or gives other actions than it takes. The
            message ends with the overrides to repeat.
    """
    raw = env.unwrapped
    given, wanted = tuple(raw.single_observation_space["policy"].shape), raw.single_action_space.shape[0]
    if observation is not None and tuple(observation) != given:
        raise UserError(
            f"the policy sees observations of shape {tuple(observation)}, the environment gives {given}"
            f"{_cure(raw, trained)}"
        )
    if actions is not None and actions != wanted:
        raise UserError(
            f"the policy gives {actions} numbers an action, the environment takes {wanted}{_cure(raw, trained)}"
        )


def _cure(raw: Any, trained: EnvSettings | None) -> str:
    """What to type for a live environment to be as the policy knows it."""
    if trained is None or not trained.values:
        return ""
    task = raw.spec.id if raw.spec is not None else trained.task
    words = differences(EnvSettings(task, trained.presets, plain(raw.cfg)), trained)
    seen = [word for word in words if word.startswith(("env.observations.", "env.actions."))]
    spoken = [f"--task {word}" if "=" not in word else word for word in words if word in seen or "=" not in word]
    if not spoken or any("=" in word and not re.fullmatch(r"[\w.]+=[-+\w.\",\[\]]+", word) for word in spoken):
        return f"; leave out what changes either: the checkpoint brings the settings of its training, on {trained.task}"
    return f"; repeat what it was trained with: {' '.join(spoken)}"


def describe(settings: EnvSettings) -> list[str]:
    """Overrides that say how recorded settings differ from those of their task."""
    from cartpole_lab.session.configs import load_cfg

    words = list(settings.presets)
    if settings.values:
        base = plain(load_cfg(settings.task, agent=None, overrides=words)[0])
        words += [_override(path, value) for path, value in changes(base, settings.values)]
    return words


def _override(path: str, value: Any) -> str:
    group = isinstance(value, Mapping) and any(isinstance(item, Mapping) for item in value.values())
    text = f"{{{', '.join(value)}}}" if group else json.dumps(value).replace(" ", "")
    return f"env.{path}={text}"


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        yield path, old, new
        return
    if set(old) != set(new) and _are_numbers(old) and _are_numbers(new):
        yield path, old, new  # values by joint or term, which an override gives as a whole
        return
    for key, value in new.items():  # what only the older one has is a setting that later versions added
        below = f"{path}.{key}" if path else key
        if key in old:
            yield from _differences(old[key], value, below)
        elif not isinstance(value, Mapping) or value:
            yield below, None, value


def _are_numbers(values: Mapping[str, Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values.values())


def _set(target: Any, path: list[str], value: Any) -> bool:
    """Set one plain value in a config; False where it takes more than a value."""
    for name in path[:-1]:
        target = target.get(name) if isinstance(target, dict) else getattr(target, name, None)
        if target is None:
            return False
    name = path[-1]
    held = target.get(name) if isinstance(target, dict) else getattr(target, name, None)
    if not isinstance(target, dict) and not hasattr(target, name) and not _is_more_than_a_value(value):
        return True  # a setting that an earlier version had
    by_name = isinstance(value, Mapping) and not any(_is_more_than_a_value(item) for item in value.values())
    if by_name and hasattr(held, "__dataclass_fields__"):
        return all(_set(held, [key], item) for key, item in value.items())
    if by_name and isinstance(held, dict | int | float):  # one number for all joints, or one for each
        value, held = dict(value), {}
    elif callable(held) or _is_more_than_a_value(value):
        return False
    if hasattr(held, "__dataclass_fields__") and value is not None:
        return False
    typed = _typed(value, held)
    if isinstance(target, dict):
        target[name] = typed
    else:
        setattr(target, name, typed)
    return True


def _is_more_than_a_value(value: Any) -> bool:
    """Whether a plain value stands for a config, or is text that Isaac Lab would import or evaluate."""
    if isinstance(value, list):
        return any(_is_more_than_a_value(item) for item in value)
    if isinstance(value, str):
        return ":" in value and not _ADDRESS.match(value)
    return isinstance(value, Mapping)


def _typed(value: Any, held: Any) -> Any:
    """A plain value in the type of the one that it replaces."""
    if isinstance(value, list):
        items = [_typed(v, held[i] if isinstance(held, list | tuple) and i < len(held) else None)
                 for i, v in enumerate(value)]  # fmt: skip
        return tuple(items) if isinstance(held, tuple) else items
    if isinstance(value, str) and (match := _SLICE.fullmatch(value)):
        return slice(*(None if part == "None" else int(part) for part in match.groups()))
    if value in ("inf", "-inf", "nan") or (isinstance(held, float) and isinstance(value, int)):
        return float(value)
    return value
