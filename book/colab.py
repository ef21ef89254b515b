"""The notebook behind "Open in Colab": ``python book/colab.py`` writes ``book/colab.ipynb``.

The repository's address is one constant, ``repository.url`` in ``_config.yml``. While it is empty there is no such
notebook, and no page has the button. Colab's own Python stays as it is: its PyTorch is not Isaac Lab's, so the course
is set up beside it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT / "book" / "colab.ipynb"
_INTRO = """# {title}, in Colab

Colab's Python has another PyTorch than this Isaac Lab needs. So the first cell fetches the course and sets it up
*beside* that Python: some minutes, once a session. Then choose a lesson: it runs from top to bottom, with its
solutions, and shows what it printed and drew. For cells that you change yourself, use a machine of
your own: `make lab`.

Nobody has run this on Colab itself; its first cell was tried in a bare Python 3.12."""
_FETCH = """import pathlib, subprocess

ADDRESS = "{address}"
folder = pathlib.Path("{name}").resolve()
if not folder.is_dir():
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", ADDRESS, str(folder)], check=True)
subprocess.run(["make", "setup"], cwd=folder, check=True)"""
_TRAIN = """subprocess.run([".venv/bin/cartpole-lab", "train", "--stop_when_solved"], cwd=folder, check=True)"""
_LESSON = """lesson = "{first}"  # @param {lessons}
subprocess.run([".venv/bin/python", "book/run_notebooks.py", lesson, "--keep", "out"], cwd=folder, check=True)

from IPython.display import HTML

(ran,) = (folder / "out").glob(f"{{lesson}}_*.ipynb")
page = subprocess.run([".venv/bin/jupyter", "nbconvert", "--to", "html", "--stdout", str(ran)], cwd=folder, check=True,
                      capture_output=True, text=True).stdout
HTML(page)"""


def address() -> str:
    """The repository's address, without a slash at its end; empty until there is one."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return str(config.get("repository", {}).get("url") or "").rstrip("/").removesuffix(".git")


def link(repository: str, branch: str = "main") -> str:
    """Where Colab opens the notebook; empty for a repository that is not on GitHub, which Colab does not open.

    >>> link("https://github.com/someone/cart")
    'https://colab.research.google.com/github/someone/cart/blob/main/book/colab.ipynb'
    """
    host, _, name = repository.removeprefix("https://").partition("/")
    ours = host == "github.com" and name.count("/") == 1
    return f"https://colab.research.google.com/github/{name}/blob/{branch}/book/colab.ipynb" if ours else ""


def notebook(repository: str) -> nbformat.NotebookNode:
    """The notebook for a repository at that address."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    numbers = [path.name[:2] for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
    lessons = "[" + ", ".join(f'"{number}"' for number in numbers) + "]"
    sources = [
        _FETCH.format(address=repository, name=repository.rpartition("/")[2]),
        _TRAIN,
        _LESSON.format(first=numbers[0], lessons=lessons),
    ]
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_markdown_cell(_INTRO.format(title=config["title"]), id="intro")]
    made.cells += [nbformat.v4.new_code_cell(source, id=f"cell{i}") for i, source in enumerate(sources)]
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return made


def main() -> int:
    """Write the notebook, or delete it where there is no address."""
    if where := address():
        PATH.write_text(nbformat.writes(notebook(where)) + "\n", encoding="utf-8")
        print(f"wrote {PATH.relative_to(ROOT)}; pages open it by {link(where) or 'nothing: Colab opens GitHub only'}")
        return 0
    PATH.unlink(missing_ok=True)
    print("no notebook for Colab: repository.url in _config.yml is empty")
    return 0


if __name__ == "__main__":
    sys.exit(main())
