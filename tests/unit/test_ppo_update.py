"""The update with the derivative written out is rl-games' own, up to rounding."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cartpole_lab.training.rl_games_train import train

pytestmark = pytest.mark.usefixtures("speed_on")

AGENTS = ("rl_games_cfg_entry_point", "rl_games_fast_cfg_entry_point", "rl_games_with_symmetry_cfg_entry_point")


@pytest.mark.parametrize("agent", AGENTS)
def test_gradients_and_reported_losses_are_those_of_rl_games(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rl_games.algos_torch.a2c_continuous import A2CAgent

    from cartpole_lab.speed.ppo_update import LeanA2CAgent

    lean = LeanA2CAgent.calc_gradients
    seen: list[tuple[list[torch.Tensor], list[torch.Tensor]]] = []

    def both(self: Any, batch: dict[str, torch.Tensor]) -> None:
        assert self.covers()
        results = []
        before = copy.deepcopy(self.model.state_dict()), copy.deepcopy(self.optimizer.state_dict())
        for calc_gradients in (A2CAgent.calc_gradients, lean):
            calc_gradients(self, batch)
            gradients = [p.grad.clone() for p in self.model.parameters() if p.grad is not None]
            weights = [p.detach().clone() for p in self.model.parameters()]
            results.append(gradients + weights + [torch.as_tensor(value).clone() for value in self.train_result])
            if calc_gradients is not lean:
                self.model.load_state_dict(before[0])
                self.optimizer.load_state_dict(before[1])
        seen.append((results[0], results[1]))

    monkeypatch.setattr(LeanA2CAgent, "calc_gradients", both)
    train(
        agent=agent, num_envs=64, device="cpu", seed=3, max_iterations=3, eval_interval=0, eval_episodes=64,
        progress=False, log_root=tmp_path,
    )  # fmt: skip
    assert len(seen) >= 3
    for theirs, ours in seen:
        assert len(theirs) == len(ours)
        for one, other in zip(theirs, ours, strict=True):
            torch.testing.assert_close(other, one, rtol=1e-4, atol=2e-6, check_dtype=False)


@pytest.mark.parametrize("agent", AGENTS[1:])
def test_a_rollout_noted_on_the_device_and_static_minibatches_learn_the_same(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cartpole_lab.speed.recorded_training import RecordedA2CAgent

    rollouts = []
    tell = RecordedA2CAgent.play_steps
    monkeypatch.setattr(
        RecordedA2CAgent, "play_steps", lambda self: (rollouts.append(self._rollout is not None), tell(self))[1]
    )
    runs, states = [], []
    for everywhere in (False, True):
        monkeypatch.setattr(RecordedA2CAgent, "everywhere", everywhere)
        rollouts.clear()
        run = train(
            agent=agent, num_envs=64, device="cpu", seed=3, max_iterations=4, eval_interval=0, eval_episodes=64,
            progress=False, log_root=tmp_path,
        )  # fmt: skip
        assert any(rollouts) == everywhere
        runs.append(run)
        states.append(torch.load(run.checkpoint, weights_only=True))
    for name in ("epoch", "env_steps", "return", "length"):
        np.testing.assert_allclose(runs[1].curve[name], runs[0].curve[name], rtol=1e-4, atol=1e-4, err_msg=name)
    for name, weights in states[0]["model"].items():
        torch.testing.assert_close(states[1]["model"][name], weights, rtol=1e-3, atol=1e-4, msg=name)
    one, other = (state["optimizer"]["param_groups"][0] for state in states)
    assert one == other  # a checkpoint does not tell which way it was learned
