"""What works on the machine: physics, renderers, shortcuts, libraries, films, Isaac Sim, notebooks."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from cartpole_lab import shortcuts as switches
from cartpole_lab.doctor import imports
from cartpole_lab.doctor.check import INSTALL, Check, Status, version_of
from cartpole_lab.doctor.machine import requirements


def packages_import() -> Iterable[Check]:
    """Import everything once; what came of it stands in the lines of what needs it."""
    imports.everything()
    return ()


def _import(thing: str, name: str, found: str, needed: str, fix: str, *, optional: bool = True) -> Check:
    """The line of what works where a thing of :data:`imports.EACH` imports."""
    wrong = imports.why_not(thing)
    missing: Status = "optional" if optional else "broken"
    return Check(name, missing if wrong else "ok", wrong or found, needed, fix if wrong else "")


def physics() -> Iterable[Check]:
    found, needed = f"newton {version_of('newton')}, CPU and CUDA", "every lesson: this is the default"
    yield _import("newton", "physics=newton_mjwarp", found, needed, INSTALL, optional=False)
    fix = 'pip install "isaaclab[ovphysx]==3.0.0"' if sys.platform != "darwin" else ""
    found = f"ovphysx {version_of('ovphysx')}"
    yield _import("ovphysx", "physics=ovphysx", found, "the lesson's comparison with PhysX", fix)


def renderers() -> Iterable[Check]:
    found, needed = "Newton Warp, CPU and CUDA", "videos and the camera tasks"
    yield _import("newton_renderer", "renderer=newton_renderer", found, needed, INSTALL, optional=False)


def shortcuts() -> Iterable[Check]:
    states = switches.states()
    left_out = [f"{name}: {state}" for name, state, _ in states if state not in ("on", "off")]
    off = [name for name, state, _ in states if state == "off"]
    parts = [f"{len(states) - len(off) - len(left_out)} of {len(states)} on", *left_out]
    parts += [f"switched off: {', '.join(off)}"] * bool(off)
    yield Check(
        "Shortcuts",
        "optional" if left_out or not states else "ok",
        "; ".join(parts) if states else "the folder speed was removed",
        "speed; no number depends on them",
        f"install the versions of requirements.lock, or silence it with {switches.SWITCH}=off" if left_out else "",
    )


def libraries() -> Iterable[Check]:
    from cartpole_lab.training.libraries import LIBRARIES

    wanted = {item.name: item.specifier for item in requirements("libraries")}
    for library, package in LIBRARIES.items():
        have, wrong = version_of(package), imports.why_not(library)
        required, found = library == "rl_games", f"{package} {have}" if have else "not installed"
        if have and wrong:
            found += f" does not import: {wrong}"
        elif have and package in wanted and not wanted[package].contains(have, prereleases=True):
            found, wrong = f"{found}, expected {wanted[package]}", "another version"
        good = not wrong
        yield Check(
            f"--rl_library {library}",
            "ok" if good else "broken" if required else "optional",
            found,
            "every lesson" if required else f"training with {package}",
            "" if good else INSTALL if required else "pip install 'cartpole-lab[libraries]'",
        )


def features() -> Iterable[Check]:
    for task, package in (("ResNet18", "torchvision"), ("TheiaTiny", "transformers")):
        found, needed = f"{package} {version_of(package)}", f"Isaac-Cartpole-RGB-{task}-v0"
        yield _import(package, f"{task} features", found, needed, f"pip install {package}")


def video() -> Iterable[Check]:
    import imageio_ffmpeg

    try:
        found = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        yield Check("ffmpeg", "broken", str(error)[:120], "videos", "pip install --force-reinstall imageio-ffmpeg")
        return
    yield Check("ffmpeg", "ok", f"{imageio_ffmpeg.get_ffmpeg_version()} at {found}")


def isaac_sim() -> Iterable[Check]:
    from cartpole_lab import isaac_sim

    needed = "physics=isaacsim_physx, renderer=isaacsim_rtx, --viz kit and the Isaac Sim kernel; needs an RTX GPU"
    there = isaac_sim.state()
    if there.version is None or there.missing:
        found = "not installed"
        if there.stranger:
            found = f"a package of that name at {there.folder}, but not NVIDIA's"
        elif there.missing:
            found = f"isaacsim {there.version}, half installed: missing {', '.join(there.missing)}"
        yield Check("Isaac Sim", "optional", found, needed, isaac_sim.install_command())
        return
    yield Check("Isaac Sim", "ok", f"isaacsim {there.version} is installed; it was not started")
    licence = "accepted" if there.accepted else "not accepted here"
    mend = "" if there.accepted else f"read {isaac_sim.EULA_URL}; if you accept it: {isaac_sim.ACCEPTED}=yes"
    yield Check("Isaac Sim licence", "ok" if there.accepted else "optional", licence, needed, mend)
    driver = _nvidia_driver()
    yield Check(
        "Isaac Sim driver",
        "ok" if driver else "optional",
        driver or "no NVIDIA driver found",
        needed,
        "" if driver else "install NVIDIA's driver for an RTX card",
    )


def _nvidia_driver() -> str | None:
    """What the NVIDIA driver says it is, without calling it."""
    file = Path("/proc/driver/nvidia/version")
    if file.is_file():
        return file.read_text(encoding="utf-8", errors="replace").splitlines()[0].strip()
    found = shutil.which("nvidia-smi")
    return f"nvidia-smi at {found}" if found else None


def jupyter() -> Iterable[Check]:
    if wrong := imports.why_not("jupyter"):
        yield Check("JupyterLab", "optional", wrong, "stepping through the notebooks", INSTALL)
        return
    from jupyter_client.kernelspec import KernelSpecManager

    from cartpole_lab import jupyter_kernel as kernel

    names = sorted(KernelSpecManager().find_kernel_specs())
    yield Check("JupyterLab", "ok", f"{version_of('jupyterlab')}; kernels: {', '.join(names) or 'none'}")
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


def browser() -> Iterable[Check]:
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
