"""The checks of lessons 6 to 11: stubs get a hint, solutions a tick, usual mistakes what they need."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cartpole_lab.teaching.exercises import measuring, rewarding, scaling, scripts, seeing, training

LENS = 24 / 20.955


def verdict(capsys: pytest.CaptureFixture[str], check: object, answer: object) -> str:
    """What a check prints about an answer."""
    check(answer)  # type: ignore[operator]
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return out


def clipped_gain(ratio: torch.Tensor, advantage: torch.Tensor, e_clip: float = 0.2) -> torch.Tensor:
    return torch.minimum(ratio * advantage, ratio.clamp(1 - e_clip, 1 + e_clip) * advantage)


def test_clipped_gain(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(capsys, training.check_clipped_gain, clipped_gain).startswith("✓")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda r, a, e=0.2: r * a, "nothing is clipped"),
        (lambda r, a, e=0.2: r.clamp(1 - e, 1 + e) * a, "take the smaller"),
        (lambda r, a, e=0.2: torch.maximum(r * a, r.clamp(1 - e, 1 + e) * a), "not the larger"),
        (lambda r, a, e=0.2: (r * a).clamp(1 - e, 1 + e), "clip the ratio"),
        (lambda r, a, e=0.2: clipped_gain(r, a, e).mean(), "no mean"),
        (lambda r, a, e=0.2: clipped_gain(r, a), "written into the function"),
        (lambda r, a, e=0.2: None, "NoneType"),
        (lambda r, a, e=0.2: clipped_gain(r, a, e) + 1, "expected 1.1"),
        (lambda r: r, "TypeError"),
    ],
)
def test_clipped_gain_knows_the_usual_mistakes(capsys: pytest.CaptureFixture[str], answer: object, hint: str) -> None:
    said = verdict(capsys, training.check_clipped_gain, answer)
    assert said.startswith("✗") and hint in said


def test_is_solved(capsys: pytest.CaptureFixture[str]) -> None:
    def is_solved(returns: torch.Tensor, timed_out: torch.Tensor) -> bool:
        return bool(returns.mean() >= 4.90 and timed_out.float().mean() >= 0.995)

    assert verdict(capsys, training.check_is_solved, is_solved).startswith("✓")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda r, t: r.mean() > 4.8, "count the time-outs"),
        (lambda r, t: t.float().mean() >= 0.995, "look at the return"),
        (lambda r, t: bool(r.mean() >= 4.9 and t.all()), "not every episode"),
        (lambda r, t: None, "expected True or False"),
        (lambda r, t: False, "not called solved"),
    ],
)
def test_is_solved_knows_the_usual_mistakes(capsys: pytest.CaptureFixture[str], answer: object, hint: str) -> None:
    said = verdict(capsys, training.check_is_solved, answer)
    assert said.startswith("✗") and hint in said


LINE = (
    "train --num_envs 128 --max_iterations 20 --seed 3 physics=ovphysx "
    "env.rewards.cart_vel.weight=-0.1 agent.params.config.learning_rate=1e-3"
)


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(capsys, scripts.check_command_line, LINE).startswith("✓")
    assert verdict(capsys, scripts.check_command_line, LINE.replace("1e-3", "0.001")).startswith("✓")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ("train --num_envs 128 --physics ovphysx", "no flag"),
        (LINE.replace("physics=", "--physics="), "no flag"),
        (LINE.replace("physics=", "physics "), "no '='"),
        (LINE.replace("--seed 3", ""), "--seed is None"),
        (LINE.replace("params.config.", ""), "you wrote 'agent.learning_rate'"),
        (LINE.replace("physics=ovphysx", ""), "it is missing"),
        (LINE.replace("-0.1", "0.1"), "expected '-0.1'"),
        (LINE + " env.decimation=4", "not asked for"),
        (LINE.replace("128", "many"), "refuses"),
        ("cartpole-lab " + LINE, "expected 'train'"),
        (128, "expected one string"),
    ],
)
def test_command_line_knows_the_usual_mistakes(capsys: pytest.CaptureFixture[str], answer: object, hint: str) -> None:
    said = verdict(capsys, scripts.check_command_line, answer)
    assert said.startswith("✗") and hint in said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("train --checkpoint latest --max_iterations 200", "✓"),
        ("train --max_iterations 50", "from nothing"),
        ("train --checkpoint best --max_iterations 200", "expected latest"),
        ("train --checkpoint latest --max_iterations 50", "reached already"),
        ("train --checkpoint latest", "expected 150 + 50"),
    ],
)
def test_go_on(capsys: pytest.CaptureFixture[str], answer: str, said: str) -> None:
    scripts.check_go_on(answer, done=150, more=50)
    out = capsys.readouterr().out
    assert said in out and out.startswith("✓" if said == "✓" else "✗")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda r: r.std() / len(r) ** 0.5, "✓"),
        (lambda r: r.std(), "known better"),
        (lambda r: r.std() / len(r), "the root of n"),
        (lambda r: r.var() / len(r), "variance"),
        (lambda r: None, "expected one number"),
        (lambda r: r, "expected one number"),
        (lambda r: r.mean(), "expected"),
    ],
)
def test_standard_error(capsys: pytest.CaptureFixture[str], answer: object, said: str) -> None:
    out = verdict(capsys, measuring.check_standard_error, answer)
    assert said in out and out.startswith("✓" if said == "✓" else "✗")


def settle_time(angle: np.ndarray, step_dt: float, band: float) -> float:
    outside = np.flatnonzero(np.abs(angle) >= band)
    after = outside[-1] + 1 if len(outside) else 0
    return after * step_dt if after < len(angle) else np.nan


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (settle_time, "✓"),
        (lambda a, dt, b: np.argmax(np.abs(a) < b) * dt, "first passes"),
        (lambda a, dt, b: settle_time(a, 1, b), "number of the step"),
        (lambda a, dt, b: np.flatnonzero(np.abs(a) >= b)[-1] * dt, "last moment outside"),
        (lambda a, dt, b: settle_time(np.maximum(a, 0), dt, b), "first passes"),
        (lambda a, dt, b: np.nan_to_num(settle_time(a, dt, b)), "NaN"),
        (lambda a, dt, b: (np.flatnonzero(np.abs(a) >= b)[-1] + 1) * dt, "IndexError"),
        (lambda a, dt, b: None, "expected one number"),
    ],
)
def test_settle_time(capsys: pytest.CaptureFixture[str], answer: object, said: str) -> None:
    out = verdict(capsys, measuring.check_settle_time, answer)
    assert said in out and out.startswith("✓" if said == "✓" else "✗")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda t, w, dt: sum(w[n] * t[n].sum() for n in t) * dt, "✓"),
        (lambda t, w, dt: sum(w[n] * t[n].sum() for n in t), "multiply by step_dt"),
        (lambda t, w, dt: sum(t[n].sum() for n in t) * dt, "weights are not used"),
        (lambda t, w, dt: sum(w[n] * t[n].mean() for n in t), "mean rate"),
        (lambda t, w, dt: 0.0, "expected"),
        (lambda t, w, dt: t["alive"], "expected one number"),
        (lambda t, w: 0.0, "TypeError"),
    ],
)
def test_pays(capsys: pytest.CaptureFixture[str], answer: object, said: str) -> None:
    out = verdict(capsys, rewarding.check_pays, answer)
    assert said in out and out.startswith("✓" if said == "✓" else "✗")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda a, c, t, s, dt: (a - c) * s < t * dt, "✓"),
        (lambda a, c, t, s, dt: (a - c) * s < t, "paid for one step"),
        (lambda a, c, t, s, dt: (a - c) * s > t * dt, "crashing is said to pay more"),
        (lambda a, c, t, s, dt: False, "living on is said to pay more"),
        (lambda a, c, t, s, dt: (a - c) * s < 0, "is it in your sum"),
        (lambda a, c, t, s, dt: None, "expected True or False"),
    ],
)
def test_crash_pays(capsys: pytest.CaptureFixture[str], answer: object, said: str) -> None:
    out = verdict(capsys, rewarding.check_crash_pays, answer)
    assert said in out and out.startswith("✓" if said == "✓" else "✗")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda s, u, f: (s + u) / (s / f + u), "✓"),
        (lambda s, u, f: f, "nothing but simulation"),
        (lambda s, u, f: (s / f + u) / (s + u), "turn the fraction"),
        (lambda s, u, f: s / f + u, "epoch in seconds"),
        (lambda s, u, f: 2.0, "expected 1.98"),
        (lambda s, u, f: None, "expected one number"),
    ],
)
def test_speedup(capsys: pytest.CaptureFixture[str], answer: object, said: str) -> None:
    out = verdict(capsys, scaling.check_speedup, answer)
    assert said in out and out.startswith("✓" if said == "✓" else "✗")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda y, d, w: w / 2 - y / d * LENS * w, "✓"),
        (lambda y, d, w: (w - 1) / 2 - y / d * LENS * w, "✓"),
        (lambda y, d, w: w / 2, "expected"),
        (lambda y, d, w: -y / d * LENS * w, "from the left edge"),
        (lambda y, d, w: w / 2 + y / d * LENS * w, "wrong side"),
        (lambda y, d, w: w / 2 - y / d * w, "lens is missing"),
        (lambda y, d, w: w / 2 - y / d / LENS * w, "magnifies"),
        (lambda y, d, w: w / 2 - y * LENS * w, "distance has no part"),
        (lambda y, d, w: 48 - y / d * LENS * 96, "all three count"),
        (lambda y, d, w: w / 2 - y / 5 * LENS * w, "all three count"),
        (lambda y, d, w: w, "expected 48"),
        (lambda y, d, w: None, "expected one number"),
        (lambda y: y, "TypeError"),
    ],
)
def test_column(capsys: pytest.CaptureFixture[str], answer: object, said: str) -> None:
    out = verdict(capsys, seeing.check_column, answer)
    assert said in out and out.startswith("✓" if said == "✓" else "✗")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda s: s[:, 3:] - s[:, :3], "✓"),
        (lambda s: s[:, :3] - s[:, 3:], "turn it round"),
        (lambda s: (s[:, 3:] - s[:, :3]).abs(), "sign is lost"),
        (lambda s: s[:, 1::2] - s[:, ::2], "every other channel"),
        (lambda s: s[:, 1:2] - s[:, :1], "one channel"),
        (lambda s: s - s.roll(3, dims=1), "six channels"),
        (lambda s: s[:, 3:], "their difference"),
        (lambda s: s[:1, 3:] - s[:1, :3], "environments come first"),
        (lambda s: 2 * (s[:, 3:] - s[:, :3]), "the first pixel"),
        (lambda s: None, "NoneType"),
    ],
)
def test_motion(capsys: pytest.CaptureFixture[str], answer: object, said: str) -> None:
    out = verdict(capsys, seeing.check_motion, answer)
    assert said in out and out.startswith("✓" if said == "✓" else "✗")


def test_motion_does_not_pass_a_stack_of_another_shape(capsys: pytest.CaptureFixture[str]) -> None:
    said = verdict(capsys, seeing.check_motion, lambda s: torch.zeros(3))
    assert said.startswith("✗") and "shape (3,)" in said
