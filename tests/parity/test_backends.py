"""This repository's cart-pole against Isaac Lab's, against Newton's file, and in three engines."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from backends import MOTION, ROOT, mujoco_motion, run

COLUMNS = ("cart [m]", "pole [rad]", "cart [m/s]", "pole [rad/s]")


def test_the_task_is_isaac_labs_bit_for_bit() -> None:
    """Same asset, seed and actions: 300 steps with resets, Isaac Lab's configuration against ours.

    With ``skip_idle_solver``, its default, the numbers are Isaac Lab's up to rounding.
    """
    results = run("newton")
    upstream = results["upstream"]
    assert upstream["terminated"].any() and upstream["truncated"].any(), "the run is to hold both kinds of end"
    for name in ("ours_whole_solver", "ours_eager"):
        for array, expected in upstream.items():
            assert np.array_equal(results[name][array], expected), f"{array} of {name} differ from Isaac Lab's"
    for array in ("terminated", "truncated"):
        assert np.array_equal(results["ours"][array], upstream[array]), "the same episodes end at the same steps"
    apart = np.abs(results["ours"]["observations"] - upstream["observations"])[:60].max(axis=(0, 1))
    print("\nlargest difference to Isaac Lab over 60 steps:", dict(zip(COLUMNS, apart, strict=True)))
    assert (apart <= (1e-5, 1e-4, 1e-4, 1e-3)).all()


def test_the_asset_moves_like_newtons_file() -> None:
    """Same task, seed and actions: 100 steps, our USD file against the one that comes with Newton."""
    results = run("newton")
    reference = results["reference_asset"]["observations"]
    difference = np.abs(results["ours"]["observations"][: len(reference)] - reference).max(axis=(0, 1))
    print("\nlargest difference to Newton's file over 100 steps:", dict(zip(COLUMNS, difference, strict=True)))
    assert np.abs(reference).max() > 1.0, "the reference is to move"
    assert difference.max() <= 1e-5


# Largest difference allowed to plain MuJoCo over 0.6 s, per column. Newton runs MuJoCo's equations in single precision.
# PhysX integrates the joints in another order, which at 120 Hz is a difference of the size of one step.
TOLERANCE = {
    "newton": (5e-6, 5e-6, 2e-5, 2e-5),
    "ovphysx": (0.05, 0.05, 0.1, 0.2),
}


def differences() -> dict[tuple[str, str], np.ndarray]:
    """Largest difference to plain MuJoCo of each engine and experiment, per column, shape ``(4,)``."""
    truth = mujoco_motion()
    table = {}
    for engine in TOLERANCE:
        state = run(engine)["motion"]["state"]
        for index, experiment in enumerate(("fall", "push")):
            table[engine, experiment] = np.abs(state[:, index] - truth[:, index]).max(axis=0)
    return table


def test_engines_agree() -> None:
    """Free fall of the pole from 0.3 rad and a push of +50 N, 0.6 s each, against plain MuJoCo in double precision."""
    table = differences()
    lines = ["| engine | experiment | " + " | ".join(COLUMNS) + " |", "|---|---|" + "---|" * len(COLUMNS)]
    lines += [
        f"| {engine} | {experiment} | " + " | ".join(f"{x:.2g}" for x in row) + " |"
        for (engine, experiment), row in table.items()
    ]
    text = "Largest difference to plain MuJoCo over 0.6 s\n\n" + "\n".join(lines)
    print("\n" + text)
    (ROOT / "logs").mkdir(exist_ok=True)
    (ROOT / "logs" / "parity_backends.md").write_text(text + "\n")
    for (engine, experiment), row in table.items():
        assert (row <= TOLERANCE[engine]).all(), f"{engine} {experiment}: {row} beyond {TOLERANCE[engine]}"


@pytest.mark.parametrize("engine", ["newton", "ovphysx", "mujoco"])
def test_a_push_moves_the_cart(engine: str) -> None:
    """+50 N move the cart forward, and the 10 N s/m of its rail hold it below 5 m/s: neither is silently ignored."""
    state = mujoco_motion() if engine == "mujoco" else run(engine)["motion"]["state"]
    cart, speed = state[:, 1, 0], state[:, 1, 2]
    assert (np.diff(cart) > 0).all()
    assert cart[-1] > 0.5
    assert speed.max() < MOTION["push"] / 10.0
    assert np.abs(state[:, 0, 0]).max() < cart[-1] / 2, "the cart beside it was not pushed"
