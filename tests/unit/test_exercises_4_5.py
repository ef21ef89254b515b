"""The checks of lessons 4 and 5: a stub gets its hint, the solution a tick, the usual mistakes what they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import pytest
import torch

from cartpole_lab.evaluation import Evaluation
from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg
from cartpole_lab.teaching import exercises


def verdict(capsys: pytest.CaptureFixture[str], check: Callable[..., None], *answer: Any) -> str:
    """What a check prints about an answer."""
    check(*answer)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return out


def clocks(dt: float, decimation: int, seconds: float, render_interval: int | None = None) -> type[CartpoleEnvCfg]:
    """The task's config with other clocks."""

    class Variant(CartpoleEnvCfg):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.sim.dt, self.decimation, self.episode_length_s = dt, decimation, seconds
            self.sim.render_interval = render_interval or decimation

    return Variant


def test_slow_motion(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(capsys, exercises.check_slow_motion, clocks(1 / 240, 4, 10.0)).startswith("✓")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (CartpoleEnvCfg, "120 Hz, expected 240"),
        (clocks(240, 4, 10.0), "in seconds, 1 / 240"),
        (clocks(1 / 240, 2, 10.0), "decimation must grow"),
        (clocks(1 / 240, 4, 5.0), "lasts 5 s"),
        (clocks(1 / 240, 4, 600.0), "not in steps"),
        (clocks(1 / 240, 4, 10.0, render_interval=2), "render_interval is 2"),
        (None, "without ()"),
        (int, "AttributeError"),
    ],
)
def test_slow_motion_knows_the_usual_mistakes(capsys: pytest.CaptureFixture[str], answer: Any, hint: str) -> None:
    said = verdict(capsys, exercises.check_slow_motion, answer)
    assert said.startswith("✗") and hint in said


def measured(stands: float, lasts: float) -> Evaluation:
    """A hundred episodes of which these shares stand and last."""
    episode = torch.arange(100)
    timed_out = episode < round(100 * lasts)
    settle = torch.where(episode < round(100 * stands), 1.0, torch.nan)
    return Evaluation(
        returns=timed_out * 4.9, timed_out=timed_out, lengths=torch.full((100,), 300), settle_time_s=settle,
        reward_terms={}, step_dt=1 / 60, seed=0,
    )  # fmt: skip


def gains(cart_p: float, pole_p: float, cart_d: float, pole_d: float) -> dict[str, float]:
    return {"cart_p": cart_p, "pole_p": pole_p, "cart_d": cart_d, "pole_d": pole_d}


def test_controller(capsys: pytest.CaptureFixture[str]) -> None:
    answer = measured(0.94, 0.96), gains(0.1, -3.0, 0.25, -0.6)
    assert verdict(capsys, exercises.check_controller, *answer).startswith("✓")


@pytest.mark.parametrize(
    ("stands", "lasts", "given", "hint"),
    [
        (0.0, 1.0, gains(0, 0, 0, 0), "pole_p is 0"),  # hanging still, each episode lasts: no success
        (0.0, 0.5, gains(0.1, 3.0, 0.25, -0.6), "Turn the sign"),
        (0.0, 0.5, gains(0.1, -0.1, 0.25, -0.6), "Be bolder"),
        (0.2, 0.5, gains(0.1, -3.0, 0.25, 0.0), "pole_d negative"),
        (0.2, 0.5, gains(-0.1, -3.0, 0.25, -0.6), "negative cart gains"),
        (0.4, 0.5, gains(0.0, -3.0, 0.0, -0.6), "50% of the carts leave the stage"),
        (0.84, 0.96, gains(0.1, -3.0, 0.25, -0.6), "84% of the poles stand"),
    ],
)
def test_controller_knows_the_usual_mistakes(
    capsys: pytest.CaptureFixture[str], stands: float, lasts: float, given: dict[str, float], hint: str
) -> None:
    said = verdict(capsys, exercises.check_controller, measured(stands, lasts), given)
    assert said.startswith("✗") and hint in said


def push_limit(clip: Callable[[torch.Tensor, float], Any]) -> type[gym.ActionWrapper]:
    """The wrapper of exercise 5.2 around one way of clipping."""

    class PushLimit(gym.ActionWrapper):
        def __init__(self, env: gym.Env, limit: float) -> None:
            super().__init__(env)
            self.limit = limit

        def action(self, action: torch.Tensor) -> Any:
            return clip(action, self.limit)

    return PushLimit


def test_push_limit(capsys: pytest.CaptureFixture[str]) -> None:
    answer = push_limit(lambda a, limit: a.clamp(-limit, limit))
    assert verdict(capsys, exercises.check_push_limit, answer, gym.Env()).startswith("✓")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (push_limit(lambda a, limit: a), "come through unchanged"),
        (push_limit(lambda a, limit: a * limit), "scales every action"),
        (push_limit(lambda a, limit: a.clamp(max=limit)), "to the left"),
        (push_limit(lambda a, limit: a.clamp(-1, 1)), "use self.limit"),
        (push_limit(lambda a, limit: a.clamp_(-limit, limit)), "overwrites"),
        (push_limit(lambda a, limit: a.clamp(0, limit)), "expected [-0.25"),
        (push_limit(lambda a, limit: a.clamp(-limit, limit)[:, 0]), "(5,)"),
        (push_limit(lambda a, limit: None), "None"),
        (lambda env, limit: env, "no gym.ActionWrapper"),
    ],
)
def test_push_limit_knows_the_usual_mistakes(capsys: pytest.CaptureFixture[str], answer: Any, hint: str) -> None:
    said = verdict(capsys, exercises.check_push_limit, answer, gym.Env())
    assert said.startswith("✗") and hint in said
