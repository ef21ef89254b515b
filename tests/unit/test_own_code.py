"""Tasks, agents and terms of one's own with a mistake in them: a line that says where, and nothing left behind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from cartpole_lab import evaluate, make_env
from cartpole_lab.cli import main
from cartpole_lab.errors import UserError
from cartpole_lab.session.configs import LARGEST_SEED, load_cfg
from cartpole_lab.session.explained import explain

TASKS = """
import copy, pathlib, sys
import gymnasium as gym
import torch
from isaaclab.envs import DirectRLEnvCfg
from isaaclab.managers import RewardTermCfg
from isaaclab.utils import configclass
from cartpole_lab.tasks import agents
from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

def with_changed(change):
    @configclass
    class OwnCfg(CartpoleEnvCfg):
        def __post_init__(self):
            super().__post_init__()
            change(self)
    return OwnCfg

class PlainCfg(CartpoleEnvCfg):
    episode_length_s = 2.0

class Nothing:
    pass

def fails(cfg): cfg.no_such_group.x = 3
def backwards(cfg): cfg.sim.dt = -1
def word(cfg): cfg.decimation = "two"
def heavy(cfg): cfg.rewards.alive.weight = "abc"
def endless(cfg): cfg.rewards.alive.weight = float("nan")
FailsCfg, BackwardsCfg, WordCfg, HeavyCfg, EndlessCfg = map(with_changed, (fails, backwards, word, heavy, endless))

def too_few(env): return torch.zeros(3)
def leaves(env): sys.exit(0)
def own_term(function):
    return with_changed(lambda cfg: setattr(cfg.rewards, "mine", RewardTermCfg(func=function, weight=1.0)))
TooFewCfg, LeavesCfg = own_term(too_few), own_term(leaves)
NoTermCfg = with_changed(lambda cfg: setattr(cfg.rewards, "mine", 5))

AGENT, ENV = "cartpole_lab.tasks.agents:rl_games_ppo_cfg", "isaaclab.envs:ManagerBasedRLEnv"
def register(name, agent=AGENT, env=ENV, cfg=CartpoleEnvCfg):
    gym.register(id=name, entry_point=env, kwargs={"env_cfg_entry_point": cfg, "rl_games_cfg_entry_point": agent})

def misspell(params):
    params["config"]["normalise_value"] = params["config"].pop("normalize_value")

def settings(change):
    made = copy.deepcopy(agents.rl_games_ppo_cfg())
    change(made["params"])
    return lambda: made

register("Own-NoClass-v0", env="isaaclab.envs:NoSuchEnv")
register("Own-Direct-v0", cfg=DirectRLEnvCfg)
register("Own-Number-v0", agent=lambda: 5)
register("Own-Empty-v0", agent=lambda: {"params": {}})
register("Own-Yaml-v0", agent=str(pathlib.Path(__file__).with_name("bad.yaml")))
register("Own-Network-v0", agent=settings(lambda p: p["network"].update(name="no_such_network")))
register("Own-Gone-v0", agent=settings(lambda p: p["config"].pop("tau")))
register("Own-Many-v0", agent=settings(lambda p: p["config"].update(horizon_length="many")))
register("Own-Gamma-v0", agent=settings(lambda p: p["config"].update(gamma=5)))
register("Own-Slip-v0", agent=settings(misspell))
"""
MISTAKES = [
    ("leaving.py:X", "leaving.py line 2: SystemExit: 0"),
    ("own_tasks.py:Nope", "registers no 'Nope', but Own-Direct-v0, Own-Empty-v0"),
    ("own_tasks.py:Nothing", "class Nothing is no environment config"),
    ("own_tasks.py:PlainCfg", "PlainCfg sets episode_length_s, which nobody reads without @configclass"),
    ("own_tasks.py:FailsCfg", "cannot be made: own_tasks.py line"),
    ("own_tasks.py:BackwardsCfg", "env.sim.dt is -1, expected a positive number"),
    ("own_tasks.py:WordCfg", "env.decimation is 'two', expected a positive integer"),
    ("own_tasks.py:HeavyCfg", "env.rewards.alive.weight is 'abc', expected a number"),
    ("own_tasks.py:EndlessCfg", "env.rewards.alive.weight is nan, expected a finite number"),
    ("own_tasks.py:Own-NoClass-v0", "'isaaclab.envs:NoSuchEnv', which cannot be loaded"),
    ("own_tasks.py:Own-Direct-v0", "`isaaclab train --task Own-Direct-v0`"),
    ("own_tasks.py:Own-Number-v0", "gives '5', expected the settings of an agent"),
    ("own_tasks.py:Own-Empty-v0", "has no group 'algo' below agent.params"),
    ("own_tasks.py:Own-Yaml-v0", "cannot be loaded: ParserError"),
    ("own_tasks.py:Own-Many-v0", "horizon_length is 'many' in the agent's own settings, expected a positive integer"),
    ("own_tasks.py:Own-Gamma-v0", "gamma is 5 in the agent's own settings, expected a number from 0 to 1"),
    ("own_tasks.py:Own-Slip-v0", "did you mean normalize_value?"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_tasks.py").write_text(TASKS)
    (folder / "leaving.py").write_text("import sys\nsys.exit(0)\n")
    (folder / "bad.yaml").write_text("params: [1, 2\n")
    return folder


@pytest.mark.parametrize(("task", "says"), MISTAKES)
def test_a_mistake_in_a_task_of_ones_own_is_a_line(task: str, says: str, folder: Path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(UserError) as caught:
        load_cfg(task)
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("TooFewCfg", "reward term 'mine' failed: RuntimeError: The expanded size of the tensor (16)"),
        ("NoTermCfg", "reward term 'mine' failed: TypeError: Configuration for the term 'mine' is not of type"),
        ("Own-Network-v0", "rl_games knows no 'no_such_network'"),
        ("Own-Gone-v0", "the agent's settings have no 'tau', and rl_games does not do without"),
        ("LeavesCfg", "leaves ended the process (SystemExit: 0): nothing was finished"),
    ],
)
def test_a_term_of_ones_own_that_fails_is_named_in_a_line(
    task: str, says: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    small = ["--num_envs", "16", "--max_iterations", "1", "--eval_episodes", "16", "--device", "cpu"]
    assert main(["train", "--task", f"own_tasks.py:{task}", *small, "agent.params.config.minibatch_size=256"]) == 2
    assert says in capfd.readouterr().err.strip().splitlines()[-1]
    assert not (folder / "logs").exists()


def test_a_task_that_leaves_is_named_where_weights_and_biases_has_replaced_the_exit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from wandb.sdk.lib.exit_hooks import ExitHooks

    for name in ("exit", "excepthook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))  # put back afterwards
    ExitHooks().hook()
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=r"leaving\.py line 2: SystemExit: 0"):
        load_cfg("leaving.py:X")
    small = ["--num_envs", "16", "--max_iterations", "1", "--eval_episodes", "16", "--device", "cpu"]
    assert main(["train", "--task", "own_tasks.py:LeavesCfg", *small, "agent.params.config.minibatch_size=256"]) == 2
    assert "leaves ended the process (SystemExit: 0)" in capfd.readouterr().err.strip().splitlines()[-1]


def test_a_run_whose_environment_cannot_be_made_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def no_memory(*args: object, **kwargs: object) -> None:
        raise RuntimeError("Failed to allocate 368640000000 bytes on device 'cpu'")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("isaaclab.app.launch_simulation", no_memory)
    assert main(["train", "--device", "cpu", "--num_envs", "16", "agent.params.config.minibatch_size=256"]) == 2
    assert "not enough memory for this many environments" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("library", ["rl_games", "rsl_rl", "skrl", "sb3"])
def test_a_seed_that_no_random_stream_takes(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    key = "agent.params.seed" if library == "rl_games" else "agent.seed"
    for words in (["--seed", str(LARGEST_SEED + 1)], [f"{key}={2**40}"]):
        assert main(["train", "--device", "cpu", "--rl_library", library, *words]) == 2
        assert f"expected 0 to {LARGEST_SEED}, or -1 to draw one" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_package_itself_keeps_its_whole_report() -> None:
    try:
        load_cfg(overrides=3)  # type: ignore[arg-type]
    except TypeError as error:
        error.__traceback__ = (
            error.__traceback__ and error.__traceback__.tb_next
        )  # without this file, which is one's own
        assert explain(error) is None
    else:
        raise AssertionError("overrides that are none have been taken")


@pytest.mark.parametrize(("missing", "is_said"), [("tau", True), ("obs_of_nobody", False)])
def test_a_library_misses_a_setting_only_where_it_looks_one_up(missing: str, is_said: bool) -> None:
    from rl_games.algos_torch import torch_ext

    space: dict[str, Any] = {}
    exec(compile("def look(table, name): return table[name]", torch_ext.__file__, "exec"), space)
    try:
        space["look"]({}, missing)
    except KeyError as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        said = explain(error)
    assert said == (f"the agent's settings have no '{missing}', and rl_games does not do without" if is_said else None)


def test_what_a_setting_may_be_depends_on_where_it_stands() -> None:
    assert load_cfg("Isaac-Cartpole-v0", overrides=["+agent.params.config.normalise_it=1"])
    assert (
        load_cfg(overrides=["agent.params.config.clip_actions=False"])[1]["params"]["config"]["clip_actions"] is False
    )
    from cartpole_lab.session.setting_checks import problem

    assert problem("height", 1.5, 1.0, float) is None and problem("height", 1.5, 96, int) is not None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("evaluate --checkpoint last", "did you mean latest?"),
        ("play --checkpoint Best", "did you mean best?"),
        ("evaluate --agent_cfg gone.yaml", "name that file, not best"),
        ("evaluate --checkpoint . --agent_cfg gone.yaml", "is a folder: name the file in it"),
        ("export --out x.json", "add --format json"),
    ],
)
def test_a_word_that_would_have_been_passed_by(
    words: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    assert says in capfd.readouterr().err
    assert main(["train", "--log_root", ""]) == 2
    assert "expected a folder such as logs/rl_games" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (lambda obs: torch.zeros(3, 3), "gave a Tensor of shape (3, 3)"),
        (lambda obs: None, "gave a NoneType None"),
        (lambda obs: obs[:, :1].numpy(), "gave a ndarray of shape (4, 1)"),
        (lambda obs: obs.sum(), "gave a Tensor of shape ()"),
    ],
)
def test_a_policy_of_ones_own_that_gives_no_action_for_each_environment(policy: Any, says: str) -> None:
    env = make_env(num_envs=4, device="cpu")
    with pytest.raises(UserError) as caught:
        evaluate(policy, env=env, episodes=4)
    assert says in str(caught.value) and "a row of actions for each environment" in str(caught.value)


def test_overrides_as_one_text_are_said_to_be_a_list() -> None:
    with pytest.raises(UserError, match=r"expected a list of such words: \['env.decimation=4'\]"):
        load_cfg(overrides="env.decimation=4")
