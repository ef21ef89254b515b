"""Whether packages can be imported: found out by importing them, in a process of their own that may crash or hang."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterable
from functools import cache

from cartpole_lab.doctor.check import has_module

LIMIT_S = 60.0
"""Longest that one package may take [s]."""
EACH = {
    "newton": ("newton", "mujoco_warp", "isaaclab_newton.physics"),
    "newton_renderer": ("isaaclab_newton.renderers",),
    "ovphysx": ("ovphysx", "isaaclab_ov.physics"),
    "rl_games": ("rl_games.torch_runner", "gym"),
    "rsl_rl": ("rsl_rl.runners",),
    "skrl": ("skrl.agents.torch.ppo",),
    "sb3": ("stable_baselines3",),
    "torchvision": ("torchvision.models",),
    "transformers": ("transformers",),
    "jupyter": ("jupyterlab", "ipykernel"),
}
"""What must import for a thing to work, by the thing."""

# what a package prints goes nowhere; a line before and after each module goes to the real output
_SCRIPT = """
import importlib, json, os, sys, warnings
out = os.fdopen(os.dup(1), "w")
nowhere = os.open(os.devnull, os.O_WRONLY)
os.dup2(nowhere, 1), os.dup2(nowhere, 2)
warnings.simplefilter("ignore")
for name in sys.argv[1:]:
    print(json.dumps([name, None]), file=out, flush=True)
    try:
        importlib.import_module(name)
        why = ""
    except BaseException as error:
        why = f"{type(error).__name__}: {error}" or "failed"
    print(json.dumps([name, " ".join(why.split())[:200]]), file=out, flush=True)
os._exit(0)
"""


def why_not(thing: str) -> str:
    """Why one of :data:`EACH` does not import; empty where it does."""
    reasons = everything()
    missing = [name for name in EACH[thing] if name not in reasons]
    return (
        f"missing: {', '.join(missing)}"
        if missing
        else next((f"{n}: {reasons[n]}" for n in EACH[thing] if reasons[n]), "")
    )


@cache
def everything() -> dict[str, str]:
    """What :func:`try_imports` finds for all modules that are installed; they are tried once a process."""
    names = (name for names in EACH.values() for name in names if has_module(name.partition(".")[0]))
    return try_imports(names, LIMIT_S)


def try_imports(modules: Iterable[str], limit_s: float) -> dict[str, str]:
    """Import modules one after the other.

    Args:
        modules: Their names.
        limit_s: Longest that one may take [s].

    Returns:
        For each why it does not import, empty where it does; one that crashes or hangs does not hide the others.
    """
    waiting, found = list(modules), dict[str, str]()
    while waiting:
        begun, ended = _one_process(waiting, limit_s)
        found.update(ended)
        if begun is not None:
            found.update(begun)
        rest = [name for name in waiting if name not in found]
        if len(rest) == len(waiting):  # not even Python has started
            return found | dict.fromkeys(rest, "no Python process could be started to import it")
        waiting = rest
    return found


def _one_process(modules: list[str], limit_s: float) -> tuple[dict[str, str] | None, dict[str, str]]:
    """The module at which a process has ended too early, with the reason, and those that were tried before it."""
    ended: dict[str, str] = {}
    at, hung = None, False
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _SCRIPT, *modules], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:

        def stop() -> None:
            nonlocal hung
            hung = True
            process.kill()

        clock = threading.Timer(limit_s, stop)
        clock.start()
        for line in process.stdout or ():
            clock.cancel()
            clock = threading.Timer(limit_s, stop)
            clock.start()
            name, why = json.loads(line)
            at = name if why is None else None
            if why is not None:
                ended[name] = why
        clock.cancel()
    if at is None:
        return None, ended
    why = f"no answer within {limit_s:g} s" if hung else f"the import ends the process (code {process.returncode})"
    return {at: why}, ended
