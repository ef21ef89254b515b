"""Kernels that are read when they are needed, and whose syntax trees are not kept.

Warp parses every kernel and function where it is declared, and keeps the trees for as long as the process. Most kernels
are never launched. Those that are have to be read for the name under which their module lies in the cache, and once
more only if it is compiled. Kept, their trees would be most of what Python's garbage collector walks over.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import re
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import Any

_BLANKS = re.compile("^[ \t]+$", re.MULTILINE)
"""Lines of nothing but spaces, which :func:`textwrap.dedent` empties."""

_read: list[Unread] = []
"""Whose trees are held."""


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
        Adjoint.reference_nodes = functools.partialmethod(_reference_nodes, Adjoint.reference_nodes)
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
        forget_trees()
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
        _read.append(self)
        return ast.parse(self._source)

    @functools.cached_property
    def reference_nodes(self) -> tuple[ast.AST, ...]:
        """What Warp looks through for references, level by level: its walk asks each node for every field by name."""
        found: list[ast.AST] = []
        todo: list[ast.AST] = [self.tree]
        for node in todo:  # it grows meanwhile
            if type(node) in (ast.Name, ast.Attribute, ast.Call, ast.Assign):
                found.append(node)
            for value in vars(node).values():  # as parsed: fields in their order, then numbers of lines
                if type(value) is list:
                    todo += [child for child in value if isinstance(child, ast.AST)]
                elif isinstance(value, ast.AST) and vars(value):  # not what marks an operator or a context
                    todo.append(value)
        return tuple(found)


def forget_trees() -> None:
    """Let go of all trees that have been read; who asks again reads again."""
    while _read:
        known = vars(_read.pop())
        known.pop("tree", None)
        known.pop("reference_nodes", None)


def _get_tree(adjoint: Any) -> Any:
    """The syntax tree of a kernel; while it is being declared without transformers, its name does."""
    known = vars(adjoint)
    tree = known["tree"]
    if isinstance(tree, Unread) and ("fun_name" in known or known.get("transformers")):
        if known["_shared_source"] is not None:  # which is how Warp says that nobody changes it
            return tree.tree
        tree = known["tree"] = tree.tree
    return tree


def _reference_nodes(adjoint: Any, walk: Callable[[Any], tuple[ast.AST, ...]]) -> tuple[ast.AST, ...]:
    """``Adjoint.reference_nodes``, kept no longer than the tree."""
    tree = vars(adjoint)["tree"]
    shared = isinstance(tree, Unread) and adjoint._shared_source is not None
    return tree.reference_nodes if shared else walk(adjoint)
