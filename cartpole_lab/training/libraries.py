"""The other reinforcement-learning libraries: train with them, and read what they saved as one kind of policy.

Training goes through Isaac Lab's own entry points, the ones behind ``isaaclab train --rl_library …``. What comes out is
a different file for every library; :func:`load_policy_any` makes of each the same thing, a function from observations
to actions, so that one evaluation judges them all.
"""

from __future__ import annotations

import io
import json
import re
import sys
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cartpole_lab import shortcuts
from cartpole_lab.errors import UserError
from cartpole_lab.session.remote_assets import check_assets

__all__ = [
    "LIBRARIES",
    "LibraryRun",
    "check_assets",
    "check_library",
    "checkpoint_library",
    "last_checkpoint",
    "load_policy_any",
    "train_with_library",
]

if TYPE_CHECKING:
    import torch

    from cartpole_lab.policies.dense_policy import DensePolicy

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
    return LibraryRun(library, log_dir, last_checkpoint(log_dir, library), seed, wall_s)


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


def load_policy_any(checkpoint: str | Path, device: str | torch.device = "cpu") -> DensePolicy:
    """Read a checkpoint of rsl-rl, skrl or Stable-Baselines3 as a policy.

    Only tensors are read from the file, never pickled code.

    Args:
        checkpoint: ``model_<n>.pt`` of rsl-rl, ``agent_<n>.pt`` of skrl, or ``model.zip`` of Stable-Baselines3. The
            ``params/agent.yaml`` beside it tells what the weights alone do not, such as the activation function.
        device: Where the policy is to live.

    Returns:
        A function from observations ``(n, numbers)`` to the deterministic actions ``(n, 1)``, without gradients.

    Raises:
        UserError: No such file, or a file of another kind.
    """
    checkpoint = Path(checkpoint)
    if not checkpoint.is_file():
        raise UserError(f"checkpoint {str(checkpoint)!r} does not exist")
    library, state = _read(checkpoint)
    settings = _agent_settings(checkpoint)
    net = {"rsl_rl": _from_rsl_rl, "skrl": _from_skrl, "sb3": _from_sb3}[library](state, settings)
    return net.to(device).eval()


def checkpoint_library(checkpoint: str | Path) -> str | None:
    """Name of the library that wrote a checkpoint; ``"rl_games"`` too, None where it is none of ours."""
    try:
        return _read(Path(checkpoint))[0]
    except UserError:
        return "rl_games" if Path(checkpoint).suffix == ".pth" else None


def _read(path: Path) -> tuple[str, Mapping[str, Any]]:
    """The library that wrote a file and the tensors in it."""
    import pickle

    import torch

    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                return "sb3", torch.load(io.BytesIO(archive.read("policy.pth")), map_location="cpu", weights_only=True)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, KeyError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise UserError(f"{path} is not a checkpoint that can be read: {' '.join(str(error).split())[:200]}") from error
    if isinstance(state, Mapping) and "actor_state_dict" in state:
        return "rsl_rl", state["actor_state_dict"]
    if isinstance(state, Mapping) and "policy" in state:
        return "skrl", state
    raise UserError(f"{path} is not a checkpoint of rsl-rl, skrl or Stable-Baselines3")


def _agent_settings(checkpoint: Path) -> Mapping[str, Any]:
    """The agent settings that the run was started with, empty where they are not beside the checkpoint."""
    import yaml

    class Plain(yaml.SafeLoader):
        """Reads Isaac Lab's dumps without building any of the Python objects that they name."""

    def plain(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    Plain.add_multi_constructor("tag:yaml.org,2002:python/", plain)
    for folder in list(checkpoint.parents)[:2]:
        file = folder / "params" / "agent.yaml"
        if file.is_file():
            return yaml.load(file.read_text(encoding="utf-8"), Loader=Plain) or {}
    return {}


def _from_rsl_rl(state: Mapping[str, Any], settings: Mapping[str, Any]) -> DensePolicy:
    from cartpole_lab.policies.dense_policy import DensePolicy

    actor = settings.get("actor", {})
    net = DensePolicy.from_layers(
        state, "mlp.", activation=actor.get("activation", "elu"), action_limit=settings.get("clip_actions")
    )
    if "obs_normalizer._mean" in state:
        net.set_normalizer(state["obs_normalizer._mean"], state["obs_normalizer._std"] + 1e-2)
    return net


def _from_skrl(state: Mapping[str, Any], settings: Mapping[str, Any]) -> DensePolicy:
    from cartpole_lab.policies.dense_policy import DensePolicy

    policy = settings.get("models", {}).get("policy", {})
    networks = policy.get("network") or [{}]
    net = DensePolicy.from_layers(
        state["policy"], "net_container.", "policy_layer.", activation=networks[-1].get("activations", "elu")
    )
    # skrl < 2 called it the state preprocessor
    scaler = state.get("observation_preprocessor") or state.get("state_preprocessor")
    if scaler:
        net.set_normalizer(scaler["running_mean"], scaler["running_variance"].sqrt() + 1e-8, limit=5.0)
    return net


def _from_sb3(state: Mapping[str, Any], settings: Mapping[str, Any]) -> DensePolicy:
    from cartpole_lab.policies.dense_policy import DensePolicy

    activation = settings.get("policy_kwargs", {}).get("activation_fn", "nn.ELU")
    # Isaac Lab's wrapper tells Stable-Baselines3 that actions lie between -1 and 1, and it clips them to that
    return DensePolicy.from_layers(
        state,
        "mlp_extractor.policy_net.",
        "action_net.",
        activation=str(activation).rsplit(".", 1)[-1],
        action_limit=1.0,
    )
