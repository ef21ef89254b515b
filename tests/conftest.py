"""Shared by all tests: one live environment at a time, and no network beyond this machine."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator

import pytest

os.environ.setdefault("WANDB_MODE", "offline")
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # started with & or nohup: children would never hear a Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

FAST = (
    "unit/test_evaluation.py",
    "unit/test_exercises_1_to_5.py",
    "unit/test_exercises_6_to_11.py",
    "unit/test_export.py",
    "unit/test_forked_process.py",
    "unit/test_launch_shortcuts.py",
    "unit/test_layers.py",
    "unit/test_verdict.py",
    "unit/test_widgets.py",
    "notebooks/test_lesson_code.py",
    "notebooks/test_lesson_shape.py",
    "notebooks/test_parameters.py",
)
"""Files for ``make test-fast``: they start no training, no browser and no process, and share an environment."""
PLAIN = (
    "parity/test_backends.py",
    "unit/test_evaluation.py",
    "unit/test_physics.py",
    "unit/test_session.py",
    "unit/test_training.py",
)
"""Files that CI runs once more without the shortcuts: parity, evaluation, training, a live environment."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of these files."""
    for item in items:
        name = "/".join(item.path.parts[-2:])
        for mark, files in (("fast", FAST), ("plain", PLAIN)):
            if name in files:
                item.add_marker(mark)


@pytest.fixture(autouse=True, scope="module")
def _close_the_environment() -> Iterator[None]:
    """A module leaves no live environment to the next one."""
    yield
    from cartpole_lab.session.env import close_env

    close_env()


@pytest.fixture
def speed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of a shortcut itself: they are taken, whatever the rest of the run does."""
    monkeypatch.setenv("CARTPOLE_LAB_SPEED", "on")


def pytest_unconfigure() -> None:
    """Let pytest's closing line be the last: skrl logs a farewell at exit, to a stream that is closed by then."""
    logging.raiseExceptions = False
