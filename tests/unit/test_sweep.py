"""Sweeps for real: Ray started and joined, processes and nodes killed, stopped and gone on with."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.thread import BrokenThreadPool
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from cartpole_lab.errors import UserError
from cartpole_lab.training.sweep import sweep
from cartpole_lab.training.sweep.plan import Plan
from cartpole_lab.training.sweep.records import MEASURED, read_records
from cartpole_lab.training.sweep.words import Axis, file_name

WEIGHT = "env.rewards.pole_pos.weight"
SMALL = {"num_envs": 64, "max_iterations": 3, "eval_episodes": 64}
FLAGS = [word for name, value in SMALL.items() for word in (f"--{name}", str(value))]
STARTED: list[subprocess.Popen] = []
LIMIT_S = 600
"""Far more than anything here takes, on a machine that is busy with other things."""


def until(condition: Any, process: subprocess.Popen | None = None) -> None:
    """Wait for something that files show."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        assert process is None or process.poll() is None, f"the sweep ended: {process.communicate()}"
        time.sleep(0.1)


def start(folder: Path, *words: str) -> subprocess.Popen:
    """The command, its sweeps below a folder."""
    command = [sys.executable, "-m", "cartpole_lab.cli", "sweep", *words, "--log_root", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)
    STARTED.append(process)
    return process


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left() -> Iterator[None]:
    """A test that fails half-way leaves no sweep behind."""
    yield
    for process in STARTED:
        process.kill()
        process.wait()


def written(folder: Path) -> dict[str, float]:
    """Trials whose record is there, and when it was written."""
    return {path.stem: path.stat().st_mtime for path in (folder / "trials").glob("*.json")}


def trainers(process: subprocess.Popen) -> list[psutil.Process]:
    """Processes below a sweep's, or a node's, that run trials; none where it has ended."""
    try:
        below = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        return []
    return [one for one in below if "ray::ResourceTrainable" in words_of(one)]


@contextlib.contextmanager
def held(folder: Path, weight: str, seed: int) -> Iterator[None]:
    """A trial that cannot begin in the block: its lock is taken, and the sweep does not end."""
    with open(folder / "trials" / f".{file_name({WEIGHT: weight}, seed)}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def words_of(process: psutil.Process) -> str:
    """The words of a process; none for one that has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def listening(process: psutil.Process) -> set[str]:
    """Addresses at which a process waits for others; none for one that has ended."""
    try:
        return {at.laddr.ip for at in process.connections() if at.status == "LISTEN"}
    except psutil.Error:
        return set()


def below_tmp() -> set[Path]:
    """Folders of Ray's below the place for temporary files."""
    places = {Path(tempfile.gettempdir()), Path("/tmp")}  # the latter where the former has too long a name for a socket
    return {folder for place in places for folder in place.glob("cpl-*-*")}


def at_rest(process: subprocess.Popen) -> bool:
    """Whether a sweep of two trials at once has its two processes, and neither one that starts nor one that ends."""
    lines = [words_of(one) for one in psutil.Process(process.pid).children(recursive=True)]
    return len(trainers(process)) == len([line for line in lines if line.startswith("ray::")]) == 2


@pytest.fixture(scope="module")
def survived(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One sweep to which everything happens: a trial's process is killed, then its driver, then it is interrupted.

    Two of its trials are held back until it has happened, so that it is not over before, however quick it is.
    """
    root = tmp_path_factory.mktemp("sweeps")
    folder, seen, two = root / "one", {"folder": root / "one"}, ("--at_once", "2")
    with contextlib.ExitStack() as last, contextlib.ExitStack() as one_more:
        before = below_tmp()
        first = start(root, f"{WEIGHT}=-0.5,-1", "--seeds", "0..5", *FLAGS, "--name", "one", *two)
        until(lambda: (folder / "trials").is_dir(), first)
        last.enter_context(held(folder, "-1", 5))
        one_more.enter_context(held(folder, "-0.5", 5))
        until(lambda: trainers(first), first)
        trainers(first)[0].kill()
        until(lambda: written(folder) and at_rest(first), first)  # and so it stays
        below = psutil.Process(first.pid).children(recursive=True)
        seen["children"] = [words_of(one) for one in below]
        seen["listening"] = {address for one in below for address in listening(one)}
        seen["folders"] = {one for one in below_tmp() - before if one.name.startswith(f"cpl-{first.pid}-")}
        first.kill()
        first.communicate()
        parts = ("ray::", "gcs_server", "raylet/raylet ")
        at_work = [one for one in below if any(part in words_of(one) for part in parts)]
        psutil.wait_procs(at_work, timeout=LIMIT_S)  # Ray's small agents look for the raylet now and then
        seen["left"] = [words for one in at_work if (words := words_of(one))]
        seen["after_kill"] = written(folder)
        seen["left_below_tmp"] = {one for one in seen["folders"] if one.exists()}
        one_more.close()

        second = start(root, "--resume", "one", *two)
        until(lambda: len(written(folder)) > len(seen["after_kill"]), second)
        second.send_signal(signal.SIGINT)
        seen["interrupted"] = (*second.communicate(timeout=LIMIT_S), second.returncode)
        seen["after_interrupt"] = written(folder)

    third = start(root, "--resume", "one", *two)
    seen["ended"] = (*third.communicate(timeout=LIMIT_S), third.returncode)
    seen["at_the_end"] = written(folder)
    return seen


def test_a_sweep_ends_with_all_its_trials_whatever_was_killed(survived: dict[str, Any]) -> None:
    out, err, code = survived["ended"]
    assert code == 0, err
    assert len(survived["at_the_end"]) == 12
    assert "trials        12 of 12, 0 of them without a result" in out
    assert "Traceback" not in err


def test_a_sweep_with_all_its_trials_done_starts_nothing(survived: dict[str, Any]) -> None:
    again = start(survived["folder"].parent, "--resume", "one")
    out, err = again.communicate(timeout=LIMIT_S)
    assert again.returncode == 0, err
    assert "starting Ray" not in out
    assert "trials        12 of 12, 0 of them without a result" in out
    assert written(survived["folder"]) == survived["at_the_end"]


def test_what_was_done_is_not_repeated(survived: dict[str, Any]) -> None:
    for moment in ("after_kill", "after_interrupt"):
        assert survived[moment].items() <= survived["at_the_end"].items(), moment


def test_a_killed_driver_leaves_no_process_at_work(survived: dict[str, Any]) -> None:
    assert survived["left"] == []


def test_what_a_killed_driver_has_left_below_tmp_goes_with_the_next_sweep(survived: dict[str, Any]) -> None:
    (folder,) = survived["folders"]
    assert survived["left_below_tmp"] == {folder}
    assert not folder.exists()


def test_ray_starts_only_what_trials_need(survived: dict[str, Any]) -> None:
    lines = survived["children"]
    workers = [line for line in lines if line.startswith("ray::")]
    assert len(workers) == 2, "a process that takes no trial was started for nothing"
    assert all("Trial" in line or "Trainable" in line for line in workers)
    assert [line for line in lines if re.search(r"dashboard/dashboard\.py|log_monitor\.py|/monitor\.py", line)] == []


def test_an_interrupted_sweep_says_how_to_go_on(survived: dict[str, Any]) -> None:
    out, err, code = survived["interrupted"]
    assert code == 130, err
    assert "Traceback" not in out + err
    assert "cartpole-lab sweep --resume one" in out + err
    assert "12 of 12 trials done" not in out + err, "Tune calls trials that it has stopped ended"


def test_nothing_of_ray_listens_beyond_this_machine_or_reports(survived: dict[str, Any]) -> None:
    assert survived["listening"] <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


def test_progress_says_what_is_done_and_what_is_left(survived: dict[str, Any]) -> None:
    assert "of 12 trials done" in survived["ended"][0]
    assert "best return so far" in survived["ended"][0] + survived["interrupted"][0]


def test_every_trial_is_an_ordinary_run_with_the_numbers_of_train_alone(
    survived: dict[str, Any], tmp_path: Path
) -> None:
    from cartpole_lab import Run, train

    alone = train(seed=1, overrides=[f"{WEIGHT}=-0.5"], log_root=tmp_path, progress=False, **SMALL)
    folder = survived["folder"]
    (record,) = (
        one for one in read_records(folder, Plan.read(folder)) if (one.setting[WEIGHT], one.seed) == ("-0.5", 1)
    )
    trial = Run.open(folder / record.run)
    assert trial.best.path.name == alone.checkpoint.name
    assert record.score == float(alone.evaluation.default_returns.mean()), "to the last bit"
    assert record.paid == alone.evaluation.mean_return
    with np.load(trial.log_dir / "curve.npz") as curve:
        for name in ("return", "length", "env_steps", "eval_epoch", "eval_return"):
            np.testing.assert_array_equal(curve[name], alone.curve[name])
    import torch

    from cartpole_lab.policies import read_checkpoint

    one, other = (read_checkpoint(path)["model"] for path in (trial.best.path, alone.checkpoint))
    assert all(torch.equal(one[name], other[name]) for name in other)
    assert json.loads((trial.log_dir / "summary.json").read_text())["seed"] == 1


def test_results_of_a_sweep_that_survived(survived: dict[str, Any]) -> None:
    import pandas as pd

    folder = survived["folder"]
    frame = pd.read_parquet(folder / "results.parquet")
    assert list(frame["pole_pos.weight"]) == [-0.5] * 6 + [-1.0] * 6
    assert list(frame["seed"]) == [0, 1, 2, 3, 4, 5] * 2
    assert frame["return"].notna().all() and (frame["status"] == "done").all()
    assert (folder / "report.html").read_text(encoding="utf-8").count("<svg") == 2
    assert list((folder / "runs").glob("*/*/summaries/events*")), "TensorBoard's files"
    assert len(list((folder / "runs").glob("*/*"))) == 12, "no run is left of a trial that was killed"


def test_what_the_widgets_show_is_kept_of_a_sweeps_runs(
    survived: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "book")
    from widget_runs import kept

    from cartpole_lab import Run

    folder = survived["folder"]
    record = read_records(folder, Plan.read(folder))[0]
    shown = kept(Run.open(folder / record.run), {"pole_pos": -0.5})
    assert shown["weights"]["pole_pos"] == -0.5
    assert (shown["seed"], shown["epochs"], len(shown["curve"]["return"])) == (0, 3, 3)
    assert shown["evaluation"]["task_return"] == pytest.approx(record.score, abs=1e-3), "by the task's own reward"
    assert all(len(episode["x"]) > 1 for episode in shown["film"]["episodes"])
    json.dumps(shown, allow_nan=False)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """Two Ray nodes on this machine's loopback, one trial at a time each, and a head that takes none."""
    if " " in sys.prefix:
        pytest.skip("Ray starts nothing on a cluster from such a folder; the next test sees that it is said")
    from cartpole_lab.training.sweep.cluster import LOOPBACK, SETTINGS

    ours = {**SETTINGS, **LOOPBACK}
    before = {name: os.environ.get(name) for name in ours}
    from ray.cluster_utils import Cluster  # before the settings that Ray reads once, as a notebook may have done

    os.environ.update(ours)

    here = {"object_store_memory": 80 * 2**20, "node_ip_address": "127.0.0.1", "wait": False}
    cluster = Cluster(initialize_head=True, head_node_args={**here, "num_cpus": 0, "include_dashboard": False})
    cluster.workers = [cluster.add_node(num_cpus=1, **here) for _ in range(2)]
    cluster.wait_for_nodes(timeout=LIMIT_S)
    yield cluster
    cluster.shutdown()
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def test_early_stopping_goes_by_evaluations_and_leaves_whole_runs(nodes: Any, tmp_path: Path) -> None:
    done = sweep(
        None,
        {"agent.params.config.learning_rate": ["1e-3", "1e-9"]},
        seeds="0..1",
        early_stop=True,
        address=nodes.address,
        log_root=tmp_path,
        progress=False,
        num_envs=64,
        max_iterations=9,
        eval_episodes=64,
    )
    early = done.table[done.table["status"] == "stopped early"]
    assert 0 < len(early) < 4
    assert (early["epochs"] < 9).all()
    assert (done.table[done.table["status"] == "done"]["epochs"] == 9).all()
    assert all((done.folder / run / "summary.json").is_file() for run in done.table["run"])


def test_optuna_is_told_the_mean_over_the_seeds(nodes: Any, tmp_path: Path) -> None:
    done = sweep(
        None,
        [f"{WEIGHT}=-2.0..-0.5"],
        search="optuna",
        samples=2,
        seeds="0..1",
        address=nodes.address,
        log_root=tmp_path,
        progress=False,
        **SMALL,
    )
    assert len(done.table) == 4
    assert done.table["pole_pos.weight"].nunique() == 2
    assert done.table["pole_pos.weight"].between(-2.0, -0.5).all()
    assert done.failed == done.unfinished == 0


def raylet(node: Any) -> subprocess.Popen:
    """The process of a node that starts those for trials."""
    return node.all_processes["raylet"][0].process


def started_by(process: subprocess.Popen, pid: int) -> bool:
    """Whether a process has started another one, or one that has."""
    try:
        return process.pid in [one.pid for one in psutil.Process(pid).parents()]
    except psutil.Error:
        return False


def test_two_nodes_take_trials_of_a_random_search_both_and_one_may_die(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the worst moment: when its process is handed a trial after another one, of which Tune thinks twice.

    The other node stands still until then. Tune gives a trial for which a process is still being started to one that is
    free: where trials are shorter than the start of a process, one node would take them all.
    """
    import ray
    from ray.tune.execution.tune_controller import TuneController

    mortal: list[Any] = []
    dying: list[psutil.Process] = []
    pids: dict[Any, int] = {}
    handed, over = threading.Event(), threading.Event()
    cache, reset = TuneController._maybe_cache_trial_actor, TuneController._schedule_trial_reset

    def cached(self: Any, trial: Any) -> bool:
        pids[self._trial_to_actor[trial]] = trial.last_result["pid"]
        return cache(self, trial)

    def hand_over(self: Any, trial: Any, *words: Any) -> None:
        pid = pids[self._trial_to_actor[trial]]
        dies = not handed.is_set() and any(started_by(raylet(node), pid) for node in mortal)
        if dies:
            dying.append(psutil.Process(pid))
            dying[0].suspend()  # so that it does not take the trial
        reset(self, trial, *words)
        if dies:
            handed.set()

    def kill_one() -> None:
        until(lambda: over.is_set() or ray._private.worker.global_worker.node is not None)
        if over.is_set():
            return
        joined = ray._private.worker.global_worker.node  # Ray chooses: any node of this machine
        others = [node for node in nodes.workers if node.raylet_socket_name != joined.raylet_socket_name]
        mortal.append(others[0])
        (stays,) = [node for node in nodes.workers if node is not others[0]]
        still: list[psutil.Process] = []
        try:
            while not (over.is_set() or handed.is_set()):
                for process in [one for one in trainers(raylet(stays)) if one not in still]:
                    still.append(process)
                    process.suspend()
                time.sleep(0.05)
        finally:
            for process in still:
                with contextlib.suppress(psutil.Error):
                    process.resume()
        if handed.is_set():
            nodes.remove_node(mortal[0])
            dying[0].kill()

    monkeypatch.setattr(TuneController, "_maybe_cache_trial_actor", cached)
    monkeypatch.setattr(TuneController, "_schedule_trial_reset", hand_over)
    killer = threading.Thread(target=kill_one)
    killer.start()
    try:
        done = sweep(
            None,
            [f"{WEIGHT}=-2.0..-0.5"],
            search="random",
            samples=2,
            seeds="0..4",
            address=nodes.address,
            log_root=tmp_path,
            name="two",
            progress=False,
            **SMALL,
        )
    finally:
        over.set()
        killer.join()
    assert handed.is_set() and not done.lost
    assert (done.table["status"] == "done").all(), "a process that nobody waits for any more has its trial on record"
    assert len(done.table) == 10 and done.failed == 0
    drawn = done.table.groupby("pole_pos.weight")["seed"].apply(sorted)
    assert list(drawn) == [[0, 1, 2, 3, 4]] * 2, "every setting that is drawn gets all seeds"
    assert all(-2.0 <= weight <= -0.5 for weight in drawn.index)
    assert done.table["node"].nunique() == 2
    kept = done.table.drop(columns=list(MEASURED))
    assert kept["return"].notna().all()


def trial_of(folder: Path, **options: Any) -> dict[str, Any]:
    """What a process is told of a trial."""
    plan = Plan(None, (Axis(WEIGHT, ("-1",)),), (), {"device": "cpu", **options}, seeds=(0,))
    return {"plan": plan.as_dict(), "folder": str(folder), "setting": {WEIGHT: "-1"}, "seed": 0}


def test_a_trial_that_cannot_begin_is_an_error_and_no_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cartpole_lab.training.sweep import trial

    def refuse() -> None:
        raise PermissionError(errno.EACCES, "not yours")

    pool = ThreadPoolExecutor(1, initializer=refuse)
    monkeypatch.setattr(trial, "_thread", lambda alone: pool)
    with pytest.raises(BrokenThreadPool):
        trial.Work(trial_of(tmp_path)).next_report()


def test_a_trial_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """On a cluster Ray's process of a machine may be killed without those below it, by Slurm for one."""
    child = """
import json, sys
from cartpole_lab.training.sweep.trial import Work
Work(json.loads(sys.argv[1])).next_report()
"""
    parent = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', *sys.argv[1:]]).returncode)"
    trial = json.dumps(trial_of(tmp_path, **SMALL | {"max_iterations": 1_000_000}))
    (tmp_path / "trials").mkdir()
    process = subprocess.Popen([sys.executable, "-c", parent, child, trial])
    STARTED.append(process)
    until(lambda: list((tmp_path / "runs").glob("*/*/*/events.*")), process)
    (trains,) = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    gone, _ = psutil.wait_procs([trains], timeout=LIMIT_S)
    assert gone == [trains]


def test_trials_share_cores_where_no_lock_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cartpole_lab.training.sweep import trial

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cores = os.sched_getaffinity(0)
    for core in cores:
        (tmp_path / f"cartpole-lab-{os.getuid()}-core-{core}.lock").mkdir()
    with ThreadPoolExecutor(1, initializer=trial._take_a_core) as pool:
        (taken,) = pool.submit(os.sched_getaffinity, 0).result()
    assert taken in cores


@pytest.mark.parametrize(
    ("folder", "said"), [("my robots", "a blank"), ("R&D", "'&'"), ("robots(2)", "'\\('"), ("Über_den-Wagen.3", None)]
)
def test_a_cluster_is_not_joined_from_a_folder_that_a_shell_reads_otherwise(
    folder: str, said: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ray would wait for ever for processes that its shell cannot start."""
    monkeypatch.setattr(sys, "prefix", f"/home/me/{folder}/.venv")
    said = f"a folder with {said} in its path" if said else "no Ray cluster at"
    with pytest.raises(UserError, match=said):
        sweep(None, [f"{WEIGHT}=-0.5,-1"], seeds="0", address="127.0.0.1:1", log_root=tmp_path, progress=False, **SMALL)


def test_no_cluster_at_an_address_is_one_line(tmp_path: Path) -> None:
    done = start(tmp_path, f"{WEIGHT}=-0.5,-1", *FLAGS, "--address", "127.0.0.1:1")
    err = done.communicate(timeout=LIMIT_S)[1]
    assert done.returncode == 2, err
    if " " in sys.prefix:
        assert "a blank in its path" in err
        return
    assert err.strip().splitlines()[-1].startswith("cartpole-lab sweep: error: no Ray cluster at '127.0.0.1:1'")
    assert "ray start --head" in err
