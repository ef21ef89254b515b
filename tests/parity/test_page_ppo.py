"""The page's PPO, run by node as it is shipped, against rl-games and Isaac Lab."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cartpole_lab.errors import UserError
from cartpole_lab.evaluation import evaluate
from cartpole_lab.policies.export import export_onnx
from cartpole_lab.policies.from_json import policy_from_weights
from cartpole_lab.policies.loading import load_policy
from cartpole_lab.session.configs import load_cfg
from cartpole_lab.session.env import close_env, make_env
from cartpole_lab.teaching.widgets._base import HERE, module
from cartpole_lab.teaching.widgets.page_settings import page_agent, page_settings
from cartpole_lab.teaching.widgets.playground import recorded_policies

SEEDS = 10
EPISODES = 1024
RELATIVE = 1e-4
ENVS = 64


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Asks the page's code something: ``page("train", runs=[…])``."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed: it runs the page's JavaScript")
    folder = tmp_path_factory.mktemp("page")
    (folder / "trainer.mjs").write_text(module("trainer"), encoding="utf-8")
    shutil.copy(Path(__file__).with_name("page_runner.mjs"), folder)
    settings = page_settings()

    def ask(what: str, **content: Any) -> Any:
        (folder / "input.json").write_text(json.dumps({"what": what, "settings": settings, **content}), "utf-8")
        command = ["node", "page_runner.mjs"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=3600)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return ask


@pytest.fixture(scope="module")
def trained(page: Any) -> list[dict[str, Any]]:
    """Ten trainings with the defaults of the page."""
    number = page_settings()["default_num_envs"]
    return page("train", runs=[{"seed": s, "num_envs": number, "agent": "with symmetry"} for s in range(1, SEEDS + 1)])


def test_the_worker_is_small() -> None:
    assert (HERE / "ppo.js").stat().st_size < 40_000


def test_carts_move_as_the_twin(page: Any) -> None:
    found = page("carts")
    assert found["apart"] < 1e-12
    assert len(set(found["dt"])) == 1


def test_every_seed_is_solved(trained: list[dict[str, Any]]) -> None:
    for run in trained:
        e = run["evaluation"]
        print(f"\nseed {run['seed']}: {run['epochs']} epochs, {e['mean_return']:.3f}, {e['timeout_share']:.4f}", end="")
    assert [run["seed"] for run in trained if not run["evaluation"]["solved"]] == []
    assert len({run["epochs"] for run in trained}) > 1, "seeds make no difference"


def test_a_seed_repeats_bit_for_bit(page: Any) -> None:
    """And it learns; another seed learns something else."""
    plain = {"num_envs": 64, "agent": "with symmetry", "max_epochs": 20}
    one, again, other = page("train", runs=[{**plain, "seed": 5}, {**plain, "seed": 5}, {**plain, "seed": 6}])
    assert one["actor"] == again["actor"]
    assert one["curve"] == again["curve"]
    assert one["actor"] != other["actor"]
    assert one["curve"][-1] > one["curve"][9] + 2


@pytest.mark.parametrize("agent", ["rl_games_with_symmetry_cfg_entry_point", "rl_games_fast_cfg_entry_point"])
def test_one_update_is_that_of_rl_games(page: Any, agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """rl-games plays a horizon and learns from it; the page learns from the same horizon, from the same weights."""
    seen = _rl_games_epoch(agent, tmp_path, monkeypatch)
    found = page(
        "update",
        agent=page_agent(load_cfg(agent=agent)[1]["params"]),
        n=ENVS,
        parameters=seen["before"],
        horizon=seen["horizon"],
    )
    apart: dict[str, float] = {}

    def compare(name: str, ours: Any, theirs: Any, scale: float | None = None) -> None:
        ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
        assert ours.shape == theirs.shape, name
        apart[name] = float(np.abs(ours - theirs).max() / (scale or np.abs(theirs).max()))

    for name, values in seen["prepared"].items():
        compare(name, found["prepared"][name], values)
    learned = np.abs(np.subtract(seen["after"], seen["before"])).max()
    compare("gradient of the first minibatch", found["first"]["moment"], seen["gradient"])
    compare("parameters after it", found["first"]["parameters"], seen["after_first"])
    compare("parameters after all minibatches", found["parameters"], seen["after"])
    compare("running moments", found["moments"], seen["moments"])
    compare("divergences", found["kls"], seen["kls"])
    print(f"\n{agent}: largest difference, relative: " + ", ".join(f"{k} {v:.1e}" for k, v in apart.items()))
    print(f"the update moved parameters by up to {learned:.3f}")
    assert learned > 0.01
    np.testing.assert_allclose(found["rates"], seen["rates"], rtol=1e-6)
    assert {name: value for name, value in apart.items() if value > RELATIVE} == {}


def _rl_games_epoch(agent: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What rl-games' own code did in its first epoch in Isaac Lab."""
    from rl_games.algos_torch.a2c_continuous import A2CAgent

    from cartpole_lab.speed.ppo_update import LeanA2CAgent
    from cartpole_lab.training.rl_games_train import train

    seen: dict[str, Any] = {"kls": [], "rates": []}
    discount, prepare = A2CAgent.discount_values, A2CAgent.prepare_dataset

    def discount_values(self: Any, fdones: Any, last: Any, dones: Any, values: Any, rewards: Any) -> Any:
        tensors = self.experience_buffer.tensor_dict
        alone = {name: tensors[name][..., 0] for name in ("actions", "mus", "sigmas")}
        horizon = {"obs": tensors["obses"], "neglogp": tensors["neglogpacs"], "values": values[..., 0], "dones": dones}
        horizon |= {"rewards": rewards[..., 0], "last_values": last[:, 0], "last_dones": fdones, **alone}
        seen.setdefault("horizon", {name: value.double().tolist() for name, value in horizon.items()})
        return discount(self, fdones, last, dones, values, rewards)

    def prepare_dataset(self: Any, batch: dict[str, Any]) -> None:
        first = "before" not in seen
        if first:
            seen["before"] = _flat(self, lambda p: p)
        prepare(self, batch)
        if first:  # rl-games lays the horizon of an environment out in one piece
            rows = {
                name: self.dataset.values_dict[name].reshape(ENVS, -1).T
                for name in ("advantages", "returns", "old_values")
            }
            seen["prepared"] = {name: value.tolist() for name, value in rows.items()}
            seen["moments"] = [float(self.value_mean_std.running_mean), float(self.value_mean_std.running_var)]

    def calc_gradients(self: Any, batch: dict[str, Any]) -> None:
        A2CAgent.calc_gradients(self, batch)
        if self.epoch_num == 1:
            seen["kls"].append(float(self.train_result[3]))
            seen["after"] = _flat(self, lambda p: p)
            if "gradient" not in seen:
                seen["gradient"] = _flat(self, lambda p: torch.zeros_like(p) if p.grad is None else p.grad)
                seen["after_first"] = seen["after"]

    def update_lr(self: Any, rate: float) -> None:
        A2CAgent.update_lr(self, rate)
        if self.epoch_num == 1:
            seen["rates"].append(float(rate))

    for function in (discount_values, prepare_dataset, calc_gradients, update_lr):
        monkeypatch.setattr(LeanA2CAgent, function.__name__, function)
    train(agent=agent, num_envs=ENVS, device="cpu", seed=3, max_iterations=1, eval_interval=0, eval_episodes=64,
          progress=False, log_root=folder)  # fmt: skip
    return seen


def _flat(agent: Any, of: Any) -> list[float]:
    """The numbers of the network in the page's order: layers, mean, value, log standard deviation."""
    network = agent.model.a2c_network
    symmetric = type(network).__module__.endswith("symmetric")
    linear = [layer for layer in network.actor_mlp if isinstance(layer, torch.nn.Linear)]
    parts: list[torch.Tensor] = []
    for layer in (*linear, network.mu):
        parts += [layer.weight] if symmetric else [layer.weight, layer.bias]
    parts += [network.value.weight, network.value.bias, network.sigma]
    return torch.cat([of(part).detach().double().flatten() for part in parts]).tolist()


def test_policies_go_both_ways(page: Any, trained: list[dict[str, Any]], tmp_path: Path) -> None:
    """The page's policies in Isaac Lab, Isaac Lab's in the page: one verdict, from the same starts and from others."""
    path = tmp_path / "from_the_page.json"
    path.write_text(json.dumps({"policy": trained[0]["actor"], "seed": 1}))
    policies = {"the page's": trained[0]["actor"], **recorded_policies()}
    env = make_env(num_envs=EPISODES, device="cpu", seed=5)
    starts = env.reset(seed=5)[0]["policy"].tolist()
    nets = list(policies.values())
    same = page("evaluate", policies=nets, episodes=EPISODES, seed=5, starts=starts)
    fresh = page("evaluate", policies=nets, episodes=EPISODES, seed=5)
    for (name, weights), twin, other in zip(policies.items(), same, fresh, strict=True):
        policy = load_policy(path) if name == "the page's" else policy_from_weights(weights)
        here = evaluate(policy, env=env, episodes=EPISODES, seed=5)
        print(
            f"\n{name}: Isaac Lab {here.mean_return:.4f}, {100 * here.timeout_share:.2f}%; page from the same starts "
            f"{twin['mean_return']:.4f}, {100 * twin['timeout_share']:.2f}%, from others {other['mean_return']:.4f}, "
            f"{100 * other['timeout_share']:.2f}%"
        )
        for there in (twin, other) if here.timeout_share > 0.99 else (twin,):
            assert abs(there["mean_return"] - here.mean_return) < 0.02
            assert abs(there["timeout_share"] - here.timeout_share) <= 0.005
            assert abs(there["settled_share"] - here.settled_share) <= 0.01
    close_env()
    onnx = export_onnx(path, tmp_path / "policy.onnx")
    assert onnx.stat().st_size > 1000


@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda net: net.pop("layers"), "no list `layers`"),
        (lambda net: net["layers"][0]["weight"].pop(), r"layers\[0\].weight has shape \(31, 4\), expected \(32, 4\)"),
        (lambda net: net["layers"][1]["bias"].__setitem__(0, float("nan")), "finite numbers"),
        (lambda net: net["layers"][1]["bias"].__setitem__(0, "much"), "expected numbers"),
        (lambda net: net["layers"][1].update(activation="gelu"), "activations are"),
        (lambda net: net.update(observation_clip=None), "observation_clip"),
        (lambda net: net.update(normalization={"mean": [0], "var": [1], "epsilon": 0}), "1 numbers, expected 4"),
        (lambda net: net.update(normalization=3), "normalization"),
    ],
)
def test_a_spoilt_policy_is_named(spoil: Any, says: str) -> None:
    net = recorded_policies()["fully trained"]
    policy_from_weights(net)
    spoil(net)
    with pytest.raises(UserError, match=says):
        policy_from_weights(net)
