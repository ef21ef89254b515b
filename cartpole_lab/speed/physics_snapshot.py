"""The numbers of a simulation before and after a step, to compare two ways of stepping it bit by bit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import warp as wp

Snapshot = list[tuple[str, wp.array, np.ndarray]]


def snapshot(manager: Any) -> Snapshot:
    """Copy every array of the Newton state and every per-world array of MuJoCo-Warp's data."""
    state, data = manager.backend.state_0, manager._solver.mjw_data
    arrays = [(name, value) for name, value in vars(state).items() if isinstance(value, wp.array)]
    arrays += _per_world(data)
    return [(name, array, array.numpy().copy()) for name, array in arrays if array.size]


def restore(saved: Snapshot) -> None:
    """Write the saved numbers back into the arrays that they came from."""
    for _, array, values in saved:
        array.assign(values)


def differences(saved: Snapshot) -> list[str]:
    """Names of the arrays whose bits are not those of the snapshot."""
    return [name for name, array, values in saved if array.numpy().tobytes() != values.tobytes()]


def _per_world(group: Any) -> Iterator[tuple[str, wp.array]]:
    for field in dataclasses.fields(group):
        value = getattr(group, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from _per_world(value)
        elif isinstance(value, wp.array) and isinstance(field.type, wp.array) and field.type.shape[0] == "nworld":
            yield field.name, value
