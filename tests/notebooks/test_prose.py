"""Prose cannot contradict the run: its numbers come from somewhere, and what it compares is checked."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import nbformat
import pytest
import run_claims
from bookbuild import claims as claims_of
from bookbuild import constants, paths, prose, slow_cells
from bookbuild.constants import code_constants, package_constants, sources_from
from bookbuild.exercises import tags_of
from bookbuild.prose import unfounded_numbers
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from cartpole_lab.teaching.narration import CLAIMS_MIME, claims, count

CODE = "steps = 600\nband = (-0.25 * math.pi, 0.25 * math.pi)\nshare = 0.995\nwords = 'train --num_envs 128'\n"
SOURCES = dataclasses.replace(
    sources_from(package_constants() | code_constants(CODE), commits=True),
    records={"seeds.txt": "| 3 | 4.928 | 99.80% |"},
)


@pytest.mark.parametrize(
    "text",
    [
        "Let the carts play 600 steps (10 s), each of 1/60 s, with pushes of ±100 N.",
        "Poles start within ±0.79 rad, that is 45°, and 99.5% of them last.",
        "A failure costs −2 × 1/60 = −0.033, once; 600 ÷ 60 = 10.",
        "See lesson 6, exercise 3.1 and lessons 2, 3 and 4 for `x = 937` in an H100 with Isaac Lab 3.0 (2.x had more).",
        "### Exercise 6.1 · Solved (7 min)\n\n7. a list\n\n```python\nreturn 937\n```\n\n$$937$$",
        "With 128 carts, as `--num_envs` says. Two things differ, and five are alike.",
        "Three seeds gave 4.928 and 99.80% ([measured](../book/measured/seeds.txt)).",
        "It took 14.7 s on a slow day (commit `4e8a676`).",
    ],
)
def test_numbers_with_a_source_pass(text: str) -> None:
    assert unfounded_numbers(text, SOURCES) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("957 of 1027 games in the run of this page", "957"),
        ("eleven carts of a hundred fall", "eleven carts of a hundred"),
        ("nineteen poles in twenty stand", "in twenty"),
        ("worth about −14", "14"),
        ("the trainer reports 4.78", "4.78"),
        ("down to a third after 0.16 s", "0.16"),
        ("30 epochs later", "30"),
        ("2 × 3 = 37 carts", "37"),
        ("Three seeds gave 4.927 ([measured](../book/measured/seeds.txt)).", "4.927"),
        ("A cart from `seeds` gave 4.928.", "4.928"),
        ("thirty-seven carts", "thirty"),
        ("`957` games", "957"),
        ("$957$ games, and $-14$ for each", "14"),
        ("## 957 games", "957"),
        ("### Exercise 6.1 · 957 games (7 min)", "957"),
        ("957x faster", "957"),
        ("after 17s", "17"),
        ("71k steps a second", "71"),
        ("returns .93 of it", ".93"),
        ("½ of what was there", "½"),
        ("⅞ of them fall, the Ⅶth too", "⅞"),
        ("a dozen carts fall", "a dozen"),
        ("_957_ games", "957"),
        ("`957 games` of `1027`", "957"),
        ("`957 of 1027` games", "957"),
        (r"$957\,\text{games}$", "957"),
        (r"$\approx 957$", "957"),
        ("<img src=x alt='957 games'>", "957"),
        ("a third of the carts fall", "a third of the carts"),
        ("half the poles hang", "half the poles"),
        ("4% of them fall", "4"),
        ("60% of them fall", "60"),
        ("from 7 < 957 and 957 > 7", "957"),
        ("the epoch-957 policy", "957"),
        ("lines 957 and 1027", "957"),
        ("| 957 | carts |", "957"),
    ],
)
def test_numbers_from_nowhere_are_found(text: str, found: str) -> None:
    assert any(found in line for line in unfounded_numbers(text, SOURCES)), unfounded_numbers(text, SOURCES)


def test_what_explains_a_quiz_is_prose_and_what_asks_is_not() -> None:
    quiz = "## Check yourself\n\n**Question 1.** Why 937?\n\n<details><summary>937</summary>\n\nNot so. It is 957.\n\n</details>"
    ((_, text),) = prose.lesson_texts(new_notebook(cells=[new_markdown_cell(quiz)]))
    assert text == "Not so. It is 957."


def test_a_lesson_has_no_commit_to_lean_on() -> None:
    lesson = dataclasses.replace(SOURCES, commits=False)
    assert unfounded_numbers("It took 14.7 s on a slow day (commit `4e8a676`).", lesson)


def test_say_cells_lend_their_own_numbers_only() -> None:
    text = prose.say_text('say(f"""Down after {third:.2f} s, at 937 rad.""")')
    assert text == "Down after … s, at 937 rad."
    assert len(unfounded_numbers(text, SOURCES)) == 1


def test_a_comparison_needs_a_claim() -> None:
    said = new_code_cell(
        'say(f"""**Epoch {n}.** The tested policy is *worse*: {k} fall.""")', metadata={"tags": ["say"]}
    )
    claim = new_code_cell('claims({"the tested policy is worse": a < b})', metadata={"tags": ["claim"]})
    assert len(prose.unchecked_comparisons(new_notebook(cells=[said]))) == 1
    assert prose.unchecked_comparisons(new_notebook(cells=[said, claim])) == []
    picture = {"mystnb": {"image": {"alt": "Two lines: the tested policy is worse"}}}
    drawn = new_code_cell("plt.show()", metadata=picture)
    filmed = new_code_cell(
        'alt = "Nine carts, most fall"\nshow_video(film, alt=alt)\nshow_video(film, alt="hardly a cart")'
    )
    recap = new_markdown_cell("## Recap\n\n1. The tested policy is worse.\n\n### Next changes\n\nTrain more.")
    assert len(prose.unchecked_comparisons(new_notebook(cells=[drawn, filmed, recap]))) == 4
    assert len(prose.unchecked_comparisons(new_notebook(cells=[drawn, filmed, recap, claim]))) == 2
    assert [text for _, text in prose.lesson_texts(new_notebook(cells=[filmed]))] == [
        "Nine carts, most fall",
        "hardly a cart",
    ]


def test_lesson_11_draws_what_was_recorded() -> None:
    """The recorded line stands in the lesson's code as numbers: they are those of the record."""
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \|", constants.measured_records()["speed_gpu.txt"], flags=re.M)
    recorded = [[float(value.replace(",", "")) for value in column] for column in zip(*rows, strict=True)]
    lesson = (paths.NOTEBOOKS / "11_bigger_machines.ipynb").read_text(encoding="utf-8")
    drawn = re.search(r"plt\.loglog\((\[[\d, ]+\]), (\[[\d, ]+\])", lesson)
    assert drawn and [ast.literal_eval(part) for part in drawn.groups()] == recorded


def test_claims_tell_the_reader_and_the_build(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    shown: list[dict] = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    claims({"the longer run is worse": False, "most carts stay": True})
    claims({"most carts stay": True})
    assert "✗ the longer run is worse" in shown[0]["text/plain"] and "most" not in shown[0]["text/plain"]
    assert shown[1]["text/plain"] == "✓ 1 statement of the page holds in this run"
    cells = [new_code_cell("claims(…)", outputs=[new_output("display_data", data=d)]) for d in shown]
    notebook = new_notebook(cells=[*cells, new_code_cell("pass", metadata={"tags": ["claim"]})])
    problems = claims_of.claim_problems(notebook)
    assert len(problems) == 2 and "the longer run is worse" in problems[0] and "checked nothing" in problems[1]
    assert CLAIMS_MIME == claims_of.MIME


def test_counts_read_well() -> None:
    assert [count(n, "cart") for n in (0, 1, 7, 1024)] == ["no cart", "1 cart", "7 carts", "1,024 carts"]


def test_the_page_adds_the_seconds_of_its_own_run() -> None:
    promise = new_markdown_cell("Text.\n\n> **Slow cell.** About half a minute on two cores.")
    slow = new_code_cell("train()", metadata={"papermill": {"duration": 71.6}})
    notebook = new_notebook(cells=[promise, slow])
    assert (
        slow_cells.with_measured_waits(notebook).cells[0].source.endswith("cores. *(When this page was made: 72 s.)*")
    )
    promise.source = "> **Slow cell.** Half a minute; later some\n> seconds.\n\nMore."
    assert (
        "some\n> seconds. *(When this page was made: 72 s.)*\n\nMore."
        in slow_cells.with_measured_waits(notebook).cells[0].source
    )
    promise.source = "Text.\n\n> **Slow cell.** About half a minute on two cores."
    assert slow_cells.broken_promises(notebook) == ["cell 2 took 72 s, and the lesson promises 'half a minute'"]
    assert slow_cells.promised("> **Slow cell.** 5 to 15 s.") == ""
    assert slow_cells.promised("no promise") is None


def test_claims_run_over_seeds_threads_and_instructions() -> None:
    columns = run_claims.conditions([1, 2, 3, 4, 5])
    assert [c.seed for c in columns[:5]] == [1, 2, 3, 4, 5] and len({c.name for c in columns}) == len(columns)
    assert {c.threads for c in columns} == {1, 2} and {c.capability for c in columns} == {None, "default"}
    assert columns[0].parameters(["seed", "epochs"]) == {"seed": 1} and columns[-1].parameters(["threads"]) == {
        "threads": 1
    }
    assert columns[0].parameters(["epochs"]) == columns[1].parameters(["epochs"]) == {}
    verdicts = {"06_x": {"seed 1": {"it is worse": True}, "seed 2": {"it is worse": False}, "seed 3": None}}
    text = run_claims.table(verdicts, ["seed 1", "seed 2", "seed 3"])
    assert text.splitlines()[-1] == "| 06 | it is worse | ✓ | ✗ | · |"
    assert run_claims.table({"07_x": {"seed 1": None}}, ["seed 1"]).splitlines()[-1] == "| 07 | *not run* | · |"
    assert len(run_claims.table({"05_x": {"seed 1": {}}}, ["seed 1"]).splitlines()) == 2, "a lesson that states nothing"


def test_the_page_of_promises_shows_the_claims_that_were_recorded() -> None:
    page = (paths.BOOK / "promises.md").read_text(encoding="utf-8")
    assert "measured/claims.txt" in page and "✗" not in run_claims.RECORD.read_text(encoding="utf-8")


def test_what_is_recorded_is_what_the_lessons_claim_today() -> None:
    rows = re.findall(r"^\| (\d\d) \| (.+?) \|", run_claims.RECORD.read_text(encoding="utf-8"), flags=re.M)
    claimed = [
        (path.stem[:2], sentence)
        for path in paths.lesson_paths()
        for cell in nbformat.read(path, as_version=4).cells
        if "claim" in tags_of(cell)
        for sentence in prose.claimed_sentences(cell.source)
    ]
    assert sorted(rows) == sorted(set(claimed)), "python book/run_claims.py --record 03 renews the rows of lesson 3"


def test_rows_of_some_lessons_can_be_recorded_anew() -> None:
    head = run_claims.table({}, ["seed 1", "2 threads"])
    before = f"{head}\n| 05 | it ran | ✓ | ✓ |\n| 06 | worse | ✓ | ✓ |\n| 06 | gone | ✓ | ✓ |\n\nRun on a machine.\n"
    now = run_claims.table({"06_x": {"seed 1": {"worse": False, "new": True}}}, ["seed 1", "2 threads"])
    for _ in range(2):  # once more changes nothing but the date
        before = run_claims.recorded(now, ["06"], before)
        rows, first, again = before.strip().split("\n\n")
        assert rows.splitlines()[2:] == ["| 05 | it ran | ✓ | ✓ |", "| 06 | worse | ✗ | ✓ |", "| 06 | new | ✓ | · |"]
        assert first == "Run on a machine." and again.startswith("Lessons 06 once more: run on ")


def test_a_lesson_that_states_nothing_has_not_failed() -> None:
    assert run_claims.all_hold({"05_x": {"seed 1": {}}, "06_x": {"seed 1": {"it is worse": True}}})
    assert not run_claims.all_hold({"05_x": {"seed 1": None}})
    assert not run_claims.all_hold({"06_x": {"seed 1": {"it is worse": False}}})


def test_numbers_of_the_prose_come_from_somewhere(lesson: Path, notebook: NotebookNode) -> None:
    sources = constants.lesson_sources(notebook)
    found = [f"{place}: {n}" for place, text in prose.lesson_texts(notebook) for n in unfounded_numbers(text, sources)]
    assert not found, "\n".join(found)


def test_comparisons_are_checked(lesson: Path, notebook: NotebookNode) -> None:
    assert not (found := prose.unchecked_comparisons(notebook)), "\n".join(found)


def test_claims_are_words_of_the_lesson(notebook: NotebookNode) -> None:
    words = prose.plain_words(" ".join(text for _, text in prose.lesson_texts(notebook)))
    for cell in notebook.cells:
        for sentence in prose.claimed_sentences(cell.source) if "claim" in tags_of(cell) else []:
            assert prose.plain_words(sentence) in words, f"the lesson does not say {sentence!r}"


OTHERS = {"migration", "bibliography", "setup", "surprises"}  # versions, years; and surprises.md has a check for each
PAGES = sorted(p.relative_to(paths.ROOT) for p in paths.BOOK.glob("*.md") if p.stem not in OTHERS)
PAGES += [Path("notebooks/README.md"), Path("README.md")]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_numbers_of_the_pages_come_from_somewhere(page: Path) -> None:
    text = (paths.ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"<!-- seeds: .*?<!-- end of seeds -->", "", text, flags=re.S)  # written by the benchmarks themselves
    assert not (found := unfounded_numbers(text, constants.page_sources())), "\n".join(found)


def test_no_block_of_prose_is_too_long(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (words := prose.word_count(cell.source)) > 150:
            pytest.fail(f"{words} words between two cells, expected at most 150: {cell.source[:60]!r}")


def test_slow_cells_are_promised_in_words(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert slow_cells.promised(cell.source) != "", (
                f"expected one of {list(slow_cells.PROMISES)}: {cell.source[-200:]!r}"
            )


def test_quiz_explains_wrong_answers(lesson: Path, notebook: NotebookNode) -> None:
    quiz = next(c.source for c in notebook.cells if c.source.startswith("## Check yourself"))
    questions = re.split(r"^\*\*Question \d+\.\*\* ", quiz, flags=re.M)[1:]
    assert 2 <= len(questions) <= 3
    for question in questions:
        options = re.findall(r"<details><summary>.+?</summary>\n\n(.+?)\n\n</details>", question, flags=re.S)
        assert len(options) >= 3 and sum(option.startswith("Right.") for option in options) == 1, question
        assert not re.search(r"<summary>[^<]*`", question), (
            f"Markdown is not read inside HTML, expected <code>: {question}"
        )
        for option in options:
            assert option.startswith("Right.") or (option.startswith("Not so") and len(option.split()) >= 8), option
