"""What is left undone while packages are imported, until something needs it.

PyTorch, Warp, Newton and Isaac Lab do much when they are imported that a cart-pole never uses: rules for compilers,
syntax trees of kernels, methods of configs, windows. Everything here is done later, exactly as it would have been done,
by whoever asks for it first.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import importlib.abc
import importlib.machinery
import inspect
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import Any

_BLANKS = re.compile("^[ \t]+$", re.MULTILINE)
"""Lines of nothing but spaces, which :func:`textwrap.dedent` empties."""


class Later(types.ModuleType):
    """Stands for a module until something is asked of it that only the module itself can answer."""

    def __getattr__(self, name: str) -> Any:
        if name in ("__file__", "__warningregistry__"):  # which others ask of every module there is
            raise AttributeError(name)
        return getattr(self._itself(), name)

    def _itself(self) -> types.ModuleType:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return importlib.import_module(self.__name__)


class LaterClass:
    """Stands for a class of such a module until it is called, derived from or compared with."""

    def __init__(self, module: Later, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._itself()(*args, **kwargs)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (self._itself(),)

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, self._itself())

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self._itself())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._itself(), name)

    def _itself(self) -> type:
        return getattr(self._module._itself(), self._name)


def _locks() -> Later:
    """Stands for ``filelock``: from its import on, Python would tell it of every file, import and call that it audits.

    Isaac Lab names its class at the top of two modules, and locks a file when it downloads one.
    """
    module = Later("filelock")
    module.__path__ = []  # asked of every package in whose name something is imported
    module.FileLock = LaterClass(module, "FileLock")  # type: ignore[attr-defined]
    return module


@contextlib.contextmanager
def unseen_modules() -> Iterator[None]:
    """Let packages name modules in the block that they use on rare occasions, if at all."""
    stand_ins = [Later("newton.controllers"), Later("newton.viewer"), _locks()]
    stand_ins = [module for module in stand_ins if module.__name__ not in sys.modules]
    sys.modules.update((module.__name__, module) for module in stand_ins)
    try:
        yield
    finally:
        for module in stand_ins:
            if sys.modules.get(module.__name__) is module:
                del sys.modules[module.__name__]


def import_torch() -> bool:
    """Import PyTorch, but leave its rules for tensors that have a shape and no numbers until something needs them.

    They serve compilers and exporters, and are a quarter of the import.

    Returns:
        False if PyTorch had been imported already.
    """
    if "torch" in sys.modules:
        return False
    rules, module_of = "torch._meta_registrations", inspect.getmodule

    def quick_module_of(thing: Any, *args: Any) -> Any:
        # PyTorch asks it of a frame, and Python would look at the files of all modules to find the one.
        frame = isinstance(thing, types.FrameType)
        return (sys.modules.get(thing.f_globals.get("__name__")) if frame else None) or module_of(thing, *args)

    sys.modules[rules] = types.ModuleType(rules)
    inspect.getmodule = quick_module_of  # type: ignore[assignment]
    try:
        import torch
    finally:
        del sys.modules[rules]
        inspect.getmodule = module_of
    vars(torch).pop("_meta_registrations", None)
    sys.meta_path.insert(0, _RulesFirst(rules))
    return True


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
def unread_kernels() -> Iterator[None]:
    """Let Warp take kernels in without reading them: most are never launched.

    Warp parses every kernel and function where it is declared. In the block it keeps their source and parses it when
    something asks for the syntax tree, which is when the module is hashed before its first launch. It is also spared
    the list of which module calls which: that serves kernels that are rewritten while a program runs.
    Annotations, which many functions share, are compiled once.
    """
    from warp._src import codegen
    from warp._src.codegen import Adjoint
    from warp._src.context import Module

    if not isinstance(vars(Adjoint).get("tree"), property):
        Adjoint.tree = property(_get_tree, lambda adjoint, tree: vars(adjoint).__setitem__("tree", tree))
    read, find, inspect_arguments = Adjoint.extract_function_source, Module._find_references, codegen.get_full_arg_spec

    def locate(function: Callable) -> tuple[str, int, Any]:
        code = getattr(inspect.unwrap(function), "__code__", None)
        found = None if code is None else Adjoint._try_extract_function_source(code)
        if found is None:
            return read(function)
        source = found[0]
        source = textwrap.dedent(source) if source[0].isspace() else _BLANKS.sub("", source)
        open_quotes = any(source.count(quotes) % 2 for quotes in ('"""', "'''"))
        if open_quotes or any(source.count(a) != source.count(b) for a, b in ("()", "[]", "{}")):
            return read(function)  # Warp guesses the end by the indentation, and looks again if that does not parse
        return source, found[1], Unread(code.co_name, source)

    def list_arguments(function: Callable) -> inspect.FullArgSpec:
        code = getattr(function, "__code__", None)
        plain = type(function) is types.FunctionType and not vars(function) and not code.co_kwonlyargcount
        if not plain or code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
            return inspect_arguments(function)
        names, local = list(code.co_varnames[: code.co_argcount]), codegen.get_closure_vars(function)
        annotations = {
            name: eval(_compiled(value), function.__globals__, local) if isinstance(value, str) else value
            for name, value in function.__annotations__.items()
        }
        return inspect.FullArgSpec(names, None, None, function.__defaults__, [], None, annotations)

    Adjoint.extract_function_source, Module._find_references = staticmethod(locate), lambda self, adj: None
    codegen.get_full_arg_spec = list_arguments
    try:
        yield
    finally:
        Adjoint.extract_function_source, Module._find_references = staticmethod(read), find
        codegen.get_full_arg_spec = inspect_arguments


@functools.cache
def _compiled(annotation: str) -> types.CodeType:
    return compile(annotation.lstrip(), "<annotation>", "eval")


class Unread:
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
    if isinstance(tree, Unread) and ("fun_name" in known or known.get("transformers")):
        tree = known["tree"] = tree.tree
    return tree
