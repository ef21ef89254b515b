"""How good a policy is, over fresh episodes: the only number that this project calls a result."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cartpole_lab import shortcuts
from cartpole_lab.evaluation_result import Evaluation
from cartpole_lab.policies.acting import acting, opened, settings_for
from cartpole_lab.policies.checkpoint import Checkpoint
from cartpole_lab.policies.network import Policy
from cartpole_lab.policies.runs import Run
from cartpole_lab.session.configs import check_num_envs
from cartpole_lab.session.env import make_env
from cartpole_lab.session.episodes import Round, has_time_out, play_round
from cartpole_lab.tasks.success import Criterion, criterion_of

if TYPE_CHECKING:
    import gymnasium as gym

EPISODES = 1024
"""Episodes of an evaluation, unless somebody asks for others."""


def evaluate(
    policy: Policy | str | Path | Checkpoint | Run,
    *,
    task_or_cfg: Any = None,
    env: gym.Env | None = None,
    episodes: int = EPISODES,
    seed: int = 1000,
    device: str | None = None,
    overrides: Sequence[str] = (),
) -> Evaluation:
    """Let a policy play fresh episodes, without exploring, and measure them.

    Args:
        policy: A policy, a checkpoint (its path too), or a run (the path of its folder too), which stands for its best.
        task_or_cfg: Registered id or config, as for :func:`cartpole_lab.make_env`; by default the task and
            the settings that a checkpoint was trained with, and the cart-pole for any other policy.
        env: A live environment to use instead of making one. It is reset, and left mid-episode.
        episodes: How many episodes to play; by default in as many environments at once.
        seed: Seed of the start states.
        device: Where to simulate.
        overrides: As for :func:`cartpole_lab.load_cfg`; they win over what a checkpoint was trained with.

    Returns:
        The measured episodes.

    Raises:
        UserError: The policy cannot act in that environment, or something asked for isn't there.
    """
    check_num_envs(episodes, "episodes")
    policy = opened(policy)
    if env is None:
        task_or_cfg = settings_for(policy, task_or_cfg)
        env = make_env(task_or_cfg, num_envs=min(episodes, 4096), device=device, seed=seed, overrides=overrides)
    return run_episodes(env, acting(policy, env), episodes=episodes, seed=seed)


def live_criterion(raw: Any) -> Criterion:
    """When the task of a live environment counts as solved, with the reward that it pays at this moment."""
    manager = raw.reward_manager
    terms = {name: manager.get_term_cfg(name) for name in manager.active_terms}
    return criterion_of(raw.cfg, terms, raw.max_episode_length * raw.step_dt)


def run_episodes(
    env: gym.Env,
    policy: Policy,
    *,
    episodes: int,
    seed: int,
    give_up_after: int | None = None,
    side_by_side: bool = False,
) -> Evaluation:
    """Play ``episodes`` fresh episodes in a live environment, each environment's first one of a round.

    Only the first episode of each environment counts: one that fails early must not get a second try that a long
    episode does not get.

    Args:
        env: A live environment; it is reset.
        policy: Deterministic policy.
        episodes: Number of episodes. With fewer environments than that, several rounds are played.
        seed: Seed of the start states of the first round; each later round adds one.
        give_up_after: Stop as soon as more episodes than this have failed.
        side_by_side: Play rounds at the same time, each on a core of its own, where that can be done. The numbers are
            the same if the policy remembers nothing from one round to the next.

    Returns:
        The measured episodes.
    """
    raw = env.unwrapped
    criterion = live_criterion(raw)
    rounds = _rounds(env, policy, criterion, episodes, seed, give_up_after, side_by_side)

    def join(field: str) -> Any:
        parts = [getattr(r, field) for r in rounds]
        return None if parts[0] is None else torch.cat(parts)

    paid, lengths, timed_out = join("paid"), join("lengths"), join("timed_out")
    whole = torch.where(timed_out, lengths, raw.max_episode_length).double().mean()  # a task may cut episodes earlier
    return Evaluation(
        returns=join("returns"),
        timed_out=timed_out,
        lengths=lengths,
        settle_time_s=join("settle_time_s"),
        reward_terms={name: paid[:, i] for i, name in enumerate(raw.reward_manager.active_terms)},
        step_dt=raw.step_dt,
        seed=seed,
        complete=rounds[-1].complete,
        criterion=replace(criterion, seconds=float(whole) * raw.step_dt),
        default_returns=join("default_returns"),
        has_time_out=has_time_out(raw),
    )


def _rounds(
    env: gym.Env,
    policy: Policy,
    criterion: Criterion,
    episodes: int,
    seed: int,
    give_up_after: int | None,
    side_by_side: bool,
) -> list[Round]:
    """The rounds that ``episodes`` take in the environments that there are, up to the one at which it gives up."""
    num_envs = env.unwrapped.num_envs
    full, rest = divmod(episodes, num_envs)
    sizes = [num_envs] * full + [rest] * bool(rest)
    abreast = shortcuts.rounds_at_once(env) if side_by_side and len(sizes) > 1 else 1
    rounds: list[Round] = []
    for first in range(0, len(sizes), abreast):
        failed = sum(int((~r.timed_out).sum()) for r in rounds)
        limit = None if give_up_after is None else give_up_after - failed
        works = [
            functools.partial(play_round, env, policy, criterion, size, seed + number, limit)
            for number, size in enumerate(sizes[first : first + abreast], start=first)
        ]
        with shortcuts.play_rounds(env, works) as results:
            for result in results:
                rounds.append(result())
                if not rounds[-1].complete:
                    return rounds
    return rounds
