"""What this machine can run, and why not: one line a thing, with the command that mends it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from cartpole_lab import shortcuts
from cartpole_lab.session.held_output import quietly

Status = Literal["ok", "optional", "broken"]
"""Works; is missing but only some things need it; must be mended."""

_MARKS = {"ok": "ok", "optional": "-", "broken": "NO"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at, such as ``"CUDA"``.
        status: ``"ok"``, ``"optional"`` (missing, but only what ``needed_for`` names needs it) or ``"broken"``.
        found: What is there: a version, a path, a number.
        needed_for: What does not work without it.
        fix: The command or step that mends it; empty where nothing is to be mended.
    """

    name: str
    status: Status
    found: str
    needed_for: str = ""
    fix: str = ""


def doctor() -> list[Check]:
    """Look at everything that the lessons may need. Starts no simulator and asks no server; takes a few seconds."""
    looks: list[Callable[[], Iterable[Check]]] = [
        _python,
        _machine,
        _surroundings,
        _packages,
        _locked_versions,
        _cuda,
        _warp_cache,
        _physics,
        _renderers,
        _shortcuts,
        _libraries,
        _features,
        _video,
        _isaac_sim,
        _jupyter,
        _browser,
    ]
    checks: list[Check] = []
    with quietly():  # a missing driver is a line of the table, not a warning before it
        for look in looks:
            try:
                checks += look()
            except Exception as error:  # a broken package must not hide the other lines
                name = look.__name__.strip("_").replace("_", " ")
                checks.append(Check(name, "broken", f"{type(error).__name__}: {error}"[:200], fix=_INSTALL))
    return checks


def healthy(checks: Iterable[Check]) -> bool:
    """True where nothing is broken; optional things may be missing."""
    return all(check.status != "broken" for check in checks)


def as_dicts(checks: Iterable[Check]) -> list[dict[str, str]]:
    """The checks as plain dictionaries, for JSON."""
    return [asdict(check) for check in checks]


def table(checks: Iterable[Check]) -> str:
    """The checks as aligned text, each missing thing followed by what needs it and how to mend it."""
    checks = list(checks)
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{_MARKS[check.status]:<3} {check.name:<{width}}  {check.found}")
        pad = " " * (width + 6)
        if check.status != "ok" and check.needed_for:
            lines.append(f"{pad}needed for: {check.needed_for}")
        if check.fix:
            lines.append(f"{pad}{check.fix}")
    broken = sum(check.status == "broken" for check in checks)
    lines += ["", "All that is needed is here." if not broken else f"{broken} thing(s) to mend, marked NO."]
    return "\n".join(lines)


_INSTALL = "pip install -r requirements.lock   (or: make train, which sets everything up)"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _has(module: str) -> bool:
    """Whether a module could be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


##
# The checks, in the order of the table
##


def _python() -> Iterable[Check]:
    version = platform.python_version()
    good = sys.version_info[:2] == (3, 12)
    yield Check(
        "Python",
        "ok" if good else "broken",
        f"{version} at {sys.executable}",
        "everything: Isaac Lab 3.0 is built for Python 3.12",
        "" if good else "install Python 3.12 and make the environment with it, as README.md shows",
    )


def _machine() -> Iterable[Check]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = f"{platform.system()} {platform.machine()}, {cores} CPU core(s) for this process"
    name, libc = platform.libc_ver() if sys.platform == "linux" else ("", "")
    if sys.platform == "darwin":
        fix = "use a Linux machine: omniverseclient, which Isaac Lab 3.0.0 needs, has no wheel for macOS"
    elif sys.platform == "linux" and (name != "glibc" or tuple(map(int, libc.split(".")[:2])) < (2, 35)):
        fix = "use a Linux with glibc 2.35 or newer, such as Ubuntu 22.04"
    else:
        fix = ""
    found += f", {name} {libc}" if name else ""
    yield Check("Machine", "broken" if fix else "ok", found, "everything: Isaac Lab's own packages", fix)


def _surroundings() -> Iterable[Check]:
    """What other Pythons on this machine have put in this one's way; it was left out when this process began."""
    from cartpole_lab.session.surroundings import left_out

    for entry, why in left_out.items():
        yield Check(
            "Other Python",
            "optional",
            f"{entry}: {why}; left out here",
            "nothing; outside this command it gets in the way of every program of this environment",
            "unset PYTHONPATH; export PYTHONNOUSERSITE=1",
        )


def _requirements() -> list[Any]:
    """What the package asks for on this platform, without its extras."""
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires("cartpole-lab") or []
    except importlib.metadata.PackageNotFoundError:
        import tomllib

        file = Path(__file__).parents[1] / "pyproject.toml"
        lines = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["dependencies"]
    wanted = [Requirement(line) for line in lines]
    return [item for item in wanted if item.marker is None or item.marker.evaluate({"extra": ""})]


def _packages() -> Iterable[Check]:
    problems, count = [], 0
    for item in _requirements():
        count += 1
        have = _version(item.name)
        if have is None:
            problems.append(f"{item.name} is missing")
        elif not item.specifier.contains(have, prereleases=True):
            problems.append(f"{item.name} is {have}, expected {item.specifier}")
    found = "; ".join(problems) if problems else f"all {count} there, isaaclab {_version('isaaclab')}"
    yield Check("Packages", "broken" if problems else "ok", found, "everything", _INSTALL if problems else "")


def _locked_versions() -> Iterable[Check]:
    lock = Path(__file__).parents[1] / "requirements.lock"
    if not lock.is_file():
        return
    locked = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
    differ = [
        f"{name} {have} (tested: {version})"
        for name, version in locked.items()
        if (have := _version(name)) is not None and have != version
    ]
    found = f"as tested: {len(locked)} packages in requirements.lock"
    if differ:
        found = f"{len(differ)} differ: " + ", ".join(differ[:5]) + (", …" if len(differ) > 5 else "")
    yield Check(
        "Versions", "optional" if differ else "ok", found, "the same numbers as in the book", _INSTALL if differ else ""
    )


def _cuda() -> Iterable[Check]:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        yield Check("CUDA", "ok", f"{', '.join(names)}; PyTorch {torch.__version__}")
        return
    why = "no NVIDIA driver found" if shutil.which("nvidia-smi") is None else "a driver is there, PyTorch cannot use it"
    if torch.version.cuda is None:
        why = f"PyTorch {torch.__version__} is built without CUDA"
    yield Check("CUDA", "optional", f"none ({why})", "training on a GPU; every lesson also runs on the CPU")


def _warp_cache() -> Iterable[Check]:
    import warp as wp

    wp.config.quiet = True
    wp.init()
    folder = Path(wp.config.kernel_cache_dir)
    compiled = sum(1 for _ in folder.glob("wp_*")) if folder.is_dir() else 0
    if compiled and os.access(folder, os.W_OK):
        yield Check("Warp kernels", "ok", f"{compiled} modules compiled in {folder}")
    elif not os.access(folder if folder.is_dir() else folder.parent, os.W_OK):
        yield Check(
            "Warp kernels",
            "broken",
            f"{folder} cannot be written",
            "the simulation, which compiles its code there",
            "set WARP_CACHE_PATH to a folder of yours",
        )
    else:
        yield Check("Warp kernels", "ok", f"none compiled yet in {folder}: the first run takes some 15 s longer")


def _physics() -> Iterable[Check]:
    missing = [name for name in ("newton", "mujoco_warp", "isaaclab_newton") if not _has(name)]
    yield Check(
        "physics=newton_mjwarp",
        "broken" if missing else "ok",
        f"missing: {', '.join(missing)}" if missing else f"newton {_version('newton')}, CPU and CUDA",
        "every lesson: this is the default",
        _INSTALL if missing else "",
    )
    missing = [name for name in ("ovphysx", "isaaclab_ov") if not _has(name)]
    found = f"ovphysx {_version('ovphysx')}" if not missing else f"missing: {', '.join(missing)}"
    fix = 'pip install "isaaclab[ovphysx]==3.0.0"' if missing and sys.platform != "darwin" else ""
    yield Check("physics=ovphysx", "optional" if missing else "ok", found, "the lesson's comparison with PhysX", fix)


def _renderers() -> Iterable[Check]:
    good = _has("isaaclab_newton.renderers")
    yield Check(
        "renderer=newton_renderer",
        "ok" if good else "broken",
        "Newton Warp, CPU and CUDA" if good else "missing",
        "videos and the camera tasks",
        "" if good else _INSTALL,
    )


def _shortcuts() -> Iterable[Check]:
    states = shortcuts.states()
    left_out = [f"{name}: {state}" for name, state, _ in states if state not in ("on", "off")]
    off = [name for name, state, _ in states if state == "off"]
    parts = [f"{len(states) - len(off) - len(left_out)} of {len(states)} on", *left_out]
    parts += [f"switched off: {', '.join(off)}"] * bool(off)
    yield Check(
        "Shortcuts",
        "optional" if left_out or not states else "ok",
        "; ".join(parts) if states else "the folder speed was removed",
        "speed; no number depends on them",
        f"install the versions of requirements.lock, or silence it with {shortcuts.SWITCH}=off" if left_out else "",
    )


def _libraries() -> Iterable[Check]:
    from cartpole_lab.training.libraries import LIBRARIES

    modules = {"sb3": "stable_baselines3"}
    for library, package in LIBRARIES.items():
        good = _has(modules.get(library, library))
        required = library == "rl_games"
        yield Check(
            f"--rl_library {library}",
            "ok" if good else "broken" if required else "optional",
            f"{package} {_version(package)}" if good else "not installed",
            "every lesson" if required else f"training with {package}",
            "" if good else _INSTALL if required else "pip install 'cartpole-lab[libraries]'",
        )


def _features() -> Iterable[Check]:
    for task, package in (("ResNet18", "torchvision"), ("TheiaTiny", "transformers")):
        good = _has(package)
        yield Check(
            f"{task} features",
            "ok" if good else "optional",
            f"{package} {_version(package)}" if good else f"{package} is not installed",
            f"Isaac-Cartpole-RGB-{task}-v0",
            "" if good else f"pip install {package}",
        )


def _video() -> Iterable[Check]:
    import imageio_ffmpeg

    try:
        found = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        yield Check("ffmpeg", "broken", str(error)[:120], "videos", "pip install --force-reinstall imageio-ffmpeg")
        return
    yield Check("ffmpeg", "ok", f"{imageio_ffmpeg.get_ffmpeg_version()} at {found}")


def _isaac_sim() -> Iterable[Check]:
    from cartpole_lab import jupyter_kernel as kernel

    good = _has("isaacsim")
    yield Check(
        "Isaac Sim",
        "ok" if good else "optional",
        f"isaacsim {_version('isaacsim')}" if good else "not installed",
        "physics=isaacsim_physx, renderer=isaacsim_rtx and the Isaac Sim kernel; needs an RTX GPU",
        "" if good else kernel.isaacsim_command(),
    )


def _jupyter() -> Iterable[Check]:
    if not (_has("jupyterlab") and _has("ipykernel")):
        yield Check("JupyterLab", "optional", "not installed", "stepping through the notebooks", _INSTALL)
        return
    from jupyter_client.kernelspec import KernelSpecManager

    from cartpole_lab import jupyter_kernel as kernel

    names = sorted(KernelSpecManager().find_kernel_specs())
    yield Check("JupyterLab", "ok", f"{_version('jupyterlab')}; kernels: {', '.join(names) or 'none'}")
    if kernel.KERNEL_NAME not in names:
        yield Check(
            "Isaac Sim kernel",
            "optional",
            "not installed",
            "the notebooks inside Isaac Sim",
            kernel.INSTALL_COMMAND,
        )
    else:
        yield Check("Isaac Sim kernel", "ok", kernel.KERNEL_NAME)


def _browser() -> Iterable[Check]:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge", "firefox")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None and sys.platform in ("win32", "darwin"):
        yield Check("Browser", "ok", "the system's own")
        return
    yield Check(
        "Browser",
        "ok" if found else "optional",
        found or "none on PATH",
        "JupyterLab, the book, and its browser tests",
        "" if found else "install one, such as the package chromium",
    )
