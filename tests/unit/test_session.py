"""One live environment: rebuilt safely, quiet, and honest about what it can't do."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from cartpole_lab.errors import UserError
from cartpole_lab.session.configs import configure, load_cfg
from cartpole_lab.session.env import close_env, make_env
from cartpole_lab.session.held_output import quietly


def _first_steps(seed: int) -> torch.Tensor:
    env = make_env(num_envs=8, device="cpu", seed=seed)
    obs, _ = env.reset(seed=seed)
    rows = [obs["policy"].clone()]
    for _ in range(20):
        obs, *_ = env.step(torch.full((8, 1), 0.3))
        rows.append(obs["policy"].clone())
    return torch.stack(rows)


def test_a_cell_run_twice_gives_the_same_numbers_in_a_new_environment() -> None:
    assert torch.equal(_first_steps(3), _first_steps(3))
    assert not torch.equal(_first_steps(3), _first_steps(4))


def test_an_environment_that_was_never_closed_is_cleared() -> None:
    import gymnasium as gym

    close_env()
    _, cfg, _ = configure(num_envs=2, device="cpu")
    forgotten = gym.make("Isaac-Cartpole-v0", cfg=cfg)
    env = make_env(num_envs=3, device="cpu")
    assert env.unwrapped.num_envs == 3
    close_env()
    forgotten.close()  # closing the stale one later does no harm
    assert make_env(num_envs=2, device="cpu").unwrapped.num_envs == 2


def test_the_first_reset_draws_the_velocities_it_was_asked_for() -> None:
    env = make_env(num_envs=64, device="cpu", seed=0)
    obs, _ = env.reset()
    velocities = obs["policy"][:, 2:]
    assert velocities.abs().max() > 0.3, "Isaac Lab's first reset starts every joint at rest unless make_env mends it"


def test_a_config_of_your_own_is_used_and_left_as_it_was() -> None:
    from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

    cfg = CartpoleEnvCfg()
    cfg.rewards.pole_pos.weight = -7.0
    env = make_env(cfg, num_envs=2, device="cpu")
    assert env.unwrapped.reward_manager.get_term_cfg("pole_pos").weight == -7.0
    assert cfg.scene.num_envs == 4096


def test_making_an_environment_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    make_env(num_envs=2, device="cpu")
    out = capfd.readouterr()
    assert out.out == "" and out.err == ""


def test_what_was_held_back_is_shown_when_something_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), quietly():
        print("the clue")
        raise RuntimeError("no")
    assert "the clue" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"task_or_cfg": "Isaac-Cartpol-v0"}, ("Isaac-Cartpol-v0", "did you mean Isaac-Cartpole-v0", "list_envs")),
        ({"num_envs": 0}, ("num_envs is 0", "positive")),
        ({"num_envs": -3}, ("num_envs is -3", "positive")),
        ({"overrides": ["physics=bullet"]}, ("bullet", "newton_mjwarp", "ovphysx", "isaacsim_physx")),
        ({"overrides": ["env.rewards.pole_posh.weight=1"]}, ("pole_posh",)),
        ({"device": "gpu"}, ("'gpu'", "cuda:<index>")),
    ],
)
def test_bad_input_is_named_with_what_was_expected(asked: dict, words: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        make_env(**{"device": "cpu", **asked})
    for word in words:
        assert word in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_asked_for_where_none_is() -> None:
    with pytest.raises(UserError, match="PyTorch sees 0 GPU"):
        make_env(device="cuda:0", num_envs=2)


def test_overrides_reach_both_configs() -> None:
    env_cfg, agent_cfg = load_cfg(overrides=["env.rewards.alive.weight=2", "agent.params.config.gamma=0.9"])
    assert env_cfg.rewards.alive.weight == 2
    assert agent_cfg["params"]["config"]["gamma"] == 0.9


def test_isaac_labs_own_cartpole_keeps_its_name() -> None:
    import gymnasium as gym
    import isaaclab_tasks  # noqa: F401

    import cartpole_lab.tasks  # noqa: F401

    assert gym.spec("Isaac-Cartpole").kwargs["env_cfg_entry_point"].startswith("isaaclab_tasks")
    assert gym.spec("Isaac-Cartpole-v0").kwargs["env_cfg_entry_point"].startswith("cartpole_lab")


def test_a_script_that_leaves_its_environment_open_ends_in_silence() -> None:
    code = "from cartpole_lab.session.env import make_env\nmake_env(num_envs=2, device='cpu').reset()\nprint('end')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")
