"""The doctor: what it looks at, and that it notices what is missing."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cartpole_lab import doctor
from cartpole_lab.doctor import Check, imports, machine


@pytest.fixture(autouse=True, scope="module")
def patience() -> Iterator[None]:
    """A machine that is busy with other things is no broken one."""
    with pytest.MonkeyPatch.context() as patch:
        for room in (doctor, imports):
            patch.setattr(room, "LIMIT_S", 1800.0)
        yield


@pytest.fixture(scope="module")
def checks() -> dict[str, Check]:
    return {check.name: check for check in doctor.doctor()}


def test_looks_at_everything_that_the_lessons_need(checks: dict[str, Check]) -> None:
    wanted = {
        "Python",
        "Packages",
        "CUDA",
        "Warp kernels",
        "physics=newton_mjwarp",
        "physics=ovphysx",
        "renderer=newton_renderer",
        "ffmpeg",
        "Isaac Sim",
        "JupyterLab",
        "Browser",
    }
    assert wanted <= checks.keys()


def test_this_machine_is_healthy(checks: dict[str, Check]) -> None:
    assert doctor.healthy(checks.values()), doctor.table(checks.values())


def test_found_is_true(checks: dict[str, Check]) -> None:
    import newton
    import torch

    assert newton.__version__ in checks["physics=newton_mjwarp"].found
    assert (checks["CUDA"].status == "ok") == torch.cuda.is_available()


def test_whatever_is_missing_says_what_for_and_how_to_mend_it(checks: dict[str, Check]) -> None:
    for check in checks.values():
        if check.status != "ok":
            assert check.needed_for, check
        if check.status == "broken":
            assert check.fix, check


def test_json_holds_the_same(checks: dict[str, Check]) -> None:
    rows = json.loads(json.dumps(doctor.as_dicts(checks.values())))
    assert [row["name"] for row in rows] == list(checks)
    assert set(rows[0]) == {"name", "status", "found", "needed_for", "fix"}


def test_a_missing_and_a_wrong_package_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = machine.version_of
    monkeypatch.setattr(machine, "version_of", lambda name: {"newton": None, "warp-lang": "0.1"}.get(name, real(name)))
    [check] = machine.packages()
    assert check.status == "broken"
    assert "newton is missing" in check.found
    assert "warp-lang is 0.1, expected ==" in check.found
    assert check.fix


def test_other_versions_than_the_tested_ones_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = machine.version_of
    monkeypatch.setattr(machine, "version_of", lambda name: "1999.1" if name == "absl-py" else real(name))
    [check] = machine.locked_versions()
    assert check.status == "optional"
    assert "absl-py 1999.1" in check.found


def test_one_broken_look_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_look() -> list[Check]:
        raise OSError("libfoo.so.1: cannot open shared object file")

    monkeypatch.setattr(machine, "cuda", broken_look)
    monkeypatch.setattr(machine, "warp_cache", list)
    checks = doctor.doctor()
    broken = [check for check in checks if check.status == "broken"]
    assert len(broken) == 1 and "libfoo" in broken[0].found
    assert any(check.name == "ffmpeg" for check in checks)


def test_table_marks_what_is_broken() -> None:
    good = Check("A", "ok", "1.0")
    bad = replace(good, name="Bee", status="broken", needed_for="flying", fix="pip install wings")
    text = doctor.table([good, bad])
    assert text.splitlines()[0] == "ok  A    1.0"
    assert "NO  Bee  1.0" in text and "pip install wings" in text and "needed for: flying" in text
    assert "1 thing(s) to mend" in text
    assert not doctor.healthy([good, bad]) and doctor.healthy([good, replace(bad, status="optional")])


def test_a_look_that_hangs_is_a_line_and_not_the_end() -> None:
    over = threading.Event()

    def cuda() -> list:
        over.wait()
        return []

    [check] = doctor._within(0.1, cuda)
    over.set()
    assert check.status == "broken" and "no answer within" in check.found


def test_a_library_of_another_version_is_not_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    from cartpole_lab.doctor import features

    pytest.importorskip("skrl")
    real = features.version_of
    monkeypatch.setattr(features, "version_of", lambda name: "1.4.0" if name == "skrl" else real(name))
    found = {check.name: check for check in features.libraries()}["--rl_library skrl"]
    assert found.status == "optional" and "skrl 1.4.0, expected >=2.1" in found.found


def test_a_damaged_kernel_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import warp as wp

    (tmp_path / "wp_module_1").mkdir()
    (tmp_path / "wp_module_1" / "wp_module_1.cpu.o").write_bytes(b"\x7fELF cut")
    wp.init()
    monkeypatch.setattr(wp.config, "kernel_cache_dir", str(tmp_path))
    [check] = machine.warp_cache()
    assert check.status == "optional" and "1 of 1 modules" in check.found and "compiles them again" in check.needed_for


def test_a_package_that_raises_crashes_or_hangs_is_told_and_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Newton used to be "ok" wherever its folder lay, whatever its import did."""
    texts = {
        "good_one": "print('noise')",
        "raises": "raise OSError('libfoo.so.1: cannot open shared object file')",
        "crashes": "import os; os.abort()",
        "good_two": "import sys; sys.stdout.close()",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    hung = tmp_path / "hung"
    (tmp_path / "hangs.py").write_text(f"open({str(hung)!r}, 'w').close()\nimport threading; threading.Event().wait()")

    class OverWhenItHangs(threading.Timer):
        """Its time is over when that module hangs, however long the machine takes to get there."""

        def run(self) -> None:
            while not self.finished.wait(0.05):
                with contextlib.suppress(FileNotFoundError):
                    hung.unlink()
                    return self.function(*self.args, **self.kwargs)

    monkeypatch.setattr(threading, "Timer", OverWhenItHangs)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = imports.try_imports(["good_one", "raises", "crashes", "hangs", "good_two", "not_there"], limit_s=3)
    assert found.pop("good_one") == found.pop("good_two") == ""
    assert found.pop("raises") == "OSError: libfoo.so.1: cannot open shared object file"
    assert found.pop("hangs") == "no answer within 3 s" and "code -6" in found.pop("crashes")
    assert found == {"not_there": "ModuleNotFoundError: No module named 'not_there'"}


def test_what_is_there_and_does_not_import_is_not_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    from cartpole_lab.doctor import features

    names = {name for modules in imports.EACH.values() for name in modules}
    monkeypatch.setattr(imports, "everything", lambda: dict.fromkeys(names, "ImportError: libfoo"))
    looks = (features.physics, features.renderers, features.libraries, features.features, features.jupyter)
    status = {check.name: check.status for look in looks for check in look()}
    needed = {"physics=newton_mjwarp", "renderer=newton_renderer", "--rl_library rl_games"}
    assert {name for name, found in status.items() if found == "broken"} == needed
    assert set(status.values()) == {"broken", "optional"} and len(status) == 10
    monkeypatch.setattr(imports, "everything", lambda: {})
    assert next(iter(features.physics())).found == "missing: newton, mujoco_warp, isaaclab_newton.physics"
