"""The checks of lesson 10: the stub gets a hint, the solution a tick, usual mistakes what they need."""

from __future__ import annotations

import pytest
import torch

from cartpole_lab.teaching.exercises import seeing

LENS = 24 / 20.955


def verdict(capsys: pytest.CaptureFixture[str], check: object, answer: object) -> str:
    """What a check prints about an answer."""
    check(answer)  # type: ignore[operator]
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return out


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
