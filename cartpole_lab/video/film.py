"""Films of a policy: all environments side by side, drawn as they are played."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cartpole_lab.errors import UserError
from cartpole_lab.files import check_target
from cartpole_lab.policies.acting import acting, opened, settings_for
from cartpole_lab.policies.checkpoint import Checkpoint
from cartpole_lab.policies.runs import Run
from cartpole_lab.session.configs import check_device, check_num_envs, check_seed, configure
from cartpole_lab.session.env import make_env
from cartpole_lab.session.env_settings import EnvSettings
from cartpole_lab.session.held_output import quietly
from cartpole_lab.video.encoder import write_mp4

if TYPE_CHECKING:
    import gymnasium as gym

    from cartpole_lab.policies.network import Policy

LONGEST_S = 3600.0
"""Length beyond which a film is a slip of the hand [s]."""
OTHER_FORMATS = ("avi", "flv", "gif", "jpeg", "jpg", "m4v", "mkv", "mov", "mpeg", "mpg", "png", "webm", "webp", "wmv")
"""Endings of films and pictures that are not written here."""


def record_video(
    policy: Policy | str | Path | Checkpoint | Run,
    path: str | Path,
    *,
    task_or_cfg: Any = None,
    seconds: float = 10.0,
    width: int = 1280,
    height: int = 720,
    fps: int = 30,
    num_envs: int = 8,
    seed: int = 7,
    device: str | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = True,
) -> Path:
    """Film a policy: all environments side by side, in one picture.

    Args:
        policy: A policy, a checkpoint (its path too), or a run (the path of its folder too), which stands for its best.
        path: The film, an ``.mp4``. A still picture of the same name, ``.png``, is written beside it.
        task_or_cfg: Registered id or config, as for :func:`cartpole_lab.make_env`; by default what a
            checkpoint was trained with, else the cart-pole.
        seconds: Length of the film [s], in real time.
        width, height: Size of the picture [px]; even numbers.
        fps: Pictures a second. The task's 60 steps a second should be a multiple of it.
        num_envs: Number of cart-poles in the picture.
        seed: Seed of the start states.
        device: Where to simulate and draw.
        overrides: As for :func:`cartpole_lab.load_cfg`.
        overwrite: Whether a film or a picture of that name is replaced.

    Returns:
        Path of the film.

    Raises:
        UserError: A size, length or frame rate that can't be filmed; a name that is taken, cannot be written, or
            asks for another format.
    """
    check_num_envs(num_envs)
    check_seed(seed)
    _check_film(width, height, fps, seconds)
    path = film_name(path)
    with quietly():
        from cartpole_lab.video import film_camera as film

        policy = opened(policy)
        cfg = task_or_cfg = settings_for(policy, task_or_cfg)
        registered = isinstance(task_or_cfg, str | EnvSettings)
        if registered:
            cfg = configure(task_or_cfg, device=device, overrides=overrides)[1]
        # A GPU draws whole pictures with one ray a pixel: four times the pixels, averaged, smooth its edges.
        finer = 2 if check_device(device).startswith("cuda") else 1
        cfg = film.with_film_camera(cfg, num_envs=num_envs, width=width * finer, height=height * finer)
    for file in (path, path.with_suffix(".png")):  # makes their folder: what can be refused has been by now
        check_target(file, overwrite=overwrite)
    left = () if registered else overrides  # those of a registered task are in its config by now
    env = make_env(cfg, num_envs=num_envs, device=device, seed=seed, overrides=left)
    frames = _frames(env, acting(policy, env), finer, seconds=seconds, fps=fps, seed=seed)
    write_mp4(frames, path, fps=fps, poster_s=min(0.1, seconds / 2), overwrite=overwrite)
    return path


def film_name(path: str | Path) -> Path:
    """The film's file: ``.mp4`` is put behind a name that lacks it.

    Raises:
        UserError: The name asks for another format.
    """
    path = Path(path)
    if path.suffix.lower().removeprefix(".") in OTHER_FORMATS:
        raise UserError(f"film {str(path)!r} cannot be written: films are .mp4 only, such as {path.stem}.mp4")
    return path if path.suffix.lower() == ".mp4" else path.with_name(f"{path.name}.mp4")


def _check_film(width: int, height: int, fps: int, seconds: float) -> None:
    if width < 2 or height < 2 or width % 2 or height % 2:
        raise UserError(f"the film is {width} x {height}, expected even numbers of pixels such as 1280 x 720")
    if fps < 1 or seconds * fps < 1:
        raise UserError(f"the film has {seconds} s at {fps} pictures a second, expected at least one picture")
    if not seconds <= LONGEST_S:  # nor is what is no number
        raise UserError(f"the film has {seconds} s, expected at most {LONGEST_S:.0f} s")


def _frames(env: gym.Env, policy: Policy, finer: int, *, seconds: float, fps: int, seed: int) -> Iterator[np.ndarray]:
    """The pictures of a film, shape ``(height, width, 3)``, each drawn when its time has come.

    The camera's pictures are ``finer`` times larger along both sides.
    """
    import torch

    raw = env.unwrapped
    with torch.no_grad():
        obs, _ = env.reset(seed=seed)
        steps = 0
        for index in range(round(seconds * fps)):
            while steps * raw.step_dt < index / fps - 1e-6:
                obs = env.step(policy(obs["policy"]))[0]
                steps += 1
            picture = raw.scene["film_camera"].data.output["rgb"].torch[0]
            if finer > 1:
                blocks = picture.unflatten(0, (-1, finer)).unflatten(2, (-1, finer))
                picture = blocks.float().mean(dim=(1, 3)).round().to(torch.uint8)
            yield picture.cpu().numpy()
