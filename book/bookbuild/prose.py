"""Find numbers in prose that come from nowhere: neither from the run, nor from a record, nor from the code.

A number in a sentence is in order if it is

- shown by the run: the replaced fields of the f-string that a ``say`` cell shows;
- recorded: the paragraph names a file in ``book/measured`` that holds it, or, on a page, the commit that was measured;
- a constant: a literal of the lesson's code, of the task's config or of an agent's settings, also as a percentage, in
  degrees, or as what follows from the clock (steps a second, steps an episode);
- worked out: the right side of ``a × b = c`` whose left side is in order;
- no quantity: part of a name or version, an index (lesson 6, exercise 6.1, term 4), a heading's minutes, code, formula.

A code span or a formula that holds nothing but a number is a number in disguise, and so are ``14s``, ``.93`` and ``½``.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Iterable, Iterator

from nbformat import NotebookNode

from .constants import NUMBER, Sources, numbers_in, value_of
from .exercises import tags_of

PLACE = "…"
"""Stands for a number of the run in the text of a ``say`` cell."""

_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_UNITS = ("five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen")
_UNITS += ("sixteen", "seventeen", "eighteen", "nineteen")
_WORDS = {word: 5 + k for k, word in enumerate(_UNITS)} | {word: 20 + 10 * k for k, word in enumerate(_TENS)}
_PRODUCTS = ("Isaac Lab", "Isaac Sim", "Python", "Windows", "rl-games", "Gymnasium", "NumPy", "PyTorch", "CUDA", "WSL")
_PRODUCTS += ("glibc", "Ubuntu", "Slurm")
_SHARE = re.compile(
    rf"\b(?:{NUMBER}|one|two|three|four|{'|'.join(_WORDS)}|[a-z]+ty-[a-z]+)(?: \w+)? (?:of|in|out of) (?:a |every )?"
    r"(?:ten|twenty|hundred|thousand)\b"
)
_SPAN = re.compile(r"([`$])([^`$\n]+)\1")
_DECORATION = re.compile(r"\\text\{([^}]*)\}|\\(?:approx|sim|pm|circ|[,;:%! ])")
_BARE = re.compile(
    r"[±+−~≈<>-]*\s*[\d.½⅓⅔¼¾][\d,.  ]*(?:\s*(?:%|°|m/s)|(?:\s+[a-z]+|\s+[\d,.]+)*|\s?(?:m|s|N|rad|kg))\s*"
)
"""A number and nothing else, but for a sign, a unit and words: a number also in a code span or a formula."""
_FRACTIONS = "¼-¾⅐-⅞↉Ⅰ-ↈ"
_COUNTED = "carts?|poles?|games?|episodes?|runs?|seeds?|starts?|policies"
_FRACTION = re.compile(
    r"\b(?:half|(?:a|one|two|three) (?:third|quarter|fifth|tenth)s?)(?: of)? (?:the|all|its|their|these) "
    rf"(?:{_COUNTED})\b",
    flags=re.I,
)
_NO_QUANTITY = (
    r"^```.*?^```",  # code
    r"`[^`\n]*`",
    r"\$\$.*?\$\$|\$[^$\n]*\$",  # formulas
    r"\]\([^)]*\)|</?[a-z][^>\n]*>|https?://\S+",  # where links lead, tags
    r"^#+ (?:\d+ ·|Exercise \d+\.\d+ ·)?|\(\d+ min\)\s*$",  # headings: numbers of lessons and exercises, minutes
    r"^\s*\d{1,2}\. |^\| \d{1,2} \|",  # lists, and tables that count their rows
    r"\*\*Lesson \d+ · \d+ minutes\*\*",
    r"\b(?:[Ll]essons?|[Ee]xercises?|[Qq]uestions?|[Tt]erms?|[Ll]ines?|[Ss]tages?|[Cc]ells?|[Aa]nswers?|[Pp]ieces?)"
    r"\s+\(?\d{1,2}(?:\.\d)?\)?(?![\d.]*\d)(?:(?:,| and| to|–)\s+\d{1,2}(?:\.\d)?(?![\d.]*\d))*(?:'s)?",
    r"\bexit code (?:is )?\d{1,3}\b",
    r"\(\d\)",  # terms are counted so in the configs
    r"(?:\*\*|\[)\d+ · ",
    rf"\b(?:{'|'.join(_PRODUCTS)})\s+\d[\w.]*",
    r"\b\d+\.x\b",
    r"[A-Za-zΑ-ω]\w*\d[\w.]*|\b\d+D\b",  # names: H100, cart_0
    r"\d{4}-\d\d-\d\d",  # dates
    r"(?:/s|s|m|rad|N·m)[²³]|10[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+",
)
_OPERATORS = {"×": operator.mul, "·": operator.mul, "÷": operator.truediv, "/": operator.truediv}
_OPERATORS |= {"+": operator.add, "−": operator.sub, "-": operator.sub}


def unfounded_numbers(text: str, sources: Sources) -> list[str]:
    """Numbers of a stretch of Markdown that come from nowhere, each with some words around it."""
    found: list[str] = []
    for block in re.split(r"\n\s*\n", _without_code(text)):
        found += _unfounded_in_block(block, sources)
    return found


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", " ", text, flags=re.M | re.S)


def _unfounded_in_block(block: str, sources: Sources) -> list[str]:
    if sources.commits and re.search(r"commit\s+`[0-9a-f]{7,}`", block):
        return []
    block = re.sub(r"<img\b[^>]*?\balt=([\"'])(.*?)\1[^>]*>", r" \2 ", _SPAN.sub(_unwrapped, block))
    named = [name for name in sources.records if f"measured/{name.partition('.')[0]}." in block]
    recorded = {n for name in named for n in numbers_in(sources.records[name])}
    plain = block
    shares = [] if recorded else [m[0] for m in _SHARE.finditer(re.sub(r"`[^`\n]*`", "", plain))]
    shares += [m[0] for m in _FRACTION.finditer(plain)]
    for pattern in _NO_QUANTITY:
        plain = re.sub(pattern, " ", plain, flags=re.M | re.S)
    allowed = [*sources.constants, *recorded]
    worked_out = _results(plain, allowed)
    found = [f"a share: {share!r}" for share in shares]
    for match in re.finditer(rf"[{_FRACTIONS}]|\b(?:dozens?|hundreds) of\b|\ba dozen\b", plain):
        found.append(f"{match[0]} in {' '.join(plain[max(0, match.start() - 30) : match.end() + 20].split())!r}")
    for match in re.finditer(rf"(?<![A-Za-z0-9.]){NUMBER}|(?<!\w)\.\d+", plain):
        percent = re.match(r"\s*(?:\\?%|per ?cent)", plain[match.end() :]) is not None
        source = [*sources.shares, *recorded] if percent else allowed
        if match.start() in worked_out or _known(match[0], source, percent=percent):
            continue
        around = plain[max(0, match.start() - 30) : match.end() + 20]
        found.append(f"{match[0]} in {' '.join(around.split())!r}")
    for match in re.finditer(rf"\b(?:{'|'.join(_WORDS)})\b", plain, flags=re.I):
        if _WORDS[match[0].lower()] not in (5, *allowed):
            around = plain[max(0, match.start() - 30) : match.end() + 20]
            found.append(f"{match[0]} in {' '.join(around.split())!r}")
    return found


def _unwrapped(span: re.Match[str]) -> str:
    """A code span or formula as it is, or its content where that is nothing but a number."""
    content = _DECORATION.sub(r" \1 ", span[2])
    return f" {content} " if _BARE.fullmatch(content.strip()) else span[0]


def _known(number: str, allowed: Iterable[float], *, percent: bool = False) -> bool:
    """Whether one of the values, rounded as the number is written, is the number; in percent, one that is a share."""
    value = value_of(number)
    if not percent and value in (0.0, 1.0, 2.0, 3.0, 4.0) and not number.strip("01234"):  # counted, not measured
        return True
    decimals = len(number.partition("e")[0].partition(".")[2])
    if "e" in number:
        return any(math.isclose(value, abs(a), rel_tol=1e-3) for a in allowed)
    return any(
        abs(abs(a) - value) < 0.5 * 10**-decimals + 1e-9 and (decimals or a == int(a) or value > 5) for a in allowed
    )


def _results(text: str, allowed: list[float]) -> set[int]:
    """Where the right sides of ``a × b = c`` begin, if the left side holds allowed numbers only and c is right."""
    found: set[int] = set()
    unit = r"(?:\s*[^\W\d_][\w·/()⁻¹²%°]*(?:\s+(?:per|a)\s+\w+)?)?"
    term = rf"[−-]?{NUMBER}{unit}"
    chain = re.compile(rf"({term}(?:\s*[×·÷/+−-]\s*{term})+)\s*(?:=|≈|is about|is|are)\s*\**[−-]?({NUMBER})")
    for match in chain.finditer(text):
        tokens = re.findall(rf"{NUMBER}|[×·÷/+−-]", re.sub(r"[^\W\d_][\w·/()⁻¹²%°]*", " ", match[1]))
        if tokens and tokens[0] in "−-":
            tokens = tokens[1:]
        numbers = [t for t in tokens if t[0].isdigit()]
        signs = [t for t in tokens if not t[0].isdigit()]
        if len(signs) != len(numbers) - 1:
            continue
        try:
            result = value_of(numbers[0])
            for sign, number in zip(signs, numbers[1:], strict=True):
                result = _OPERATORS[sign](result, value_of(number))
        except ZeroDivisionError:
            continue
        if _known(match[2], [result]):
            found.add(match.start(2))
            founded = [n for n in numbers if _known(n, allowed)]
            if len(founded) < len(numbers):
                found.discard(match.start(2))
    return found


##
# Where numbers may come from
##


def say_text(source: str) -> str:
    """The text of a ``say`` cell, with ``…`` for what the run fills in; empty where the cell says nothing."""
    parts: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
            for argument in node.args:
                parts.append(_text_of(argument))
    return "\n\n".join(parts)


def _text_of(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else PLACE for part in node.values)
    return PLACE


def claimed_sentences(source: str) -> list[str]:
    """The sentences that a claim cell names."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "claims":
            for argument in node.args:
                if isinstance(argument, ast.Dict):
                    found += [_text_of(key) for key in argument.keys if key is not None]
    return found


##
# The parts of a lesson
##


def lesson_texts(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """All prose of a lesson with the place where it stands: Markdown, say cells, alt texts (also those in code)."""
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.source.startswith("## Check yourself"):  # questions suppose things; what explains the answers does not
            yield (
                f"cell {number} (quiz)",
                "\n\n".join(re.findall(r"^(?:Right\.|Not so).*?(?=\n\n|\Z)", cell.source, re.M | re.S)),
            )
            continue
        if cell.cell_type == "markdown":
            yield f"cell {number}", cell.source
        elif "say" in tags_of(cell):
            yield f"cell {number} (say)", say_text(cell.source)
        for alt in alt_texts(cell):
            yield f"cell {number} (alt text)", alt


def alt_texts(cell: NotebookNode) -> list[str]:
    """What a cell says in place of its pictures: in its metadata, and as ``alt=`` or ``alt = `` in its code."""
    found = [alt] if (alt := cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")) else []
    if cell.cell_type == "code" and "alt" in cell.source:
        code = "\n".join(line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!")))
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.keyword) and node.arg == "alt":
                found.append(_text_of(node.value))
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "alt":
                found.append(_text_of(node.value))
    return [alt for alt in found if alt != PLACE]


_COMPARES = re.compile(
    r"\b(?:worse|better|more|most|fewer|fewest|half(?!-| an? )|none|nobody|hardly|nearly|almost|longer|shorter|higher|"
    r"lower|faster|slower|larger|smaller|too (?:high|low)|as (?:good|many|much|long) as)\b",
    flags=re.I,
)


def unchecked_comparisons(notebook: NotebookNode) -> list[str]:
    """Sentences about the run (those of say cells, alt texts and the recap) that compare, and that no claim covers."""
    claimed = [plain_words(s) for c in notebook.cells if "claim" in tags_of(c) for s in claimed_sentences(c.source)]
    found: list[str] = []
    for number, cell in enumerate(notebook.cells, start=1):
        told = sentences(say_text(cell.source)) if "say" in tags_of(cell) else []
        told += [sentence for alt in alt_texts(cell) for sentence in sentences(alt)]
        recap = re.search(r"^## Recap\n(.*?)(?=^##|\Z)", cell.source, re.M | re.S)
        told += sentences(recap[1]) if recap and cell.cell_type == "markdown" else []
        for sentence in told:
            words = plain_words(sentence)
            if _COMPARES.search(re.sub(r"`[^`]*`", "", sentence)) and not any(c in words for c in claimed):
                found.append(f"cell {number}: {' '.join(sentence.split())!r}")
    return found


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    return [s for s in re.split(r"(?<=[.!?:])\s+(?=[A-Z\"*`(…])|\n\s*\n|\n(?=- )", text) if s.strip()]


def plain_words(text: str) -> str:
    """A text without marks and line breaks, to look for words in."""
    return " ".join(re.sub(r"[*`_]", "", text).lower().split())


def word_count(text: str) -> int:
    """Words that are read in one go: without code, tables, formulas, folded answers and headings."""
    for pattern in (
        r"^```.*?^```",
        r"^\|.*?$",
        r"<details>.*?</details>",
        r"\$\$.*?\$\$",
        r"^#+ .*?$",
        r"!\[[^\]]*\]\([^)]*\)",
    ):
        text = re.sub(pattern, " ", text, flags=re.M | re.S)
    return len(re.findall(r"\S*\w\S*", text))
