"""From what a user calls a task to what Gymnasium knows it by.

Taken are a registered id, an id of an installed package (its ``isaaclab.tasks`` entry point is loaded, as Isaac Lab
loads it), ``module:id``, ``path/to/file.py:id``, and in place of the id the name of a config class.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cartpole_lab.errors import UserError

DEFAULT_TASK = "Isaac-Cartpole-v0"
ENTRY_POINTS = "isaaclab.tasks"
"""Group of entry points whose packages register tasks; ``isaaclab list_envs`` and ``isaaclab train`` load it."""

_loaded_files: dict[Path, tuple[float, ModuleType]] = {}
_broken: dict[str, str] = {}


@dataclass(frozen=True)
class Task:
    """A task that was found.

    Attributes:
        id: Registered id.
        cfg: Config class, where a class was named instead of an id; ``id`` then only says which class of environment
            to make.
    """

    id: str
    cfg: type | None = None


def find_task(task: str) -> Task:
    """Look a task up.

    Args:
        task: A registered id, ``module:id``, ``path/to/file.py:id``, or a config class in place of the id.

    Raises:
        UserError: No such task, module or file, or it fails while it is imported; names the nearest ids.
    """
    import gymnasium as gym

    import cartpole_lab.tasks  # noqa: F401

    if not isinstance(task, str) or not task.strip():
        raise UserError(f"task is {task!r}, expected an id such as {DEFAULT_TASK}, or a config class")
    place, _, name = task.rpartition(":")
    module: ModuleType | None = None
    if place:
        before = set(gym.registry)
        module = _import_file(Path(place), task) if place.endswith(".py") else _import_module(place, task)
        found = getattr(module, name, None)
        if isinstance(found, type) and name not in gym.registry:
            return Task(DEFAULT_TASK, check_decorated(found, f"task {task!r}"))
        if name not in gym.registry and place.endswith(".py"):
            raise UserError(f"task {task!r}: {place} registers no {name!r}, but {_offered_by(module, before)}")
    elif task.endswith(".py"):
        raise UserError(f"task {task!r} is a file: expected {task}:<id>, with an id or config class of that file")
    if name not in gym.registry:
        load_installed()
    if name not in gym.registry:
        import isaaclab_tasks  # noqa: F401
    if name not in gym.registry:
        raise UserError(_not_registered(name))
    if "env_cfg_entry_point" not in gym.spec(name).kwargs:
        raise UserError(f"task {name!r} is Gymnasium's own, not Isaac Lab's: expected one such as {DEFAULT_TASK}")
    return Task(name)


def check_decorated(cls: type, what: str) -> type:
    """Return a config class whose own settings count: without the decorator Python takes those of its base.

    Raises:
        UserError: It is no config class, or settings stand in it, or in a base of it, that nobody would read.
    """
    if not hasattr(cls, "__dataclass_fields__"):
        raise UserError(f"{what}: class {cls.__name__} is no environment config")
    for base in (one for one in cls.__mro__ if hasattr(one, "__dataclass_fields__")):
        if "__dataclass_fields__" in vars(base):
            continue
        lost = [*vars(base).get("__annotations__", ()), *(k for k, v in vars(base).items() if not callable(v))]
        if lost := [name for name in lost if name in base.__dataclass_fields__]:
            raise UserError(
                f"{what}: class {base.__name__} sets {lost[0]}, which nobody reads without @configclass above it: "
                "from isaaclab.utils import configclass"
            )
    return cls


def check_task(task: str) -> str:
    """The registered id of a task; raises as :func:`find_task` does."""
    return find_task(task).id


def is_task(task: Any, recorded: str) -> bool:
    """Whether ``task`` names the registered task ``recorded``, be it by way of its module or file.

    Raises:
        UserError: As for :func:`find_task`.
    """
    if not isinstance(task, str):
        return False
    found = find_task(task)
    return found.cfg is None and found.id == recorded


def load_installed() -> None:
    """Load the task packages that are installed, as Isaac Lab's commands do.

    A package that fails while it is imported is left out, and named if a task is not found in the end.
    """
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            entry.load()
            _broken.pop(entry.name, None)
        except (Exception, SystemExit) as error:  # somebody else's package; the tasks of all others must stay usable
            _broken[entry.name] = f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"


def _not_registered(task: str) -> str:
    import gymnasium as gym

    from cartpole_lab.session.overrides import nearest

    known = [name for name, spec in gym.registry.items() if "env_cfg_entry_point" in (spec.kwargs or {})]
    near = nearest(task, known, count=3) or DEFAULT_TASK
    text = f"task {task!r} is not registered: did you mean {near}? `isaaclab list_envs` lists all"
    for name, reason in _broken.items():
        text += f"; the installed package {name} could not be read ({reason})"
    return text


def _import_module(name: str, task: str) -> ModuleType:
    cwd = str(Path.cwd())
    if cwd not in sys.path and "" not in sys.path:  # as `python -m` does; a command's own folder comes first otherwise
        sys.path.append(cwd)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise UserError(
                f"task {task!r}: there is no module {error.name!r} here; install its package, or give "
                "path/to/file.py:<id>"
            ) from error
        raise UserError(f"task {task!r}: module {name!r} needs {error.name!r}, which is not installed") from error
    except (Exception, SystemExit) as error:
        raise _fails(task, name, error) from error


def _import_file(path: Path, task: str) -> ModuleType:
    if not path.is_file():
        raise UserError(f"task {task!r}: there is no file {str(path)!r}")
    path = path.resolve()
    changed = path.stat().st_mtime
    known = _loaded_files.get(path)
    if known and known[0] == changed:
        return known[1]
    # under its own name, so that `f"{__name__}:MyCfg"` in gym.register finds it, and beside the files it imports
    name = path.stem if path.stem not in sys.modules or known else f"{path.stem}_{abs(hash(path)):x}"
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    earlier = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name)
        if earlier is not None:
            sys.modules[name] = earlier
        raise _fails(task, str(path), error) from error
    _loaded_files[path] = (changed, module)
    return module


def _fails(task: str, where: str, error: Exception | SystemExit) -> UserError:
    from cartpole_lab.session.explained import told

    return UserError(f"task {task!r}: {where} fails while it is imported: {told(error)}")


def _offered_by(module: ModuleType, before: set[str]) -> str:
    """Ids that a module registers, and its config classes: what may stand behind the colon."""
    import gymnasium as gym

    made = {name for name in set(gym.registry) - before if not name.startswith("Isaac")}  # it may import Isaac Lab's
    classes = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and hasattr(value, "__dataclass_fields__")
    ]
    return ", ".join(sorted(made.union(_registered_by(module))) + sorted(classes)) or "nothing"


def _registered_by(module: ModuleType) -> list[str]:
    import gymnasium as gym

    return sorted(
        name
        for name, spec in gym.registry.items()
        if str((spec.kwargs or {}).get("env_cfg_entry_point", "")).partition(":")[0] == module.__name__
        or getattr((spec.kwargs or {}).get("env_cfg_entry_point"), "__module__", None) == module.__name__
    )


def entry_points_of(task: str) -> dict[str, Any]:
    """Settings that a task registers, by the name of their entry point: ``env_cfg_entry_point`` and the agents'."""
    import gymnasium as gym

    return {key: value for key, value in gym.spec(task).kwargs.items() if key.endswith("_cfg_entry_point")}
