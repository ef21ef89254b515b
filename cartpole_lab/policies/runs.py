"""Runs: the folder that a training leaves behind, read as one object.

A run records which of its checkpoints is the best and why. A folder of Isaac Lab's own ``isaaclab train`` records no
such thing: there the best is the file that its library calls so, and :attr:`Run.best` says that it is.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cartpole_lab.errors import UserError
from cartpole_lab.files import read_arrays, real, write_whole
from cartpole_lab.policies.checkpoint import Checkpoint, open_checkpoint
from cartpole_lab.policies.meaning import read_json, safe_yaml

if TYPE_CHECKING:
    import numpy as np

RECORD = "checkpoints.json"
"""File of a run that lists its checkpoints, and says which is the best and why."""
_PATTERNS = {
    "rl_games": ("nn/*.pth",),
    "rsl_rl": ("model_*.pt", "best.pt"),
    "skrl": ("checkpoints/*.pt",),
    "sb3": ("model.zip", "model_*.zip", "best.zip"),
}


@dataclass(frozen=True)
class Best:
    """The best checkpoint of a run.

    Attributes:
        path: Its file.
        why: What makes it the best, in words.
        epoch: Epochs that it has been trained for, None if nobody wrote it down.
        score: Mean return of the evaluation that chose it, None if none did.
    """

    path: Path
    why: str
    epoch: int | None = None
    score: float | None = None


@dataclass(frozen=True)
class Run:
    """The folder of one training.

    Attributes:
        log_dir: The folder.
        manifest: Its ``run.json``: library, task, agent, when it began.
    """

    log_dir: Path
    manifest: Mapping[str, Any] = field(repr=False)

    @classmethod
    def open(cls, log_dir: str | Path) -> Run:
        """Read the folder of a run.

        Raises:
            UserError: It isn't one.
        """
        log_dir = real(log_dir)
        try:
            manifest = json.loads((log_dir / "run.json").read_text(encoding="utf-8"))
            if not isinstance(manifest["library"], str) or not isinstance(manifest["task"], str):
                raise TypeError("library")
            datetime.fromisoformat(manifest["created_at"])
        except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise UserError(
                f"folder {str(log_dir)!r} is not the folder of a run: it has no run.json that says so"
            ) from error
        return cls(log_dir, manifest)

    @property
    def library(self) -> str:
        """The library that trained it."""
        return self.manifest["library"]

    @property
    def task(self) -> str:
        """Registered id of the task."""
        return self.manifest["task"]

    @property
    def agent(self) -> str | None:
        """Name of the agent entry point."""
        metadata = self.manifest.get("metadata")
        return metadata.get("agent") if isinstance(metadata, Mapping) else None

    @property
    def created_at(self) -> datetime:
        """When it began."""
        moment = datetime.fromisoformat(self.manifest["created_at"])
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    @property
    def agent_cfg(self) -> dict[str, Any]:
        """Settings of the agent as plain data."""
        return self._settings("agent")

    @property
    def env_cfg(self) -> dict[str, Any]:
        """Settings of the environment as plain data."""
        return self._settings("env")

    @property
    def summary(self) -> dict[str, Any] | None:
        """The numbers of ``summary.json``; None if the training did not come to its end."""
        return read_json(self.log_dir / "summary.json")

    @property
    def curve(self) -> dict[str, np.ndarray] | None:
        """The learning curve, as in :class:`cartpole_lab.TrainingRun`; None if the training did not come to its end."""
        file = self.log_dir / "curve.npz"
        if not file.is_file():
            return None
        try:
            return read_arrays(file)
        except (OSError, ValueError) as error:
            raise UserError(f"curve {str(file)!r} cannot be read ({error})") from error

    @property
    def checkpoints(self) -> list[Path]:
        """All checkpoints, the newest first."""
        found = {path for pattern in _PATTERNS.get(self.library, ()) for path in self.log_dir.glob(pattern)}
        order = {entry["file"]: number for number, entry in enumerate(self._record().get("saved", []))}
        keyed = []
        for path in found:
            with contextlib.suppress(OSError):  # a training that runs may remove one meanwhile
                if path.is_file() and not path.name.startswith("."):
                    key = (order.get(self._relative(path), -1), path.stat().st_mtime_ns, _last_number(path), path.name)
                    keyed.append((key, path))
        return [path for _, path in sorted(keyed, reverse=True)]

    @property
    def best(self) -> Best | None:
        """The best checkpoint as the run recorded it, or the one that its library calls the best; None if none is."""
        recorded = self._record().get("best")
        if isinstance(recorded, Mapping):
            path = self._inside(recorded.get("file"))
            if path is None:
                return None
            return Best(path, str(recorded.get("why")), _number(recorded, "epoch"), _number(recorded, "score"))
        names = {"sb3": ["model.zip"], "skrl": ["checkpoints/best_agent.pt"]}.get(self.library, [])
        if self.library == "rl_games":
            try:
                names = [f"nn/{self.agent_cfg['params']['config']['name']}.pth"]
            except (UserError, KeyError, TypeError):
                names = []
        for name in names:
            if path := self._inside(name):
                return Best(path, f"the file that {self.library} itself calls the best")
        newest = self.checkpoints[:1] if self.library == "rsl_rl" else []
        return Best(newest[0], "the last one: rsl_rl calls none the best") if newest else None

    @property
    def latest(self) -> Path | None:
        """The checkpoint of the latest epoch."""
        if path := self._inside(self._record().get("latest")):
            return path
        best = self.best
        others = [path for path in self.checkpoints if best is None or path != best.path or self.library != "rl_games"]
        return next(iter(others or self.checkpoints), None)

    def load(self, which: str = "best", *, say: Callable[[str], None] | None = None) -> Checkpoint:
        """Read the checkpoint that ``"best"`` or ``"latest"`` names, or the newest that can be read in its place.

        Args:
            which: The word.
            say: Called with a line if another one is taken; by default it goes to standard error.

        Raises:
            UserError: The run has none that can be read.
        """
        say = say or to_stderr
        best = self.best
        wanted = (best.path if best else None) if which == "best" else self.latest
        reasons = [] if wanted else [f"run {self.log_dir.name} records no {which} checkpoint"]
        for path in [*([wanted] if wanted else []), *(p for p in self.checkpoints if p != wanted)]:
            try:
                checkpoint = open_checkpoint(path)
            except UserError as error:
                reasons.append(str(error))
                continue
            if reasons:
                epoch = f" of epoch {checkpoint.epoch}" if checkpoint.epoch is not None else ""
                say(f"{reasons[0]}: taking {self._relative(path)}{epoch} instead")
            return checkpoint
        raise UserError(
            f"run {str(self.log_dir)!r} has no checkpoint that can be read" + "".join(f"; {r}" for r in reasons)
        )

    def note_checkpoint(self, path: Path, *, epoch: int, best: Best | None = None) -> None:
        """Record that a checkpoint has been written, and that it is the best so far if ``best`` says why."""
        record = self._record()
        name = self._relative(path)
        saved = [entry for entry in record.get("saved", []) if entry.get("file") != name]
        record["saved"] = [*saved, {"file": name, "epoch": epoch}]
        if best is not None:
            record["best"] = {"file": name, "epoch": best.epoch, "score": best.score, "why": best.why}
        else:
            record["latest"] = name
        write_whole(self.log_dir / RECORD, json.dumps(record, indent=2, allow_nan=False) + "\n")

    def _record(self) -> dict[str, Any]:
        record = read_json(self.log_dir / RECORD) or {}
        saved = record.get("saved")
        entries = saved if isinstance(saved, list) else []
        record["saved"] = [e for e in entries if isinstance(e, dict) and isinstance(e.get("file"), str)]
        return record

    def _inside(self, name: Any) -> Path | None:
        """A file of this run by the name that a record gives it; None where it names none, or one elsewhere."""
        try:
            path = self.log_dir / name
            return path if real(path).is_relative_to(self.log_dir) and path.is_file() else None
        except (OSError, TypeError, ValueError):  # too long, no text, a zero in it
            return None

    def _settings(self, name: str) -> dict[str, Any]:
        file = self.log_dir / "params" / f"{name}.yaml"
        try:
            if not file.is_file():  # a pipe would be waited for
                raise FileNotFoundError(file)
            settings = safe_yaml(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeError) as error:
            raise UserError(f"settings {str(file)!r} cannot be read") from error
        if not isinstance(settings, dict):
            raise UserError(f"settings {str(file)!r} are empty")
        return settings

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.log_dir).as_posix()


def _number(record: Mapping[str, Any], key: str) -> Any:
    """A finite number of a record, None where it is none."""
    value = record.get(key)
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _last_number(path: Path) -> int:
    digits = "".join(c if c.isdigit() else " " for c in path.stem).split()
    return int(digits[-1]) if digits else -1


def to_stderr(line: str) -> None:
    print(line, file=sys.stderr)
