"""The page ``book/surprises.md``, made from the entries and the recorded run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.surprises.entries import ENTRIES, GROUPS, Surprise

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "book" / "surprises.md"
FINDINGS = ROOT / "findings"
HEAD = """\
<!-- Made by `python -m tests.surprises` from the checks in tests/surprises. Change those, not this page. -->

# Where good guesses go wrong

Each entry is a question about the libraries of this book to which a good guess is wrong. **Answer first, then unfold.**
Every answer was run: its numbers, and the lines it points to, are those of the recorded run. Versions stand below each
answer. `make test ARGS=tests/surprises` runs them all again on your machine; an entry that no longer holds fails there.

Recorded on {machine}, commit `{commit}`. {count} questions.
"""
FOOT = """\
## More, each as a script of its own

These need other versions, or no part of this book. Each script in the folder `findings` installs what it needs into a
temporary folder and shows one surprise.

| Script | The case | What is true |
| --- | --- | --- |
{rows}
"""


def render(record: dict[str, Any]) -> str:
    """The whole page, MyST."""
    entries = record["entries"]
    parts = [HEAD.format(machine=record["machine"], commit=record["commit"], count=len(entries))]
    for group, title in GROUPS.items():
        members = [ENTRIES[name] for name in entries if name in ENTRIES and ENTRIES[name].group == group]
        if members:
            parts.append(f"## {title}\n")
            parts += [section(entry, entries[entry.name]) for entry in members]
    parts.append(FOOT.format(rows="\n".join(f"| `{path.name}` | {summary(path)} |" for path in findings())))
    return "\n".join(parts)


def section(entry: Surprise, found: dict[str, Any]) -> str:
    """One entry: the question is open, the rest is folded."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    places = ", ".join(f"`{place}`" for place in found["places"])
    lines = [f"### {entry.question}", ""]
    if not found["holds"]:
        lines += [f"> **Not so any more** with {versions}: the run saw otherwise than what is written here.", ""]
    lines += [f"**The guess.** {entry.guess}", "", ":::{dropdown} What happens", ""]
    happens, why = (text.format(**found["values"]) if found["holds"] else text for text in (entry.happens, entry.why))
    happens = re.sub(r"^(\d+)([.)] )", r"\1\\\2", happens)  # an answer that is a number begins no list
    lines += [happens, "", f"**Why.** {why}" + f" ({places})" * bool(places), ""]
    lines += [f"**What to do.** {entry.todo}", "", f"*{versions}*", ":::", ""]
    return "\n".join(lines)


def findings() -> list[Path]:
    """The scripts, by name."""
    return sorted(FINDINGS.glob("*.sh"))


def summary(path: Path) -> str:
    """Two cells of the table: what a script is about, and the first sentence of its truth."""
    text = path.read_text(encoding="utf-8")
    head = " ".join(line.removeprefix("#").strip() for line in text.splitlines()[1:] if line.startswith("#"))
    case, _, rest = head.partition(" Guess: ")
    truth = re.match(r".+?[.:](?= |$)", rest.partition("Truth: ")[2])
    answer = f"{truth[0].rstrip(':.')}." if truth else ""
    cells = (case.strip().rstrip("."), answer)
    for mark, instead in (("|", "\\|"), ("*", "\\*"), ("<", "&lt;"), ("_", "\\_")):
        cells = tuple(cell.replace(mark, instead) for cell in cells)
    return " | ".join(cells)
