"""Each lesson has the parts that a lesson has, and its file holds nothing else."""

from __future__ import annotations

import ast
import itertools
import json
import re
from pathlib import Path

import nbformat
import pytest
import yaml
from bookbuild import paths
from bookbuild.exercises import find_exercises, tags_of
from bookbuild.notebooks import load_parameters
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
TAGS = {
    "parameters",
    "exercise",
    "check",
    "solution",
    "expected",
    "hide-input",
    "hide-output",
    "hide-cell",
    "remove-cell",
    "remove-input",
    "say",
    "claim",
    "raises-exception",
    "gallery",
}
GENERATED = {"commands", "mdp_terms", "api", "run_times"}
HEADER = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def markdown(notebook: NotebookNode) -> str:
    """All prose of a notebook."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def prose_without_code(notebook: NotebookNode) -> str:
    """All prose without fenced blocks and code spans."""
    text = re.sub(r"^```.*?^```", "", markdown(notebook), flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "", text)


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next of the same or a higher level."""
    level = len(heading.split(" ")[0])
    match = re.search(rf"^{re.escape(heading)}\b[^\n]*\n(.*?)(?=^#{{1,{level}}} |\Z)", text, flags=re.M | re.S)
    return match[1] if match else ""


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")), ids=lambda path: path.stem)
def test_a_heading_is_a_title_and_not_a_paragraph(path: Path) -> None:
    """A paragraph that lost the empty line above it becomes part of the heading, and of every table of contents."""
    headings = re.findall(r"^#+ .*", prose_without_code(nbformat.read(path, as_version=4)), flags=re.M)
    assert headings and not [one for one in headings if len(one) > 72 or "](" in one or re.search(r" min\) .", one)]


def test_every_lesson_of_the_table_of_contents_exists() -> None:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    lessons = [name for name in files if name.startswith("notebooks/")]
    on_disk = sorted(f"notebooks/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert lessons == on_disk


def test_opening(lesson: Path, notebook: NotebookNode) -> None:
    number = int(lesson.stem[:2])
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    lines = [line for line in first.source.splitlines() if line.strip()]
    assert re.fullmatch(rf"# {number} · .+", lines[0]), f"the first line is {lines[0]!r}, expected '# {number} · NAME'"
    promise = re.fullmatch(rf"\*\*Lesson {number} · (\d+) minutes\*\* · You will be able to", lines[1])
    assert promise, (
        f"the second line is {lines[1]!r}, expected '**Lesson {number} · MM minutes** · You will be able to'"
    )
    assert 10 <= int(promise[1]) <= 25
    assert len(re.findall(r"^\d\. ", first.source, flags=re.M)) == 3, "three points the reader will be able to do"
    assert f"](../book/figures/map_{number:02d}.svg)" in first.source, "the code map with this lesson's part lit"


def test_one_title(notebook: NotebookNode) -> None:
    headings = re.findall(r"^(#+) (.+)$", re.sub(r"^```.*?^```", "", markdown(notebook), flags=re.M | re.S), flags=re.M)
    levels = [len(marks) for marks, _ in headings]
    assert levels.count(1) == 1, "one heading of the first level"
    for before, after in itertools.pairwise(levels):
        assert after <= before + 1, f"a heading of level {after} under one of level {before}"


def test_exercises(lesson: Path, notebook: NotebookNode) -> None:
    text = markdown(notebook)
    assert section(text, "## Try it"), "a section '## Try it'"
    exercises = find_exercises(notebook)
    assert 1 <= len(exercises) <= 3
    numbers = re.findall(rf"^### Exercise {int(lesson.stem[:2])}\.(\d) · .+\(\d+ min\)$", text, flags=re.M)
    assert numbers == [str(k + 1) for k in range(len(exercises))], f"exercise headings are numbered {numbers}"
    for exercise in exercises:
        assert "hide-cell" in tags_of(notebook.cells[exercise.solution]), "a solution is folded"


def test_recap(notebook: NotebookNode) -> None:
    text = markdown(notebook)
    recap = section(text, "## Recap")
    assert len(re.findall(r"^\d\. ", recap, flags=re.M)) == 3, "the recap mirrors the three opening points"
    changes = section(text, "### Next changes")
    assert len(re.findall(r"^[-*] ", changes, flags=re.M)) >= 2, "two next changes"


def test_next_link_leads_to_the_next_lesson(lesson: Path, notebook: NotebookNode) -> None:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    names = [
        Path(entry["file"]).name for part in toc["parts"] for entry in part["chapters"] if "notebooks/" in entry["file"]
    ]
    position = names.index(lesson.stem)
    last = [line for line in notebook.cells[-1].source.splitlines() if line.strip()][-1]
    assert last.startswith("**Next:**"), f"the last line is {last!r}, expected '**Next:** …'"
    if position + 1 < len(names):
        assert f"({names[position + 1]}.ipynb)" in last


def test_parameters_cell(lesson: Path, notebook: NotebookNode) -> None:
    cells = [cell for cell in notebook.cells if "parameters" in tags_of(cell)]
    assert len(cells) == 1, "one cell tagged 'parameters'"
    names = set()
    for statement in ast.parse(cells[0].source).body:
        assert isinstance(statement, ast.Assign), f"only name = value, not {ast.unparse(statement)!r}"
        ast.literal_eval(statement.value)
        names.add(ast.unparse(statement.targets[0]))
        line = cells[0].source.splitlines()[(statement.end_lineno or 1) - 1]
        assert "#" in line, f"{ast.unparse(statement)!r} has no comment that gives its unit or meaning"
    unknown = set(load_parameters(paths.TEST_PARAMETERS).get(lesson.stem, {})) - names
    assert not unknown, f"{paths.TEST_PARAMETERS.name} sets {unknown}, which the cell does not have"


def test_markdown_is_plain(notebook: NotebookNode) -> None:
    """JupyterLab shows MyST's own syntax raw."""
    text = markdown(notebook)
    assert not re.search(r"^:::|^```\{|(?<!`)\{[a-z-]+\}`", text, flags=re.M), "MyST directives or roles"
    for block in re.findall(r"^```mermaid\n(.*?)^```", text, flags=re.M | re.S):
        assert "accTitle:" in block and "accDescr:" in block, "a diagram needs accTitle and accDescr"
    for alt, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", text):
        assert len(alt) > 10, f"the picture {target} has no text alternative worth the name: {alt!r}"
        assert not re.match(r"https?:", target), f"{target} lies on another server"


def test_nothing_is_left_unwritten(notebook: NotebookNode) -> None:
    """A paragraph of one word in capitals is a place that somebody meant to come back to."""
    places = re.findall(r"^(?:[A-Z]{3,}|\W*(?:TODO|FIXME|XXX)\b.*)$", markdown(notebook), flags=re.M)
    assert places == []


def test_links_lead_somewhere(lesson: Path, notebook: NotebookNode) -> None:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    known = {Path(e["file"]).name for part in toc["parts"] for e in part["chapters"]} | {"index"}
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_without_code(notebook)):
        if re.match(r"(https?:|mailto:|attachment:)", target):
            continue
        path, _, anchor = target.partition("#")
        if not path:
            anchors = {slug(h) for h in re.findall(r"^#+ (.+)$", markdown(notebook), flags=re.M)}
            assert anchor in anchors, f"no heading #{anchor} in this lesson"
            continue
        file = (lesson.parent / path).resolve()
        generated = file.parent == ROOT / "book" and file.stem in GENERATED
        planned = file.suffix == ".ipynb" and file.stem in known
        assert file.exists() or generated or planned, f"{target} leads nowhere"
        if anchor and file.suffix == ".md" and file.exists():
            anchors = {slug(h) for h in re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), flags=re.M)}
            assert anchor in anchors, f"{file.name} has no heading #{anchor}"


def slug(heading: str) -> str:
    """The anchor of a heading, as the Markdown parser of the book makes it."""
    text = re.sub(r"[`*]", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def test_pictures_have_alt_text(notebook: NotebookNode) -> None:
    """A cell that draws says what is to be seen: mystnb.image.alt, or alt= of show_video and show_image."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and re.search(r"^plt\.show\(", cell.source, flags=re.M):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt) > 20, f"no alt text for the picture of: {cell.source.splitlines()[0]!r}"


def test_stripped(lesson: Path, notebook: NotebookNode) -> None:
    """No outputs, no counts, no metadata beyond what the book uses."""
    raw = json.loads(lesson.read_text(encoding="utf-8"))
    assert raw["metadata"] == HEADER
    assert (raw["nbformat"], raw["nbformat_minor"]) == (4, 5)
    for cell in raw["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None
        assert not cell.get("attachments")
        assert set(cell["metadata"]) <= {"tags", "mystnb", "jupyter"}, f"stray metadata {cell['metadata']}"
        assert set(cell["metadata"].get("jupyter", {})) <= {"source_hidden"}
        unknown = set(cell["metadata"].get("tags", [])) - TAGS
        assert not unknown, f"unknown tags {unknown}"
    nbformat.validate(notebook)


def test_no_parameters_for_lessons_that_do_not_exist() -> None:
    assert set(load_parameters(paths.TEST_PARAMETERS)) <= {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
