"""Check of lesson 12: an angle that may go round, as two numbers that never jump."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from cartpole_lab.teaching.exercises.hints import Hint, says


@says("no jump at half a turn, and equal for equal poses")
def check_as_direction(as_direction: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Check ``as_direction(angle)``: sine and cosine of angles.

    Args:
        as_direction: Takes angles [rad], shape ``(n,)``; returns shape ``(n, 2)``, sine first.
    """
    angle = torch.tensor([0.0, math.pi / 2, math.pi, -math.pi, 3 * math.pi, 0.3])
    got = as_direction(angle)
    if not isinstance(got, torch.Tensor):
        raise Hint(f"as_direction returned a {type(got).__name__}, expected a tensor of shape (n, 2)")
    if got.shape == (2 * len(angle),):
        raise Hint("shape (12,) for 6 angles: torch.cat lines them up; torch.stack with dim=-1 makes columns")
    if got.shape == (2, len(angle)):
        raise Hint("shape (2, 6) for 6 angles, expected (6, 2): the environments come first, so dim=-1")
    if got.shape != (len(angle), 2):
        raise Hint(f"shape {tuple(got.shape)} for 6 angles, expected (6, 2): sine and cosine of each")
    expected = torch.stack([angle.sin(), angle.cos()], dim=-1)
    if torch.allclose(got, expected.flip(-1), atol=1e-4):
        raise Hint("these are cosine and sine, expected the sine first")
    if torch.allclose(got, torch.stack([angle.deg2rad().sin(), angle.deg2rad().cos()], dim=-1), atol=1e-4):
        raise Hint("the angles are in radians already")
    if not torch.allclose(got[2], got[3], atol=1e-4):
        raise Hint(f"π and −π are the same pose, yet they give {got[2].tolist()} and {got[3].tolist()}")
    if not torch.allclose(got, expected, atol=1e-4):
        raise Hint(f"0.3 rad gives {[round(v, 3) for v in got[5].tolist()]}, expected [0.296, 0.955]")
