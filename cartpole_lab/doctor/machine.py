"""What the machine is: Python, processor, packages and their versions, GPU, compiled kernels."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cartpole_lab.doctor.check import INSTALL, Check, version_of
from cartpole_lab.session import kernel_cache
from cartpole_lab.session.surroundings import cores, left_out


def python() -> Iterable[Check]:
    version = platform.python_version()
    good = sys.version_info[:2] == (3, 12)
    yield Check(
        "Python",
        "ok" if good else "broken",
        f"{version} at {sys.executable}",
        "everything: Isaac Lab 3.0 is built for Python 3.12",
        "" if good else "install Python 3.12 and make the environment with it, as README.md shows",
    )


def machine() -> Iterable[Check]:
    found = f"{platform.system()} {platform.machine()}, {cores()} CPU core(s) for this process"
    name, libc = platform.libc_ver() if sys.platform == "linux" else ("", "")
    if sys.platform == "darwin":
        fix = "use a Linux machine: omniverseclient, which Isaac Lab 3.0.0 needs, has no wheel for macOS"
    elif sys.platform == "linux" and (name != "glibc" or tuple(map(int, libc.split(".")[:2])) < (2, 35)):
        fix = "use a Linux with glibc 2.35 or newer, such as Ubuntu 22.04"
    else:
        fix = ""
    found += f", {name} {libc}" if name else ""
    yield Check("Machine", "broken" if fix else "ok", found, "everything: Isaac Lab's own packages", fix)


def surroundings() -> Iterable[Check]:
    """What other Pythons on this machine have put in this one's way; it was left out when this process began."""
    for entry, why in left_out.items():
        yield Check(
            "Other Python",
            "optional",
            f"{entry}: {why}; left out here",
            "nothing; outside this command it gets in the way of every program of this environment",
            "unset PYTHONPATH; export PYTHONNOUSERSITE=1",
        )


def requirements(extra: str = "") -> list[Any]:
    """What the package asks for on this platform, without its extras or with one of them."""
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires("cartpole-lab") or []
    except importlib.metadata.PackageNotFoundError:
        import tomllib

        file = Path(__file__).parents[2] / "pyproject.toml"
        lines = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["dependencies"]
    wanted = [Requirement(line) for line in lines]
    return [item for item in wanted if item.marker is None or item.marker.evaluate({"extra": extra})]


def packages() -> Iterable[Check]:
    problems, count = [], 0
    for item in requirements():
        count += 1
        have = version_of(item.name)
        if have is None:
            problems.append(f"{item.name} is missing")
        elif not item.specifier.contains(have, prereleases=True):
            problems.append(f"{item.name} is {have}, expected {item.specifier}")
    found = "; ".join(problems) if problems else f"all {count} there, isaaclab {version_of('isaaclab')}"
    yield Check("Packages", "broken" if problems else "ok", found, "everything", INSTALL if problems else "")


def locked_versions() -> Iterable[Check]:
    lock = Path(__file__).parents[2] / "requirements.lock"
    if not lock.is_file():
        return
    locked = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
    differ = [
        f"{name} {have} (tested: {version})"
        for name, version in locked.items()
        if (have := version_of(name)) is not None and have != version
    ]
    found = f"as tested: {len(locked)} packages in requirements.lock"
    if differ:
        found = f"{len(differ)} differ: " + ", ".join(differ[:5]) + (", …" if len(differ) > 5 else "")
    yield Check(
        "Versions", "optional" if differ else "ok", found, "the same numbers as in the book", INSTALL if differ else ""
    )


def cuda() -> Iterable[Check]:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        yield Check("CUDA", "ok", f"{', '.join(names)}; PyTorch {torch.__version__}")
        return
    why = "no NVIDIA driver found" if shutil.which("nvidia-smi") is None else "a driver is there, PyTorch cannot use it"
    if torch.version.cuda is None:
        why = f"PyTorch {torch.__version__} is built without CUDA"
    yield Check("CUDA", "optional", f"none ({why})", "training on a GPU; every lesson also runs on the CPU")


def _writable(folder: Path) -> bool:
    """Whether a file can be made in a folder, found out by making one: a full disk and a root user are seen too."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
    except OSError:
        return False
    return True


def warp_cache() -> Iterable[Check]:
    import warp as wp

    wp.config.quiet = True
    wp.init()
    folder = Path(wp.config.kernel_cache_dir)
    compiled = sum(1 for _ in folder.glob("wp_*")) if folder.is_dir() else 0
    if damaged := sorted(kernel_cache.look(folder)):
        yield Check(
            "Warp kernels",
            "optional",
            f"{len(damaged)} of {compiled} modules in {folder} are damaged, such as {damaged[0][:60]}",
            "nothing: the next run removes them and compiles them again, which takes some seconds",
        )
    elif compiled and _writable(folder):
        yield Check("Warp kernels", "ok", f"{compiled} modules compiled in {folder}")
    elif not _writable(next(path for path in (folder, *folder.parents) if path.is_dir())):
        yield Check(
            "Warp kernels",
            "broken",
            f"{folder} cannot be written",
            "the simulation, which compiles its code there",
            "set WARP_CACHE_PATH to a folder of yours",
        )
    else:
        yield Check("Warp kernels", "ok", f"none compiled yet in {folder}: the first run takes some 15 s longer")
