"""Motors, limits, orders and noise, on Isaac Lab."""

from __future__ import annotations

from tests.surprises.entry import ENGINES, Place, Values, surprise

PACKAGES = ("isaaclab", "newton")


@surprise(
    world="newton",
    group="motors",
    question="`IdealPDActuatorCfg(joint_effort_limit=400)`, and 800 N are sent. How much acts?",
    guess="400 N: it is the effort limit of the joint.",
    happens="All 800 N: the cart has {joint:.1f} m/s after one step. With `actuator_effort_limit=400` it has "
    "{actuator:.1f} m/s, as with 400 N sent ({half:.1f} m/s).",
    why="An explicit actuator clips by the limit of the motor's model, and that is infinite unless it is given. The "
    "other one is for the engine, whose own drive is idle here.",
    places=(
        Place("isaaclab/actuators/actuator_base.py", "actuator_effort_limit = torch.inf"),
        Place("isaaclab/actuators/actuator_base.py", "return torch.clip(effort, min=-self.actuator_effort_limit"),
    ),
    todo="For explicit actuators set `actuator_effort_limit`.",
    packages=PACKAGES,
    holds=lambda v: v["joint"] > 1.8 * v["half"] and abs(v["actuator"] - v["half"]) < 0.05 * v["half"],
    guessed={"joint": 5.2},
)
def joint_effort_limit_clips_nothing() -> Values:
    from isaaclab.actuators import IdealPDActuatorCfg

    from tests.surprises import isaac_lab

    def speed(action: float, **limit: float) -> float:
        cfg = isaac_lab.config("newton", num_envs=1, spread=False)
        cfg.scene.robot.actuators["cart_actuator"] = IdealPDActuatorCfg(
            joint_names_expr=["slider_to_cart"], stiffness=0.0, damping=10.0, **limit
        )
        return push(isaac_lab.make(cfg), action)

    return {
        "joint": speed(8.0, joint_effort_limit=400.0),
        "actuator": speed(8.0, actuator_effort_limit=400.0),
        "half": speed(4.0, actuator_effort_limit=400.0),
    }


def push(env, action: float) -> float:
    """Speed of the cart [m/s] after one step from rest with this action."""
    import torch

    from tests.surprises import isaac_lab

    env.reset()
    env.step(torch.full((env.num_envs, 1), action))
    return isaac_lab.state(env)[1][0, 0].item()


@surprise(
    world=ENGINES,
    group="motors",
    question="The cart's implicit actuator has a limit of 400 N. 800 N are sent. What does `applied_torque` say?",
    guess="What acts on the cart. Whether that is 400 or 800 N, the number is the right one.",
    happens="It says {newton_applied:.0f} N on Newton and {ovphysx_applied:.0f} N on ovphysx, while the cart moves "
    "as 800 N move it: {newton_speed:.1f} and {ovphysx_speed:.1f} m/s after a step, against {newton_half:.1f} and "
    "{ovphysx_half:.1f} m/s for 400 N.",
    why="For an implicit actuator Isaac Lab estimates and clips a number to show; the effort itself goes to the "
    "engine unclipped, and the engine's limit binds its own drive alone.",
    places=(Place("isaaclab/actuators/actuator_pd.py", "self.applied_effort = self._clip_effort("),),
    todo="Do not train on `applied_torque` of implicit actuators. Clip the action where it is made: `clip_actions`.",
    packages=("isaaclab", "newton", "ovphysx"),
    holds=lambda v: all(
        v[f"{e}_applied"] == 400.0 and v[f"{e}_speed"] > 1.8 * v[f"{e}_half"] for e in ("newton", "ovphysx")
    ),
    guessed={"newton_applied": 800.0, "ovphysx_applied": 800.0},
)
def applied_torque_is_an_estimate(engine: str) -> Values:
    from tests.surprises import isaac_lab

    env = isaac_lab.make(isaac_lab.config(engine, num_envs=1, spread=False))
    speed = push(env, 8.0)
    applied = env.scene["robot"].data.applied_torque.torch[0, 0].item()
    return {"applied": applied, "speed": speed, "half": push(env, 4.0)}


@surprise(
    world="newton",
    group="motors",
    question="An action term has `scale=100` and `clip=(-1, 1)`. How hard can it push?",
    guess="100 N: the policy's output is clipped to ±1, then scaled.",
    happens="{effort:g} N. The clip comes after the scale.",
    why="Processed actions are raw actions times scale plus offset, and those are clamped.",
    places=(Place("isaaclab/envs/mdp/actions/joint_actions.py", "self._processed_actions.clamp_("),),
    todo="Give the clip in newtons: `clip={'slider_to_cart': (-100.0, 100.0)}`.",
    packages=PACKAGES,
    holds=lambda v: v["effort"] == 1.0,
    guessed={"effort": 100.0},
)
def action_clip_is_after_the_scale() -> Values:
    from tests.surprises import isaac_lab

    cfg = isaac_lab.config("newton", num_envs=1, spread=False)
    cfg.actions.joint_effort.clip = {"slider_to_cart": (-1.0, 1.0)}
    env = isaac_lab.make(cfg)
    push(env, 1.0)
    return {"effort": env.action_manager.get_term("joint_effort").processed_actions[0, 0].item()}


@surprise(
    world="newton",
    group="motors",
    question='`joint_names=["cart_to_pole", "slider_to_cart"]` in an action or observation term. Which is number 0?',
    guess="The pole: the list is in that order.",
    happens="The cart, in both: the action (1, 0) pushes the cart with {cart:g} N and turns the pole with {pole:g} N "
    "m; the second observed number is the {observed}.",
    why="Names are matched against the robot's own order of joints unless `preserve_order` is set, which both leave "
    "out.",
    places=(
        Place("isaaclab/envs/mdp/actions/actions_cfg.py", "preserve_order: bool = False"),
        Place("isaaclab/managers/scene_entity_cfg.py", "preserve_order: bool = False"),
    ),
    todo="Set `preserve_order=True` wherever the order of your list matters, such as for a policy from elsewhere.",
    packages=PACKAGES,
    holds=lambda v: v["cart"] == 100.0 and v["pole"] == 0.0 and v["observed"] == "pole",
    guessed={"cart": 0.0, "pole": 100.0, "observed": "cart"},
)
def names_do_not_order() -> Values:
    import torch
    from isaaclab.managers import SceneEntityCfg

    from tests.surprises import isaac_lab

    names = ["cart_to_pole", "slider_to_cart"]
    cfg = isaac_lab.config("newton", num_envs=1, spread=False)
    cfg.actions.joint_effort.joint_names = names
    cfg.observations.policy.joint_pos_rel.params = {"asset_cfg": SceneEntityCfg("robot", joint_names=names)}
    env = isaac_lab.make(cfg)
    env.reset()
    isaac_lab.put(env, (0.0, 0.3), (0.0, 0.0))
    second = env.observation_manager.compute()["policy"][0, 1].item()
    env.step(torch.tensor([[1.0, 0.0]]))
    cart, pole = env.scene["robot"].data.joint_effort_target.torch[0].tolist()
    return {"cart": cart, "pole": pole, "observed": "pole" if abs(second - 0.3) < 1e-3 else "cart"}


@surprise(
    world="newton",
    group="motors",
    question="An observation has noise of ±0.1 and `scale=10`, and `clip=(-1, 1)`. How far does the noise move the "
    "number?",
    guess="By ±0.1 at most: noise is put on what the policy gets, and nothing leaves ±1.",
    happens="By up to {noise:.2f}, and numbers up to {largest:.1f} come out of a clip at 1.",
    why="Noise, then clip, then scale: noise and clip are in the unit of the measured thing, and are scaled with it.",
    places=(Place("isaaclab/managers/observation_manager.py", "obs = obs.mul_(term_cfg.scale) if owned"),),
    todo="Give noise and clip in metres and radians. Clip the scaled number in the library's wrapper.",
    packages=PACKAGES,
    holds=lambda v: 0.5 < v["noise"] <= 1.0 and abs(v["largest"] - 10.0) < 1e-3,
    guessed={"noise": 0.1, "largest": 1.0},
)
def noise_is_scaled_too() -> Values:
    from isaaclab.utils.noise import UniformNoiseCfg

    from tests.surprises import isaac_lab

    cfg = isaac_lab.config("newton", num_envs=64, spread=False)
    term = cfg.observations.policy.joint_pos_rel
    term.noise, term.scale, term.clip = UniformNoiseCfg(n_min=-0.1, n_max=0.1), 10.0, (-1.0, 1.0)
    cfg.observations.policy.enable_corruption = True
    env = isaac_lab.make(cfg)
    env.reset()
    quiet = env.observation_manager.compute()["policy"][:, 0].abs().max().item()
    isaac_lab.put(env, (2.0, 0.0), (0.0, 0.0))
    return {"noise": quiet, "largest": env.observation_manager.compute()["policy"][:, 0].max().item()}


@surprise(
    world="newton",
    group="motors",
    question="A group with `history_length=3` is flattened to 12 numbers. How are they ordered?",
    guess="Three observations of four numbers, one after the other; at the start of an episode the old ones are zero.",
    happens="Term by term: three pairs of positions, then three pairs of velocities, oldest first. After a reset all "
    "three are copies of the first observation ({first}).",
    why="Every term has a buffer of its own, which is flattened before the terms are joined, and the first entry of "
    "an episode fills it.",
    places=(
        Place("isaaclab/managers/observation_manager.py", "if term_cfg.flatten_history_dim:"),
        Place("isaaclab/utils/buffers/circular_buffer.py", "is_first_push = self._num_pushes == 0"),
    ),
    todo='Set `history_order="time"` on the group for whole frames. Ports of a policy have to keep the order.',
    packages=PACKAGES,
    holds=lambda v: v["order"] == "by term" and v["copies"],
    guessed={"order": "by time"},
)
def history_is_by_term() -> Values:
    import torch

    from tests.surprises import isaac_lab

    cfg = isaac_lab.config("newton", num_envs=1)
    cfg.observations.policy.history_length = 3
    env = isaac_lab.make(cfg)
    env.reset()
    env.step(torch.zeros(1, 1))
    obs, _ = env.reset()
    first = obs["policy"][0]
    frames = first.reshape(6, 2)
    copies = bool((frames[0] == frames[1]).all() and (frames[3] == frames[4]).all() and (frames[0] != frames[3]).any())
    obs = env.step(torch.ones(1, 1))[0]["policy"][0]
    by_term = bool((obs[:4] == first[:4]).all() and (obs[6:10] == first[6:10]).all() and (obs[4:6] != first[4:6]).any())
    return {
        "order": "by term" if by_term else "by time",
        "copies": copies,
        "first": f"{first[0].item():.2f} m three times",
    }


@surprise(
    world="newton",
    group="motors",
    question="A reward term with weight 0 that writes something down. Is it called?",
    guess="Yes: its value is multiplied by 0, as with any other weight.",
    happens="{calls} times in {steps} steps. With weight 1e-9 it is called {small} times.",
    why="Terms of weight zero are skipped.",
    places=(Place("isaaclab/managers/reward_manager.py", "if term_cfg.weight == 0.0:"),),
    todo="Log a quantity with a tiny weight, or from an observation group that no policy reads.",
    packages=PACKAGES,
    holds=lambda v: v["calls"] == 0 and v["small"] == v["steps"],
    guessed={"calls": 5},
)
def weight_zero_is_not_called() -> Values:
    from isaaclab.managers import RewardTermCfg

    from tests.surprises import isaac_lab

    calls = {"zero": 0, "small": 0}

    def zero(env):
        calls["zero"] += 1
        return env.episode_length_buf.float()

    def small(env):
        calls["small"] += 1
        return env.episode_length_buf.float()

    cfg = isaac_lab.config("newton", num_envs=1)
    cfg.rewards.zero, cfg.rewards.small = RewardTermCfg(func=zero, weight=0.0), RewardTermCfg(func=small, weight=1e-9)
    env = isaac_lab.make(cfg)
    env.reset()
    before = dict(calls)
    isaac_lab.idle(env, 5)
    return {"calls": calls["zero"] - before["zero"], "small": calls["small"] - before["small"], "steps": 5}


@surprise(
    world=ENGINES,
    group="motors",
    question="A joint is set by `write_joint_position_to_sim_index`. Where is its body, before the next step?",
    guess="Where it was: bodies move with the next step of the physics.",
    happens="Newton says that the cart has moved by {newton_moved:.2f} m at once, ovphysx by {ovphysx_moved:.2f} m.",
    why="The write marks poses as outdated, and they are computed from the joints when they are next asked for.",
    places=(Place("isaaclab_newton/assets/articulation/articulation_data.py", "SimulationManager.invalidate_fk("),),
    todo="Read body poses after a write; no step is needed.",
    packages=("isaaclab", "newton", "ovphysx"),
    holds=lambda v: abs(v["newton_moved"] - 0.5) < 1e-3 and abs(v["ovphysx_moved"] - 0.5) < 1e-3,
    guessed={"newton_moved": 0.0, "ovphysx_moved": 0.0},
)
def bodies_follow_a_written_joint(engine: str) -> Values:
    from tests.surprises import isaac_lab

    env = isaac_lab.make(isaac_lab.config(engine, num_envs=1, spread=False))
    env.reset()
    robot = env.scene["robot"]
    cart = robot.body_names.index("cart")
    before = robot.data.body_pos_w.torch[0, cart].clone()
    isaac_lab.put(env, (0.5, 0.0), (0.0, 0.0))
    after = robot.data.body_pos_w.torch[0, cart].clone()
    return {"moved": (after - before).norm().item()}
