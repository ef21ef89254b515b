"""Isaac Sim, seen without touching it: whether it is here, whole, and its licence accepted.

Importing ``isaacsim`` asks for a licence, and installing it counts as accepting one, so everything here is read from
metadata: distributions, files and environment variables. Nobody's licence is accepted for them.

Never run for real: Isaac Sim could not be installed where this was written. What its first import does was read from
its sources and is played by a stand-in package in the tests.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartpole_lab.errors import PhysicsUnavailable, UserError

VERSION = "6.2.0.0"
"""The release of Isaac Sim that Isaac Lab 3.0.0 is made for."""
EULA_URL = "https://docs.omniverse.nvidia.com/platform/latest/common/NVIDIA_Omniverse_License_Agreement.html"
ACCEPTED = "OMNI_KIT_ACCEPT_EULA"
"""Environment variable by which a user tells Isaac Sim that they accept its licence: y, yes or 1."""
OVERRIDE = "urllib3>=2.8.0"
"""isaacsim-kernel 6.2.0.0 pins urllib3 2.7.0, isaaclab 3.0.0 wants 2.8.0 or newer: one of them has to give way."""
EXTRAS = ("all", "extscache")


@dataclass(frozen=True)
class State:
    """What there is of Isaac Sim.

    Attributes:
        version: Its version, ``"downloaded"`` for one that was not installed with pip, None if there is none.
        folder: Where its package lies.
        missing: Distributions that it needs and that are not installed.
        accepted: Whether the licence is accepted where Isaac Sim itself would look.
        stranger: A package named ``isaacsim`` that is not NVIDIA's.
    """

    version: str | None
    folder: Path | None = None
    missing: tuple[str, ...] = ()
    accepted: bool = False
    stranger: bool = False


def install_command() -> str:
    """The command that makes an environment with Isaac Sim beside Isaac Lab, from NVIDIA's own package index."""
    from isaaclab.cli.commands.install import NVIDIA_INDEX_URL

    return (
        f"in an environment of its own: echo '{OVERRIDE}' > override.txt && uv pip install --override override.txt "
        f'cartpole-lab "isaacsim[{",".join(EXTRAS)}]=={VERSION}" --extra-index-url {NVIDIA_INDEX_URL} '
        "--index-strategy unsafe-best-match"
    )


def state(environ: Mapping[str, str] = os.environ) -> State:
    """Look, by metadata only."""
    spec = importlib.util.find_spec("isaacsim")  # not a submodule: looking for isaacsim.core asks for the licence
    version = _version("isaacsim") or _version("isaacsim-kernel")
    if spec is None and version is None:
        return State(None)
    folder = next((Path(place) for place in (spec.submodule_search_locations or [])), None) if spec else None
    accepted = _accepted(folder, environ)
    if version is None:
        if environ.get("ISAAC_PATH"):
            return State("downloaded", folder, (), accepted)
        return State(None, folder, stranger=True)
    missing: tuple[str, ...] = ("isaacsim-kernel",) if spec is None else ()
    if _version("isaacsim") is None:
        missing += ("isaacsim",)  # a kernel alone has no SimulationApp
    return State(version, folder, (*missing, *_missing()), accepted)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _missing() -> tuple[str, ...]:
    """Distributions of NVIDIA's that the installed ``isaacsim`` needs for its extras, and that are not there."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in importlib.metadata.requires("isaacsim") or []]
    except importlib.metadata.PackageNotFoundError:
        return ()
    needed = [
        item.name
        for item in wanted
        if item.name.startswith("isaacsim")
        and (item.marker is None or any(item.marker.evaluate({"extra": extra}) for extra in ("", *EXTRAS)))
    ]
    return tuple(name for name in dict.fromkeys(needed) if name != "isaacsim" and _version(name) is None)


def _accepted(folder: Path | None, environ: Mapping[str, str]) -> bool:
    """Whether Isaac Sim would start without asking: the variable, or the file that its own question writes."""
    if environ.get(ACCEPTED, "").strip().lower() in ("y", "yes", "1"):
        return True
    file = folder / "kit" / "EULA_ACCEPTED" if folder else None
    with contextlib.suppress(OSError):
        return file is not None and file.read_text(encoding="utf-8").strip().lower() == "yes"
    return False


def why_not(environ: Mapping[str, str] = os.environ) -> str | None:
    """The one line that says why Isaac Sim cannot start here, with what mends it; None if it may.

    Args:
        environ: Environment variables.
    """
    if "omni.kit.app" in sys.modules:
        return None
    found = state(environ)
    if found.stranger:
        return f"{found.folder} is a package named isaacsim, but not NVIDIA's: {install_command()}"
    if found.version is None:
        return f"Isaac Sim is not installed in {sys.executable}: {install_command()}"
    if found.missing:
        return (
            f"Isaac Sim {found.version} is half installed, {', '.join(found.missing)} "
            f"{'is' if len(found.missing) == 1 else 'are'} missing: {install_command()}"
        )
    if not found.accepted:
        return (
            f"Isaac Sim's licence is not accepted here. Read it: {EULA_URL} — if you accept it, say so yourself with "
            f"{ACCEPTED}=yes before the command"
        )
    return None


def check(sources: Sequence[str], environ: Mapping[str, str] = os.environ) -> None:
    """Return if Isaac Sim may start, or if nothing needs it.

    Args:
        sources: What needs it, as :func:`isaaclab.app.validate_launch` says it.
        environ: Environment variables.

    Raises:
        PhysicsUnavailable: It may not; names what needs it and what mends it.
    """
    problem = why_not(environ) if sources else None
    if problem:
        raise PhysicsUnavailable(
            f"{' and '.join(sources)} runs inside Isaac Sim. {problem}; or do without, as with physics=newton_mjwarp"
        )


def check_launch(cfg: Any, launcher_args: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """See that what a config and the launcher's flags need can start.

    Args:
        cfg: Environment config with its presets resolved.
        launcher_args: Arguments of Isaac Lab's launcher.

    Returns:
        What needs Isaac Sim; empty where it is not needed.

    Raises:
        UserError: Isaac Sim is needed and may not start, or two parts of the config cannot share a process.
    """
    from isaaclab.app import validate_launch

    try:
        sources = validate_launch(cfg, dict(launcher_args or {}))[1]
    except ValueError as error:
        raise UserError(" ".join(str(error).split())) from error
    check(sources)
    return tuple(sources)


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Start Isaac Sim in the block: it can ask nothing, and what ends it is an error.

    With nothing on its standard input a question that nobody sees becomes an exit instead of a wait without end.

    Raises:
        UserError: It ended itself, as it does on a refused licence (with exit code 0) or with extensions missing.
    """
    saved, empty = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    stdin, sys.stdin = sys.stdin, open(os.devnull)  # noqa: SIM115 - closed below
    os.dup2(empty, 0)
    try:
        yield
    except SystemExit as error:
        said = f": {error.code}" if isinstance(error.code, str) else f" (exit code {error.code or 0})"
        raise UserError(
            f"Isaac Sim ended itself while starting{' '.join(said.split('\n'))[:300]}; `cartpole-lab doctor` says what "
            "it finds of it"
        ) from error
    finally:
        sys.stdin.close()
        sys.stdin = stdin
        os.dup2(saved, 0)
        os.close(saved)
        os.close(empty)
