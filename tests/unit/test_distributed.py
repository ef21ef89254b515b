"""One training in several processes: what they share, who writes, and how it ends when one of them dies.

Two processes on the CPU, which talk through gloo where a GPU's talk through NCCL; everything else is the same.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from cartpole_lab.cli.launching import _patient, _told, count, words_of
from cartpole_lab.errors import UserError
from cartpole_lab.policies.checkpoint import read_checkpoint
from cartpole_lab.session import cache_folders
from cartpole_lab.training import signals
from cartpole_lab.training.distributed import SPAWN_LOCK, end_with_the_command, part_of, rank, use_own_lock
from cartpole_lab.training.options import TrainOptions, add_flags, from_args

COMMAND = [sys.executable, "-m", "cartpole_lab.cli", "train", "--distributed", "--num_gpus", "2", "--device", "cpu"]
SMALL = ["--num_envs", "64", "--eval_episodes", "64", "--eval_interval", "0", "--seed", "5"]
EACH = """
import json, os, sys
import numpy as np, torch
from cartpole_lab import train
from cartpole_lab.speed import recorded_training
from cartpole_lab.training import best_policy, distributed
recorded_training.RecordedA2CAgent.everywhere = "recorded" in sys.argv
found, init = [], best_policy.Watch.__init__
def watch(self, *args, **words):
    found.append(self)
    init(self, *args, **words)
best_policy.Watch.__init__ = watch
learned = []
run_update = recorded_training.RecordedA2CAgent._run_update
def count(self):
    learned.append(self.epoch_num)
    return run_update(self)
recorded_training.RecordedA2CAgent._run_update = count
run = train(distributed=True, num_envs=64, max_iterations=2, eval_interval=0, eval_episodes=64, seed=5, device="cpu",
            log_root=sys.argv[1], progress=False, overrides=["agent.params.config.learning_rate=1e-3"])
algo = found[0].algo
model = {name: value.double().reshape(-1).tolist() for name, value in algo.model.state_dict().items()}
first = algo.experience_buffer.tensor_dict["obses"][0, :8].reshape(-1).tolist()
seen = {"model": model, "obs": first, "env_seed": found[0].env.unwrapped.cfg.seed, "rate": algo.last_lr,
        "updates": learned, "run": str(run.log_dir), "return": run.evaluation.mean_return, "steps": run.env_steps,
        "joined": torch.distributed.is_initialized(), "observers": len(algo.algo_observer.observers)}
with open(os.path.join(sys.argv[2], os.environ["RANK"] + ".json"), "w") as file:
    json.dump(seen, file)
"""


def torchrun(script: Path, *words: object, speed: str = "on") -> None:
    """Run a script in two processes, as a user would who has torchrun only."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, str(script), *map(str, words)],
        env={**os.environ, "CARTPOLE_LAB_SPEED": speed, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    """What each of two processes holds after a training, by our update and by rl-games' own."""
    held = {}
    for kind, speed in (("recorded", "on"), ("plain", "-recorded_training,-written_out_update")):
        place = tmp_path_factory.mktemp(kind)
        (place / "each.py").write_text(EACH)
        torchrun(place / "each.py", place / "logs", place, kind, speed=speed)
        held[kind] = [{**json.loads((place / f"{n}.json").read_text()), "logs": str(place / "logs")} for n in (0, 1)]
    return held


@pytest.fixture(params=["recorded", "plain"])
def both(sides: dict[str, list[dict]], request: pytest.FixtureRequest) -> list[dict]:
    return sides[request.param]


def test_all_processes_hold_the_same_policy(both: list[dict]) -> None:
    for name, values in both[0]["model"].items():
        assert np.allclose(values, both[1]["model"][name], rtol=1e-6, atol=1e-7), name
    assert both[0]["rate"] == pytest.approx(both[1]["rate"])


def test_each_process_has_carts_and_a_seed_of_its_own(both: list[dict]) -> None:
    assert [one["env_seed"] for one in both] == [5, 6]
    assert not np.allclose(both[0]["obs"], both[1]["obs"])


def test_one_run_folder_and_one_evaluation_for_all(both: list[dict]) -> None:
    (folder,) = Path(both[0]["logs"]).glob("*/*")
    assert {one["run"] for one in both} == {str(folder.resolve())}
    assert both[0]["return"] == both[1]["return"]
    assert len(list(folder.glob("summaries/events*"))) == 1
    assert both[0]["observers"] == 2 and both[1]["observers"] == 1


def test_the_steps_of_all_processes_count_and_the_group_is_gone(both: list[dict]) -> None:
    assert {one["steps"] for one in both} == {2 * 2 * 64 * 16}
    assert not any(one["joined"] for one in both)


def test_our_update_over_several_processes_is_that_of_rl_games(sides: dict[str, list[dict]]) -> None:
    ours, theirs = sides["recorded"][0], sides["plain"][0]
    assert ours["updates"] and not theirs["updates"]
    assert ours["rate"] == pytest.approx(theirs["rate"])
    for name, values in ours["model"].items():
        assert np.allclose(values, theirs["model"][name], rtol=1e-2, atol=2e-3), name


def test_the_command_starts_them_and_the_first_one_speaks(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, *SMALL, "--max_iterations", "3", "--log_root", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epochs        3 of 2 × 64 environments") == 1 and done.stdout.count("solved  ") == 1
    assert "Traceback" not in done.stderr and "destroy_process_group" not in done.stderr
    (summary,) = tmp_path.glob("*/*/summary.json")
    numbers = json.loads(summary.read_text())
    assert (numbers["processes"], numbers["seed"], numbers["env_steps"]) == (2, 5, 3 * 2 * 64 * 16)


def test_a_wrong_setting_is_said_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, *SMALL, "--log_root", str(tmp_path), "env.rewards.nope.weight=1"],
        capture_output=True,
        text=True,
        timeout=900,
    )
    said = [line for line in done.stderr.splitlines() if "Warp CUDA warning" not in line]
    assert done.returncode == 2 and len(said) == 1 and "env.rewards.nope" in said[0], done.stderr


LIMIT_S = 600
"""Far more than anything here takes, on a machine that is busy with other things."""
STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left() -> Iterator[None]:
    """A test that fails half-way leaves no training behind."""
    yield
    for job in STARTED:
        job.kill()
        job.communicate()


def rank_of(process: psutil.Process) -> str | None:
    """Which part of a training a process is; None for others, and for one that has ended."""
    try:
        return process.environ().get("RANK")
    except psutil.Error:
        return None


def still_at_work(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that do not end. One that has ended may stay on the list of processes where nobody asks how it ended."""
    end, left = time.monotonic() + LIMIT_S, list(processes)
    while left and time.monotonic() < end:
        time.sleep(0.1)
        left = [one for one in left if alive(one)]
    return left


def alive(process: psutil.Process) -> bool:
    """Whether a process runs."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def begun(root: Path) -> tuple[subprocess.Popen[str], dict[str, psutil.Process]]:
    """A training without end that has saved something, and its processes by their rank."""
    words = [*COMMAND, *SMALL, "--max_iterations", "1000000", "--log_root", str(root)]
    words += ["agent.params.config.save_frequency=2"]
    (root / "temporary").mkdir()
    env = {**os.environ, "TMPDIR": str(root / "temporary")}
    job = subprocess.Popen(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    STARTED.append(job)
    end = time.monotonic() + LIMIT_S
    while not list(root.glob("*/*/nn/last_*.pth")):
        if job.poll() is not None or time.monotonic() > end:
            job.kill()
            raise AssertionError(job.communicate())
        time.sleep(0.2)
    return job, {rank: one for one in psutil.Process(job.pid).children() if (rank := rank_of(one)) is not None}


def test_a_training_of_which_one_process_dies_ends_in_a_line(tmp_path: Path) -> None:
    job, processes = begun(tmp_path)
    processes["1"].kill()
    _, err = job.communicate(timeout=LIMIT_S)
    said = [line for line in err.splitlines() if "Warp CUDA warning" not in line]
    assert job.returncode == 1 and len(said) == 1, err
    assert "process 1 of this training was ended by SIGKILL" in said[0] and str(tmp_path) in said[0]
    newest = max(tmp_path.glob("*/*/nn/last_*.pth"), key=lambda path: path.stat().st_mtime_ns)
    assert read_checkpoint(newest)["epoch"] >= 2
    assert not list((tmp_path / "temporary").glob("cartpole_lab*"))
    assert len(processes) == 2 and not still_at_work(processes.values())


def test_the_cause_is_told_and_not_what_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """torchrun stops the first process, at times before that has missed the other one."""
    killed, followed = SimpleNamespace(exitcode=-9, timestamp=1), SimpleNamespace(exitcode=143, timestamp=2)
    assert _told({0: followed, 1: killed}, tmp_path, TrainOptions()) == 1
    assert "process 1 of this training was ended by SIGKILL" in capsys.readouterr().err
    assert _told({0: followed, 1: followed}, tmp_path, TrainOptions()) == 143
    assert capsys.readouterr().err == ""


def test_ctrl_c_ends_all_processes_with_what_they_have_learned(tmp_path: Path) -> None:
    job, _ = begun(tmp_path)
    job.send_signal(signal.SIGINT)
    out, err = job.communicate(timeout=LIMIT_S)
    assert job.returncode == 130 and "Traceback" not in err, err
    (summary,) = tmp_path.glob("*/*/summary.json")
    numbers = json.loads(summary.read_text())
    assert (
        numbers["stopped"] == "SIGINT"
        and numbers["episodes"] == 64
        and f"go on with --checkpoint {summary.parent}" in err
    )
    assert "evaluated return" in out


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process that the one that started it is gone")
def test_no_process_goes_on_when_the_command_is_killed(tmp_path: Path) -> None:
    job, processes = begun(tmp_path)
    job.kill()
    assert len(processes) == 2 and not still_at_work(processes.values())
    (summary,) = tmp_path.glob("*/*/summary.json")
    assert json.loads(summary.read_text())["stopped"] == "SIGTERM"
    job.communicate(timeout=LIMIT_S)


def test_ctrl_c_leaves_the_time_to_evaluate_and_a_process_that_has_lost_others_half_a_minute() -> None:
    from torch.distributed.elastic.multiprocessing import PContext

    class Closed(PContext):
        seen: list[int] = []

        def __init__(self) -> None:
            self._tail_logs, self.filtered_stdout, self.filtered_stderr = [], None, None

        def _close(self, death_sig: signal.Signals, timeout: int = 30) -> None:
            self.seen.append(timeout)

        _start = _poll = pids = lambda self: None

    plain = PContext.close
    with _patient():
        for number in (signal.SIGINT, signal.SIGTERM):
            Closed().close(number)
    assert Closed.seen == [3600, 30] and PContext.close is plain


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process that the one that started it is gone")
def test_a_process_hears_once_that_its_command_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def now() -> int:
        ctypes.CDLL(None).prctl(2, ctypes.byref(number := ctypes.c_int()))  # PR_GET_PDEATHSIG
        return number.value

    monkeypatch.setattr(signals, "_at_first", [])
    end_with_the_command()
    assert now() == signal.SIGTERM

    @signals.stoppable
    def work() -> None:
        with signals.between_steps():
            signal.raise_signal(signal.SIGTERM)
            assert now() == 0, "Linux would say it again"

    with pytest.raises(signals.Stopped):
        work()


def test_another_users_lock_of_isaac_labs_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from isaaclab.sim.spawners.from_files import from_files

    assert f'os.path.join(tempfile.gettempdir(), "{SPAWN_LOCK}")' in inspect.getsource(from_files)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    use_own_lock()
    (tmp_path / SPAWN_LOCK).touch()
    use_own_lock()
    assert tempfile.gettempdir() == str(tmp_path), "there is none, or it is the user's own"

    monkeypatch.setattr(cache_folders, "is_own", lambda path: path.name != SPAWN_LOCK)
    use_own_lock()
    own = Path(tempfile.gettempdir())
    assert own.parent == tmp_path and own.stat().st_mode & 0o777 == 0o700

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(cache_folders, "is_own", lambda path: False)
    use_own_lock()
    assert tempfile.gettempdir() == str(tmp_path), "a folder of that name may be somebody else's, too"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_gpus": 2}, "add --distributed"),
        ({"num_gpus": 0, "distributed": True}, "num_gpus is 0"),
    ],
)
def test_numbers_of_gpus_that_make_no_sense(options: dict, words: str) -> None:
    from cartpole_lab.training.option_checks import check_options

    with pytest.raises(UserError, match=words):
        check_options(TrainOptions(**options))


def test_a_cpu_has_to_be_told_how_many_processes() -> None:
    with pytest.raises(UserError, match=r"--device cpu --num_gpus 2"):
        count(TrainOptions(distributed=True, device="cpu"))
    assert count(TrainOptions(distributed=True, device="cpu", num_gpus=3)) == (3, False)


def test_more_gpus_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert count(TrainOptions(distributed=True, device="cuda")) == (2, True)
    with pytest.raises(UserError, match="num_gpus is 3, and PyTorch sees 2 GPUs"):
        count(TrainOptions(distributed=True, num_gpus=3, device="cuda"))
    with pytest.raises(UserError, match="leave --device out"):
        count(TrainOptions(distributed=True, device="cuda:1"))


def test_one_process_alone_is_told_how_to_start_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(UserError, match=r"cartpole-lab train --distributed"):
        part_of(TrainOptions(distributed=True))
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "mine")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    with pytest.raises(UserError, match="torchrun has started 4"):
        part_of(TrainOptions(distributed=True, num_gpus=2))
    others = part_of(TrainOptions(distributed=True, video=True, track=True))
    assert rank() == 1 and not (others.video or others.track or others.progress)


def test_the_words_for_the_processes_give_the_same_options() -> None:
    import argparse

    options = TrainOptions(
        distributed=True, num_gpus=2, sigma=-0.5, check_finite=False, stop_when_solved=True, video=True, seed=-1,
        wandb_name="a b", overrides=["physics=newton_mjwarp"],
    )  # fmt: skip
    parser = argparse.ArgumentParser()
    add_flags(parser, TrainOptions)
    args, words = parser.parse_known_args(words_of(options))
    assert from_args(TrainOptions, args, overrides=words) == options
