"""Set-up in real hands: a copied, moved or half made folder, another Python's packages, a home that takes no files.

The copy is this repository and its environment. Scripts, settings and metadata are there as in any copy, as hard links,
which shows that none is written into; folders of packages are links to the original's, because deleting a hundred
thousand files can take a minute. Nothing is fetched: every index that pip and uv could ask is this machine's port 9.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENV = Path(sys.prefix)
NOWHERE = "http://127.0.0.1:9/simple"
REFUSED = {
    **dict.fromkeys(("UV_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_INDEX_URL"), NOWHERE),
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
    **{"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1", "PIP_NO_INDEX": "1", "UV_OFFLINE": "1"},
}
"""No way to a package from here."""


def run(*command: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the network refused."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "PYTHON"))} | REFUSED | env
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def tracked(into: Path) -> None:
    """The repository as a fresh clone has it, in a folder."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, into / name)


def copy_environment(into: Path) -> None:
    """The running environment, copied as the text at the top says."""
    site = next(VENV.glob("lib/python3*/site-packages"))
    packages = [path.name for path in site.iterdir() if path.is_dir() and path.suffix != ".dist-info"]

    def left_for_later(folder: str, names: list[str]) -> list[str]:
        return packages if folder == str(site) else []

    shutil.copytree(VENV, into, symlinks=True, ignore=left_for_later, copy_function=os.link)
    for package in packages:
        (into / site.relative_to(VENV) / package).symlink_to(site / package)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A copy of this repository with its environment, in a path with blanks and letters beyond ASCII."""
    place = ROOT / "_build" / f"test-setup-{os.getpid()}"  # the same disk, for the hard links
    copy = place / "kärt och påle"
    copy.mkdir(parents=True)
    tracked(copy)
    run("make", "setup", cwd=ROOT)  # the stamp of the original, as a reader has it
    copy_environment(copy / ".venv")
    yield copy
    shutil.rmtree(place)


def says_where(folder: Path, tmp_path: Path) -> str:
    """The package that the folder's command would run."""
    code = "import cartpole_lab; print(cartpole_lab.__file__)"
    return run(folder / ".venv" / "bin" / "python", "-c", code, cwd=tmp_path).stdout.strip()


def names_of_pythons(folder: Path) -> set[str]:
    """The interpreters that the scripts of a folder's environment name."""
    found = set()
    for script in (folder / ".venv" / "bin").iterdir():
        if script.is_file() and not script.is_symlink() and script.read_bytes()[:2] == b"#!":
            found |= set(
                re.findall(r"[^ '\"!]*/(?:[^'\"\n]*/)?bin/python[0-9.]*", script.read_text().split("import")[0])
            )
    return found


def set_up_quickly(folder: Path) -> str:
    """``make setup`` in less than the ten seconds that a mended folder may take; what it printed."""
    start = time.perf_counter()
    done = run("make", "setup", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.perf_counter() - start < 10
    return done.stdout


def test_a_copied_folder_runs_its_own_code(folder: Path, tmp_path: Path) -> None:
    original = {p: p.read_bytes() for p in [VENV / "bin" / "cartpole-lab", *VENV.glob("lib/*/site-packages/*.pth")]}
    assert "copied or moved" in set_up_quickly(folder)
    assert says_where(folder, tmp_path) == str(folder / "cartpole_lab" / "__init__.py")
    assert names_of_pythons(folder) == {str(folder / ".venv" / "bin" / "python")}
    for script in ("cartpole-lab", "jupyter", "pytest"):
        done = run(folder / ".venv" / "bin" / script, "--help", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    activated = f'. "{folder}/.venv/bin/activate" && command -v cartpole-lab'
    assert run("bash", "-c", activated, cwd=tmp_path).stdout.strip() == str(folder / ".venv/bin/cartpole-lab")
    assert {p: p.read_bytes() for p in original} == original, "the original shares its files with the copy"


def test_twice_is_instant_and_silent(folder: Path) -> None:
    set_up_quickly(folder)
    start = time.perf_counter()
    assert set_up_quickly(folder) == ""
    assert time.perf_counter() - start < 1.5


def test_a_moved_folder_is_mended(folder: Path, tmp_path: Path) -> None:
    set_up_quickly(folder)
    moved = folder.rename(folder.with_name("moved"))
    try:
        assert "copied or moved" in set_up_quickly(moved)
        assert says_where(moved, tmp_path) == str(moved / "cartpole_lab" / "__init__.py")
        assert names_of_pythons(moved) == {str(moved / ".venv" / "bin" / "python")}
        assert run(moved / ".venv" / "bin" / "cartpole-lab", "--help", cwd=tmp_path).returncode == 0
    finally:
        moved.rename(folder)


def test_other_pins_are_noticed_and_what_fits_is_not_fetched_again(folder: Path) -> None:
    set_up_quickly(folder)
    with (folder / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write("# a comment\n")
    assert "installing" in set_up_quickly(folder)
    assert set_up_quickly(folder) == ""


def test_a_python_that_is_gone_is_replaced(folder: Path, tmp_path: Path) -> None:
    set_up_quickly(folder)
    python = folder / ".venv" / "bin" / "python3.12"
    target = os.readlink(python)
    python.unlink()
    python.symlink_to("/opt/a/python/that/is/gone/bin/python3.12")
    path = os.pathsep.join([str(Path(sys.executable).resolve().parent), os.environ["PATH"]])
    done = run("make", "setup", cwd=folder, PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "making .venv with Python 3.12" in done.stdout
    assert says_where(folder, tmp_path) == str(folder / "cartpole_lab" / "__init__.py")
    assert Path(target).exists()


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A fresh clone, without an environment."""
    clone = tmp_path / "fresh clone"
    clone.mkdir()
    for name in ("requirements.lock", "pyproject.toml", "Makefile", ".ci"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, clone / name)
    return clone


def test_without_a_network_the_last_line_says_what_to_do(bare: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).resolve().parent), "/usr/bin", "/bin"])
    done = run("make", "setup", cwd=bare, PATH=path)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(lines) == 1 and lines[0].startswith("set-up: error: uv could not be fetched"), done.stderr
    assert lines[0].endswith("try again: make setup")


def test_another_platform_makes_the_environment_anew(bare: Path) -> None:
    venv = bare / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    (venv / "lib").mkdir()
    (venv / ".installed").write_text(f"folder {venv}\npython 3.12.0 /x\nplatform Darwin arm64\npins 1 2\n")
    done = run("make", "setup", cwd=bare)
    assert "was made on Darwin arm64" in done.stdout and "making it anew" in done.stdout
    assert done.returncode == 2 and not (venv / ".installed").exists()


def test_no_python_of_the_right_version_is_one_line(bare: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "cat", "cksum", "uname", "sed", "mkdir", "flock", "rm"):
        (tools / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    done = run("bash", ".ci/setup.sh", ".venv", cwd=bare, PATH=str(tools), HOME=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith("set-up: error: Isaac Lab 3.0 needs Python 3.12") and done.stderr.count("\n") == 1


##
# What leaks in
##


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PYTHONPATH with packages of another Python, none of which can be imported, and last a folder of one's own."""
    place = tmp_path_factory.mktemp("elsewhere")
    ros, other, mine = place / "ros" / "lib" / "python3.10" / "site-packages", place / "other", place / "mine"
    for site, names in ((ros, ["rclpy"]), (other, ["numpy", "yaml", "torch", "traitlets", "nbformat"])):
        for name in names:
            (site / name).mkdir(parents=True)
            (site / name / "__init__.py").write_text("raise ImportError('of another Python')\n")
    mine.mkdir()
    (mine / "my_task.py").write_text("")
    return os.pathsep.join(map(str, (ros, other, mine)))


def test_the_command_leaves_another_pythons_packages_out_and_says_so(foreign: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cartpole_lab.cli", "doctor"]
    environment = {**os.environ, "PYTHONPATH": foreign}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("left out: ")]
    assert len(said) == 2
    assert "packages of Python 3.10" in said[0] and "other copies of nbformat, numpy, torch, …" in said[1]
    assert done.stdout.count("Other Python ") == 2 and "all 14 there" in done.stdout


def test_a_good_folder_on_the_path_stays(foreign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from cartpole_lab.session import surroundings

    *bad, mine = foreign.split(os.pathsep)
    monkeypatch.setenv("PYTHONPATH", foreign)
    monkeypatch.setenv("PYTHONNOUSERSITE", "")
    monkeypatch.setattr(sys, "path", [*foreign.split(os.pathsep), *sys.path])
    monkeypatch.setattr(surroundings, "left_out", {})
    assert list(surroundings.leave_out_foreign_packages()) == bad
    assert os.environ["PYTHONPATH"] == mine
    assert mine in sys.path and not set(bad) & set(sys.path)
    assert surroundings.leave_out_foreign_packages() == {}


def test_make_runs_nothing_of_another_python(foreign: str, folder: Path) -> None:
    done = run("make", "setup", cwd=folder, PYTHONPATH=foreign, PYTHONHOME="/nowhere", VIRTUAL_ENV="/nowhere")
    assert done.returncode == 0, done.stderr
    done = run("make", "test", "ARGS=--version", cwd=folder, PYTHONPATH=foreign, PYTHONHOME="/nowhere")
    assert done.returncode == 0, done.stderr
    assert f"PYTHONPATH is left out here: {foreign}" in done.stdout


def test_a_home_that_takes_no_files(tmp_path: Path) -> None:
    code = (
        "import cartpole_lab.session, warp as wp; wp.config.quiet = True; wp.init()\n"
        "print(wp.config.kernel_cache_dir)\nimport matplotlib; print(matplotlib.get_cachedir())"
    )
    names = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "WARP_CACHE_PATH", "MPLCONFIGDIR", "PYTHONPATH")
    environment = {k: v for k, v in os.environ.items() if k not in names} | {"HOME": "/dev/null/home"}
    environment["TMPDIR"] = str(tmp_path)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(str(tmp_path)) for line in done.stdout.splitlines())
    said = [line for line in done.stderr.splitlines() if "cannot be written" in line]
    assert len(said) == 1 and "WARP_CACHE_PATH names another place" in said[0]
