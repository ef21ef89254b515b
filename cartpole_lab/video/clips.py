"""Film a training while it runs: a clip every so many steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from cartpole_lab.video.encoder import write_mp4


class ClipRecorder(gym.Wrapper):
    """Writes ``clip_<first step>.mp4`` every ``interval`` environment steps.

    The environment's scene needs the ``film_camera`` of :func:`cartpole_lab.video.film_camera.with_film_camera`. The
    camera draws only while a clip lasts.
    """

    def __init__(self, env: gym.Env, folder: Path, *, length: int, interval: int) -> None:
        """Wrap an environment.

        Args:
            env: Environment with a film camera.
            folder: Where the clips go.
            length: Environment steps that a clip lasts.
            interval: Environment steps from the start of a clip to the start of the next.
        """
        super().__init__(env)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.length, self.interval = folder, length, interval
        self.fps = round(1 / env.unwrapped.step_dt)
        self._step = 0
        self._frames: list[np.ndarray] = []

    def step(self, action: Any) -> Any:
        """Step, and film the step if a clip lasts."""
        result = self.env.step(action)
        at = self._step % self.interval
        self._step += 1
        if at < self.length:
            self._frames.append(np.array(self.unwrapped.scene["film_camera"].data.output["rgb"].torch[0].cpu()))
        if self._frames and at + 1 >= min(self.length, self.interval):
            self._write()
        return result

    def close(self) -> None:
        """Write the clip that was begun, then close."""
        self._write()
        super().close()

    def _write(self) -> None:
        frames, self._frames = self._frames, []
        if frames:
            first = self._step - len(frames)
            write_mp4(frames, self.folder / f"clip_{first:06d}.mp4", fps=self.fps, poster_s=0.0)
