"""A checkpoint: the weights of one moment, and in the same file what they mean.

The files of all four libraries are zip archives. Ours carry one more member, plain JSON: the network, what it sees and
does, the task and its settings. The libraries do not look at it, so their own commands read the files as ever, and
where it is missing nothing is guessed. A file is read once; what has been checked is what is used.
"""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml

from cartpole_lab.errors import UserError
from cartpole_lab.files import write_whole
from cartpole_lab.policies.from_json import read_weights
from cartpole_lab.session.recorded import EnvSettings, plain

MEMBER = "cartpole_lab.json"
"""Name of the member that says what the weights mean."""
PLAYGROUND = "Isaac-Cartpole-v0"
"""The task of policies as plain numbers: that of the book's page."""
LARGEST_MEANING = 4_000_000
"""Bytes that it may have."""


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


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that has been read.

    Attributes:
        path: Where it was read from.
        state: Its entries; ``state["model"]`` holds the weights of an rl-games file.
        meaning: What they mean.
    """

    path: Path
    state: Mapping[str, Any] = field(repr=False)
    meaning: Meaning

    @property
    def library(self) -> str:
        """The library that it belongs to."""
        return self.meaning.library

    @property
    def env(self) -> EnvSettings:
        """Settings of the environment that it was trained in; :func:`cartpole_lab.make_env` takes them."""
        return self.meaning.env

    @property
    def epoch(self) -> int | None:
        """Epochs that it has been trained for, where the file says so."""
        epoch = self.state.get("epoch", self.state.get("iter"))
        return None if epoch is None else int(epoch)


def open_checkpoint(path: str | Path, *, agent_cfg: str | Path | None = None, task: str | None = None) -> Checkpoint:
    """Read a checkpoint and what it means, running none of the code that it may carry.

    Args:
        path: ``.pth`` of rl-games, ``.pt`` of rsl-rl or skrl, ``.zip`` of Stable-Baselines3, or
            ``.json`` as :func:`cartpole_lab.export_weights` and the book's page write it.
        agent_cfg: The agent's settings as YAML, for a file that does not carry them.
        task: Registered id, for a file that does not say.

    Raises:
        UserError: No such file, not a checkpoint, or nothing says what it means.
    """
    path = Path(path)
    if (
        path.suffix == ".json"
    ):  # weights as numbers, of the page or of an export: the policy whole, nothing of its training
        weights = read_weights(path)
        return Checkpoint(path, weights, Meaning("json", "", {}, EnvSettings(task or PLAYGROUND)))
    library, state, member = _read(path)
    if agent_cfg is not None:
        meaning = _meaning_beside(path, library, Path(agent_cfg), task)
    elif member is not None:
        try:
            meaning = Meaning.decode(member)
        except UserError as error:
            raise UserError(f"checkpoint {str(path)!r}: {error}") from error
    else:
        meaning = _meaning_beside(path, library, None, task)
    if meaning.library != library:
        raise UserError(f"checkpoint {str(path)!r} holds weights of {library} and settings of {meaning.library}")
    return Checkpoint(path, state, meaning)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The entries of an rl-games checkpoint, read without running any code that it may carry.

    Args:
        path: Path of a ``.pth`` file.

    Returns:
        Its entries: ``model`` (weights by name), ``epoch``, ``frame``, ``optimizer`` …

    Raises:
        UserError: No such file, or not an rl-games checkpoint.
    """
    library, state, _ = _read(Path(path))
    if library != "rl_games":
        raise UserError(f"checkpoint {str(path)!r} is not an rl-games checkpoint (it is one of {library})")
    return state


def checkpoint_library(path: str | Path) -> str | None:
    """Name of the library that wrote a file, None where it is no checkpoint."""
    try:
        return _read(Path(path))[0]
    except UserError:
        return None


def packed(state: Mapping[str, Any], meaning: Meaning) -> bytes:
    """The bytes of a checkpoint file: entries as PyTorch saves them, and what they mean."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return with_meaning(buffer.getvalue(), meaning)


def with_meaning(data: bytes, meaning: Meaning) -> bytes:
    """A library's file with what it means inside."""
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer) as old:
        names = old.namelist()
        root = f"{names[0].partition('/')[0]}/" if meaning.library != "sb3" else ""  # PyTorch has all below one folder
        found = f"{root}{MEMBER}" in names
        if found:  # a zip archive cannot forget a member: write the others anew
            entries = [(item, old.read(item)) for item in old.infolist() if item.filename != f"{root}{MEMBER}"]
    if found:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as new:
            for item, content in entries:
                new.writestr(item, content)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{root}{MEMBER}", meaning.encoded)
    return buffer.getvalue()


def seal(path: str | Path, meaning: Meaning) -> Path:
    """Put what a library's checkpoint means into its file, whole or not at all."""
    path = Path(path)
    return write_whole(path, with_meaning(path.read_bytes(), meaning))


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


def _read(path: Path) -> tuple[str, dict[str, Any], bytes | None]:
    """Library, entries and meaning of a file, which is read once."""
    if not path.is_file():
        raise UserError(f"checkpoint {str(path)!r} is not a file: `cartpole-lab train` makes one under logs/rl_games")
    kind = "an rl-games checkpoint" if path.suffix == ".pth" else "a checkpoint"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"checkpoint {str(path)!r} cannot be read ({error.strerror})") from error
    try:
        state, member = _entries(data)
    except Exception as error:  # whatever a damaged or hostile file makes of the readers
        raise UserError(f"checkpoint {str(path)!r} is not {kind} ({_reason(data, error)})") from error
    library = _library(state)
    if library is None or (path.suffix == ".pth") != (library == "rl_games"):
        raise UserError(f"checkpoint {str(path)!r} is not {kind} of rl-games, rsl-rl, skrl or Stable-Baselines3")
    if library == "rl_games":  # torch.compile, when a run used it, leaves a prefix
        state["model"] = {str(k).removeprefix("_orig_mod."): v for k, v in state["model"].items()}
    return library, state, member


def _entries(data: bytes) -> tuple[dict[str, Any], bytes | None]:
    import numpy as np

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [item for item in archive.infolist() if item.filename.rpartition("/")[2] == MEMBER]
        if members and members[0].file_size > LARGEST_MEANING:
            raise ValueError(f"its settings take {members[0].file_size} bytes")
        member = archive.read(members[0]) if members else None
        if "policy.pth" in archive.namelist():
            data = archive.read("policy.pth")
            return {"sb3": torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)}, member
    safe = [np._core.multiarray.scalar, np.dtype, np.dtypes.Float32DType, np.dtypes.Float64DType]
    with torch.serialization.safe_globals(safe):
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return dict(state), member


def _library(state: Mapping[str, Any]) -> str | None:
    keys = {"sb3": "sb3", "model": "rl_games", "actor_state_dict": "rsl_rl", "policy": "skrl"}
    for key, library in keys.items():
        if isinstance(state.get(key), Mapping) and all(isinstance(v, torch.Tensor) for v in state[key].values()):
            return library
    return None


def _reason(data: bytes, error: Exception) -> str:
    """Why a file cannot be read, in our words: PyTorch's end in the advice to run what the file carries."""
    text = str(error)
    if "weights_only" in text or "WeightsUnpickler" in text or "Unsupported" in text:
        return "it carries more than numbers: code, which is never run here"
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return "it is empty" if not data else f"{len(data)} bytes, cut short or of another kind"
    return (text.strip().splitlines() or [type(error).__name__])[0][:120]


def _meaning_beside(path: Path, library: str, given: Path | None, task: str | None) -> Meaning:
    """What a file means that does not say so itself: by the settings that Isaac Lab wrote beside it, or those given."""
    folders = [folder for folder in list(path.resolve().parents)[:2] if (folder / "params" / "agent.yaml").is_file()]
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
        manifest = _manifest(folders[0]) if folders else {}
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


def _manifest(folder: Path) -> Mapping[str, Any]:
    try:
        manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, Mapping) else {}


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
