"""Writing a configuration: copies, overrides, orders and units."""

from __future__ import annotations

from copy import deepcopy

from tests.surprises.entry import Place, Values, surprise

LAB = ("isaaclab",)


@surprise(
    world="plain",
    group="configs",
    question="Does `replace(cfg, decimation=4)` change the decimation?",
    guess="Yes: the copy has 4, and so has `CartpoleEnvCfg(decimation=4)`.",
    happens="No. `replace(cfg, decimation=4).decimation` is {replaced}, and "
    "`CartpoleEnvCfg(decimation=4).decimation` is {built}: what `__post_init__` sets, it sets again.",
    why="A copy is a new object that is initialised anew, and a task's `__post_init__` assigns `decimation` whatever "
    "was asked for.",
    places=(Place("isaaclab/utils/configclass.py", "return dataclasses.replace(cfg, **changes)"),),
    todo="Assign to the object that you have: `cfg.decimation = 4`. Or set it in a subclass, after "
    "`super().__post_init__()`.",
    packages=LAB,
    holds=lambda v: v["replaced"] == v["built"] == 2 and v["assigned"] == 4,
    guessed={"replaced": 4, "built": 4},
)
def replace_runs_post_init_again() -> Values:
    from isaaclab.utils import replace

    from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

    cfg = CartpoleEnvCfg()
    cfg.decimation = 4
    return {
        "replaced": replace(CartpoleEnvCfg(), decimation=4).decimation,
        "built": CartpoleEnvCfg(decimation=4).decimation,
        "assigned": cfg.decimation,
    }


@surprise(
    world="plain",
    group="configs",
    question="Does `cfg.copy()` keep what you assigned?",
    guess="Of course, a copy is a copy; `copy()` and `deepcopy(cfg)` differ in depth at most.",
    happens="After `cfg.decimation = 4` and `cfg.episode_length_s = 9.0`, `cfg.copy()` has {copied} and "
    "{copied_length:g} s; `deepcopy(cfg)` has {deep} and {deep_length:g} s.",
    why="`copy` is `replace` without changes, so `__post_init__` runs again over your values.",
    places=(Place("isaaclab/utils/configclass.py", "return dataclasses.replace(cfg)"),),
    todo="Copy with `copy.deepcopy`, or make every change after the last copy.",
    packages=LAB,
    holds=lambda v: v["copied"] == 2 and v["copied_length"] == 5.0 and v["deep"] == 4 and v["deep_length"] == 9.0,
    guessed={"copied": 4, "copied_length": 9.0},
)
def a_copy_loses_assignments() -> Values:
    from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

    cfg = CartpoleEnvCfg()
    cfg.decimation, cfg.episode_length_s = 4, 9.0
    copied, deep = cfg.copy(), deepcopy(cfg)
    return {
        "copied": copied.decimation,
        "copied_length": copied.episode_length_s,
        "deep": deep.decimation,
        "deep_length": deep.episode_length_s,
    }


def resolved(*words: str):
    """Isaac Lab's own reading of a command line, as ``isaaclab train`` does it."""
    from isaaclab_tasks.utils import resolve_task_config

    import cartpole_lab.tasks  # noqa: F401
    from cartpole_lab.session import quietly

    with quietly():
        return resolve_task_config("Isaac-Cartpole-v0", "rl_games_cfg_entry_point", overrides=list(words))


@surprise(
    world="plain",
    group="configs",
    question="What does `isaaclab train` say to a misspelt setting?",
    guess="It stops: every setting is a field of a config class, and Hydra refuses unknown keys.",
    happens="Nothing, where the last word is the misspelt one. `env.rewards.alive.weights=3` is taken, the weight "
    "stays {weight:g}, and the agent's file grows a key `gama` = {gama} while `gamma` stays {gamma}.",
    why="The override is set with `setattr` on the object that its path leads to, and an agent's file is a dictionary.",
    places=(Place("isaaclab_tasks/utils/hydra.py", "setattr(obj, leaf, val)"),),
    todo="Read the printed configuration, or train with `cartpole-lab train`, which refuses unknown settings and "
    "proposes the near ones.",
    packages=LAB,
    holds=lambda v: v["taken"] and v["weight"] == 1.0 and v["gama"] == 0.5 and v["gamma"] != 0.5,
    guessed={"taken": False, "gama": None},
)
def misspelt_settings_are_taken() -> Values:
    try:
        env_cfg, agent_cfg = resolved("env.rewards.alive.weights=3", "agent.params.config.gama=0.5")
    except Exception:
        return {"taken": False, "weight": 1.0, "gama": None, "gamma": None}
    settings = agent_cfg["params"]["config"]
    return {
        "taken": True,
        "weight": env_cfg.rewards.alive.weight,
        "gama": settings.get("gama"),
        "gamma": settings["gamma"],
    }


@surprise(
    world="plain",
    group="configs",
    question="You override `env.decimation=4`. What else follows?",
    guess="`render_interval` is `decimation` in the task's file, so it follows. Other values keep their types.",
    happens="`decimation` is {decimation}, `sim.render_interval` stays {interval}: a viewer draws twice a step. And "
    "a range that was a tuple comes back as a {kind}.",
    why="`__post_init__` has copied the number long before the override is applied, and values are read as YAML, "
    "which has no tuples.",
    places=(Place("isaaclab_tasks/utils/hydra.py", "setattr(obj, leaf, val)"),),
    todo="Override both: `env.decimation=4 env.sim.render_interval=4`. Compare ranges with `tuple(...)`.",
    packages=LAB,
    holds=lambda v: v["decimation"] == 4 and v["interval"] == 2 and v["kind"] == "list",
    guessed={"interval": 4},
)
def render_interval_stays_behind() -> Values:
    env_cfg, _ = resolved("env.decimation=4", "env.events.reset_cart_position.params.position_range=[-0.5,0.5]")
    kind = type(env_cfg.events.reset_cart_position.params["position_range"]).__name__
    return {"decimation": env_cfg.decimation, "interval": env_cfg.sim.render_interval, "kind": kind}
