"""Four libraries, one task: the same flags, clips and time-outs; what a library itself gets wrong is watched here."""

from __future__ import annotations

import inspect
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cartpole_lab.errors import UserError
from cartpole_lab.policies import load_policy, open_checkpoint
from cartpole_lab.session.nan_guard import NotFinite
from cartpole_lab.training import TrainingRun, option_checks, train
from cartpole_lab.training.options import TrainOptions

OTHERS = ("rsl_rl", "skrl", "sb3")
OBS = torch.randn(64, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.5, 3.0, 6.0])
SHORT = "env.episode_length_s=0.15"  # nine steps, so that time-outs happen within a rollout
SMALL: dict[str, Any] = {"num_envs": 32, "device": "cpu", "seed": 5, "eval_interval": 0, "eval_episodes": 32}
SMALL["progress"] = False
WORDS = {
    "sb3": ["agent.normalize_input=true"],
    "rsl_rl": ["agent.actor.obs_normalization=true"],
    "skrl": ["agent.agent.experiment.write_interval=1"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, TrainingRun]:
    """One short training of each, with a policy so wild that a clip matters, and with time-outs."""
    for name in OTHERS:
        pytest.importorskip({"sb3": "stable_baselines3"}.get(name, name))
    seen = Seen()
    with pytest.MonkeyPatch.context() as patch:
        seen.attach(patch)
        wild: dict[str, Any] = {"max_iterations": 2, "sigma": 1.5, **SMALL}
        found = {
            name: train(rl_library=name, log_root=folder / name, overrides=[SHORT, *WORDS[name]], **wild)
            for name in OTHERS
        }
    found["seen"] = seen  # type: ignore[assignment]
    return found


class Seen:
    """What skrl and Stable-Baselines3 are told about time-outs."""

    def __init__(self) -> None:
        self.skrl: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        self.sb3: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def attach(self, patch: pytest.MonkeyPatch) -> None:
        """Look at every transition."""
        from isaaclab_rl.sb3 import Sb3VecEnvWrapper
        from skrl.agents.torch.ppo import PPO

        record, process = PPO.record_transition, Sb3VecEnvWrapper._process_extras
        seen = self

        def recorded(self: Any, *, next_observations: torch.Tensor, truncated: torch.Tensor, infos: Any, **kwargs: Any):
            if bool(truncated.any()):
                last = infos["final_obs"]["policy"]
                seen.skrl.append((next_observations.clone(), last.clone(), truncated.clone().view(-1)))
            return record(self, next_observations=next_observations, truncated=truncated, infos=infos, **kwargs)

        def processed(
            self: Any, obs: Any, terminated: Any, truncated: Any, extras: Any, reset_ids: Any, final_obs=None
        ):
            infos = process(self, obs, terminated, truncated, extras, reset_ids, final_obs=final_obs)
            for index in np.flatnonzero(truncated)[:2]:
                seen.sb3.append((infos[index]["terminal_observation"], final_obs[index], obs[index]))
            return infos

        patch.setattr(PPO, "record_transition", recorded)
        patch.setattr(Sb3VecEnvWrapper, "_process_extras", processed)


def test_each_run_lies_where_it_was_asked_for_and_says_what_it_is(runs: dict[str, Any], folder: Path) -> None:
    for name in OTHERS:
        run = runs[name]
        assert run.log_dir.is_relative_to(folder / name) and run.checkpoint.is_relative_to(run.log_dir)
        summary = json.loads((run.log_dir / "summary.json").read_text())
        assert np.isfinite(run.curve["return"][-1]), f"{name} says nothing of the episodes that have ended"
        assert summary["library"] == name and summary["epochs"] == 2 and summary["seed"] == 5
        assert {"curve.png", "curve.npz", "console.log", "run.json"} <= {path.name for path in run.log_dir.iterdir()}


def test_actions_are_clipped_alike(runs: dict[str, Any]) -> None:
    """With a first standard deviation of e^1.5 = 4.5 two actions of three lie beyond the limit."""
    for name in OTHERS:
        assert runs[name].largest_action == 1.0, name
        assert load_policy(runs[name].checkpoint)(OBS * 100).abs().max() <= 1.0


def test_sigma_reaches_the_policy(runs: dict[str, Any]) -> None:
    state = open_checkpoint(runs["rsl_rl"].checkpoint).state["actor_state_dict"]
    spread = next(value for name, value in state.items() if "std" in name and "normalizer" not in name)
    assert float(spread) == pytest.approx(np.exp(1.5), rel=0.2)
    assert float(open_checkpoint(runs["skrl"].checkpoint).state["policy"]["log_std_parameter"]) == pytest.approx(
        1.5, abs=0.2
    )
    assert float(open_checkpoint(runs["sb3"].checkpoint).state["sb3"]["log_std"]) == pytest.approx(1.5, abs=0.2)


def test_a_time_out_is_bootstrapped_from_the_last_observation_of_its_episode(runs: dict[str, Any]) -> None:
    seen: Seen = runs["seen"]
    assert seen.skrl and seen.sb3, "no time-out happened: the test shows nothing"
    for told, last, truncated in seen.skrl:
        torch.testing.assert_close(told[truncated], last[truncated])
    for told, last, first_of_next in seen.sb3:
        np.testing.assert_allclose(told, last)
        assert np.abs(last - first_of_next).max() > 1e-3, "the last state cannot be the next episode's first"


def test_what_the_libraries_themselves_get_wrong_is_still_so() -> None:
    """If one of these fails, a library was mended: take the work-around in training/*_train.py out."""
    import skrl.agents.torch.base
    from isaaclab_rl.sb3 import Sb3VecEnvWrapper
    from rsl_rl.runners import OnPolicyRunner
    from skrl.agents.torch.ppo import PPO
    from skrl.envs.wrappers.torch.isaaclab_envs import IsaacLabWrapper

    assert "self._observation_preprocessor(next_observations)" in inspect.getsource(PPO.record_transition)
    assert "final_obs" not in inspect.getsource(IsaacLabWrapper)
    assert "weights_only=False" in inspect.getsource(skrl.agents.torch.base.Agent.load)
    assert "weights_only=False" in inspect.getsource(OnPolicyRunner.load)
    assert "final_obs if final_obs is not None else obs" in inspect.getsource(Sb3VecEnvWrapper._process_extras)


def test_normalisation_is_read_back(runs: dict[str, Any]) -> None:
    from stable_baselines3 import PPO

    run = runs["sb3"]
    kept = open_checkpoint(run.checkpoint).meaning.normalizer
    assert kept["count"] > 100 and np.abs(np.array(kept["var"]) - 1).max() > 0.05, "nothing was normalised"
    spread = np.sqrt(np.array(kept["var"]) + kept["epsilon"])
    seen = np.clip((OBS.numpy() - np.array(kept["mean"])) / spread, -kept["clip"], kept["clip"])
    expected, _ = PPO.load(run.checkpoint, device="cpu").predict(seen.astype(np.float32), deterministic=True)
    torch.testing.assert_close(load_policy(run.checkpoint)(OBS), torch.from_numpy(expected), rtol=1e-4, atol=1e-5)
    assert load_policy(runs["rsl_rl"].checkpoint).normalises


@pytest.mark.parametrize("name", OTHERS)
def test_training_goes_on_from_a_checkpoint(name: str, runs: dict[str, Any], folder: Path) -> None:
    before = load_policy(runs[name].checkpoint)(OBS)
    words = [SHORT, *WORDS[name]]
    if name == "skrl":  # its learning rate is high for so few carts: one step, not eight rounds of them
        words += ["agent.agent.learning_epochs=1", "agent.agent.mini_batches=1"]
    run = train(
        rl_library=name, max_iterations=1, checkpoint="latest", log_root=folder / name, overrides=words, **SMALL
    )
    assert run.log_dir != runs[name].log_dir
    near = float((load_policy(run.checkpoint)(OBS) - before).abs().mean())
    others = [load_policy(runs[other].checkpoint)(OBS) for other in OTHERS if other != name]
    far = min(float((policy - before).abs().mean()) for policy in others)  # as a network of its own would be
    assert near < 0.5 * far, (near, far)


@pytest.mark.parametrize("name", OTHERS)
def test_a_checkpoint_that_cannot_be_gone_on_from(name: str, runs: dict[str, Any], tmp_path: Path) -> None:
    root = tmp_path / "logs"
    gone, other = tmp_path / "gone.pt", runs[OTHERS[OTHERS.index(name) - 1]].checkpoint
    hostile = tmp_path / "hostile.pt"
    torch.save({"actor_state_dict": {"mlp.0.weight": Hostile(tmp_path / "ran")}}, hostile)
    for path, says in (
        (gone, "is not a file"),
        (other, "go on from it with --rl_library"),
        (hostile, "code, which is never run"),
    ):
        with pytest.raises(UserError, match=says):
            train(rl_library=name, checkpoint=path, log_root=root, **SMALL)
    with pytest.raises(UserError, match="no best checkpoint in"):
        train(rl_library=name, checkpoint="best", log_root=root, **SMALL)
    assert not root.exists() and not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", OTHERS)
def test_observations_of_another_size_name_the_words_to_repeat(
    name: str, runs: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cartpole_lab import evaluate
    from cartpole_lab.video.rollout import record_rollout

    monkeypatch.chdir(tmp_path)
    checkpoint = runs[name].checkpoint
    asked: dict[str, Any] = {"device": "cpu", "overrides": ["env.observations.policy.history_length=2"]}
    says = (
        r"sees observations of shape \(4,\), the environment gives \(8,\); "
        r"repeat what it was trained with: env\.observations\.policy\.history_length=null$"
    )
    with pytest.raises(UserError, match=says):
        train(rl_library=name, checkpoint=checkpoint, progress=False, num_envs=4, **asked)
    assert list(tmp_path.iterdir()) == [], "the run's folder stays"
    if name == OTHERS[0]:  # one code for all libraries
        with pytest.raises(UserError, match=says):
            evaluate(checkpoint, episodes=4, **asked)
        with pytest.raises(UserError, match=says):
            record_rollout(checkpoint, num_envs=2, steps=6, **asked)


class Hostile:
    """A pickle that writes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


##
# Flags
##


@pytest.mark.parametrize("name", OTHERS)
def test_what_a_library_cannot_do_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"--distributed is honoured by rl_games only, not by {name}"):
        train(rl_library=name, distributed=True, **SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"max_iterations": 0}, "max_iterations is 0"),
        ({"eval_interval": -1}, "eval_interval is -1"),
        ({"eval_episodes": 0}, "eval_episodes is 0"),
        ({"video_length": -5}, "video_length is -5"),
        ({"video_interval": 0}, "video_interval is 0"),
        ({"num_envs": -1}, "num_envs is -1"),
        ({"num_envs": 2.5}, "num_envs is 2.5"),
        ({"seed": -2}, "seed is -2"),
        ({"sigma": 9.0}, "logarithm"),
        ({"sigma": float("nan")}, "logarithm"),
        ({"agent": "skrl_cfg_entry_point"}, "add --rl_library skrl"),
        ({"rl_library": "sb3", "agent": "rl_games_cfg_entry_point"}, "add --rl_library rl_games"),
        ({"rl_library": "keras"}, "'keras' is not known"),
        ({"log_root": "/dev/null/x"}, "is a file, not a folder"),
        ({"log_root": "/proc/nowhere"}, "log_root"),
        ({"wandb_name": "x"}, "add --track"),
        ({"nmu_envs": 4}, "did you mean num_envs"),
    ],
)
def test_an_option_that_cannot_be(given: dict[str, Any], says: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        train(**{"device": "cpu", **given})
    assert says in str(caught.value) and list(tmp_path.iterdir()) == []


def test_tracking_asks_where_only_if_anything_leaves_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    option_checks.check_options(TrainOptions(track=True))
    monkeypatch.delenv("WANDB_MODE")
    with pytest.raises(UserError, match="WANDB_MODE=offline"):
        option_checks.check_options(TrainOptions(track=True))


##
# What every training here can do
##


@pytest.mark.parametrize("name", OTHERS)
def test_a_training_is_filmed_followed_and_ends_when_solved(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 0.15 s no pole falls, so that the first evaluations find the task solved."""
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    wanted: dict[str, Any] = {**SMALL, "num_envs": 16, "eval_interval": 2, "max_iterations": 40}
    wanted |= {"video": True, "video_length": 3, "video_interval": 100, "track": True, "stop_when_solved": True}
    run = train(rl_library=name, log_root=tmp_path, overrides=[SHORT], **wanted)
    assert run.solved and run.solved_s is not None and run.epochs < 40
    assert run.evaluation.episodes == 32 and run.env_steps > 0, "judged in an environment of its own"
    assert [path.name for path in (run.log_dir / "videos" / "train").glob("*.mp4")] == ["clip_000000.mp4"]
    assert len(list((run.log_dir / "wandb").glob("offline-run-*/*.wandb"))) == 1
    assert wandb.run is None, "the next training of this process would be written into this one's record"


@pytest.mark.parametrize("name", OTHERS)
def test_a_signal_ends_a_training_with_what_it_has_learned(name: str, tmp_path: Path) -> None:
    def ask(info: Any) -> None:
        if info.epoch == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    run = train(rl_library=name, log_root=tmp_path, max_iterations=500, on_epoch=ask, overrides=[SHORT], **SMALL)
    assert run.stopped == "SIGTERM" and run.epochs in (2, 3)
    assert json.loads((run.log_dir / "summary.json").read_text())["stopped"] == "SIGTERM"
    assert load_policy(run.checkpoint)(OBS).shape == (64, 1)


##
# Numbers that are not
##


def sometimes_nan(env: Any) -> torch.Tensor:
    """A reward that is NaN in environment 3 from the fifth step on."""
    value = torch.ones(env.num_envs, device=env.device)
    if env.common_step_counter >= 5:
        value[3] = float("nan")
    return value


@pytest.mark.parametrize("name", ("rl_games", *OTHERS))
def test_a_reward_that_is_not_a_number_stops_at_its_step(name: str, tmp_path: Path) -> None:
    from isaaclab.managers import RewardTermCfg

    from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

    cfg = CartpoleEnvCfg()
    cfg.scene.num_envs = 32
    cfg.rewards.wobble = RewardTermCfg(func=sometimes_nan, weight=1.0)
    options = {key: value for key, value in SMALL.items() if key != "num_envs"}
    with pytest.raises(
        NotFinite, match=r"reward term 'wobble' gave nan in environment 3 at step 5: .*--no-check_finite"
    ):
        train(cfg, rl_library=name, max_iterations=2, log_root=tmp_path, **options)


def test_actions_observations_losses_and_weights_are_named() -> None:
    from cartpole_lab.session.env import make_env
    from cartpole_lab.session.nan_guard import FiniteGuard, check_update

    env = FiniteGuard(make_env(num_envs=4, device="cpu"))
    env.reset()
    action = torch.zeros(4, 1)
    action[2] = float("inf")
    with pytest.raises(NotFinite, match="action gave inf in environment 2 at step 0"):
        env.step(action)
    robot = env.unwrapped.scene["robot"]
    speed = torch.zeros(4, 2)
    speed[1, 1] = float("nan")
    robot.write_joint_velocity_to_sim_index(velocity=speed)
    with pytest.raises(NotFinite, match=r"gave nan in environment 1"):
        env.step(torch.zeros(4, 1))
    with pytest.raises(NotFinite, match="the actor loss gave nan at step 9: the update of epoch 3"):
        check_update({"actor": float("nan")}, [], epoch=3, step=9)
    with pytest.raises(NotFinite, match=r"the weight mlp\.0 gave inf"):
        check_update({}, [("mlp.0", torch.tensor([1.0, float("inf")]))], epoch=3, step=9)
    check_update({"actor": 1.0}, [("big", torch.full((4,), 3e38))], epoch=3, step=9)


def test_nothing_is_said_of_returns_before_an_episode_has_ended() -> None:
    from cartpole_lab.training.progress import EpochInfo

    line = EpochInfo(1, 9, 100, 1.0, float("nan"), float("nan"), 1e5).line()
    assert "nan" not in line and "no episode over yet" in line
