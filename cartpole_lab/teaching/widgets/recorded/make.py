"""Record what the widgets show without a kernel: ``python -m cartpole_lab.teaching.widgets.recorded.make``.

It trains the policies of the playground and a grid of reward weights for the trainer, in Isaac Lab, and writes
``policies.json`` and ``grid.json`` beside this file. About four minutes on two CPU cores.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

from cartpole_lab.policies.export import weights_of
from cartpole_lab.policies.loading import load_policy
from cartpole_lab.teaching.widgets._data import DEFAULT_WEIGHTS, film_of, summarise
from cartpole_lab.training import TrainingRun, train
from cartpole_lab.video.rollout import record_rollout

HERE = Path(__file__).parent
AGENT = "rl_games_fast_cfg_entry_point"
NUM_ENVS, EPOCHS, SEED = 1024, 50, 42
GRID = {"pole_pos": (-0.1, -1.0, -5.0), "cart_vel": (0.0, -0.01, -0.5)}
STAGES = {"after 3 epochs": 3, "after 10 epochs": 10, "fully trained": EPOCHS}
FILM_ENVS = 2


def _train(log_root: str, weights: dict[str, float], epochs: int) -> TrainingRun:
    overrides = [f"env.rewards.{name}.weight={value}" for name, value in weights.items()]
    return train(
        agent=AGENT,
        num_envs=NUM_ENVS,
        device="cpu",
        seed=SEED,
        max_iterations=epochs,
        eval_interval=0,
        log_root=log_root,
        overrides=overrides,
        progress=False,
    )


def _film(run: TrainingRun) -> dict[str, Any]:
    """The first episodes of a policy in Isaac Lab: cart position and pole angle until the episode ends."""
    return film_of(record_rollout(run.checkpoint, steps=300, num_envs=FILM_ENVS, seed=7, device="cpu"))


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
            run = _train(logs, {}, epochs)
            policies[name] = weights_of(load_policy(run.checkpoint))
            evaluations[name] = {"epochs": run.epochs, **run.evaluation.as_dict()}
            print(f"{name}: time-outs {run.evaluation.timeout_share:.3f}", flush=True)
        _write("policies.json", {"settings": settings, "evaluations": evaluations, "policies": policies})
        results = []
        for values in itertools.product(*GRID.values()):
            chosen = dict(zip(GRID, values, strict=True))
            run = _train(logs, chosen, EPOCHS)
            weights = {**DEFAULT_WEIGHTS, **chosen}
            results.append({**summarise(run, weights, {}), "film": _film(run), "actor": None})
            print(f"{chosen}: time-outs {run.evaluation.timeout_share:.3f}", flush=True)
        _write("grid.json", {"settings": settings, "axes": GRID, "results": results})


def _write(name: str, content: dict[str, Any]) -> None:
    path = HERE / name
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{name}: {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
