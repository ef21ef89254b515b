"""One task on two engines of Isaac Lab."""

from __future__ import annotations

import math

from tests.surprises.entry import ENGINES, Place, Values, surprise

PACKAGES = ("isaaclab", "newton", "ovphysx")
MUJOCO = "newton/_src/solvers/mujoco/solver_mujoco.py"


def far_bounds(cfg) -> None:
    """No end but the time's, and that is far."""
    cfg.terminations.cart_out_of_bounds.params = {**cfg.terminations.cart_out_of_bounds.params, "bounds": (-1e9, 1e9)}
    cfg.episode_length_s = 60.0


@surprise(
    world=ENGINES,
    group="engines",
    question="The cart runs into the end of its rail, at ±4 m, with 10 m/s. What happens?",
    guess="It stops there, on any engine, or bounces a little.",
    happens="On ovphysx it stops dead at {ovphysx_farthest:.4f} m. On Newton it goes {newton_beyond:.2f} m too far "
    "and is thrown back with {newton_back:.1f} m/s.",
    why="Newton's limit is a spring whose stiffness `limit_ke` holds at rest; for a moving cart it is some twenty "
    "times softer. PhysX solves it as a hard constraint.",
    places=(Place(MUJOCO, "default=SOLREF_MODE_FORCE_SPACE"),),
    todo="End the episode before the rail does (ours at ±3 m). `findings/newton_joint_limit.sh` has the numbers of "
    "the spring.",
    packages=PACKAGES,
    holds=lambda v: abs(v["ovphysx_farthest"] - 4.0) < 0.01 and v["newton_beyond"] > 0.3 and v["newton_back"] < -5.0,
    guessed={"newton_beyond": 0.0, "newton_back": 0.0},
)
def the_end_of_the_rail(engine: str) -> Values:
    from tests.surprises import isaac_lab

    cfg = isaac_lab.config(engine, num_envs=1, spread=False)
    far_bounds(cfg)
    cfg.scene.robot.actuators["cart_actuator"].damping = 0.0
    cfg.scene.robot.actuators["pole_actuator"].damping = 100.0  # a stiff hinge: the pole rides along
    env = isaac_lab.make(cfg)
    env.reset()
    isaac_lab.put(env, (3.5, 0.0), (10.0, 0.0))
    path = []
    isaac_lab.idle(env, 30, lambda: path.append([x[0, 0].item() for x in isaac_lab.state(env)]))
    farthest, back = max(x for x, _ in path), min(v for _, v in path)
    return {"farthest": farthest, "beyond": farthest - 4.0, "back": back}


@surprise(
    world=ENGINES,
    group="engines",
    question="The pole spins at 200 rad/s, nothing brakes it, `max_angular_velocity=1000`. How fast is it a step "
    "later?",
    guess="200 rad/s, far below the limit.",
    happens="{newton_after:.0f} rad/s on Newton, where the cart swings along; {ovphysx_after:.1f} rad/s on ovphysx.",
    why="The setting is in degrees a second (1000 are 17.45 rad/s), and PhysX brakes what turns faster, gradually. "
    "Newton has no such limit.",
    places=(Place("isaaclab_physx/sim/schemas/schemas_cfg.py", "max_angular_velocity: float | None"),),
    todo="Set it in degrees a second, far above what your joints may reach.",
    packages=PACKAGES,
    holds=lambda v: v["newton_after"] > 190.0 and v["ovphysx_after"] < 100.0,
    guessed={"ovphysx_after": 200.0},
)
def the_speed_limit_is_in_degrees(engine: str) -> Values:
    from tests.surprises import isaac_lab

    cfg = isaac_lab.config(engine, num_envs=1, spread=False)
    far_bounds(cfg)
    env = isaac_lab.make(cfg)
    env.reset()
    isaac_lab.put(env, (0.0, 0.0), (0.0, 200.0))
    isaac_lab.idle(env, 1)
    return {"after": isaac_lab.state(env)[1][0, 1].item()}


@surprise(
    world=ENGINES,
    group="engines",
    question="The cart-pole swings freely for 5 s, all friction off. Which engine keeps its energy?",
    guess="PhysX: its damping is zero here too, and it is the older engine. MuJoCo's integrator loses a little.",
    happens="Newton loses {newton_lost:.2f} J. ovphysx gains {ovphysx_gained:.2f} J; with "
    "`enable_external_forces_every_iteration=False` it loses {ovphysx_lost_without:.2f} J.",
    why="Isaac Lab turns that switch on by default. The engine's own default is off, and its angular damping of 0.05 "
    "is in both numbers.",
    places=(Place("isaaclab_ov/physics/ovphysx_manager_cfg.py", "enable_external_forces_every_iteration"),),
    todo="Do not compare engines by energy before you have compared such defaults.",
    packages=PACKAGES,
    holds=lambda v: 0.1 < v["newton_lost"] < 0.6 and v["ovphysx_gained"] > 0.05 and v["ovphysx_lost_without"] > 0.3,
    guessed={"ovphysx_gained": 0.0},
    close=0.15,
)
def energy_depends_on_a_switch(engine: str) -> Values:
    from tests.surprises import isaac_lab

    def change(switch: bool | None) -> float:
        cfg = isaac_lab.config(engine, num_envs=1, spread=False)
        far_bounds(cfg)
        cfg.scene.robot.actuators["cart_actuator"].damping = 0.0
        if switch is not None:
            cfg.sim.physics.enable_external_forces_every_iteration = switch
        env = isaac_lab.make(cfg)
        env.reset()
        isaac_lab.put(env, (0.0, 0.5 * math.pi), (0.0, 0.0))
        before = isaac_lab.energy(*isaac_lab.state(env))
        isaac_lab.idle(env, 300)
        return isaac_lab.energy(*isaac_lab.state(env)) - before

    if engine == "newton":
        return {"lost": -change(None)}
    return {"gained": change(None), "lost_without": -change(False)}


@surprise(
    world=ENGINES,
    group="engines",
    question="Environment 0, same seed, same actions: once alone, once with 63 others. Are its numbers the same?",
    guess="To the last bit: environments do not touch. Or on neither engine, since the arithmetic runs in batches.",
    happens="On Newton not ({newton_apart:.0e} apart after 60 steps); with `env_spacing=0` to the last bit. On "
    "ovphysx to the last bit either way.",
    why="Its place in the grid depends on how many there are, and on Newton positions are rounded where they stand "
    "in the world.",
    places=(Place("isaaclab/scene/interactive_scene.py", "env_spacing"),),
    todo="Compare runs of the same number of environments, or set `env_spacing=0` for a comparison bit by bit.",
    packages=PACKAGES,
    holds=lambda v: v["newton_apart"] > 0 and v["newton_apart_without"] == 0 and v["ovphysx_apart"] == 0,
    guessed={"newton_apart": 0.0},
    close=1e9,
)
def the_place_changes_the_bits(engine: str) -> Values:
    import torch

    from tests.surprises import isaac_lab

    def trace(num_envs: int, spacing: float) -> torch.Tensor:
        cfg = isaac_lab.config(engine, num_envs=num_envs, spread=False)
        cfg.scene.env_spacing = spacing
        env = isaac_lab.make(cfg)
        env.reset()
        isaac_lab.put(env, (0.1, 0.2), (0.3, -0.4))
        rows = []
        for step in range(60):
            env.step(torch.full((num_envs, 1), 0.5 * math.sin(step)))
            rows.append(torch.cat(isaac_lab.state(env), dim=1)[0])
        return torch.stack(rows)

    def apart(spacing: float) -> float:
        return (trace(1, spacing) - trace(64, spacing)).abs().max().item()

    return {"apart": apart(4.0), "apart_without": apart(0.0)}


@surprise(
    world="newton",
    group="engines",
    question="What are the joint's damping and the time step in the MuJoCo model that Newton builds for the cart-pole?",
    guess="10 N/(m/s) in `dof_damping`, and 1/120 s in `opt.timestep`.",
    happens="`dof_damping` is {damping:g}, `opt.timestep` is {timestep:g} s.",
    why="Isaac Lab's damping becomes the gain of a velocity actuator, and the step is handed over at every call, so "
    "that the model keeps MuJoCo's default.",
    places=(Place(MUJOCO, "spec.add_actuator(target=axname"), Place(MUJOCO, "self.mjw_model.opt.timestep.fill_(dt)")),
    todo="Read the actuators' gains for the brake. Whoever exports that model to MuJoCo has to set the time step.",
    packages=("isaaclab", "newton", "mujoco"),
    holds=lambda v: v["damping"] == 0.0 and v["timestep"] == 0.002,
    guessed={"damping": 10.0, "timestep": 1 / 120},
)
def damping_is_an_actuator() -> Values:
    from isaaclab_newton.physics import NewtonManager

    from tests.surprises import isaac_lab

    env = isaac_lab.make(isaac_lab.config("newton", num_envs=1))
    env.reset()
    model = NewtonManager._solver.mj_model
    return {"damping": float(model.dof_damping[0]), "timestep": float(model.opt.timestep), "actuators": int(model.nu)}


@surprise(
    world=ENGINES,
    group="engines",
    question="You keep `robot.data.joint_pos.torch` before a step. What does it say after it?",
    guess="What it said: every step makes new data.",
    happens="On Newton the kept tensor {newton_moves} with the simulation; on ovphysx it {ovphysx_moves}.",
    why="The tensor is a view of the engine's own array.",
    places=(Place("isaaclab_newton/assets/articulation/articulation_data.py", "def joint_pos(self)"),),
    todo="`.clone()` what you keep.",
    packages=PACKAGES,
    holds=lambda v: v["newton_moves"] == "moves",
    guessed={"newton_moves": "stays"},
)
def joint_positions_are_views(engine: str) -> Values:
    import torch

    from tests.surprises import isaac_lab

    env = isaac_lab.make(isaac_lab.config(engine, num_envs=1, spread=False))
    env.reset()
    robot = env.scene["robot"]
    kept = robot.data.joint_pos.torch
    before = kept.clone()
    for _ in range(5):
        env.step(torch.ones(1, 1))
    now = robot.data.joint_pos.torch
    return {"moves": "moves" if bool((kept == now).all()) and bool((kept != before).any()) else "stays"}
