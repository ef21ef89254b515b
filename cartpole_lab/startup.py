"""What keeps others from slowing the simulator down: idle imports at the start, PyTorch's threads later.

PyTorch, Newton and MuJoCo-Warp do much when they are imported that serves compilers, gradients and kernels which no
cart-pole uses. Python's garbage collector walks over all of that, again and again, and once more when the process ends.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import importlib
import importlib.abc
import importlib.machinery
import inspect
import os
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import Any

_frozen = False


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
    with paused_collector():
        _import_torch()
        with _unread_kernels():
            yield


def import_simulator(newton: bool) -> None:
    """Import what an environment is made of, and take it out of the collector's rounds.

    What is imported lives as long as the process. It is set aside before an environment exists, so that environments
    and all they hold are collected as ever.

    Args:
        newton: Whether Newton simulates; its solver would otherwise be imported in the midst of making it.
    """
    global _frozen
    # MuJoCo imports it for its window, and it tries every library that it finds in a process of its own.
    sys.modules.setdefault("glfw", _Later("glfw"))
    importlib.import_module("isaaclab.envs")
    if newton:
        importlib.import_module("newton.solvers").SolverMuJoCo.import_mujoco()
        importlib.import_module("cartpole_lab.physics.replay")
    if not _frozen:
        gc.freeze()
        _frozen = True


def _import_torch() -> None:
    """Import PyTorch, but leave its rules for tensors that have a shape and no numbers until something needs them.

    They serve compilers and exporters, and are a quarter of the import.
    """
    if "torch" in sys.modules:
        return
    rules = "torch._meta_registrations"
    sys.modules[rules] = types.ModuleType(rules)
    try:
        import torch
    finally:
        del sys.modules[rules]
    vars(torch).pop("_meta_registrations", None)
    sys.meta_path.insert(0, _RulesFirst(rules))


class _RulesFirst(importlib.abc.MetaPathFinder):
    """Imports ``rules`` when something is imported that is built on them: PyTorch has its modules in that order."""

    NEED_RULES = (
        "torch._decomp",
        "torch._prims",
        "torch._prims_common.wrappers",
        "torch._refs",
        "torch.utils._content_store",
    )

    def __init__(self, rules: str) -> None:
        self._rules = rules

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Nothing, but for one of those modules, which by then is imported."""
        if name not in self.NEED_RULES:
            return None
        sys.meta_path.remove(self)
        if self._rules in sys.modules:
            return None
        importlib.import_module(self._rules)
        spec = sys.modules[name].__spec__
        spec.loader = _Imported(spec.loader)
        return spec


class _Imported(importlib.abc.Loader):
    """Loads a module that is there already, and gives it its own loader back."""

    def __init__(self, loader: Any) -> None:
        self._own = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """The module as it is."""
        return sys.modules[spec.name]

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing is left to do."""
        module.__spec__.loader = self._own


@contextlib.contextmanager
def _unread_kernels() -> Iterator[None]:
    """Let Warp take kernels in without reading them: most are never launched.

    Warp parses every kernel and function where it is declared. In the block it keeps their source and parses it when
    something asks for the syntax tree, which is when the module is hashed before its first launch. It is also spared
    the list of which module calls which: that serves kernels that are rewritten while a program runs.
    """
    from warp._src.codegen import Adjoint
    from warp._src.context import Module

    if Adjoint.extract_function_source.__module__ == __name__:  # in such a block already
        yield
        return
    if not isinstance(vars(Adjoint).get("tree"), property):
        Adjoint.tree = property(_get_tree, lambda adjoint, tree: vars(adjoint).__setitem__("tree", tree))
    read, find = Adjoint.extract_function_source, Module._find_references

    def locate(function: Callable) -> tuple[str, int, Any]:
        code = getattr(inspect.unwrap(function), "__code__", None)
        found = None if code is None else Adjoint._try_extract_function_source(code)
        if found is None:
            return read(function)
        source = textwrap.dedent(found[0])
        open_quotes = any(source.count(quotes) % 2 for quotes in ('"""', "'''"))
        if open_quotes or any(source.count(a) != source.count(b) for a, b in ("()", "[]", "{}")):
            return read(function)  # Warp guesses the end by the indentation, and looks again if that does not parse
        return source, found[1], _Unread(code.co_name, source)

    Adjoint.extract_function_source, Module._find_references = staticmethod(locate), lambda self, adj: None
    try:
        yield
    finally:
        Adjoint.extract_function_source, Module._find_references = staticmethod(read), find


class _Unread:
    """Stands for the syntax tree of a function of which only the name was asked."""

    def __init__(self, name: str, source: str) -> None:
        self.body = (types.SimpleNamespace(name=name),)
        self._source = source

    @functools.cached_property
    def tree(self) -> ast.Module:
        """The tree, as Warp itself would have parsed it."""
        return ast.parse(self._source)


def _get_tree(adjoint: Any) -> Any:
    """The syntax tree of a kernel; while it is being declared without transformers, its name does."""
    known = vars(adjoint)
    tree = known["tree"]
    if isinstance(tree, _Unread) and ("fun_name" in known or known.get("transformers")):
        tree = known["tree"] = tree.tree
    return tree


class _Later(types.ModuleType):
    """Stands for a module until something is asked of it that only the module itself can answer."""

    def __getattr__(self, name: str) -> Any:
        if name in ("__file__", "__warningregistry__"):  # which others ask of every module there is
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


class _Compiler(_Later):
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
    if compiled or not isinstance(sys.modules.setdefault(name, _Compiler(name)), _Compiler):
        yield
        return
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
