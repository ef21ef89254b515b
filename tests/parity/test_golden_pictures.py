"""Camera pictures against small references that are kept with the tests.

    python tests/parity/test_golden_pictures.py      writes the references anew

The renderer is Newton Warp on whatever device the tests run. Edges may move by a pixel between devices, so a few pixels
may differ; a wrong colour, a mirrored picture or a missing pole changes many more.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from camera_pictures import picture, pose

from cartpole_lab import session

GOLDEN = Path(__file__).parent / "golden"
POSES = {"upright": (0.0, 0.0), "left_leaning_right": (0.5, 0.4), "right_fallen_left": (-0.8, -1.3)}
"""Cart position [m] and pole angle [rad]."""
TASKS = {"rgb": "Isaac-Cartpole-RGB-v0", "depth": "Isaac-Cartpole-Depth-v0"}
APART = {"rgb": 24.0, "depth": 0.05}
"""From which difference a pixel counts as different: of 255 in any colour, or metres."""
TOLERANCE = 12
"""Pixels of 96 x 96 that may differ. The pole's rod covers about 40."""


def different_pixels(kind: str, one: np.ndarray, other: np.ndarray) -> int:
    """Number of pixels that differ between two pictures ``(height, width, channels)`` of a kind."""
    apart = np.abs(one.astype(np.float32) - other.astype(np.float32)).max(axis=-1)
    return int((apart > APART[kind]).sum())


def take(kind: str) -> dict[str, np.ndarray]:
    """A picture of every pose, from the second of two environments."""
    env = session.make_env(TASKS[kind], num_envs=2, seed=0).unwrapped
    env.reset()
    pictures = {}
    for name, (cart, angle) in POSES.items():
        pose(env, cart, angle)
        both = picture(env, kind).numpy()
        assert different_pixels(kind, both[0], both[1]) == 0, "the environments are drawn differently"
        pictures[name] = both[1] if kind == "rgb" else both[1].astype(np.float16)
    session.close_env()
    return pictures


@pytest.fixture(scope="module", params=sorted(TASKS))
def taken(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, np.ndarray], dict[str, np.ndarray]]]:
    """Kind, pictures taken now, references."""
    with np.load(GOLDEN / f"{request.param}.npz") as stored:
        yield request.param, take(request.param), dict(stored)


def test_pictures_match_the_references(taken) -> None:
    kind, now, golden = taken
    assert set(now) == set(golden) == set(POSES)
    for name in POSES:
        assert now[name].shape == golden[name].shape
        assert different_pixels(kind, now[name], golden[name]) <= TOLERANCE, name


def test_a_mirrored_picture_fails(taken) -> None:
    kind, now, golden = taken
    for name in ("left_leaning_right", "right_fallen_left"):
        assert different_pixels(kind, now[name][:, ::-1], golden[name]) > TOLERANCE
        assert different_pixels(kind, now[name][::-1], golden[name]) > TOLERANCE


def test_a_wrong_colour_fails(taken) -> None:
    kind, now, golden = taken
    picture_now = now["upright"]
    if kind == "rgb":
        assert different_pixels(kind, picture_now[..., ::-1], golden["upright"]) > TOLERANCE, "red and blue swapped"
        rod = _rod(picture_now)
        assert 20 < rod.sum() < 200, "the pole's rod is not where it should be"
        painted = picture_now.copy()
        painted[rod] = (200, 0, 0)
        assert different_pixels(kind, painted, golden["upright"]) > TOLERANCE, "a red pole"
    else:
        assert different_pixels(kind, picture_now + np.float16(0.1) * (picture_now > 0), golden["upright"]) > TOLERANCE


def test_a_black_picture_and_one_without_the_pole_fail(taken) -> None:
    kind, now, golden = taken
    assert different_pixels(kind, np.zeros_like(now["upright"]), golden["upright"]) > TOLERANCE
    erased = now["upright"].copy()
    erased[:44] = erased[0, 0]
    assert different_pixels(kind, erased, golden["upright"]) > TOLERANCE


def _rod(upright: np.ndarray) -> np.ndarray:
    """Where an upright pole is drawn: above the cart, unlike the background."""
    unlike = np.abs(upright.astype(int) - upright[0, 0].astype(int)).max(axis=-1) > 24
    unlike[44:] = False
    return unlike


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for picture_kind in TASKS:
        np.savez_compressed(GOLDEN / f"{picture_kind}.npz", **take(picture_kind))
