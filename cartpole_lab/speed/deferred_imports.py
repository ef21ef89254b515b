"""Modules that are left out while packages are imported, until something needs them.

PyTorch and Newton import much that a cart-pole never uses: rules for compilers, controllers, windows. Everything here
is imported later, by whoever asks for it first. :mod:`.unread_kernels` does the same for what a module declares.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import inspect
import sys
import types
from collections.abc import Iterator
from typing import Any

SELDOM = (
    "torch.export",
    "torch.nn.intrinsic",
    "torch.nn.qat",
    "torch.nn.quantizable",
    "torch.nn.quantized",
    "torch.quantization",
)
"""Parts of PyTorch that its import ends with, for exporters and for networks of small integers."""


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


@contextlib.contextmanager
def unseen_modules() -> Iterator[None]:
    """Let packages name modules in the block that they use on rare occasions, if at all."""
    stand_ins = [Later("newton.controllers"), Later("newton.viewer")]
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

    They serve compilers and exporters, and are a quarter of the import;
    so are :data:`SELDOM`.

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
    seldom = {name: Later(name) for name in SELDOM}
    sys.modules.update(seldom)
    inspect.getmodule = quick_module_of  # type: ignore[assignment]
    try:
        import torch
    except BaseException:
        for name in seldom:
            del sys.modules[name]
        raise
    finally:
        del sys.modules[rules]
        inspect.getmodule = module_of
    for name, module in seldom.items():
        if sys.modules.get(name) is module:
            parent, _, own = name.rpartition(".")
            setattr(sys.modules[parent], own, module)
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
