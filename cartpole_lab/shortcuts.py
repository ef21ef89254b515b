"""The places where the room ``speed`` may step in. Without that room, or with it off, each of them is the plain path.

This is the only module outside ``speed`` that knows the room. ``CARTPOLE_LAB_SPEED`` says what is on: ``on`` (the
default), ``off``, some names (``step_replay,idle_solver``), or all but some (``-unread_kernels``).
``cartpole-lab doctor`` lists the names; :func:`use` says the same from Python.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

SWITCH = "CARTPOLE_LAB_SPEED"
"""Environment variable that says which shortcuts are taken."""


def use(words: str) -> None:
    """Say which shortcuts are taken, from the next environment on.

    Args:
        words: As in the environment variable: ``"on"``, ``"off"``, names, or names with a minus sign.

    Raises:
        UserError: No shortcut has such a name.
    """
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = words
    try:
        states()
    except Exception:
        os.environ.pop(SWITCH) if before is None else os.environ.__setitem__(SWITCH, before)
        raise


def states() -> list[tuple[str, str, str]]:
    """Name, state and purpose of every shortcut. The state is ``on``, ``off`` or the reason why it stays off."""
    switch = _switch()
    return [] if switch is None else switch.states()


def imports() -> AbstractContextManager[None]:
    """Around imports of PyTorch, Warp and what is built on them."""
    return _shortcut("imports", _nothing)()


def gpu(device: str | None, overrides: Sequence[str] = ()) -> None:
    """Before imports for a simulation on ``device``, with settings; None is the GPU, if there is one."""
    _shortcut("gpu", lambda device, overrides: None)(device, overrides)


def rl_games_imports(compiled: bool = False) -> AbstractContextManager[None]:
    """Around imports of rl-games; ``compiled`` says whether ``torch.compile`` will be used."""
    return _shortcut("rl_games_imports", _nothing)(compiled)


def simulator_imports(newton: bool) -> None:
    """Before an environment is made; ``newton`` says whether Newton simulates it."""
    _shortcut("simulator_imports", _nothing)(newton)


def compiling(device: str, say: Callable[[str], None] | None = None) -> AbstractContextManager[Any]:
    """Around what compiles Warp kernels at its first run; ``say`` takes a line of progress."""
    return _shortcut("compiling", _nothing)(device, say)


def launches() -> AbstractContextManager[None]:
    """Around an environment's life: Warp launches from Python on a CPU."""
    return _shortcut("launches", _nothing)()


def torch_threads(when: bool = True) -> AbstractContextManager[None]:
    """Around an environment's life: the threads that PyTorch uses, ``when`` its networks are small."""
    return _shortcut("torch_threads", _nothing)(when)


def step(env: Any, say: Callable[[str], None]) -> None:
    """After an environment is made on a GPU; ``say`` is told which parts of its step stay as they are."""
    _shortcut("step", lambda env, say: None)(env, say)


def cpu_step(env: Any, say: Callable[[str], None] | None) -> None:
    """After an environment is made on a CPU, with Newton; ``say`` as above, or None to keep it to the log."""
    _shortcut("cpu_step", lambda env, say: None)(env, say)


def newton_manager() -> type:
    """Class of the physics manager that runs MuJoCo-Warp."""
    from isaaclab_newton.physics import NewtonMJWarpManager

    return _shortcut("newton_manager", NewtonMJWarpManager)


def ppo_agent() -> type:
    """Class of rl-games' agent for continuous actions."""
    from rl_games.algos_torch.a2c_continuous import A2CAgent

    return _shortcut("ppo_agent", A2CAgent)


def rounds_at_once(env: Any) -> int:
    """How many rounds of an evaluation may be played at the same time in ``env``."""
    return _shortcut("rounds_at_once", lambda env: 1)(env)


def play_rounds[Result](
    env: Any, rounds: Sequence[Callable[[], Result]]
) -> AbstractContextManager[Sequence[Callable[[], Result]]]:
    """For each round a function that returns its result; rounds may have begun, and end with the block."""
    return _shortcut("play_rounds", _in_turn)(env, rounds)


def _nothing(*args: Any, **kwargs: Any) -> AbstractContextManager[None]:
    """The plain path of most: nothing special happens."""
    return contextlib.nullcontext()


@contextlib.contextmanager
def _in_turn(env: Any, rounds: Sequence[Callable[[], Any]]) -> Iterator[Sequence[Callable[[], Any]]]:
    """Each round is played when its result is asked for."""
    yield rounds


def _shortcut[Thing](place: str, plain: Thing) -> Thing:
    """What stands at ``place``: a shortcut if there is one and it is on, else ``plain``."""
    switch = _switch()
    return plain if switch is None else switch.find(place, plain)


def _switch() -> Any:
    """The switch of the room ``speed``, or None if the room is not there."""
    try:
        from cartpole_lab.speed import switch
    except ImportError as error:  # no folder, or an empty one
        if error.name not in ("cartpole_lab.speed", "cartpole_lab.speed.switch"):
            raise
        return None
    return switch
