"""A training that is told to stop, or whose output goes away, keeps what it has learned and says the truth."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cartpole_lab.cli.output import Forgiving, forgive
from cartpole_lab.policies.checkpoint import read_checkpoint
from cartpole_lab.training import signals
from cartpole_lab.training.progress import ProgressLine

TRAIN = [
    *(sys.executable, "-m", "cartpole_lab.cli", "train", "--num_envs", "64", "--max_iterations", "1000000"),
    *("--eval_interval", "0", "--eval_episodes", "64", "--device", "cpu", "agent.params.config.save_frequency=20"),
]
LIMIT_S = 600
"""Far more than anything here takes, on a machine that is busy with other things."""


def started(root: Path, **more: object) -> subprocess.Popen[str]:
    """A training without end in a process of its own."""
    return subprocess.Popen([*TRAIN, "--log_root", str(root)], text=True, stderr=subprocess.PIPE, **more)


def wait_for(root: Path, pattern: str, process: subprocess.Popen[str]) -> Path:
    """Wait until the run has written a file, and return the run's folder."""
    end = time.monotonic() + LIMIT_S
    while not list(root.glob(f"*/*/{pattern}")):
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise AssertionError(f"no {pattern}: {process.communicate()}")
        time.sleep(0.1)
    (folder,) = root.glob("*/*")
    return folder


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_a_training_with_what_it_has_learned(number: int, code: int, tmp_path: Path) -> None:
    process = started(tmp_path, stdout=subprocess.PIPE)
    folder = wait_for(tmp_path, "nn/last_*.pth", process)
    process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == code, err
    assert "Traceback" not in err and f"stopped by {signal.Signals(number).name}" in err
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["stopped"] == signal.Signals(number).name and summary["episodes"] == 64
    saved = {int(re.search(r"ep_(\d+)", path.name)[1]): path for path in (folder / "nn").glob("last_*.pth")}
    last = max(saved)  # a quick one saves more, at times several within a tick of the file system's clock
    assert read_checkpoint(saved[last])["epoch"] == last == summary["epochs"]
    assert "evaluating" in out and "return" in out


def test_a_signal_before_the_first_step_ends_it_in_a_line(tmp_path: Path) -> None:
    process = started(tmp_path, stdout=subprocess.DEVNULL)
    wait_for(tmp_path, "params/agent.yaml", process)  # the environments are made then
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 143 and "Traceback" not in err, err
    assert "stopped" in err


@pytest.mark.parametrize("ending", ["| head -c 1", ">&-"])
def test_a_training_outlives_its_output(ending: str, tmp_path: Path) -> None:
    command = shlex.join([*TRAIN, "--max_iterations", "3", "--log_root", str(tmp_path)])
    shell = f"set -o pipefail; {command} {ending}"
    done = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr, done.stderr
    (summary,) = tmp_path.glob("*/*/summary.json")
    assert json.loads(summary.read_text())["epochs"] == 3


class Dies:
    """An output that nobody reads any more."""

    closed, encoding = False, "utf-8"

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_a_progress_line_gives_up_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Dies())
    line = ProgressLine()
    line.show("one", keep=True)
    assert not line.enabled
    line.show("two", keep=True)
    line.close()
    monkeypatch.setattr(sys, "stdout", None)
    ProgressLine().show("three")


def test_a_full_disk_ends_the_output_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        monkeypatch.setattr(sys, "stdout", full)
        line = ProgressLine()
        line.show("making 64 environments …", keep=True)
        assert not line.enabled
        stream = Forgiving(full)
        stream.write("more")
        stream.flush()


def test_a_signal_that_is_lost_on_its_way_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes while an object is taken apart, where Python drops every exception, or somebody catches it."""
    import weakref

    gone_on, send = threading.Event(), signals._send

    def send_after_that(number: signal.Signals) -> None:
        gone_on.wait()
        send(number)

    monkeypatch.setattr(signals, "_send", send_after_that)

    class Thing:
        pass

    @signals.stoppable
    def while_something_is_taken_apart() -> None:
        thing = Thing()
        weakref.finalize(thing, lambda: None)
        watch = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGTERM))
        del thing
        assert watch() is None
        gone_on.set()
        time.sleep(LIMIT_S)

    with pytest.raises(signals.Stopped) as caught:
        while_something_is_taken_apart()
    assert gone_on.is_set() and caught.value.signal == signal.SIGTERM

    @signals.stoppable
    def caught_by_somebody() -> int:
        with contextlib.suppress(BaseException):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        return 1

    with pytest.raises(signals.Stopped):
        caught_by_somebody()

    @signals.stoppable
    def answered() -> int:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except KeyboardInterrupt:
            signals.answered()
        return 1

    assert answered() == 1


def test_a_signal_that_became_another_error_is_the_signal_again() -> None:
    """A compiled module that is interrupted while it is being imported says that it cannot be initialised."""

    @signals.stoppable
    def importing() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    with pytest.raises(signals.Stopped) as caught:
        importing()
    assert caught.value.signal == signal.SIGTERM

    @signals.stoppable
    def failing_later() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            signals.answered()
            raise ValueError("a mistake of its own")  # noqa: B904  as code that answers a signal may fail

    with pytest.raises(ValueError, match="of its own"):
        failing_later()


def test_a_plain_terminal_gets_plain_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):  # put back afterwards
        monkeypatch.setattr(sys, name, getattr(sys, name))
    forgive()
    assert "4.95 ± 0.04 × 2 …".encode("ascii", "plainly") == b"4.95 +- 0.04 x 2 ..."


def test_no_escapes_where_colours_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        closed, text = False, ""

        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None:
            pass

    for name, value, fancy in (("NO_COLOR", "1", False), ("NO_COLOR", "", True)):
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv(name, value)
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        line = ProgressLine()
        line.show("text")
        assert ("\x1b" in terminal.text) is fancy and "text" in terminal.text


def test_a_signal_waits_for_the_step_and_the_second_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "SAME_S", 3600.0)  # the machine may stand still between two lines
    reached = []

    @signals.stoppable
    def work(*, patient: bool) -> None:
        with signals.between_steps():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)  # the same one: a killed parent tells for each of its threads
            reached.append("the step goes on")
            if patient:
                signals.check()
            monkeypatch.setattr(signals, "_heard", signals._heard - signals.SAME_S)
            signal.raise_signal(signal.SIGTERM)
            reached.append("never")

    for patient in (True, False):
        with pytest.raises(signals.Stopped) as caught:
            work(patient=patient)
        assert reached == ["the step goes on"] and signals.exit_code(caught.value) == 143
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        reached.clear()


def test_what_is_kept_at_a_signal_is_not_cut_short_by_the_same_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "SAME_S", 3600.0)

    @signals.stoppable
    def work() -> str:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            signals.answered()
            signal.raise_signal(signal.SIGTERM)
            return "kept"
        return "never"

    assert work() == "kept"
