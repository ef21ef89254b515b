"""Say which exercises pass: ``python book/progress.py`` reads your copies, in ``work/``, as they were last saved."""

from __future__ import annotations

import sys

from bookbuild.isolation import isolate

if __name__ == "__main__":
    isolate()

import nbformat
from bookbuild import paths
from bookbuild.exercises import output_text, tags_of
from bookbuild.generated import lesson_title

PASSES, FAILS, UNTRIED = "✓", "✗", "·"


def exercise_marks(notebook: nbformat.NotebookNode) -> list[str]:
    """A mark for each exercise of a notebook: what its check printed when it last ran."""
    marks = []
    for cell in notebook.cells:
        if "check" in tags_of(cell):
            text = output_text(cell)
            marks.append(FAILS if FAILS in text else PASSES if PASSES in text else UNTRIED)
    return marks


def main() -> int:
    """Print a line for each lesson; exit status 2 where there are no copies yet."""
    lessons = paths.lesson_paths(paths.WORK)
    if not lessons:
        print(f"there are no lessons in {paths.WORK}: make lab puts your copies there", file=sys.stderr)
        return 2
    everything: list[str] = []
    for path in lessons:
        try:
            marks = exercise_marks(nbformat.read(path, as_version=4))
        except Exception as error:  # a half written file must not hide the others
            print(f"{path.name} cannot be read ({type(error).__name__}); a fresh one: make lab RESET={path.stem[:2]}")
            continue
        everything += marks
        print(f"{' '.join(marks):<8}{lesson_title(path.stem)}")
    passed = everything.count(PASSES)
    print(
        f"\n{passed} of {len(everything)} exercises pass ({FAILS} not yet, {UNTRIED} check not run), as last saved in"
    )
    print(f"{paths.WORK}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
