"""The other reinforcement-learning libraries: train with them.

Training goes through Isaac Lab's own entry points, the ones behind ``isaaclab train --rl_library …``. What comes out is
a different file for every library. When the training has ended, each is told what it means, so that it can go anywhere.
"""

from __future__ import annotations

import json
import pickle
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cartpole_lab import shortcuts
from cartpole_lab.errors import UserError
from cartpole_lab.policies.checkpoint import open_checkpoint, seal
from cartpole_lab.policies.runs import Best, Run
from cartpole_lab.session.remote_assets import check_assets

__all__ = [
    "LIBRARIES",
    "LibraryRun",
    "check_assets",
    "check_library",
    "last_checkpoint",
    "train_with_library",
]

LIBRARIES = {"rl_games": "rl-games", "rsl_rl": "rsl-rl-lib", "skrl": "skrl", "sb3": "stable-baselines3"}
"""Names that ``--rl_library`` takes, with the package that each needs."""

_CHECKPOINTS = {
    "rl_games": ("nn/*.pth",),
    "rsl_rl": ("model_*.pt",),
    "skrl": ("checkpoints/agent_*.pt",),
    "sb3": ("model.zip", "model_*.zip"),
}


@dataclass(frozen=True)
class LibraryRun:
    """One finished training.

    Attributes:
        library: ``"rl_games"``, ``"rsl_rl"``, ``"skrl"`` or ``"sb3"``.
        log_dir: Folder with the checkpoints, the settings used and the curves.
        checkpoint: The last policy that was saved.
        seed: Seed of the environment and the agent.
        wall_s: Wall time of the whole training, start of the simulation included [s].
    """

    library: str
    log_dir: Path
    checkpoint: Path
    seed: int
    wall_s: float


def check_library(library: str) -> str:
    """Return ``library`` if it can be used here.

    Raises:
        UserError: Unknown name, or its package is not installed.
    """
    import importlib.util

    if library not in LIBRARIES:
        raise UserError(f"rl_library {library!r} is not known: expected one of {', '.join(LIBRARIES)}")
    module = {"sb3": "stable_baselines3"}.get(library, library)
    if importlib.util.find_spec(module) is None:
        raise UserError(
            f"--rl_library {library} needs the package {LIBRARIES[library]}, which is not installed: "
            "pip install 'cartpole-lab[libraries]'"
        )
    return library


def train_with_library(
    library: str,
    task: str = "Isaac-Cartpole-v0",
    *,
    agent: str | None = None,
    num_envs: int | None = None,
    device: str | None = None,
    seed: int = 42,
    max_iterations: int | None = None,
    overrides: Sequence[str] = (),
    extra_args: Sequence[str] = (),
) -> LibraryRun:
    """Train a registered task with a library, as ``isaaclab train`` does, in this process.

    Args:
        library: ``"rl_games"``, ``"rsl_rl"``, ``"skrl"`` or ``"sb3"``.
        task: Any registered task, Isaac Lab's own too.
        agent: Name of the agent entry point; by default ``<library>_cfg_entry_point``.
        num_envs: Number of environments; by default 1024 on a CPU, the task's own number on a GPU.
        device: Device of the simulation and of the learning; by default the GPU if there is one.
        seed: Seed of the environment and the agent.
        max_iterations: Updates of the policy; by default the agent's own number.
        overrides: Hydra words, as for :func:`cartpole_lab.session.env.load_cfg`.
        extra_args: Further flags of ``isaaclab train``, handed on as they are.

    Returns:
        Where the run lies and how long it took.

    Raises:
        UserError: Unknown or missing library, unknown task, or the library left no checkpoint behind.
    """
    from cartpole_lab.session import env as session

    check_library(library)
    device = session.check_device(device)
    task = session.check_task(task)
    # some overrides are the agent's; those of the environment may choose other files
    env_words = [word for word in overrides if not word.startswith("agent.")]
    env_cfg = session.load_cfg(task, agent=None, overrides=env_words)[0]
    check_assets(env_cfg)
    session.close_env()
    if num_envs is None and device == "cpu":
        num_envs = session.NUM_ENVS["cpu"]
    argv = ["--rl_library", library, "--task", task, "--device", device, "--seed", str(seed)]
    for flag, value in (("--agent", agent), ("--num_envs", num_envs), ("--max_iterations", max_iterations)):
        argv += [] if value is None else [flag, str(value)]
    words = [*extra_args, *_device_words(library, device, overrides), *overrides]
    if library == "sb3":  # its progress bar would open a widget in a notebook, inside whatever captures the output
        import rich

        rich.reconfigure(force_jupyter=False)
    started_at, start = time.time(), time.perf_counter()
    small = device == "cpu" and not session.has_camera(env_cfg)
    with shortcuts.compiling(device), shortcuts.torch_threads(when=small):
        _run_isaaclab_train([*argv, *words])
    wall_s = time.perf_counter() - start
    log_dir = _newest_run(Path("logs") / library, task, since=started_at)
    if log_dir is None:
        raise UserError(f"{library} left no run of {task} below logs/{library}: read what it printed above")
    seal_run(log_dir)
    return LibraryRun(library, log_dir, last_checkpoint(log_dir, library), seed, wall_s)


def seal_run(log_dir: str | Path) -> None:
    """Put what they mean into all checkpoints of a run that Isaac Lab's own command has made, and name the best.

    Raises:
        UserError: The run's settings cannot be read.
    """
    run = Run.open(log_dir)
    normalizer = _sb3_normalizer(run.log_dir) if run.library == "sb3" else None
    for path in reversed(run.checkpoints):
        checkpoint = open_checkpoint(path)
        seal(path, replace(checkpoint.meaning, normalizer=normalizer))
    best, last = run.best, last_checkpoint(run.log_dir, run.library)
    if best is None:
        best = Best(last, "the last one: the library named none the best")
    run.note_checkpoint(best.path, epoch=-1, best=best)
    run.note_checkpoint(last, epoch=-1)


def _sb3_normalizer(log_dir: Path) -> dict[str, Any] | None:
    """Statistics of the observations, which Stable-Baselines3 keeps in a pickle; this process has just made it."""
    file = log_dir / "model_vecnormalize.pkl"
    if not file.is_file():
        return None
    stats = pickle.loads(file.read_bytes())
    rms = stats.obs_rms
    return {
        "mean": [float(n) for n in rms.mean],
        "var": [float(n) for n in rms.var],
        "epsilon": float(stats.epsilon),
        "clip": float(stats.clip_obs),
    }


def _device_words(library: str, device: str, overrides: Sequence[str]) -> list[str]:
    """Settings that put the learning where the simulation is, where a library does not do so by itself."""
    keys = {
        "rsl_rl": ("agent.device",),
        "rl_games": ("agent.params.config.device", "agent.params.config.device_name"),
    }.get(library, ())
    chosen = {word.partition("=")[0] for word in overrides}
    return [f"{key}={device}" for key in keys if key not in chosen]


def _run_isaaclab_train(argv: list[str]) -> None:
    """Call Isaac Lab's training command and give ``sys.argv`` back afterwards, which it replaces."""
    from isaaclab_rl.entrypoints import run_train_cli

    before = list(sys.argv)
    try:
        status = run_train_cli(argv)
    finally:
        sys.argv = before
    if status:
        raise UserError(f"isaaclab train {' '.join(argv)} ended with exit code {status}: read what it printed above")


def _newest_run(root: Path, task: str, since: float) -> Path | None:
    """The newest run folder of a task that was begun after ``since`` [s since 1970]."""
    runs = [path for path in root.glob("**/run.json") if path.stat().st_mtime >= since - 1.0]
    runs = [path for path in runs if json.loads(path.read_text(encoding="utf-8")).get("task") == task]
    return max(runs, key=lambda path: path.stat().st_mtime).parent if runs else None


def last_checkpoint(log_dir: str | Path, library: str) -> Path:
    """The policy that a run saved last.

    Raises:
        UserError: The run saved none.
    """
    log_dir = Path(log_dir)
    for pattern in _CHECKPOINTS[library]:
        found = list(log_dir.glob(pattern))
        if found:
            return max(found, key=lambda path: (path.stat().st_mtime, _number(path)))
    raise UserError(f"{log_dir} holds no checkpoint of {library}: expected {' or '.join(_CHECKPOINTS[library])}")


def _number(path: Path) -> int:
    """The last number in a file's name, -1 without one."""
    return int((re.findall(r"\d+", path.stem) or ["-1"])[-1])
