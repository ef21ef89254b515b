"""What the numbers of a checkpoint mean, as plain data, and where Isaac Lab's own commands say it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cartpole_lab.errors import UserError
from cartpole_lab.files import real
from cartpole_lab.session.env_settings import EnvSettings, plain


@dataclass(frozen=True)
class Meaning:
    """What the numbers of a checkpoint mean.

    Attributes:
        library: ``"rl_games"``, ``"rsl_rl"``, ``"skrl"``, ``"sb3"``, or ``"json"`` for a policy as plain numbers.
        agent: Name of the agent entry point that was trained.
        agent_cfg: Settings of the agent as plain data: network, clips, normalisation.
        env: Settings of the environment.
        observation: Shape of one observation; None if nobody wrote it down.
        actions: Numbers of one action; None if nobody wrote it down.
        trained: Facts of the run: ``num_envs``, ``seed``, ``device``.
        normalizer: ``mean``, ``var``, ``epsilon``, ``clip`` of the observations, where the library keeps them
            elsewhere.
    """

    library: str
    agent: str
    agent_cfg: Mapping[str, Any] = field(repr=False)
    env: EnvSettings
    observation: tuple[int, ...] | None = None
    actions: int | None = None
    trained: Mapping[str, Any] = field(default_factory=dict)
    normalizer: Mapping[str, Any] | None = None

    @functools.cached_property
    def encoded(self) -> bytes:
        """As JSON."""
        data = {
            "format": 1,
            "library": self.library,
            "agent": self.agent,
            "agent_cfg": plain(self.agent_cfg),
            "env": self.env.as_dict(),
            "observation": self.observation and list(self.observation),
            "actions": self.actions,
            "trained": plain(self.trained),
            "normalizer": self.normalizer and plain(self.normalizer),
        }
        return json.dumps(data, allow_nan=False, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> Meaning:
        """Read what :attr:`encoded` wrote.

        Raises:
            UserError: It is something else.
        """
        try:
            entries = json.loads(data)
            if entries["format"] != 1:
                raise UserError(f"its settings have format {entries['format']}, this version reads format 1")
            observation = entries["observation"]
            return cls(
                library=str(entries["library"]),
                agent=str(entries["agent"]),
                agent_cfg=dict(entries["agent_cfg"]),
                env=EnvSettings.from_dict(entries["env"]),
                observation=None if observation is None else tuple(int(n) for n in observation),
                actions=None if entries["actions"] is None else int(entries["actions"]),
                trained=dict(entries["trained"]),
                normalizer=entries["normalizer"] and dict(entries["normalizer"]),
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError("its settings are not readable") from error


def safe_yaml(text: str) -> Any:
    """Read YAML as Isaac Lab dumps it, without building any of the Python objects that it names."""

    class Plain(yaml.SafeLoader):
        """Knows no Python objects."""

    def ignore_type(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            items = loader.construct_sequence(node, deep=True)
            return f"slice({', '.join(map(str, items))})" if _suffix.endswith("builtins.slice") else items
        return loader.construct_scalar(node) or _suffix.partition(":")[2]

    Plain.add_multi_constructor("tag:yaml.org,2002:python/", ignore_type)
    try:
        return yaml.load(text, Loader=Plain)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"it is not YAML that can be read ({' '.join(str(error).split())[:120]})") from error


def meaning_beside(path: Path, library: str, given: Path | None, task: str | None) -> Meaning:
    """What a file means that does not say so itself: by the settings that Isaac Lab wrote beside it, or those given."""
    folders = [folder for folder in list(real(path).parents)[:2] if (folder / "params" / "agent.yaml").is_file()]
    file = given or (folders[0] / "params" / "agent.yaml" if folders else None)
    if file is None:
        raise UserError(
            f"checkpoint {str(path)!r} does not say what network it holds, and no params/agent.yaml lies beside it: "
            "copy that folder from its run, or name the settings with --agent_cfg path/to/agent.yaml"
        )
    if not file.is_file():
        raise UserError(f"agent_cfg {str(file)!r} is not a file, expected the agent.yaml of a run")
    try:
        settings = safe_yaml(file.read_text(encoding="utf-8"))
        manifest = (read_json(folders[0] / "run.json") if folders else None) or {}
        values = _env_values(folders[0]) if folders else {}
    except (OSError, UnicodeError, UserError) as error:
        raise UserError(f"settings {str(file)!r} beside the checkpoint cannot be read: {error}") from error
    if not isinstance(settings, Mapping) or (library == "rl_games" and not isinstance(settings.get("params"), Mapping)):
        raise UserError(f"settings {str(file)!r} are not those of an agent of {library}")
    name = task or manifest.get("task")
    if not isinstance(name, str):
        raise UserError(
            f"checkpoint {str(path)!r} does not say what task it was trained on, and no run.json lies beside it: "
            "name the task with --task"
        )
    metadata = manifest.get("metadata")
    agent = metadata.get("agent") if isinstance(metadata, Mapping) else None
    env = EnvSettings(name, _presets(name, values), values if name == manifest.get("task") else {})
    return Meaning(library, str(agent or f"{library}_cfg_entry_point"), dict(settings), env)


def read_json(file: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is none to read."""
    try:
        data = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None  # a pipe would be waited for
    except (OSError, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _env_values(folder: Path) -> dict[str, Any]:
    file = folder / "params" / "env.yaml"
    values = safe_yaml(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return plain(values) if isinstance(values, Mapping) else {}


def _presets(task: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    """The word for the physics that recorded settings name, where it isn't the task's default."""
    physics = (values.get("sim") or {}).get("physics") if isinstance(values.get("sim"), Mapping) else None
    if not isinstance(physics, Mapping):
        return ()
    named = str(physics.get("class_type"))
    if "solver_cfg" in physics or "ewton" in named:
        return () if task.startswith("Isaac-Cartpole-") else ("physics=newton_mjwarp",)  # the default of ours
    return ("physics=ovphysx",) if "isaaclab_ov" in named or "ovphysx" in named.lower() else ()
