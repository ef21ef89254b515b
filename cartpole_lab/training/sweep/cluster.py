"""Ray on this machine or at an address, for as long as a block lasts, and how many trials run at once."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.session.held_output import quietly
from cartpole_lab.session.surroundings import cores
from cartpole_lab.training.sweep.options import SweepOptions
from cartpole_lab.training.sweep.plan import Plan

OBJECT_STORE = 100 * 2**20
"""Bytes of shared memory for Ray's objects: trials hand over a few numbers."""
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run` Ray would pack the working folder
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial without a GPU sees none
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_worker_niceness": "0",  # as for any training; Ray would let all else on the machine go first
    "RAY_NUM_REDIS_GET_RETRIES": "120",  # seconds; on a busy machine its twenty are too few to start in
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # every trial is a run, which has its own
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
"""Environment of Ray's processes, unless the user has said otherwise; telemetry stays off whoever says what."""
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Lets Ray take 127.0.0.1 for what it says: it puts this machine's outer address in its place otherwise, and waits."""
OURS = ("PYTHONPATH", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", *LOOPBACK)
"""What is set besides, by what is started or joined."""


_token: list[str] = []
"""The word that lets a process into this process's own Ray; other users of the machine do not have it."""


def _see_that_somebody_listens(address: str) -> None:
    """Ask for a connection first, where an address is a host and a port: Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return  # auto, or an address of Ray's client
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"no Ray cluster at {address!r} ({error}): start one with ray start --head, or leave --address out"
        ) from error


def _see_that_ray_can_start_trials() -> None:
    """On a cluster, whose nodes are taken to be alike, Ray starts processes by a shell, unquoted, and waits on."""
    if found := re.search(r"""[\s'"\\$&;|<>()`]""", sys.prefix):
        what = "a blank" if found[0] == " " else repr(found[0])
        raise UserError(
            f"Ray starts no trials on a cluster from a folder with {what} in its path ({sys.prefix!r}): move it, "
            "or leave --address out"
        )


def _choose_who_may_enter(options: SweepOptions) -> None:
    """Ask for a token, for a Ray of this machine's own. Ray reads that once in a process, when it is imported."""
    if options.address is not None:
        if _token:
            raise UserError(
                f"this process has had a Ray of its own and cannot join {options.address!r} any more: use another "
                "process, in a notebook restart the kernel"
            )
        _see_that_ray_can_start_trials()
        _see_that_somebody_listens(options.address)
        return
    if not _token and "ray" not in sys.modules:
        _token.append(secrets.token_hex(32))
    if _token:
        os.environ.update({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token[0]})


@contextlib.contextmanager
def environment() -> Iterator[None]:
    """Ray's settings in the environment, for the time of the block."""
    before = {name: os.environ.get(name) for name in (*SETTINGS, *OURS)}
    for name, value in SETTINGS.items():
        os.environ[name] = value if name == "RAY_USAGE_STATS_ENABLED" else os.environ.get(name, value)
    try:
        yield
    finally:
        for name, old in before.items():
            os.environ.pop(name, None) if old is None else os.environ.__setitem__(name, old)


@contextlib.contextmanager
def cluster(options: SweepOptions, plan: Plan) -> Iterator[None]:
    """Ray in the block: a cluster that runs already, or one of this machine's own that nobody else can reach.

    Raises:
        UserError: There is none at the address, or none can be started.
    """
    _choose_who_may_enter(options)
    with quietly(), warnings.catch_warnings(), _hidden("rfc3987_syntax"):
        warnings.simplefilter("ignore")
        import ray
    if ray.is_initialized():
        raise UserError("this process uses Ray already: call ray.shutdown() first, a sweep starts or joins its own")
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    temporary = None
    try:
        with quietly(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if options.address is None:
                temporary = _own_folder()
                # Ray's processes are waited for, which leaves a core to what comes next
                threading.Thread(target=importlib.import_module, args=("ray.tune",), daemon=True).start()
                with _without_idle_helpers():
                    ray.init(
                        address="local",
                        num_cpus=_at_once(options, plan),
                        include_dashboard=False,
                        object_store_memory=OBJECT_STORE,
                        log_to_driver=False,
                        logging_level=logging.CRITICAL,
                        _node_ip_address="127.0.0.1",
                        _temp_dir=f"{temporary}/ray",
                    )
            else:
                with _loopback_as_it_is(options.address):
                    ray.init(address=options.address, log_to_driver=False, logging_level=logging.CRITICAL)
    except (ConnectionError, RuntimeError, ValueError, OSError, TimeoutError) as error:
        _leave(ray, temporary)
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        if options.address is None:
            raise UserError(f"Ray could not be started on this machine: {reason}") from error
        raise UserError(
            f"no Ray cluster at {options.address!r} ({reason}): start one with ray start --head, or leave --address out"
        ) from error
    try:
        yield
    finally:
        _leave(ray, temporary)


@contextlib.contextmanager
def _without_idle_helpers() -> Iterator[None]:
    """In the block Ray starts without three of its helpers, each a Python process, of which the first is waited for.

    These are the stub of the dashboard, which is there for statistics that are off, the reader of log files, of which
    nothing is shown, and the autoscaler's monitor, which asks a cloud for machines. ``ray start`` has a flag for the
    second, ``ray.init`` has none.
    """
    from ray._private import node, parameter

    plain, started = parameter.RayParams, node.Node.start_api_server
    parameter.RayParams = functools.partial(plain, no_monitor=True, include_log_monitor=False)
    node.Node.start_api_server = lambda self, **words: None
    try:
        yield
    finally:
        parameter.RayParams, node.Node.start_api_server = plain, started


@contextlib.contextmanager
def _loopback_as_it_is(address: str) -> Iterator[None]:
    """In the block an address on this machine's loopback is taken for what it says, by Ray's processes too.

    Ray reads the setting once, when it is imported, which a notebook or a test may have done long before: without this
    it asks this machine's outer address for minutes, where nobody listens.
    """
    if address.rpartition(":")[0] not in ("127.0.0.1", "localhost", "[::1]"):
        yield
        return
    from ray._private import ray_constants

    os.environ.update(LOOPBACK)
    before, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextlib.contextmanager
def _hidden(name: str) -> Iterator[None]:
    """A module that cannot be imported in the block, unless it has been before."""
    hide = name not in sys.modules
    if hide:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hide:
            del sys.modules[name]


def _leave(ray: Any, temporary: str | None) -> None:
    with quietly():
        ray.shutdown()
    if temporary is not None:
        shutil.rmtree(temporary, ignore_errors=True)


def _own_folder() -> str:
    """A folder for what Ray writes, which nobody else can enter: Ray opens the one below it to all users.

    Beside it lies a module that hides a package from Ray's processes. Ray checks its settings with jsonschema, which
    tries to import ``rfc3987_syntax``; where JupyterLab has brought that along it builds a parser, a second of work in
    each of nine processes, for addresses that no setting of Ray's has.
    """
    place = tempfile.gettempdir()
    place = place if len(place) < 20 else "/tmp"  # sockets: 107 letters
    remove_left_behind(Path(place))
    folder = tempfile.mkdtemp(prefix=f"cpl-{os.getpid()}-", dir=place)
    hidden = Path(folder, "hidden")
    hidden.mkdir()
    (hidden / "rfc3987_syntax.py").write_text("raise ImportError('not needed here')\n", encoding="ascii")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{hidden}{os.pathsep}{before}" if before else str(hidden)
    return folder


def remove_left_behind(place: Path) -> None:
    """Remove folders of this user's sweeps whose process was killed before it could: Ray's logs and sockets lie there.

    A process that is there has them, or another one that has got its number since: these stay.
    """
    for folder in place.glob("cpl-*-*"):
        found = re.fullmatch(r"cpl-(\d{1,10})-\w+", folder.name)
        with contextlib.suppress(OSError):
            if found and folder.lstat().st_uid == os.getuid() and folder.is_dir() and not _is_there(int(found[1])):
                shutil.rmtree(folder, ignore_errors=True)


def _is_there(pid: int) -> bool:
    """Whether a process of that number is there, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _at_once(options: SweepOptions, plan: Plan) -> int:
    """Trials at once on this machine."""
    if options.at_once is not None:
        return options.at_once
    if plan.device == "cpu":
        return cores()
    import torch

    return max(1, min(cores(), torch.cuda.device_count() * plan.trials_per_gpu))
