"""Third-party scripts: pinned, checked, and never a surprise."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tarfile
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


def test_without_npm_the_build_says_that_pages_need_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(vendor.shutil, "which", lambda name: None)
    assert vendor.vendor_scripts() is False
    assert "npm is missing" in capsys.readouterr().out


def test_fetched_scripts_are_all_there(html: Path) -> None:
    static = html / "_static" / "vendor"
    for package in MANIFEST["packages"]:
        for target in package["files"].values():
            found = list((static / target).glob("*")) if target.endswith("/") else [static / target]
            assert found and all(path.stat().st_size > 500 for path in found), target
    assert (static / "widgets" / "anywidget.js").is_file()
