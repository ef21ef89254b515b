"""Run every check and write the record and the page.

    python -m tests.surprises                # all, to book/measured/surprises.json and book/surprises.md
    python -m tests.surprises NAME …         # these only; the others keep what was recorded
    python -m tests.surprises --page         # only the page, from the record

On a version of a library that behaves otherwise the entry stays on the page, marked. The tests fail until somebody has
looked at it.
"""

from __future__ import annotations

import argparse
import sys

from tests.surprises.entries import ENTRIES
from tests.surprises.record import RECORD, read, write
from tests.surprises.run import run_all
from tests.surprises.write_page import PAGE, render


def main() -> int:
    """Exit status 1 if an entry does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.surprises", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="entries to run (default: all)")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page from the record")
    args = parser.parse_args()
    if unknown := set(args.names) - set(ENTRIES):
        parser.error(f"no entry is called {', '.join(sorted(unknown))}")
    if not args.page:
        write(run_all(tuple(args.names)), keep=bool(args.names))
    record = read()
    PAGE.write_text(render(record), encoding="utf-8")
    wrong = [name for name, found in record["entries"].items() if not found["holds"]]
    print(
        f"{len(record['entries'])} entries in {RECORD} and {PAGE}"
        + f"; not as described: {', '.join(wrong)}" * bool(wrong)
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
