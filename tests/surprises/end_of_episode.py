"""What an end of an episode hands out, on Isaac Lab with Newton."""

from __future__ import annotations

from tests.surprises.entry import ENGINES, Place, Values, surprise

ENV = "isaaclab/envs/manager_based_rl_env.py"
PACKAGES = ("isaaclab", "newton")


@surprise(
    world="newton",
    group="episodes",
    question="An environment says `autoreset_mode: SAME_STEP`. Where is the last observation of an episode that ended?",
    guess='In `info["final_obs"]`, as Gymnasium has it for that mode.',
    happens="Nowhere: `final_obs` is {plain} the info. With `compute_final_obs=True` it is {asked} it.",
    why="Computing it costs a second round of observations, so it is off by default.",
    places=(
        Place(ENV, "if self.cfg.compute_final_obs:"),
        Place(ENV, '"autoreset_mode": gym.vector.AutoresetMode.SAME_STEP'),
    ),
    todo="Set `cfg.compute_final_obs = True` for whoever needs the true last state.",
    packages=(*PACKAGES, "gymnasium"),
    holds=lambda v: v["plain"] == "not in" and v["asked"] == "in",
    guessed={"plain": "in"},
)
def the_last_observation_is_missing() -> Values:
    return {
        name: "in" if "final_obs" in time_out(ask)[1] else "not in" for name, ask in (("plain", False), ("asked", True))
    }


def time_out(ask: bool, wrap=None):
    """An environment after a step in which the time was up, and its info; ``wrap`` is a wrapper to step through."""
    import torch

    from tests.surprises import isaac_lab

    cfg = isaac_lab.config("newton", num_envs=2)
    cfg.compute_final_obs = ask
    env = isaac_lab.make(cfg)
    env.reset()
    stepper = env if wrap is None else wrap(env)
    env.episode_length_buf[:] = env.max_episode_length - 1
    out = stepper.step(torch.zeros(2, 1))
    return env, out[-1], out[0]


@surprise(
    world="newton",
    group="learning",
    question="sb3 bootstraps a time-out from `terminal_observation`. Which observation does Isaac Lab's wrapper put "
    "there?",
    guess="The last one of the episode that ended: that is what the key is for.",
    happens="The first one of the *next* episode; the difference between the two is {apart:g}. With "
    "`compute_final_obs=True` they are {mended:.2f} apart. skrl's `next_observations` are the next episode's as "
    "well.",
    why="Isaac Lab resets within the step, and the wrapper takes what the step returned unless the task computes the "
    "last observation.",
    places=(Place("isaaclab_rl/sb3.py", "terminal_obs_source = final_obs if final_obs is not None else obs"),),
    todo="`cfg.compute_final_obs = True`. `cartpole-lab train` sets it for these libraries.",
    packages=("isaaclab", "stable-baselines3"),
    holds=lambda v: v["apart"] == 0.0 and v["mended"] > 1e-3,
    guessed={"apart": 0.3},
)
def sb3_looks_into_the_next_episode() -> Values:
    import numpy as np
    from isaaclab_rl.sb3 import Sb3VecEnvWrapper

    def apart(ask: bool) -> float:
        _, infos, obs = time_out(ask, Sb3VecEnvWrapper)
        return max(float(np.abs(infos[i]["terminal_observation"] - obs[i]).max()) for i in range(2))

    return {"apart": apart(False), "mended": apart(True)}


@surprise(
    world="newton",
    group="episodes",
    question="Episodes of 8.3 s at 60 steps a second. How many steps?",
    guess="498, as 8.3 · 60.",
    happens="{steps}. So it is with {longer} of the {asked} lengths from 0.1 to 20 s in steps of 0.1.",
    why="The quotient is rounded up, and 8.3 divided by 1/60 is a hair above 498 in floating point.",
    places=(Place(ENV, "return math.ceil(self.max_episode_length_s / self.step_dt)"),),
    todo="Read `env.max_episode_length`; do not compute it again.",
    packages=("isaaclab",),
    holds=lambda v: v["steps"] == 499 and v["longer"] > 0,
    guessed={"longer": 0, "steps": 498},
)
def a_step_too_many() -> Values:
    from tests.surprises import isaac_lab

    env = isaac_lab.make(isaac_lab.config("newton", num_envs=1))
    steps = {}
    for n in range(1, 201):
        env.cfg.episode_length_s = round(0.1 * n, 1)
        steps[n] = env.max_episode_length
    return {"asked": len(steps), "longer": sum(steps[n] > 6 * n for n in steps), "steps": steps[83]}


@surprise(
    world=ENGINES,
    group="motors",
    question="A brake of 1000 N/(m/s) on the cart, once implicit, once as an `IdealPDActuatorCfg`. From 1 m/s, how "
    "fast is the cart three steps later?",
    guess="At rest in both: it is the same brake.",
    happens="Implicit: {newton_implicit:.4f} m/s on Newton, {ovphysx_implicit:.4f} on ovphysx. Explicit: "
    "{newton_explicit:.0f} and {ovphysx_explicit:.0f} m/s.",
    why="An explicit actuator turns the speed at the start of a physics step into a force for the whole step. Above "
    "2·m/dt, some 300 N/(m/s) here, it overshoots more each time.",
    places=(
        Place("isaaclab/actuators/actuator_pd.py", "self.applied_effort = self._clip_effort(self.computed_effort)"),
    ),
    todo="Stay well below m/dt with explicit actuators, or set `actuator_effort_limit`.",
    packages=("isaaclab", "newton", "ovphysx"),
    holds=lambda v: all(v[f"{e}_implicit"] < 0.1 and v[f"{e}_explicit"] > 10.0 for e in ("newton", "ovphysx")),
    guessed={"newton_explicit": 0.0, "ovphysx_explicit": 0.0},
    close=0.2,
)
def an_explicit_brake_overshoots(engine: str) -> Values:
    from isaaclab.actuators import IdealPDActuatorCfg

    from tests.surprises import isaac_lab
    from tests.surprises.engines import far_bounds

    def speed(explicit: bool) -> float:
        cfg = isaac_lab.config(engine, num_envs=1, spread=False)
        far_bounds(cfg)
        names = ["slider_to_cart"]
        if explicit:
            cfg.scene.robot.actuators["cart_actuator"] = IdealPDActuatorCfg(
                joint_names_expr=names, stiffness=0.0, damping=1000.0, actuator_effort_limit=1e5
            )
        else:
            cfg.scene.robot.actuators["cart_actuator"].damping = 1000.0
            cfg.scene.robot.actuators["cart_actuator"].joint_effort_limit = 1e5
        env = isaac_lab.make(cfg)
        env.reset()
        isaac_lab.put(env, (0.0, 0.0), (1.0, 0.0))
        fastest = []
        isaac_lab.idle(env, 3, lambda: fastest.append(abs(isaac_lab.state(env)[1][0, 0].item())))
        return fastest[-1]

    return {"implicit": speed(False), "explicit": speed(True)}
