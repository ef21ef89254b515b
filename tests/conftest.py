"""Shared by all tests: one live environment at a time, and no network beyond this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("WANDB_MODE", "offline")


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
