"""Training: repeatable, resumable, stoppable, and judged by evaluation."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cartpole_lab.errors import UserError
from cartpole_lab.policies import load_policy, read_checkpoint
from cartpole_lab.training import TrainingRun, train
from cartpole_lab.training.progress import ProgressLine, plot_curve

SMALL = {"num_envs": 64, "device": "cpu", "progress": False, "eval_episodes": 64}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    return train(**SMALL, seed=5, max_iterations=6, eval_interval=3, log_root=tmp_path_factory.mktemp("logs"))


def test_a_run_folder_holds_what_is_needed_to_judge_and_repeat_it(run: TrainingRun) -> None:
    for name in ("run.json", "params/env.yaml", "params/agent.yaml", "summary.json", "curve.png", "nn/cartpole.pth"):
        assert (run.log_dir / name).is_file(), name
    assert list((run.log_dir / "summaries").glob("events.*"))
    summary = json.loads((run.log_dir / "summary.json").read_text())
    wanted = (
        "task physics device num_envs seed epochs env_steps wall_s_total wall_s_train mean_return std_return "
        "timeout_share episodes versions"
    )
    assert set(wanted.split()) <= set(summary)
    assert summary["physics"] == "newton_mjwarp" and summary["epochs"] == 6
    assert summary["env_steps"] == 6 * 16 * 64
    assert yaml.safe_load((run.log_dir / "params/agent.yaml").read_text())["params"]["config"]["device"] == "cpu"


def test_evaluating_along_the_way_does_not_change_what_is_learned(run: TrainingRun, tmp_path: Path) -> None:
    unwatched = train(**SMALL, seed=5, max_iterations=6, eval_interval=0, log_root=tmp_path)
    np.testing.assert_array_equal(run.curve["return"], unwatched.curve["return"])
    np.testing.assert_array_equal(run.curve["length"], unwatched.curve["length"])
    last = [sorted((r.log_dir / "nn").glob("last_*"))[-1] for r in (run, unwatched)]
    first, second = (read_checkpoint(path)["model"] for path in last)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_same_seed_gives_the_same_numbers_in_another_process(run: TrainingRun, tmp_path: Path) -> None:
    code = (
        "import sys, numpy; from cartpole_lab.training.rl_games_train import train; "
        f"r = train(num_envs=64, device='cpu', progress=False, eval_episodes=64, seed=5, max_iterations=6, "
        f"eval_interval=3, log_root={str(tmp_path)!r}); print(r.checkpoint)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    other = Path(out.strip().splitlines()[-1])
    first, second = read_checkpoint(run.checkpoint)["model"], read_checkpoint(other)["model"]
    assert all(torch.equal(first[name], second[name]) for name in first)
    with np.load(other.parent.parent / "curve.npz") as curve:
        np.testing.assert_array_equal(run.curve["return"], curve["return"])
        np.testing.assert_array_equal(run.curve["eval_return"], curve["eval_return"])


def test_training_goes_on_from_a_checkpoint(run: TrainingRun, tmp_path: Path) -> None:
    more = train(**SMALL, seed=5, max_iterations=8, eval_interval=0, checkpoint=run.checkpoint, log_root=tmp_path)
    assert more.curve["epoch"][0] > 1 and more.epochs == 8
    assert more.log_dir != run.log_dir


def test_a_callback_can_end_the_training_and_keep_what_was_learned(tmp_path: Path) -> None:
    seen = []

    def stop_at_two(info) -> bool:
        seen.append(info.epoch)
        return info.epoch < 2

    before = threading.active_count()
    run = train(**SMALL, seed=1, max_iterations=50, eval_interval=0, log_root=tmp_path, on_epoch=stop_at_two)
    assert seen == [1, 2] and run.epochs == 2
    assert threading.active_count() <= before, "TensorBoard's writer stayed"
    assert load_policy(run.checkpoint)(torch.zeros(3, 4)).shape == (3, 1)


def test_the_policy_is_the_mean_action_of_rl_games(run: TrainingRun) -> None:
    """Against rl-games' own network code, weights loaded from the same checkpoint."""
    from rl_games.algos_torch.model_builder import ModelBuilder

    state = read_checkpoint(run.checkpoint)
    params = yaml.safe_load((run.log_dir / "params/agent.yaml").read_text())["params"]
    params["config"]["normalize_input"] = False
    shape = {"actions_num": 1, "input_shape": (4,), "num_seqs": 1, "value_size": 1}
    net = ModelBuilder().load(params).build({**shape, "normalize_value": False, "normalize_input": False})
    net.load_state_dict(state["model"])
    net.eval()
    obs = torch.randn(100, 4)
    with torch.no_grad():
        mus = net({"is_train": False, "prev_actions": None, "obs": obs, "rnn_states": None})["mus"].clamp(-1, 1)
    assert torch.allclose(load_policy(run.checkpoint)(obs), mus, atol=1e-6)


def test_a_folder_of_all_runs_that_is_named_is_that_one() -> None:
    from cartpole_lab.training.options import TrainOptions

    assert TrainOptions().runs == Path("logs/rl_games") and TrainOptions(rl_library="skrl").runs == Path("logs/skrl")
    assert TrainOptions(rl_library="skrl", log_root="logs/rl_games").runs == Path("logs/rl_games")


def test_two_runs_in_one_second_do_not_share_a_folder(tmp_path: Path) -> None:
    from cartpole_lab.training.options import TrainOptions
    from cartpole_lab.training.run_folder import make_log_dir

    config = {"name": "cartpole", "full_experiment_name": "same"}
    first = make_log_dir(dict(config), TrainOptions(log_root=tmp_path))
    second = make_log_dir(dict(config), TrainOptions(log_root=tmp_path))
    assert first != second


@pytest.mark.parametrize(
    ("pay", "ended", "timed_out", "worth"),
    [(4.8, 0, 0, True), (4.8, 3, 0, False), (4.8, 3, 3, True), (-10.0, 0, 0, False)],
    ids=["stands", "fails", "runs out of time", "hangs"],
)
def test_stop_when_solved_evaluates_what_the_latest_rollout_recommends(
    pay: float, ended: int, timed_out: int, worth: bool
) -> None:
    from types import SimpleNamespace

    from cartpole_lab.tasks.cartpole_env_cfg import RewardsCfg
    from cartpole_lab.tasks.success import CARTPOLE
    from cartpole_lab.training.best_policy import Watch

    terms = vars(RewardsCfg())

    raw = SimpleNamespace(
        num_envs=100,
        step_dt=1 / 60,
        single_observation_space={"policy": torch.zeros(4)},
        cfg=SimpleNamespace(episode_length_s=5.0, success=CARTPOLE),
        max_episode_length=300,
        reward_manager=SimpleNamespace(active_terms=list(terms), get_term_cfg=terms.get),
        reward_buf=torch.full((100,), pay / 300),
        obs_buf={"policy": torch.zeros(100, 4)},
    )
    watch = Watch(SimpleNamespace(unwrapped=raw), {}, None, ProgressLine(False), None, True, 3, 64)
    time_outs = torch.zeros(100, dtype=torch.bool)
    time_outs[:timed_out] = True
    watch.step_done(ended, time_outs)
    assert watch._promising() is worth


def test_an_agent_may_cut_its_episodes_while_evaluations_play_whole_ones(tmp_path: Path) -> None:
    seen = []
    run = train(
        **SMALL, agent="rl_games_with_symmetry_cfg_entry_point", seed=1, max_iterations=16, eval_interval=4,
        log_root=tmp_path, on_epoch=seen.append,
    )  # fmt: skip
    assert np.nanmax([info.mean_length for info in seen]) <= 90, "1.5 s are 90 steps"
    # the progress line, the curve, its picture and TensorBoard tell one story, and say which
    events = EventAccumulator(str(run.log_dir / "summaries"))
    events.Reload()
    story = [event.value for event in events.Scalars("rewards/iter")]
    told = run.curve["return"][np.isfinite(run.curve["return"])]
    np.testing.assert_allclose(told, story, rtol=1e-5)
    assert f"return {told[-1]:6.2f} in 1.5 s" in seen[-1].line()
    assert seen[-1].evaluation is not None and f"{seen[-1].evaluation.mean_return:.3f} in 5 s" in seen[-1].line()
    assert set(run.curve["episode_s"]) == {1.5} and set(run.curve["whole_episode_s"]) == {5.0}
    figure = plot_curve(run.curve)
    assert any(line.get_label().endswith("right axis") for line in figure.axes[0].lines)
    assert figure.axes[0].get_ylabel() == "return of 5 s"
    assert [axis.get_ylabel() for axis in figure.axes[0].child_axes] == ["return of an episode cut to 1.5 s"]
    assert run.evaluation.lengths.max() > 90
    assert "\nepisode_length_s: 5.0\n" in (run.log_dir / "params/env.yaml").read_text(), "the task's own"


def test_a_reward_that_is_not_a_number_stops_the_training_and_is_named(tmp_path: Path) -> None:
    from isaaclab.managers import RewardTermCfg

    from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

    def breaks(env) -> torch.Tensor:
        value = torch.zeros(env.num_envs)
        if env.common_step_counter > 40:
            value[7] = float("nan")
        return value

    cfg = CartpoleEnvCfg()
    cfg.rewards.breaks = RewardTermCfg(func=breaks, weight=-1.0)
    with pytest.raises(UserError, match=r"epoch 3: reward term 'breaks' gave nan in environment 7.*lies in"):
        train(cfg, **SMALL, seed=1, max_iterations=9, eval_interval=0, log_root=tmp_path)
    (kept,) = tmp_path.glob("*/*/nn/last_*.pth")
    assert all(value.isfinite().all() for value in read_checkpoint(kept)["model"].values())


def test_weights_that_are_not_numbers_stop_the_training(tmp_path: Path) -> None:
    words = ["agent.params.config.learning_rate=1e30", "agent.params.config.lr_schedule=linear"]
    with pytest.raises(UserError, match=r"epoch 1: the actor loss gave .*lower the learning rate"):
        train(**SMALL, seed=1, max_iterations=9, eval_interval=0, log_root=tmp_path, overrides=words)


def test_stopping_when_solved_says_when_that_was(tmp_path: Path) -> None:
    run = train(
        **{**SMALL, "num_envs": 512, "eval_episodes": 512}, agent="rl_games_with_symmetry_cfg_entry_point", seed=0,
        stop_when_solved=True, max_iterations=60, log_root=tmp_path,
    )  # fmt: skip
    assert run.epochs < 60 and run.solved
    assert run.solved_s is not None and run.curve["wall_s"][-1] <= run.solved_s < run.wall_s_total
    assert json.loads((run.log_dir / "summary.json").read_text())["solved_s"] == round(run.solved_s, 2)


def test_a_fresh_process_goes_on_from_a_network_of_this_package(tmp_path: Path) -> None:
    """Nothing but the checkpoint names the symmetric network there."""
    words = ["--num_envs", "8", "--device", "cpu", "--eval_interval", "0", "--eval_episodes", "8"]
    train(num_envs=8, device="cpu", agent="rl_games_with_symmetry_cfg_entry_point", max_iterations=1, eval_interval=0,
          eval_episodes=8, progress=False, log_root=tmp_path)  # fmt: skip
    command = [sys.executable, "-m", "cartpole_lab.cli", "train", "--checkpoint", "latest", "--max_iterations", "2"]
    done = subprocess.run([*command, *words, "--log_root", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "going on from epoch 1" in done.stdout, done.stderr
