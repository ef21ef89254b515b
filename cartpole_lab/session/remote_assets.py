"""Files on a server that a scene needs: found in its config, and asked for before a simulator starts."""

from __future__ import annotations

import tempfile
import urllib.parse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.tasks.server_files import is_remote, unreachable


def remote_files(cfg: Any) -> list[str]:
    """Every file on a server that a configuration names, in the order in which it names them.

    Args:
        cfg: A config object, dict or list, walked to its leaves.
    """
    found: dict[str, None] = {}
    seen: set[int] = set()

    def walk(node: Any) -> None:
        if is_remote(node):
            # a file has an ending; plain folders such as the asset root are not asked for
            if Path(urllib.parse.urlparse(node).path).suffix:
                found[node] = None
            return
        if node is None or isinstance(node, (str, int, float, bool, type)) or callable(node) or id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node, Mapping):
            children: Iterable[Any] = node.values()
        elif isinstance(node, (list, tuple, set)):
            children = node
        else:
            children = getattr(node, "__dict__", {}).values()
        for child in children:
            walk(child)

    walk(cfg)
    return list(found)


def check_assets(env_cfg: Any, timeout_s: float = 10.0) -> None:
    """Make sure that every file a task's scene needs can be read, before a simulator is started for it.

    Isaac Lab's own tasks load robots from NVIDIA's server and keep a copy; a file with a copy here is not asked for.

    Args:
        env_cfg: The task's environment config, its presets resolved.
        timeout_s: Longest wait for the server [s].

    Raises:
        UserError: Some files are out of reach: which, why, and what to do.
    """
    files = [file for file in _scene_files(env_cfg) if not _has_copy(file)]
    missing = unreachable(files, timeout_s) if files else {}
    if not missing:
        return
    listed = "; ".join(f"{file} ({reason})" for file, reason in list(missing.items())[:5])
    more = f"; and {len(missing) - 5} more" if len(missing) > 5 else ""
    raise UserError(
        f"{len(missing)} of {len(files)} files that this task loads cannot be reached: {listed}{more}. "
        "Go online, or set ISAACSIM_ASSET_ROOT to a folder or server that holds Isaac Sim's assets; "
        "Isaac-Cartpole-v0 needs no download."
    )


def _scene_files(env_cfg: Any) -> list[str]:
    """The remote files of a config's scene; pictures and lights of the viewer window are not needed to train."""
    scene = getattr(env_cfg, "scene", env_cfg)
    return [file for file in remote_files(scene) if not file.lower().endswith((".hdr", ".exr", ".mdl"))]


def _has_copy(url: str) -> bool:
    """True where Isaac Lab keeps a copy of a file: below the folder for temporary files, by server and path."""
    parsed = urllib.parse.urlparse(url)
    copy = Path(tempfile.gettempdir(), parsed.scheme, parsed.netloc.replace(":", "_"), parsed.path.lstrip("/"))
    return copy.is_file()
