"""Warp's compiled kernels on disk: whole and as they were compiled, or compiled again.

Warp loads what it finds. An object that a full disk has cut or a bad copy has changed ends every later run, or the
process; a disk that fills up while a kernel is compiled ends the compiler without a word. So the cache is looked at
before the first kernel is loaded: against the sums of what was compiled, kept in :data:`SUMS` beside it, and against
the layout of such files. What is damaged is removed, and compiled anew when it is needed.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import shutil
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from cartpole_lab.errors import UserError
from cartpole_lab.files import write_whole

SUMS = "cartpole_lab_sums.json"
"""File beside the modules: size, CRC-32 and moment of every object, by module and name."""
NEEDED = 64 * 2**20
"""Bytes that have to be free: what all kernels of a training take, four times over."""
LOOKED_AT = (".o", ".cubin", ".ptx", ".meta")
_UNFINISHED = re.compile(r"_p\d+_t\d+$")  # where Warp builds, until it gives a module its name
_checked: set[Path] = set()

Say = Callable[[str], None]


def ready(say: Say) -> Path:
    """See that kernels can be loaded and compiled; the first time in a process, and before any is loaded.

    Args:
        say: Takes a line where something had to be mended.

    Returns:
        The folder of the compiled kernels, which is another one where the usual one takes no files.

    Raises:
        UserError: No folder takes what has to be compiled.
    """
    import warp as wp

    wp.init()
    folder = Path(wp.config.kernel_cache_dir)
    if folder in _checked:
        return folder
    damaged = sorted(look(folder))
    try:
        _takes_files(folder)
        remove(folder, damaged)
        if damaged:
            say(f"{_named(folder, damaged)} damaged: removed, and compiled again where needed")
    except OSError as error:
        folder = _elsewhere(folder, damaged, error, say)
        wp.config.kernel_cache_dir = str(folder)
    if not _checked:
        atexit.register(_seal_all)
    _checked.add(folder)
    return folder


def look(folder: Path) -> Iterator[str]:
    """Modules of a cache that hold a damaged file, by the names of their folders."""
    sums = _sums(folder)
    for module, files in _modules(folder):
        for file in files:
            try:
                data = _bytes(file)
            except OSError:  # another process has just replaced it
                continue
            noted = sums.get(module, {}).get(file.name)  # what was noted was whole then
            if (noted[:2] != _sum(data)) if noted else not whole(file.name, data):
                yield module
                break


def whole(name: str, data: bytes) -> bool:
    """Whether the bytes of a file can be what its name says: a cut or overwritten one cannot."""
    if name.endswith(".meta"):
        try:
            return isinstance(json.loads(data), dict)
        except ValueError:
            return False
    if name.endswith(".ptx") or sys.platform != "linux":
        return bool(data)
    if len(data) < 64 or data[:5] != b"\x7fELF\x02":
        return False
    (start,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    return start >= 64 and start + size * count <= len(data)  # the table of sections, which a compiler writes last


def seal(folder: Path) -> None:
    """Note the sums of what has been compiled since; what cannot be written is left."""
    sums, known = _sums(folder), {}
    for module, files in _modules(folder):
        known[module] = dict(sums.get(module, {}))
        for file in files:
            with contextlib.suppress(OSError):
                size, moment = file.stat().st_size, file.stat().st_mtime_ns
                if known[module].get(file.name, [None] * 3)[0::2] == [size, moment]:
                    continue
                data = _bytes(file)
                if whole(file.name, data):
                    known[module][file.name] = [*_sum(data), moment]
    if known != sums:
        with contextlib.suppress(OSError):
            write_whole(folder / SUMS, json.dumps(known))


def remove(folder: Path, modules: list[str]) -> None:
    """Remove modules, and the note that everything has been compiled.

    Raises:
        OSError: One cannot be removed.
    """
    for module in modules:
        shutil.rmtree(folder / module)
    sums = _sums(folder)
    if any(sums.pop(module, None) for module in modules):
        write_whole(folder / SUMS, json.dumps(sums))


def explain(error: BaseException) -> str | None:
    """What to do about an error of Warp's that comes from its cache, None for any other error."""
    text = str(error)
    if not re.match(r"Failed to load (CPU|CUDA) module|C(PU|UDA) kernel build failed", text):
        return None
    import warp as wp

    folder = wp.config.kernel_cache_dir
    return (
        f"{text.splitlines()[0][:120]}: the compiled kernels in {folder} are damaged, or its disk is full; remove that "
        "folder, or name another with WARP_CACHE_PATH, and run the command again"
    )


def _seal_all() -> None:
    for folder in _checked:
        seal(folder)


def _modules(folder: Path) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
    """Name of each module's folder, and the files of it that are looked at."""
    try:
        entries = [entry for entry in os.scandir(folder) if entry.name.startswith("wp_")]
    except OSError:
        return
    for entry in entries:
        with contextlib.suppress(OSError):
            if not _UNFINISHED.search(entry.name) and entry.is_dir():
                yield entry.name, [file for file in os.scandir(entry.path) if file.name.endswith(LOOKED_AT)]


def _bytes(file: os.DirEntry[str]) -> bytes:
    with open(file.path, "rb", buffering=0) as whole_file:
        return whole_file.readall()


def _sum(data: bytes) -> list[int]:
    return [len(data), zlib.crc32(data)]


def _sums(folder: Path) -> dict[str, dict[str, list[int]]]:
    """What was noted; nothing where that file is damaged itself."""
    try:
        noted = json.loads((folder / SUMS).read_bytes())
        return {str(module): {name: [int(n) for n in sums] for name, sums in m.items()} for module, m in noted.items()}
    except (AttributeError, OSError, TypeError, ValueError):
        return {}


def _takes_files(folder: Path) -> None:
    """Raise OSError where a folder takes no files, or has no room for what may have to be compiled."""
    folder.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(folder).free) < NEEDED:
        raise OSError(f"{free / 2**20:.0f} MB free")
    with tempfile.TemporaryFile(dir=folder) as file:  # a quota, or a limit of the shell's
        file.write(bytes(2**18))
        file.flush()


def _elsewhere(folder: Path, damaged: list[str], error: OSError, say: Say) -> Path:
    """A cache in another place, with what is whole of the usual one."""
    why = f"{folder} takes no compiled kernels ({error.strerror or error})"
    for root in (tempfile.gettempdir(), "/dev/shm", "/var/tmp"):
        try:
            if shutil.disk_usage(root).free < 2 * NEEDED:
                continue
            place = Path(tempfile.mkdtemp(prefix="cartpole-lab-kernels-", dir=root))
        except OSError:
            continue
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        for module, _ in _modules(folder):
            if module not in damaged:
                with contextlib.suppress(OSError, shutil.Error):
                    shutil.copytree(folder / module, place / module)
        for done in folder.glob("*.done") if not damaged else ():
            (place / done.name).touch()
        say(f"{why}: this run keeps them in {place}; WARP_CACHE_PATH names a place that stays")
        return place
    raise UserError(f"{why}, expected {NEEDED // 2**20} MB: free some, or name another folder with WARP_CACHE_PATH")


def _named(folder: Path, modules: list[str]) -> str:
    first, more = modules[0][:60], ", …" * (len(modules) > 1)
    return f"compiled kernels: {len(modules)} module{'s' * (len(modules) > 1)} in {folder} ({first}{more})"
