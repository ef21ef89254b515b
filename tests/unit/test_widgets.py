"""The widgets' Python side: what they keep, what they send, what stands in for them. No simulator, no browser."""

from __future__ import annotations

import itertools
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cartpole_lab.evaluation import Evaluation
from cartpole_lab.policies.by_hand import pd_policy
from cartpole_lab.teaching.widgets import Playground, PolicyMap, RewardMixer, Trainer
from cartpole_lab.teaching.widgets._base import HERE, module
from cartpole_lab.teaching.widgets._data import DEFAULT_WEIGHTS, film_of, first_episode, summarise
from cartpole_lab.teaching.widgets.playground import recorded_policies
from cartpole_lab.teaching.widgets.policy_map import GRID
from cartpole_lab.video.rollout import Rollout

WIDGETS = ("playground", "policy_map", "reward_mixer", "trainer")
STEPS, ENVS, STEP_DT = 40, 3, 1 / 60


def make_rollout(fails_at: int | None = None) -> Rollout:
    """A rollout of made-up motion; environment 0 may fail at a step."""
    generator = np.random.default_rng(0)
    state = generator.normal(size=(STEPS + 1, ENVS, 4)).astype(np.float32)
    terminated = np.zeros((STEPS, ENVS), dtype=bool)
    if fails_at is not None:
        terminated[fails_at, 0] = True
    terms = {
        "alive": 1.0 - terminated,
        "terminating": 1.0 * terminated,
        "pole_pos": state[1:, :, 1] ** 2,
        "cart_vel": np.abs(state[1:, :, 2]),
        "pole_vel": np.abs(state[1:, :, 3]),
    }
    return Rollout(
        step_dt=STEP_DT,
        joint_names=("slider_to_cart", "cart_to_pole"),
        joint_pos=state[..., :2],
        joint_vel=state[..., 2:],
        observations=state,
        actions=np.zeros((STEPS, ENVS, 1), dtype=np.float32),
        effort=np.zeros((STEPS, ENVS), dtype=np.float32),
        rewards=sum(DEFAULT_WEIGHTS[name] * value for name, value in terms.items()) * STEP_DT,
        reward_terms=terms,
        weights=dict(DEFAULT_WEIGHTS),
        terminated=terminated,
        truncated=np.zeros_like(terminated),
    )


@dataclass
class FakeInfo:
    epoch: int
    max_epochs: int
    wall_s: float = 0.1
    mean_return: float = float("nan")


@dataclass
class FakeRun:
    """What the trainer reads of a `TrainingRun`."""

    epochs: int
    evaluation: Evaluation
    curve: dict[str, np.ndarray]
    wall_s_train: float = 1.0


def make_run(epochs: int) -> FakeRun:
    evaluation = Evaluation(
        returns=torch.full((4,), 4.5),
        timed_out=torch.tensor([True, True, True, False]),
        lengths=torch.full((4,), 300),
        settle_time_s=torch.tensor([0.5, 0.7, float("nan"), float("nan")]),
        reward_terms={},
        step_dt=STEP_DT,
        seed=1,
    )
    curve = {"epoch": np.arange(1, epochs + 1), "return": np.array([np.nan] + [1.0] * (epochs - 1))}
    return FakeRun(epochs=epochs, evaluation=evaluation, curve=curve)


def all_widgets() -> list[Any]:
    rollout = make_rollout()
    return [Playground(), RewardMixer(rollout), PolicyMap(recorded_policies(), rollout=rollout), Trainer()]


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_is_one_small_module(name: str) -> None:
    text = module(name)
    assert len(text.encode()) < {"trainer": 100_000, "playground": 70_000}.get(name, 60_000)  # a learner, a game
    assert "export default" in text
    for word in ("import ", "fetch(", "XMLHttpRequest", "http://", "https://", "eval("):
        assert word not in text, f"{name}.js reaches out: {word}"


def test_state_is_json_without_nan() -> None:
    """A saved page holds the state as JSON, which has no NaN; a page of all four stays under half a megabyte."""
    for widget in all_widgets():
        state = {name: value for name, value in widget.get_state().items() if not name.startswith("_esm")}
        text = json.dumps({k: v for k, v in state.items() if k != "layout"}, allow_nan=False, default=str)
        assert len(text) < 150_000


def test_every_widget_leaves_a_picture_and_words() -> None:
    for widget in all_widgets():
        data, _ = widget._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in data
        assert len(data["text/plain"]) > 40
        assert widget.picture().startswith(b"\x89PNG")


def test_recorded_data_is_small_and_has_a_source() -> None:
    for name in ("policies.json", "grid.json"):
        path = HERE / "recorded" / name
        assert path.stat().st_size < 100_000
        assert json.loads(path.read_text())["settings"]["task"] == "Isaac-Cartpole-v0"


def test_what_was_recorded_can_be_recorded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script's imports and settings still exist; running it takes minutes."""
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "book")
    import widget_runs

    from cartpole_lab.teaching.widgets.trainer import recorded_grid

    assert {name: list(values) for name, values in widget_runs.GRID.items()} == recorded_grid()["axes"]
    assert list(widget_runs.STAGES) == list(recorded_policies())


class TestPlayground:
    def test_takes_policies_by_name(self) -> None:
        weights = recorded_policies()["fully trained"]
        play = Playground({"mine": weights}, start_angle=30)
        assert (play.policy, play.params) == ("mine", {"start_angle": 30})

    def test_names_what_is_wrong(self) -> None:
        with pytest.raises(ValueError, match="expected one of"):
            Playground(policy="nobody at all")
        with pytest.raises(ValueError, match="export_weights"):
            Playground({"mine": {"no": "layers"}})
        with pytest.raises(ValueError, match="level is 7, expected 0 to 6"):
            Playground(level=7)
        with pytest.raises(ValueError, match="rival is 'me', expected one of"):
            Playground(rival="me")

    def test_a_training_is_its_policies_by_epoch(self) -> None:
        early, later, done = recorded_policies().values()
        play = Playground({"a training": {10: later, 3: early, 50: done}}, crowd=32, rival="energy")
        (entry,) = play.policies
        assert [e["epoch"] for e in entry["epochs"]] == [3, 10, 50]
        assert entry["weights"] == done and entry["epochs"][0]["weights"] == early
        assert play.game == {"level": 0, "rival": "energy", "crowd": 32, "epoch": None}


class TestRewardMixer:
    def test_returns_are_the_rollouts_own(self) -> None:
        rollout = make_rollout(fails_at=20)
        mixer = RewardMixer({"a": rollout}, episodes=2)
        expected = [float(rollout.rewards[: first_episode(rollout, env), env].sum()) for env in range(2)]
        np.testing.assert_allclose(mixer.returns()["a"], expected, atol=2e-3)
        assert len(mixer.rollouts[0]["episodes"][0]["x"]) == 21
        assert mixer.rollouts[0]["episodes"][0]["failed"]
        assert not mixer.rollouts[0]["episodes"][1]["failed"]

    def test_weights_are_linear_in_the_return(self) -> None:
        mixer = RewardMixer(make_rollout(), weights={"pole_pos": 0.0})
        without = mixer.returns()["rollout"][0]
        mixer.weights = {**mixer.weights, "pole_pos": -2.0}
        with_two = mixer.returns()["rollout"][0]
        mixer.weights = {**mixer.weights, "pole_pos": -1.0}
        assert mixer.returns()["rollout"][0] == pytest.approx((without + with_two) / 2)

    def test_becomes_a_rewards_config(self) -> None:
        mixer = RewardMixer(make_rollout())
        mixer.weights = {**mixer.weights, "pole_pos": -3.5}
        cfg = mixer.to_rewards_cfg()
        assert type(cfg).__name__ == "RewardsCfg"
        assert {name: getattr(cfg, name).weight for name in mixer.weights} == mixer.weights
        assert type(cfg)().pole_pos.weight == DEFAULT_WEIGHTS["pole_pos"], "the task's own config was changed"

    def test_names_what_is_wrong(self) -> None:
        with pytest.raises(ValueError, match="empty"):
            RewardMixer({})
        with pytest.raises(ValueError, match="polepos"):
            RewardMixer(make_rollout(), weights={"polepos": 1.0})
        mixer = RewardMixer(make_rollout())
        with pytest.raises(ValueError, match="'mine'"):
            mixer.weights = {**mixer.weights, "mine": 1.0}
        with pytest.raises(ValueError, match="has no term 'alive'"):
            mixer.to_rewards_cfg(object())


class TestPolicyMap:
    def test_a_function_is_sampled(self) -> None:
        shown = PolicyMap({"by hand": pd_policy()})
        grid = np.array(shown.policies[0]["grid"])
        assert grid.shape == GRID
        assert np.abs(grid).max() <= 1
        middle = grid[GRID[0] // 2]
        assert middle[0] == -middle[-1] != 0, "a linear policy is odd in the angle"

    def test_weights_stay_weights(self) -> None:
        shown = PolicyMap(recorded_policies()["fully trained"], rollout=make_rollout(fails_at=3))
        assert shown.policies[0]["grid"] is None
        assert [len(path["x"]) for path in shown.rollouts[0]["episodes"]] == [4, STEPS, STEPS]


class TestTrainer:
    def test_trains_stops_and_keeps(self) -> None:
        """Stop reaches the function at its next epoch; the run it returns is kept."""
        going = threading.Event()

        def train_fn(weights: dict[str, float], ppo: dict[str, float], on_epoch: Any) -> FakeRun:
            assert weights["pole_pos"] == -4.0
            for epoch in itertools.count(1):
                if on_epoch(FakeInfo(epoch, 1000)) is False:
                    return make_run(epoch)
                going.set()
                time.sleep(0.005)

        trainer = Trainer(train_fn, film=lambda run: make_rollout(), isolated=False)
        trainer.weights = {**trainer.weights, "pole_pos": -4.0}
        trainer.start()
        assert going.wait(600)
        trainer.stop()
        assert trainer.wait(600)
        assert trainer.status == {"state": "idle", "message": "stopped early"}
        assert len(trainer.runs) == len(trainer.results) == 1
        result = trainer.results[0]
        assert result["weights"]["pole_pos"] == -4.0
        assert result["curve"]["return"][0] is None
        assert result["evaluation"]["timeout_share"] == 0.75
        assert len(result["film"]["episodes"]) == ENVS
        json.dumps(trainer.results, allow_nan=False)

    def test_a_second_process_runs_it(self, tmp_path: Path) -> None:
        def train_fn(weights: dict[str, float], ppo: dict[str, float], on_epoch: Any) -> Any:
            import os

            (tmp_path / "pid").write_text(str(os.getpid()))
            for epoch in range(1, 4):
                on_epoch(FakeInfo(epoch, 3))
            return make_run(3)

        import os

        trainer = Trainer(train_fn)
        trainer.start()
        assert trainer.wait(600)
        assert trainer.status["state"] == "idle", trainer.status
        assert int((tmp_path / "pid").read_text()) != os.getpid()
        assert trainer.results[0]["epochs"] == 3
        trainer.close()

    @pytest.mark.parametrize("isolated", [True, False])
    def test_a_failure_is_shown(self, isolated: bool) -> None:
        def train_fn(weights: dict[str, float], ppo: dict[str, float], on_epoch: Any) -> Any:
            raise ValueError("minibatch_size is 7")

        trainer = Trainer(train_fn, isolated=isolated)
        trainer.start()
        assert trainer.wait(600)
        assert trainer.status["state"] == "failed"
        assert "minibatch_size is 7" in trainer.status["message"]
        trainer.close()

    def test_a_dead_process_is_shown(self) -> None:
        def train_fn(weights: dict[str, float], ppo: dict[str, float], on_epoch: Any) -> Any:
            import os

            os._exit(3)

        trainer = Trainer(train_fn)
        trainer.start()
        assert trainer.wait(600)
        assert "exit code 3" in trainer.status["message"]
        trainer.close()

    def test_defaults_are_those_of_the_agent_files_and_the_task(self) -> None:
        """Nothing is typed twice: rl-games' settings, the reward's weights, the criterion."""
        from cartpole_lab.session.configs import load_cfg
        from cartpole_lab.tasks import success

        def number(value: Any) -> Any:  # YAML reads 1e-3 as a word
            return float(value) if isinstance(value, str) and value[0].isdigit() else value

        trainer = Trainer()
        assert {**trainer.weights} == {**DEFAULT_WEIGHTS, "cart_pos": 0.0}
        assert trainer.settings["criterion"]["mean_return"] == success.SOLVED_RETURN
        for name, entry in {
            "with symmetry": "rl_games_with_symmetry_cfg_entry_point",
            "fast": "rl_games_fast_cfg_entry_point",
        }.items():
            config = load_cfg(agent=entry)[1]["params"]["config"]
            page = trainer.settings["agents"][name]
            same = set(config) & set(page)
            assert len(same) > 15 and {k: page[k] for k in same} == {k: number(config[k]) for k in same}
            sliders = ("learning_rate", "gamma", "entropy_coef")
            assert Trainer(agent=name).ppo == {key: number(config[key]) for key in sliders}

    def test_the_page_evaluates_as_often_and_as_long_as_train_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cartpole_lab.evaluation.EPISODES", 2000)
        monkeypatch.setattr("cartpole_lab.training.options.EVAL_INTERVAL", 7)
        criterion = Trainer().settings["criterion"]
        assert (criterion["episodes"], criterion["eval_interval"]) == (2000, 7)

    def test_an_agent_that_the_page_cannot_follow_is_refused(self) -> None:
        from cartpole_lab.errors import UserError
        from cartpole_lab.session.configs import load_cfg
        from cartpole_lab.teaching.widgets.page_settings import page_agent

        params = load_cfg(agent="rl_games_cfg_entry_point")[1]["params"]
        for change in (
            {"normalize_input": True},
            {"lr_schedule": "linear"},
            {"use_smooth_clamp": True},
            {"value_bootstrap": False},
        ):
            with pytest.raises(UserError, match=next(iter(change))):
                page_agent({**params, "config": {**params["config"], "normalize_input": False, **change}})

    def test_a_term_that_isaac_lab_lacks_is_named(self) -> None:
        trainer = Trainer(lambda weights, ppo, on_epoch: make_run(1), isolated=False)
        trainer.weights = {**trainer.weights, "cart_pos": -0.2}
        trainer.start()
        assert trainer.status["state"] == "failed" and "cart_pos" in trainer.status["message"]

    def test_the_pages_policies_come_to_python(self) -> None:
        trainer = Trainer()
        trainer.page_runs = [{"actor": recorded_policies()["fully trained"]}]
        (policy,) = trainer.page_policies
        assert policy(torch.zeros(3, 4)).shape == (3, 1)

    def test_in_the_page_only(self) -> None:
        trainer = Trainer()
        assert not trainer.can_train
        with pytest.raises(ValueError, match="train_fn"):
            trainer.start()
        with pytest.raises(ValueError, match="learning"):
            Trainer(ppo={"learning": 1.0})


def test_films_end_with_the_episode() -> None:
    film = film_of(make_rollout(fails_at=9))
    assert [len(episode["x"]) for episode in film["episodes"]] == [5, STEPS // 2, STEPS // 2]
    assert film["dt"] == pytest.approx(2 * STEP_DT)


def test_a_summary_has_no_nan() -> None:
    run = make_run(2)
    object.__setattr__(run.evaluation, "settle_time_s", torch.full((4,), float("nan")))
    assert summarise(run, {}, {})["evaluation"]["mean_settle_time_s"] is None
