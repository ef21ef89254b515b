"""A Jupyter kernel in which the same notebooks run inside Isaac Sim.

``cartpole-lab kernel install --isaacsim`` writes a kernel spec; JupyterLab then offers "Isaac Sim (cartpole-lab)"
beside the ordinary Python. Its first cell starts Isaac Sim without a window, through Isaac Lab's own
``launch_simulation``, and its environments use ``physics=isaacsim_physx`` and ``renderer=isaacsim_rtx`` unless a cell
asks for others.

Never run for real: Isaac Sim could not be installed where this was written. It follows Isaac Lab's sources, and
everything up to Isaac Sim's own code is tested with a stand-in package that records how it is called.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cartpole_lab import isaac_sim
from cartpole_lab.errors import UserError
from cartpole_lab.isaac_sim import ACCEPTED, EULA_URL

KERNEL_NAME = "cartpole-lab-isaacsim"
DISPLAY_NAME = "Isaac Sim (cartpole-lab)"
INSTALL_COMMAND = "cartpole-lab kernel install --isaacsim"

_RUNTIME = contextlib.ExitStack()  # Isaac Sim lives as long as the process


##
# Install and remove
##


def ask_eula() -> bool:
    """Ask on the terminal whether the user accepts NVIDIA's licence; no answer is a no."""
    if not sys.stdin.isatty():
        return False
    print(f"Isaac Sim comes under the NVIDIA Omniverse License Agreement:\n  {EULA_URL}")
    try:
        return input("Do you accept it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def kernel_spec(
    *, accept_eula: bool = False, isaacsim_path: str | Path | None = None, platform: str = sys.platform
) -> dict[str, Any]:
    """The contents of the kernel's ``kernel.json``.

    Args:
        accept_eula: The user has accepted NVIDIA's licence.
        isaacsim_path: Folder of a downloaded Isaac Sim, whose own Python starts the kernel. None where Isaac Sim is
            installed with pip into this Python.
        platform: As :data:`sys.platform`.

    Raises:
        UserError: The folder holds no Isaac Sim.
    """
    env = {"CARTPOLE_LAB_PHYSICS": "isaacsim_physx", "CARTPOLE_LAB_RENDERER": "isaacsim_rtx"}
    if accept_eula:
        env[ACCEPTED] = "yes"
    if isaacsim_path is None:
        python = sys.executable
        shim = _environment_shim()
        if platform.startswith("linux") and shim is not None:
            # Kit's plugins change environment variables from several threads; NVIDIA's shim makes that safe
            env["LD_PRELOAD"] = os.pathsep.join(filter(None, (str(shim), os.environ.get("LD_PRELOAD"))))
    else:
        starter = Path(isaacsim_path).expanduser().resolve() / ("python.bat" if platform == "win32" else "python.sh")
        if not starter.is_file():
            raise UserError(
                f"--isaacsim-path {str(isaacsim_path)!r} is not a folder of Isaac Sim: no {starter.name} in it"
            )
        python = str(starter)
        env["ISAAC_JUPYTER_KERNEL"] = "1"  # its starter then leaves the event loop to the notebook
    return {
        "argv": [python, "-m", "cartpole_lab.jupyter_kernel", "-f", "{connection_file}"],
        "display_name": DISPLAY_NAME,
        "language": "python",
        "interrupt_mode": "signal",
        "env": env,
        "metadata": {"debugger": False},
    }


def _environment_shim() -> Path | None:
    """Kit's environment shim inside a pip-installed Isaac Sim, found without importing it."""
    spec = importlib.util.find_spec("isaacsim")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        shim = Path(folder, "kit", "kernel", "plugins", "libcarb.env.shim.so")
        if shim.is_file():
            return shim
    return None


def install(
    *, accept_eula: bool | None = None, isaacsim_path: str | Path | None = None, prefix: str | Path | None = None
) -> Path:
    """Write the kernel spec where Jupyter looks for it.

    Args:
        accept_eula: Whether the user accepts NVIDIA's licence; None asks on the terminal. Without a yes the kernel is
            installed all the same, and its first cell says that the licence is not accepted.
        isaacsim_path: As for :func:`kernel_spec`.
        prefix: Folder such as that of a virtual environment; by default the user's own Jupyter folder.

    Returns:
        The folder of the kernel spec.
    """
    manager = _spec_manager()
    accepted = ask_eula() if accept_eula is None else accept_eula
    spec = kernel_spec(accept_eula=accepted, isaacsim_path=isaacsim_path)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "kernel.json").write_text(json.dumps(spec, indent=1) + "\n", encoding="utf-8")
        where = {"prefix": os.fspath(prefix)} if prefix is not None else {"user": True}
        return Path(manager.install_kernel_spec(folder, KERNEL_NAME, **where))


def installed() -> Path | None:
    """Folder of the installed kernel spec, None where there is none."""
    from jupyter_client.kernelspec import NoSuchKernel

    try:
        return Path(_spec_manager().get_kernel_spec(KERNEL_NAME).resource_dir)
    except NoSuchKernel:
        return None


def remove() -> Path:
    """Delete the kernel spec again.

    Returns:
        The folder that was deleted.

    Raises:
        UserError: There is none.
    """
    if installed() is None:
        raise UserError(f"the kernel {KERNEL_NAME} is not installed: {INSTALL_COMMAND}")
    return Path(_spec_manager().remove_kernel_spec(KERNEL_NAME))


def _spec_manager() -> Any:
    try:
        from jupyter_client.kernelspec import KernelSpecManager
    except ImportError as error:
        raise UserError("the kernel needs Jupyter: pip install 'cartpole-lab[book]'") from error
    return KernelSpecManager()


##
# Inside the kernel
##


def why_not(environ: Mapping[str, str] = os.environ) -> str | None:
    """The one line that says why Isaac Sim cannot start in this kernel; None if it can."""
    problem = isaac_sim.why_not(environ)
    if problem is None:
        return None
    if isaac_sim.EULA_URL in problem:
        problem += f", or with `{INSTALL_COMMAND} --accept-eula`"
    return f"{problem}; then restart the kernel."


def start_isaac_sim(device: str | None = None) -> None:
    """Start Isaac Sim in this process, without a window, as Isaac Lab starts it for its own scripts.

    Args:
        device: Where the physics runs; by default the GPU if there is one.

    Raises:
        UserError: It is not installed, its licence is not accepted, or it ended itself while starting.
    """
    problem = why_not()
    if problem:
        raise UserError(problem)
    with contextlib.suppress(ImportError):
        # Kit runs an event loop of its own inside the one that serves the notebook
        import nest_asyncio

        nest_asyncio.apply()
    from isaaclab.app import launch_simulation

    from cartpole_lab.session.configs import default_device

    args = {
        "require_kit": True,
        "headless": True,
        "enable_cameras": True,
        "device": device or default_device(),
    }
    # Kit reads sys.argv, where the kernel's own arguments stand, and takes the notebook's output streams away
    argv, streams = sys.argv, (sys.stdout, sys.stderr)
    sys.argv = argv[:1]
    try:
        with isaac_sim.starting():
            _RUNTIME.enter_context(launch_simulation(None, args))
    finally:
        sys.argv = argv
        sys.stdout, sys.stderr = streams


def main() -> None:
    """Run the kernel: ``python -m cartpole_lab.jupyter_kernel -f <connection file>``."""
    from ipykernel.ipkernel import IPythonKernel
    from ipykernel.kernelapp import IPKernelApp

    class IsaacSimKernel(IPythonKernel):
        """The ordinary Python kernel, with Isaac Sim started before its first cell."""

        started = False

        async def do_execute(self, code: str, silent: bool, *args: Any, **kwargs: Any) -> dict[str, Any]:
            """Run a cell; the first one starts Isaac Sim, and no cell runs without it."""
            if not self.started and not silent:
                problem = self._start()
                if problem:
                    return self._refuse(problem)
            return await super().do_execute(code, silent, *args, **kwargs)

        def _start(self) -> str | None:
            try:
                if why_not() is None:
                    print("Starting Isaac Sim; the first time this takes minutes.", flush=True)
                start_isaac_sim()
            except UserError as error:
                return str(error)
            except Exception as error:  # whatever Kit raises has to reach the notebook
                return f"Isaac Sim did not start: {type(error).__name__}: {error}"
            self.started = True
            return None

        def _refuse(self, problem: str) -> dict[str, Any]:
            content = {"ename": "IsaacSim", "evalue": problem, "traceback": [problem]}
            self.send_response(self.iopub_socket, "error", content)
            return {"status": "error", "execution_count": self.execution_count, **content}

    IPKernelApp.launch_instance(kernel_class=IsaacSimKernel)


if __name__ == "__main__":
    main()
