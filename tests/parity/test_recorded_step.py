"""A recorded step gives the ordinary step's numbers, or says what it leaves to Isaac Lab: a GPU's and a CPU's."""

from __future__ import annotations

import re

import pytest
import torch
import warp as wp
from recorded_step_cases import CASES, first_difference, make, trace

from cartpole_lab.speed import known_step
from cartpole_lab.speed.masked_events import MASKED_WRITERS, MaskedEvents, NotRecordable, writers_of
from cartpole_lab.speed.recorded_step import install

NUM_ENVS, STEPS = 24, 100
NOT_KNOWN = {
    "judge": ("own_reward", "reward_counts_steps", "reward_of_last_observation", "another_termination", "swing_up"),
    "observe": (
        *("own_observation_with_buffer", "observation_left_on_env", "accelerations", "lazily_computed"),
        *("noise", "history", "delay", "swing_up"),
    ),
    "restart": ("stray_event", "random_masses", "random_gravity", "random_gains", "curriculum"),
    "ongoing": ("interval_push",),
}
"""Pieces of the step that a CPU leaves to Isaac Lab, and the cases whose terms have no kernel there."""
NOT_COVERED = ("ideal_pd", "dc_motor", "delayed_pd")
"""Cases whose step a CPU leaves to Isaac Lab as a whole."""


@pytest.mark.parametrize("name", CASES)
def test_recorded_is_ordinary(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_step, "SETTLED", 30)
    case, said = CASES[name], []
    env = make(case, NUM_ENVS, "cpu")
    torch.manual_seed(11)
    ordinary = trace(env, case, STEPS)
    assert any(bool((row[2] | row[3]).any()) for row in ordinary), "environments restarted"

    env = make(case, NUM_ENVS, "cpu")
    torch.manual_seed(11)
    step = install(env, say=said.append, graphs=False)
    recorded = trace(env, case, STEPS)
    assert case.often or step.replays > STEPS // 3, f"the step was replayed: {said}"
    assert set(step.refused) == case.refused, step.refused
    assert all(any(piece in line for line in said) for piece in case.refused), said
    assert first_difference(ordinary, recorded) is None
    _of_a_cpu(name, ordinary)


def test_a_recording_that_cannot_begin_leaves_the_ordinary_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_stream() -> None:
        raise RuntimeError("CUDA error: out of memory\nadvice for developers")

    case, said = CASES["default"], []
    env = make(case, NUM_ENVS, "cpu")
    torch.manual_seed(11)
    ordinary = trace(env, case, 10)
    env = make(case, NUM_ENVS, "cpu")
    torch.manual_seed(11)
    monkeypatch.setattr(torch.cuda, "Stream", no_stream)
    step = install(env, say=said.append)
    assert first_difference(ordinary, trace(env, case, 10)) is None and step.replays == 0
    assert len(said) == 1 and "the step cannot be recorded" in said[0] and "out of memory (no_stream)" in said[0]


def _of_a_cpu(name: str, ordinary: list) -> None:
    """The step of known terms, in the same case."""
    case, said = CASES[name], []
    env = make(case, NUM_ENVS, "cpu")
    torch.manual_seed(11)
    step = known_step.install(env, say=said.append)
    known = trace(env, case, STEPS)
    assert first_difference(ordinary, known) is None
    refused = {piece for piece, cases in NOT_KNOWN.items() if name in cases}
    refused |= {"judge"} if name == "function" else set()  # which half-way becomes one without a kernel
    assert set(step.refused) == refused, step.refused
    assert (step.replays > STEPS - 10) == (name not in NOT_COVERED), step.replays
    assert len(said) == len(refused) + (name in NOT_COVERED) and "\n" not in "".join(said), said


def test_every_writer_of_an_asset_is_masked_or_refused() -> None:
    env = make(CASES["default"], NUM_ENVS, "cpu")
    robot, events = env.scene["robot"], MaskedEvents(env)
    mask = torch.arange(NUM_ENVS) % 3 == 0
    names = writers_of(robot)
    assert len(names) > 60 and set(MASKED_WRITERS) <= set(names)
    public = {name for name in dir(type(robot)) if re.match(r"(write|set|randomize|assign)_", name)}
    assert public - set(names) == {"set_debug_vis"}
    before = robot.data.joint_pos.torch.clone(), robot.data.joint_vel.torch.clone()
    with events._masked_writers(events.all_ids, wp.from_torch(mask)):
        for name in names:
            if name in MASKED_WRITERS or name + "_index" in names:  # the latter calls the former
                continue
            with pytest.raises(NotRecordable, match=name):
                getattr(robot, name)()
        for name in ("position", "velocity"):
            write = getattr(robot, f"write_joint_{name}_to_sim_index")
            write(**{name: torch.full((NUM_ENVS, 1), 7.0)}, joint_ids=torch.tensor([1]), env_ids=events.all_ids)
            with pytest.raises(NotRecordable, match="of its own choice"):
                write(**{name: torch.zeros(2, 2)}, env_ids=torch.tensor([0, 1]))
    for was, key in zip(before, ("joint_pos", "joint_vel"), strict=True):
        now = getattr(robot.data, key).torch
        assert (now[mask, 1] == 7.0).all() and torch.equal(now[~mask], was[~mask])
        assert torch.equal(now[:, 0], was[:, 0])
