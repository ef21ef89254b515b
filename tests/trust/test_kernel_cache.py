"""A damaged cache of compiled kernels, and a disk that takes none: named, mended, and the numbers are the same."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import warp as wp
from breaking import on_a_small_disk, own_mounts, run

from cartpole_lab.errors import UserError
from cartpole_lab.session import kernel_cache

STEPS = """
import torch
from cartpole_lab import make_env
env = make_env(num_envs=4, device="cpu", seed=3)
env.reset(seed=3)
for step in range(3):
    obs = env.step(torch.ones(4, 1))[0]["policy"]
print("state", obs.flatten().tolist())
from warp._src.context import user_modules
print("used", *(m.get_module_identifier(1) for m in user_modules.values() if any(dim == 1 for _, dim in m.execs)))
"""
Cache = tuple[Path, str, list[str]]


def state(out: str) -> str:
    return next(line for line in out.splitlines() if line.startswith("state"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """A copy of those of the user's compiled kernels that a few steps load, what these give, and the modules' names.

    The others are left out: where the package has been changed again and again, there may be any number of them.
    """
    usual = kernel_cache.ready(print)
    done = run([sys.executable, "-c", STEPS])
    assert done.returncode == 0 and "damaged" not in done.stderr, done.stderr
    used = next(line for line in done.stdout.splitlines() if line.startswith("used")).split()[1:]
    names = [name for name in used if (usual / name).is_dir()]
    folder = tmp_path_factory.mktemp("cache") / wp.config.version
    for name in names:
        shutil.copytree(usual / name, folder / name)
    for note in usual.glob("*.done"):
        shutil.copy2(note, folder)
    kernel_cache.seal(folder)
    return folder, state(done.stdout), names


def damage(folder: Path, modules: list[str]) -> list[str]:
    """Damage modules in all ways that were seen, small ones, and return their names."""
    objects = [next((folder / module).glob("*.o")) for module in modules]
    cut, emptied, overwritten, zeros, turned, no_json = sorted(objects, key=lambda path: path.stat().st_size)[:6]
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    emptied.write_bytes(b"")
    overwritten.write_bytes(b"\x7fELF\x02 garbage" * 500)
    zeros.write_bytes(bytes(zeros.stat().st_size))
    data = bytearray(turned.read_bytes())  # as long and as well-formed as before, and other code
    data[200] ^= 0xFF
    turned.write_bytes(data)
    next(no_json.parent.glob("*.meta")).write_text('{"a": ')
    return sorted(path.parent.name for path in (cut, emptied, overwritten, zeros, turned, no_json))


def test_damaged_kernels_are_named_removed_and_compiled_again(cache: Cache, tmp_path: Path) -> None:
    """In a copy of the folder too: what is known about the objects goes with them."""
    folder, expected, modules = cache
    copy = tmp_path / "copied" / folder.name
    shutil.copytree(folder, copy)
    assert sorted(kernel_cache.look(copy)) == []
    damaged = damage(copy, modules)
    assert sorted(kernel_cache.look(copy)) == damaged
    done = run([sys.executable, "-c", STEPS], WARP_CACHE_PATH=str(copy.parent))
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "damaged" in line]
    assert "6 modules" in line and str(copy) in line and "compiled again" in line
    assert state(done.stdout) == expected
    assert sorted(kernel_cache.look(copy)) == [] and all((copy / name).is_dir() for name in damaged)
    assert set(damaged) <= set(json.loads((copy / kernel_cache.SUMS).read_text()))


def test_a_disk_without_room_for_kernels_is_said_and_another_place_is_taken(cache: Cache, tmp_path: Path) -> None:
    assert own_mounts(), "this test needs `unshare` and `mount`: apt-get install util-linux"
    disk = tmp_path / "small"
    first = f"mkdir -p {wp.config.version}; cp -r {cache[0]}/wp_* {cache[0]}/*.done {wp.config.version}/"
    done = on_a_small_disk([sys.executable, "-c", STEPS], disk, "60m", first=first, WARP_CACHE_PATH=str(disk))
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "takes no compiled kernels" in line]
    assert len(said) == 1 and "MB free" in said[0] and "WARP_CACHE_PATH" in said[0]
    assert state(done.stdout) == cache[1]
    place = Path(said[0].partition("keeps them in ")[2].partition(";")[0])
    assert "cartpole-lab-kernels" in place.name and not place.exists(), "the place is left behind"


def test_no_room_anywhere_is_one_line(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_cache, "NEEDED", 2**60)
    monkeypatch.setattr(kernel_cache, "_checked", {cache[0]})
    with pytest.raises(UserError, match=r"takes no compiled kernels .*MB free.*WARP_CACHE_PATH"):
        kernel_cache.ready(print)


def test_what_warp_itself_says_of_a_bad_object_is_put_in_a_line() -> None:
    assert "WARP_CACHE_PATH" in str(kernel_cache.explain(Exception("Failed to load CPU module 'x' (device='cpu')")))
    assert kernel_cache.explain(ValueError("anything else")) is None


def test_sums_that_are_damaged_themselves_are_no_sums(cache: Cache, tmp_path: Path) -> None:
    copy = tmp_path / "copied"
    shutil.copytree(cache[0], copy)
    for text in ("", "[1, 2]", '{"wp_x": 3}', '{"wp_x": {"a.o": "b"}}', "\x00"):
        (copy / kernel_cache.SUMS).write_text(text)
        assert list(kernel_cache.look(copy)) == []
    kernel_cache.seal(copy)
    assert json.loads((copy / kernel_cache.SUMS).read_text())
