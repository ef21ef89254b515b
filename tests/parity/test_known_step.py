"""On a CPU the step of known terms leaves the bits of Isaac Lab's, random starts included, and notices what changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import recorded_step_cases
import torch
from recorded_step_cases import CASES, first_difference, make, trace

import cartpole_lab.shortcuts as shortcuts
from cartpole_lab.speed import known_step
from cartpole_lab.speed.known_step import HORIZON, KnownStep, install


@pytest.fixture
def chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Episodes start as the task has it, at random. After a short while all of a step is one recording."""
    monkeypatch.setattr(recorded_step_cases, "still", lambda cfg: None)
    monkeypatch.setattr(known_step, "SETTLED", 20)


def state(env: Any) -> list[torch.Tensor]:
    """What a step leaves in the managers, the robot, the counters and the generator."""
    rewards, ends, actions, events = (
        getattr(env, f"{kind}_manager") for kind in ("reward", "termination", "action", "event")
    )
    term, data = actions._terms["joint_effort"], env.scene["robot"].data
    tensors = [rewards._episode_sum_buf, rewards._step_reward, rewards._reward_buf, env.reward_buf, env.reset_buf]
    tensors += [ends._term_dones, ends._last_episode_dones, ends.terminated, ends.time_outs, env.episode_length_buf]
    tensors += [actions.action, actions.prev_action, term.raw_actions, term.processed_actions]
    tensors += [*events._reset_term_last_triggered_step_id, *events._reset_term_last_triggered_once]
    arrays = [data.joint_pos, data.joint_vel, data.joint_acc, data.body_com_acc_w, data.body_link_pose_w]
    arrays += [data.body_link_vel_w, data.joint_effort_target, env.scene["robot"].actuators.applied_effort]
    tensors += [array.torch for array in arrays]
    tensors += [env.obs_buf["policy"], env.observation_manager._obs_buffer["policy"], torch.get_rng_state()]
    counters = [env.common_step_counter, env._sim_step_counter, env.sim._physics_step_count, data._sim_timestamp]
    return [tensor.clone() for tensor in tensors] + [torch.tensor(counters, dtype=torch.float64)]


def side(case: Any, num_envs: int, steps: int, own: bool) -> tuple[list, list, KnownStep | None]:
    env = make(case, num_envs, "cpu")
    torch.manual_seed(11)
    step = None if own else install(env)
    found = trace(env, case, steps)
    return found, state(env), step


@pytest.mark.parametrize(("num_envs", "steps", "threads"), [(1, 200, "1"), (64, 300, "1"), (4096, 36, "2")])
def test_random_starts_and_everything_left_behind(
    chance: None, monkeypatch: pytest.MonkeyPatch, num_envs: int, steps: int, threads: str
) -> None:
    monkeypatch.setenv("CARTPOLE_LAB_THREADS", threads)
    case = CASES["default"]
    ordinary, left, _ = side(case, num_envs, steps, own=True)
    known, left_too, step = side(case, num_envs, steps, own=False)
    assert step.replays >= steps - 2 and not step.refused
    assert step.recorded == 2 and len(step.recording.rest) == (2 if threads == "2" else 0), "one thread, one recording"
    assert any(bool((row[2] | row[3]).any()) for row in ordinary), "environments restarted"
    assert first_difference(ordinary, known) is None
    assert all(torch.equal(one[4], other[4]) for one, other in zip(ordinary, known, strict=True)), "logs"
    assert [i for i, (one, other) in enumerate(zip(left, left_too, strict=True)) if not torch.equal(one, other)] == []


def _another_compute(env: Any) -> None:
    manager = env.reward_manager
    compute = manager.compute
    manager.compute = lambda dt: compute(dt).mul_(2.0)


def _other_joint(env: Any) -> None:
    env.reward_manager.get_term_cfg("pole_vel").params["asset_cfg"].joint_ids.fill_(0)


def _event_range(env: Any) -> None:
    env.event_manager.get_term_cfg("reset_pole_position").params["position_range"] = (0.1, 0.2)


def _force(env: Any) -> None:
    robot, shape = env.scene["robot"], (env.num_envs, 1, 3)
    robot.permanent_wrench_composer.set_forces_and_torques_index(
        forces=torch.full(shape, 3.0), torques=torch.zeros(shape), body_ids=[2]
    )


def _weight_of_nothing(env: Any) -> None:
    env.reward_manager.get_term_cfg("alive").weight = 0.0


def _scale(env: Any) -> None:
    env.action_manager.get_term("joint_effort")._scale = 50.0


def _another_observation(env: Any) -> None:
    env.observation_manager._group_obs_term_cfgs["policy"][0].scale = 0.5


@pytest.mark.parametrize(
    "change",
    [_another_compute, _other_joint, _event_range, _force, _weight_of_nothing, _scale, _another_observation],
)
def test_a_change_in_mid_run_is_noticed(chance: None, change: Callable[[Any], None]) -> None:
    case = recorded_step_cases.Case(change=change)
    ordinary, left, _ = side(case, 16, 80, own=True)
    known, left_too, step = side(case, 16, 80, own=False)
    assert step.replays > 30
    assert first_difference(ordinary, known) is None
    assert all(map(torch.equal, left, left_too))


def test_what_changes_at_every_step_is_left_to_isaac_lab_for_a_while(chance: None) -> None:
    def longer(env: Any, number: int) -> None:
        env.cfg.episode_length_s = 0.6 + 0.001 * number

    said: list[str] = []
    case = recorded_step_cases.Case(before_step=longer)
    env = make(case, 4, "cpu")
    step = install(env, said.append)
    trace(env, case, 40)
    assert step.recorded < 12 and step.replays == step.recorded
    assert [line for line in said if "env.cfg changes too often" in line and str(HORIZON) in line] == said


def test_a_recording_made_under_inference_serves_afterwards() -> None:
    env = make(CASES["default"], 4, "cpu")
    step = install(env)
    with torch.inference_mode():
        for _ in range(4):
            env.step(torch.zeros(4, 1))
    env.step(torch.zeros(4, 1, requires_grad=True))
    assert step.recorded == 1 and step.replays > 2


def test_who_reads_the_start_up_report_reads_which_term_has_no_kernel(capfd: pytest.CaptureFixture[str]) -> None:
    from cartpole_lab.session.configs import load_cfg
    from cartpole_lab.session.env import make_env

    cfg, _ = load_cfg(agent=None)
    CASES["own_reward"].cfg(cfg)
    for quiet in (False, True):
        env = make_env(cfg, num_envs=2, device="cpu", quiet=quiet)
        env.reset()
        for _ in range(4):
            env.step(torch.zeros(2, 1))
        assert env.unwrapped.step.refused
        found = capfd.readouterr().err.count("judge: reward own: there is no kernel for upright")
        assert found == (0 if quiet else 1)


def test_make_env_takes_it_where_it_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from cartpole_lab.session.env import make_env

    assert type(make_env(num_envs=2, device="cpu").unwrapped.step) is KnownStep
    monkeypatch.setenv(shortcuts.SWITCH, "-known_terms")
    assert "step" not in vars(make_env(num_envs=2, device="cpu").unwrapped)
