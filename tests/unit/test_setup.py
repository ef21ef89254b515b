"""Set-up in real hands: a copied, moved or half made folder, another Python's packages, a home that takes no files.

The copy is this repository and its environment. Scripts, settings and metadata are there as in any copy, as hard links,
which shows that none is written into; folders of packages are links to the original's, because deleting a hundred
thousand files can take a minute. Nothing is fetched: every index that pip and uv could ask is this machine's port 9.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
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
LIMIT_S = 900
"""Far more than anything here takes, on a machine that is busy with other things."""


def run(*command: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the network refused."""
    # "make test" tells its children that they are makes within a make, and those say which folder they enter
    others = ("PIP_", "UV_", "PYTHON", "MAKE", "MFLAGS")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(others)} | REFUSED | env
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=LIMIT_S)


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


def set_up(folder: Path) -> str:
    """``make setup``; what it printed."""
    done = run("make", "setup", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def set_up_quickly(folder: Path) -> str:
    """``make setup`` where no package may be looked at, which is what takes time; what it printed."""
    said = set_up(folder)
    assert "installing" not in said and "making" not in said, said
    return said


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


HEADS = {
    "pip": "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
    "uv": "#!/bin/sh\n'''exec' {quoted} \"$0\" \"$@\"\n' '''\n",
    "uv_in_octal": "#!/bin/sh\n# coding: UTF-8\n'''exec' \"$(printf %b {octal})\" \"$0\" \"$@\"\n' '''\n",
    "plain": "#!{python}\n",
}
"""How scripts start that pip and uv wrote into a path with blanks or other letters."""


@pytest.mark.parametrize("where", ["kärt och påle", "it's here — 学习", "plain", "x" * 130])
@pytest.mark.parametrize("head", HEADS)
def test_a_script_is_mended_however_its_first_lines_quote_the_old_place(head: str, where: str, tmp_path: Path) -> None:
    old, venv = tmp_path / where / ".venv", tmp_path / "new" / where / ".venv"
    python = old / "bin" / "python"
    octal = " ".join(f"'\\'0{byte:03o}" for byte in str(python).encode())
    lines = HEADS[head].format(python=python, quoted=shlex.quote(str(python)), octal=octal)
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    script = venv / "bin" / "tool"
    script.write_text(lines + "import sys\nprint(sys.argv[0])\n", encoding="utf-8")
    script.chmod(0o755)
    done = run(sys.executable, ROOT / ".ci" / "relocate.py", venv, tmp_path / "new" / where, cwd=tmp_path)
    assert "1 files" in done.stdout, done.stdout + done.stderr
    assert str(old) not in script.read_text(encoding="utf-8")
    assert run(script, cwd=tmp_path).stdout.strip() == str(script)


def test_twice_is_instant_and_silent(folder: Path) -> None:
    """It stops at the stamp: neither that nor the environment's scripts are written again."""
    set_up(folder)
    files = [folder / ".venv", folder / ".venv" / ".installed", *(folder / ".venv" / "bin").iterdir()]

    def state() -> list[tuple[int, ...]]:
        return [(found.st_ino, found.st_size, found.st_mtime_ns) for found in map(Path.lstat, files)]

    before = state()
    assert set_up(folder) == ""
    assert state() == before


def test_a_moved_folder_is_mended(folder: Path, tmp_path: Path) -> None:
    set_up(folder)
    moved = folder.rename(folder.with_name("moved"))
    try:
        assert "copied or moved" in set_up_quickly(moved)
        assert says_where(moved, tmp_path) == str(moved / "cartpole_lab" / "__init__.py")
        assert names_of_pythons(moved) == {str(moved / ".venv" / "bin" / "python")}
        assert run(moved / ".venv" / "bin" / "cartpole-lab", "--help", cwd=tmp_path).returncode == 0
    finally:
        moved.rename(folder)


def test_other_pins_are_noticed_and_what_fits_is_not_fetched_again(folder: Path) -> None:
    set_up(folder)
    with (folder / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write("# a comment\n")
    assert "installing" in set_up(folder)
    assert set_up(folder) == ""


def test_a_python_that_is_gone_is_replaced(folder: Path, tmp_path: Path) -> None:
    set_up(folder)
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


def fake(folder: Path, **commands: str) -> str:
    """A PATH on which some commands print something of our own."""
    folder.mkdir()
    for name, text in commands.items():
        (folder / name).write_text(f"#!/bin/sh\necho '{text}'\n")
        (folder / name).chmod(0o755)
    return os.pathsep.join([str(folder), os.environ["PATH"]])


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        ({"uname": "Darwin"}, "cannot be installed on macOS: its omniverseclient"),
        ({"getconf": "glibc 2.31"}, "glibc 2.31 is too old: Isaac Lab 3.0.0 needs 2.35"),
        ({"getconf": "glibc 2.9"}, "glibc 2.9 is too old"),
        ({"getconf": ""}, "this Linux has no glibc"),
    ],
)
def test_a_system_without_wheels_is_one_line(bare: Path, tmp_path: Path, commands: dict[str, str], words: str) -> None:
    done = run("bash", ".ci/setup.sh", ".venv", cwd=bare, PATH=fake(tmp_path / "fake", **commands))
    assert done.returncode == 2
    assert words in done.stderr and done.stderr.count("\n") == 1
    assert not (bare / ".venv").exists()


##
# Where it can be installed: what the package index said, and what the pages say
##


def platforms() -> dict[str, dict[str, list[str]]]:
    """The record that ``make platforms`` writes, held against the lock file."""
    sys.path.insert(0, str(ROOT / ".ci"))
    import platforms as script

    record = json.loads(script.RECORD.read_text(encoding="utf-8"))
    assert record["pins"] == script.pins_hash(), "the lock file is another one: make platforms"
    assert set(record["systems"]) == set(script.SYSTEMS)
    return record["systems"]


SOURCES_THAT_BUILD_ANYWHERE = {"antlr4-python3-runtime", "gym", "rliable"}
"""Pure Python, published without a wheel."""


def test_the_record_says_what_the_pages_say() -> None:
    missing = {name: set(found["without_wheel"]) - SOURCES_THAT_BUILD_ANYWHERE for name, found in platforms().items()}
    assert not missing["Linux, x86-64, glibc 2.35 or newer"] and not missing["Windows, x86-64"]
    assert "omniverseclient" in missing["Linux, x86-64, glibc 2.34"]
    assert missing["Linux, ARM, glibc 2.39"] == {"psutil", "pyopengl-accelerate"}
    for name in ("macOS 13 or newer, Apple silicon", "macOS 13 or newer, Intel"):
        assert {"omniverseclient", "usd-exchange"} <= missing[name]
    page = " ".join((ROOT / "book" / "setup.md").read_text(encoding="utf-8").split())
    for words in ("glibc 2.35", "`omniverseclient`", "`psutil`", "`pyopengl-accelerate`", "not possible"):
        assert words in page, f"the set-up page does not say {words}"
    assert "tab-item} macOS" not in page


def test_the_installed_wheels_need_the_glibc_that_is_named() -> None:
    needed = (0, 0)
    for found in importlib.metadata.distributions():
        tags = re.findall(r"^Tag: \S+-\S+-(\S+)$", found.read_text("WHEEL") or "", re.MULTILINE)
        versions = [tuple(map(int, v)) for tag in tags for v in re.findall(r"manylinux_(\d+)_(\d+)", tag)]
        if versions and "any" not in tags:
            needed = max(needed, min(versions))
    assert needed == (2, 35)


##
# A machine on which another PyTorch is installed already, such as Colab
##


def wheel(folder: Path, name: str, version: str, files: dict[str, bytes]) -> str:
    """Write a wheel; the line of a lock file for it."""
    info = f"{name}-{version}.dist-info"
    files |= {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]).encode()
    target = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(target.read_bytes()).hexdigest()}\n"


@pytest.fixture
def preinstalled(tmp_path: Path) -> Path:
    """The Python of an environment, active, with a PyTorch that is not ours."""
    venv = tmp_path / "preinstalled"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    site = next(venv.glob("lib/python3*/site-packages"))
    (site / "torch").mkdir()
    (site / "torch" / "__init__.py").write_text("__version__ = '2.9.0+cu126'\n")
    (site / "torch-2.9.0+cu126.dist-info").mkdir()
    (site / "torch-2.9.0+cu126.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: torch\nVersion: 2.9.0+cu126\n"
    )
    return venv / "bin" / "python"


def test_set_up_makes_an_environment_of_its_own(bare: Path, preinstalled: Path, tmp_path: Path) -> None:
    """With stand-ins for the packages, from a folder of wheels: which files go where is what is looked at."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    uv = shutil.which("uv", path=str(VENV / "bin"))
    site = next(VENV.glob("lib/python3*/site-packages"))
    flit = {p.relative_to(site).as_posix(): p.read_bytes() for p in (site / "flit_core").rglob("*") if p.is_file()}
    lines = [
        wheel(wheels, "flit_core", "3.12.0", {n: c for n, c in flit.items() if "__pycache__" not in n}),
        wheel(wheels, "torch", "2.11.0", {"torch/__init__.py": b"__version__ = '2.11.0'\n"}),
        wheel(wheels, "uv", "0.13.9", {"uv-0.13.9.data/scripts/uv": f'#!/bin/sh\nexec "{uv}" "$@"\n'.encode()}),
    ]
    (bare / "requirements.lock").write_text("".join(lines))
    for name in ("cartpole_lab", "book/installed", "README.md", "LICENSE"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, bare / name)
    before = {path: path.stat().st_mtime_ns for path in preinstalled.parents[1].rglob("*") if path.is_file()}
    path = os.pathsep.join([str(preinstalled.parent), str(VENV / "bin"), "/usr/bin", "/bin"])
    site_of_theirs = str(next(preinstalled.parents[1].glob("lib/python3*/site-packages")))
    leaks = {"VIRTUAL_ENV": str(preinstalled.parents[1]), "PYTHONPATH": site_of_theirs}
    (theirs := tmp_path / "constraints.txt").write_text("torch==2.9.0\nuv==0.1.0\n")  # as NVIDIA's containers have them
    leaks |= dict.fromkeys(("PIP_CONSTRAINT", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_BUILD_CONSTRAINT"), str(theirs))
    leaks |= {"UV_NO_BINARY": "1", "PIP_NO_BINARY": ":all:", "UV_EXCLUDE_NEWER": "2020-01-01", "UV_SYSTEM_PYTHON": "1"}
    (config := tmp_path / "pip.conf").write_text("[install]\nuser = true\n")
    leaks |= {"PIP_CONFIG_FILE": str(config), "UV_TORCH_BACKEND": "cpu"}
    done = run("make", "setup", cwd=bare, PATH=path, UV_FIND_LINKS=str(wheels), **leaks)
    assert done.returncode == 0, done.stdout + done.stderr
    own = bare / ".venv" / "bin" / "python"
    seen = run(
        own, "-I", "-c", "import torch, cartpole_lab; print(torch.__version__, cartpole_lab.__file__)", cwd=tmp_path
    )
    assert seen.stdout.split(maxsplit=1) == ["2.11.0", f"{bare}/cartpole_lab/__init__.py\n"], seen.stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert run("make", "setup", cwd=bare, PATH=path, **leaks).stdout.count("\n") == 1, (
        "only that PYTHONPATH is left out"
    )


def test_another_pytorch_is_named_with_what_to_do(preinstalled: Path, tmp_path: Path) -> None:
    isaaclab = next(preinstalled.parents[1].glob("lib/python3*/site-packages")) / "isaaclab-3.0.0.dist-info"
    command = [str(preinstalled), "-m", "cartpole_lab.cli", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for words in ("isaaclab is not installed in", "torch 2.9.0 is installed in"):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0
        assert done.stderr.startswith(words) and done.stderr.count("\n") == 1
        assert "make setup" in done.stderr and "an environment of its own" in done.stderr
        isaaclab.mkdir(exist_ok=True)
        (isaaclab / "METADATA").write_text("Metadata-Version: 2.1\nName: isaaclab\nVersion: 3.0.0\n")


def test_the_versions_that_are_named_are_the_pinned_ones() -> None:
    import inspect

    from cartpole_lab.session import surroundings

    wanted = dict(re.findall(r'"(\w+)": "([\d.]+)"', inspect.getsource(surroundings.name_other_versions)))
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert wanted and all(
        re.search(rf"^{n}(\[\w+\])?=={re.escape(v)}\b", lock, re.MULTILINE) for n, v in wanted.items()
    )


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
    code = (
        "from cartpole_lab.cli import main\nfrom cartpole_lab import doctor\nfrom cartpole_lab.doctor import imports\n"
        "doctor.LIMIT_S = imports.LIMIT_S = 1800.0\nraise SystemExit(main(['doctor']))"  # busy is not broken
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": foreign}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=LIMIT_S)
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


def test_a_user_site_is_left_out_with_its_own_cure(foreign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python itself has none in an environment such as ours; one that is installed elsewhere may."""
    from cartpole_lab.session import surroundings

    other, said = foreign.split(os.pathsep)[1], list[str]()
    monkeypatch.setattr(surroundings, "announce", said.append)
    monkeypatch.setattr("site.ENABLE_USER_SITE", True)
    monkeypatch.setattr("site.getusersitepackages", lambda: other)
    monkeypatch.setattr(sys, "path", [*sys.path, other])
    monkeypatch.setattr(surroundings, "left_out", {})
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PYTHONNOUSERSITE", "")
    assert list(surroundings.leave_out_foreign_packages()) == [other]
    assert other not in sys.path and os.environ["PYTHONNOUSERSITE"] == "1"
    assert len(said) == 1 and said[0].endswith("export PYTHONNOUSERSITE=1")


@pytest.mark.parametrize(
    "spelt",
    ["{0}/", "{0}/../other", "//{0}", "other", "./other/", "/nowhere/at/all:other", ":{0}/", ""],
    ids=["slash", "dots", "two_slashes", "relative", "dot", "second", "empty_and_slash", "empty"],
)
def test_a_folder_on_the_path_may_be_spelt_in_any_way(foreign: str, spelt: str) -> None:
    """Python makes entries absolute, and an empty one the current folder: ``PYTHONPATH=$PYTHONPATH:/opt`` has one."""
    other = Path(foreign.split(os.pathsep)[1])
    inside = spelt == ""
    path = os.pathsep + "/nowhere" if inside else spelt.format(other)
    code = "import cartpole_lab.session, sys; import yaml, os; print(yaml.__file__, os.environ.get('PYTHONPATH'))"
    command = [sys.executable, "-P", "-c", code]
    cwd = other if inside else other.parent
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(f"left out: {other} of PYTHONPATH") and done.stderr.count("\n") == 1
    assert str(VENV) in done.stdout and str(other) not in done.stdout


def test_isaac_sims_own_packages_stay(foreign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from cartpole_lab.session import surroundings

    monkeypatch.setenv("PYTHONPATH", foreign)
    assert len(surroundings.foreign_packages()) == 2
    monkeypatch.setenv("ISAAC_PATH", str(Path(foreign.split(os.pathsep)[1]).parent))
    assert surroundings.foreign_packages() == {}


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
    from cartpole_lab.session.cache_folders import _HOMES

    names = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "WARP_CACHE_PATH", "PYTHONPATH", *_HOMES)  # ours may have some
    environment = {k: v for k, v in os.environ.items() if k not in names} | {"HOME": "/dev/null/home"}
    environment["TMPDIR"] = str(tmp_path)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(str(tmp_path)) for line in done.stdout.splitlines())
    said = [line for line in done.stderr.splitlines() if "cannot be written" in line]
    assert len(said) == 1 and "WARP_CACHE_PATH names another place" in said[0]
    elsewhere = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    command[-1] = (
        "import cartpole_lab.session, matplotlib, os; print(matplotlib.get_configdir(), os.environ['IPYTHONDIR'])"
    )
    done = subprocess.run(command, cwd=tmp_path, env=environment | elsewhere, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert all(place.startswith(str(tmp_path / "cache")) for place in done.stdout.split())
