"""Do the lessons' statements hold elsewhere? ``make claims``, or ``python book/run_claims.py [--seeds 1 2 …] [NAME…]``.

Runs the lessons as the book does, with several seeds, with one and two threads of PyTorch, and with the plainest
instructions of the processor that PyTorch can take, and prints a table: a line a statement, a column a run. Exit status
1 if one fails somewhere. It takes the lessons' run time once for each column: name the lessons that you have changed.
Each verdict is kept in ``_build/claims`` until a lesson's code, package or column change, so one sitting goes on where
another was stopped; ``--fresh`` forgets them, ``--kept`` runs nothing more. A column that changes nothing in a lesson
(it has no ``seed``, say) runs once. ``--record`` writes the table that the book shows, with machine, date and commit;
with lessons or columns named, their part of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from bookbuild import paths
from bookbuild.claims import read_claims
from bookbuild.digest import package_digest
from bookbuild.machine import describe_machine
from bookbuild.notebooks import parameter_names, run_notebook

SEEDS = (1, 2, 3, 4, 5)
RECORD = paths.BOOK / "measured" / "claims.txt"
"""The table that the page of promises shows."""


@dataclass(frozen=True)
class Condition:
    """How a lesson is run.

    Attributes:
        name: Head of the column.
        seed: Seed of the lesson; None leaves its own.
        threads: Threads of PyTorch.
        capability: ``ATEN_CPU_CAPABILITY``: which instructions PyTorch may use; None for all of them.
    """

    name: str
    seed: int | None = None
    threads: int = 1
    capability: str | None = None

    def parameters(self, known: Sequence[str]) -> dict[str, int]:
        """The parameters of a lesson that this changes, of those that it has."""
        wanted = {"threads": self.threads} | ({"seed": self.seed} if self.seed is not None else {})
        return {name: value for name, value in wanted.items() if name in known}


def conditions(seeds: Sequence[int]) -> list[Condition]:
    """The runs of the table: the seeds, then two threads and plain instructions with the lesson's own seed."""
    found = [Condition(f"seed {seed}", seed) for seed in seeds]
    return [*found, Condition("2 threads", threads=2), Condition("plain CPU", capability="default")]


def run_or_recall(
    lesson: Path, condition: Condition, package: str, *, kept_only: bool = False
) -> dict[str, bool] | None:
    """The verdicts of a lesson's statements under a condition, kept or of a run; None where there are none."""
    parameters = condition.parameters(parameter_names(lesson))
    code = [cell.source for cell in nbformat.read(lesson, as_version=4).cells if cell.cell_type == "code"]
    made_from = [code, package, sorted(parameters.items()), condition.capability]
    key = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:20]
    kept = paths.BUILD / "claims" / f"{lesson.stem}-{key}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    if kept_only:
        return None
    found = run_under(lesson, condition, parameters)
    if found is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found


def run_under(
    lesson: Path, condition: Condition, parameters: Mapping[str, int | float | str | bool | None]
) -> dict[str, bool] | None:
    """The verdicts of a lesson's statements with these parameters; None where it failed to run."""
    before = os.environ.get("ATEN_CPU_CAPABILITY")
    if condition.capability is not None:
        os.environ["ATEN_CPU_CAPABILITY"] = condition.capability
    try:
        run = run_notebook(lesson, parameters)
    finally:
        os.environ.pop("ATEN_CPU_CAPABILITY", None)
        if before is not None:
            os.environ["ATEN_CPU_CAPABILITY"] = before
    for problem in run.problems:
        print(f"    {lesson.stem}, {condition.name}: {problem}", flush=True)
    if run.problems:
        return None
    return {c.sentence: c.holds for c in read_claims(nbformat.read(run.executed, as_version=4))}


Verdicts = Mapping[str, Mapping[str, Mapping[str, bool] | None]]
"""By lesson and column: what became of each statement; None where the lesson failed to run."""


def all_hold(verdicts: Verdicts) -> bool:
    """Whether every lesson ran in every column, and no statement failed. A lesson may state nothing."""
    return all(found is not None and all(found.values()) for columns in verdicts.values() for found in columns.values())


def table(verdicts: Verdicts, names: Sequence[str]) -> str:
    """A Markdown table: lesson and statement, then ✓, ✗, or · where the lesson did not run."""
    lines = [f"| lesson | statement | {' | '.join(names)} |", f"| --- | --- |{' :-: |' * len(names)}"]
    for lesson, columns in verdicts.items():
        sentences = list(dict.fromkeys(s for column in columns.values() for s in column or {}))
        if not sentences and None in columns.values():
            sentences = ["*not run*"]
        for sentence in sentences:
            marks = [{True: "✓", False: "✗", None: "·"}[(columns.get(n) or {}).get(sentence)] for n in names]
            lines.append(f"| {lesson[:2]} | {sentence} | {' | '.join(marks)} |")
    return "\n".join(lines)


def recorded(text: str, lessons: Sequence[str] = (), before: str = "") -> str:
    """The table as the book shows it: below it where and when it was made, and by which state of the package.

    Args:
        text: The table of this run.
        lessons: Which lessons it has, by number, if not all. The rows of the others come from ``before``, and so do
            marks of runs that were not repeated.
        before: What was recorded so far.
    """
    asked = ["git", "log", "-1", "--format=%h", "--", str(paths.PACKAGE)]
    commit = subprocess.run(asked, capture_output=True, text=True, cwd=paths.ROOT).stdout.strip()
    when = f"un on {describe_machine()}, {datetime.now(UTC):%Y-%m-%d}, with the package of commit `{commit}`."
    if not lessons:
        return f"{text}\n\nR{when}\n"
    (head, rule, *rows), *notes = [part.splitlines() for part in before.strip().split("\n\n")]
    old = {tuple(_cells(row)[:2]): _cells(row)[2:] for row in rows if _cells(row)[0] in lessons}
    kept = [row for row in rows if _cells(row)[0] not in lessons]
    for row in text.splitlines()[2:]:
        lesson, statement, *marks = _cells(row)
        was = old.get((lesson, statement), marks)
        marks = [mark if mark != "·" else then for mark, then in zip(marks, was, strict=True)]
        kept.append(f"| {' | '.join([lesson, statement, *marks])} |")
    kept.sort(key=lambda row: _cells(row)[0])  # stable: statements stay in reading order
    present = f"Lessons {', '.join(lessons)} once more: r{when}"
    others = [note for (note,) in notes if note.split(" once more")[0] != present.split(" once more")[0]]
    return "\n".join([head, rule, *kept]) + "\n\n" + "\n\n".join([*others, present]) + "\n"


def _cells(row: str) -> list[str]:
    """The cells of a table's row."""
    return [cell.strip() for cell in row.strip("| ").split(" | ")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print and store the table; exit status 1 when a statement fails or a lesson does not run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="lessons, by the start of their file name; all when none is given")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(SEEDS))
    parser.add_argument("--only", nargs="*", metavar="COLUMN", help="only these columns, such as 'seed 1' '2 threads'")
    parser.add_argument("--fresh", action="store_true", help="forget the verdicts of earlier runs first")
    parser.add_argument("--kept", action="store_true", help="run nothing: the table of the verdicts that are kept")
    parser.add_argument("--record", action="store_true", help="write the table that the book shows")
    args = parser.parse_args(argv)
    lessons = [p for p in paths.lesson_paths() if not args.names or any(p.stem.startswith(n) for n in args.names)]
    columns = [c for c in conditions(args.seeds) if args.only is None or c.name in args.only]
    if not lessons or not columns:
        parser.error("no such lesson or column")
    if args.fresh:
        shutil.rmtree(paths.BUILD / "claims", ignore_errors=True)
    package = package_digest()
    verdicts: dict[str, dict[str, dict[str, bool] | None]] = {}
    for lesson in lessons:
        for condition in columns:
            print(f"{lesson.stem}, {condition.name} …", flush=True)
            found = run_or_recall(lesson, condition, package, kept_only=args.kept)
            verdicts.setdefault(lesson.stem, {})[condition.name] = found
            for sentence, holds in (found or {}).items():
                if not holds:
                    print(f"    ✗ {sentence}", flush=True)
    text = table(verdicts, [c.name for c in columns])
    print(f"\n{text}\n\n{describe_machine()}")
    paths.BUILD.mkdir(parents=True, exist_ok=True)
    (paths.BUILD / "claims.md").write_text(text + "\n", encoding="utf-8")
    if args.record:
        part = [p.stem[:2] for p in lessons] if args.names or args.only is not None else []
        before = RECORD.read_text(encoding="utf-8") if part else ""
        text = table(verdicts, [c.name for c in conditions(args.seeds)]) if part else text
        if part and "*not run*" in text:
            parser.error("a lesson of these has not been run: nothing is recorded")
        if part and text.splitlines()[0] not in before:
            parser.error("the table in the book has other columns: record all lessons and columns")
        RECORD.write_text(recorded(text, part, before), encoding="utf-8")
    return 0 if all_hold(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
