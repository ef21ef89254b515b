"""Whatever an agent is, its checkpoint means the same anywhere: one table of agents, libraries and settings.

Each case trains an epoch with the library itself (or, where training adds nothing, builds the library's own network),
moves the file into an empty folder, and holds what is read there against the live network.
"""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cartpole_lab import evaluate, session
from cartpole_lab.errors import UserError
from cartpole_lab.policies import builders, load_policy, open_checkpoint
from cartpole_lab.policies.checkpoint import packed, with_meaning
from cartpole_lab.policies.export import export_onnx, export_weights
from cartpole_lab.policies.meaning import Meaning
from cartpole_lab.session.env_settings import EnvSettings, changes, plain, rebuild, record
from cartpole_lab.training.checkpoints import Keeper, keeping

TASK, RGB = "Isaac-Cartpole-v0", "Isaac-Cartpole-RGB-v0"
DEFAULT, FAST, MIRROR = (f"rl_games_{kind}cfg_entry_point" for kind in ("", "fast_", "with_symmetry_"))
NET, CONFIG, LIMITS = "agent.params.network.", "agent.params.config.", "agent.params.env."
ENVS = 16
Live = Callable[[torch.Tensor], torch.Tensor]

# name: agent entry point, settings of the agent, key of the environment below
RL_GAMES: dict[str, tuple[str, list[str], str]] = {
    "default": (DEFAULT, [], "plain"),
    "fast": (FAST, [], "plain"),
    "symmetric": (MIRROR, [], "plain"),
    "mu tanh": (DEFAULT, [f"{NET}space.continuous.mu_activation=tanh"], "plain"),
    "d2rl": (DEFAULT, [f"{NET}mlp.d2rl=True"], "plain"),
    "d2rl, mu tanh": (DEFAULT, [f"{NET}mlp.d2rl=True", f"{NET}space.continuous.mu_activation=tanh"], "plain"),
    **{
        name: (DEFAULT, [f"{NET}mlp.activation={name}"], "plain")
        for name in ("swish", "relu", "tanh", "selu", "gelu", "sigmoid", "softplus")
    },
    "separate": (DEFAULT, [f"{NET}separate=True"], "plain"),
    "one layer": (DEFAULT, [f"{NET}mlp.units=[16]"], "plain"),
    "three layers": (FAST, [f"{NET}mlp.units=[24,16,8]"], "plain"),
    "spread by state": (DEFAULT, [f"{NET}space.continuous.fixed_sigma=False"], "plain"),
    "input normalised": (DEFAULT, [f"{CONFIG}normalize_input=True"], "plain"),
    "all normalised, separate": (FAST, [f"{CONFIG}normalize_input=True", f"{NET}separate=True"], "plain"),
    "nothing normalised": (FAST, [f"{CONFIG}normalize_value=False", f"{CONFIG}normalize_advantage=False"], "plain"),
    "actions half": (DEFAULT, [f"{LIMITS}clip_actions=0.5"], "plain"),
    "actions double": (DEFAULT, [f"{LIMITS}clip_actions=2.0"], "plain"),
    "observations near": (DEFAULT, [f"{LIMITS}clip_observations=0.3"], "plain"),
    "linear rate": (DEFAULT, [f"{CONFIG}lr_schedule=linear"], "plain"),
    "2 s": (DEFAULT, [], "2 s"),
    "mirror, 2 s": (MIRROR, [], "2 s"),
    "own reward": (FAST, [], "own reward"),
    "six numbers": (DEFAULT, [], "six numbers"),
    "six numbers, normalised": (DEFAULT, [f"{CONFIG}normalize_input=True"], "six numbers"),
}
SHORT = ["env.episode_length_s=0.2"]
PICTURES = [*SHORT, "env.scene.tiled_camera.width=64", "env.scene.tiled_camera.height=48"]
RANDOM = [*SHORT, "env.observations.policy.image.params.weights=random"]
ENVIRONMENTS: dict[str, tuple[str, list[str]]] = {
    "plain": (TASK, []),
    "2 s": (TASK, ["env.episode_length_s=2"]),
    "own reward": (TASK, ["env.rewards.pole_pos.weight=-2", "env.rewards.alive.weight=0.5"]),
    "six numbers": (TASK, []),
    "colours": (RGB, PICTURES),
    "distances": ("Isaac-Cartpole-Depth-v0", PICTURES),
    "resnet": ("Isaac-Cartpole-RGB-ResNet18-v0", RANDOM),
    "theia": ("Isaac-Cartpole-RGB-TheiaTiny-v0", RANDOM),
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "rnn": ({"network": {"rnn": {"name": "lstm", "units": 8, "layers": 1}}}, "network.rnn"),
    "tanh model": ({"model": {"name": "continuous_a2c_tanh"}}, "continuous_a2c_tanh"),
    "discrete": ({"algo": {"name": "a2c_discrete"}}, "a2c_discrete"),
    "no limit": ({"env": {"clip_actions": float("inf")}}, "clip_actions"),
    "sees the critic's": ({"env": {"obs_groups": {"obs": ["critic"]}}}, "obs_groups"),
}


def seal(path: Path, meaning: Meaning) -> None:
    path.write_bytes(with_meaning(path.read_bytes(), meaning))


def six_numbers() -> Any:
    """The cart-pole with two more numbers to see."""
    from isaaclab.envs import mdp
    from isaaclab.managers import ObservationTermCfg

    cfg = session.load_cfg(TASK, agent=None)[0]
    cfg.observations.policy.last = ObservationTermCfg(func=mdp.last_action)
    cfg.observations.policy.again = ObservationTermCfg(func=mdp.last_action)
    return cfg


@pytest.fixture(scope="module")
def live_env() -> Iterator[Callable[[str], tuple[Any, EnvSettings]]]:
    """The environment of a key; it is made once, as the cases come in that order."""
    made: dict[str, Any] = {}

    def get(key: str) -> tuple[Any, EnvSettings]:
        if made.get("key") != key:
            (task, words), own = ENVIRONMENTS[key], key == "six numbers"
            count = ENVS if task == TASK else 4  # each is drawn
            task, cfg, _ = session.configure(
                six_numbers() if own else task, num_envs=count, device="cpu", seed=1, overrides=words
            )
            settings = record(task, cfg, [], own=own)
            env = session.open_env(task, cfg)
            env.unwrapped.cfg.episode_length_s = min(cfg.episode_length_s, 2.0)  # enough to fall in
            made.update(key=key, value=(env, settings))
        return made["value"]

    yield get
    session.close_env()


@pytest.fixture(scope="module", autouse=True)
def one_list_of_operators() -> Iterator[None]:
    """PyTorch makes the list of what ONNX can say anew for each export, which takes longer than the export."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    made = ONNXRegistry.from_torchlib()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", lambda *args, **kwargs: made)
        yield


def states(count: int, width: int = 4) -> torch.Tensor:
    """From quiet to far beyond all limits."""
    return torch.randn(count, width, generator=torch.Generator().manual_seed(1)) * 3


@pytest.mark.parametrize("name", RL_GAMES)
def test_a_checkpoint_of_rl_games_acts_the_same_in_an_empty_folder(
    name: str, live_env: Callable[[str], tuple[Any, EnvSettings]], tmp_path: Path
) -> None:
    agent, words, key = RL_GAMES[name]
    env, settings = live_env(key)
    agent_cfg = session.load_cfg(TASK, agent=agent, overrides=words)[1]
    live, checkpoint = _train_rl_games(env, settings, agent, agent_cfg, tmp_path / "run")
    alone = tmp_path / "alone" / "moved.pth"
    alone.parent.mkdir()
    shutil.move(checkpoint, alone)
    shutil.rmtree(tmp_path / "run")

    obs = states(256, env.unwrapped.single_observation_space["policy"].shape[0])
    policy, expected = load_policy(alone), live(obs)
    assert expected.std() > 1e-4 or key == "plain", "the network answers with one number"
    torch.testing.assert_close(policy(obs), expected, atol=1e-5, rtol=0)
    first, second = (evaluate(p, env=env, episodes=ENVS, seed=3).returns for p in (live, alone))
    assert torch.equal(first, second), "the return differs"
    opened = open_checkpoint(alone)
    assert not list(changes(settings.values, plain(rebuild(opened.env)))), "other settings come back"
    _check_export(policy, alone)


def _check_export(policy: Any, checkpoint: Path) -> None:
    """Both exports answer as the policy, or the one for the browser says in a line why it can't."""
    from cartpole_lab.policies.from_json import policy_from_weights, read_weights

    probe = states(64, policy.obs_shape[0])
    try:
        export_weights(checkpoint, checkpoint.with_suffix(".json"))
    except UserError as error:
        assert "browser" in str(error) and "\n" not in str(error)
        export_onnx(checkpoint, checkpoint.with_suffix(".onnx"))  # holds itself against ONNX Runtime
    else:
        torch.testing.assert_close(
            policy_from_weights(read_weights(checkpoint.with_suffix(".json")))(probe), policy(probe), atol=2e-5, rtol=0
        )


def _train_rl_games(
    env: Any, settings: EnvSettings, agent: str, agent_cfg: dict[str, Any], log_dir: Path
) -> tuple[Live, Path]:
    """One epoch with rl-games' own runner in a live environment: what the agent does, and its checkpoint."""
    import contextlib
    import json

    from isaaclab_rl.rl_games import RlGamesVecEnvWrapper, register_rl_games_env
    from rl_games.algos_torch.a2c_continuous import A2CAgent
    from rl_games.torch_runner import Runner

    params, config = agent_cfg["params"], agent_cfg["params"]["config"]
    builders.check_rl_games(params)
    config.update(device="cpu", device_name="cpu", num_actors=ENVS, max_epochs=1, mini_epochs=1, print_stats=False)
    config.update(train_dir=str(log_dir.parent), full_experiment_name=log_dir.name)
    (log_dir / "nn").mkdir(parents=True)
    (log_dir / "run.json").write_text(
        json.dumps({"library": "rl_games", "task": TASK, "created_at": "2026-01-01T00:00:00"})
    )
    space = env.unwrapped.single_observation_space["policy"]
    meaning = Meaning("rl_games", agent, agent_cfg, settings, space.shape, 1)
    keeper = Keeper(log_dir, config["name"], meaning)
    register_rl_games_env(RlGamesVecEnvWrapper.from_agent_cfg(env, agent_cfg))
    agents: list[Any] = []

    def build(**kwargs: Any) -> Any:
        agents.append(keeping(A2CAgent, keeper)(**kwargs))
        return agents[-1]

    with contextlib.redirect_stdout(io.StringIO()):
        runner = Runner()
        runner.algo_factory.register_builder("a2c_continuous", build)
        runner.load(agent_cfg)
        runner.run({"train": True})
    algo, (clip, limit) = agents[0], (params["env"]["clip_observations"], params["env"]["clip_actions"])
    algo.writer.close()
    algo.model.eval()

    @torch.no_grad()
    def live(obs: torch.Tensor) -> torch.Tensor:
        """What Isaac Lab's wrapper and rl-games' player do."""
        out = algo.model({"is_train": False, "prev_actions": None, "obs": obs.clamp(-clip, clip), "rnn_states": None})
        return algo.preprocess_actions(out["mus"]).clamp(-limit, limit)

    (checkpoint,) = (log_dir / "nn").glob("last_*.pth")
    return live, checkpoint


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_back_is_refused_before_it_is_trained(name: str) -> None:
    values, word = REFUSED[name]
    params = session.load_cfg(TASK)[1]["params"]
    for part, settings in values.items():
        params[part].update(settings)
    with pytest.raises(UserError, match=word) as caught:
        builders.check_rl_games(params)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "agent"),
    [
        ("colours", DEFAULT),
        ("colours", FAST),
        ("distances", DEFAULT),
        ("distances", FAST),
        ("resnet", DEFAULT),
        ("theia", DEFAULT),
    ],
)
def test_agents_that_see_pictures(
    key: str, agent: str, live_env: Callable[[str], tuple[Any, EnvSettings]], tmp_path: Path
) -> None:
    """rl-games' own network with the weights that it begins with: what training makes of them adds nothing here."""
    import contextlib

    from rl_games.algos_torch.model_builder import ModelBuilder

    env, settings = live_env(key)
    shape = env.unwrapped.single_observation_space["policy"].shape
    agent_cfg = session.load_cfg(settings.task, agent=agent)[1]
    params = agent_cfg["params"]
    sizes = {"actions_num": 1, "input_shape": shape, "num_seqs": 1, "value_size": 1}
    normal = {name: params["config"].get(name, False) for name in ("normalize_input", "normalize_value")}
    with contextlib.redirect_stdout(io.StringIO()):
        model = ModelBuilder().load(params).build({**sizes, **normal}).eval()

    @torch.no_grad()
    def live(obs: torch.Tensor) -> torch.Tensor:
        return model({"is_train": False, "prev_actions": None, "obs": obs, "rnn_states": None})["mus"].clamp(-1, 1)

    path = tmp_path / "moved.pth"
    path.write_bytes(packed({"model": model.state_dict()}, Meaning("rl_games", agent, agent_cfg, settings, shape, 1)))
    obs = torch.rand(8, *shape, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(load_policy(path)(obs), live(obs), atol=1e-5, rtol=0)
    first, second = (evaluate(p, env=env, episodes=4, seed=3).returns for p in (live, path))
    assert torch.equal(first, second) and first.unique().numel() == 4, "the return differs"
    assert not list(changes(settings.values, plain(rebuild(open_checkpoint(path).env)))), "other settings come back"
    if key in ("colours", "resnet"):  # the others have the same networks, less or more wide at their entrance
        export_onnx(path, path.with_suffix(".onnx"))  # holds itself against ONNX Runtime


# ---- the other libraries ------------------------------------------------------------------------------------------


def _rsl_rl(changed: dict[str, Any]) -> tuple[Live, dict[str, Any], dict[str, Any]]:
    from rsl_rl.models import MLPModel
    from tensordict import TensorDict

    agent_cfg = plain(session.load_cfg(TASK, agent="rsl_rl_cfg_entry_point")[1])
    limit = changed.pop("clip_actions", agent_cfg["clip_actions"])
    agent_cfg["clip_actions"] = limit
    agent_cfg["actor"].update(changed)
    actor, sample = agent_cfg["actor"], TensorDict({"policy": states(4)}, batch_size=[4])
    spread = {"class_name": actor["distribution_cfg"]["class_name"], "init_std": 1.0}
    words = (actor["hidden_dims"], actor["activation"], actor["obs_normalization"], spread)
    model = MLPModel(sample, {"actor": ["policy"]}, "actor", 1, *words)
    model.update_normalization(TensorDict({"policy": states(500)}, batch_size=[500]))
    model.eval()

    def live(obs: torch.Tensor) -> torch.Tensor:
        action = model(TensorDict({"policy": obs}, batch_size=[len(obs)]))
        return action if limit is None else action.clamp(-limit, limit)

    return live, {"actor_state_dict": model.state_dict(), "iter": 3}, agent_cfg


def _skrl(changed: dict[str, Any]) -> tuple[Live, dict[str, Any], dict[str, Any]]:
    import gymnasium as gym
    from skrl.resources.preprocessors.torch import RunningStandardScaler
    from skrl.utils.model_instantiators.torch import gaussian_model

    agent_cfg = session.load_cfg(TASK, agent="skrl_cfg_entry_point")[1]
    scaled, limit = changed.pop("scaled", False), agent_cfg["env"]["clip_actions"]  # the environment's limit
    scales = {name: changed.pop(name) for name in ("clip_threshold", "epsilon") if name in changed}
    agent_cfg["agent"]["observation_preprocessor_kwargs"] = scales or None
    policy = agent_cfg["models"]["policy"]
    policy["network"][0].update({k: v for k, v in changed.items() if k in policy["network"][0]})
    policy.update({k: v for k, v in changed.items() if k in policy})
    seen, done = gym.spaces.Box(-np.inf, np.inf, (4,)), gym.spaces.Box(-np.inf, np.inf, (1,))
    words = {k: v for k, v in policy.items() if k != "class"}
    model = gaussian_model(observation_space=seen, action_space=done, device="cpu", **words)
    model.compute({"observations": states(4)})  # its layers learn their widths
    model.eval()
    scaler = RunningStandardScaler(4, device="cpu", **scales)
    scaler(states(500), train=True)

    def live(obs: torch.Tensor) -> torch.Tensor:
        return model.compute({"observations": scaler(obs) if scaled else obs})[0].detach().clamp(-limit, limit)

    extra = {"observation_preprocessor": scaler.state_dict()} if scaled else {}
    return live, {"policy": model.state_dict(), **extra}, agent_cfg


def _sb3(changed: dict[str, Any]) -> tuple[Live, dict[str, Any], dict[str, Any]]:
    import gymnasium as gym
    from stable_baselines3.common.policies import ActorCriticPolicy

    agent_cfg, scales = session.load_cfg(TASK, agent="sb3_cfg_entry_point")[1], changed.pop("scales", None)
    agent_cfg["policy_kwargs"] = {**agent_cfg["policy_kwargs"], **changed}
    kwargs = {**agent_cfg["policy_kwargs"]}
    kwargs["activation_fn"] = getattr(torch.nn, kwargs["activation_fn"].rpartition(".")[2])
    seen, done = gym.spaces.Box(-np.inf, np.inf, (4,)), gym.spaces.Box(-1.0, 1.0, (1,))
    model = ActorCriticPolicy(seen, done, lambda _: 1e-3, **kwargs)

    def live(obs: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(model.predict(obs.numpy(), deterministic=True)[0])

    if scales is None:
        return live, {"sb3": model.state_dict()}, agent_cfg

    def normalised(obs: torch.Tensor) -> torch.Tensor:
        """As sb3's VecNormalize."""
        seen = (obs.numpy() - np.array(scales["mean"])) / np.sqrt(np.array(scales["var"]) + scales["epsilon"])
        return live(torch.from_numpy(np.clip(seen, -scales["clip"], scales["clip"]).astype(np.float32)))

    agent_cfg["normalize_input"] = True
    return normalised, {"sb3": model.state_dict(), "normalizer": scales}, agent_cfg


SCALES = {"mean": [0.1, -0.2, 0.3, 0.0], "var": [0.5, 2.0, 3.0, 1.0], "epsilon": 1e-8, "clip": 2.0}
OTHERS: dict[str, tuple[Callable[[dict[str, Any]], Any], dict[str, Any]]] = {
    "rsl_rl": (_rsl_rl, {}),
    "rsl_rl, input normalised": (_rsl_rl, {"obs_normalization": True}),
    "rsl_rl, swish": (_rsl_rl, {"activation": "swish"}),
    "rsl_rl, three layers of tanh": (_rsl_rl, {"hidden_dims": [24, 16, 8], "activation": "tanh"}),
    "rsl_rl, no limit": (_rsl_rl, {"clip_actions": None}),
    "skrl": (_skrl, {}),
    "skrl, input normalised": (_skrl, {"scaled": True}),
    "skrl, input normalised, other limit": (_skrl, {"scaled": True, "clip_threshold": 1.5, "epsilon": 0.1}),
    "skrl, relu": (_skrl, {"activations": "relu", "layers": [16]}),
    "skrl, one activation a layer": (_skrl, {"activations": ["tanh", "elu"]}),
    "skrl, tanh at the end": (_skrl, {"output": "tanh(ACTIONS)"}),
    "sb3": (_sb3, {}),
    "sb3, input normalised": (_sb3, {"scales": SCALES}),
    "sb3, relu": (_sb3, {"activation_fn": "nn.ReLU"}),
    "sb3, actor and critic apart": (_sb3, {"net_arch": {"pi": [24, 12], "vf": [8]}}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_checkpoint_of_another_library_acts_the_same_in_an_empty_folder(
    name: str, live_env: Callable[[str], tuple[Any, EnvSettings]], tmp_path: Path
) -> None:
    library = name.partition(",")[0]
    pytest.importorskip({"sb3": "stable_baselines3"}.get(library, library))
    build, changed = OTHERS[name]
    torch.manual_seed(4)
    live, entries, agent_cfg = build(dict(changed))
    path = tmp_path / ("model.zip" if library == "sb3" else "model_3.pt")
    if library == "sb3":
        torch.save(entries["sb3"], weights := io.BytesIO())
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("policy.pth", weights.getvalue())
    else:
        torch.save(entries, path)
    with pytest.raises(UserError, match=r"does not say what network.*--agent_cfg"):
        load_policy(path)
    normalizer = entries.get("normalizer")
    seal(path, Meaning(library, f"{library}_cfg_entry_point", agent_cfg, EnvSettings(TASK), normalizer=normalizer))
    obs, policy = states(256), load_policy(path)
    with torch.no_grad():
        torch.testing.assert_close(policy(obs), live(obs), atol=1e-5, rtol=0)
        env, _ = live_env("plain")
        first, second = (evaluate(p, env=env, episodes=ENVS, seed=3).returns for p in (live, path))
    if normalizer is None:
        assert torch.equal(first, second), "the return differs"
    else:  # Stable-Baselines3 normalises with twice the digits
        torch.testing.assert_close(first, second, atol=1e-4, rtol=0)
    _check_export(policy, path)


def test_settings_of_another_network_are_told_apart(tmp_path: Path) -> None:
    _, entries, agent_cfg = _rsl_rl({})
    agent_cfg["actor"]["hidden_dims"] = [32, 32, 32]
    path = tmp_path / "model_1.pt"
    torch.save(entries, path)
    seal(path, Meaning("rsl_rl", "rsl_rl_cfg_entry_point", agent_cfg, EnvSettings(TASK)))
    with pytest.raises(UserError, match="describe 4 layers, the file has 3"):
        load_policy(path)
