"""Mend an environment whose folder was copied or moved: ``relocate.py VENV ROOT [OLD_VENV]``, with its own Python.

A virtual environment names its folder in the first line of each script, in the activation scripts, and in the link of
the editable install. All are written again where they name another folder; packages stay as they are. Files are
replaced, never written into: a copy made of hard links shares them with the original.
"""

import os
import re
import shlex
import sys
from pathlib import Path

# How pip and uv start a script: a plain line, or one for paths with blanks, other letters or beyond the system's limit.
_PLAIN = re.compile(rb"\A#!(?P<python>[^\n]*/bin/python[0-9.]*)\r?\n")
_LONG = re.compile(rb"\A#!/bin/sh\n(?P<coding># coding: [^\n]*\n)?'''exec' (?P<python>[^\n]+) \"\$0\" \"\$@\"\n' '''\n")
_OCTAL = re.compile(rb"'\\'0([0-7]{3})")  # uv's other way for other letters: "$(printf %b '\'0057 '\'0303 …)"
_LONGEST = 127
"""Bytes of a first line that every system reads; Linux reads 255 since 5.1."""


def first_line(python: Path) -> bytes:
    """How a script of the environment starts."""
    path = os.fsencode(python)
    if b" " not in path and len(path) + 3 <= _LONGEST:
        return b"#!" + path + b"\n"
    quoted = os.fsencode(shlex.quote(os.fsdecode(path)))
    return b"#!/bin/sh\n'''exec' " + quoted + b' "$0" "$@"\n' + b"' '''\n"


def named_python(match: re.Match[bytes]) -> Path:
    """The interpreter that a script names, however its first lines quote it."""
    word = match["python"]
    if match.re is _LONG and word.startswith(b'"$(printf'):
        word = bytes(int(code, 8) for code in _OCTAL.findall(word))
    elif match.re is _LONG and word[:1] in b"'\"":
        word = os.fsencode("".join(shlex.split(os.fsdecode(word))))
    return Path(os.fsdecode(word))


def replace(path: Path, content: bytes) -> None:
    """Put a new file in the place of the old one, with its permissions."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    new.chmod(path.stat().st_mode & 0o7777)
    os.replace(new, path)


def relocate(venv: Path, root: Path, old: Path | None) -> int:
    """Mend what names another folder.

    Args:
        venv: The environment's folder, absolute.
        root: The repository, which the environment has installed as an editable package.
        old: Where the environment was made; None where that is not known, then the scripts tell.

    Returns:
        How many files were written again.
    """
    changed = 0
    python, before = venv / "bin" / "python", {old} if old else set()
    for script in sorted((venv / "bin").iterdir()):
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        if (match := _LONG.match(content) or _PLAIN.match(content)) is None:
            continue
        named = named_python(match)
        if named.parent != python.parent:
            before.add(named.parent.parent)
            replace(script, first_line(python) + content[match.end() :])
            changed += 1
    for file in [
        *venv.glob("bin/[aA]ctivate*"),
        venv / "pyvenv.cfg",
        *venv.glob("share/jupyter/kernels/*/kernel.json"),
    ]:
        content = new = file.read_bytes() if file.is_file() else b""
        for folder in before - {venv}:  # the whole path: /a/b is no part of /a/bc
            new = re.sub(re.escape(os.fsencode(folder)) + rb"(?![\w.-])", lambda _: os.fsencode(venv), new)
        if new != content:
            replace(file, new)
            changed += 1
    for site in venv.glob("lib/python3*/site-packages"):
        if (link := site / "cartpole_lab.pth").is_file() and link.read_text(encoding="utf-8").strip() != str(root):
            replace(link, os.fsencode(root) + b"\n")
            for origin in site.glob("cartpole_lab-*.dist-info/direct_url.json"):
                replace(origin, b'{"dir_info": {"editable": true}, "url": "%s"}' % root.as_uri().encode())
            changed += 1
    return changed


if __name__ == "__main__":
    venv, root, *old = (Path(argument) for argument in sys.argv[1:] if argument)
    number = relocate(venv, root, old[0] if old else None)
    if number:
        print(f"· the folder was copied or moved: {number} files of {venv.name} now name {root}")
