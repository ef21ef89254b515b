"""Evaluation counts what it says it counts."""

from __future__ import annotations

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cartpole_lab.cli import build_parser
from cartpole_lab.errors import UserError
from cartpole_lab.evaluation import EPISODES, Evaluation, evaluate, live_criterion, run_episodes
from cartpole_lab.policies.by_hand import pd_policy, random_policy, zero_policy
from cartpole_lab.session.env import make_env
from cartpole_lab.session.episodes import _Tally
from cartpole_lab.session.saved_state import undisturbed
from cartpole_lab.speed import forked_process as copies
from cartpole_lab.tasks.success import CARTPOLE, Criterion


@pytest.fixture
def env():
    return make_env(num_envs=64, device="cpu", seed=1)


def test_returns_are_the_sum_of_what_the_terms_paid(env) -> None:
    result = run_episodes(env, random_policy(1), episodes=64, seed=5)
    assert torch.allclose(sum(result.reward_terms.values()), result.returns, atol=1e-4)


def test_how_many_episodes_is_said_in_one_place_and_refused_by_its_name() -> None:
    commands = next(a for a in build_parser()._actions if a.dest == "command").choices
    for command, flag in (("evaluate", "--episodes"), ("train", "--eval_episodes")):
        words = next(a for a in commands[command]._actions if flag in a.option_strings)
        assert words.default is None and f"(default: {EPISODES}" in words.help
    with pytest.raises(UserError, match="episodes is 0, expected a positive"):
        evaluate(zero_policy, episodes=0)


def test_only_the_first_episode_of_each_environment_counts(env) -> None:
    push = lambda obs: torch.ones(len(obs), 1)  # noqa: E731
    result = run_episodes(env, push, episodes=64, seed=5)
    assert result.episodes == 64 and not result.timed_out.any()
    # alive pays 1 a second while it lasts, not in the step that fails
    assert torch.allclose(result.reward_terms["alive"], (result.lengths - 1) * result.step_dt, atol=1e-4)
    assert torch.allclose(result.reward_terms["terminating"], torch.full((64,), -2 / 60), atol=1e-6)


def test_more_episodes_than_environments_are_played_in_rounds_with_new_starts(env) -> None:
    result = run_episodes(env, zero_policy, episodes=150, seed=5)
    assert result.episodes == 150
    assert not torch.equal(result.returns[:64], result.returns[64:128])


def test_the_same_seed_gives_the_same_episodes(env) -> None:
    first = run_episodes(env, pd_policy(), episodes=64, seed=9)
    run_episodes(env, zero_policy, episodes=64, seed=1)
    again = run_episodes(env, pd_policy(), episodes=64, seed=9)
    assert torch.equal(first.returns, again.returns)
    fresh = evaluate(pd_policy(), episodes=64, seed=9, device="cpu")
    assert torch.equal(first.returns, fresh.returns)


def test_a_good_controller_settles_and_a_lazy_one_does_not() -> None:
    good = evaluate(pd_policy(), episodes=128, device="cpu")
    lazy = evaluate(zero_policy, episodes=128, device="cpu")
    assert good.timeout_share > 0.9 and good.settled_share > 0.9 and 0.2 < good.mean_settle_time_s < 2.5
    assert lazy.settled_share == 0 and math.isnan(lazy.mean_settle_time_s) and not lazy.solved


def test_noting_a_step_waits_for_no_device(env) -> None:
    waits, asked = {"aten::nonzero", "aten::index_put_", "aten::_local_scalar_dense"}, set()

    class Asked(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            asked.add(func.name().partition(".")[0])
            return func(*args, **(kwargs or {}))

    tally = _Tally(env.unwrapped, 64, live_criterion(env.unwrapped))
    none = torch.zeros(64, dtype=torch.bool)
    with Asked():
        tally.note(1, torch.ones(64), none, none, None)
    assert "aten::masked_fill_" in asked and not asked & waits


def test_giving_up_early_never_counts_as_solved(env) -> None:
    push = lambda obs: torch.ones(len(obs), 1)  # noqa: E731
    result = run_episodes(env, push, episodes=64, seed=5, give_up_after=3)
    assert not result.complete and not result.solved


def test_solved_needs_both_the_return_and_the_time_outs() -> None:
    def made(mean: float, failures: int) -> Evaluation:
        timed_out = torch.ones(1000, dtype=torch.bool)
        timed_out[:failures] = False
        n = torch.zeros(1000)
        criterion = Criterion(CARTPOLE, 5.0, 1.0)
        return Evaluation(torch.full((1000,), mean), timed_out, n, n, {}, 1 / 60, 0, criterion=criterion)

    assert made(4.91, 5).solved and not made(4.91, 6).solved and not made(4.89, 0).solved
    assert made(4.91, 0).perfect and not made(4.91, 1).perfect


def test_a_pause_for_an_evaluation_leaves_no_trace(env) -> None:
    def trace(pause_at: tuple[int, ...]) -> torch.Tensor:
        env.reset(seed=3)
        rows = []
        for step in range(330):  # past the time limit, so with resets
            if step in pause_at:
                with undisturbed(env):
                    run_episodes(env, pd_policy(), episodes=64, seed=17)
            action = 2 * torch.rand(64, 1) - 1  # from the global stream, which the pause must not move
            obs, reward, *_ = env.step(action)
            rows.append(torch.cat([obs["policy"].flatten(), reward]))
        return torch.stack(rows)

    assert torch.equal(trace(()), trace((0, 100, 299)))


def test_giving_up_counts_the_failures_of_all_rounds(env) -> None:
    def push_two(obs: torch.Tensor) -> torch.Tensor:
        actions = zero_policy(obs)
        actions[:2] = 1.0
        return actions

    assert int((~run_episodes(env, push_two, episodes=64, seed=5).timed_out).sum()) == 2
    result = run_episodes(env, push_two, episodes=192, seed=5, give_up_after=3)
    assert result.episodes == 128 and not result.complete


def test_rounds_side_by_side_are_the_rounds_one_after_the_other(monkeypatch, speed_on) -> None:
    env = make_env(num_envs=256, device="cpu", seed=1)
    copied = []
    monkeypatch.setattr(copies, "cores", lambda: 2)
    monkeypatch.setattr(
        copies, "started", lambda works, start=copies.started: copied.append(len(works)) or start(works)
    )
    expected = run_episodes(env, pd_policy(), episodes=700, seed=5)
    result = run_episodes(env, pd_policy(), episodes=700, seed=5, side_by_side=True)
    assert copied == [1]  # of three rounds, the second has a core of its own
    assert result.as_dict() == expected.as_dict()
    for name in ("returns", "timed_out", "lengths"):
        assert torch.equal(getattr(result, name), getattr(expected, name))


def test_a_round_that_gives_up_ends_the_one_beside_it() -> None:
    env = make_env(num_envs=64, device="cpu", seed=1)
    push = lambda obs: torch.ones(len(obs), 1)  # noqa: E731
    result = run_episodes(env, push, episodes=128, seed=5, give_up_after=3, side_by_side=True)
    assert result.episodes == 64 and not result.complete
