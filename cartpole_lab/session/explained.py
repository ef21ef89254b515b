"""What an error says in one line that comes from the user's own code, a term, or a memory that is too small.

Python's report of such an error is tens of lines long, most of them Isaac Lab's. What is to be mended stands in a few
words: which term, which line of which file, what happened there.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
import sysconfig
from pathlib import Path
from types import FrameType
from typing import Any

from cartpole_lab.session import agent_keys, kernel_cache

_MEMORY = re.compile(
    r"Failed to allocate \d+ bytes|can't allocate memory|CUDA out of memory|Unable to allocate [\d.]+ "
)
_MANAGERS = re.compile(
    r"isaaclab[/\\]managers[/\\](reward|observation|termination|event|curriculum|action|command)_man"
)

_LIBRARY = re.compile(r"site-packages[/\\](rl_games|rsl_rl|skrl|stable_baselines3)[/\\]")


def explain(error: BaseException) -> str | None:
    """One line for an error that the user can mend; None for any other error, and for one that is a line already."""
    if isinstance(error, KeyboardInterrupt):
        return None
    if (known := kernel_cache.explain(error)) is not None:
        return known
    if isinstance(error, MemoryError) or _MEMORY.search(str(error)) or type(error).__name__ == "OutOfMemoryError":
        said = f" ({_said(error)})" if str(error) else ""
        return f"there is not enough memory for this many environments{said}: ask for fewer"
    if "was raised from the environment creator" in str(error) and error.__cause__ is not None:
        error = error.__cause__  # Gymnasium says it again, with all that the task has registered behind it
    frames = _frames(error)
    own = None
    for (by, _), at in itertools.pairwise(frames):  # called by Isaac Lab or Gymnasium: a task's code, not a caller's
        if _is_own(at[0].f_code.co_filename) and not _is_ours(by.f_code.co_filename):
            own = at
    if isinstance(error, SystemExit):
        left = own is not None and all(is_exit(frame) for frame, _ in frames[frames.index(own) + 1 :])
        if own is None or not left:
            return None
        return f"{_place(*own)} ended the process (SystemExit: {error.code}): nothing was finished"
    term = next((name for frame, _ in reversed(frames) if (name := _term(frame))), None)
    manager = next((found[1] for frame, _ in frames if (found := _MANAGERS.search(frame.f_code.co_filename))), None)
    term = term or (manager and f"{manager} terms")
    if term is None and own is None:
        return _of_agent(error, frames)
    where = " in ".join(part for part in (term, _place(*own) if own else "") if part)
    return f"{where} failed: {type(error).__name__}: {_said(error)}"


def told(error: BaseException) -> str:
    """An error in one line: at which line of which file it was raised, its type, its text."""
    frames = [at for at in _frames(error) if not is_exit(at[0])]
    line = f"{Path(frames[-1][0].f_code.co_filename).name} line {frames[-1][1]}: " if frames else ""
    if isinstance(error, SyntaxError):
        line = f"line {error.lineno}: " if error.lineno else ""
    return f"{line}{type(error).__name__}: {_said(error)}"


def _of_agent(error: BaseException, frames: list[tuple[FrameType, int]]) -> str | None:
    """One line for a name that the agent's settings lack, or that its library does not know."""
    file = frames[-1][0].f_code.co_filename if frames else ""
    if (found := _LIBRARY.search(file)) is None:
        return None
    if isinstance(error, KeyError) and agent_keys.elsewhere(found[1], str(error.args[0])):
        return f"the agent's settings have no {error}, and {found[1]} does not do without"
    if isinstance(error, ValueError) and Path(file).name == "object_factory.py":
        return (
            f"{found[1]} knows no {str(error)[:80]!r}: look at the names in the agent's settings, such as network.name"
        )
    return None


def _frames(error: BaseException) -> list[tuple[FrameType, int]]:
    """The calls that led to an error, and the line of each, the outermost first."""
    found, at = [], error.__traceback__
    while at is not None:
        found.append((at.tb_frame, at.tb_lineno))
        at = at.tb_next
    return found


def _is_own(file: str) -> bool:
    """Whether a file is the user's: neither Python's, nor of an installed package, nor of this one."""
    if file.startswith("<") or not file.endswith(".py"):
        return False
    path = Path(file).resolve()
    others = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")]
    others.append(Path(sys.prefix).resolve())
    return not ("site-packages" in path.parts or _is_ours(file) or any(path.is_relative_to(other) for other in others))


def is_exit(frame: FrameType) -> bool:
    """Whether a frame is that of ``sys.exit`` itself: where Weights & Biases is imported, it is written in Python."""
    return frame.f_code.co_name == "exit" and Path(frame.f_code.co_filename).name == "exit_hooks.py"


def _is_ours(file: str) -> bool:
    return Path(file).resolve().is_relative_to(Path(__file__).resolve().parents[1])


def _place(frame: FrameType, line: int) -> str:
    return f"{Path(frame.f_code.co_filename).name} line {line}, {frame.f_code.co_name}"


def _term(frame: FrameType) -> str:
    """The term that a manager of Isaac Lab calls in a frame, in words; empty where it calls none."""
    found, values = _MANAGERS.search(frame.f_code.co_filename), frame.f_locals
    cfg = values.get("term_cfg")
    if found is None or cfg is None:
        return ""
    name = values.get("name") or values.get("term_name") or _name_of(values.get("self"), cfg)
    return f"{found[1]} term {str(name)[:80]!r}"


def _name_of(manager: Any, cfg: Any) -> str:
    """What a manager calls a term; where it does not say, the name of the term's function."""
    with contextlib.suppress(Exception):
        active = manager.active_terms
        names = itertools.chain.from_iterable(active.values()) if isinstance(active, dict) else active
        return next(name for name in names if manager.get_term_cfg(name) is cfg)
    func = getattr(cfg, "func", None)
    return getattr(func, "__name__", type(func).__name__)


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or "without a word"
