"""A run owns what it is: which checkpoint is the best, what it was trained with, and how to go on from it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from cartpole_lab import evaluate
from cartpole_lab.cli import main
from cartpole_lab.errors import UserError
from cartpole_lab.files import check_name, write_whole
from cartpole_lab.policies import Run, find_checkpoint, find_runs, load_policy, open_checkpoint
from cartpole_lab.policies.checkpoint import MEMBER, packed, with_meaning
from cartpole_lab.policies.meaning import Meaning, safe_yaml
from cartpole_lab.session.configs import load_cfg
from cartpole_lab.session.env_settings import EnvSettings, describe, plain, rebuild, record
from cartpole_lab.training import TrainingRun, train
from cartpole_lab.training.best_policy import Watch

SMALL = {"num_envs": 16, "device": "cpu", "progress": False, "eval_episodes": 16}
WORDS = ["env.episode_length_s=1", "env.rewards.pole_pos.weight=-2", "agent.params.config.save_frequency=2"]
MIRROR = "rl_games_with_symmetry_cfg_entry_point"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    """Six epochs of the symmetric agent with settings of its own; a name with an underscore."""
    return train(
        **SMALL, agent=MIRROR, seed=3, max_iterations=6, eval_interval=2, log_root=tmp_path_factory.mktemp("logs"),
        overrides=[*WORDS, "agent.params.config.name=cart_pole_mirror"],
    )  # fmt: skip


@pytest.fixture
def root(trained: TrainingRun, tmp_path: Path) -> Path:
    """A folder of runs with a copy of that run in it."""
    shutil.copytree(trained.log_dir.parent.parent, tmp_path / "runs")
    return tmp_path / "runs"


def only(root: Path) -> Run:
    (run,) = find_runs(root)
    return run


def test_a_run_says_what_it_is(trained: TrainingRun) -> None:
    run = Run.open(trained.log_dir)
    assert (run.library, run.task, run.agent) == ("rl_games", "Isaac-Cartpole-v0", MIRROR)
    for name in ("env", "agent"):  # everything needed to repeat the run, by a loader that knows no Python objects
        assert yaml.safe_load((run.log_dir / "params" / f"{name}.yaml").read_text())
    assert run.env_cfg["episode_length_s"] == 1.0
    assert run.agent_cfg["params"]["network"]["name"] == "symmetric_actor_critic"
    assert run.summary["epochs"] == 6 and len(run.curve["epoch"]) == 6
    assert run.best.path == trained.checkpoint and "evaluation" in run.best.why
    scores = dict(zip(trained.curve["eval_epoch"], trained.curve["eval_return"], strict=True))
    assert run.best.score == max(scores.values()) == scores[run.best.epoch]
    assert "_ep_6_" in run.latest.name


def test_best_and_latest_go_by_the_record_not_by_names(root: Path) -> None:
    run = only(root)
    best, latest = (find_checkpoint(which, log_root=root) for which in ("best", "latest"))
    assert best.path.name == "cart_pole_mirror.pth" and best.epoch == run.best.epoch
    assert latest.epoch == 6 and latest.path.name.startswith("last_")
    record_file = run.log_dir / "checkpoints.json"
    noted = json.loads(record_file.read_text())
    noted["best"]["file"] = "nn/" + next(p.name for p in run.checkpoints if "_ep_4_" in p.name)
    record_file.write_text(json.dumps(noted))
    assert find_checkpoint("best", log_root=root).path.name.startswith("last_cart_pole_mirror_ep_4_")


def test_the_newest_run_is_the_newest_by_time(root: Path) -> None:
    run = only(root)
    for name, moment in (("aaa/1", "2001-01-01T00:00:00+00:00"), ("zzz/same", "1999-01-01T00:00:00")):
        other = root / name
        shutil.copytree(run.log_dir, other)
        (other / "run.json").write_text(json.dumps({**run.manifest, "created_at": moment}))
    assert [r.log_dir.name for r in find_runs(root)] == [run.log_dir.name, "1", "same"]
    shutil.copytree(run.log_dir, root / "other_agent" / run.log_dir.name)  # equal names in another folder
    assert len(find_runs(root)) == 4 and find_checkpoint("best", log_root=root).epoch == run.best.epoch
    assert find_runs(root, task="Isaac-Cartpole-RGB-v0") == []
    with pytest.raises(UserError, match=r"no best checkpoint of Isaac-Cartpole-RGB-v0.*--log_root"):
        find_checkpoint("best", log_root=root, task="Isaac-Cartpole-RGB-v0")


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut", None], ids=["empty", "cut", "gone"])
def test_after_a_kill_the_newest_file_that_loads_is_taken_and_said(
    damage: bytes | None, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = only(root)
    for path in [path for path in run.checkpoints if path == run.best.path or "_ep_6_" in path.name]:
        path.unlink() if damage is None else path.write_bytes(damage)
    said: list[str] = []
    for which in ("best", "latest"):
        assert find_checkpoint(which, log_root=root, say=said.append).epoch == 4
    assert all("instead" in line and "\n" not in line for line in said) and said
    for path in run.checkpoints:
        path.write_bytes(b"")
    with pytest.raises(UserError, match="no best checkpoint"):
        find_checkpoint("best", log_root=root, say=said.append)
    assert "looking at an older run" in said[-1]


def test_all_files_of_a_run_are_whole_moments(trained: TrainingRun) -> None:
    run = Run.open(trained.log_dir)
    assert len(run.checkpoints) >= 4
    for path in run.checkpoints:
        opened = open_checkpoint(path)
        state, config = opened.state, opened.meaning.agent_cfg["params"]["config"]
        steps = {float(s["step"]) for s in state["optimizer"]["state"].values()}
        updates = state["epoch"] * config["mini_epochs"] * config["horizon_length"] // config["minibatch_size_per_env"]
        assert steps == {updates}, "the optimizer is of another epoch than the counter"
        assert state["frame"] == state["epoch"] * 16 * config["horizon_length"]
        assert isinstance(state["last_mean_rewards"], float) and abs(state["last_mean_rewards"]) < 100
    assert not list(trained.log_dir.rglob("*.part"))


def test_going_on_takes_the_settings_and_the_state_of_the_file(trained: TrainingRun, tmp_path: Path) -> None:
    from cartpole_lab.training import checkpoints

    seen: dict[str, Any] = {}
    restore = checkpoints.restore

    def spy(algo: Any, keeper: Any, set_epoch: bool = True) -> None:
        restore(algo, keeper, set_epoch)
        seen.update(
            epoch=algo.epoch_num, frame=algo.frame, rate=algo.last_lr,
            step={float(s["step"]) for s in algo.optimizer.state_dict()["state"].values()},
            value=algo.value_mean_std.running_mean.clone(),
        )  # fmt: skip

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "restore", spy)
        more = train(
            device="cpu", progress=False, eval_episodes=16, eval_interval=0, max_iterations=8, log_root=tmp_path,
            checkpoint=trained.checkpoint,
        )  # fmt: skip
    file = open_checkpoint(trained.checkpoint)
    assert (seen["epoch"], seen["frame"]) == (file.epoch, file.state["frame"])
    assert seen["rate"] == file.state["optimizer"]["param_groups"][0]["lr"] != 1e-3
    assert seen["step"] == {float(s["step"]) for s in file.state["optimizer"]["state"].values()}
    assert torch.equal(seen["value"], file.state["model"]["value_mean_std.running_mean"])
    assert more.num_envs == 16 and list(more.curve["epoch"]) == list(range(file.epoch + 1, 9))
    run = Run.open(more.log_dir)
    assert run.agent == MIRROR and run.env_cfg["episode_length_s"] == 1.0
    assert run.env_cfg["rewards"]["pole_pos"]["weight"] == -2.0
    assert run.log_dir.parent.name == "cart_pole_mirror" and run.log_dir != trained.log_dir


def test_a_training_that_goes_on_is_the_one_that_never_stopped(trained: TrainingRun, tmp_path: Path) -> None:
    """Six epochs at once, and four and two after going on: the same to the last bit, on one thread."""
    run = Run.open(trained.log_dir)
    file = next(path for path in run.checkpoints if "_ep_4_" in path.name)
    more = train(
        device="cpu", progress=False, eval_episodes=16, eval_interval=2, max_iterations=6, checkpoint=file,
        log_root=tmp_path,
    )  # fmt: skip
    first, second = (open_checkpoint(r.latest).state for r in (run, Run.open(more.log_dir)))
    assert first["epoch"] == second["epoch"] == 6 and first["frame"] == second["frame"]
    assert all(torch.equal(first["model"][name], value) for name, value in second["model"].items())
    assert first["optimizer"]["param_groups"][0]["lr"] == second["optimizer"]["param_groups"][0]["lr"]
    assert list(more.curve["return"]) == list(trained.curve["return"][4:])


def _killed(root: Path, moment: str) -> None:
    """Train in a copy of this process, which is killed by SIGKILL at some moment."""
    pid = os.fork()
    if pid == 0:
        try:
            with pytest.MonkeyPatch.context() as patch:
                _kill_at(moment, patch)
                words = [*WORDS, "agent.params.config.save_best_after=0"]
                train(**SMALL, agent=MIRROR, seed=3, max_iterations=9, eval_interval=2, log_root=root, overrides=words)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL


def _kill_at(moment: str, patch: pytest.MonkeyPatch) -> None:
    where, count = moment.split(" ")
    owner, name = {"step": (Watch, "step_done"), "file": (os, "replace"), "epoch": (Watch, "epoch_done")}[where]
    left, plain_call = [int(count)], getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain_call(*args, **kwargs)

    patch.setattr(owner, name, call)


@pytest.mark.parametrize("moment", ["step 90", "epoch 5", "file 8"])
def test_after_a_real_kill_training_goes_on_as_the_file_says(moment: str, tmp_path: Path) -> None:
    """Killed in a rollout, at the end of an epoch, and while a file has its temporary name."""
    _killed(tmp_path / "runs", moment)
    run = only(tmp_path / "runs")
    assert not (run.log_dir / "summary.json").exists(), "it came to its end"
    for which in ("best", "latest"):
        file = find_checkpoint(which, log_root=tmp_path / "runs")
        assert file.path.is_relative_to(run.log_dir) and 1 <= file.epoch <= 8
        more = train(
            device="cpu", progress=False, eval_episodes=16, eval_interval=0, max_iterations=file.epoch + 1,
            log_root=tmp_path / which, checkpoint=file.path,
        )  # fmt: skip
        after, config = open_checkpoint(more.checkpoint), file.meaning.agent_cfg["params"]["config"]
        updates = config["mini_epochs"] * config["horizon_length"] // config["minibatch_size_per_env"]
        assert list(more.curve["epoch"]) == [file.epoch + 1] == [after.epoch]
        assert after.state["frame"] == after.epoch * 16 * config["horizon_length"]
        assert {float(s["step"]) for s in after.state["optimizer"]["state"].values()} == {after.epoch * updates}
        assert after.env == file.env and after.meaning.trained == file.meaning.trained
        assert _network_and_limits(after.meaning) == _network_and_limits(file.meaning)


def _network_and_limits(meaning: Meaning) -> Any:
    params = meaning.agent_cfg["params"]
    passing = {"train_dir", "full_experiment_name", "max_epochs"}  # of one run
    return params["network"], params["env"], {k: v for k, v in params["config"].items() if k not in passing}


def test_words_win_over_the_settings_of_the_file(trained: TrainingRun, tmp_path: Path) -> None:
    more = train(
        device="cpu", progress=False, eval_episodes=16, eval_interval=0, max_iterations=7, log_root=tmp_path,
        checkpoint=trained.log_dir,  # the folder stands for its best
        overrides=["env.episode_length_s=2", "agent.params.config.learning_rate=0.00025",
                   "agent.params.config.lr_schedule=linear"],
    )  # fmt: skip
    run = Run.open(more.log_dir)
    assert run.env_cfg["episode_length_s"] == 2.0 and run.env_cfg["rewards"]["pole_pos"]["weight"] == -2.0
    assert run.agent_cfg["params"]["config"]["learning_rate"] == 0.00025
    with pytest.raises(UserError, match=r"agent\.params\.config\.lerning_rate"):
        train(
            device="cpu", progress=False, log_root=tmp_path, checkpoint=trained.checkpoint,
            overrides=["agent.params.config.lerning_rate=1e-4"],
        )  # fmt: skip


def test_evaluate_says_what_it_was_trained_with_and_what_is_changed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["evaluate", "--log_root", str(root), "--episodes", "16", "--device", "cpu", "--json"]
    assert main(argv) == 0
    as_trained = json.loads(capsys.readouterr().out)
    assert "env.episode_length_s=1" in as_trained["trained_with"] and as_trained["evaluated_with"] == []
    assert main([*argv, "env.episode_length_s=2"]) == 0
    changed = json.loads(capsys.readouterr().out)
    assert changed["evaluated_with"] == ["env.episode_length_s=2"]
    assert changed["reward_terms"] != as_trained["reward_terms"]


def test_export_never_writes_over_anything(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best = only(root).best.path
    before, argv = best.read_bytes(), ["export", "--log_root", str(root), "--format", "json", "--out"]
    alias = best.with_name("alias.json")
    os.link(best, alias)
    for out, word in ((best, "is the checkpoint itself"), (alias, "is the checkpoint itself"), (root, "is a folder")):
        for force in ([], ["--force"]):
            assert main([*argv, str(out), *force]) == 2
            assert word in capsys.readouterr().err
    kept = root / "notes.json"
    kept.write_text("mine")
    assert main([*argv, str(kept)]) == 2 and kept.read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    assert main([*argv, str(kept), "--force"]) == 0 and "layers" in kept.read_text()
    assert best.read_bytes() == before


def test_a_file_without_meaning_is_refused_or_given_one(trained: TrainingRun, tmp_path: Path) -> None:
    bare = tmp_path / "bare.pth"
    torch.save(dict(open_checkpoint(trained.checkpoint).state), bare)
    with pytest.raises(UserError, match=r"does not say what network.*--agent_cfg"):
        open_checkpoint(bare)
    settings = trained.log_dir / "params" / "agent.yaml"
    with pytest.raises(UserError, match="--task"):
        open_checkpoint(bare, agent_cfg=settings)
    given = open_checkpoint(bare, agent_cfg=settings, task="Isaac-Cartpole-v0")
    obs = torch.randn(64, 4)
    assert torch.equal(load_policy(given)(obs), load_policy(trained.checkpoint)(obs))
    shutil.copytree(trained.log_dir, tmp_path / "run", ignore=shutil.ignore_patterns("*.pth"))
    shutil.copy(bare, tmp_path / "run" / "nn" / "bare.pth")  # as `isaaclab train` leaves it: params/ beside
    beside = open_checkpoint(tmp_path / "run" / "nn" / "bare.pth")
    assert rebuild(beside.env).episode_length_s == 1.0
    assert torch.equal(load_policy(beside)(obs), load_policy(trained.checkpoint)(obs))


def test_a_file_of_isaac_labs_own_command_is_read_with_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its env.yaml holds Python tuples and slices; nothing in it is built."""
    from isaaclab_rl.entrypoints.common import dump_train_configs, write_run_manifest

    env_cfg, agent_cfg = load_cfg(overrides=["env.episode_length_s=3"])
    write_run_manifest(str(tmp_path), library="rl_games", task="Isaac-Cartpole-v0", metadata={"agent": "x"})
    dump_train_configs(str(tmp_path), env_cfg, agent_cfg)
    text = (tmp_path / "params" / "env.yaml").read_text()
    assert "!!python/" in text
    values = plain(safe_yaml(text))
    settings = EnvSettings("Isaac-Cartpole-v0", (), values)
    assert describe(settings) == ["env.episode_length_s=3"] or describe(settings) == ["env.episode_length_s=3.0"]
    assert rebuild(settings).episode_length_s == 3


def test_settings_of_somebody_else_run_nothing(tmp_path: Path) -> None:
    base = plain(load_cfg(agent=None)[0])
    for change in (
        {"rewards": {"alive": {"func": "os:system"}}},
        {"events": {"mine": {"func": "os:system", "mode": "startup", "params": {}}}},
        {"ui_window_class_type": "lambda: __import__('os').system('true')"},
    ):
        values = json.loads(json.dumps(base))
        for name, entries in change.items():
            values[name] = {**values[name], **entries} if isinstance(entries, dict) else entries
        with pytest.raises(UserError, match="a config of your own"):
            rebuild(EnvSettings("Isaac-Cartpole-v0", (), values))
    for task in ("evil.py:Task", "os:Task", "../x"):
        with pytest.raises(UserError, match="expected a registered id"):
            EnvSettings.from_dict({"task": task})
    with pytest.raises(UserError):
        EnvSettings.from_dict({"task": "Isaac-Cartpole-v0", "presets": ["env.rewards.alive.func=os:system"]})


def test_a_config_of_ones_own_comes_back_in_this_process_and_is_asked_for_in_another(
    trained: TrainingRun, tmp_path: Path
) -> None:
    from isaaclab.envs import mdp
    from isaaclab.managers import RewardTermCfg

    cfg = load_cfg(agent=None)[0]
    cfg.rewards.steady = RewardTermCfg(func=mdp.action_rate_l2, weight=-0.01)
    cfg.episode_length_s = 0.5
    own = record("Isaac-Cartpole-v0", cfg, [], own=True)
    assert rebuild(own).rewards.steady.weight == -0.01
    state, meaning = open_checkpoint(trained.checkpoint).state, open_checkpoint(trained.checkpoint).meaning
    path = tmp_path / "own.pth"
    path.write_bytes(packed(state, Meaning("rl_games", meaning.agent, meaning.agent_cfg, own, (4,), 1)))
    assert evaluate(path, episodes=16, device="cpu").lengths.max() <= 30, "the config comes back with the file"
    code = f"from cartpole_lab import evaluate; evaluate({str(path)!r}, episodes=4, device='cpu')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode and "trained with a config of your own: rewards.steady" in done.stderr


def test_meaning_survives_being_written_twice(trained: TrainingRun) -> None:
    import io
    import zipfile

    opened = open_checkpoint(trained.checkpoint)
    data = with_meaning(trained.checkpoint.read_bytes(), opened.meaning)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert sum(name.endswith(MEMBER) for name in archive.namelist()) == 1
    again = torch.load(io.BytesIO(data), weights_only=True)
    assert all(torch.equal(again["model"][name], value) for name, value in opened.state["model"].items())


def test_what_was_checked_is_what_is_loaded(trained: TrainingRun, tmp_path: Path) -> None:
    """The file changes between the check and rl-games' turn to read it."""
    from cartpole_lab.training import rl_games_train

    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "boom",))

    file = tmp_path / "swapped.pth"
    shutil.copy(trained.checkpoint, file)
    make_log_dir = rl_games_train.make_log_dir

    def swap(*args: Any) -> Path:
        torch.save({"model": Bomb()}, file)
        return make_log_dir(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rl_games_train, "make_log_dir", swap)
        more = train(
            device="cpu", progress=False, eval_episodes=16, eval_interval=0, max_iterations=7, log_root=tmp_path / "l",
            checkpoint=file,
        )  # fmt: skip
    assert not (tmp_path / "boom").exists() and more.epochs > 1


@pytest.mark.parametrize("key", ["name", "full_experiment_name"])
@pytest.mark.parametrize("value", ["a/b", "../../x", "/tmp/x", "..", ".hidden", "x" * 300, "a\\b"])
def test_names_that_lead_elsewhere_are_refused_before_anything_is_written(
    key: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", "--device", "cpu", "--num_envs", "16", "--log_root", str(tmp_path / "logs")]
    assert main([*argv, f"agent.params.config.{key}={value}"]) == 2
    assert f"agent.params.config.{key} is" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    write_whole(path, "old")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            write_whole(path, "new" * 1000)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["numbers.json"]
    assert check_name("cart-pole 2", "it") == "cart-pole 2"


def test_save_best_after_and_score_to_win_are_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep, there = Watch._keep_if_best, []
    monkeypatch.setattr(Watch, "_keep_if_best", lambda self, moment, _: keep(self, moment, -moment["epoch"]))
    late = train(
        **SMALL, seed=1, max_iterations=4, eval_interval=1, log_root=tmp_path / "a",
        overrides=["env.episode_length_s=1", "agent.params.config.save_best_after=3"],
        on_epoch=lambda _: there.append(any((tmp_path / "a").rglob("cartpole.pth"))),
    )  # fmt: skip
    best = Run.open(late.log_dir).best
    assert there == [False, False, True, True], "the setting says from when on the best is in its file"
    assert (best.epoch, best.score) == (1, -1.0), "each epoch did worse than the one before"
    assert open_checkpoint(best.path).state["epoch"] == 1 and "4 evaluations" in best.why
    monkeypatch.undo()
    won = train(
        **SMALL, seed=1, max_iterations=30, eval_interval=0, log_root=tmp_path / "b",
        overrides=["agent.params.config.save_best_after=2", "agent.params.config.score_to_win=-100",
                   "env.episode_length_s=0.2"],
    )  # fmt: skip
    assert won.epochs < 30, "the running mean passed score_to_win"


def test_isaac_lab_plays_our_checkpoint(trained: TrainingRun, tmp_path: Path) -> None:
    """Isaac Lab's own command with the file of a run; it stops by itself after a few steps."""
    code = (
        "import sys\n"
        "from isaaclab_rl.entrypoints import run_play_cli\n"
        "from isaaclab_rl.entrypoints.backends import play_rl_games as play\n"
        "def few(step, **_):\n"
        "    for _ in range(20): step()\n"
        "    print('PLAYED')\n"
        "play.run_playback = few\n"
        "sys.exit(run_play_cli(['--rl_library', 'rl_games', *sys.argv[1:]]))\n"
    )
    argv = ["--task", "Isaac-Cartpole-v0", "--agent", MIRROR, "--num_envs", "4", "--device", "cpu"]
    words = ["agent.params.config.device=cpu", "agent.params.config.device_name=cpu"]
    done = subprocess.run(
        [sys.executable, "-c", code, *argv, "--checkpoint", str(trained.checkpoint), *words],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert "PLAYED" in done.stdout, done.stdout[-2000:] + done.stderr[-3000:]


OWN = """
import gymnasium as gym
from isaaclab.utils import configclass
from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

@configclass
class QuickCfg(CartpoleEnvCfg):
    def __post_init__(self):
        super().__post_init__()
        self.episode_length_s = 0.5

gym.register(
    id="Own-Quick-v0", entry_point="isaaclab.envs:ManagerBasedRLEnv", disable_env_checker=True,
    kwargs={"env_cfg_entry_point": f"{__name__}:QuickCfg",
            "rl_games_cfg_entry_point": "cartpole_lab.tasks.agents:rl_games_ppo_cfg"},
)
"""


def test_a_task_of_ones_own_file_goes_on_and_is_asked_for_in_a_fresh_process(tmp_path: Path) -> None:
    (tmp_path / "own_quick.py").write_text(OWN)
    few = ["--num_envs", "8", "--device", "cpu", "--eval_interval", "0", "--eval_episodes", "8"]

    def fresh(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cartpole_lab.cli", *words, "--log_root", "runs"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    task = ["--task", "own_quick.py:Own-Quick-v0"]
    assert fresh("train", *task, *few, "--max_iterations", "1", "env.rewards.alive.weight=2").returncode == 0
    more = fresh("train", *task, *few, "--max_iterations", "2", "--checkpoint", "latest")
    assert more.returncode == 0 and "going on from epoch 1" in more.stdout, more.stderr
    last = find_runs(tmp_path / "runs")[0]
    assert last.task == "Own-Quick-v0" and last.env_cfg["rewards"]["alive"]["weight"] == 2.0
    refused = fresh("evaluate", "--episodes", "8")
    assert refused.returncode == 2 and "--task path/to/file.py:Own-Quick-v0" in refused.stderr, refused.stderr


def test_a_config_class_that_is_named_is_not_the_task_of_the_checkpoint(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The checkpoint is of Isaac-Cartpole-v0, and so would be the class by its id."""
    (tmp_path / "own_class.py").write_text(OWN.partition("gym.register")[0])
    words = ["--log_root", str(root), "--task", f"{tmp_path / 'own_class.py'}:QuickCfg", "--episodes", "8"]
    assert main(["evaluate", *words, "--device", "cpu", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert max(told["reward_terms"].values()) <= 0.5, "its episodes are longer than those of the class"
    assert "env.episode_length_s=0.5" in told["evaluated_with"]
