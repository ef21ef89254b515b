"""Looking at one piece of a step while it runs, undoing it if it cannot be recorded, and recording it."""

from __future__ import annotations

import contextlib
import random
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import warp as wp
from isaaclab.utils.warp import utils as warp_utils

from .baked_values import BakedValues
from .function_graphs import leave_capture
from .masked_events import NotRecordable
from .startup import paused_collector

_COUNTERS = ("common_step_counter", "_sim_step_counter")
_FINITE_DIFFERENCES = ("_joint_acc", "_body_com_acc_w")


class Undo:
    """An environment as it was before a step, to be put back if a piece of the step cannot be recorded."""

    def __init__(self, env: Any) -> None:
        from cartpole_lab.session.object_graph import Snapshot

        self._env, self._cuda = env, str(env.device).startswith("cuda")
        self._saved = Snapshot()
        self._saved.walk(env)
        self._saved.walk_class(env.sim.physics_manager)
        self._generator = torch.cuda.get_rng_state(env.device) if self._cuda else torch.get_rng_state()
        self._hosts = random.getstate(), np.random.get_state()

    def __call__(self) -> None:
        self._saved.restore()
        if self._saved.physics_changed:
            getattr(self._env.sim.physics_manager._solver, "on_change", lambda: None)()
        if self._cuda:
            torch.cuda.set_rng_state(self._generator, self._env.device)
        else:
            torch.set_rng_state(self._generator)
        random.setstate(self._hosts[0])
        np.random.set_state(self._hosts[1])


@contextlib.contextmanager
def observed(env: Any, segments: Any) -> Iterator[None]:
    """Run a piece of the step in the block, and look whether it can be recorded.

    Raises:
        NotRecordable: It cannot. The message names the term where there is one.
    """
    cuda = str(env.device).startswith("cuda")
    before, hosts = BakedValues(env), _host_randomness(cuda)
    aged(env)
    read: list[str] = []
    segments.watched = True
    try:
        with _counters_watched(env, read), _no_waiting(cuda):
            yield
    except NotRecordable as error:
        term = _term_of(env, error)
        raise NotRecordable(str(error) if term is None or term in str(error) else f"{term}: {error}") from error
    except Exception as error:
        reason = "it waits for the device"
        if not _is_waiting(error):
            reason = " ".join([f"{type(error).__name__}:", *str(error).splitlines()[:1]])
        raise NotRecordable(f"{_term_of(env, error) or 'this piece'}: {reason}") from error
    finally:
        segments.watched = False
    if read:
        raise NotRecordable(f"it reads {read[0]}, a number that Python counts")
    if _host_randomness(cuda) != hosts:
        raise NotRecordable("it draws random numbers on the host")
    for change in before.all_changed():
        raise NotRecordable(_said(*change))


def _host_randomness(cuda: bool) -> tuple:
    """States of the generators that no recording draws from."""
    torch_state = torch.get_rng_state().numpy().tobytes() if cuda else b""
    return random.getstate(), np.random.get_state()[1].tobytes(), torch_state


def _said(name: str, then: Any, now: Any) -> str:
    if isinstance(now, (torch.Tensor, wp.array)):
        return f"{name} becomes another tensor at every step: write into the one that is there"
    return f"{name} is kept in Python and changes with every step"


@contextlib.contextmanager
def _counters_watched(env: Any, read: list[str]) -> Iterator[None]:
    """Note in ``read`` which counters of the environment are read in the block."""

    def watch(name: str) -> property:
        def get(self: Any) -> Any:
            read.append(f"env.{name}")
            return vars(self)[name]

        return property(get, lambda self, value: vars(self).__setitem__(name, value))

    own = type(env)
    env.__class__ = type(own.__name__, (own,), {name: watch(name) for name in _COUNTERS})
    try:
        yield
    finally:
        env.__class__ = own


@contextlib.contextmanager
def _no_waiting(cuda: bool) -> Iterator[None]:
    """Let whatever waits for the device fail."""
    if not cuda:
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch says that it may not find everything; capturing would
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def _is_waiting(error: Exception) -> bool:
    return "synchronizing CUDA operation" in str(error)


def _term_of(env: Any, error: BaseException) -> str | None:
    """The term in whose code ``error`` was raised."""
    terms: dict[Any, str] = {}
    for kind in ("reward", "termination", "action", "observation", "event"):
        manager = getattr(env, f"{kind}_manager")
        for name, function in _functions(manager):
            for code in _codes(function):
                terms[code] = f"{kind} {name}"
    trace, found = error.__traceback__, None
    while trace is not None:
        found = terms.get(trace.tb_frame.f_code, found)
        trace = trace.tb_next
    return found


def _functions(manager: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(manager, "_terms"):
        yield from manager._terms.items()
    if hasattr(manager, "_term_cfgs"):
        yield from ((n, c.func) for n, c in zip(manager._term_names, manager._term_cfgs, strict=True))
    for names, cfgs in (("_mode_term_names", "_mode_term_cfgs"), ("_group_obs_term_names", "_group_obs_term_cfgs")):
        for key, terms in getattr(manager, cfgs, {}).items():
            yield from ((n, c.func) for n, c in zip(getattr(manager, names)[key], terms, strict=True))


def _codes(function: Any) -> Iterator[types.CodeType]:
    function = getattr(function, "__wrapped__", function)
    if isinstance(function, types.MethodType):
        function = function.__func__
    if isinstance(function, types.FunctionType):
        yield function.__code__
    else:
        yield from (
            member.__code__
            for base in type(function).__mro__
            if not base.__module__.startswith("isaaclab.managers")
            for member in vars(base).values()
            if isinstance(member, types.FunctionType)
        )


def aged(env: Any) -> None:
    """Let everything that is computed lazily be computed again where it is next read, and so be part of a recording."""
    for asset in (*env.scene.articulations.values(), *env.scene.rigid_objects.values()):
        for key, buffer in vars(asset.data).items():
            if hasattr(buffer, "timestamp") and key not in _FINITE_DIFFERENCES:
                buffer.timestamp = -1.0


class _NotCapturing:
    """Warp, as the module sees it that forbids lazily computed data in a recording: here they are made old first."""

    def __getattr__(self, name: str) -> Any:
        return getattr(wp, name)

    @staticmethod
    def get_device(*args: Any) -> Any:
        return types.SimpleNamespace(is_capturing=False)


class _Call:
    """Stands for a graph where there are none."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.replay = function


@contextlib.contextmanager
def capturing(graphs: bool) -> Iterator[Callable[[Callable[[], None]], Any]]:
    """A function that records what another one launches, without running it; leaves PyTorch usable if that fails."""
    if not graphs:
        yield _Call
        return
    stream, pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()
    warp_stream = wp.stream_from_torch(stream)

    def capture(function: Callable[[], None]) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        with (
            torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"),
            wp.ScopedStream(warp_stream, sync_enter=False),
            wp.ScopedCapture(stream=warp_stream, external=True),
        ):
            function()
        return graph

    stream.wait_stream(torch.cuda.current_stream())
    original = warp_utils.wp
    warp_utils.wp = _NotCapturing()
    try:
        with paused_collector():
            yield capture
    except BaseException:
        leave_capture()
        raise
    finally:
        warp_utils.wp = original
        torch.cuda.synchronize()
