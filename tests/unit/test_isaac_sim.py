"""Isaac Sim, played by a stand-in that behaves as it does: nothing asks unseen, hangs, or ends well that did not."""

from __future__ import annotations

import contextlib
import importlib
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from standin_isaacsim_install import install_standin

from cartpole_lab import isaac_sim
from cartpole_lab.doctor.features import isaac_sim as look
from cartpole_lab.errors import UserError

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "cartpole_lab.cli", "train", "--device", "cpu", "--num_envs", "4"]

pytestmark = pytest.mark.skipif(isaac_sim.state().version is not None, reason="the real Isaac Sim is installed here")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on ``sys.path`` for the stand-in, and no licence accepted in the environment."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    for name in (isaac_sim.ACCEPTED, "ISAAC_PATH", "CARTPOLE_LAB_PHYSICS", "CARTPOLE_LAB_RENDERER"):
        monkeypatch.delenv(name, raising=False)
    importlib.invalidate_caches()
    yield folder
    assert "isaacsim" not in sys.modules, "looking must not import it"
    importlib.invalidate_caches()


def found() -> dict[str, tuple[str, str]]:
    """What doctor says about Isaac Sim: status and words, by line."""
    return {check.name: (check.status, check.found + " " + check.fix) for check in look()}


def test_doctor_tells_the_cases_apart_by_metadata_only(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found()["Isaac Sim"][0] == "optional" and "not installed" in found()["Isaac Sim"][1]

    (site / "isaacsim").mkdir()
    (site / "isaacsim" / "__init__.py").write_text("raise AssertionError('imported')\n")
    importlib.invalidate_caches()
    status, words = found()["Isaac Sim"]
    assert status == "optional" and "not NVIDIA's" in words

    install_standin(site, without=["isaacsim-extscache-kit"])
    importlib.invalidate_caches()
    status, words = found()["Isaac Sim"]
    assert status == "optional" and "half installed: missing isaacsim-extscache-kit" in words and "override" in words

    install_standin(site)
    importlib.invalidate_caches()
    lines = found()
    assert lines["Isaac Sim"] == ("ok", "isaacsim 6.2.0.0 is installed; it was not started ")
    assert lines["Isaac Sim licence"][0] == "optional" and isaac_sim.EULA_URL in lines["Isaac Sim licence"][1]
    if not Path("/proc/driver/nvidia/version").exists():
        monkeypatch.setenv("PATH", "")
        assert "no NVIDIA driver found" in found()["Isaac Sim driver"][1]

    install_standin(site, accepted=True)
    assert found()["Isaac Sim licence"][0] == "ok"


def test_a_kernel_alone_is_half_installed(site: Path) -> None:
    install_standin(site, without=["isaacsim", "isaacsim-core", "isaacsim-extscache-kit", "isaacsim-extscache-kit-sdk"])
    importlib.invalidate_caches()
    assert isaac_sim.state().missing == ("isaacsim",)
    assert "half installed" in isaac_sim.why_not({})


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("y", True),
        ("yes", True),
        ("1", True),
        ("YES", True),
        ("true", False),
        ("ok", False),
        ("", False),
        ("no", False),
    ],
)
def test_the_licence_is_accepted_as_isaac_sim_itself_would(site: Path, value: str, accepted: bool) -> None:
    install_standin(site)
    importlib.invalidate_caches()
    problem = isaac_sim.why_not({isaac_sim.ACCEPTED: value})
    assert (problem is None) is accepted
    if problem:
        assert isaac_sim.EULA_URL in problem and "\n" not in problem


@pytest.mark.parametrize(
    "asked",
    [
        {"overrides": ["physics=isaacsim_physx"]},
        {"task": "Isaac-Cartpole-RGB-v0", "overrides": ["renderer=isaacsim_rtx"]},
        {"visualizer": "kit"},
        {"visualizer": "newton_gl,kit"},
        {"livestream": 2},
        {"experience": "x.kit"},
    ],
)
def test_every_way_into_isaac_sim_goes_through_one_check(site: Path, asked: dict, tmp_path: Path, monkeypatch) -> None:
    from cartpole_lab.training.rl_games_train import train

    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="Isaac Sim is not installed"):
        train(device="cpu", progress=False, **asked)
    install_standin(site)
    importlib.invalidate_caches()
    with pytest.raises(UserError, match="licence is not accepted here"):
        train(device="cpu", progress=False, **asked)
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (SystemExit(0), r"ended itself while starting \(exit code 0\)"),
        (SystemExit(1), r"\(exit code 1\)"),
        (SystemExit("The EULA has\nto be accepted"), "starting: The EULA has to be accepted;"),
    ],
)
def test_what_ends_isaac_sim_is_an_error(error: SystemExit, says: str) -> None:
    with pytest.raises(UserError, match=says), isaac_sim.starting():
        raise error


def test_nothing_can_wait_for_an_answer_while_isaac_sim_starts() -> None:
    with isaac_sim.starting():
        assert sys.stdin.read() == "" and os.read(0, 10) == b""


##
# On a terminal
##


LONGEST_WAIT_S = 120.0


def on_terminal(site: Path, *words: str, answer: bytes = b"", **env: str) -> tuple[int, str]:
    """Run the command under a pseudo terminal: exit code, everything shown. It must not wait for long.

    A wait is told from work on a busy machine by the processor time: it stands still.
    """
    main, child = pty.openpty()
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), **env}
    process = subprocess.Popen(
        [*COMMAND, *words], stdin=child, stdout=child, stderr=child, env=environ, cwd=site.parent
    )
    os.close(child)
    os.write(main, answer)
    shown, spent, moved = b"", 0.0, time.monotonic()
    while True:
        ready, _, _ = select.select([main], [], [], 1.0)
        if ready:
            try:
                part = os.read(main, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
        elif process.poll() is not None:
            break
        with contextlib.suppress(psutil.Error):
            if (now := sum(psutil.Process(process.pid).cpu_times()[:2])) > spent:
                spent, moved = now, time.monotonic()
        if time.monotonic() - moved > LONGEST_WAIT_S:
            process.kill()
            pytest.fail(f"it waits: nothing for {LONGEST_WAIT_S:.0f} s after {shown[-200:]!r}")
    os.close(main)
    return process.wait(), shown.decode(errors="replace")


def test_on_a_terminal_the_licence_is_shown_and_nothing_waits(site: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    install_standin(site)
    # a blind yes is typed ahead: it must not accept a licence that was never shown
    code, shown = on_terminal(site, "physics=isaacsim_physx", answer=b"y\n", STANDIN_ASKED=str(asked))
    assert code == 2 and isaac_sim.EULA_URL in shown and "licence is not accepted" in shown
    assert not asked.exists() and not (site / "isaacsim" / "kit" / "EULA_ACCEPTED").exists()
    assert not (site.parent / "logs").exists()


def test_a_package_that_asks_all_the_same_cannot_hang_nor_end_well(site: Path, tmp_path: Path) -> None:
    """Should a release look elsewhere for the licence than we do: nothing waits, and the exit code says so."""
    install_standin(site, accepted=True)
    code = (site / "isaacsim" / "__init__.py").read_text()
    (site / "isaacsim" / "__init__.py").write_text(code.replace("if not _accepted():", "if True:"))
    code, shown = on_terminal(site, "physics=isaacsim_physx", STANDIN_RECORD=str(tmp_path / "record"))
    assert code == 2 and "Isaac Sim ended itself while starting" in shown and "EULA" in shown


def test_in_a_kernel_with_an_input_box_the_licence_is_shown_and_nothing_asks(site: Path, tmp_path: Path) -> None:
    from jupyter_client.manager import start_new_kernel

    asked, replies = tmp_path / "asked", []
    install_standin(site)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), "STANDIN_ASKED": str(asked)}
    manager, client = start_new_kernel(env=environ, cwd=str(tmp_path), startup_timeout=600)
    shown: list[str] = []
    try:

        def look(message: dict) -> None:
            shown.append(str(message["content"].get("text", "") or message["content"].get("traceback", "")))

        code = "from cartpole_lab import train\ntrain(device='cpu', num_envs=4, overrides=['physics=isaacsim_physx'])"
        reply = client.execute_interactive(
            code, allow_stdin=True, stdin_hook=replies.append, output_hook=look, timeout=600
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "error" and isaac_sim.EULA_URL in "".join(shown)
    assert replies == [] and not asked.exists() and not (tmp_path / "logs").exists()


##
# The advice that is printed
##


def test_the_install_advice_resolves() -> None:
    """Metadata only: nothing of Isaac Sim's is installed. Without the override there is no solution.

    The extension caches lie on NVIDIA's own index only, so that the rest is what is resolved here.
    """
    import shutil

    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    assert uv is not None, "uv belongs to the test extra"
    assert f"echo '{isaac_sim.OVERRIDE}'" in isaac_sim.install_command()
    wanted = f"isaaclab==3.0.0\nisaacsim=={isaac_sim.VERSION}\n"
    base = [uv, "pip", "compile", "-", "--python-version", "3.12", "--no-header", "--quiet", "--prerelease", "allow"]
    base += ["--only-binary", "isaacsim", "--only-binary", "isaacsim-kernel", "--only-binary", "isaaclab"]

    network = (
        "error sending request",
        "dns error",
        "Failed to fetch",
        "Failed to download",
        "HTTP status",
        "timed out",
    )

    def resolve(*more: str) -> subprocess.CompletedProcess[str]:
        words = [*base, *more]
        try:
            done = subprocess.run(words, input=wanted, capture_output=True, text=True, timeout=120, check=False)
        except subprocess.TimeoutExpired:
            pytest.xfail("the package index gives no answer in two minutes")
        if any(word in done.stderr for word in network):
            pytest.xfail(f"the package index cannot be reached: {done.stderr.splitlines()[0]}")
        return done

    plain = resolve()
    assert plain.returncode != 0 and "urllib3" in plain.stderr, "it resolves now: the override can go"
    override = Path(os.environ.get("TMPDIR", "/tmp"), f"override-{os.getpid()}.txt")
    override.write_text(isaac_sim.OVERRIDE + "\n")
    try:
        mended = resolve("--override", str(override))
    finally:
        override.unlink()
    assert mended.returncode == 0, mended.stderr
    assert "isaacsim-kernel==6.2.0.0" in mended.stdout and "isaaclab==3.0.0" in mended.stdout
