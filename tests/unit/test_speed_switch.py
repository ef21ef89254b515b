"""The switch for everything that is there only for speed: what it takes, what it says, and life without the room."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cartpole_lab import shortcuts
from cartpole_lab.errors import UserError
from cartpole_lab.speed import switch
from cartpole_lab.speed.shortcut_table import KNOWN, PIECES, PLACES

PACKAGE = Path(shortcuts.__file__).parent
TRAIN = ["train", "--num_envs", "64", "--max_iterations", "1", "--eval_interval", "0"]


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing that a test has faked is remembered."""
    monkeypatch.setenv(shortcuts.SWITCH, "on")
    monkeypatch.setattr(switch, "_said", set())
    caches = (switch.why_not, switch._wrong_host, switch._version)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("on", set(PIECES)),
        ("", set(PIECES)),
        ("off", set()),
        ("step_replay", {"step_replay"}),
        (" idle_solver , step_replay", {"idle_solver", "step_replay"}),
        ("-step_replay", set(PIECES) - {"step_replay"}),
        ("-step_replay,-idle_solver", set(PIECES) - {"step_replay", "idle_solver"}),
    ],
)
def test_asked_for(words: str, expected: set[str]) -> None:
    assert switch.asked_for(words) == expected


@pytest.mark.parametrize("words", ["yes", "step_reply", "on,off", "step_replay,-idle_solver", "-", "step_replay,"])
def test_use_refuses_what_it_does_not_know_and_keeps_what_was(words: str) -> None:
    shortcuts.use("-idle_solver")
    with pytest.raises(UserError, match="expected") as caught:
        shortcuts.use(words)
    assert "\n" not in str(caught.value) and os.environ[shortcuts.SWITCH] == "-idle_solver"


def test_a_wrong_word_in_the_environment_is_one_line() -> None:
    done = run([], TRAIN, CARTPOLE_LAB_SPEED="sloow")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "'sloow' is not known: expected on, off" in done.stderr


def test_every_piece_finds_what_it_knows_in_the_pinned_packages() -> None:
    assert {name: reason for name in PIECES if (reason := switch.why_not(name))} == {}


def test_the_table_fits_together() -> None:
    assert {host for piece in PIECES.values() for host in piece.hosts} == set(KNOWN)
    placed = {name for _, names in PLACES.values() for name in names}
    assert placed | {name for name, piece in PIECES.items() if piece.needs} == set(PIECES)
    assert all(callable(getattr(shortcuts, place)) for place in PLACES)
    assert {name for piece in PIECES.values() for name in piece.needs} <= set(PIECES)
    for entry, _ in PLACES.values():
        module, _, name = entry.partition(":")
        assert f"{name}" in (PACKAGE / "speed" / f"{module}.py").read_text(encoding="utf-8")


def test_the_table_lists_every_private_name_that_the_room_uses() -> None:
    listed = {part for piece in PIECES.values() for name in piece.touches for part in re.split(r"[.:]", name)}
    unlisted, own, private = set(), set(), set()  # what one module of the room makes, another may use
    for path in (PACKAGE / "speed").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and not node.level and "._src" in (node.module or ""):
                unlisted |= {alias.name for alias in node.names} - listed
        own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        own |= {
            node.target.id for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) and hasattr(node.target, "id")
        }
        own |= {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and getattr(node.value, "id", "") == "self"
        }
        private |= {
            node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr)
        }
    unlisted |= private - own - listed
    # os._exit and sys._getframe are documented, and _ref is what Warp puts on its own description of an array
    assert unlisted == {"_exit", "_getframe", "_ref"}


def test_without_a_name_a_piece_stays_off_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    for name, piece in PIECES.items():
        for touched in piece.touches:
            switch.why_not.cache_clear()
            monkeypatch.setattr(switch, "has", lambda asked, touched=touched: asked != touched)
            switch._said.clear()
            assert not switch.on(name) and not switch.on(name)
            assert capfd.readouterr().err == f"cartpole-lab: without the shortcut {name}: {touched} is not there\n"


@pytest.mark.parametrize(
    ("touched", "there"),
    [
        ("warp:launch", True),
        ("warp:launch_all", False),
        ("warp._src.context:Module.execs", True),
        ("warp._src.context:Module.exec", False),
        ("warp._src.nowhere:x", False),
        ("torch._meta_registrations", True),
        ("torch._meta_registration", False),
        ("nowhere", False),
        ("nowhere.inside", False),
    ],
)
def test_has(touched: str, there: bool) -> None:
    assert switch.has(touched) is there


@pytest.mark.parametrize("host", [host for host in KNOWN if host != "python"])
def test_with_a_newer_host_training_works_and_says_one_line(
    host: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, tmp_path: Path
) -> None:
    from cartpole_lab.training.rl_games_train import train

    installed = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99.0" if name == host else installed(name))
    train(
        num_envs=16,
        device="cpu",
        max_iterations=1,
        eval_interval=0,
        eval_episodes=16,
        log_root=tmp_path,
        progress=False,
    )
    lines = [line for line in capfd.readouterr().err.splitlines() if "without the shortcut" in line]
    users = [name for name, piece in PIECES.items() if host in piece.hosts]
    assert len(lines) == 1 and f"{host} {KNOWN[host][0]}, and 99.0 is installed" in lines[0]
    named = lines[0].partition(": without the shortcut")[2].partition(":")[0]
    assert set(re.findall(r"\w{3,}", named)) == set(users)


def run(
    before: list[str], words: list[str], folder: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, after some lines of code."""
    code = "\n".join([*before, "import sys", "from cartpole_lab.cli import main", f"sys.exit(main({words!r}))"])
    root = str(folder or PACKAGE.parent)
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, cwd=root, capture_output=True, text=True
    )


def test_with_everything_newer_a_cold_start_trains_and_says_why(tmp_path: Path) -> None:
    newer = [
        "import importlib.metadata",
        "installed = importlib.metadata.version",
        f"importlib.metadata.version = lambda name: '99.0' if name in {list(KNOWN)} else installed(name)",
    ]
    done = run(newer, [*TRAIN, "--log_root", str(tmp_path)])
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if "without the shortcut" in line]
    assert 1 <= len(lines) <= len(KNOWN)
    named = {name for line in lines for name in re.findall(r"\w{3,}", line.split(":")[1]) if name in PIECES}
    assert named == {name for name, piece in PIECES.items() if set(piece.hosts) - {"python"}}


def test_without_the_folder_the_package_trains(tmp_path: Path) -> None:
    leave = shutil.ignore_patterns("speed", "__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "cartpole_lab", ignore=leave)
    check = (
        "import cartpole_lab, atexit, sys",
        f"assert cartpole_lab.__file__.startswith({str(tmp_path)!r})",
        "atexit.register(lambda: print('SPEED' if any('cartpole_lab.speed' in m for m in sys.modules) else 'PLAIN'))",
    )
    done = run(list(check), [*TRAIN, "--log_root", str(tmp_path / "logs")], folder=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "PLAIN" in done.stdout and "checkpoint" in done.stdout
    (tmp_path / "cartpole_lab" / "speed").mkdir()  # as a deleted folder leaves its compiled files behind
    done = run([], ["doctor"], folder=tmp_path)
    assert "removed" in done.stdout, done.stderr[-2000:]


GRADIENTS = """
import sys
import warp as wp
from cartpole_lab import make_env

env = make_env(num_envs=2, device="cpu")
env.reset()
assert wp.get_module_options(sys.modules["newton._src.sim.articulation"])["enable_backward"] is False
assert wp.config.enable_backward is True

@wp.kernel
def square(x: wp.array[float], y: wp.array[float]):
    y[wp.tid()] = x[wp.tid()] * x[wp.tid()]

x = wp.full(3, 3.0, dtype=float, device="cpu", requires_grad=True)
y = wp.zeros(3, dtype=float, device="cpu", requires_grad=True)
with wp.Tape() as tape:
    wp.launch(square, 3, [x], [y], device="cpu")
tape.backward(grads={y: wp.ones(3, dtype=float, device="cpu")})
assert x.grad.numpy().tolist() == [6.0] * 3
"""


def test_everybodys_own_kernels_keep_their_gradients(tmp_path: Path) -> None:
    script = tmp_path / "gradients.py"  # Warp reads kernels in their file
    script.write_text(GRADIENTS)
    words = [sys.executable, str(script)]  # of its own: the modules have an option from when they were imported
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
