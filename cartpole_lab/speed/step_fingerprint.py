"""What a recorded step has baked in, as a tuple that is compared before the recording is replayed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import warp as wp

_PLAIN = (bool, int, float, str, bytes, type(None), np.generic)


def _address(array: wp.array | None) -> int | None:
    return None if array is None else array.ptr


def step_fingerprint(manager: Any, simulate: Callable[[], None]) -> tuple:
    """Cheap part, compared before every replay (a few microseconds).

    Args:
        manager: The active physics manager class.
        simulate: The bound method that issues one step.

    Returns:
        Numbers and addresses that the launches of one step carry: time step, loop counts, callbacks, sensors,
        and the arrays of the state and the control.
    """
    backend = manager.backend
    state, control = backend.state_0, backend.control
    return (
        simulate.__name__,
        id(manager._solver),
        id(backend.model),
        manager._solver_dt,
        manager._num_substeps,
        manager._decimation,
        manager._report_contacts,
        id(manager._adapter),
        tuple(map(id, manager._post_actuator_callbacks)),
        tuple(map(id, manager._post_step_callbacks)),
        len(manager._newton_frame_transform_sensors),
        len(manager._newton_imu_sensors),
        len(manager._newton_contact_sensors),
        _address(state.joint_q),
        _address(state.joint_qd),
        _address(state.body_q),
        _address(state.body_qd),
        _address(state.body_f),
        _address(control.joint_f),
        _address(control.joint_target_q),
        _address(control.joint_target_qd),
    )


def deep_fingerprint(manager: Any) -> tuple:
    """Thorough part, compared after a model change: every plain value and array address of solver and model."""
    backend, solver = manager.backend, manager._solver
    roots = (backend.model, backend.state_0, backend.control, solver, solver.mjw_model, solver.mjw_data)
    return tuple(item for root in roots for value in vars(root).items() for item in _walk(*value))


def _walk(name: str, value: Any) -> Iterator[Any]:
    if name == "_step":  # the solver's counter moves by itself and is part of no launch
        return
    if isinstance(value, wp.array):
        yield name, value.ptr, value.shape, value.strides
    elif isinstance(value, _PLAIN):
        yield name, value
    elif isinstance(value, (tuple, list)) and len(value) <= 64:
        for item in value:
            yield from _walk(name, item)
    elif dataclasses.is_dataclass(value) or type(value).__name__ == "AttributeNamespace":
        for inner, item in vars(value).items():
            yield from _walk(f"{name}.{inner}", item)
