"""The camera tasks: spaces, what the pictures show, and that they can be trained on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from camera_pictures import picture, pole_angle, pose

from cartpole_lab import session
from cartpole_lab.errors import UserError

RGB, DEPTH = "Isaac-Cartpole-RGB-v0", "Isaac-Cartpole-Depth-v0"


@pytest.fixture(scope="module")
def depth_env() -> Iterator[object]:
    env = session.make_env(DEPTH, num_envs=3, device="cpu", seed=1).unwrapped
    env.reset()
    yield env
    session.close_env()


def test_depth_spaces_and_pictures(depth_env) -> None:
    space = depth_env.single_observation_space
    assert space["policy"].shape == (2, 96, 96)
    assert space["critic"].shape == (4,)
    obs = depth_env.reset()[0]
    assert obs["policy"].shape == (3, 2, 96, 96) and obs["critic"].shape == (3, 4)
    assert torch.isfinite(obs["policy"]).all()


@pytest.mark.parametrize(("cart", "angle"), [(0.0, 0.0), (0.0, 0.5), (0.6, -0.5), (-0.9, 1.2), (0.3, -2.0)])
def test_the_pole_is_seen_where_it_is(depth_env, cart: float, angle: float) -> None:
    pose(depth_env, cart, angle)
    for depth in picture(depth_env, "depth")[..., 0]:
        seen = depth > 0
        assert 0.002 < seen.float().mean() < 0.1, "black, or full of something else"
        assert depth[seen].min() > 4.8 and depth[seen].max() < 5.4, "not at the cart-pole's distance [m]"
        seen[45:51] = False  # the cart hides the hinge
        assert pole_angle(seen, cart) == pytest.approx(angle, abs=0.09)


def test_the_newest_picture_comes_last_and_the_older_one_before(depth_env) -> None:
    depth_env.reset()
    before = None
    for _ in range(3):
        obs = depth_env.step(torch.ones(3, 1))[0]["policy"].cpu()
        now = torch.nan_to_num(picture(depth_env, "depth")[..., 0], posinf=0.0)
        torch.testing.assert_close(obs[:, 1], now)
        if before is not None:
            torch.testing.assert_close(obs[:, 0], before)
        before = now


def test_critic_sees_the_four_numbers(depth_env) -> None:
    obs = depth_env.step(torch.zeros(3, 1))[0]
    robot = depth_env.scene["robot"].data
    torch.testing.assert_close(obs["critic"][:, :2], robot.joint_pos.torch)


def test_rgb_is_normalised_and_shows_cart_and_pole() -> None:
    env = session.make_env(RGB, num_envs=2, device="cpu", seed=1).unwrapped
    obs = env.reset()[0]["policy"]
    assert env.single_observation_space["policy"].shape == (6, 96, 96) == obs.shape[1:]
    assert obs.abs().max() <= 1.0
    torch.testing.assert_close(obs.mean(dim=(2, 3)), torch.zeros(2, 6), atol=1e-4, rtol=0.0)
    pose(env, 0.0, 0.5)
    colour = picture(env, "rgb")[0].int()
    unlike = (colour - colour[0, 0]).abs().amax(dim=-1) > 24
    assert 0.002 < unlike.float().mean() < 0.1
    unlike[45:51] = False
    assert pole_angle(unlike, 0.0) == pytest.approx(0.5, abs=0.09)
    session.close_env()


@pytest.mark.parametrize(
    ("name", "kind"), [("newton_renderer", "newton_warp"), ("isaacsim_rtx", "isaac_rtx"), ("ovrtx", "ovrtx")]
)
def test_the_renderer_is_chosen_by_isaac_labs_names(name: str, kind: str) -> None:
    cfg, _ = session.load_cfg(RGB, overrides=[f"renderer={name}"])
    assert cfg.scene.tiled_camera.renderer_cfg.renderer_type == kind


def test_default_agents_train_on_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One epoch of the settings for a GPU and of those for a CPU, with the critic on the four numbers."""
    from cartpole_lab import policies
    from cartpole_lab.training import train

    monkeypatch.chdir(tmp_path)
    small = ["env.scene.tiled_camera.width=64", "env.scene.tiled_camera.height=32"]
    for agent, words, shape in (
        ("rl_games_cfg_entry_point", ["agent.params.config.horizon_length=16"], (2, 96, 96)),
        ("rl_games_fast_cfg_entry_point", small, (2, 32, 64)),
    ):
        run = train(DEPTH, agent=agent, num_envs=8, device="cpu", seed=1, max_iterations=1, overrides=words)
        policy = policies.load_policy(run.checkpoint, obs_shape=shape)
        assert policy(torch.rand(5, *shape)).shape == (5, 1)


def test_a_term_takes_every_parameter_of_its_function() -> None:
    """Also those that its config leaves to their defaults, as lesson 10 does."""
    where = "env.observations.policy.image.params"
    cfg, _ = session.load_cfg(DEPTH, agent=None, overrides=[f"{where}.max_depth=5.0"])
    assert cfg.observations.policy.image.params["max_depth"] == 5.0
    with pytest.raises(UserError, match="max_dept is not known"):
        session.load_cfg(DEPTH, agent=None, overrides=[f"{where}.max_dept=5.0"])
