"""Quick launches hand a kernel what Warp's own launch hands it, and leave everything unusual to Warp."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import warp as wp

from cartpole_lab.speed.launch_shortcuts import shortcuts

pytestmark = pytest.mark.usefixtures("speed_on")


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


@wp.kernel(enable_backward=False)
def _count(out: wp.array[float]):
    out[wp.tid()] = float(wp.tid())


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


def test_every_launch_gets_its_own_arguments(launches: list[str]) -> None:
    """What is left over from the launch before is not taken for what comes now."""
    numbers = [wp.full((2, 3), value, dtype=float, device="cpu") for value in (1.0, 2.0)]
    chosen, out = wp.zeros(2, dtype=int, device="cpu"), wp.zeros((2, 3), device="cpu")
    results = []
    for values, factor, target in (
        (numbers[0], 1.0, out),
        (numbers[1], 1.0, out),
        (numbers[1], 3.0, out),
        (torch.full((2, 3), 5.0), 3.0, out),
        (numbers[1], 3.0, wp.zeros((2, 3), device="cpu")),
        (numbers[0], True, out),
    ):
        wp.launch(_mix, (2, 3), [values, chosen, factor, 0, False, wp.vec3()], [target], device="cpu")
        results.append(target.numpy().ravel().tolist())
    assert results == [[value] * 6 for value in (1.0, 2.0, 6.0, 15.0, 6.0, 1.0)]
    assert launches == ["_mix"]


def test_a_failed_launch_leaves_nothing_behind(launches: list[str]) -> None:
    good = [wp.ones((2, 3), device="cpu"), wp.zeros(2, dtype=int, device="cpu"), 1.0, 0, False, wp.vec3()]
    out = wp.zeros((2, 3), device="cpu")
    for _ in range(2):
        wp.launch(_mix, (2, 3), good, [out], device="cpu")
    with pytest.raises(ValueError, match="along"):
        wp.launch(_mix, (2, 3), [wp.full((2, 3), 9.0, dtype=float, device="cpu"), *good[1:5], "no"], [out])
    wp.launch(_mix, (2, 3), good, [out], device="cpu")
    assert (out.numpy() == 1).all()


def test_threads_do_not_share_arguments(launches: list[str]) -> None:
    rows = 20_000
    chosen = wp.array(np.arange(rows), dtype=int, device="cpu")
    wrong: list[int] = []

    def work(value: float) -> None:
        values, out = wp.full((rows, 3), value, dtype=float, device="cpu"), wp.zeros((rows, 3), device="cpu")
        for repeat in range(60):
            wp.launch(_mix, (rows, 3), [values, chosen, 1.0, repeat, False, wp.vec3()], [out], device="cpu")
            wrong.append(int((out.numpy() != value + repeat).sum()))

    work(0.0)
    threads = [threading.Thread(target=work, args=(1000.0 * (i + 1),)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [0] * 240


def test_a_module_that_was_unloaded_is_loaded_again(launches: list[str]) -> None:
    good = [wp.ones((2, 3), device="cpu"), wp.zeros(2, dtype=int, device="cpu"), 1.0, 0, False, wp.vec3()]
    out = wp.zeros((2, 3), device="cpu")
    for _ in range(2):
        wp.launch(_mix, (2, 3), good, [out], device="cpu")
    _mix.module.unload()
    out.zero_()
    wp.launch(_mix, (2, 3), good, [out], device="cpu")
    assert (out.numpy() == 1).all()
    assert launches == ["_mix"]


def test_everything_is_put_back_after_an_error() -> None:
    before = wp.launch
    with pytest.raises(KeyError), shortcuts():
        assert wp.launch is not before
        raise KeyError
    assert wp.launch is before


def test_warps_own_launch_gets_a_device_however_it_is_given(launches: list[str]) -> None:
    asked = []
    for place in (((), {"device": "cpu"}), (([], [], "cpu"), {}), ((), {"device": "cpu", "record_tape": False})):
        out = wp.zeros(3, dtype=float, device="cpu")
        wp.launch(_count, 3, [], [out], *place[0], **place[1])
        asked.append(len(launches))
        assert out.numpy().tolist() == [0.0, 1.0, 2.0]
    assert asked == [1, 2, 3]


@pytest.mark.parametrize(("worlds", "threads"), [(2, 2), (130, 2), (512, 2), (4096, 7)])
def test_shares_deals_every_world_to_one_thread(worlds: int, threads: int) -> None:
    from cartpole_lab.speed.world_slices import shares

    dealt = shares(worlds, threads)
    assert len(dealt) == threads and all(first < last for first, last in dealt)
    assert [world for first, last in dealt for world in range(first, last)] == list(range(worlds))
    assert dealt[0][1] - dealt[0][0] >= max(last - first for first, last in dealt), "the others wake meanwhile"
