"""A checkpoint as ONNX and as plain numbers: both must answer as the policy does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cartpole_lab.errors import UserError
from cartpole_lab.policies.checkpoint import packed
from cartpole_lab.policies.export import ONNX_TOLERANCE, export_onnx, export_weights
from cartpole_lab.policies.from_json import policy_from_weights
from cartpole_lab.policies.loading import load_policy
from cartpole_lab.policies.meaning import Meaning
from cartpole_lab.session.configs import load_cfg
from cartpole_lab.session.env_settings import EnvSettings
from cartpole_lab.session.task_lookup import DEFAULT_TASK


@pytest.fixture(params=[True, False], ids=["normalised", "plain"])
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file laid out as rl-games lays its checkpoints out, with random weights."""
    torch.manual_seed(3)
    layers = {"actor_mlp.0": nn.Linear(4, 32), "actor_mlp.2": nn.Linear(32, 32), "mu": nn.Linear(32, 1)}
    model = {f"a2c_network.{name}.{key}": t for name, layer in layers.items() for key, t in layer.state_dict().items()}
    if request.param:
        model["running_mean_std.running_mean"] = torch.tensor([0.1, -0.2, 0.0, 0.3], dtype=torch.float64)
        model["running_mean_std.running_var"] = torch.tensor([0.5, 0.01, 2.0, 4.0], dtype=torch.float64)
    model["a2c_network.value.weight"], model["a2c_network.value.bias"] = torch.zeros(1, 32), torch.zeros(1)
    model["a2c_network.sigma"] = torch.zeros(1)
    settings = load_cfg(DEFAULT_TASK)[1]
    settings["params"]["config"]["normalize_input"] = request.param
    meaning = Meaning("rl_games", "rl_games_cfg_entry_point", settings, EnvSettings(DEFAULT_TASK), (4,), 1)
    path = tmp_path / "policy.pth"
    path.write_bytes(packed({"model": model}, meaning))
    return path


@pytest.fixture
def observations() -> torch.Tensor:
    """From quiet to far beyond both clips."""
    return torch.randn(500, 4, generator=torch.Generator().manual_seed(1)) * torch.tensor([2.0, 1.0, 4.0, 8.0])


def test_weights_answer_as_the_policy(checkpoint: Path, observations: torch.Tensor, tmp_path: Path) -> None:
    target = tmp_path / "weights.json"
    weights = export_weights(checkpoint, target)
    assert json.loads(target.read_text()) == weights
    assert target.stat().st_size < 20_000
    expected = load_policy(checkpoint)(observations)[:, 0].numpy()
    assert np.abs(expected).max() > 0.1
    answer = policy_from_weights(weights).double()(observations.double())[:, 0].numpy()
    np.testing.assert_allclose(answer, expected, atol=2e-5)


def test_onnx_answers_as_the_policy(checkpoint: Path, observations: torch.Tensor, tmp_path: Path) -> None:
    import onnxruntime

    path = export_onnx(checkpoint, tmp_path / "made" / "policy.onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["obs"]
    for rows in (1, 500):  # any number of observations
        (answer,) = session.run(["action"], {"obs": observations[:rows].numpy()})
        expected = load_policy(checkpoint)(observations[:rows]).numpy()
        np.testing.assert_allclose(answer, expected, atol=ONNX_TOLERANCE)
    assert not list(path.parent.glob("*.data")), "the weights belong inside the file"


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a file"):
        export_weights(tmp_path / "none.pth")
    torch.save({"model": {"something": torch.zeros(1)}}, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=r"does not say what network it holds.*--agent_cfg"):
        export_onnx(tmp_path / "odd.pth", tmp_path / "odd.onnx")
