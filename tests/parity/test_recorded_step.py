"""The step cut into pieces and masked gives the ordinary step's numbers, or says which piece it leaves to Isaac Lab."""

from __future__ import annotations

import pytest
import torch
from recorded_step_cases import CASES, first_difference, make, trace

from cartpole_lab.speed.recorded_step import install

NUM_ENVS, STEPS = 24, 100


@pytest.mark.parametrize("name", CASES)
def test_recorded_is_ordinary(name: str) -> None:
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
