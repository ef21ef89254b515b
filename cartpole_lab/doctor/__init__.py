"""What this machine can run, and why not: one line a thing, with the command that mends it.

Here belong looks that start no simulator and ask no server. What is wrong with a setting or a task is said where it is
read, in ``session``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict

from cartpole_lab.doctor import features, machine
from cartpole_lab.doctor.check import INSTALL, Check
from cartpole_lab.session.held_output import quietly

__all__ = ["Check", "as_dicts", "doctor", "healthy", "table"]

LIMIT_S = 60.0
"""Longest that one look may take [s]: a driver that hangs must not hang the table."""
_MARKS = {"ok": "ok", "optional": "-", "broken": "NO"}


def doctor() -> list[Check]:
    """Look at everything that the lessons may need. Starts no simulator and asks no server; takes some ten seconds."""
    looks: list[Callable[[], Iterable[Check]]] = [
        machine.python,
        machine.machine,
        machine.surroundings,
        machine.packages,
        machine.locked_versions,
        machine.cuda,
        machine.warp_cache,
        features.packages_import,
        features.physics,
        features.renderers,
        features.shortcuts,
        features.libraries,
        features.features,
        features.video,
        features.isaac_sim,
        features.jupyter,
        features.browser,
    ]
    checks: list[Check] = []
    with quietly():  # a missing driver is a line of the table, not a warning before it
        for look in looks:
            checks += _within(LIMIT_S * (5 if look is features.packages_import else 1), look)
    return checks


def _within(seconds: float, look: Callable[[], Iterable[Check]]) -> list[Check]:
    """What a look finds, or that it failed or gave no answer in time: neither must hide the other lines."""
    name = look.__name__.replace("_", " ")
    found: list[Check] = []

    def run() -> None:
        try:
            found.extend(look())
        except Exception as error:
            found.append(Check(name, "broken", f"{type(error).__name__}: {error}"[:200], fix=INSTALL))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        return [*found, Check(name, "broken", f"no answer within {seconds:.0f} s", "whatever needs it")]
    return found


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
