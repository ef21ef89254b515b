"""The glossary has the words that the lessons use, in order, and lessons lead to it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
WORDS = (
    "GAE",
    "lambda",
    "Advantage",
    "Critic",
    "gamma",
    "Log-probability",
    "KL",
    "Epoch",
    "Minibatch",
    "Wrapper",
    "Seed",
)


def test_glossary_has_the_words_of_the_learner() -> None:
    headings = re.findall(r"^## (.+)$", GLOSSARY, flags=re.M)
    assert headings == sorted(headings, key=str.lower)
    missing = [word for word in (*WORDS, "Domain randomisation") if not any(word in heading for heading in headings)]
    assert missing == []


def test_every_entry_says_what_its_word_means() -> None:
    for entry in GLOSSARY.split("\n## ")[1:]:
        name, _, text = entry.partition("\n")
        assert len(text.split()) >= 6, f"{name}: {text!r}"


def test_lessons_lead_to_glossary_and_reference() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert len(re.findall(r"\.\./book/glossary\.md#", text)) >= 5
    assert "../book/mdp_terms.md" in text
