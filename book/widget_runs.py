"""Record what the widgets show without a kernel: ``python book/widget_runs.py``.

It trains the policies of the playground and, in a sweep, a grid of reward weights for the trainer, in Isaac Lab, and
writes ``policies.json`` and ``grid.json`` into the folder ``recorded`` of the widgets. Some minutes on two CPU cores.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cartpole_lab.policies.export import weights_of
from cartpole_lab.policies.loading import load_policy
from cartpole_lab.policies.runs import Run
from cartpole_lab.teaching.widgets._base import HERE
from cartpole_lab.teaching.widgets._data import DEFAULT_WEIGHTS, film_of, summarise
from cartpole_lab.training import TrainingRun, train
from cartpole_lab.training.sweep import sweep
from cartpole_lab.video.rollout import record_rollout

RECORDED = HERE / "recorded"
AGENT = "rl_games_fast_cfg_entry_point"
NUM_ENVS, EPOCHS, SEED = 1024, 50, 42
GRID = {"pole_pos": (-0.1, -1.0, -5.0), "cart_vel": (0.0, -0.01, -0.5)}
STAGES = {"after 3 epochs": 3, "after 10 epochs": 10, "fully trained": EPOCHS}
FILM_ENVS = 2
TRAININGS: dict[str, Any] = {"agent": AGENT, "num_envs": NUM_ENVS, "device": "cpu", "eval_interval": 0}


def _train(log_root: str, epochs: int) -> TrainingRun:
    return train(seed=SEED, max_iterations=epochs, log_root=log_root, progress=False, **TRAININGS)


def train_grid(log_root: str, grid: Mapping[str, Sequence[float]], epochs: int, **train: Any) -> list[dict[str, Any]]:
    """Train every combination of reward weights, in a sweep, and keep of each what a page shows of it.

    Args:
        log_root: Folder for the sweep.
        grid: Values of each reward term's weight.
        epochs: Epochs of each training.
        **train: What each training is told besides.
    """
    words = {f"env.rewards.{name}.weight": list(values) for name, values in grid.items()}
    done = sweep(None, words, name="grid", seeds=SEED, log_root=log_root, max_iterations=epochs, **train)
    folders = dict(
        zip(zip(*(done.table[f"{name}.weight"] for name in grid), strict=True), done.table["run"], strict=True)
    )
    results = []
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        results.append(kept(Run.open(done.folder / folders[values]), chosen))
        print(f"{chosen}: time-outs {results[-1]['evaluation']['timeout_share']:.3f}", flush=True)
    return results


def kept(run: Run, chosen: Mapping[str, float]) -> dict[str, Any]:
    """What a page keeps of a run's folder, trained with the reward weights that were ``chosen``."""
    told, best = run.summary, run.best
    assert told is not None and best is not None, "a sweep's runs are whole"
    words = {name: told[name] for name in ("num_envs", "seed", "env_steps", "epochs", "wall_s_train")}
    trained: Any = SimpleNamespace(evaluation=SimpleNamespace(as_dict=lambda: told), curve=run.curve, **words)
    shown = summarise(trained, {**DEFAULT_WEIGHTS, **chosen}, {})
    return {**shown, "film": _film(best.path), "actor": None}


def _film(checkpoint: Path) -> dict[str, Any]:
    """The first episodes of a policy in Isaac Lab: cart position and pole angle until the episode ends."""
    return film_of(record_rollout(checkpoint, steps=300, num_envs=FILM_ENVS, seed=7, device="cpu"))


def main() -> None:
    """Train and write both files."""
    settings = {
        "agent": AGENT,
        "num_envs": NUM_ENVS,
        "seed": SEED,
        "task": "Isaac-Cartpole-v0",
        "physics": "newton_mjwarp",
    }
    with tempfile.TemporaryDirectory() as logs:
        policies: dict[str, Any] = {}
        evaluations: dict[str, Any] = {}
        for name, epochs in STAGES.items():
            run = _train(logs, epochs)
            policies[name] = weights_of(load_policy(run.checkpoint))
            evaluations[name] = {"epochs": run.epochs, **run.evaluation.as_dict()}
            print(f"{name}: time-outs {run.evaluation.timeout_share:.3f}", flush=True)
        _write("policies.json", {"settings": settings, "evaluations": evaluations, "policies": policies})
        results = train_grid(logs, GRID, EPOCHS, **TRAININGS)
        _write("grid.json", {"settings": settings, "axes": GRID, "results": results})


def _write(name: str, content: dict[str, Any]) -> None:
    path = RECORDED / name
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{name}: {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
