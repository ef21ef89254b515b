"""``cartpole-lab new``: a package of one's own, installed in an environment beside ours, seen by both commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from cartpole_lab.cli import main
from cartpole_lab.cli.new import write_package
from cartpole_lab.errors import UserError


@pytest.mark.parametrize(
    ("name", "says"),
    [("My-Task", "lower-case"), ("1st", "lower-case"), ("", "lower-case"), ("../x", "lower-case"), ("class", "taken"),
     ("torch", "taken"), ("x" * 99, "lower-case")],
)  # fmt: skip
def test_a_name_that_cannot_be(name: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says):
        write_package(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine_here").mkdir()
    assert main(["new", "mine_here", "--path", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err and list((tmp_path / "mine_here").iterdir()) == []


def test_the_package_is_listed_trained_evaluated_and_played_by_both_commands(tmp_path: Path) -> None:
    assert main(["new", "spring_cart", "--path", str(tmp_path)]) == 0
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    site = next(home.glob("lib/python*/site-packages"))
    ours = sysconfig.get_path("purelib")
    (site / "beside.pth").write_text(f"import site; site.addsitedir({ours!r})\n")  # what is installed with us
    python = home / "bin" / "python"

    def run(*command: str) -> str:
        done = subprocess.run(
            [str(python), *command], cwd=tmp_path, capture_output=True, text=True, env={**os.environ}, check=False
        )
        assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    pip = ["-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-e", "spring_cart"]
    run(*pip)
    assert "Spring-Cart-v0" in run("-m", "isaaclab", "list_envs", "--keyword", "Spring-Cart")
    lab = ["-m", "cartpole_lab.cli"]
    small = ["--device", "cpu", "--num_envs", "64", "--max_iterations", "2", "--eval_episodes", "64"]
    run(*lab, "train", "--task", "Spring-Cart-v0", *small)
    said = run(*lab, "evaluate", "--task", "Spring-Cart-v0", "--episodes", "64", "--device", "cpu")
    assert "centre" in said, "the term of one's own was not paid"
    run(*lab, "play", "--task", "Spring-Cart-v0", "--seconds", "0.2", "--num_envs", "1", "--device", "cpu")
    theirs = ["--rl_library", "rl_games", "--device", "cpu", "--num_envs", "64", "--max_iterations", "1"]
    run("-m", "isaaclab", "train", "--task", "Spring-Cart-v0", *theirs)
    assert "spring_cart" in played_until_stopped(python, tmp_path, "--task", "Spring-Cart-v0", *theirs[:4])
    assert list(tmp_path.glob("logs/rl_games/spring_cart/*/videos/play/best_epoch_*.mp4"))
    assert sys.prefix not in str(python)


def played_until_stopped(python: Path, cwd: Path, *words: str) -> str:
    """What ``isaaclab play`` says until it plays, which it does until somebody presses Ctrl-C: that comes then."""
    command = [str(python), "-m", "isaaclab", "play", "--num_envs", "4", *words]
    said = ""
    with subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            said += line
            if "Policy playback is running" in line:
                process.send_signal(signal.SIGINT)
                said += process.communicate(timeout=600)[0]
                break
    assert "Policy playback is running" in said, said[-3000:]
    return next(line for line in said.splitlines() if "Loading model checkpoint from" in line)
