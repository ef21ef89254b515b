"""The verdict: what is printed about a policy is true, whatever the task, its reward and its clock."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import isaaclab.envs.mdp as mdp
import pytest
import torch
from isaaclab.managers import RewardTermCfg, SceneEntityCfg

from cartpole_lab.errors import UserError
from cartpole_lab.evaluation import Evaluation, evaluate
from cartpole_lab.policies.by_hand import pd_policy
from cartpole_lab.session.configs import configure
from cartpole_lab.session.task_lookup import DEFAULT_TASK
from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg, RewardsCfg
from cartpole_lab.tasks.success import (
    CARTPOLE,
    SOLVED_RETURN,
    SOLVED_TIMEOUTS,
    Criterion,
    StandingCfg,
    SuccessCfg,
    check_judged,
    default_weights,
    stop_failures,
)  # fmt: skip

GENTLE = ["env.events.reset_pole_position.params.position_range=[-0.1,0.1]"]
"""Starts from which the hand-written controller holds every pole."""
DOUBLED = [f"env.rewards.{name}.weight={2 * weight}" for name, weight in default_weights().items()]
ALIVE = [f"env.rewards.{name}=null" for name in default_weights() if name != "alive"]
HELD, HUNG = pd_policy(), lambda obs: -0.05 * obs[:, :1]  # the second one keeps the cart near the middle, and no more


def nan_action(obs: torch.Tensor) -> torch.Tensor:
    """A policy whose weights are not numbers, in some environments."""
    action = pd_policy()(obs)
    action[::4] = math.nan
    return action


def own_task(change: Callable[[Any], None]) -> Any:
    """A config of the user's own, which begins as the cart-pole's."""
    cfg = CartpoleEnvCfg()
    cfg.events.reset_pole_position.params["position_range"] = (-0.1, 0.1)
    return change(cfg) or cfg


def nan_reward(env: Any) -> torch.Tensor:
    """A reward term that fails in one environment."""
    value = torch.zeros(env.num_envs, device=env.device)
    value[1] = math.nan
    return value


def add_nan_reward(cfg: Any) -> None:
    cfg.rewards.broken = RewardTermCfg(func=nan_reward, weight=-1.0)


def forget_success(cfg: Any) -> None:
    cfg.success = None


def another_robot(cfg: Any) -> None:
    """Another articulation: no joint has the names that the cart-pole's criterion and reward look for."""
    names = {"slider_to_cart": "shoulder", "cart_to_pole": "elbow"}
    usd = Path(cfg.scene.robot.spawn.usd_path).read_text(encoding="utf-8")
    for old, new in names.items():
        usd = usd.replace(old, new)
    cfg.scene.robot.spawn.usd_path = str(Path(tempfile.mkdtemp()) / "arm.usda")
    Path(cfg.scene.robot.spawn.usd_path).write_text(usd, encoding="utf-8")
    cfg.scene.robot.init_state.joint_pos = {".*": 0.0}
    for actuator in cfg.scene.robot.actuators.values():
        actuator.joint_names_expr = [names[name] for name in actuator.joint_names_expr]
    cfg.actions.joint_effort.joint_names = ["shoulder"]
    for group in (cfg.events, cfg.rewards, cfg.terminations):
        for term in vars(group).values():
            if "asset_cfg" in term.params:
                term.params["asset_cfg"].joint_names = [names[name] for name in term.params["asset_cfg"].joint_names]


def isaac_labs_own(cfg: Any) -> Any:
    """Isaac Lab's cart-pole, with this project's files in place of those on a server."""
    theirs = configure("Isaac-Cartpole")[1]
    theirs.scene.robot, theirs.scene.ground = cfg.scene.robot, cfg.scene.ground
    return theirs


def slow_cart(cfg: Any) -> None:
    """Another joint that may stand: the cart, in the middle of the rail."""
    cfg.success = SuccessCfg(standing=StandingCfg(joint="slider_to_cart", band=4.0))


def bonus(cfg: Any) -> None:
    """A bonus of an own making, whose ceiling is told."""
    cfg.rewards.upright = RewardTermCfg(
        func=mdp.joint_pos_target_l2, weight=1.0,
        params={"asset_cfg": SceneEntityCfg("robot", joint_names=["cart_to_pole"]), "target": 0.0},
    )  # fmt: skip
    cfg.success.ceilings = {"upright": 0.1}


YES, NO = True, False
TABLE: list[tuple[str, Any, Any, list[str], dict[str, Any]]] = [
    # name, policy, change of the config, overrides; what must be true
    ("default", HELD, None, GENTLE, {"solved": YES, "judged_by": "task", "says": ["solved        yes"]}),
    ("2 s", HELD, None, [*GENTLE, "env.episode_length_s=2"], {"solved": YES, "judged_by": "task"}),
    ("10 s", HELD, None, [*GENTLE, "env.episode_length_s=10"], {"solved": YES, "judged_by": "task"}),
    (
        "hanging", HUNG, None, GENTLE,
        {"solved": NO, "stands": 0.0, "says": ["pole stands   0.00%", "solved        no (return"]},
    ),
    (
        "alive only, held", HELD, None, [*GENTLE, *ALIVE],
        {"solved": YES, "judged_by": "own reward", "default": YES, "says": ["by its own reward", "pole_pos left out"]},
    ),
    (
        "alive only, hanging", HUNG, None, [*GENTLE, *ALIVE],
        {"solved": YES, "judged_by": "own reward", "default": NO, "stands": 0.0, "says": ["by default  no (return"]},
    ),
    (
        "doubled", HELD, None, [*GENTLE, *DOUBLED],
        {"solved": YES, "judged_by": "own reward", "default": YES, "says": ["needs 9.80", "alive 2, not 1"]},
    ),
    (
        "halved, falls", HUNG, None, [*GENTLE, "env.rewards.alive.weight=0.5"],
        {"solved": NO, "judged_by": "own reward", "default": NO},
    ),
    (
        "no time-out term", HELD, None, [*GENTLE, "env.terminations.time_out=null"],
        {"solved": YES, "timeout_share": 1.0, "says": ["lasted        100.00%", "has no time-out"]},
    ),
    (
        "a cost that pays", HELD, None, [*GENTLE, "env.rewards.pole_pos.weight=1.0"],
        {"solved": YES, "judged_by": "default reward", "default": YES, "says": ["not judged (reward term 'pole_pos'"]},
    ),
    ("a bonus with a ceiling", HELD, bonus, [], {"solved": NO, "judged_by": "own reward", "default": YES}),
    (
        "another articulation", HELD, another_robot, [],
        {"solved": YES, "judged_by": "own reward", "stands": None, "without": ["stands", "by default"]},
    ),
    ("another joint", HELD, slow_cart, [], {"solved": YES, "stands": 1.0, "says": ["slider_to_cart stands"]}),
    (
        "no criterion", HELD, forget_success, [],
        {"solved": NO, "judged_by": None, "says": ["solved        not judged (no criterion"], "without": ["stands"]},
    ),
    ("Isaac Lab's own task", HELD, isaac_labs_own, [], {"solved": NO, "judged_by": None, "says": ["no criterion"]}),
    (
        "NaN reward", HELD, add_nan_reward, [],
        {"solved": NO, "nan_share": 1 / 16, "timeout_share": 15 / 16, "says": ["not a number  6.25%"]},
    ),
    (
        "NaN weights", nan_action, None, GENTLE,
        {"solved": NO, "nan_share": 0.25, "timeout_share": 0.75, "stands": 0.75, "says": ["not a number  25.00%"]},
    ),
    (
        "NaN weights, alive only", nan_action, None, [*GENTLE, *ALIVE],
        {"solved": NO, "nan_share": 0.25, "timeout_share": 0.75, "default": NO},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "policy", "task", "overrides", "truth"), TABLE, ids=[row[0] for row in TABLE])
def test_the_verdict_is_true(name: str, policy: Any, task: Any, overrides: list[str], truth: dict[str, Any]) -> None:
    task_or_cfg = DEFAULT_TASK if task is None else own_task(task)
    result = evaluate(policy, task_or_cfg=task_or_cfg, episodes=16, device="cpu", overrides=overrides)
    numbers = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert result.solved is truth["solved"], result.table()
    if "judged_by" in truth:
        assert result.judged_by == numbers["judged_by"] == truth["judged_by"]
    if "default" in truth:
        assert numbers["default_reward"]["solved"] is truth["default"]
    if "stands" in truth:
        assert result.settled_share == truth["stands"]
    for key in ("nan_share", "timeout_share"):
        if key in truth:
            assert numbers[key] == pytest.approx(truth[key])
    table = result.table()
    assert all(words in table for words in truth.get("says", [])), table
    assert not any(words in table for words in truth.get("without", [])), table


def test_a_verdict_by_default_pays_what_the_default_task_pays() -> None:
    plain = evaluate(HELD, episodes=16, device="cpu", overrides=GENTLE)
    other = evaluate(HELD, episodes=16, device="cpu", overrides=[*GENTLE, *ALIVE])
    torch.testing.assert_close(other.default_returns, plain.returns)


@pytest.mark.parametrize(
    ("seconds", "mean", "solved"),
    [(2, 1.93, True), (2, 1.90, False), (5, 4.90, True), (5, 4.89, False), (10, 4.90, False), (10, 9.90, True)],
)
def test_a_return_is_judged_by_the_length_of_the_episode(seconds: float, mean: float, solved: bool) -> None:
    for scale in (1.0, 2.0, 0.1):
        assert Criterion(CARTPOLE, seconds, scale).judge(scale * mean, 1.0).solved is solved


def test_a_training_seldom_ends_with_a_policy_that_is_not_solved() -> None:
    """Such a policy fails in more than five of 1024 episodes; an evaluation must not let it pass by luck."""
    share = 6 / 1024
    lucky = sum(math.comb(1024, k) * share**k * (1 - share) ** (1024 - k) for k in range(stop_failures(1024) + 1))
    assert 1 - 5 / 1024 >= SOLVED_TIMEOUTS > 1 - share
    assert lucky < 0.02


def test_nan_is_a_failure_and_none_in_json() -> None:
    returns = torch.full((100,), 4.95)
    returns[0] = math.nan
    nothing = torch.zeros(100)
    result = Evaluation(
        returns, torch.ones(100, dtype=torch.bool), nothing, None, {"alive": returns}, 1 / 60, 0,
        criterion=Criterion(CARTPOLE, 5.0, 1.0),
    )  # fmt: skip
    assert not result.solved and not result.solved_with_margin() and result.settled_share is None
    numbers = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert numbers["mean_return"] is None and numbers["reward_terms"] == {"alive": None}


def test_the_numbers_of_success_stand_in_one_place() -> None:
    assert SOLVED_RETURN == 4.90 and SOLVED_TIMEOUTS == 0.995
    assert default_weights() == {name: term.weight for name, term in vars(RewardsCfg()).items()}


def test_stopping_when_solved_needs_something_to_go_by() -> None:
    check_judged(configure(overrides=["env.rewards.pole_pos.weight=1.0"])[1], "x")  # by the default reward
    for cfg in (own_task(forget_success), configure("Isaac-Cartpole")[1]):
        with pytest.raises(UserError, match="--stop_when_solved has nothing to go by"):
            check_judged(cfg, "--stop_when_solved")


def test_a_criterion_survives_overrides_and_can_be_overridden() -> None:
    cfg = configure(overrides=["env.success.timeout_share=0.9", "env.episode_length_s=2"])[1]
    assert cfg.success.timeout_share == 0.9 and cfg.success.standing.joint == "cart_to_pole"
