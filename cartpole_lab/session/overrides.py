"""Overrides, settings given as ``env.rewards.pole_pos.weight=-2``: read, checked and applied, or refused in one line.

Isaac Lab's resolver sets a misspelt leaf without a word, hands what it does not know to Hydra, which then makes an
``outputs/`` folder and prints its own text, and takes values of any type. Here every override is looked up in the tree
of the config before anything is made. The order is Isaac Lab's: presets first, then single settings as they stand.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import inspect
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.session import agent_keys
from cartpole_lab.session.setting_checks import annotation, problem

SELECTORS = ("physics", "renderer", "presets")
"""Names of overrides that choose among presets everywhere in the task."""

OURS = {
    "env.sim.device": "--device",
    "env.seed": "--seed",
    "env.log_dir": "--log_root",
    "env.export_io_descriptors": "--export_io_descriptors",
    "agent.params.config.num_actors": "--num_envs",
    "agent.params.config.device": "--device",
    "agent.params.config.device_name": "--device",
    "agent.params.config.multi_gpu": "--distributed",
    "agent.params.config.train_dir": "--log_root",
    "agent.params.config.max_frames": "--max_iterations",
    "agent.device": "--device",
}
"""Settings that the command fills in by itself, with the flag that decides them: an override would be lost."""

_OVERRIDE = re.compile(r"(?P<add>\+?)(?P<key>[A-Za-z_][\w.]*)=(?P<value>.*)", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Override:
    """One override.

    Attributes:
        text: As it was given.
        key: Name with dots, such as ``"env.decimation"``.
        value: Value as Isaac Lab reads it: a Python literal, ``true``, ``false``, ``null``, else the text.
        add: Whether it began with ``+``: the setting need not be known.
    """

    text: str
    key: str
    value: Any
    add: bool

    @property
    def root(self) -> str:
        """``"env"``, ``"agent"`` or the selector's name."""
        return self.key.partition(".")[0]

    @property
    def is_selector(self) -> bool:
        """Whether it chooses among presets everywhere in the task."""
        return self.key in SELECTORS


def nearest(name: str, known: Iterable[str], *, count: int = 1) -> str:
    """``"a or b"`` out of the known names nearest to ``name``; empty if none is near."""
    known = [str(item) for item in known]
    found = difflib.get_close_matches(name, known, n=count, cutoff=0.5)
    if not found:
        lower = {item.lower(): item for item in known}
        found = [lower[item] for item in difflib.get_close_matches(name.lower(), lower, n=count, cutoff=0.5)]
    return " or ".join(found)


def parse_overrides(texts: Sequence[str]) -> list[Override]:
    """Read overrides as the command line has them.

    Raises:
        UserError: Something that is no setting, or a setting given twice with different values.
    """
    from isaaclab_tasks.utils.hydra import _parse_val

    overrides: list[Override] = []
    if isinstance(texts, str):
        raise UserError(f"overrides are the text {texts!r}, expected a list of such words: [{texts!r}]")
    for text in texts:
        match = _OVERRIDE.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            what = "a flag of --help, or a setting" if str(text).startswith("-") else "a setting"
            raise UserError(f"argument {text!r} is not known: expected {what} as name=value, such as env.decimation=4")
        key, value = match["key"], match["value"].strip()
        root = key.partition(".")[0]
        if key not in SELECTORS and (root not in ("env", "agent") or key == root):
            near = nearest(root, (*SELECTORS, "env", "agent"))
            hint = f": did you mean {near}{key[len(root) :]}?" if near and near != root else ""
            raise UserError(
                f"setting {key!r} in {text!r} is not known{hint or ':'} expected env.<name>=, agent.<name>=, "
                f"{'=, '.join(SELECTORS)}="
            )
        if not value or (key in SELECTORS and not all(part.strip() for part in value.split(","))):
            raise UserError(f"setting {text!r} has no value: expected {key}=<value>")
        if match["add"] and root != "agent" and ".params." not in key:
            raise UserError(f"setting {text!r} begins with +, which only agent settings and params of terms take")
        given = [one.text for one in overrides if one.key == key]
        earlier = next((other for other in given if other.lstrip("+") != text.lstrip("+")), None)
        if earlier is not None:
            raise UserError(f"setting {key} is given twice, as {earlier} and {text}: give one of them")
        if key in OURS:
            raise UserError(f"setting {text!r} would be overwritten: use {OURS[key]} instead")
        overrides.append(Override(text, key, value if key in SELECTORS else _parse_val(value), bool(match["add"])))
    return overrides


def apply_overrides(cfg: Any, overrides: Sequence[Override], *, root: str, agent: str | None = None) -> None:
    """Set single settings in a config.

    Args:
        cfg: Config whose presets are resolved; it is changed.
        overrides: Those whose names begin with ``root``.
        root: ``"env"`` or ``"agent"``.
        agent: Name of the agent entry point, by which the keys of a library are known.

    Raises:
        UserError: Unknown name, or a value that the setting cannot take.
    """
    library = agent_keys.library_of(agent) if root == "agent" else None
    for override in overrides:
        *path, leaf = override.key.split(".")[1:]
        owner, where = cfg, root
        taken: Iterable[str] = ()  # what a term's function takes, beside what its config gives already
        for part in path:
            if part == "params" and callable(getattr(owner, "func", None)):
                taken = [one.name for one in parameters(owner.func)]
            if isinstance(owner, dict) and part not in owner and (override.add or _known(owner, part, where, library)):
                owner[part] = {}
            owner, where = _child(owner, part, where, override, library), f"{where}.{part}"
        _set(owner, leaf, where, override, library, taken if path[-1:] == ["params"] else ())


def parameters(function: Any) -> list[inspect.Parameter]:
    """The parameters of a term that a config gives: those of the function, or of the class's ``__call__``."""
    call = function.__call__ if inspect.isclass(function) else function
    found = inspect.signature(call).parameters
    return [one for name, one in found.items() if name not in ("self", "env", "env_ids")]


def _set(owner: Any, leaf: str, where: str, override: Override, library: str | None, taken: Iterable[str] = ()) -> None:
    """Check one setting and set it."""
    name, value = f"{where}.{leaf}", override.value
    _see_group(owner, where, override)
    there = _has(owner, leaf)
    if not there and not override.add and leaf not in taken and not _known(owner, leaf, where, library):
        raise _unknown(owner, leaf, where, library)
    now = _get(owner, leaf) if there else None
    hint = annotation(owner, leaf) if dataclasses.is_dataclass(owner) else Any
    in_group = where.count(".") == (2 if where.startswith("env.observations.") else 1)
    if value is None and dataclasses.is_dataclass(now) and in_group:
        wrong = None  # a term or an entity is left out: env.rewards.alive=null
    elif library is not None and not override.add:
        wrong = agent_keys.problem(library, name, value, now, hint)
    else:
        wrong = problem(leaf, value, now, hint)
        if wrong is None and value is None and now is not None and hint is Any:
            wrong = "a value"
    if wrong is not None:
        given = override.text.partition("=")[2]
        was = f" (now {_short(now)})" if there and not dataclasses.is_dataclass(now) else ""
        raise UserError(f"setting {name} is {given!r}, expected {wrong}{was}")
    if callable(now) and isinstance(value, str):
        value = _function(name, value)
    if isinstance(now, tuple) and isinstance(value, list):
        value = tuple(value)
    if isinstance(owner, dict):
        owner[leaf] = value
    else:
        setattr(owner, leaf, value)


def _see_group(owner: Any, where: str, override: Override) -> None:
    if not isinstance(owner, Mapping) and not hasattr(owner, "__dict__"):
        what = "has no settings; set it as a whole" if owner is not None else "has no settings"
        raise UserError(f"setting {override.key} is not known: {where} is {_short(owner)}, which {what}")


def _child(owner: Any, part: str, where: str, override: Override, library: str | None) -> Any:
    _see_group(owner, where, override)
    if not _has(owner, part):
        raise _unknown(owner, part, where, library)
    return _get(owner, part)


def _has(owner: Any, part: str) -> bool:
    if isinstance(owner, Mapping):
        return part in owner
    return part in _fields(owner)


def _get(owner: Any, part: str) -> Any:
    return owner[part] if isinstance(owner, Mapping) else getattr(owner, part)


def _fields(owner: Any) -> list[str]:
    """Names of the settings of a config: fields, and what the class sets in ``__post_init__``."""
    names = [field.name for field in dataclasses.fields(owner)] if dataclasses.is_dataclass(owner) else []
    return list(dict.fromkeys([*names, *(n for n in vars(owner) if not n.startswith("_"))]))


def _choices(owner: Any, where: str, library: str | None) -> list[str]:
    """Names that may be set here."""
    if isinstance(owner, Mapping):
        return list({**dict.fromkeys(map(str, owner)), **dict.fromkeys(agent_keys.known(library, where) or ())})
    return _fields(owner)


def _known(owner: Any, leaf: str, where: str, library: str | None) -> bool:
    """Whether a name that is not there may be set all the same: a key that the library reads."""
    if library is None or not isinstance(owner, Mapping):
        return False
    keys = agent_keys.known(library, where)
    return keys is None or leaf in keys


def _unknown(owner: Any, leaf: str, where: str, library: str | None) -> UserError:
    choices = _choices(owner, where, library)
    near = nearest(leaf, choices)
    text = f"setting {where}.{leaf} is not known"
    if near:
        text += f": did you mean {where}.{near}?"
    else:
        text += f": {where} has {', '.join(sorted(choices)[:12])}{', …' if len(choices) > 12 else ''}"
    if library is not None:
        below = agent_keys.elsewhere(library, leaf)
        if below and below != f"{where}.{near}":
            text = f"setting {where}.{leaf} is not known: did you mean {below}?"
        text += f" To set it all the same: +{where}.{leaf}=…"
    return UserError(text)


def _function(name: str, value: str) -> Any:
    from isaaclab.utils.string import string_to_callable

    try:
        return string_to_callable(value)
    except Exception as error:  # whatever the module raises while it is imported
        raise UserError(
            f"setting {name} is {value!r}, expected a function as package.module:name "
            f"({' '.join(str(error).split())[:120]})"
        ) from error


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else text[:37] + "…"


def silently(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call something of Isaac Lab's that prints what it reads."""
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*args, **kwargs)
