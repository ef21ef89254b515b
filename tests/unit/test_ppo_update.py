"""The update with the derivative written out is rl-games' own, up to rounding."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

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
