"""Tools to break things for real: small disks, damaged files, processes that are watched."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

CLI = (sys.executable, "-m", "cartpole_lab.cli")
_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")


@functools.cache
def own_mounts() -> bool:
    """Whether this machine lets a process have file systems of its own."""
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(
            [*_UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
        ).returncode
    )


def on_a_small_disk(
    command: list[str] | tuple[str, ...],
    folder: Path,
    size: str,
    *,
    first: str = "true",
    then: str = "true",
    **env: str,
) -> subprocess.CompletedProcess[str]:
    """Run a command for which ``folder`` is a disk of ``size``, such as ``"1m"``.

    Args:
        command: Its words.
        folder: The folder; what it holds is out of sight meanwhile.
        size: As ``mount`` takes it.
        first, then: What a shell does on the disk before, and after.
        **env: Variables of its environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words, place = shlex.join(command), shlex.quote(str(folder))
    script = f"mount -t tmpfs -o size={size} none {place}; cd {place}; {first}; {words}; code=$?; {then}; exit $code"
    return run([*_UNSHARE, "bash", "-c", script], **env)


def run(command: list[str] | tuple[str, ...], timeout: float = 900, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return what it said."""
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=timeout, env={**os.environ, **env}
    )


def one_line(done: subprocess.CompletedProcess[str], code: int = 2) -> str:
    """The one line of complaint of a command that failed as it should."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    errors = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(errors) == 1, done.stderr
    return errors[0]
