"""What keeps others from slowing the simulator down: idle imports at the start, PyTorch's threads later.

PyTorch, Newton and MuJoCo-Warp do much when they are imported that serves compilers, gradients and kernels which no
cart-pole uses. Python's garbage collector walks over all of that, again and again, and once more when the process ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cartpole_lab.speed.deferred_imports import Later, import_torch, unseen_modules
from cartpole_lab.speed.switch import on
from cartpole_lab.speed.unread_kernels import unread_kernels

_frozen = False
_quick = False
_mapping: threading.Thread | None = None
"""What maps PyTorch's libraries, where a GPU is being woken."""
_woken: int | None = None
"""Number of the GPU that is being woken."""
_warming: threading.Thread | None = None
"""What lets PyTorch load its kernels there."""
_newton = False
"""Whether Newton is imported meanwhile."""


@contextlib.contextmanager
def paused_collector() -> Iterator[None]:
    """Keep the garbage collector from running in the block."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def quick_imports() -> Iterator[None]:
    """Import PyTorch, Warp and what is built on them in the block, without what they do for nothing."""
    global _quick
    if _quick:
        yield
        return
    _quick = True
    try:
        with contextlib.ExitStack() as stack:
            # in this order: a piece looks at its hosts, which imports them
            for name, piece in (("paused_collector", paused_collector), ("unseen_modules", unseen_modules)):
                if on(name):
                    stack.enter_context(piece())
            first = _mapping is not None and "torch" not in sys.modules  # then what needs no PyTorch comes before it
            for step in (_warp_pieces, _import_torch) if first else (_import_torch, _warp_pieces):
                step(stack)
            known = len(sys.modules)
            yield
            if not _frozen and len(sys.modules) > known and on("paused_collector"):
                gc.freeze()  # before the first environment there is nothing else in the collector's next round
    finally:
        _quick = False


def _import_torch(stack: contextlib.ExitStack) -> None:
    global _warming
    if _mapping is not None:
        _mapping.join()
    if on("torch_rules") and import_torch() and on("paused_collector"):
        gc.freeze()  # what has been imported stays as long as the process
    if _woken is not None and _warming is None and "torch" in sys.modules:
        _warming = threading.Thread(target=_first_kernels, args=(_woken,), daemon=True)
        _warming.start()


def _first_kernels(index: int) -> None:
    """Let PyTorch load what a step and a policy launch on a GPU, cuBLAS among it, while Python builds the environment.

    No number of anybody's depends on it: nothing is drawn, and nothing is kept.
    """
    import torch

    with contextlib.suppress(RuntimeError, AssertionError):  # who works there says what is wrong with it
        device = torch.device("cuda", index)
        x = torch.zeros(4096, 4, device=device)
        mask = (x[:, 0] > 1.0) | x[:, 1].isnan()
        torch.where(mask, torch.square(x).sum(dim=1), x[:, 2].abs().clamp(-1.0, 1.0)).mean()
        x.masked_fill_(mask.unsqueeze(1), 0.0)
        torch.cat([x, torch.sqrt(x.double().var(dim=0).float() + 1.0).expand(4096, 4)], dim=1)
        weights = [torch.zeros(size, device=device, requires_grad=True) for size in ((32, 4), (32, 32), (1, 32))]
        for weight in weights:
            x = torch.tanh(torch.nn.functional.linear(x, weight, weight.new_zeros(len(weight))))
        x.mean().backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        torch.cuda.synchronize(device)


def gpu_is_ready() -> None:
    """Wait until nothing works on the GPU that was started here: before anything is captured."""
    if _warming is not None:
        _warming.join()


def ready_to_step(env: Any, say: Callable[[str], None]) -> None:
    """Take up the step of an environment on a GPU."""
    gpu_is_ready()
    if on("recorded_step"):
        importlib.import_module("cartpole_lab.speed.recorded_step").install(env, say)


def _warp_pieces(stack: contextlib.ExitStack) -> None:
    """Shorten what follows in the block; import Warp and Newton, which need no PyTorch, while that is being mapped."""
    for name, piece in (("forward_kernels", forward_kernels), ("unread_kernels", unread_kernels)):
        if on(name):
            stack.enter_context(piece())
    if _mapping is not None and _newton:
        with contextlib.suppress(ImportError):  # whoever needs it says what is missing
            importlib.import_module("newton.solvers")
            if _mapping.is_alive():
                _import_solver()


@contextlib.contextmanager
def forward_kernels() -> Iterator[None]:
    """Let modules of kernels that are made in the block do without the backward half of their kernels.

    Nobody differentiates through the cart-pole, and without it the very first run compiles a third faster.
    """
    import warp as wp

    before, wp.config.enable_backward = wp.config.enable_backward, False
    try:
        yield
    finally:
        wp.config.enable_backward = before


def import_simulator(newton: bool) -> None:
    """Import what an environment is made of, and take it out of the collector's rounds.

    What is imported lives as long as the process. It is set aside before an environment exists, so that environments
    and all they hold are collected as ever.

    Args:
        newton: Whether Newton simulates; its solver would otherwise be imported in the midst of making it.
    """
    global _frozen
    _hide_windows()
    importlib.import_module("isaaclab.envs")
    if newton:
        _import_solver()
        importlib.import_module("cartpole_lab.speed.step_replay")
    if not _frozen and on("paused_collector"):
        gc.freeze()
        _frozen = True


def _hide_windows() -> None:
    if on("unseen_modules"):
        # MuJoCo imports it for its window, and it tries every library that it finds in a process of its own.
        sys.modules.setdefault("glfw", Later("glfw"))


def _import_solver() -> None:
    _hide_windows()
    importlib.import_module("newton.solvers").SolverMuJoCo.import_mujoco()


def wake_gpu(device: str | None, overrides: Sequence[str] = ()) -> None:
    """Let the driver make the GPU's context, and the loader map PyTorch, while Python imports what needs neither.

    Args:
        device: What was asked for; None for the GPU, if there is one.
        overrides: What was asked for beside it: with another physics engine Newton is not imported in advance.
    """
    global _mapping, _newton, _woken
    kind, _, index = (device or "cuda").partition(":")
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if kind != "cuda" or hidden or "torch" in sys.modules or not os.path.exists("/dev/nvidiactl"):
        return
    _woken = int(index) if index.isdigit() else 0
    threading.Thread(target=_make_context, args=(_woken,), daemon=True).start()
    _newton = not any(word.partition("=")[0] in ("physics", "env.sim.physics") for word in overrides)
    _mapping = threading.Thread(target=_map_torch, daemon=True)
    _mapping.start()


def _map_torch() -> None:
    """Map PyTorch's libraries as its own import does; ``ctypes.CDLL`` would keep Python waiting, a call doesn't."""
    spec = importlib.util.find_spec("torch")
    folders = spec.submodule_search_locations if spec is not None else None
    if not folders or "LD_LIBRARY_PATH" in os.environ:  # PyTorch then looks for some of them itself, in its order
        return
    with contextlib.suppress(OSError, AttributeError):
        dlopen = ctypes.CDLL(None).dlopen
        dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
        for name, mode in (("libtorch_global_deps.so", ctypes.RTLD_GLOBAL), ("libtorch_cuda.so", ctypes.RTLD_LOCAL)):
            dlopen(os.fsencode(os.path.join(folders[0], "lib", name)), mode | os.RTLD_NOW)


def _make_context(index: int) -> None:
    """Make the primary context of a GPU, which PyTorch and Warp use too; where that fails they will say why."""
    with contextlib.suppress(OSError, AttributeError):
        driver, gpu, context = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(), ctypes.c_void_p()
        if driver.cuInit(0) == 0 and driver.cuDeviceGet(ctypes.byref(gpu), index) == 0:
            driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), gpu)


class _Compiler(Later):
    """Stands for ``torch._dynamo``, and answers what is asked of it where nothing is compiled."""

    config = types.SimpleNamespace()

    @staticmethod
    def disable(function: Callable, *args: Any, **kwargs: Any) -> Callable:
        return function

    @staticmethod
    def graph_break() -> None:
        """Nothing is compiled, so there is no graph to break."""


@contextlib.contextmanager
def import_rl_games(compiled: bool = False) -> Iterator[None]:
    """Import rl-games in the block without PyTorch's compiler: two seconds of imports for what is not used.

    rl-games sets an option of the compiler and decorates a network of its tests with ``torch.compile``, and PyTorch's
    optimizers ask the compiler to leave them alone. Each of these imports it, whether or not anything is compiled.

    Args:
        compiled: Whether networks are to be compiled; then nothing is held back.
    """
    import torch

    name = "torch._dynamo"
    if compiled:
        yield
        return
    sys.modules.setdefault(name, _Compiler(name))  # another library may have imported the real one by now
    compile_ = torch.compile
    torch.compile = lambda model=None, **kwargs: model if model is not None else lambda function: function
    try:
        yield
    finally:
        torch.compile = compile_


@contextlib.contextmanager
def one_torch_thread(when: bool = True) -> Iterator[None]:
    """Let PyTorch work on one thread in the block, unless ``OMP_NUM_THREADS`` says how many.

    A network with 32 units a layer gains nothing from a second thread, while PyTorch's idle threads spin on the cores
    that physics needs: 4096 environments stepped a third slower, and beside another busy program training became
    twenty-five times slower. It also makes the numbers of a run independent of the number of cores.

    Args:
        when: Whether to do anything.
    """
    import torch

    threads = torch.get_num_threads()
    if when and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
