"""Bring the third-party scripts that the pages use: pinned npm packages, their hashes checked, only the files needed.

Nothing of it is committed. ``vendor.json`` names each package, its version and the hash of its archive, in the form in
which npm itself writes it. Without npm the pages link the usual public servers, and the build says so.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from . import paths
from .locks import turn

MANIFEST = Path(__file__).with_name("vendor.json")
_STAMP = "fetched.txt"
_answered: list[str] = []
"""What a registry has answered to in this process."""

ANSWER_WITHIN_S = float(os.environ.get("CARTPOLE_BOOK_ANSWER_WITHIN_S", "10"))
"""Seconds within which a registry has to answer at all."""

ARCHIVE_WITHIN_S = 300
"""Seconds that one archive may take: ten megabytes on a slow line."""


class IntegrityError(RuntimeError):
    """A package's archive isn't the one that was pinned."""


class NoNetworkError(RuntimeError):
    """A package is neither in the cache nor to be had now; the message is one line."""


def vendor_scripts(*, online: bool = False) -> bool:
    """Fill ``_build/vendor`` unless it already holds what the manifest asks for.

    Archives that were fetched once are kept, so that a build after the first needs no network, whatever changed.

    Args:
        online: Leave the scripts to public servers, and what is here as it is.

    Returns:
        True when the scripts are there; False when npm is missing, or ``online``: the pages link public servers then.

    Raises:
        IntegrityError: An archive has another hash than the pinned one.
        NoNetworkError: npm could not deliver a package within the time limit; its own reason is in the message.
    """
    if online:
        return False
    digest = hashlib.sha256(MANIFEST.read_bytes()).hexdigest()
    stamp = paths.VENDOR / _STAMP
    with turn(paths.VENDOR.parents[1] / "vendor.lock", "fetching the pages' scripts"):
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
            return True
        packages = json.loads(MANIFEST.read_text(encoding="utf-8"))["packages"]
        archives = {f"{p['name']}@{p['version']}": (_kept(p), p) for p in packages}
        npm = shutil.which("npm")
        if npm is None and not all(kept.is_file() for kept, _ in archives.values()):
            print("npm is missing (it comes with Node.js): the pages will load MathJax and mermaid from public")
            print("servers, so they need a network to read. Install Node.js and build again to make them stand alone.")
            shutil.rmtree(paths.VENDOR, ignore_errors=True)
            return False
        found = {spec: _archive(npm, spec, *entry) for spec, entry in archives.items()}
        shutil.rmtree(paths.VENDOR, ignore_errors=True)
        for spec, (_, package) in archives.items():
            _extract(found[spec], package["files"], paths.VENDOR)
        stamp.write_text(digest, encoding="utf-8")
    return True


def _kept(package: dict[str, Any]) -> Path:
    """Where a fetched archive is kept: by its hash, so that another version has another place."""
    name = hashlib.sha256(package["integrity"].encode()).hexdigest()[:20]
    return paths.CACHE / "vendor" / f"{name}.tgz"


def _archive(npm: str | None, spec: str, kept: Path, package: dict[str, Any]) -> bytes:
    """A package's archive, checked: the one that is kept, else from npm."""
    if kept.is_file() and _hash(archive := kept.read_bytes()) == package["integrity"]:
        return archive
    print(f"fetching {spec}", flush=True)
    archive = _npm_pack(str(npm), spec)
    check_integrity(spec, archive, package["integrity"])
    kept.parent.mkdir(parents=True, exist_ok=True)
    new = kept.with_name(f"{kept.name}.{os.getpid()}")
    new.write_bytes(archive)
    os.replace(new, kept)
    return archive


def _hash(archive: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode("ascii")


def check_integrity(spec: str, archive: bytes, expected: str) -> None:
    """Compare an archive with its pinned hash, written ``sha512-<base64>``.

    Raises:
        IntegrityError: They differ.
    """
    found = _hash(archive)
    if found != expected:
        raise IntegrityError(f"{spec} has the hash {found}, expected {expected}: not using it")


def _npm_pack(npm: str, spec: str) -> bytes:
    """Have npm fetch an archive. It asks once, and not the four times in a quarter of an hour that are its default.

    Raises:
        NoNetworkError: It answers with an error, or within the time limit with nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        patience = ["--fetch-retries=0", f"--fetch-timeout={1000 * ANSWER_WITHIN_S:.0f}", "--prefer-offline"]
        quiet = ["--ignore-scripts", "--loglevel=error", "--no-update-notifier", "--no-fund", "--no-audit"]
        if not os.access(Path.home(), os.W_OK) and "npm_config_cache" not in os.environ:  # npm gives up without one
            quiet.append(f"--cache={paths.CACHE / 'npm'}")
        try:
            if not _answered:  # a few hundred bytes: without a network this fails soon, however large the archive
                _npm([npm, "view", spec, "version", *patience, *quiet], folder, 1.3 * ANSWER_WITHIN_S)
                _answered.append(spec)
            _npm([npm, "pack", spec, "--pack-destination", folder, *patience, *quiet], folder, ARCHIVE_WITHIN_S)
        except subprocess.TimeoutExpired as error:
            raise NoNetworkError(_no_script(spec, f"no answer in {error.timeout:.0f} s")) from None
        archives = list(Path(folder).glob("*.tgz"))
        if len(archives) != 1:
            raise NoNetworkError(_no_script(spec, "npm wrote no archive"))
        return archives[0].read_bytes()


def _npm(command: list[str], folder: str, limit_s: float) -> None:
    """Run npm; its own reason, in one line, if it fails. The process and what it started end with the time limit."""
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=limit_s)
    if result.returncode == 0:
        return
    said = [line.removeprefix("npm error").removeprefix("npm ERR!").strip() for line in result.stderr.splitlines()]
    reason = next((line for line in said if line.startswith(("request to", "network request"))), None)
    code = next((line for line in said if line.startswith("code ")), "npm failed")
    raise NoNetworkError(
        _no_script(command[2], reason.split(", reason: ")[-1] if reason else code.removeprefix("code "))
    )


def _no_script(spec: str, reason: str) -> str:
    return (
        f"cannot fetch {spec} ({reason}): build once with a network, which keeps it, or leave the pages' scripts to "
        "public servers: make book ARGS=--online-scripts"
    )


def _extract(archive: bytes, files: dict[str, str], target: Path) -> None:
    """Copy the named files; a name that ends in a slash stands for every file below it."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        members = {m.name.split("/", 1)[1]: m for m in tar.getmembers() if m.isfile() and "/" in m.name}
        for source, destination in files.items():
            names = [n for n in members if n.startswith(source)] if source.endswith("/") else [source]
            for name in names:
                stream = tar.extractfile(members[name])
                assert stream is not None  # getmembers() above kept ordinary files only
                path = target / (destination + name.removeprefix(source))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stream.read())
