"""What a training leaves behind: its evaluation, its numbers, and the files that it writes at its end."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from cartpole_lab.evaluation_result import Evaluation
from cartpole_lab.files import write_whole
from cartpole_lab.session.env import open_env
from cartpole_lab.session.held_output import quietly
from cartpole_lab.training.libraries import LIBRARIES
from cartpole_lab.training.options import TrainOptions
from cartpole_lab.training.progress import plot_curve


@dataclass(frozen=True)
class TrainingRun:
    """What a training run left behind.

    Attributes:
        log_dir: Folder of the run: ``nn/``, ``params/``, ``summaries/``, ``curve.png``, ``summary.json``.
        checkpoint: The checkpoint that did best when evaluated.
        task, physics, device, num_envs, seed: What was trained, on what.
        epochs, env_steps: How long, in epochs and in environment steps.
        wall_s_total, wall_s_train: Seconds from start to end, and in the training loop (evaluations included).
        solved_s: Seconds from start until an evaluation found the policy solved; None if none did, or if the training
            was not to stop for it.
        stopped: Signal that ended it early, ``"SIGINT"`` or ``"SIGTERM"``; None if none did.
        evaluation: The checkpoint over fresh episodes that played no part in choosing it.
        curve: Arrays ``epoch``, ``env_steps``, ``wall_s``, ``return``, ``length``, ``episode_s``, ``whole_episode_s``,
            one entry an epoch, and ``eval_epoch``, ``eval_return``, ``eval_timeout_share``, one entry an evaluation.
            ``return`` is the number that TensorBoard shows too: where the agent cuts episodes, that of an episode of
            ``episode_s`` seconds. Evaluations play whole ones, of ``whole_episode_s`` seconds.
        library: What trained it, by its name for ``--rl_library``.
        largest_action: Largest size of an action that reached the environment; None if nobody looked.
        processes: How many processes learned together, each with ``num_envs`` environments.
    """

    log_dir: Path
    checkpoint: Path
    task: str
    physics: str
    device: str
    num_envs: int
    seed: int
    epochs: int
    env_steps: int
    wall_s_total: float
    wall_s_train: float
    solved_s: float | None
    stopped: str | None
    evaluation: Evaluation
    curve: dict[str, np.ndarray] = field(repr=False)
    library: str = "rl_games"
    largest_action: float | None = None
    processes: int = 1

    @property
    def solved(self) -> bool:
        """Whether the evaluation says so."""
        return self.evaluation.solved

    @property
    def headline(self) -> str:
        """How long it took and how good it is, in a line."""
        found, unit = self.evaluation, "epochs" if self.library == "rl_games" else "updates"
        return (
            f"trained {self.epochs} {unit} in {self.wall_s_train:.1f} s: evaluated return {found.mean_return:.3f}, "
            f"{100 * found.timeout_share:.2f}% time-outs of {found.episodes} fresh episodes"
        )

    def summary(self) -> dict[str, Any]:
        """The numbers of ``summary.json``."""
        names = ("isaaclab", "newton", "warp-lang", "mujoco", "torch", LIBRARIES[self.library], "gymnasium")
        settings = ("library", "task", "physics", "device", "num_envs", "processes", "seed", "epochs", "env_steps")
        return {
            **{name: getattr(self, name) for name in settings},
            "wall_s_total": round(self.wall_s_total, 2),
            "wall_s_train": round(self.wall_s_train, 2),
            "solved_s": self.solved_s and round(self.solved_s, 2),
            "stopped": self.stopped,
            **{k: v for k, v in self.evaluation.as_dict().items() if k != "seed"},
            "evaluation_seed": self.evaluation.seed,
            "largest_action": self.largest_action,
            "versions": {name: version(name) for name in names},
        }

    def write(self) -> None:
        """Write ``curve.npz``, ``curve.png`` and ``summary.json`` into the run's folder."""
        np.savez(arrays := io.BytesIO(), **self.curve)
        write_whole(self.log_dir / "curve.npz", arrays.getvalue())
        criterion = self.evaluation.criterion
        line_at = None if criterion is None else criterion.required_return
        title = ", ".join([self.task, *([] if self.library == "rl_games" else [self.library]), f"seed {self.seed}"])
        plot_curve(self.curve, self.log_dir / "curve.png", title=title, solved_return=line_at)
        write_whole(self.log_dir / "summary.json", json.dumps(self.summary(), indent=2, allow_nan=False) + "\n")


def env_to_judge_in(env: Any, filmed: Any, task: str, cfg: Any, options: TrainOptions, episodes: int) -> Any:
    """The environment for a training's last evaluation: the live one, or one with an environment an episode.

    Args:
        env: The live environment.
        filmed: The same as the training stepped it: it may still hold a clip, which is written.
        task: Registered id.
        cfg: Environment config without a film camera.
        options: What the training was told.
        episodes: How many episodes will be played. Few environments would play many rounds.
    """
    if not options.video and env.unwrapped.num_envs >= min(episodes, 256):
        return env
    steps = env.unwrapped.common_step_counter
    filmed.close()
    cfg.scene.num_envs = episodes
    with quietly():
        env = open_env(task, cfg, launcher_args=options.launcher_args)
    env.unwrapped.common_step_counter = steps  # the curriculum goes by it
    return env
