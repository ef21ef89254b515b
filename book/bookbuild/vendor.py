"""Bring the third-party scripts that the pages use: pinned npm packages, their hashes checked, only the files needed.

Nothing of it is committed. ``vendor.json`` names each package, its version and the hash of its archive, in the form in
which npm itself writes it. Without npm the pages link the usual public servers, and the build says so.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from . import paths

MANIFEST = Path(__file__).with_name("vendor.json")
_STAMP = "fetched.txt"


class IntegrityError(RuntimeError):
    """A package's archive isn't the one that was pinned."""


def vendor_scripts() -> bool:
    """Fill ``_build/vendor`` unless it already holds what the manifest asks for.

    Returns:
        True when the scripts are there; False when npm is missing, in which case the pages have to link public servers.

    Raises:
        IntegrityError: An archive has another hash than the pinned one.
        RuntimeError: npm could not deliver a package; its own words are in the message.
    """
    digest = hashlib.sha256(MANIFEST.read_bytes() + _anywidget_script().read_bytes()).hexdigest()
    stamp = paths.VENDOR / _STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return True
    npm = shutil.which("npm")
    if npm is None:
        print(
            "npm is missing (it comes with Node.js): the pages will load MathJax, mermaid and the widget scripts from"
        )
        print(
            "public servers, so they need a network to read. Install Node.js and build again to make them stand alone."
        )
        shutil.rmtree(paths.VENDOR, ignore_errors=True)
        return False
    shutil.rmtree(paths.VENDOR, ignore_errors=True)
    for package in json.loads(MANIFEST.read_text(encoding="utf-8"))["packages"]:
        spec = f"{package['name']}@{package['version']}"
        print(f"fetching {spec}", flush=True)
        archive = _npm_pack(npm, spec)
        check_integrity(spec, archive, package["integrity"])
        _extract(archive, package["files"], paths.VENDOR)
    target = paths.VENDOR / "widgets" / "anywidget.js"
    shutil.copyfile(_anywidget_script(), target)
    stamp.write_text(digest, encoding="utf-8")
    return True


def check_integrity(spec: str, archive: bytes, expected: str) -> None:
    """Compare an archive with its pinned hash, written ``sha512-<base64>``.

    Raises:
        IntegrityError: They differ.
    """
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode("ascii")
    if found != expected:
        raise IntegrityError(f"{spec} has the hash {found}, expected {expected}: not using it")


def _npm_pack(npm: str, spec: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", spec, "--pack-destination", folder, "--ignore-scripts", "--silent"]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        archives = list(Path(folder).glob("*.tgz"))
        if result.returncode or len(archives) != 1:
            raise RuntimeError(f"'npm pack {spec}' failed: {(result.stderr or result.stdout).strip()}")
        return archives[0].read_bytes()


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


def _anywidget_script() -> Path:
    """The browser side of anywidget, from the installed package, so that it fits the Python side."""
    spec = importlib.util.find_spec("anywidget")
    if spec is None or spec.origin is None:
        raise RuntimeError("anywidget is not installed; 'make book' installs it")
    return Path(spec.origin).parent / "nbextension" / "index.js"
