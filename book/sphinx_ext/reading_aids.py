"""What helps a reader along: words that lead to the glossary, a line of text under a search result, fresh styles.

All of it works from a page opened as a file, which may load a script and may not fetch another page.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

HERE = Path(__file__).resolve().parent
STATIC = HERE.parent / "static"
GLOSSARY = "book/glossary"
LONGEST_TEXT = 60_000
"""Characters of a page that the search page keeps; the longest lesson has about half of that."""
_NAMES = ("Newton", "Warp", "PhysX")
"""Words that are names: 100 newtons are none of theirs."""
_EVERYDAY = ("value", "perfect", "kit", "step", "actor")
"""Words of the glossary that pages mostly mean in their everyday sense; only links by hand lead to them."""
_NOUN = re.compile(r"\b(?:the|a|an|each|every|its|of|mean|median|own|evaluated|default) $", re.IGNORECASE)
"""What stands before a return that is a sum; a function returns something else."""
_SHORT_WORD_OF_CODE = re.compile(r'<span class="pre">(?=[^<]*-)([^<]{1,24})</span>')
"""Such as a flag: a browser would end a line behind its hyphens."""
_OUTPUT = re.compile(r'(<div class="output [^>]*><div class="highlight">)<pre>(.*?</pre>)', re.DOTALL)
_NOT_LINKED = (GLOSSARY, "book/gallery")
_LINKS = (nodes.reference, addnodes.pending_xref)
"""The second kind is a link to a page of the book, before Sphinx has looked the page up."""
_NOT_INSIDE = (*_LINKS, nodes.literal, nodes.title, nodes.math, nodes.raw, nodes.strong, nodes.caption)


def terms_of(text: str) -> dict[str, tuple[str, str]]:
    """The words of the glossary, each with the id of its entry and what the entry says.

    >>> terms_of("# Glossary\\n\\n## Discount (gamma)\\nWhat [later](x.md) counts.")["gamma"]
    ('discount-gamma', 'What later counts.')
    """
    found = {}
    for entry in text.split("\n## ")[1:]:
        title, _, body = entry.partition("\n")
        plain = re.sub(r"\s*\[Lesson \d+\]\([^)]*\)\.?", "", body.strip())
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", plain)
        for word in re.split(r" \(|\)", title):
            if word:
                key = word if word.isupper() or word in _NAMES else word[0].lower() + word[1:]
                found[key] = (nodes.make_id(title), " ".join(plain.split()))
    return found


def link_terms(app: Sphinx, doctree: nodes.document) -> None:
    """Lead the first mention of each word of the glossary on a page to its entry."""
    path = Path(app.srcdir) / f"{GLOSSARY}.md"
    if app.env.docname in _NOT_LINKED or not path.is_file():
        return
    app.env.note_dependency(str(path))
    terms = terms_of(path.read_text(encoding="utf-8"))
    left = {word: entry for word, entry in terms.items() if word not in _EVERYDAY}
    for link in doctree.findall(addnodes.pending_xref):  # what is led there by hand needs no second way
        anchor = link.get("reftargetid") if link.get("reftarget", "").endswith(GLOSSARY) else None
        left = {word: entry for word, entry in left.items() if entry[0] != anchor}
    for paragraph in doctree.findall(nodes.paragraph):
        for text in list(paragraph.findall(nodes.Text)):
            if left and not any(isinstance(above, _NOT_INSIDE) for above in _above(text)):
                _link_in(text, left)


def _above(node: nodes.Node) -> list[nodes.Node]:
    found = []
    while (node := node.parent) is not None:
        found.append(node)
    return found


def _link_in(text: nodes.Text, left: dict[str, tuple[str, str]]) -> None:
    """Split a text at words that still lack their link; takes them, and others of the same entry, out of ``left``."""
    whole, parts, at = text.astext(), [], 0
    words = sorted(left, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?:e?s)?(?![\w-])", re.IGNORECASE)
    for match in pattern.finditer(whole):
        word = next((w for w in words if w in left and _same(w, match[0])), None)
        if word is None or (word == "return" and not _NOUN.search(whole[: match.start()])):
            continue
        anchor = left[word][0]
        link = nodes.reference("", match[0], refuri=f"../{GLOSSARY}.html#{anchor}", internal=True, classes=["term"])
        parts += [nodes.Text(whole[at : match.start()]), link]
        at = match.end()
        for other in [w for w in left if left[w][0] == anchor]:
            del left[other]
    if parts:
        text.parent.replace(text, [*parts, nodes.Text(whole[at:])])


def _same(word: str, found: str) -> bool:
    """Whether a text is this word, or several of it; a name, or what is written in capitals, must be so in the text."""
    if word in _NAMES:
        return found == word
    forms = (word, f"{word}s", f"{word}es")
    return found in forms if word.isupper() else found.lower() in (form.lower() for form in forms)


def keep_lines_whole(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Mark what the style sheet shall not break: short words of code that have a hyphen, and output in columns."""
    if "body" in context:
        body = _SHORT_WORD_OF_CODE.sub(r'<span class="pre whole">\1</span>', context["body"])
        context["body"] = _OUTPUT.sub(lambda found: found[1] + _columns(found[2]) + found[2], body)


def _columns(output: str) -> str:
    """The tag that begins an output: with a class if two lines or more have gaps in them."""
    gaps = sum(bool(re.search(r"\S {2,}\S", line)) for line in output.splitlines())
    return '<pre class="columns">' if gaps >= 2 else "<pre>"


def write_texts(app: Sphinx, error: Exception | None) -> None:
    """Leave the pages' words where the search page finds them, and the glossary's where every page does."""
    if error is not None or app.builder.format != "html":
        return
    texts = {}
    for name in sorted(app.env.found_docs):
        kinds = nodes.title | nodes.paragraph | nodes.literal_block
        blocks = app.env.get_doctree(name).findall(lambda node, kinds=kinds: isinstance(node, kinds))
        texts[name] = " ".join(" ".join(block.astext().split()) for block in blocks)[:LONGEST_TEXT]
    out = Path(app.outdir) / "_static"
    (out / "texts.js").write_text(f"window.bookTexts = {json.dumps(texts, ensure_ascii=False)};\n", encoding="utf-8")
    path = Path(app.srcdir) / f"{GLOSSARY}.md"
    entries = dict(terms_of(path.read_text(encoding="utf-8")).values()) if path.is_file() else {}
    (out / "glossary.js").write_text(
        f"window.bookTerms = {json.dumps(entries, ensure_ascii=False)};\n", encoding="utf-8"
    )


def render_all_after_a_change(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """All pages, if a style, a script or one of these extensions is another than last time.

    Sphinx looks at pages only. Without a changed one it copies no style sheet, and the address of a style sheet carries
    its checksum, which stands in every page.
    """
    files = sorted([*STATIC.glob("*"), *HERE.glob("*.py")])
    digest = hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()
    stored = Path(app.doctreedir) / "static.digest"
    if stored.is_file() and stored.read_text(encoding="utf-8") == digest:
        return []
    stored.write_text(digest, encoding="utf-8")
    return sorted(env.found_docs)
