"""A thousand malformed inputs and more: no traceback, nothing hangs, nothing is overwritten, no nonsense is taken."""

from __future__ import annotations

import os
from pathlib import Path

import malformed
import pytest
import torch
from hypothesis import strategies as st

from cartpole_lab import record_rollout
from cartpole_lab.policies import zero_policy
from cartpole_lab.policies.checkpoint import open_checkpoint
from cartpole_lab.policies.export import export_weights
from cartpole_lab.training import TrainingRun, train

SIZE = int(os.environ.get("CARTPOLE_LAB_SOAK", "1"))
"""How many times as many inputs: `make soak` takes more."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrainingRun]:
    """One update of each library."""
    few = {"num_envs": 16, "device": "cpu", "progress": False, "eval_episodes": 16, "eval_interval": 0}
    return {
        library: train(**few, rl_library=library, max_iterations=1, log_root=tmp_path_factory.mktemp(library))
        for library in ("rl_games", "rsl_rl", "skrl", "sb3")
    }


def test_malformed_inputs_are_refused_in_a_line(runs: dict[str, TrainingRun], tmp_path: Path) -> None:
    bare = tmp_path / "bare.pth"
    torch.save(dict(open_checkpoint(runs["rl_games"].checkpoint).state), bare)
    export_weights(runs["rl_games"].checkpoint, numbers := tmp_path / "policy.json")
    recording = record_rollout(zero_policy, steps=3, num_envs=2, device="cpu").save(tmp_path / "rollout.npz")
    log_dir = runs["rl_games"].log_dir
    kinds = [
        malformed.flags(tmp_path),
        malformed.overrides(),
        *(malformed.checkpoints(library, run.checkpoint, tmp_path) for library, run in runs.items()),
        malformed.run_folders(log_dir),
        malformed.agent_yaml(bare, log_dir / "params" / "agent.yaml"),
        malformed.policies_as_numbers(numbers),
        malformed.rollouts(recording),
        malformed.usd(tmp_path / "robots"),
        malformed.answers(),
        malformed.progress(),
    ]
    table = malformed.run(kinds, SIZE)
    if out := os.environ.get("CARTPOLE_LAB_MALFORMED"):
        malformed.write_table(table, Path(out))
    wrong = {kind: [*count.wrong[:4], *count.wrong[-1:]] for kind, count in table.items() if count.wrong}
    assert not wrong, wrong
    assert sum(count.inputs for count in table.values()) >= 1000
    assert all(count.refused or kind == "progress" for kind, count in table.items())


def test_an_input_that_hangs_is_noted_and_the_next_one_is_fed() -> None:
    def hang() -> bool:
        while True:
            pass

    count = malformed.Count()
    malformed.judge(malformed.Case("for ever", False, hang), count, limit_s=0.05)
    malformed.judge(malformed.Case("not", True, lambda: True), count)
    assert count.inputs == 2 and count.taken == 1 and count.wrong == ["for ever: Hung: no answer within 0.05 s"]


def test_of_inputs_with_wrong_answers_the_simplest_is_named() -> None:
    def feed(number: int) -> bool:
        assert number < 700, "too large"
        return True

    drawn = st.integers(0, 10**6).map(lambda n: malformed.Case(str(n), None, lambda: feed(n)))
    found = malformed.run([malformed.Kind("numbers", (), drawn, 40)])["numbers"]
    assert found.wrong[-1].startswith("700: AssertionError: too large") and found.taken
