"""Third-party scripts: pinned, checked, and never a surprise."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bookbuild import paths, vendor

MANIFEST = json.loads(vendor.MANIFEST.read_text(encoding="utf-8"))


def archive(**files: bytes) -> bytes:
    """An npm archive with these files, dots written as ``__``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo("package/" + name.replace("__", "."))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def integrity(data: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def test_manifest_pins_versions_and_hashes_and_names_no_address() -> None:
    for package in MANIFEST["packages"]:
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"]), package["name"]
        assert len(base64.b64decode(package["integrity"].removeprefix("sha512-"))) == 64
        assert package["files"]
    assert "://" not in vendor.MANIFEST.read_text(encoding="utf-8")


def test_changed_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = archive(lib__js=b"good()")
    entry = {"name": "lib", "version": "1.0.0", "integrity": integrity(good), "files": {"lib.js": "lib/lib.js"}}
    manifest = tmp_path / "vendor.json"
    manifest.write_text(json.dumps({"packages": [entry]}), encoding="utf-8")
    monkeypatch.setattr(vendor, "MANIFEST", manifest)
    monkeypatch.setattr(paths, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(vendor, "_npm_pack", lambda npm, spec: archive(lib__js=b"evil()"))
    monkeypatch.setattr(vendor.shutil, "which", lambda name: "/usr/bin/npm")
    with pytest.raises(vendor.IntegrityError, match=r"lib@1\.0\.0"):
        vendor.vendor_scripts()
    assert not (tmp_path / "vendor" / "lib" / "lib.js").exists()


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Neither scripts nor archives, for npm neither."""
    assert shutil.which("npm"), "npm is not installed: apt install npm"
    monkeypatch.setattr(paths, "VENDOR", tmp_path / "static" / "vendor")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(vendor, "_answered", [])
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    return tmp_path


@pytest.fixture(params=["refuses", "is silent"])
def registry(request: pytest.FixtureRequest) -> Iterator[str]:
    """A registry that refuses, or that takes a question and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if request.param == "is silent":
            server.listen(8)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def test_no_network_is_one_line_soon(empty: Path, registry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", registry)
    assert 1.3 * vendor.ANSWER_WITHIN_S < 20, "that is how long somebody waits"
    monkeypatch.setattr(vendor, "ANSWER_WITHIN_S", 2)
    limits = []
    npm = vendor._npm
    monkeypatch.setattr(vendor, "_npm", lambda *args: limits.append(args[-1]) or npm(*args))
    with pytest.raises(vendor.NoNetworkError) as refused:
        vendor.vendor_scripts()
    assert limits == [1.3 * 2], "npm was asked once, and would have been ended in time"
    line = str(refused.value)
    assert "\n" not in line and line.startswith(f"cannot fetch {MANIFEST['packages'][0]['name']}@"), line
    assert "make book ARGS=--online-scripts" in line
    assert vendor.vendor_scripts(online=True) is False


def test_a_home_that_takes_no_files_keeps_npm_from_nothing(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks the registry, and does not give up over a folder below the home."""
    monkeypatch.delenv("npm_config_cache")
    monkeypatch.setenv("HOME", "/dev/null/home")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setattr(vendor, "ANSWER_WITHIN_S", 600)  # busy is not silent
    with pytest.raises(vendor.NoNetworkError, match="ECONNREFUSED"):
        vendor.vendor_scripts()
    assert (paths.CACHE / "npm").is_dir()


def test_what_was_fetched_once_is_not_fetched_again(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = archive(lib__js=b"good()")
    entry = {"name": "lib", "version": "1.0.0", "integrity": integrity(good), "files": {"lib.js": "widgets/lib.js"}}
    manifest = empty / "vendor.json"
    manifest.write_text(json.dumps({"packages": [entry]}), encoding="utf-8")
    monkeypatch.setattr(vendor, "MANIFEST", manifest)
    asked = []
    monkeypatch.setattr(vendor, "_npm_pack", lambda npm, spec: asked.append(spec) or good)
    assert vendor.vendor_scripts() and vendor.vendor_scripts()
    shutil.rmtree(paths.VENDOR)
    monkeypatch.setattr(vendor.shutil, "which", lambda name: None)  # npm is gone by now
    assert vendor.vendor_scripts()
    assert asked == ["lib@1.0.0"] and (paths.VENDOR / "widgets" / "lib.js").read_bytes() == b"good()"
    [kept] = (empty / "cache" / "vendor").glob("*.tgz")
    kept.write_bytes(kept.read_bytes() + b"x")
    shutil.rmtree(paths.VENDOR)
    monkeypatch.undo()
    monkeypatch.setattr(paths, "VENDOR", empty / "static" / "vendor")
    monkeypatch.setattr(paths, "CACHE", empty / "cache")
    monkeypatch.setattr(vendor, "MANIFEST", manifest)
    monkeypatch.setattr(vendor, "_npm_pack", lambda npm, spec: asked.append(spec) or good)
    assert vendor.vendor_scripts() and len(asked) == 2, "an archive that was damaged is fetched again"


def test_the_second_build_needs_no_network(html: Path) -> None:
    """The book of these tests once more, with no network but this machine's where the system can do that."""
    command = [sys.executable, str(paths.BOOK / "build.py"), "--test"]
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0:
        command = ["unshare", "-n", *command]
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    nowhere |= {"npm_config_registry": "http://127.0.0.1:9/", "CARTPOLE_BOOK_OUTPUT": str(html.parents[1])}
    done = subprocess.run(command, env={**os.environ, **nowhere}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "fetching" not in done.stdout and done.stdout.count(": unchanged") == len(paths.lesson_paths())


def test_without_npm_the_build_says_that_pages_need_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "VENDOR", tmp_path / "static" / "vendor")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(vendor.shutil, "which", lambda name: None)
    assert vendor.vendor_scripts() is False
    assert "npm is missing" in capsys.readouterr().out


def test_fetched_scripts_are_all_there(html: Path) -> None:
    static = html / "_static" / "vendor"
    for package in MANIFEST["packages"]:
        for target in package["files"].values():
            found = list((static / target).glob("*")) if target.endswith("/") else [static / target]
            assert found and all(path.stat().st_size > 500 for path in found), target
    assert (html / "_static" / "widgets.js").stat().st_size < 6_000, "the widgets' host is to stay a small one"
