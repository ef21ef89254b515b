"""Buttons to the repository and to Colab come with its address, and Colab's notebook is made of that one constant."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "book"), str(ROOT / "book" / "sphinx_ext")]
ADDRESS = "https://github.com/someone/cart"


def page_with(tmp_path: Path, address: str) -> str:
    """A lesson's page in the book's theme, built with this repository address."""
    from sphinx.application import Sphinx

    source = tmp_path / "source"
    (source / "notebooks").mkdir(parents=True)
    (source / "notebooks" / "01_a.md").write_text("# A lesson\n\nWords.\n", encoding="utf-8")
    (source / "index.md").write_text("# Book\n\n```{toctree}\nnotebooks/01_a\n```\n", encoding="utf-8")
    settings = {"extensions": ["myst_parser", "cartpole_book", "sphinx_book_theme"], "nb_ipywidgets_js": {}}
    settings |= {"html_theme": "sphinx_book_theme", "html_theme_options": {"repository_url": address}}
    out = tmp_path / "html"
    Sphinx(str(source), None, str(out), str(tmp_path / "doctrees"), "html", settings, status=None).build()
    return (out / "notebooks" / "01_a.html").read_text(encoding="utf-8")


def test_without_an_address_no_button_leads_anywhere(tmp_path: Path) -> None:
    page = page_with(tmp_path, "")
    assert "colab" not in page.lower() and "fa-github" not in page


def test_with_an_address_there_are_buttons(tmp_path: Path) -> None:
    page = page_with(tmp_path, ADDRESS)
    assert 'href="https://colab.research.google.com/github/someone/cart/blob/main/book/colab.ipynb"' in page
    assert f'href="{ADDRESS}"' in page and f'href="{ADDRESS}/issues' in page


def test_colab_opens_github_only() -> None:
    import colab

    assert colab.link("https://gitlab.com/someone/cart") == colab.link("") == colab.link("https://github.com/x") == ""


def test_the_notebook_agrees_with_the_address() -> None:
    """After a change of ``repository.url``, run ``python book/colab.py``."""
    import colab

    made = nbformat.writes(colab.notebook(colab.address())) + "\n" if colab.address() else None
    assert (colab.PATH.read_text(encoding="utf-8") if colab.PATH.is_file() else None) == made


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_the_first_cell_fetches_and_sets_up_in_a_bare_python(tmp_path: Path, again: bool) -> None:
    """With a small repository in this one's place; tests/unit/test_setup.py looks at what its `make setup` does."""
    import colab

    origin = tmp_path / "cart"
    origin.mkdir()
    (origin / "Makefile").write_text("setup:\n\t@echo set up >> done.txt\n", encoding="utf-8")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.invalid", "-C", str(origin)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    made = colab.notebook(origin.as_uri())
    nbformat.validate(made)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(python.parents[1])], check=True)
    here = tmp_path / "content"
    here.mkdir()
    for _ in range(1 + again):
        command = [str(python), "-I", "-c", made.cells[1].source]
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (here / "cart" / "done.txt").read_text() == "set up\n" * (1 + again)
    for cell in made.cells[2:]:
        compile(cell.source, "cell", "exec")
    numbers = [path.name[:2] for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
    assert all(f'"{number}"' in made.cells[3].source for number in numbers)
