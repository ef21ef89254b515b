"""Resets, ends and what is logged, on Isaac Lab with Newton."""

from __future__ import annotations

from tests.surprises.entry import Place, Values, surprise

ENV = "isaaclab/envs/manager_based_rl_env.py"
TERMS = "isaaclab/envs/mdp/events.py"
PACKAGES = ("isaaclab", "newton")


@surprise(
    world="newton",
    group="episodes",
    question="A fresh environment is reset. How fast do the carts start?",
    guess="At random, as the configuration says: between −0.5 and 0.5 m/s.",
    happens="The first reset gives {first:g} m/s to all {carts} carts. The second gives up to {second:.2f} m/s.",
    why="The reset clamps velocities to the joints' soft limits, and those are zeros until something has been "
    "written to the simulation for the first time.",
    places=(
        Place("isaaclab_newton/assets/articulation/articulation_data.py", "self._soft_joint_vel_limits = wp.zeros("),
        Place(TERMS, "joint_vel = joint_vel.clamp_(-joint_vel_limits", after="def reset_joints_by_offset"),
    ),
    todo="Step once, or call `env.scene.write_data_to_sim()`, before the first reset that matters. `make_env` does.",
    packages=PACKAGES,
    holds=lambda v: v["first"] == 0.0 and 0.3 < v["second"] <= 0.5,
    guessed={"first": 0.48},
)
def first_reset_has_no_velocity() -> Values:
    from tests.surprises import isaac_lab

    env = isaac_lab.make(isaac_lab.config("newton", num_envs=64))
    env.reset()
    first = isaac_lab.state(env)[1][:, 0].abs().max().item()
    isaac_lab.idle(env, 1)
    env.reset()
    return {"first": first, "second": isaac_lab.state(env)[1][:, 0].abs().max().item(), "carts": 64}


@surprise(
    world="newton",
    group="episodes",
    question="You keep the rewards of ten steps in a list. What is in it?",
    guess="Ten tensors with ten steps' rewards.",
    happens="Ten times the same tensor: {different} different value in {steps} entries. `terminated` and `truncated` "
    "are such tensors too; the observations are not.",
    why="The manager hands out the buffer that it fills anew at the next step.",
    places=(Place("isaaclab/managers/reward_manager.py", "return self._reward_buf"),),
    todo="`.clone()` what you keep, and what you change: skrl adds its bootstrap into that very buffer.",
    packages=PACKAGES,
    holds=lambda v: v["different"] == 1 and v["observations"] == v["steps"] and v["ends_shared"],
    guessed={"different": 10},
)
def rewards_are_one_buffer() -> Values:
    from tests.surprises import isaac_lab

    env = isaac_lab.make(isaac_lab.config("newton"))
    env.reset()
    rewards, observations, ends = [], [], []
    import torch

    for _ in range(10):
        obs, reward, terminated, _, _ = env.step(torch.ones(4, 1))
        rewards.append(reward)
        observations.append(obs["policy"])
        ends.append(terminated)
    return {
        "steps": 10,
        "different": len({r[0].item() for r in rewards}),
        "observations": len({tuple(o[0].tolist()) for o in observations}),
        "ends_shared": len({e.data_ptr() for e in ends}) == 1,
    }


@surprise(
    world="newton",
    group="episodes",
    question="What does `Episode_Reward/alive` say of episodes that ended after one second?",
    guess="1: a point a second, for one second. Or 1 again, as the mean a second.",
    happens="{logged:.3f}. The sum of {paid:.2f} is divided by the {limit:g} s that an episode may last, not by "
    "those it lasted.",
    why="One number divides all: `max_episode_length_s`.",
    places=(
        Place("isaaclab/managers/reward_manager.py", "torch.mean(self._episode_sum_buf[env_ids], dim=0) / self._env"),
    ),
    todo="Multiply by `episode_length_s` for the sum. A curve that rises may only mean that episodes last longer.",
    packages=PACKAGES,
    holds=lambda v: abs(v["logged"] - v["paid"] / v["limit"]) < 1e-3 and v["paid"] > 0.9,
    guessed={"logged": 1.0},
)
def episode_reward_is_over_the_longest_episode() -> Values:
    from tests.surprises import isaac_lab

    env = isaac_lab.make(isaac_lab.config("newton", spread=False))
    env.reset()
    isaac_lab.idle(env, 60)
    paid = env.reward_manager.get_term_cfg("alive").weight * 60 * env.step_dt
    env.reset()
    return {"logged": env.extras["log"]["Episode_Reward/alive"].item(), "paid": paid, "limit": env.max_episode_length_s}


@surprise(
    world="newton",
    group="episodes",
    question='An environment ends. For how long does `info["log"]` speak of it?',
    guess="For that step; a step without an end has no log, or an empty one.",
    happens="Until the next end. {steps} steps after the reset the same {keys} numbers are still there, unchanged.",
    why="`extras` is one dictionary, and its log is made anew in `_reset_idx` alone.",
    places=(Place(ENV, 'self.extras["log"] = dict()'),),
    todo="Take the log at steps with an end only, or count every number as often as it is repeated: a mean over all "
    "steps gives the last episodes before a pause a large weight.",
    packages=PACKAGES,
    holds=lambda v: v["same"] and v["keys"] > 5,
    guessed={"same": False},
)
def the_log_stays() -> Values:
    from tests.surprises import isaac_lab

    env = isaac_lab.make(isaac_lab.config("newton"))
    env.reset()
    first = {key: float(value) for key, value in env.extras["log"].items()}
    isaac_lab.idle(env, 20)
    last = {key: float(value) for key, value in env.extras["log"].items()}
    return {"same": first == last, "steps": 20, "keys": len(last)}


@surprise(
    world="newton",
    group="episodes",
    question="A start position of 4.5 m is asked for, beyond the rail's end. What happens?",
    guess="An error, or a cart that stands at 4.5 m.",
    happens="The cart is put at {start:.4f} m without a word. The bounds of the task are ±3 m, so that episode ends "
    "at step {ends_at}, and so does the next, for ever.",
    why="`reset_joints_by_offset` clamps to the soft limits of the joint.",
    places=(Place(TERMS, "joint_pos = joint_pos.clamp_(", after="def reset_joints_by_offset"),),
    todo="Compare the range with the bounds of your own terminations; look at the mean episode length early.",
    packages=PACKAGES,
    holds=lambda v: abs(v["start"] - 4.0) < 1e-3 and v["ends_at"] == 1,
    guessed={"start": 4.5},
)
def starts_are_clamped_silently() -> Values:
    import torch

    from tests.surprises import isaac_lab

    cfg = isaac_lab.config("newton", spread=False)
    cfg.events.reset_cart_position.params["position_range"] = (4.5, 4.5)
    env = isaac_lab.make(cfg)
    env.reset()
    start = isaac_lab.state(env)[0][0, 0].item()
    ends_at = 0
    for step in range(1, 6):
        _, _, terminated, _, _ = env.step(torch.zeros(4, 1))
        if terminated.all() and not ends_at:
            ends_at = step
    return {"start": start, "ends_at": ends_at}


@surprise(
    world="newton",
    group="episodes",
    question="The cart leaves the rail in the very step in which the time is up. Which flag is set?",
    guess="One of the two; a failure is a failure.",
    happens="Both: `terminated` is {terminated}, `truncated` is {truncated}, and the wrapper for rl-games hands on "
    "the time-out ({handed}), so the value of the state before the failure is added to its reward.",
    why="The two masks are filled independently, and only one of them decides about the bootstrap.",
    places=(
        Place("isaaclab/managers/termination_manager.py", "self._truncated_buf |= value"),
        Place("isaaclab_rl/rl_games/rl_games.py", 'extras["time_outs"] = truncated'),
    ),
    todo="Where it matters, count a time-out as `truncated & ~terminated`.",
    packages=(*PACKAGES, "rl-games"),
    holds=lambda v: v["terminated"] and v["truncated"] and v["handed"],
    guessed={"truncated": False, "handed": False},
)
def both_ends_at_once() -> Values:
    import torch
    from isaaclab_rl.rl_games import RlGamesVecEnvWrapper

    from tests.surprises import isaac_lab

    env = isaac_lab.make(isaac_lab.config("newton", spread=False))
    env.reset()
    wrapped = RlGamesVecEnvWrapper(env, "cpu", 100.0, 1.0)
    isaac_lab.put(env, (2.99, 0.0), (9.0, 0.0))
    env.episode_length_buf[:] = env.max_episode_length - 1
    _, _, _, extras = wrapped.step(torch.zeros(4, 1))
    return {
        "terminated": bool(env.reset_terminated.all()),
        "truncated": bool(env.reset_time_outs.all()),
        "handed": bool(extras["time_outs"].all()),
    }


@surprise(
    world="newton",
    group="episodes",
    question="An event with `interval_range_s=(3.0, 3.0)`: at which step does it act, at 60 steps a second?",
    guess="At step 180, before that step's reward. After a reset at step 100 it goes on counting.",
    happens="After step {first}, when that step's reward is already counted. After a reset at step {reset_at} the "
    "next comes at step {second}: the clock starts again, and the step of the reset counts.",
    why="The time left is counted down by 1/60 in single precision and compared with 1e-6 seconds; it is applied "
    "after rewards and resets; a reset of the environment draws a new interval.",
    places=(
        Place("isaaclab/managers/event_manager.py", "time_left -= dt"),
        Place(ENV, 'self.event_manager.apply(mode="interval", dt=self.step_dt)'),
    ),
    todo="Give a range, not a point, and expect the effect in the reward of the step after. "
    "`is_global_time=True` keeps the clock going.",
    packages=PACKAGES,
    holds=lambda v: v["first"] == 181 and v["second"] == 280 and v["at_reward"] == 0.0,
    guessed={"first": 180, "second": 181},
)
def interval_events_come_late() -> Values:
    import torch
    from isaaclab.managers import EventTermCfg

    from tests.surprises import isaac_lab

    seen: list[int] = []

    def note(env, env_ids):
        seen.append(env.common_step_counter)
        env.scene["robot"].write_joint_velocity_to_sim_index(velocity=torch.full((env.num_envs, 2), 1.5))

    def run(reset_at: int | None) -> tuple[int, float]:
        seen.clear()
        cfg = isaac_lab.config("newton", num_envs=2, spread=False)
        cfg.episode_length_s = 20.0
        cfg.terminations.cart_out_of_bounds.params["bounds"] = (-1e9, 1e9)
        cfg.rewards.cart_vel.weight = -1.0
        for name in ("alive", "terminating", "pole_pos", "pole_vel"):
            getattr(cfg.rewards, name).weight = 0.0
        cfg.events.kick = EventTermCfg(func=note, mode="interval", interval_range_s=(3.0, 3.0))
        env = isaac_lab.make(cfg)
        env.reset()
        reward = 0.0
        for step in range(1, 300):
            if step == reset_at:
                env.episode_length_buf[:] = env.max_episode_length - 1
            reward = env.step(torch.zeros(2, 1))[1][0].item()
            if seen:
                break
        return seen[0], reward

    first, at_reward = run(None)
    second, _ = run(100)
    return {"first": first, "second": second, "reset_at": 100, "at_reward": round(at_reward, 4)}
