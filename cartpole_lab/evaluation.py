"""How good a policy is, over fresh episodes: the only number that this project calls a result."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cartpole_lab.policies.network import Policy, load_policy
from cartpole_lab.session.env import DEFAULT_TASK, make_env
from cartpole_lab.speed import forked_process as copies

if TYPE_CHECKING:
    import gymnasium as gym

SOLVED_RETURN = 4.90
"""Mean return from which the default reward counts as solved; its ceiling is 5.0."""
SOLVED_TIMEOUTS = 0.995
"""Share of episodes that must last to their time limit."""
SETTLED = math.radians(5)
"""Half-width of the band in which a pole counts as standing [rad]."""


@dataclass(frozen=True)
class Evaluation:
    """What a policy does over fresh episodes.

    Attributes:
        returns: Undiscounted return of each episode, shape ``(episodes,)``.
        timed_out: True where the episode lasted to its time limit, shape ``(episodes,)``.
        lengths: Steps that each episode lasted, shape ``(episodes,)``.
        settle_time_s: Seconds until the pole stays within 5 degrees, NaN where it never does, shape ``(episodes,)``.
        reward_terms: What each reward term paid over the episode, weight and time included, shape ``(episodes,)`` each.
        step_dt: Length of one environment step [s].
        seed: Seed of the start states.
        complete: False if the evaluation gave up early, because too many episodes had failed already.
    """

    returns: torch.Tensor
    timed_out: torch.Tensor
    lengths: torch.Tensor
    settle_time_s: torch.Tensor
    reward_terms: dict[str, torch.Tensor]
    step_dt: float
    seed: int
    complete: bool = True

    @property
    def episodes(self) -> int:
        """Number of episodes."""
        return len(self.returns)

    @property
    def mean_return(self) -> float:
        """Mean undiscounted return."""
        return float(self.returns.mean())

    @property
    def std_return(self) -> float:
        """Standard deviation of the returns."""
        return float(self.returns.std()) if self.episodes > 1 else 0.0

    @property
    def timeout_share(self) -> float:
        """Share of the episodes that lasted to their time limit."""
        return float(self.timed_out.float().mean())

    @property
    def settled_share(self) -> float:
        """Share of the episodes whose pole came to stand within 5 degrees."""
        return float(self.settle_time_s.isfinite().float().mean())

    @property
    def mean_settle_time_s(self) -> float:
        """Mean seconds until the pole stands, over the episodes in which it does; NaN if there is none."""
        settled = self.settle_time_s[self.settle_time_s.isfinite()]
        return float(settled.mean()) if len(settled) else math.nan

    @property
    def solved(self) -> bool:
        """Mean return at least 4.90 and at least 99.5 % of the episodes run to their time limit."""
        return self.complete and self.mean_return >= SOLVED_RETURN and self.timeout_share >= SOLVED_TIMEOUTS

    @property
    def perfect(self) -> bool:
        """Every episode runs to its time limit."""
        return self.complete and bool(self.timed_out.all())

    def as_dict(self) -> dict[str, Any]:
        """The summary numbers, ready for JSON."""
        return {
            "episodes": self.episodes,
            "seed": self.seed,
            "mean_return": self.mean_return,
            "std_return": self.std_return,
            "timeout_share": self.timeout_share,
            "settled_share": self.settled_share,
            "mean_settle_time_s": None if math.isnan(self.mean_settle_time_s) else self.mean_settle_time_s,
            "reward_terms": {name: float(value.mean()) for name, value in self.reward_terms.items()},
            "solved": self.solved,
        }

    def table(self) -> str:
        """The summary as text, one figure a line."""
        settle = "never" if math.isnan(self.mean_settle_time_s) else f"{self.mean_settle_time_s:.2f} s"
        rows = [
            ("episodes", f"{self.episodes}"),
            ("return", f"{self.mean_return:.3f} ± {self.std_return:.3f}"),
            ("time-outs", f"{100 * self.timeout_share:.2f} %"),
            ("pole stands", f"{100 * self.settled_share:.2f} % of the episodes, after {settle} on average"),
            *((f"  {name}", f"{float(value.mean()):+.4f}") for name, value in self.reward_terms.items()),
            ("solved", "yes" if self.solved else "no"),
        ]
        return "\n".join(f"{name:<14}{value}" for name, value in rows)


def evaluate(
    policy: Policy | str | Path,
    *,
    task_or_cfg: Any = DEFAULT_TASK,
    env: gym.Env | None = None,
    episodes: int = 1024,
    seed: int = 1000,
    device: str | None = None,
    overrides: Sequence[str] = (),
) -> Evaluation:
    """Let a policy play fresh episodes, without exploring, and measure them.

    Args:
        policy: A policy, or the path of a checkpoint.
        task_or_cfg: Registered id or config, as for :func:`cartpole_lab.session.env.make_env`.
        env: A live environment to use instead of making one. It is reset, and left mid-episode.
        episodes: How many episodes to play; by default in as many environments at once.
        seed: Seed of the start states.
        device: Where to simulate.
        overrides: As for :func:`cartpole_lab.session.env.load_cfg`.

    Returns:
        The measured episodes.
    """
    if env is None:
        env = make_env(task_or_cfg, num_envs=min(episodes, 4096), device=device, seed=seed, overrides=overrides)
    if not callable(policy):
        shape = tuple(env.unwrapped.single_observation_space["policy"].shape)
        policy = load_policy(policy, device=env.unwrapped.device, obs_shape=shape)
    return run_episodes(env, policy, episodes=episodes, seed=seed)


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
    full, rest = divmod(episodes, raw.num_envs)
    sizes = [raw.num_envs] * full + [rest] * bool(rest)
    alone = getattr(raw.sim.physics_manager, "on_one_thread", None)
    abreast = copies.cores() if side_by_side and len(sizes) > 1 and alone and copies.can_copy() else 1
    rounds: list[Evaluation] = []
    for first in range(0, len(sizes), abreast):
        failed = sum(int((~r.timed_out).sum()) for r in rounds)
        limit = None if give_up_after is None else give_up_after - failed
        works = [
            functools.partial(_run_round, env, policy, size, seed + number, limit)
            for number, size in enumerate(sizes[first : first + abreast], start=first)
        ]
        with alone() if len(works) > 1 else contextlib.nullcontext(), copies.started(works[1:]) as others:
            for work in (works[0], *others):
                rounds.append(work())
                if not rounds[-1].complete:
                    break
        if not rounds[-1].complete:
            break

    def join(field: Callable[[Evaluation], torch.Tensor]) -> torch.Tensor:
        return torch.cat([field(r) for r in rounds])

    return Evaluation(
        returns=join(lambda r: r.returns),
        timed_out=join(lambda r: r.timed_out),
        lengths=join(lambda r: r.lengths),
        settle_time_s=join(lambda r: r.settle_time_s),
        reward_terms={name: join(lambda r, name=name: r.reward_terms[name]) for name in rounds[0].reward_terms},
        step_dt=raw.step_dt,
        seed=seed,
        complete=rounds[-1].complete,
    )


@torch.no_grad()
def _run_round(env: gym.Env, policy: Policy, count: int, seed: int, give_up_after: int | None) -> Evaluation:
    """One episode in each of the first ``count`` environments."""
    raw = env.unwrapped
    device, step_dt = raw.device, raw.step_dt
    obs, _ = env.reset(seed=seed)
    alive = torch.ones(count, dtype=torch.bool, device=device)
    timed_out = torch.zeros_like(alive)
    lengths = torch.zeros(count, dtype=torch.long, device=device)
    names = raw.reward_manager.active_terms
    paid = torch.zeros(count, len(names), device=device)
    returns = torch.zeros(count, device=device)
    last_outside = torch.zeros(count, dtype=torch.long, device=device)  # the last step with the pole outside the band
    angle = _pole_angle(raw)
    complete = True
    for step in range(1, raw.max_episode_length + 1):
        obs, reward, terminated, truncated, _ = env.step(policy(obs["policy"]))
        returns += torch.where(alive, reward[:count], 0.0)
        paid += raw.reward_manager._step_reward[:count] * alive[:, None]
        lengths += alive
        timed_out |= alive & truncated[:count]
        ended = (terminated | truncated)[:count]
        # An environment that ended has been reset by now: its angle belongs to the next episode.
        last_outside[alive & ~ended & (angle().abs()[:count] > SETTLED)] = step
        last_outside[alive & terminated[:count]] = step
        alive &= ~ended
        if give_up_after is not None and step % 8 == 0 and int((~alive & ~timed_out).sum()) > give_up_after:
            complete = False
            break
        if step % 32 == 0 and not alive.any():
            break
    settled = timed_out & (last_outside < lengths - 1)  # the state of the last step is gone: the one before must stand
    settle_time = torch.where(settled, last_outside * step_dt, torch.nan)
    return Evaluation(
        returns=returns.cpu(),
        timed_out=timed_out.cpu(),
        lengths=lengths.cpu(),
        settle_time_s=settle_time.cpu(),
        reward_terms={name: (paid[:, i] * step_dt).cpu() for i, name in enumerate(names)},
        step_dt=step_dt,
        seed=seed,
        complete=complete,
    )


def _pole_angle(raw: Any) -> Callable[[], torch.Tensor]:
    """A function that reads the pole angle [rad], shape ``(num_envs,)``; NaN for a task without such a joint."""
    robot = raw.scene.articulations.get("robot")
    if robot is None or "cart_to_pole" not in robot.joint_names:
        nan = torch.full((raw.num_envs,), math.nan, device=raw.device)
        return lambda: nan
    joint = robot.joint_names.index("cart_to_pole")
    return lambda: robot.data.joint_pos.torch[:, joint]
