"""A checkpoint: the weights of one moment, and in the same file what they mean.

The files of all four libraries are zip archives. Ours carry one more member, plain JSON: the network, what it sees and
does, the task and its settings. The libraries do not look at it, so their own commands read the files as ever, and
where it is missing nothing is guessed. A file is read once; what has been checked is what is used.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from cartpole_lab.errors import UserError
from cartpole_lab.policies.from_json import read_weights
from cartpole_lab.policies.meaning import Meaning, meaning_beside
from cartpole_lab.session.env_settings import EnvSettings

MEMBER = "cartpole_lab.json"
"""Name of the member that says what the weights mean."""
PLAYGROUND = "Isaac-Cartpole-v0"
"""The task of policies as plain numbers: that of the book's page."""
LARGEST_MEANING = 4_000_000
"""Bytes that it may have."""


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
        try:
            if "iter" in self.state and "epoch" not in self.state:  # of rsl-rl, which counts from 0
                return int(self.state["iter"]) + 1
            return int(self.state["epoch"])
        except (KeyError, TypeError, ValueError, OverflowError, RuntimeError):  # none, or no number
            return None


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
        meaning = meaning_beside(path, library, Path(agent_cfg), task)
    elif member is not None:
        try:
            meaning = Meaning.decode(member)
        except UserError as error:
            raise UserError(f"checkpoint {str(path)!r}: {error}") from error
    else:
        meaning = meaning_beside(path, library, None, task)
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
        if library is not None:
            ending = {"rl_games": ".pth", "sb3": ".zip"}.get(library, ".pt")
            raise UserError(f"checkpoint {str(path)!r} holds a policy of {library}: name it {path.stem}{ending}")
        raise UserError(f"checkpoint {str(path)!r} is not {kind}: it holds none of rl-games, rsl-rl, skrl or sb3")
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
        if (bad := archive.testzip()) is not None:  # PyTorch does not look at the sums
            raise ValueError(f"its part {bad!r} is damaged: the sum is another")
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
