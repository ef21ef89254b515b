"""The package on one page: every module with the first line of its docstring, and which room uses which."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ASIDE = "speed"
"""The room that only ``shortcuts`` knows; its arrow is dashed."""


def package_map(package: Path) -> str:
    """The page as Markdown.

    Args:
        package: Folder of the package; its files are read, not imported.
    """
    modules = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))}
    inner = {path: tree for path, tree in modules.items() if path != package / "__init__.py"}
    rooms: dict[str, list[Path]] = {}
    for path in inner:
        rooms.setdefault(_room(path, package), []).append(path)
    uses = {room: sorted(used - {room}) for room, used in _uses(inner, package, set(rooms)).items()}
    order = sorted(rooms, key=lambda room: (-_height(room, uses), room))
    lines = [
        "An arrow says “uses”; where a longer way leads to the same room, the short one is left out.",
        "",
        "```mermaid",
    ]
    lines += ["flowchart TB", "  accTitle: The rooms of the package", f"  accDescr: {_in_words(order, uses)}"]
    for room in order:
        lines += [f"  {room} --> {other}" for other in _direct(room, uses) if other != ASIDE]
        lines += [f"  {room} -.-> {ASIDE}"] * (ASIDE in uses[room])
    lines += ["```", ""]
    for room in order:
        folder = package / room / "__init__.py"
        name = f"{room}/" if folder in modules else f"{room}.py"
        lines += [f"**`{name}`** {_first_line(modules[folder if folder in modules else package / f'{room}.py'])}", ""]
        files = [path for path in rooms[room] if path not in (folder, package / f"{room}.py")]
        if files:
            lines += ["| File | |", "| --- | --- |"]
            lines += [f"| `{path.relative_to(package)}` | {_first_line(modules[path])} |" for path in files]
            lines.append("")
    return "\n".join(lines)


def shortcuts_table() -> str:
    """The shortcuts of the room ``speed`` as a Markdown table."""
    from cartpole_lab.speed.shortcut_table import KNOWN, PIECES

    lines = ["| Name | What it does | What it saved | Written for |", "| --- | --- | --- | --- |"]
    for name, piece in PIECES.items():
        hosts = ", ".join(f"{host} {' or '.join(KNOWN[host])}" for host in piece.hosts) or "anything"
        lines.append(f"| `{name}` | {piece.does} | {piece.saves} | {hosts} |")
    return "\n".join([*lines, ""])


def _room(path: Path, package: Path) -> str:
    return path.relative_to(package).parts[0].removesuffix(".py")


def _first_line(tree: ast.Module) -> str:
    line = (ast.get_docstring(tree) or "").partition("\n")[0]
    return re.sub(r":\w+:`[~.]*([\w.]+)`", r"`\1`", line).replace("``", "`").replace("|", "\\|")


def _uses(modules: dict[Path, ast.Module], package: Path, rooms: set[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for path, tree in modules.items():
        found[_room(path, package)] |= {name for name in _imported(tree, path, package) if name in rooms}
    return found


def _imported(tree: ast.Module, path: Path, package: Path) -> Iterator[str]:
    """Rooms that a module imports anywhere in its code."""
    here = [package.name, *path.relative_to(package).parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*here[: len(here) + 1 - node.level], node.module] if node.level else [node.module]
            start = ".".join(filter(None, base))
            names = [start, *(f"{start}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == package.name and len(parts) > 1:
                yield parts[1]


def _height(room: str, uses: dict[str, list[str]]) -> int:
    """Rooms on the longest way down; :data:`ASIDE`, which is on no floor, comes last."""
    if room == ASIDE:
        return -1
    return max((1 + _height(other, uses) for other in uses[room] if other != ASIDE), default=0)


def _direct(room: str, uses: dict[str, list[str]]) -> list[str]:
    """What a room uses and what no room that it uses does use."""

    def below(other: str) -> set[str]:
        return set() if other == ASIDE else {name for used in uses[other] for name in {used, *below(used)}}

    return [other for other in uses[room] if not any(other in below(third) for third in uses[room])]


def _in_words(order: list[str], uses: dict[str, list[str]]) -> str:
    return " ".join(f"{room} uses {', '.join(uses[room]) or 'no other'}." for room in order)
