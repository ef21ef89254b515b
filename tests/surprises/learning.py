"""Learning libraries: what their settings mean, on a toy task of ten steps and on plain numbers."""

from __future__ import annotations

from tests.surprises.entry import Place, Values, surprise

COMMON = "rl_games/common/a2c_common.py"
AGENT = "rl_games/algos_torch/a2c_continuous.py"


@surprise(
    world="plain",
    group="learning",
    question="An episode ends by time. Which value does rl-games add, if you set nothing?",
    guess="None, until `value_bootstrap` is set; then the value of the last observation.",
    happens="It adds it by default, and it is the value of the observation *before* the step: reward {reward:.3f} "
    "became {shaped:.3f} with γ·V of {before:.3f}; γ·V after the step would be {after:.3f}.",
    why="The values of the step are those that were predicted when the action was chosen.",
    places=(
        Place(COMMON, "self.config.get('value_bootstrap', True)"),
        Place(COMMON, "shaped_rewards.add_(self.gamma * res_dict['values']"),
    ),
    todo="Fine for long episodes and short steps. With long steps, let the task give the last observation itself.",
    packages=("rl-games",),
    holds=lambda v: (
        v["default"] and abs(v["shaped"] - v["reward"] - v["before"]) < 1e-5 and abs(v["before"] - v["after"]) > 1e-3
    ),
    guessed={"default": False},
)
def rl_games_bootstraps_before_the_step() -> Values:
    import torch

    from tests.surprises import toy

    agent = toy.start(toy.rl_games_agent())
    seen = []
    step = agent.env_step

    def watched(actions):
        before = agent.get_action_values(agent.obs)["values"]
        out = step(actions)
        seen.append((before, out[1], out[3]["time_outs"], agent.get_values(out[0])))
        return out

    agent.env_step = watched
    with torch.no_grad():
        agent.play_steps()
    rewards = agent.experience_buffer.tensor_dict["rewards"]
    at = next(i for i, item in enumerate(seen) if item[2].all())
    before, reward, _, after = seen[at]
    return {
        "default": agent.value_bootstrap,
        "reward": reward[0, 0].item(),
        "shaped": rewards[at, 0, 0].item(),
        "before": agent.gamma * before[0, 0].item(),
        "after": agent.gamma * after[0, 0].item(),
    }


@surprise(
    world="plain",
    group="learning",
    question="`time_limit_bootstrap: False` in skrl: what is a time-out then?",
    guess="An end like a failure: nothing is added for what would have come.",
    happens="No end at all. Change the reward of the *next* episode's first step by 1, and the return of the step "
    "that timed out changes by {leak:.3f}; after a failure it changes by {after_failure:g}, and with `True` by "
    "{with_switch:g}.",
    why="Without the switch only `terminated` cuts the chain, so the advantage of the next episode flows back into "
    "this one. All {files} files of Isaac Lab's tasks that name the setting say `False`.",
    places=(
        Place("skrl/agents/torch/ppo/ppo.py", "not_done = ((terminated | truncated) if time_limit_bootstrap else"),
    ),
    todo="Set `time_limit_bootstrap: True`, as `cartpole_lab`'s file does.",
    packages=("skrl", "isaaclab"),
    holds=lambda v: v["leak"] > 0.5 and v["after_failure"] == 0 and v["with_switch"] == 0 and v["files"] > 10,
    guessed={"leak": 0.0},
)
def skrl_time_outs_are_no_ends() -> Values:
    import importlib.util
    from pathlib import Path

    import torch
    from skrl.agents.torch.ppo.ppo import compute_gae

    def change(*, failure: bool, switch: bool) -> float:
        """How much the return of step 1, the last of its episode, moves with the reward of step 2."""
        out = []
        for bonus in (0.0, 1.0):
            rewards = torch.tensor([1.0, 1.0, 1.0 + bonus, 1.0]).view(4, 1, 1)
            end = torch.tensor([False, True, False, False]).view(4, 1, 1)
            no = torch.zeros_like(end)
            returns, _ = compute_gae(
                rewards=rewards,
                terminated=end if failure else no,
                truncated=no if failure else end,
                values=torch.zeros(4, 1, 1),
                last_values=torch.zeros(1, 1),
                time_limit_bootstrap=switch,
            )
            out.append(returns[1, 0, 0].item())
        return out[1] - out[0]

    tasks = Path(next(iter(importlib.util.find_spec("isaaclab_tasks").submodule_search_locations)))
    texts = [path.read_text(encoding="utf-8") for path in tasks.rglob("skrl*.yaml")]
    named = [text for text in texts if "time_limit_bootstrap:" in text]
    return {
        "leak": change(failure=False, switch=False),
        "after_failure": change(failure=True, switch=False),
        "with_switch": change(failure=False, switch=True),
        "files": len(named) if all("time_limit_bootstrap: False" in text for text in named) else 0,
    }


@surprise(
    world="plain",
    group="learning",
    question="`critic_coef: 4` in rl-games. With what weight does the squared error of the value enter the loss?",
    guess="4.",
    happens="{weight:g}. Moving the loss of the value by 1 moves the whole by {weight:g}; `value_loss_scale` and "
    "`vf_coef` elsewhere have no such factor.",
    why="The sum has a factor of one half written into it.",
    places=(Place(AGENT, "loss = a_loss + 0.5 * c_loss * self.critic_coef"),),
    todo="Halve it when you carry settings from rl-games to another library.",
    packages=("rl-games",),
    holds=lambda v: abs(v["weight"] - 2.0) < 1e-4,
    guessed={"weight": 4.0},
)
def critic_coef_is_halved() -> Values:
    import torch

    from tests.surprises import toy

    agent = toy.rl_games_agent(clip_value=False, critic_coef=4)

    def whole(error: float) -> float:
        n = 8
        zero = torch.zeros(n)
        values = torch.full((n, 1), error**0.5)
        loss = agent.calc_losses(
            agent.actor_loss_func, zero, zero, zero, 0.2, torch.zeros(n, 1), values, torch.zeros(n, 1),
            torch.zeros(n, 1), zero, None,
        )[0]  # fmt: skip
        return float(loss)

    return {"weight": whole(1.0) - whole(0.0)}


@surprise(
    world="plain",
    group="learning",
    question="The first minibatch of an update, before any gradient step. What is its ratio of probabilities, new to "
    "old?",
    guess="Exactly 1: nothing has been learnt yet.",
    happens="1 within {plain:.0e}, without `normalize_input`. With it, up to {largest:.2f} off, and a KL divergence "
    "of {kl:.3f}: several times the threshold of 0.008 to which the learning rate adapts.",
    why="rl-games updates the statistics of the observations in the forward pass of training, so the same policy "
    "sees other numbers than when it acted.",
    places=(
        Place(COMMON, "self.model.running_mean_std.eval()"),
        Place("rl_games/algos_torch/models.py", "return self.running_mean_std(observation) if self.normalize_input"),
    ),
    todo="Expect a low learning rate in the first epochs, until the statistics settle.",
    packages=("rl-games",),
    holds=lambda v: v["plain"] < 1e-5 and v["largest"] > 0.05 and v["kl"] > 0.008,
    guessed={"largest": 0.0, "kl": 0.0},
    close=0.3,
)
def the_first_ratio_is_not_one() -> Values:
    import torch

    from tests.surprises import toy

    def first(normalize: bool) -> tuple[float, float]:
        agent = toy.start(toy.rl_games_agent(normalize_input=normalize))
        agent.set_eval()
        with torch.no_grad():
            batch = agent.play_steps()
        batch.pop("played_frames")
        agent.set_train()
        agent.prepare_dataset(batch)
        part = agent.dataset[0]
        res = agent.model({"is_train": True, "prev_actions": part["actions"], "obs": part["obs"]})
        ratio = torch.exp(part["old_logp_actions"] - res["prev_neglogp"].detach())
        from rl_games.algos_torch.torch_ext import policy_kl

        kl = policy_kl(res["mus"].detach(), res["sigmas"].detach(), part["mu"], part["sigma"])
        return (ratio - 1).abs().max().item(), kl.item()

    largest, kl = first(True)
    return {"plain": max(first(False)[0], 1e-7), "largest": largest, "kl": kl}


@surprise(
    world="plain",
    group="learning",
    question="rl-games prints a KL divergence and adapts the learning rate to it. Between which policies?",
    guess="The one that acted and the one after the update.",
    happens="Between one pass over the batch and the next. The largest of {passes} passes has {step:.4f}; from the "
    "policy that acted to the last one it is {whole:.4f}, {times:.1f} times as much.",
    why="After every minibatch the stored means and deviations are replaced by the new ones.",
    places=(
        Place(COMMON, "self.dataset.update_mu_sigma(cmu, csigma)"),
        Place("rl_games/common/datasets.py", "self.values_dict['mu'][start:end] = mu"),
    ),
    todo="`kl_threshold` is for a pass. rsl-rl's `desired_kl` is measured from the policy that acted: the same "
    "number there is a tighter leash.",
    packages=("rl-games",),
    holds=lambda v: v["times"] > 2.0,
    guessed={"times": 1.0},
    close=0.4,
)
def the_kl_is_of_one_pass() -> Values:
    import torch
    from rl_games.algos_torch.torch_ext import policy_kl

    from tests.surprises import toy

    agent = toy.start(toy.rl_games_agent(lr_schedule="identity", learning_rate=1e-3))
    acted = []
    prepare = agent.prepare_dataset

    def prepared(batch):
        prepare(batch)
        acted.append({name: agent.dataset.values_dict[name].clone() for name in ("mu", "sigma", "obs")})

    agent.prepare_dataset = prepared
    out = agent.train_epoch()
    kls = [float(kl) for kl in out[8]]
    with torch.no_grad():
        res = agent.model({"is_train": False, "prev_actions": None, "obs": acted[0]["obs"]})
    whole = policy_kl(res["mus"], res["sigmas"], acted[0]["mu"], acted[0]["sigma"]).item()
    return {"passes": len(kls), "step": max(kls), "whole": whole, "times": whole / max(kls)}


@surprise(
    world="plain",
    group="learning",
    question="Four libraries normalise an observation whose standard deviation is 0.001. What does the policy see of "
    "a typical value?",
    guess="About 1, in all four: that is what normalising means.",
    happens="rl-games {rl_games:.2f}, rsl-rl {rsl_rl:.2f}, skrl {skrl:.2f}, sb3 {sb3:.2f}.",
    why="Each adds a small number to be safe: 1e-5 to the variance (rl-games), 1e-2 to the deviation (rsl-rl), 1e-8 "
    "to the deviation (skrl) or to the variance (sb3).",
    places=(
        Place("rl_games/algos_torch/running_mean_std.py", "epsilon=1e-05"),
        Place("rsl_rl/modules/normalization.py", "eps: float = 1e-2"),
        Place("skrl/resources/preprocessors/torch/running_standard_scaler.py", "epsilon: float = 1e-8"),
        Place("stable_baselines3/common/vec_env/vec_normalize.py", "epsilon: float = 1e-8"),
    ),
    todo="Give observations in units in which they are about 1: centimetres or milliradians, where metres are too "
    "large.",
    packages=("rl-games", "rsl-rl-lib", "skrl", "stable-baselines3"),
    holds=lambda v: v["rl_games"] < 0.4 and v["rsl_rl"] < 0.12 and v["skrl"] > 0.9 and v["sb3"] > 0.9,
    guessed={"rl_games": 1.0, "rsl_rl": 1.0},
)
def small_observations_vanish() -> Values:
    return {name: seen(0.001) for name, seen in normalisers().items()}


def normalisers():
    """By library: what becomes of a value of one standard deviation, or of ``times`` as many."""
    import numpy as np
    import torch

    chance = torch.Generator().manual_seed(0)
    noise = torch.randn(200_000, 1, generator=chance)
    noise = (noise - noise.mean()) / noise.std()

    def rl_games(deviation: float, times: float = 1.0) -> float:
        from rl_games.algos_torch.running_mean_std import RunningMeanStd

        from cartpole_lab.session import quietly

        with quietly():
            scaler = RunningMeanStd((1,))
        scaler.train()
        scaler.count.fill_(1e-9)  # forget the first guess of a variance of one
        scaler(deviation * noise)
        scaler.eval()
        return scaler(torch.tensor([[times * deviation]])).item()

    def rsl_rl(deviation: float, times: float = 1.0) -> float:
        from rsl_rl.modules.normalization import EmpiricalNormalization

        scaler = EmpiricalNormalization(1)
        scaler.update(deviation * noise)
        return scaler(torch.tensor([[times * deviation]])).item()

    def skrl(deviation: float, times: float = 1.0) -> float:
        from skrl.resources.preprocessors.torch import RunningStandardScaler

        scaler = RunningStandardScaler(size=1, device="cpu")
        scaler.current_count.fill_(1e-9)
        scaler(deviation * noise, train=True)
        return scaler(torch.tensor([[times * deviation]])).item()

    def sb3(deviation: float, times: float = 1.0) -> float:
        import gymnasium as gym
        from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

        scaler = VecNormalize(DummyVecEnv([lambda: gym.make("Pendulum-v1")]))
        scaler.obs_rms.update((deviation * noise).numpy().repeat(3, axis=1))
        return float(scaler.normalize_obs(np.full((1, 3), times * deviation, np.float32))[0, 0])

    return {"rl_games": rl_games, "rsl_rl": rsl_rl, "skrl": skrl, "sb3": sb3}


@surprise(
    world="plain",
    group="learning",
    question="And a value 50 standard deviations away, such as a pole that spins?",
    guess="50, everywhere.",
    happens="rl-games {rl_games:.1f}, skrl {skrl:.1f}, sb3 {sb3:.1f}, rsl-rl {rsl_rl:.1f}.",
    why="Three of the four clip what they have normalised, at 5, 5 and 10 deviations.",
    places=(
        Place("rl_games/algos_torch/running_mean_std.py", "y = torch.clamp(y, min=-5.0, max=5.0)"),
        Place("skrl/resources/preprocessors/torch/running_standard_scaler.py", "clip_threshold: float = 5.0"),
        Place("stable_baselines3/common/vec_env/vec_normalize.py", "clip_obs: float = 10.0"),
    ),
    todo="An exported policy needs the clip too. For rsl-rl clip in the observation term if you want one.",
    packages=("rl-games", "rsl-rl-lib", "skrl", "stable-baselines3"),
    holds=lambda v: v["rl_games"] == 5.0 and v["skrl"] == 5.0 and v["sb3"] == 10.0 and v["rsl_rl"] > 45.0,
    guessed={"rl_games": 50.0, "skrl": 50.0, "sb3": 50.0},
)
def outliers_are_clipped() -> Values:
    return {name: seen(1.0, 50.0) for name, seen in normalisers().items()}


@surprise(
    world="plain",
    group="learning",
    question="`seed: 0` in rl-games. Are two runs alike?",
    guess="Yes, as with any other seed.",
    happens="Not by its doing: after `seed: 0` two runners draw {zero_first:.4f} and {zero_second:.4f}, after `seed: "
    "1` both draw {one:.4f}.",
    why="The runner asks `if self.seed:`, and 0 is false.",
    places=(Place("rl_games/torch_runner.py", "if self.seed:"),),
    todo="Seed with 1 or more, or seed yourself. `cartpole-lab train` does.",
    packages=("rl-games",),
    holds=lambda v: not v["alike"] and v["same"],
    guessed={"alike": True},
    close=1e9,
)
def seed_zero_seeds_nothing() -> Values:
    import torch
    from rl_games.torch_runner import Runner

    from cartpole_lab.session import quietly

    def draw(seed: int) -> float:
        with quietly():
            Runner().load(
                {"params": {"seed": seed, "algo": {"name": "a2c_continuous"}, "config": {"reward_shaper": {}}}}
            )
        return torch.rand(1).item()

    torch.manual_seed(123)
    zero = [draw(0), draw(0)]
    one = [draw(1), draw(1)]
    return {
        "zero_first": zero[0],
        "zero_second": zero[1],
        "one": one[0],
        "alike": zero[0] == zero[1],
        "same": one[0] == one[1],
    }


@surprise(
    world="plain",
    group="learning",
    question="From where on does rl-games penalise a mean action, with `bounds_loss_coef`?",
    guess="From ±1 on, where the environment clips.",
    happens="From ±1.1 on: the loss is {at_105:g} at 1.05, {at_12:.2f} at 1.2 and {at_2:.2f} at 2. rsl-rl, skrl and "
    "sb3 have no such term.",
    why="A soft bound of 1.1 is written into it.",
    places=(Place(AGENT, "soft_bound = 1.1"),),
    todo="A policy that ends up at full push hangs between 1.0 and 1.1, where nothing pulls it back.",
    packages=("rl-games",),
    holds=lambda v: v["at_105"] == 0.0 and v["at_12"] > 0 and abs(v["at_2"] - 0.81) < 1e-3,
    guessed={"at_105": 0.0025},
)
def the_bound_is_beyond_one() -> Values:
    import torch

    from tests.surprises import toy

    agent = toy.rl_games_agent()
    return {
        f"at_{name}": agent.bound_loss(torch.tensor([[mean]])).item()
        for name, mean in (("105", 1.05), ("12", 1.2), ("2", 2.0))
    }


@surprise(
    world="plain",
    group="learning",
    question="`e_clip: 0.2`. How far do the ratios of probabilities get from 1?",
    guess="Hardly beyond 0.8 to 1.2: they are clipped.",
    happens="Up to {largest:.2f}; {outside:.0%} of the samples end outside.",
    why="The clip takes the gradient of such a sample away, not the sample back: others pull the same weights on.",
    places=(Place("rl_games/common/common_losses.py", "torch.clamp(ratio"),),
    todo="Watch the KL divergence, not the clip. Fewer passes, a smaller learning rate or larger minibatches hold "
    "ratios together.",
    packages=("rl-games",),
    holds=lambda v: v["largest"] > 1.4 and v["outside"] > 0.02,
    guessed={"largest": 1.2, "outside": 0.0},
    close=0.5,
)
def ratios_leave_the_clip() -> Values:
    import torch

    from tests.surprises import toy

    agent = toy.start(
        toy.rl_games_agent(num_envs=64, lr_schedule="identity", learning_rate=3e-3, normalize_advantage=True)
    )
    acted = []
    prepare = agent.prepare_dataset

    def prepared(batch):
        prepare(batch)
        acted.append({name: agent.dataset.values_dict[name].clone() for name in ("old_logp_actions", "actions", "obs")})

    agent.prepare_dataset = prepared
    agent.train_epoch()
    old = acted[0]
    with torch.no_grad():
        res = agent.model({"is_train": True, "prev_actions": old["actions"], "obs": old["obs"]})
    ratio = torch.exp(old["old_logp_actions"] - res["prev_neglogp"])
    return {"largest": ratio.max().item(), "outside": ((ratio - 1).abs() > 0.2).float().mean().item()}
