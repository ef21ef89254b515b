"""The agents' settings, the mirror, and reading what each library saved."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cartpole_lab import session, training
from cartpole_lab.errors import UserError
from cartpole_lab.policies import build_policy, load_policy, open_checkpoint
from cartpole_lab.policies.meaning import Meaning
from cartpole_lab.training import libraries
from cartpole_lab.training.training_run import TrainingRun

TASK = "Isaac-Cartpole-v0"
OBS = torch.randn(64, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.5, 3.0, 6.0])


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries write their logs into the current folder."""
    monkeypatch.chdir(tmp_path)


def train(library: str, **kwargs: object) -> TrainingRun:
    pytest.importorskip({"sb3": "stable_baselines3"}.get(library, library))
    small = {"num_envs": 64, "device": "cpu", "seed": 5, "max_iterations": 2, "eval_interval": 0, "eval_episodes": 64}
    return training.train(rl_library=library, **small, **kwargs)


def test_every_agent_entry_loads() -> None:
    import gymnasium as gym

    import cartpole_lab.tasks  # noqa: F401

    entries = [key for key in gym.spec(TASK).kwargs if key.endswith("_cfg_entry_point") and not key.startswith("env")]
    assert len(entries) >= 6
    for entry in entries:
        assert session.load_cfg(TASK, agent=entry)[1] is not None


def test_the_symmetric_network_is_the_same_in_a_mirror_and_reads_as_a_plain_perceptron() -> None:
    from rl_games.algos_torch.model_builder import ModelBuilder

    params = session.load_cfg(TASK, agent="rl_games_with_symmetry_cfg_entry_point")[1]["params"]
    shape = {"actions_num": 1, "input_shape": (4,), "num_seqs": 1, "value_size": 1}
    model = ModelBuilder().load(params).build({**shape, "normalize_value": False, "normalize_input": False})

    def ask(obs: torch.Tensor) -> dict[str, torch.Tensor]:
        return model({"is_train": True, "prev_actions": torch.zeros(len(obs), 1), "obs": obs})

    with torch.no_grad():
        plain, mirrored = ask(OBS), ask(-OBS)
    assert plain["mus"].abs().max() > 0.1 and plain["values"].std() > 0.01, "it is not all zero"
    torch.testing.assert_close(mirrored["mus"], -plain["mus"])
    torch.testing.assert_close(mirrored["values"], plain["values"])
    near = OBS.clamp(-5, 5)
    env = session.EnvSettings(TASK)
    policy = build_policy(model.state_dict(), Meaning("rl_games", "", {"params": params}, env, (4,), 1))
    torch.testing.assert_close(policy(near), ask(near)["mus"].clamp(-1, 1).detach())


def test_the_symmetric_network_refuses_what_has_no_mirror() -> None:
    from rl_games.algos_torch.model_builder import ModelBuilder

    params = session.load_cfg(TASK, agent="rl_games_with_symmetry_cfg_entry_point")[1]["params"]
    params["network"]["mlp"]["activation"] = "elu"
    build = {"actions_num": 1, "input_shape": (4,), "num_seqs": 1, "normalize_value": False, "normalize_input": False}
    with pytest.raises(ValueError, match="'elu'"):
        ModelBuilder().load(params).build(build)


def test_rsl_rl_reads_back_as_itself() -> None:
    run = train("rsl_rl")
    from rsl_rl.models import MLPModel
    from tensordict import TensorDict

    cfg = session.load_cfg(TASK, agent="rsl_rl_cfg_entry_point")[1]
    obs = TensorDict({"policy": OBS}, batch_size=[len(OBS)])
    spread = {"class_name": "GaussianDistribution", "init_std": 1.0}
    own = MLPModel(
        obs,
        {"actor": ["policy"]},
        "actor",
        1,
        cfg.actor.hidden_dims,
        cfg.actor.activation,
        cfg.actor.obs_normalization,
        spread,
    )
    own.load_state_dict(torch.load(run.checkpoint, weights_only=True)["actor_state_dict"])
    expected = own.eval()(obs).clamp(-cfg.clip_actions, cfg.clip_actions)
    torch.testing.assert_close(load_policy(run.checkpoint)(OBS), expected)


def test_skrl_reads_back_as_itself() -> None:
    run = train("skrl")
    from isaaclab_rl.skrl import SkrlVecEnvWrapper
    from skrl.utils.runner.torch import Runner

    cfg = session.load_cfg(TASK, agent="skrl_cfg_entry_point")[1]
    cfg["agent"]["experiment"].update(write_interval=0, checkpoint_interval=0)
    env = SkrlVecEnvWrapper(session.make_env(TASK, num_envs=len(OBS), device="cpu"))
    agent = Runner(env, cfg).agent
    agent.load(str(run.checkpoint))
    agent.enable_training_mode(False, apply_to_models=True)
    wanted = agent.act(OBS, None, timestep=0, timesteps=0)[-1]["mean_actions"].detach()
    session.close_env()
    limit = cfg["env"]["clip_actions"]  # skrl knows none: the environment clips
    assert (wanted.abs() > limit).any()
    torch.testing.assert_close(load_policy(run.checkpoint)(OBS), wanted.clamp(-limit, limit))


def test_sb3_reads_back_as_itself() -> None:
    run = train("sb3")
    from stable_baselines3 import PPO

    expected, _ = PPO.load(run.checkpoint, device="cpu").predict(OBS.numpy(), deterministic=True)
    torch.testing.assert_close(load_policy(run.checkpoint)(OBS), torch.from_numpy(expected))


def test_symmetry_trains_a_policy_with_that_symmetry() -> None:
    run = train("rsl_rl", agent="rsl_rl_with_symmetry_cfg_entry_point")
    assert run.log_dir.parent.name == "cartpole_symmetry"
    assert run.checkpoint.is_file()


def test_mirror_doubles_and_negates() -> None:
    tensordict = pytest.importorskip("tensordict")
    from cartpole_lab.tasks.mdp import mirror_left_right

    obs = tensordict.TensorDict({"policy": OBS}, batch_size=[len(OBS)])
    both, actions = mirror_left_right(None, obs, OBS[:, :1])
    torch.testing.assert_close(both["policy"], torch.cat([OBS, -OBS]))
    torch.testing.assert_close(actions, torch.cat([OBS[:, :1], -OBS[:, :1]]))
    assert mirror_left_right(None, None, None) == (None, None)


def test_the_world_has_the_mirrors_symmetry() -> None:
    """Two cart-poles, one the mirror image of the other, pushed in mirrored ways, stay mirror images."""
    env = session.make_env(TASK, num_envs=2, device="cpu", seed=0).unwrapped
    env.reset()
    robot = env.scene["robot"]
    start = torch.tensor([[0.3, 0.2], [-0.3, -0.2]])
    robot.write_joint_position_to_sim_index(position=start)
    robot.write_joint_velocity_to_sim_index(velocity=torch.zeros(2, 2))
    generator = torch.Generator().manual_seed(1)
    for _ in range(60):
        push = 2 * torch.rand(1, 1, generator=generator) - 1
        obs = env.step(torch.cat([push, -push]))[0]["policy"]
    session.close_env()
    assert obs[0].abs().max() > 0.1, "nothing moved"
    torch.testing.assert_close(obs[0], -obs[1], atol=2e-3, rtol=0.0)


def test_unknown_and_missing_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="'keras' is not known: expected one of rl_games"):
        libraries.check_library("keras")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"cartpole-lab\[libraries\]"):
        libraries.check_library("skrl")


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a file"):
        load_policy(tmp_path / "gone.pt")
    for name in ("text.pt", "text.zip"):
        (tmp_path / name).write_text("not a checkpoint")
        with pytest.raises(UserError, match="is not a checkpoint"):
            load_policy(tmp_path / name)


def test_a_checkpoint_that_carries_code_is_refused_in_our_own_words(tmp_path: Path) -> None:
    torch.save({"policy": Path("/")}, tmp_path / "agent_1.pt")
    with pytest.raises(UserError, match=r"is not a checkpoint.*code, which is never run") as caught:
        open_checkpoint(tmp_path / "agent_1.pt")
    assert "weights_only" not in str(caught.value)
