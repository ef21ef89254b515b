"""Checks of lesson 10: where in the picture a thing is, and what moved between two pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from cartpole_lab.teaching.exercises.acting import tensor_of_shape
from cartpole_lab.teaching.exercises.checking import Hint, number_of, says

_FOCAL, _APERTURE = 24.0, 20.955
"""Focal length and width of the film of the lesson's camera [mm]."""


@says("the further away, the nearer to the middle: a pinhole camera")
def check_column(column: Callable[..., Any]) -> None:
    """Check ``column(y, distance, width)``: the pixel column in which a pinhole camera shows a point.

    Args:
        column: Takes how far to the left of the camera's axis the point is [m], how far in front of the camera [m],
            and the width of the picture [pixels]. Returns the column, 0 at the left edge.
    """

    def expected(y: float, distance: float, width: int) -> float:
        return width / 2 - y / distance * _FOCAL / _APERTURE * width

    def near(
        got: float, wanted: float
    ) -> bool:  # the middle may be width / 2 or (width - 1) / 2, and a column may be a whole number
        return math.isclose(got, wanted, abs_tol=1.0)

    middle = number_of(column(0.0, 5.0, 96), "column")
    if near(middle, 0.0):
        raise Hint("a point straight ahead is in column 0; columns count from the left edge, so the middle is 48")
    if not near(middle, 48.0):
        raise Hint(f"a point straight ahead of a picture of 96 columns is in column {middle:.1f}, expected 48")
    got = number_of(column(1.0, 5.0, 96), "column")
    if near(got, 96 - expected(1.0, 5.0, 96)):
        raise Hint("the wrong side: y grows to the left, columns grow to the right")
    if near(got, 48 - 1.0 / 5.0 * 96):
        raise Hint("the lens is missing: multiply by focal length over film width, 24 / 20.955")
    if near(got, 48 - 1.0 / 5.0 * _APERTURE / _FOCAL * 96):
        raise Hint("a longer focal length magnifies: 24 / 20.955, not 20.955 / 24")
    if near(got, 48 - 1.0 * _FOCAL / _APERTURE * 96):
        raise Hint("the distance has no part in it: what is twice as far looks half as large")
    if not near(got, expected(1.0, 5.0, 96)):
        raise Hint(f"1 m to the left in 5 m gives column {got:.1f}, expected {expected(1.0, 5.0, 96):.1f} of 96")
    for y, distance, width in ((-1.5, 5.0, 96), (1.0, 10.0, 96), (1.0, 5.0, 64)):
        got, wanted = number_of(column(y, distance, width), "column"), expected(y, distance, width)
        if not near(got, wanted):
            raise Hint(f"column({y}, {distance}, {width}) is {got:.1f}, expected {wanted:.1f}: all three count")


@says("still things are gone, what moved is left")
def check_motion(motion: Callable[[torch.Tensor], Any]) -> None:
    """Check ``motion(stack)``: what changed between the two colour pictures of an observation.

    Args:
        motion: Takes stacks of two colour pictures, the older one first, shape ``(n, 6, height, width)``. Returns the
            newer picture less the older one, shape ``(n, 3, height, width)``.
    """
    n, height, width = 2, 4, 5
    stack = torch.linspace(0.0, 9.0, n * 6 * height * width).cos().reshape(n, 6, height, width)
    expected = stack[:, 3:] - stack[:, :3]
    got = motion(stack.clone())
    if isinstance(got, torch.Tensor) and tuple(got.shape) == (n, 1, height, width):
        raise Hint("one channel is left of three: keep red, green and blue apart, slices of three channels each")
    if isinstance(got, torch.Tensor) and tuple(got.shape) == tuple(stack.shape):
        raise Hint("still six channels, expected three: subtract one half of the channels from the other")
    got = tensor_of_shape(got, (n, 3, height, width), "the environments come first, then the channels")
    if torch.allclose(got, -expected):
        raise Hint("older less newer: a thing that appears should come out positive, so turn it round")
    if torch.allclose(got, expected.abs()):
        raise Hint("the sign is lost: it tells what has come from what has gone")
    if torch.allclose(got, stack[:, 1::2] - stack[:, ::2]):
        raise Hint("every other channel: the order is red, green, blue of one picture, then of the other")
    if torch.allclose(got, stack[:, 3:]) or torch.allclose(got, stack[:, :3]):
        raise Hint("this is one of the two pictures; the motion is their difference")
    if not torch.allclose(got, expected, atol=1e-6):
        raise Hint(f"the first pixel gives {float(got[0, 0, 0, 0]):.4f}, expected {float(expected[0, 0, 0, 0]):.4f}")
