"""Trainings that are killed: at random moments, and in the moment in which a file is made.

One process imports everything and is copied (``fork``) for each training, so that a hundred of them take minutes.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

TRAIN = (
    *("train", "--num_envs", "16", "--device", "cpu", "--max_iterations", "6", "--eval_interval", "2"),
    *("--eval_episodes", "16", "agent.params.config.save_frequency=1"),
)


@dataclass
class Killed:
    """What a killed training left behind.

    Attributes:
        how: Signal, and at what it was aimed.
        after_s: When it came [s].
        code: Exit code; minus the signal where that ended the process itself.
        checkpoints: Files that bear a checkpoint's name.
        unreadable: Those of them that cannot be read.
        selected: Whether ``best`` and ``latest`` found one, None where there was none.
        stray: Processes of it that lived 3 s later.
        resumed: Whether a training went on from it, None where there was nothing to go on from.
        said: What it said that it should not: a traceback.
    """

    how: str
    after_s: float
    code: int
    checkpoints: int
    unreadable: list[str]
    selected: bool | None
    stray: int
    resumed: bool | None
    said: str


def warm_up(root: Path) -> None:
    """Train once here, so that a copy has everything imported and every kernel loaded; no thread is left of it."""
    from cartpole_lab.training.rl_games_train import train

    train(num_envs=16, device="cpu", max_iterations=1, eval_episodes=16, progress=False, log_root=root)
    shutil.rmtree(root)


def start(argv: tuple[str, ...], said: Path) -> int:
    """Run the command in a copy of this process, in a session of its own; its process id."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setsid()
        log = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        from cartpole_lab.cli import main

        code = main(argv)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 71
    finally:
        with contextlib.suppress(Exception):
            said.with_suffix(".over").touch()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def wait(pid: int, timeout: float = 600.0) -> int:
    """Exit code of a copy; it is killed where it does not end."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return 124


def _family(session: int) -> list[psutil.Process]:
    """Processes of a session that still run."""
    found = []
    for process in psutil.process_iter(["pid", "status"]):
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _partial(root: Path) -> bool:
    """Whether a file is being made now."""
    try:
        return any(root.rglob("*.part"))
    except OSError:
        return False


def kill_one(root: Path, number: signal.Signals, *, moment_s: float | None, draw: random.Random) -> Killed:
    """Train, send a signal, and look at what is left.

    Args:
        root: A folder for it, which is removed.
        number: The signal.
        moment_s: When it comes [s]; None for the moment in which some file is made, the k-th that is seen.
        draw: Where random numbers come from.
    """
    root.mkdir(parents=True)
    said, logs = root / "said.txt", root / "logs"
    pid, began = start((*TRAIN, "--log_root", str(logs)), said), time.monotonic()
    skip = draw.randrange(12)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        now = time.monotonic() - began
        if moment_s is not None and now >= moment_s:
            break
        if moment_s is None and _partial(logs):
            if skip == 0:
                break
            skip -= 1
            while _partial(logs) and time.monotonic() - began < 60:
                pass
        time.sleep(0.002 if moment_s is None else 0.01)
    after = time.monotonic() - began
    if not done:  # it stands still for the signal, so that it is known whether there was a training to hear it
        os.kill(pid, signal.SIGSTOP)
        _, status = os.waitpid(pid, os.WUNTRACED)
        done = not os.WIFSTOPPED(status)
    over = done or said.with_suffix(".over").exists()
    if done:
        code = os.waitstatus_to_exitcode(status)
    else:
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)
        code = wait(pid)
    left = _look(logs)
    for _ in range(60):  # 3 s, and as many looks where the machine stands still meanwhile
        if not (family := _family(pid)):
            break
        time.sleep(0.05)
    stray = len(family)
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()
    resumed = None
    if left[2]:
        again = (*TRAIN, "--log_root", str(logs), "--checkpoint", "latest", "--max_iterations", "7")
        resumed = wait(start(again, said)) == 0
    text = said.read_text(errors="replace") if said.exists() else ""
    trace = text[text.find("Traceback") :][:2000] if "Traceback" in text else ""
    if number == signal.SIGTERM and code == 0 and not over:
        trace = "the signal was not heard: " + text[-2000:]
    aim = "a file being made" if moment_s is None else "a random moment"
    shutil.rmtree(root, ignore_errors=True)
    return Killed(f"{number.name} at {aim}", round(after, 2), code, *left, stray, resumed, trace)


def _look(logs: Path) -> tuple[int, list[str], bool | None]:
    """Number of checkpoints, those that cannot be read, and whether the words find one."""
    from cartpole_lab.errors import UserError
    from cartpole_lab.policies.checkpoint import open_checkpoint
    from cartpole_lab.policies.checkpoint_lookup import find_checkpoint

    files = sorted(logs.glob("*/*/nn/*.pth"))
    unreadable = []
    for path in files:
        try:
            open_checkpoint(path)
        except UserError as error:
            unreadable.append(f"{path.name}: {error}")
    if not files:
        return 0, unreadable, None
    try:
        for which in ("best", "latest"):
            find_checkpoint(which, log_root=logs, say=lambda line: None)
    except UserError as error:
        return len(files), [*unreadable, str(error)], False
    return len(files), unreadable, True


def many(
    root: Path,
    plan: list[tuple[signal.Signals, bool]],
    seed: int = 0,
    say: Callable[[str], None] = lambda line: None,
    seconds: float = math.inf,
) -> list[Killed]:
    """Kill one training for each entry of a plan.

    Args:
        root: Where they run.
        plan: By training: the signal, and whether it is aimed at a file being made.
        seed: Of the random moments.
        say: Takes a line for each.
        seconds: No further training begins after them.
    """
    draw, start_s = random.Random(seed), time.monotonic()
    warm_up(root / "warm")
    began = time.monotonic()
    assert wait(start((*TRAIN, "--log_root", str(root / "whole" / "logs")), root / "whole.txt")) == 0, (
        root / "whole.txt"
    ).read_text()
    whole = time.monotonic() - began
    shutil.rmtree(root / "whole")
    found = []
    for count, (number, aimed) in enumerate(plan):
        if time.monotonic() - start_s > seconds:
            break
        moment = None if aimed else draw.uniform(0.0, whole)
        one = kill_one(root / f"run{count}", number, moment_s=moment, draw=draw)
        found.append(one)
        say(json.dumps(asdict(one)))
    return found


def bad(one: Killed) -> list[str]:
    """What is wrong with what was left."""
    wrong = [f"unreadable {name}" for name in one.unreadable]
    wrong += ["a selector found nothing"] if one.selected is False else []
    wrong += [f"{one.stray} stray processes"] if one.stray else []
    wrong += ["no training went on from it"] if one.resumed is False else []
    wrong += [one.said] if one.said else []
    ends = {0, -signal.SIGKILL} if "SIGKILL" in one.how else {0, 143, -signal.SIGTERM}
    wrong += [f"exit code {one.code}"] if one.code not in ends else []
    return wrong


if __name__ == "__main__":
    import tempfile

    kills, terms, out = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    plan = [(signal.SIGKILL, bool(i % 2)) for i in range(kills)] + [(signal.SIGTERM, bool(i % 2)) for i in range(terms)]
    random.Random(1).shuffle(plan)
    with tempfile.TemporaryDirectory(prefix="cartpole-lab-kills-") as folder, out.open("w") as file:

        def say(line: str) -> None:
            file.write(line + "\n")
            file.flush()

        results = many(Path(folder), plan, say=say, seconds=float((*sys.argv, "inf")[4]))
    print(f"{len(results)} signals, {sum(bool(bad(one)) for one in results)} bad")
