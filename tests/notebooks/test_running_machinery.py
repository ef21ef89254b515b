"""The machinery that runs lessons catches what it promises to catch. Real kernels, tiny notebooks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from bookbuild import digest, notebooks, paths
from bookbuild.exercises import add_second_checks, find_exercises, fold_second_checks, output_text, tags_of
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


def lesson_with(*cells: tuple[str, str]) -> nbformat.NotebookNode:
    """A notebook of (tag, source) pairs; the tag '' means none."""
    made = [new_code_cell(source, metadata={"tags": [tag]} if tag else {}) for tag, source in cells]
    return new_notebook(cells=[new_markdown_cell("# 0 · A lesson"), *made])


CHECK = "print('✓ right' if answer() == 9 else f'✗ answer() is {answer()}, expected 9')"
STUB, SOLUTION = "def answer():\n    return 3", "def answer():\n    return 9"


@pytest.fixture
def run_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run cells as a lesson in a folder of their own."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "run")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")

    def run(*cells: tuple[str, str], parameters: dict | None = None, package: str | None = None, exercises: bool = True):
        path = tmp_path / "00_tiny.ipynb"
        nbformat.write(lesson_with(*cells), path)
        return notebooks.run_notebook(path, parameters or {}, package=package, exercises=exercises), path

    return run


def test_page_shows_the_hint_under_the_starter_and_the_tick_with_the_solution(run_cells) -> None:
    run, path = run_cells(("exercise", STUB), ("check", CHECK), ("solution", SOLUTION), ("", "print(answer())"))
    assert run.problems == ()
    page = notebooks.page_notebook(run, path)
    assert [tags_of(c) for c in page.cells] == [[], ["exercise"], ["check"], ["solution"], []]
    assert output_text(page.cells[2]).strip() == "✗ answer() is 3, expected 9"
    assert output_text(page.cells[3]).strip() == "✓ right"
    assert output_text(page.cells[4]).strip() == "9"


def test_stub_that_passes_is_a_problem(run_cells) -> None:
    run, _ = run_cells(("exercise", SOLUTION), ("check", CHECK), ("solution", SOLUTION))
    assert len(run.problems) == 1 and "the stub must fail" in run.problems[0]


def test_solution_that_fails_is_a_problem(run_cells) -> None:
    run, _ = run_cells(("exercise", STUB), ("check", CHECK), ("solution", STUB))
    assert len(run.problems) == 1 and "the solution must pass" in run.problems[0]


def test_error_names_cell_and_error_and_keeps_the_notebook(run_cells) -> None:
    run, _ = run_cells(("", "x = 1"), ("", "x.undo()"))
    assert run.problems == ("cell 3 (x.undo()): AttributeError: 'int' object has no attribute 'undo'",)
    assert Path(run.executed).is_file()


def test_stderr_is_noise(run_cells) -> None:
    run, _ = run_cells(("", "import warnings; warnings.warn('too hot')"))
    assert run.problems == () and len(run.noise) == 1 and "too hot" in run.noise[0]


def test_claims_are_kept_until_lesson_or_column_change(run_cells, tmp_path: Path, monkeypatch, capsys) -> None:
    import run_claims

    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    cell = "from cartpole_lab.teaching.narration import claims\nclaims({'it is small': seed < 3})"
    path = tmp_path / "06_tiny.ipynb"
    nbformat.write(lesson_with(("parameters", "seed = 1  # a seed"), ("claim", cell)), path)
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path)
    assert run_claims.main(["--only", "seed 1", "seed 3"]) == 1
    assert "| 06 | it is small | ✓ | ✗ |" in capsys.readouterr().out
    ran = {file: file.stat().st_mtime_ns for file in (tmp_path / "run").rglob("*.ipynb")}
    assert run_claims.main(["--only", "seed 1"]) == 0
    assert ran == {file: file.stat().st_mtime_ns for file in ran}, "the kept verdicts were not taken"
    capsys.readouterr()
    monkeypatch.setattr(run_claims, "RECORD", tmp_path / "claims.txt")
    assert run_claims.main(["--kept", "--record", "--seeds", "1", "3"]) == 1
    recorded = (tmp_path / "claims.txt").read_text(encoding="utf-8")
    assert "| 06 | it is small | ✓ | ✗ | · | · |" in recorded and run_claims.describe_machine() in recorded
    assert ran == {file: file.stat().st_mtime_ns for file in ran}, "something was run"
    with pytest.raises(SystemExit):
        run_claims.main(["--kept", "--record", "--only", "seed 1"])


def test_one_value_goes_to_all_lessons_that_have_the_parameter(run_cells, tmp_path: Path) -> None:
    from run_notebooks import run_lessons

    for name, given in (("01_with", "seed = 1  # a seed"), ("02_without", "other = 1  # no seed")):
        nbformat.write(lesson_with(("parameters", given), ("", "print(globals().get('seed'))")), tmp_path / f"{name}.ipynb")
    runs = run_lessons(sorted(tmp_path.glob("0*.ipynb")), cache=False, everywhere={"seed": 7})
    shown = [output_text(nbformat.read(run.executed, as_version=4).cells[-1]).strip() for run in runs]
    assert shown == ["7", "None"]


def test_parameters_replace_values_and_keep_comments(run_cells) -> None:
    cells = (("parameters", "n = 1024  # carts\nname = 'a'  # a name"), ("", "print(n, name)"))
    run, path = run_cells(*cells, parameters={"n": 8})
    page = notebooks.page_notebook(run, path)
    assert page.cells[1].source == "n = 8  # carts\nname = 'a'  # a name"
    assert output_text(page.cells[2]).strip() == "8 a"
    with pytest.raises(ValueError, match="assigns no m"):
        run_cells(*cells, parameters={"m": 8})


def test_unchanged_lesson_is_not_run_again(run_cells) -> None:
    cells = (("parameters", "n = 1  # carts"), ("", "print(n)"))
    assert not run_cells(*cells, package="a")[0].cached
    assert run_cells(*cells, package="a")[0].cached
    assert not run_cells(*cells, package="b")[0].cached
    assert not run_cells(*cells, package="b", parameters={"n": 2})[0].cached
    failing = (("", "1 / 0"),)
    assert not run_cells(*failing, package="a")[0].cached
    assert not run_cells(*failing, package="a")[0].cached, "a failure is not remembered"


def test_a_moved_folder_takes_its_own_stored_results(run_cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = (("", "print(7)"),)
    run_cells(*cells, package="a")
    (tmp_path / "cache").rename(tmp_path / "moved")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "moved")
    run, source = run_cells(*cells, package="a")
    assert run.cached and Path(run.executed).is_relative_to(tmp_path / "moved")
    assert output_text(notebooks.page_notebook(run, source).cells[1]).strip() == "7"
    Path(run.executed).unlink()
    assert not run_cells(*cells, package="a")[0].cached, "a result without its notebook is none"


def test_order_of_an_exercise_is_enforced() -> None:
    with pytest.raises(ValueError, match="expected 'check'"):
        find_exercises(lesson_with(("exercise", STUB), ("solution", SOLUTION), ("check", CHECK)))
    with pytest.raises(ValueError, match="without a 'solution'"):
        find_exercises(lesson_with(("exercise", STUB), ("check", CHECK)))


def test_second_checks_come_and_go() -> None:
    original = lesson_with(("exercise", STUB), ("check", CHECK), ("solution", SOLUTION))
    prepared = add_second_checks(original)
    assert len(prepared.cells) == len(original.cells) + 1
    assert [c.source for c in fold_second_checks(prepared).cells] == [c.source for c in original.cells]


def test_a_learners_copy_may_be_solved_or_not(run_cells) -> None:
    run, path = run_cells(("exercise", SOLUTION), ("check", CHECK), ("solution", SOLUTION), exercises=False)
    assert run.problems == ()
    assert output_text(notebooks.page_notebook(run, path).cells[2]).strip() == "✓ right"


##
# One environment, whatever else is on the machine
##


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another Python's packages on the path, its kernel registered as python3, a start-up file of IPython's."""
    bad, kernels = tmp_path / "bad", tmp_path / "share" / "kernels" / "python3"
    for name in ("yaml", "nbformat", "numpy"):
        (bad / name).mkdir(parents=True)
        (bad / name / "__init__.py").write_text("raise ImportError('of another Python')")
    kernels.mkdir(parents=True)
    spec = {"argv": ["/opt/conda/bin/python", "-f", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    (kernels / "kernel.json").write_text(json.dumps(spec))
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("leaked = True")
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 77")
    monkeypatch.setenv("PYTHONPATH", str(bad))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    return bad


def test_a_lesson_runs_in_this_environment(elsewhere: Path, run_cells) -> None:
    looks = "import sys, os, yaml, numpy, matplotlib, cartpole_lab"
    found = "sys.executable, os.environ['PYTHONPATH'], 'leaked' in globals(), matplotlib.rcParams['lines.linewidth']"
    run, _ = run_cells(("", f"{looks}; print({found}, sep='\\n')"))
    assert run.problems == () and run.noise == ()
    text = output_text(nbformat.read(run.executed, as_version=4).cells[1]).strip().splitlines()
    assert text == [sys.executable, str(paths.ROOT), "False", "1.5"]
    assert os.environ["PYTHONPATH"] == str(elsewhere), "this process's own variables stay as they were"


@pytest.mark.parametrize("script", ["build.py", "run_notebooks.py"])
def test_the_scripts_leave_another_python_out_and_say_so(elsewhere: Path, script: str) -> None:
    command = [sys.executable, str(paths.BOOK / script), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if line.startswith("left out, ")]
    assert [line.split(": ")[1].split("=")[0] for line in said] == ["PYTHONPATH", "JUPYTER_PATH"]


def test_results_are_keyed_by_what_is_installed_and_switched(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest.package_digest()
    monkeypatch.setenv("CARTPOLE_LAB_A_SWITCH", "off")
    switched = digest.package_digest()
    real = digest.importlib.metadata.distributions
    monkeypatch.setattr(digest.importlib.metadata, "distributions", lambda: [d for d in real() if d.name != "torch"])
    assert len({before, switched, digest.package_digest()}) == 3


def test_stray_files_run_no_lesson_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "cartpole_lab"
    (package / "tasks").mkdir(parents=True)
    (package / "tasks" / "a.py").write_text("x = 1")
    (tmp_path / "requirements.lock").write_text("")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "PACKAGE", package)
    monkeypatch.setattr(digest.importlib.metadata, "distributions", list)
    before = digest.package_digest()
    strays = [".DS_Store", "a.py~", ".a.py.swp", "#a.py#", ".#a.py", "a.py.orig", "a.bak", "__pycache__/a.cpython-312.pyc"]
    strays += [".ipynb_checkpoints/a-checkpoint.py", "Thumbs.db", "__pycache__/x.py"]
    for name in strays:
        path = package / "tasks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("y = 2")
        assert digest.package_digest() == before, name
    (package / "tasks" / "a.py").write_text("x = 2")
    assert digest.package_digest() != before


def test_every_file_of_the_package_counts() -> None:
    command = ["git", "ls-files", "cartpole_lab"]
    tracked = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=True).stdout.split()
    files = {path.relative_to(paths.ROOT).as_posix() for path in digest.package_files()}
    assert {name for name in tracked if (paths.ROOT / name).is_file()} <= files


##
# Two at once, and stopped in the middle
##

RUN_ONE = """
import sys
import time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from bookbuild.notebooks import run_notebook
run = run_notebook(Path(sys.argv[2]), {"who": sys.argv[3]})
print(run.problems, run.executed)
sys.exit(bool(run.problems))
"""


def test_two_at_once_run_apart(tmp_path: Path) -> None:
    path = tmp_path / "00_tiny.ipynb"
    work = "import pathlib, time\npathlib.Path(who).touch()\ntime.sleep(2)\nprint(who, *pathlib.Path('.').glob('[ab]'))"
    nbformat.write(lesson_with(("parameters", "who = 'x'  # a name"), ("", work), ("", "1 / (who == 'b')")), path)
    environment = {**os.environ, "CARTPOLE_BOOK_OUTPUT": str(tmp_path)}
    command = [sys.executable, "-c", RUN_ONE, str(paths.BOOK), str(path)]
    options = {"env": environment, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([*command, who], **options) for who in "ab"]
    printed = [process.communicate(timeout=600)[0] for process in both]
    assert [process.returncode for process in both] == [1, 0], printed
    assert "ZeroDivisionError" in printed[0]
    for who, text in zip("ab", printed, strict=True):
        kept = nbformat.read(text.split()[-1], as_version=4)
        cell = next(cell for cell in kept.cells if "time.sleep" in cell.source)
        assert output_text(cell).split() == [who, who], "it runs in a folder of its own, and what is kept is its own"


def test_whoever_comes_second_waits_and_says_so(tmp_path: Path) -> None:
    """The first one is at work until the second has said that it waits."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from bookbuild.locks import turn\n"
        "with turn(Path(sys.argv[2]), 'at work'):\n    print('begins', flush=True); sys.stdin.readline()"
    )
    command = [sys.executable, "-c", code, str(paths.BOOK), str(tmp_path / "a" / "lock")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as first:
        assert first.stdout.readline() == "begins\n"
        with subprocess.Popen(command, **pipes) as second:
            assert second.stdout.readline() == "another process is at work: waiting for it\n"
            assert first.poll() is None
            first.communicate("go on\n")
            assert second.stdout.readline() == "begins\n", "its turn has come"
            second.communicate("go on\n")
    assert first.returncode == second.returncode == 0


def test_stopping_a_build_is_one_line(tmp_path: Path) -> None:
    """While it runs a lesson that would go on for ever."""
    running = tmp_path / "running"
    endless = f"import pathlib, threading\npathlib.Path({str(running)!r}).touch()\nthreading.Event().wait()"
    nbformat.write(lesson_with(("", endless)), tmp_path / "05_endless.ipynb")
    command = [sys.executable, str(paths.BOOK / "build.py"), "--test", "--no-film", "--online-scripts"]
    environment = {**os.environ, "CARTPOLE_BOOK_OUTPUT": str(tmp_path), "CARTPOLE_BOOK_NOTEBOOKS": str(tmp_path)}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    process = subprocess.Popen(command, env=environment, **options)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("[ 1/1] 05_")
    while not running.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    spent = -1.0
    while (now := sum(psutil.Process(process.pid).cpu_times()[:2])) > spent + 0.05:  # it may have heard of that cell later
        spent = now
        time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 130
    assert said.strip() == "stopped; lessons that ended are kept, so the next build goes on from there"
