"""What a lesson claims about its run: the verdicts of its claim cells, read from the executed notebook."""

from __future__ import annotations

from dataclasses import dataclass

from nbformat import NotebookNode

TAG = "claim"
MIME = "application/vnd.cartpole.claims+json"


@dataclass(frozen=True)
class Claim:
    """A statement of a lesson and what a run says about it.

    Attributes:
        sentence: The words of the lesson; ``…`` stands where it shows a number of the run.
        holds: Whether the run agrees.
    """

    sentence: str
    holds: bool


def read_claims(executed: NotebookNode) -> list[Claim]:
    """The claims of an executed notebook, in reading order."""
    found: list[Claim] = []
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            found += [Claim(v["sentence"], bool(v["holds"])) for v in output.get("data", {}).get(MIME, [])]
    return found


def claim_problems(executed: NotebookNode) -> list[str]:
    """One line for each statement that the run contradicts, and for each claim cell that checked nothing."""
    problems = [f"the page says {c.sentence!r}, and this run disagrees" for c in read_claims(executed) if not c.holds]
    for number, cell in enumerate(executed.cells, start=1):
        if TAG in cell.metadata.get("tags", []) and not any(
            MIME in output.get("data", {}) for output in cell.get("outputs", [])
        ):
            problems.append(f"cell {number} is tagged {TAG!r} and checked nothing: it must call claims(…)")
    return problems
