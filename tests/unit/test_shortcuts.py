"""Quick launches hand a kernel what Warp's own launch hands it, and leave everything unusual to Warp."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import warp as wp

from cartpole_lab.physics import shortcuts


@wp.kernel(enable_backward=False)
def _mix(
    values: wp.array2d[float],
    chosen: wp.array[int],
    factor: float,
    shift: int,
    flip: bool,
    along: wp.vec3,
    out: wp.array2d[float],
):
    row, column = wp.tid()
    value = values[chosen[row], column] * factor + float(shift) + along[column]
    if flip:
        value = -value
    out[row, column] = value


@pytest.fixture
def launches() -> Iterator[list[str]]:
    """Names of the kernels that Warp's own launch was asked for, in a block with shortcuts."""
    asked: list[str] = []
    original = wp.launch

    def counted(kernel: wp.Kernel, *args: Any, **more: Any) -> Any:
        asked.append(kernel.key)
        return original(kernel, *args, **more)

    wp.launch = counted
    try:
        with shortcuts():
            yield asked
    finally:
        wp.launch = original


def _array(numbers: np.ndarray) -> wp.array:
    return wp.array(numbers, device="cpu")


@pytest.mark.parametrize("make", [_array, torch.from_numpy, lambda numbers: numbers], ids=["warp", "torch", "numpy"])
def test_a_kernel_gets_the_same_from_both(launches: list[str], make: Callable) -> None:
    results = []
    for rows in (4, 4, 7):
        numbers = np.arange(24, dtype=np.float32).reshape(8, 3) + rows
        chosen = np.arange(rows, dtype=np.int32)[::-1].copy()
        out = wp.zeros((rows, 3), dtype=float, device="cpu")
        inputs = [make(numbers), make(chosen), 0.5, rows, rows == 7, wp.vec3(1.0, 2.0, 3.0)]
        wp.launch(_mix, (rows, 3), inputs, [out], device="cpu")
        expected = (numbers[chosen] * 0.5 + rows + np.array([1.0, 2.0, 3.0], dtype=np.float32)) * (
            -1 if rows == 7 else 1
        )
        results.append(np.array_equal(out.numpy(), expected))
    assert results == [True] * 3
    assert launches == ["_mix"], "Warp's own launch is for the first time only"


def test_views_into_a_tensor_keep_their_strides(launches: list[str]) -> None:
    whole = torch.arange(64.0).reshape(8, 8)
    chosen = torch.arange(8, dtype=torch.int32)
    for part in (whole[:, :3], whole[:, 3:6], whole.T[:, 1:4]):
        out = torch.zeros(8, 3)
        wp.launch(_mix, dim=(8, 3), inputs=[part, chosen, 1.0, 0, False, wp.vec3()], outputs=[out], device="cpu")
        assert torch.equal(out, part)


def test_a_wrong_argument_is_refused_in_warps_words(launches: list[str]) -> None:
    good = [wp.zeros((2, 3), device="cpu"), wp.zeros(2, dtype=int, device="cpu"), 1.0, 0, False, wp.vec3()]
    out = wp.zeros((2, 3), device="cpu")
    wp.launch(_mix, (2, 3), good, [out], device="cpu")
    for wrong in (wp.zeros((2, 3), dtype=int, device="cpu"), wp.zeros(6, device="cpu"), torch.zeros(2, 3).double()):
        with pytest.raises(RuntimeError, match="array"):
            wp.launch(_mix, (2, 3), [wrong, *good[1:]], [out], device="cpu")
    with pytest.raises((RuntimeError, ValueError)):
        wp.launch(_mix, (2, 3), good[:-1], [out], device="cpu")
    assert launches == ["_mix"]


def test_a_launch_that_is_recorded_is_warps_own(launches: list[str]) -> None:
    good = [wp.ones((2, 3), device="cpu"), wp.zeros(2, dtype=int, device="cpu"), 1.0, 0, False, wp.vec3()]
    out = wp.zeros((2, 3), device="cpu")
    wp.launch(_mix, (2, 3), good, [out], device="cpu")
    out.zero_()
    with wp.ScopedCapture(device="cpu") as capture:
        wp.launch(_mix, (2, 3), good, [out], device="cpu")
    assert launches == ["_mix", "_mix"]
    wp.capture_launch(capture.graph)
    assert (out.numpy() == 1).all()


def test_everything_is_put_back_after_an_error() -> None:
    from isaaclab_newton.assets.articulation.articulation import Articulation

    before = wp.launch, Articulation._resolve_env_ids, Articulation._resolve_joint_ids
    with pytest.raises(KeyError), shortcuts():
        assert wp.launch is not before[0]
        raise KeyError
    assert (wp.launch, Articulation._resolve_env_ids, Articulation._resolve_joint_ids) == before


def test_indices_resolve_as_without_shortcuts() -> None:
    from isaaclab_newton.assets.articulation.articulation import Articulation

    from cartpole_lab.session import close_env, make_env

    close_env()
    plain = Articulation._resolve_env_ids, Articulation._resolve_joint_ids
    robot = make_env(num_envs=4, device="cpu").unwrapped.scene["robot"]
    quick = Articulation._resolve_env_ids, Articulation._resolve_joint_ids
    for theirs, ours in zip(plain, quick, strict=True):
        assert ours is not theirs
        for ids in (None, slice(None), [0, 1], torch.tensor([0, 1], dtype=torch.int32), wp.array([1], dtype=int)):
            assert ours(robot, ids).numpy().tolist() == theirs(robot, ids).numpy().tolist()
    close_env()
