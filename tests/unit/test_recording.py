"""Rollouts and films."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from cartpole_lab.errors import UserError
from cartpole_lab.policies.by_hand import pd_policy, zero_policy
from cartpole_lab.video.film import film_name, record_video
from cartpole_lab.video.rollout import Rollout, record_rollout

STEPS, ENVS = 60, 3


@pytest.fixture(scope="module")
def rollout() -> Rollout:
    return record_rollout(zero_policy, steps=STEPS, num_envs=ENVS, device="cpu")


def test_shapes_are_those_of_the_docstring(rollout: Rollout) -> None:
    assert rollout.joint_names == ("slider_to_cart", "cart_to_pole")
    assert rollout.joint_pos.shape == rollout.joint_vel.shape == (STEPS + 1, ENVS, 2)
    assert rollout.observations.shape == (STEPS + 1, ENVS, 4)
    assert rollout.actions.shape == (STEPS, ENVS, 1)
    for name in ("effort", "rewards", "terminated", "truncated"):
        assert getattr(rollout, name).shape == (STEPS, ENVS)
    assert all(term.shape == (STEPS, ENVS) for term in rollout.reward_terms.values())
    assert rollout.steps == STEPS and rollout.num_envs == ENVS and rollout.time[-1] == pytest.approx(1.0)


def test_the_policy_saw_the_recorded_state(rollout: Rollout) -> None:
    seen = np.concatenate([rollout.joint_pos, rollout.joint_vel], axis=-1)
    assert np.array_equal(rollout.observations, seen)
    assert np.ptp(rollout.joint_pos[..., 1]) > 0.5, "unheld poles fall"
    assert (np.abs(rollout.joint_vel[0]) > 0).all(), "the first episode starts in motion too"


def test_contributions_sum_to_the_reward(rollout: Rollout) -> None:
    assert np.allclose(sum(rollout.contributions().values()), rollout.rewards, atol=1e-6)
    angle = np.angle(np.exp(1j * rollout.joint("cart_to_pole")[0][1:]))  # the term wraps it to ±π
    going_on = ~(rollout.terminated | rollout.truncated)
    assert np.allclose(rollout.reward_terms["pole_pos"][going_on], angle[going_on] ** 2, rtol=1e-4, atol=1e-6)
    assert np.allclose(rollout.contributions({"alive": 3.0})["alive"], 3.0 * rollout.contributions()["alive"])
    with pytest.raises(KeyError, match="no reward term"):
        rollout.contributions({"alife": 1.0})


def test_saving_loses_nothing(rollout: Rollout, tmp_path: Path) -> None:
    loaded = Rollout.load(rollout.save(tmp_path / "deep" / "rollout"))
    for field in dataclasses.fields(Rollout):
        one, other = getattr(rollout, field.name), getattr(loaded, field.name)
        if isinstance(one, dict):
            assert one.keys() == other.keys()
            assert all(np.array_equal(one[key], other[key]) for key in one)
        else:
            assert np.array_equal(one, other), field.name
    np.savez(tmp_path / "other.npz", a=1)
    with pytest.raises(ValueError, match="not a rollout"):
        Rollout.load(tmp_path / "other.npz")


def test_the_same_seed_records_the_same(rollout: Rollout) -> None:
    again = record_rollout(zero_policy, steps=STEPS, num_envs=ENVS, device="cpu")
    assert np.array_equal(again.joint_pos, rollout.joint_pos)
    other = record_rollout(zero_policy, steps=2, num_envs=ENVS, device="cpu", seed=8)
    assert not np.array_equal(other.joint_pos[0], rollout.joint_pos[0])


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return record_video(pd_policy(), path, seconds=1.0, width=320, height=180, num_envs=ENVS, device="cpu")


def test_a_browser_can_play_the_film(film: Path) -> None:
    reader = imageio_ffmpeg.read_frames(str(film))
    about = next(reader)
    assert about["codec"] == "h264"
    assert about["pix_fmt"].startswith("yuv420p")
    assert about["size"] == (320, 180) and about["fps"] == 30.0
    assert imageio_ffmpeg.count_frames_and_secs(str(film))[0] == 30
    data = film.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "the index comes first, so that the film starts at once"


def test_the_film_shows_carts_that_move(film: Path) -> None:
    reader = imageio_ffmpeg.read_frames(str(film))
    next(reader)
    frames = np.stack([np.frombuffer(frame, np.uint8).reshape(180, 320, 3) for frame in reader]).astype(int)
    # the carts are orange and nothing else is; the tips of the poles are blue
    red, blue = frames[..., 0] - frames[..., 2], frames[..., 2] - frames[..., 0]
    for colour in (red, blue):
        assert ((colour > 60).sum(axis=(1, 2)) > 15).all()
    assert (np.abs(frames[-1] - frames[0]).max(axis=-1) > 60).sum() > 50
    assert 60 < frames.mean() < 220, "neither black nor white"


def test_the_poster_is_a_picture_of_the_film(film: Path) -> None:
    from PIL import Image

    poster = np.asarray(Image.open(film.with_suffix(".png")).convert("RGB")).astype(int)
    assert poster.shape == (180, 320, 3)
    reader = imageio_ffmpeg.read_frames(str(film))
    next(reader)
    frames = [np.frombuffer(frame, np.uint8).reshape(180, 320, 3).astype(int) for frame in reader]
    assert min(np.abs(frame - poster).mean() for frame in frames) < 6.0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 321}, "even numbers"),
        ({"fps": 0}, "at least one"),
        ({"num_envs": 0}, "positive integer"),
        ({"num_envs": 10**9}, "at most 1000000"),
        *(({"seconds": wrong}, "at most 3600 s") for wrong in (float("nan"), float("inf"), 1e9)),
    ],
)
def test_a_film_that_cannot_be_is_refused(tmp_path: Path, wrong: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        record_video(pd_policy(), tmp_path / "film.mp4", **wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["film.avi", "film.GIF", "film.webm", "film.png"])
def test_a_film_in_another_format_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"films are \.mp4 only, such as film\.mp4"):
        record_video(pd_policy(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_film_gets_its_ending() -> None:
    names = ("a.mp4", "A.MP4", "a", "cart-2.5")
    assert [film_name(name).name for name in names] == ["a.mp4", "A.MP4", "a.mp4", "cart-2.5.mp4"]


def test_several_actions_and_actions_that_are_positions() -> None:
    """A policy without a mind of its own takes the size of the environment's actions; effort stays in newtons."""
    from isaaclab.envs.mdp import JointEffortActionCfg, JointPositionActionCfg

    from cartpole_lab import evaluate, random_policy
    from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

    cfg = CartpoleEnvCfg()
    cfg.actions.second = JointEffortActionCfg(asset_name="robot", joint_names=["cart_to_pole"], scale=0.1)
    both = record_rollout(random_policy(0), task_or_cfg=cfg, steps=3, num_envs=2, device="cpu")
    assert both.actions.shape == (3, 2, 2)
    assert evaluate(zero_policy, task_or_cfg=cfg, episodes=8, device="cpu").episodes == 8

    cfg = CartpoleEnvCfg()
    cfg.scene.robot.actuators["cart_actuator"].stiffness = 50.0
    cfg.actions.joint_effort = JointPositionActionCfg(asset_name="robot", joint_names=["slider_to_cart"], scale=2.0)
    held = record_rollout(zero_policy, task_or_cfg=cfg, steps=5, num_envs=4, device="cpu")
    cart = held.joint("slider_to_cart")[0][:-1]
    assert np.abs(held.effort[1:]).max() > 10.0, "metres are not newtons"
    assert np.corrcoef(held.effort[1:].ravel(), -cart[1:].ravel())[0, 1] > 0.9, "a spring pulls back to the middle"


def test_two_rollouts_with_a_dot_in_their_names_are_two_files(tmp_path: Path, rollout: Rollout) -> None:
    first, second = (rollout.save(tmp_path / name) for name in ("run.v1", "run.v2.npz"))
    assert [first.name, second.name] == ["run.v1.npz", "run.v2.npz"]
    assert Rollout.load(first).joint_names == rollout.joint_names


def test_a_film_that_is_broken_off_never_has_its_final_name(tmp_path: Path) -> None:
    from cartpole_lab.video.encoder import write_mp4

    def frames():
        for _ in range(8):
            yield np.zeros((32, 32, 3), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_mp4(frames(), tmp_path / "film.mp4", fps=30, poster_s=0.0)
    assert list(tmp_path.iterdir()) == []
