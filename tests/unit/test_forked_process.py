"""Work in copies of this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from cartpole_lab.speed.forked_process import started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux only")


def test_a_copy_starts_from_what_is_there_and_changes_nothing_here() -> None:
    numbers = [1]

    def work() -> tuple[int, list[int]]:
        numbers.append(2)
        return os.getpid(), numbers

    with started([work]) as results:
        process, seen = results[0]()
    assert seen == [1, 2] and numbers == [1] and process != os.getpid()


def test_what_the_work_raises_is_raised_here() -> None:
    def work() -> None:
        raise ValueError("no such pole")

    with started([work]) as results, pytest.raises(ValueError, match="no such pole"):
        results[0]()


def test_work_whose_copy_dies_is_done_here() -> None:
    here = os.getpid()

    def work() -> int:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid()

    with started([work]) as results:
        assert results[0]() == here


def test_nobody_waits_for_a_result_that_nobody_asks_for() -> None:
    def work() -> None:
        signal.pause()

    with started([work]):
        pass


def test_a_copy_of_a_process_that_computed_with_two_threads_computes_too() -> None:
    """A training with a camera in it has two. In a process of its own, so that waiting for ever ends."""
    code = """
import torch
from cartpole_lab.speed.forked_process import started
torch.set_num_threads(2)
numbers = torch.rand(512, 512)
there = numbers @ numbers
with started([lambda: (numbers @ numbers).numpy()]) as results:
    assert torch.allclose(torch.as_tensor(results[0]()), there)
assert torch.get_num_threads() == 2
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)
