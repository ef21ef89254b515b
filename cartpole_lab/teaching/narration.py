"""Sentences that take their numbers from the run, and statements that are checked against it.

A lesson that says "the cart is down to a third after 0.16 s" is wrong on the next machine. So a paragraph that reads an
output is a cell of its own: :func:`say` shows it with the numbers of *this* run. What a paragraph claims without a
number ("the longer run is worse") is checked by :func:`claims`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

CLAIMS_MIME = "application/vnd.cartpole.claims+json"
"""Type of the output in which a claim cell keeps its verdicts; the build of the book reads it."""


def say(text: str) -> None:
    """Show a paragraph of the lesson, in Markdown.

    Args:
        text: The paragraph, usually an f-string whose numbers are values of the run. Line breaks are as in Markdown.
    """
    from IPython.display import Markdown, display

    display(Markdown(re.sub(r"(?<![\w-])-(?=\d)", "−", text.strip())))  # Python's hyphen as a minus sign


def claims(statements: Mapping[str, Any]) -> None:
    """Check statements of the lesson against this run, and say which hold.

    It never raises: someone who plays with the parameters may well get a run in which a sentence of the page is not
    true, and is told so. The build of the book stops there.

    Args:
        statements: By the words of the lesson that make the statement: whether it holds.
    """
    from IPython.display import display

    verdicts = [{"sentence": sentence, "holds": bool(holds)} for sentence, holds in statements.items()]
    failed = [verdict["sentence"] for verdict in verdicts if not verdict["holds"]]
    if failed:
        lines = ["The page says, and in this run it is not so:", *(f"  ✗ {sentence}" for sentence in failed)]
    else:
        lines = [f"✓ {len(verdicts)} statements of the page hold in this run"]
        if len(verdicts) == 1:
            lines = ["✓ 1 statement of the page holds in this run"]
    display({"text/plain": "\n".join(lines), CLAIMS_MIME: verdicts}, raw=True)


def count(number: float, noun: str, plural: str | None = None) -> str:
    """A number with its noun: ``1 cart``, ``7 carts``, ``no cart``.

    Args:
        number: How many; rounded to a whole number.
        noun: What, in the singular.
        plural: The plural, where it isn't the singular with an s.
    """
    whole = round(number)
    if whole == 0:
        return f"no {noun}"
    return f"{whole:,} {noun if whole == 1 else plural or noun + 's'}"
