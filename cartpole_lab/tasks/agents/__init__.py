"""Agent settings, one file a library and task kind.

rl-games wants a device in its settings and knows no word for "the one that is there". An entry point such as
``cartpole_lab.tasks.agents:rl_games_ppo_cfg`` therefore names a function: it reads ``rl_games_ppo_cfg.yaml`` and fills
in the GPU if there is one, else the CPU.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cartpole_lab import shortcuts


def load_rl_games_cfg(path: Path) -> dict[str, Any]:
    """Read an rl-games settings file and fill in the device.

    Args:
        path: A YAML file of rl-games.

    Returns:
        The settings, ready for rl-games' ``Runner``.
    """
    import torch
    import yaml

    settings = yaml.full_load(path.read_text(encoding="utf-8"))
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    settings["params"]["config"].update(device=device, device_name=device)
    make_known(settings["params"]["network"])
    return settings


def make_known(network: Mapping[str, Any]) -> None:
    """Make a network of this package known to rl-games, if settings name it: from a file as from a checkpoint."""
    if network.get("name") == "symmetric_actor_critic":
        with shortcuts.rl_games_imports():
            importlib.import_module(f"{__name__}.symmetric")


def __getattr__(name: str) -> Callable[[], dict[str, Any]]:
    path = Path(__file__).with_name(f"{name}.yaml")
    if not name.startswith("rl_games_") or not path.is_file():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return lambda: load_rl_games_cfg(path)
