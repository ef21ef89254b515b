"""ResNet18 and Theia-Tiny: the real loading code with small random weights, and what is said without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cartpole_lab import session
from cartpole_lab.errors import UserError
from cartpole_lab.tasks.server_files import unreachable

RESNET, THEIA = "Isaac-Cartpole-RGB-ResNet18-v0", "Isaac-Cartpole-RGB-TheiaTiny-v0"
THEIA_NAME = "theia-tiny-patch16-224-cddsv"
WEIGHTS = "env.observations.policy.image.params.weights"
HERE = Path(__file__).parent


@pytest.fixture
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for PyTorch's downloads."""
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    yield tmp_path / "hub" / "checkpoints"
    session.close_env()


def make(task: str, *overrides: str) -> object:
    return session.make_env(task, num_envs=2, device="cpu", seed=1, overrides=overrides).unwrapped


def resnet18(seed: int) -> torch.nn.Module:
    from torchvision.models import resnet18 as build

    torch.manual_seed(seed)
    return build(weights=None).eval()


def expected_features(env: object, model: torch.nn.Module) -> torch.Tensor:
    """What a ResNet makes of the picture that the camera shows now."""
    picture = env.scene.sensors["tiled_camera"].data.output["rgb"].torch.cpu()
    picture = picture.permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        return model((picture - mean[:, None, None]) / std[:, None, None])


def test_resnet_weights_in_the_cache_are_loaded_by_isaac_labs_code(torch_home: Path) -> None:
    torch_home.mkdir(parents=True)
    model = resnet18(seed=11)
    torch.save(model.state_dict(), torch_home / "resnet18-f37072fd.pth")
    env = make(RESNET)
    obs = env.reset()[0]["policy"]
    assert obs.shape == (2, 1000)
    torch.testing.assert_close(obs.cpu(), expected_features(env, model), atol=1e-4, rtol=1e-4)


def test_resnet_weights_from_a_file(torch_home: Path, tmp_path: Path) -> None:
    model = resnet18(seed=12)
    torch.save(model.state_dict(), tmp_path / "mine.pth")
    env = make(RESNET, f"{WEIGHTS}={tmp_path / 'mine.pth'}")
    obs = env.reset()[0]["policy"]
    torch.testing.assert_close(obs.cpu(), expected_features(env, model), atol=1e-4, rtol=1e-4)


def test_resnet_random_weights_see_something_and_are_the_same_every_time(torch_home: Path) -> None:
    state = torch.random.get_rng_state()
    features = [make(RESNET, f"{WEIGHTS}=random").reset()[0]["policy"].cpu() for _ in range(2)]
    torch.testing.assert_close(features[0], features[1])
    assert (features[0][0] - features[0][1]).abs().max() > 1e-4, "two different pictures, the same features"
    assert state.shape == torch.random.get_rng_state().shape


def test_resnet_wrong_file_is_named(torch_home: Path, tmp_path: Path) -> None:
    torch.save({"nothing": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"other\.pth does not hold the weights of resnet18"):
        make(RESNET, f"{WEIGHTS}={tmp_path / 'other.pth'}")
    with pytest.raises(UserError, match="is not a file"):
        make(RESNET, f"{WEIGHTS}=/no/such/file.pth")


def test_resnet_without_network_says_what_is_missing_in_time(torch_home: Path) -> None:
    url = "https://download.pytorch.org/models/resnet18-f37072fd.pth"
    if not unreachable([url], 5.0):
        pytest.skip("the network reaches PyTorch's server")
    with pytest.raises(UserError) as caught:
        make(RESNET)
    message = str(caught.value)
    assert url in message
    assert str(torch_home / "resnet18-f37072fd.pth") in message
    assert f"{WEIGHTS}=random" in message
    assert "\n" not in message


_PROBE = f"""
import json, sys
from cartpole_lab import session
from cartpole_lab.errors import UserError
try:
    env = session.make_env({THEIA!r}, num_envs=2, device="cpu", seed=1, overrides=sys.argv[1:]).unwrapped
    features = env.reset()[0]["policy"]
    term = env.observation_manager._group_obs_term_cfgs["policy"][0]
    out = {{"shape": list(features.shape), "differ": float((features[0] - features[1]).abs().max()),
           "device": str(next(term.func._model.parameters()).device), "env_device": env.device}}
except UserError as error:
    out = {{"error": str(error)}}
print("OUT " + json.dumps(out))
"""


def theia(home: Path, *overrides: str, **env: str) -> dict:
    """Make the Theia task in a process of its own, since Hugging Face reads its folders when it is imported."""
    environ = os.environ | {"HF_HOME": str(home), "PYTHONPATH": str(HERE.parents[1])} | env
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *overrides], env=environ, capture_output=True, text=True, timeout=900
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("OUT ")]
    assert lines, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(lines[-1][4:])


def test_theia_in_the_cache_is_loaded_by_isaac_labs_code_without_a_network(tmp_path: Path) -> None:
    environ = os.environ | {"HF_HOME": str(tmp_path)}
    subprocess.run([sys.executable, str(HERE / "theia_standin.py"), THEIA_NAME], env=environ, check=True)
    out = theia(tmp_path, HF_HUB_OFFLINE="1")
    assert out.get("shape") == [2, 36 * 24], out  # 36 patches of 16 x 16 pixels, 24 numbers each in the small model
    assert out["differ"] > 1e-4
    assert out["device"] == out["env_device"]


def test_theia_from_a_folder(tmp_path: Path) -> None:
    environ = os.environ | {"HF_HOME": str(tmp_path / "home")}
    folder = tmp_path / "downloaded"
    job = [sys.executable, str(HERE / "theia_standin.py"), THEIA_NAME, str(folder)]
    subprocess.run(job, env=environ, check=True)
    out = theia(tmp_path / "other", f"{WEIGHTS}={folder}", HF_HUB_OFFLINE="1")
    assert out.get("shape") == [2, 36 * 24], out


def test_theia_random_weights_have_the_real_shape(tmp_path: Path) -> None:
    out = theia(tmp_path, f"{WEIGHTS}=random", HF_HUB_OFFLINE="1")
    assert out.get("shape") == [2, 36 * 192], out
    assert out["differ"] > 1e-4


def test_theia_without_network_says_what_is_missing_in_time(tmp_path: Path) -> None:
    probe = f"https://huggingface.co/theaiinstitute/{THEIA_NAME}/resolve/main/config.json"
    if not unreachable([probe], 5.0):
        pytest.skip("the network reaches Hugging Face")
    out = theia(tmp_path)
    message = out["error"]
    assert f"theaiinstitute/{THEIA_NAME}/model.safetensors" in message
    assert "facebook/deit-tiny-patch16-224/config.json" in message
    assert str(tmp_path) in message and f"{WEIGHTS}=random" in message
    assert "\n" not in message
