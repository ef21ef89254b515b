"""Four libraries on one task: what differs behind settings of the same name."""

from __future__ import annotations

from typing import Any

from tests.surprises.entry import Place, Values, surprise

STORAGE = "rsl_rl/storage/rollout_storage.py"
RSL = "rsl_rl/algorithms/ppo.py"
ENVS, STEPS, PARTS = 4, 25, 8


def passes() -> dict[str, Any]:
    """By library: the numbers of the samples in the minibatches of two passes over one batch of 100, as lists."""
    import gymnasium as gym
    import numpy as np
    import torch
    from rsl_rl.storage import RolloutStorage
    from skrl.memories.torch import RandomMemory
    from stable_baselines3.common.buffers import RolloutBuffer
    from tensordict import TensorDict

    torch.manual_seed(0)
    np.random.seed(0)
    numbers = torch.arange(ENVS * STEPS, dtype=torch.float32).view(STEPS, ENVS, 1)

    storage = RolloutStorage("rl", ENVS, STEPS, TensorDict({"policy": numbers[0]}, batch_size=[ENVS]), [1])
    storage.observations["policy"][:] = numbers
    storage.distribution_params = (numbers.clone(),)
    drawn = [b.observations["policy"].view(-1).int().tolist() for b in storage.mini_batch_generator(PARTS, 2)]
    rsl = [drawn[:PARTS], drawn[PARTS:]]

    memory = RandomMemory(memory_size=STEPS, num_envs=ENVS, device="cpu")
    memory.create_tensor(name="observations", size=1, dtype=torch.float32)
    for row in numbers:
        memory.add_samples(observations=row)
    skrl = [
        [
            part[0].view(-1).int().tolist()
            for part in memory.sample(["observations"], batch_size=100, mini_batches=PARTS)
        ]
        for _ in range(2)
    ]

    box = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)
    buffer = RolloutBuffer(STEPS, box, box, device="cpu", n_envs=ENVS)
    for row in numbers.numpy():
        buffer.add(row, row, np.zeros(ENVS), np.zeros(ENVS), torch.zeros(ENVS, 1), torch.zeros(ENVS))
    sb3 = [[b.observations.view(-1).int().tolist() for b in buffer.get(ENVS * STEPS // PARTS)] for _ in range(2)]
    return {"rsl_rl": rsl, "skrl": skrl, "sb3": sb3}


@surprise(
    world="plain",
    group="learning",
    question="4 environments, 25 steps, 8 minibatches: 100 does not divide by 8. What do four libraries do?",
    guess="The same: a last minibatch that is smaller.",
    happens="rl-games {rl_games}; rsl-rl leaves {rsl_rl_left} samples out, for all passes of the update; skrl makes "
    "some minibatches larger ({skrl_sizes}); sb3 adds a ninth, of {sb3_last}.",
    why="Four ways to cut a list.",
    places=(
        Place("rl_games/common/a2c_common.py", "if self.batch_size % self.minibatch_size != 0:"),
        Place(STORAGE, "indices = torch.randperm(num_mini_batches * mini_batch_size"),
        Place("skrl/memories/torch/base.py", "batches = np.array_split(indexes, mini_batches)"),
        Place("stable_baselines3/common/buffers.py", "while start_idx < self.buffer_size * self.n_envs:"),
    ),
    todo="Let it divide, above all when you compare libraries.",
    packages=("rl-games", "rsl-rl-lib", "skrl", "stable-baselines3"),
    holds=lambda v: (
        v["rl_games"] == "refuses" and v["rsl_rl_left"] == 4 and v["skrl_sizes"] == "12 to 13" and v["sb3_last"] == 4
    ),
    guessed={"rl_games": "takes it", "rsl_rl_left": 0},
)
def batches_that_do_not_divide() -> Values:
    from tests.surprises import toy

    cut = passes()
    try:
        toy.rl_games_agent(ENVS, horizon_length=STEPS, minibatch_size=ENVS * STEPS // PARTS, seq_length=1)
        rl_games = "takes it"
    except ValueError:
        rl_games = "refuses"
    sizes = [len(part) for part in cut["skrl"][0]]
    return {
        "rl_games": rl_games,
        "rsl_rl_left": 100 - len({n for one in cut["rsl_rl"] for part in one for n in part}),
        "skrl_sizes": f"{min(sizes)} to {max(sizes)}",
        "sb3_last": len(cut["sb3"][0][-1]),
    }


@surprise(
    world="plain",
    group="learning",
    question="Eight passes over a batch. How often is it shuffled?",
    guess="Before every pass, as in any training with minibatches.",
    happens="skrl and sb3 before every pass, rsl-rl once for all passes ({rsl_rl}), rl-games never: its first "
    "minibatch holds {rl_games}.",
    why="rl-games cuts the batch as it lies, environment after environment; shuffling is there, off by default.",
    places=(
        Place("rl_games/common/datasets.py", "permute=False"),
        Place(STORAGE, "indices = torch.randperm(num_mini_batches * mini_batch_size"),
        Place("skrl/memories/torch/random.py", "indexes = torch.randperm(size"),
        Place("stable_baselines3/common/buffers.py", "indices = np.random.permutation("),
    ),
    todo="With few environments the minibatches of rl-games are few trajectories each: take more environments.",
    packages=("rl-games", "rsl-rl-lib", "skrl", "stable-baselines3"),
    holds=lambda v: (
        v["rsl_rl"] == "the same minibatches in every pass"
        and v["rl_games"] == "the whole trajectories of environments 0 and 1"
        and v["others"] == "new ones in every pass"
    ),
    guessed={"rsl_rl": "new ones in every pass", "rl_games": "samples of many environments"},
)
def who_shuffles() -> Values:
    import torch

    from tests.surprises import toy

    def kind(two: list[list[list[int]]]) -> str:
        return "the same minibatches in every pass" if two[0] == two[1] else "new ones in every pass"

    cut = passes()
    agent = toy.start(toy.rl_games_agent())
    with torch.no_grad():
        batch = agent.play_steps()
    batch.pop("played_frames")
    places = agent.experience_buffer.tensor_dict["obses"][:, :2, 0]  # steps by environments
    agent.prepare_dataset(batch)
    first = agent.dataset[0]["obs"][:, 0]
    whole = bool((first == places.transpose(0, 1).reshape(-1)).all())
    others = {kind(cut["skrl"]), kind(cut["sb3"])}
    return {
        "rsl_rl": kind(cut["rsl_rl"]),
        "rl_games": "the whole trajectories of environments 0 and 1" if whole else "samples of many environments",
        "others": others.pop() if len(others) == 1 else "both",
    }


def rsl_runner(**algorithm: Any) -> Any:
    """rsl-rl's runner with our settings, on the toy."""
    from importlib.metadata import version

    import torch
    from isaaclab_rl.rsl_rl.utils import handle_deprecated_rsl_rl_cfg
    from rsl_rl.runners import OnPolicyRunner
    from tensordict import TensorDict

    from cartpole_lab.session import quietly
    from cartpole_lab.tasks.agents.rsl_rl_ppo_cfg import CartpolePPORunnerCfg
    from tests.surprises.toy import LENGTH, Toy

    toy = Toy(16)

    class Vec:
        """The toy as rsl-rl wants it."""

        num_envs, num_actions, max_episode_length, device, cfg = 16, 1, LENGTH, "cpu", {}
        episode_length_buf = torch.zeros(16, dtype=torch.long)

        def get_observations(self) -> TensorDict:
            return TensorDict({"policy": toy.observe()}, batch_size=[16])

        def step(self, actions: torch.Tensor) -> tuple[Any, ...]:
            obs, reward, over = toy.step(actions)
            self.episode_length_buf = torch.where(over, 0, self.episode_length_buf + 1)
            return TensorDict({"policy": obs}, batch_size=[16]), reward, over.long(), {"time_outs": over}

    cfg = CartpolePPORunnerCfg()
    for name, value in algorithm.items():
        setattr(cfg.algorithm, name, value)
    cfg.actor.obs_normalization = cfg.critic.obs_normalization = True
    cfg.device = "cpu"
    torch.manual_seed(0)
    settings = handle_deprecated_rsl_rl_cfg(cfg, version("rsl-rl-lib")).to_dict()
    with quietly():
        return OnPolicyRunner(Vec(), settings, log_dir=None, device="cpu")


@surprise(
    world="plain",
    group="learning",
    question="rsl-rl with `obs_normalization=True`. What do the first rollout and the first update see?",
    guess="Normalised observations, with statistics that follow along.",
    happens="Raw ones: in the first update the network's input has a standard deviation of {first:.2f}, in the "
    "second of {second:.2f}.",
    why="Statistics are updated once, at the end of an update; until then they are mean 0 and deviation 1.",
    places=(Place(RSL, "self.actor.update_normalization(obs)"),),
    todo="Scale observations to about 1 yourself; then the first update does no harm.",
    packages=("rsl-rl-lib",),
    holds=lambda v: v["first"] > 2.0 and 0.5 < v["second"] < 1.5,
    guessed={"first": 1.0},
    close=0.2,
)
def rsl_rl_normalises_later() -> Values:
    from cartpole_lab.session import quietly

    runner = rsl_runner()
    seen: list[float] = []
    inside = runner.alg.actor.obs_normalizer
    runner.alg.actor.mlp.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, 0].std().item()))
    assert inside is not None
    update, marks = runner.alg.update, []

    def watched() -> Any:
        marks.append(len(seen))
        return update()

    runner.alg.update = watched
    with quietly():
        runner.learn(2)
    return {"first": seen[marks[0]], "second": seen[marks[1]]}


@surprise(
    world="plain",
    group="after",
    question="You go on with rsl-rl, `schedule: fixed` and a new learning rate of 1e-4 in the file. Which rate is "
    "used?",
    guess="1e-4: a fixed schedule takes what the file says.",
    happens="{used:.0e}, that of the checkpoint.",
    why="`load` reads the rate out of the optimizer's saved state, whatever the schedule.",
    places=(Place(RSL, 'self.learning_rate = self.optimizer.param_groups[0]["lr"]'),),
    todo="Set `runner.alg.optimizer.param_groups[0]['lr']` after loading, or load without the optimizer.",
    packages=("rsl-rl-lib",),
    holds=lambda v: abs(v["used"] - 1e-3) < 1e-9,
    guessed={"used": 1e-4},
)
def rsl_rl_keeps_the_rate() -> Values:
    saved = rsl_runner(schedule="fixed", learning_rate=1e-3).alg.save()
    again = rsl_runner(schedule="fixed", learning_rate=1e-4)
    again.alg.load(saved, None, True)
    return {"used": again.alg.optimizer.param_groups[0]["lr"]}


@surprise(
    world="plain",
    group="episodes",
    question="A training with rsl-rl starts. At which step of their episodes are the environments?",
    guess="At step 0, all of them, freshly reset.",
    happens="Anywhere: between {low} and {high} of {length}. The first episodes are cut short, and counted as "
    "time-outs.",
    why="Isaac Lab's settings have `init_at_random_ep_len=True`, so that resets do not come all at once.",
    places=(
        Place("isaaclab_rl/rsl_rl/rl_cfg.py", "init_at_random_ep_len: bool = True"),
        Place("rsl_rl/runners/on_policy_runner.py", "self.env.episode_length_buf = torch.randint_like("),
    ),
    todo="Ignore the first episode's worth of logged lengths and returns. Other libraries start together, which "
    "flatters their curves.",
    packages=("rsl-rl-lib", "isaaclab"),
    holds=lambda v: v["low"] < v["high"] and v["high"] > 4,
    guessed={"low": 0, "high": 0},
    close=1e9,
)
def rsl_rl_starts_in_the_middle() -> Values:
    from cartpole_lab.session import quietly
    from cartpole_lab.tasks.agents.rsl_rl_ppo_cfg import CartpolePPORunnerCfg

    runner = rsl_runner()
    with quietly():
        runner.learn(0, init_at_random_ep_len=CartpolePPORunnerCfg().init_at_random_ep_len)
    at = runner.env.episode_length_buf
    return {"low": int(at.min()), "high": int(at.max()), "length": runner.env.max_episode_length}


@surprise(
    world="plain",
    group="learning",
    question="skrl's `value_clip: 0.2`, and the value network is wrong by 5. Which way does it learn?",
    guess="Towards the return, a little more slowly: the clip limits the step.",
    happens="Not at all. After {epochs} passes its parameters have moved by {moved:g}; with `value_clip: 0` by "
    "{moved_without:.3f}.",
    why="The prediction itself is clipped to ±0.2 around the old one, and what is clipped has no gradient. rl-games "
    "and rsl-rl take the larger of the clipped and the unclipped loss, which has one.",
    places=(Place("skrl/agents/torch/ppo/ppo.py", "predicted_values - sampled_values, min=-self.cfg.value_clip"),),
    todo="Set `value_clip: 0`, or see to it that the values are normalised and cannot jump.",
    packages=("skrl",),
    holds=lambda v: v["moved"] == 0.0 and v["moved_without"] > 1e-3,
    guessed={"moved": 0.1},
    close=0.5,
)
def skrl_values_without_gradient() -> Values:
    return {"epochs": 8, "moved": skrl_update(0.2), "moved_without": skrl_update(0.0)}


def skrl_update(value_clip: float) -> float:
    """How far an update of skrl moves a value network whose predictions are 5 away from those in its memory."""
    import gymnasium as gym
    import numpy as np
    import torch
    from skrl.agents.torch.ppo import PPO
    from skrl.memories.torch import RandomMemory
    from skrl.models.torch import DeterministicMixin, GaussianMixin, Model

    class Policy(GaussianMixin, Model):
        """One layer, and a deviation of one."""

        def __init__(self, observations: Any, actions: Any) -> None:
            Model.__init__(self, observation_space=observations, action_space=actions, device="cpu")
            GaussianMixin.__init__(self)
            self.layer = torch.nn.Linear(2, 1)
            self.log_std = torch.nn.Parameter(torch.zeros(1))

        def compute(self, inputs: Any, role: str = "") -> Any:
            return self.layer(inputs["observations"]), {"log_std": self.log_std}

    class Value(DeterministicMixin, Model):
        """One layer."""

        def __init__(self, observations: Any, actions: Any) -> None:
            Model.__init__(self, observation_space=observations, action_space=actions, device="cpu")
            DeterministicMixin.__init__(self)
            self.layer = torch.nn.Linear(2, 1)

        def compute(self, inputs: Any, role: str = "") -> Any:
            return self.layer(inputs["observations"]), {}

    torch.manual_seed(0)
    box, act = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32), gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    models = {"policy": Policy(box, act), "value": Value(box, act)}
    memory = RandomMemory(memory_size=4, num_envs=4, device="cpu")
    settings = {"rollouts": 4, "value_clip": value_clip, "experiment": {"write_interval": 0, "checkpoint_interval": 0}}
    agent = PPO(
        models=models, memory=memory, cfg=settings, observation_space=box, action_space=act, device="cpu"
    )  # fmt: skip
    agent.init()
    with torch.no_grad():
        for _ in range(4):
            obs = torch.randn(4, 2)
            actions, outputs = models["policy"].act({"observations": obs}, role="policy")
            wrong = models["value"].act({"observations": obs}, role="value")[0] + 5.0
            memory.add_samples(
                observations=obs, actions=actions, rewards=torch.ones(4, 1), log_prob=outputs["log_prob"], values=wrong,
                terminated=torch.zeros(4, 1, dtype=torch.bool), truncated=torch.zeros(4, 1, dtype=torch.bool),
            )  # fmt: skip
    agent._current_next_observations = torch.randn(4, 2)
    before = [p.clone() for p in models["value"].parameters()]
    agent.enable_training_mode(True)
    agent.update(timestep=0, timesteps=1)
    return max((p - q).abs().max().item() for p, q in zip(models["value"].parameters(), before, strict=True))
