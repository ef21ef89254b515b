"""Every exercise takes the right answer and refuses wrong ones of at least four kinds, each with a hint of its own."""

from __future__ import annotations

import contextlib
import io
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch

from cartpole_lab.evaluation import Evaluation
from cartpole_lab.session.env import close_env, make_env
from cartpole_lab.teaching.exercises import (
    acting,
    gymnasium_ids,
    mdp_terms,
    measuring,
    own_task,
    rewarding,
    scaling,
    scene,
    scripts,
    seeing,
    timing,
    training,
    worlds,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def env() -> Iterator[Any]:
    made = make_env(num_envs=4, device="cpu", seed=3)
    made.reset(seed=3)
    yield made
    close_env()


def said(check: Callable[..., None], *arguments: Any) -> str:
    """The line that a check prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        check(*arguments)
    assert out.getvalue().count("\n") == 1, out.getvalue()
    return out.getvalue().strip()


def evaluation(stands: float, lasts: float = 1.0) -> Evaluation:
    """An evaluation of a hundred episodes of which these shares stand and last."""
    episode = torch.arange(100) / 100
    return Evaluation(
        returns=torch.full((100,), 4.0),
        timed_out=episode < lasts,
        lengths=torch.full((100,), 300),
        settle_time_s=torch.where(episode < stands, 1.0, torch.nan),
        reward_terms={},
        step_dt=1 / 60,
        seed=0,
    )


def scene_cfgs() -> tuple[Any, Callable[..., Any], Callable[..., Any]]:
    from isaaclab.assets import ArticulationCfg
    from isaaclab.utils import replace

    from cartpole_lab.tasks.robot import CARTPOLE_CFG as cfg

    def hanging(angle: float, pos: tuple = (0.0, 0.0, 2.0), cart: float = 0.0, **other: float) -> Any:
        joints = {"slider_to_cart": cart, "cart_to_pole": angle} | other
        return replace(cfg, init_state=ArticulationCfg.InitialStateCfg(pos=pos, joint_pos=joints))

    def icy(keep: bool = True, name: str = "cart_actuator", **changes: Any) -> Any:
        motor = replace(cfg.actuators["cart_actuator"], **changes)
        return replace(cfg, actuators={**(cfg.actuators if keep else {}), name: motor})

    return cfg, hanging, icy


def gae(at: str) -> Callable[..., Any]:
    """GAE with ends, and with what learners make of it."""

    def answer(reward, value, next_value, ended, gamma=0.99, lam=0.95):
        if at == "fixed":
            gamma, lam = 0.5, 0.25
        later, found = 0.0, []
        for r, v, v_next, end in reversed(list(zip(reward, value, next_value, ended, strict=True))):
            cut_value, cut_later = end and at not in ("none", "later"), end and at not in ("none", "value")
            later = r + gamma * v_next * (not cut_value) - v + gamma * lam * later * (not cut_later)
            found.insert(0, later)
        if at == "sum":
            return sum(found)
        return found[::-1] if at == "turned" else found

    return answer


PATIENT = """
import gymnasium as gym
from isaaclab.utils import configclass

from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg


@configclass
class PatientCfg(CartpoleEnvCfg):
    def __post_init__(self):
        super().__post_init__()
        self.episode_length_s = 10.0


gym.register(
    id="My-Patient-Cartpole-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}:PatientCfg",
        "rl_games_cfg_entry_point": "cartpole_lab.tasks.agents:rl_games_ppo_cfg",
    },
)
"""
ENTRY = {
    "entry_point": "isaaclab.envs:ManagerBasedRLEnv",
    "disable_env_checker": True,
    "kwargs": {
        "env_cfg_entry_point": "cartpole_lab.tasks.cartpole_camera_env_cfg:CartpoleDepthCameraEnvCfg",
        "rl_games_cfg_entry_point": "cartpole_lab.tasks.agents:rl_games_camera_ppo_cfg.yaml",
    },
}
LINE = (
    "train --num_envs 128 --max_iterations 20 --seed 3 physics=ovphysx "
    "env.rewards.cart_vel.weight=-0.1 agent.params.config.learning_rate=1e-3"
)


def answers(env: Any) -> dict[str, tuple[Callable[..., None], tuple, list[tuple]]]:
    """By exercise: its check, the arguments of the right answer, and those of wrong ones."""
    from isaaclab.envs import mdp
    from isaaclab.managers import EventTermCfg, ObservationGroupCfg, ObservationTermCfg, SceneEntityCfg
    from isaaclab.utils import configclass

    from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

    robot, hanging, icy = scene_cfgs()

    def entry(**changes: Any) -> tuple[str, dict[str, Any]]:
        made = {**ENTRY, "kwargs": dict(ENTRY["kwargs"])}  # type: ignore[arg-type]
        for key, value in changes.items():
            holder = made["kwargs"] if key.endswith("entry_point") and key != "entry_point" else made
            holder.pop(key, None) if value is None else holder.update({key: value})
        return "My-Depth-Cartpole-v0", made

    def push(change: Callable[..., Any]) -> type:
        import gymnasium as gym

        class PushLimit(gym.ActionWrapper):
            def __init__(self, env: Any, limit: float) -> None:
                super().__init__(env)
                self.limit = limit

            def action(self, action: torch.Tensor) -> torch.Tensor:
                return change(action, self.limit)

        return PushLimit

    def clock(dt: float = 1 / 240, decimation: int = 4, seconds: float = 10.0, render: int = 4) -> type:
        @configclass
        class Cfg(CartpoleEnvCfg):
            def __post_init__(self) -> None:
                super().__post_init__()
                self.sim.dt, self.decimation, self.episode_length_s = dt, decimation, seconds
                self.sim.render_interval = render

        return Cfg

    def group(term: Any, name: str = "pole") -> Any:
        made = ObservationGroupCfg()
        setattr(made, name, term)
        return made

    def pole(func: Any = mdp.joint_pos_rel, **params: Any) -> Any:
        return ObservationTermCfg(func=func, params=params)

    def joint(*names: str) -> Any:
        return SceneEntityCfg("robot", joint_names=list(names))

    def mass(mode: str = "reset", body: list[str] | None = ["pole"], scale: str = "scale", **params: Any) -> Any:  # noqa: B006
        params = {"mass_distribution_params": (0.8, 1.2)} | params
        entity = SceneEntityCfg("robot", body_names=body)
        params = {"asset_cfg": entity, "operation": scale} | params
        return EventTermCfg(func=mdp.randomize_rigid_body_mass, mode=mode, params=params)

    def term(shape: Callable[[torch.Tensor, torch.Tensor], Any]) -> Callable[..., Any]:
        def answer(raw: Any, asset_cfg: Any) -> Any:
            everything = raw.scene[asset_cfg.name].data.joint_pos.torch
            return shape(everything[:, asset_cfg.joint_ids], everything)

        return answer

    def long(body: str = "both", seconds: float = 10.0) -> type:
        @configclass
        class Cfg(CartpoleEnvCfg):
            def __post_init__(self) -> None:
                if body == "last":
                    self.episode_length_s = seconds
                super().__post_init__()
                if body == "both":
                    self.episode_length_s = seconds
                if body == "clock":
                    self.decimation, self.episode_length_s = 4, seconds

        return Cfg

    modes = {"light": "prestartup", "mass": "startup", "start": "reset", "gust": "interval"}
    sin_cos = [
        lambda a: torch.cat([a.sin(), a.cos()]),
        lambda a: torch.stack([a.cos(), a.sin()], dim=-1),
        lambda a: torch.stack([a.deg2rad().sin(), a.deg2rad().cos()], dim=-1),
        lambda a: a.sin(),
        lambda a: torch.stack([a, a], dim=-1),
        lambda a: None,
    ]
    swings = {
        "first": lambda a, dt, b: np.argmax(np.abs(a) < b) * dt,
        "steps": lambda a, dt, b: 4,
        "before": lambda a, dt, b: 1.5,
        "sign": lambda a, dt, b: 0.0,
    }
    return {
        "1.1": (
            scene.check_hanging,
            (hanging(math.pi), robot),
            [
                (robot, robot),
                (hanging(180.0), robot),
                (hanging(math.pi / 2), robot),
                (hanging(math.pi, (0, 0, 0)), robot),
                (hanging(math.pi, cart=0.5), robot),
                (hanging(1.0), robot),
                (hanging(math.pi, wheel=1.0), robot),
            ],
        ),
        "1.2": (
            scene.check_ice,
            (icy(damping=0.0), robot),
            [
                (robot, robot),
                (icy(damping=5.0), robot),
                (icy(False, damping=0.0), robot),
                (icy(name="ice", damping=0.0), robot),
                (icy(damping=0.0, joint_effort_limit=1.0), robot),
                (icy(damping=0.0, stiffness=3.0), robot),
                ({}, robot),
            ],
        ),
        "2.1": (
            acting.check_lean,
            (lambda o: -torch.sign(o[:, 1:2]),),
            [
                (lambda o, f=f: f(o),)
                for f in (
                    lambda o: torch.zeros(len(o), 1),
                    lambda o: torch.sign(o[:, 1:2]),
                    lambda o: -o[:, 1:2],
                    lambda o: -torch.sign(o[:, 0:1]),
                    lambda o: -torch.sign(o[:, 1]),
                )
            ],
        ),
        "2.2": (
            acting.check_sin_cos,
            (lambda a: torch.stack([a.sin(), a.cos()], dim=-1),),
            [(f,) for f in sin_cos],
        ),
        "2.3": (
            acting.check_pole_only,
            (group(pole(asset_cfg=joint("cart_to_pole"))),),
            [
                (group(pole()),),
                (group(pole(asset_cfg=joint("slider_to_cart"))),),
                (group(pole(mdp.joint_vel_rel, asset_cfg=joint("cart_to_pole"))),),
                (group(pole(), name="angle"),),
                (group(pole(asset_cfg="cart_to_pole")),),
                (group(pole(asset_cfg=SceneEntityCfg("robot"))),),
            ],
        ),
        "3.1": (
            mdp_terms.check_cart_centred,
            (term(lambda x, a: (x**2).sum(dim=1)), env),
            [
                (term(f), env)
                for f in (
                    lambda x, a: a,
                    lambda x, a: x**2,
                    lambda x, a: -(x**2).sum(dim=1),
                    lambda x, a: x.abs().sum(dim=1),
                    lambda x, a: (a[:, 0]) ** 2,
                    lambda x, a: (a[:, 1]) ** 2,
                    lambda x, a: (x**2).sum(dim=1) / 60,
                )
            ],
        ),
        "3.2": (
            mdp_terms.check_value_target,
            (lambda r, v, te, tr, g: r + g * v * ~te,),
            [
                (f,)
                for f in (
                    lambda r, v, te, tr, g: r + g * v,
                    lambda r, v, te, tr, g: r + g * v * ~(te | tr),
                    lambda r, v, te, tr, g: r + g * v * ~tr,
                    lambda r, v, te, tr, g: r + g * v * ~(te & ~tr),
                    lambda r, v, te, tr, g: (r + g * v) * ~te,
                    lambda r, v, te, tr, g: r + v * ~te,
                    lambda r, v, te, tr, g: r + 0.5 * v * ~te,
                )
            ],
        ),
        "3.3": (
            mdp_terms.check_crash_weight,
            (lambda p, dt: -p / dt,),
            [
                (f,)
                for f in (
                    lambda p, dt: -p,
                    lambda p, dt: p / dt,
                    lambda p, dt: -p * dt,
                    lambda p, dt: -p * 300,
                    lambda p, dt: -60 * p,
                    lambda p, dt: None,
                )
            ],
        ),
        "4.1": (
            timing.check_slow_motion,
            (clock(),),
            [
                (clock(dt=240.0),),
                (clock(dt=1 / 120),),
                (clock(decimation=2),),
                (clock(seconds=5.0),),
                (clock(render=2),),
                (clock()(),),
            ],
        ),
        "4.2": (
            timing.check_controller,
            (evaluation(0.95), {"pole_p": -3.0}),
            [
                (evaluation(0.1), {"pole_p": 0.0}),
                (evaluation(0.1), {"pole_p": 3.0}),
                (evaluation(0.1), {"pole_p": -0.1}),
                (evaluation(0.1), {"pole_p": -3.0, "pole_d": 0.5}),
                (evaluation(0.1), {"pole_p": -3.0, "pole_d": -0.5, "cart_p": -1.0}),
                (evaluation(0.1, lasts=0.5), {"pole_p": -3.0, "pole_d": -0.5}),
            ],
        ),
        "5.1": (
            gymnasium_ids.check_registered,
            entry(),
            [
                entry(env_cfg_entry_point=None),
                entry(rl_games_cfg_entry_point=None),
                entry(env_cfg_entry_point="cartpole_lab.tasks.cartpole_camera_env_cfg.CartpoleDepthCameraEnvCfg"),
                entry(env_cfg_entry_point="cartpole_lab.tasks.cartpole_env_cfg:CartpoleEnvCfg"),
                entry(disable_env_checker=None),
                entry(entry_point="isaaclab.envs:ManagerBasedEnv"),
                entry(rl_games_cfg_entry_point="cartpole_lab.tasks.agents:rl_games_ppo_cfg.yaml"),
            ],
        ),
        "5.2": (
            gymnasium_ids.check_push_limit,
            (push(lambda a, limit: a.clamp(-limit, limit)), env),
            [
                (push(f), env)
                for f in (
                    lambda a, limit: a,
                    lambda a, limit: a * limit,
                    lambda a, limit: a.clamp(max=limit),
                    lambda a, limit: a.clamp(-1.0, 1.0),
                    lambda a, limit: a.clamp_(-limit, limit),
                    lambda a, limit: a.clamp(-limit, limit).flatten(),
                )
            ],
        ),
        "6.1": (
            training.check_clipped_gain,
            (lambda r, a, e=0.2: torch.minimum(r * a, r.clamp(1 - e, 1 + e) * a),),
            [
                (f,)
                for f in (
                    lambda r, a, e=0.2: r * a,
                    lambda r, a, e=0.2: r.clamp(1 - e, 1 + e) * a,
                    lambda r, a, e=0.2: torch.maximum(r * a, r.clamp(1 - e, 1 + e) * a),
                    lambda r, a, e=0.2: (r * a).clamp(1 - e, 1 + e),
                    lambda r, a, e=0.2: torch.minimum(r * a, r.clamp(0.8, 1.2) * a),
                    lambda r, a, e=0.2: torch.minimum(r * a, r.clamp(1 - e, 1 + e) * a).mean(),
                )
            ],
        ),
        "6.2": (
            training.check_is_solved,
            (lambda r, t: bool(r.mean() >= 4.90 and t.float().mean() >= 0.995),),
            [
                (f,)
                for f in (
                    lambda r, t: bool(r.mean() >= 4.90),
                    lambda r, t: bool(t.float().mean() >= 0.995),
                    lambda r, t: bool(r.mean() >= 4.90 and t.all()),
                    lambda r, t: False,
                    lambda r, t: None,
                )
            ],
        ),
        "6.3": (
            training.check_gae,
            (gae("right"),),
            [(gae(at),) for at in ("none", "value", "later", "turned", "fixed", "sum")],
        ),
        "7.1": (
            scripts.check_command_line,
            (LINE,),
            [
                (LINE.replace("physics=", "--physics "),),
                (LINE.replace("train ", ""),),
                (LINE.replace("--seed 3", ""),),
                (LINE.replace("-0.1", "0.1"),),
                (LINE.replace("agent.params.config.", "agent."),),
                (LINE + " env.decimation=4",),
            ],
        ),
        "7.2": (
            scripts.check_go_on,
            ("train --checkpoint latest --max_iterations 200", 150, 50),
            [
                ("train --max_iterations 200", 150, 50),
                ("train --checkpoint latest --max_iterations 50", 150, 50),
                ("train --checkpoint best --max_iterations 200", 150, 50),
                ("train --checkpoint latest --max_iterations 150", 150, 50),
                ("train --checkpoint latest --epochs 200", 150, 50),
            ],
        ),
        "7.3": (
            scripts.check_effective,
            (lambda c, w, f: f if f is not None else c if w is None else w,),
            [
                (f,)
                for f in (
                    lambda c, w, f: w or f or c,
                    lambda c, w, f: f or w or c,
                    lambda c, w, f: c,
                    lambda c, w, f: f,
                    lambda c, w, f: w if w is not None else c,
                    lambda c, w, f: max(x for x in (c, w, f) if x is not None),
                )
            ],
        ),
        "8.1": (
            measuring.check_standard_error,
            (lambda r: r.std() / len(r) ** 0.5,),
            [
                (lambda r: r.std(),),
                (lambda r: r.std() / len(r),),
                (lambda r: r.var() / len(r),),
                (lambda r: None,),
                (lambda r: r,),
                (lambda r: r.mean(),),
            ],
        ),
        "8.2": (
            measuring.check_settle_time,
            (lambda a, dt, b: _settle(a, dt, b),),
            [(f,) for f in swings.values()]
            + [(lambda a, dt, b: _settle(a, dt, b, never=9.0),), (lambda a, dt, b: _settle(a, dt, b, calm=1.0),)],
        ),
        "8.3": (
            measuring.check_over_seeds,
            (lambda s: (_means(s).mean(), _means(s).std()),),
            [
                (f,)
                for f in (
                    lambda s: (torch.cat(list(s.values())).mean(), torch.cat(list(s.values())).std()),
                    lambda s: (_means(s).std(), _means(s).mean()),
                    lambda s: (torch.cat(list(s.values())).mean(), _means(s).std()),
                    lambda s: (_means(s).mean(), _means(s).std(correction=0)),
                    lambda s: (_means(s).mean(), _means(s).std() / 3**0.5),
                    lambda s: _means(s).mean(),
                )
            ],
        ),
        "9.1": (
            rewarding.check_pays,
            (lambda t, w, dt: sum(w[n] * t[n].sum() for n in t) * dt,),
            [
                (f,)
                for f in (
                    lambda t, w, dt: sum(w[n] * t[n].sum() for n in t),
                    lambda t, w, dt: sum(t[n].sum() for n in t) * dt,
                    lambda t, w, dt: (w["alive"] * t["alive"].sum() + w["pole_pos"] * t["pole_pos"].sum()) * dt,
                    lambda t, w, dt: sum(w[n] * t[n].sum() for n in t) / 60,
                    lambda t, w, dt: sum(a * b.sum() for a, b in zip(w.values(), t.values(), strict=True)) * dt,
                    lambda t, w, dt: sum(w[n] * t[n].mean() for n in t),
                )
            ],
        ),
        "9.2": (
            rewarding.check_crash_pays,
            (lambda a, c, t, left, dt: (a - c) * left < t * dt,),
            [
                (f,)
                for f in (
                    lambda a, c, t, left, dt: (a - c) * left < t,
                    lambda a, c, t, left, dt: (a - c) < t * dt,
                    lambda a, c, t, left, dt: (a - c) * left > t * dt,
                    lambda a, c, t, left, dt: (a - c) * left < 0,
                    lambda a, c, t, left, dt: (a - c) * left < t / 60,
                    lambda a, c, t, left, dt: (1 - c) * left < t * dt,
                    lambda a, c, t, left, dt: 3.2,
                )
            ],
        ),
        "10.1": (
            seeing.check_column,
            (lambda y, d, w: w / 2 - y / d * 24 / 20.955 * w,),
            [
                (f,)
                for f in (
                    lambda y, d, w: w / 2 + y / d * 24 / 20.955 * w,
                    lambda y, d, w: w / 2 - y / d * w,
                    lambda y, d, w: w / 2 - y / d * 20.955 / 24 * w,
                    lambda y, d, w: w / 2 - y * 24 / 20.955 * w,
                    lambda y, d, w: -y / d * 24 / 20.955 * w,
                    lambda y, d, w: 48 - y / d * 24 / 20.955 * 96,
                )
            ],
        ),
        "10.2": (
            seeing.check_motion,
            (lambda s: s[:, 3:] - s[:, :3],),
            [
                (f,)
                for f in (
                    lambda s: s[:, 3:],
                    lambda s: s[:, :3] - s[:, 3:],
                    lambda s: (s[:, 3:] - s[:, :3]).abs(),
                    lambda s: s[:, 1::2] - s[:, ::2],
                    lambda s: s[:, 3:4] - s[:, :1],
                    lambda s: s - s,
                )
            ],
        ),
        "11.1": (
            scaling.check_speedup,
            (lambda s, u, f: (s + u) / (s / f + u),),
            [
                (f,)
                for f in (
                    lambda s, u, f: f,
                    lambda s, u, f: (s / f + u) / (s + u),
                    lambda s, u, f: s / f + u,
                    lambda s, u, f: (s + u) / (s + u / f),
                    lambda s, u, f: None,
                )
            ],
        ),
        "11.2": (
            scaling.check_optimizer_steps,
            (lambda n, h, m, e: n * h // m * e if n * h % m == 0 else None,),
            [
                (f,)
                for f in (
                    lambda n, h, m, e: n * h / m,
                    lambda n, h, m, e: n * h * e,
                    lambda n, h, m, e: n // m * e,
                    lambda n, h, m, e: e,
                    lambda n, h, m, e: n * h // m * e,
                    lambda n, h, m, e: None,
                )
            ],
        ),
        "12.1": (
            own_task.check_long_episodes,
            (long(), CartpoleEnvCfg),
            [
                (long("last"), CartpoleEnvCfg),
                (CartpoleEnvCfg, CartpoleEnvCfg),
                (long(seconds=600.0), CartpoleEnvCfg),
                (long()(), CartpoleEnvCfg),
                (long("clock"), CartpoleEnvCfg),
                (dict, CartpoleEnvCfg),
            ],
        ),
        "12.2": (
            own_task.check_task_file,
            (PATIENT,),
            [
                (PATIENT.replace("self.episode_length_s = 10.0", "pass"),),
                (PATIENT.replace("10.0", "600"),),
                (PATIENT.replace("My-Patient", "Mine"),),
                (re.sub(r' +"rl_games_cfg.*\n', "", PATIENT),),
                (PATIENT.replace("import gymnasium as gym\n", ""),),
                (PATIENT.replace("super().__post_init__()", "pass"),),
                (None,),
            ],
        ),
        "13.1": (
            worlds.check_modes,
            (modes,),
            [
                (modes | {"light": "startup"},),
                (modes | {"mass": "reset"},),
                (modes | {"gust": "often"},),
                ({},),
                (modes | {"start": "startup"},),
                (modes | {"gust": "reset"},),
            ],
        ),
        "13.2": (
            worlds.check_mass_at_reset,
            (mass(),),
            [
                (mass("startup"),),
                (mass(body=None),),
                (mass(scale="add"),),
                (mass(scale="abs"),),
                (mass(body=["cart"]),),
                (mass(mass_distribution_params=(1.2, 0.8)),),
                (mass(distribution="gaussian"),),
            ],
        ),
    }


def _means(by_seed: dict[int, torch.Tensor]) -> torch.Tensor:
    return torch.stack([values.mean() for values in by_seed.values()])


def _settle(angle: np.ndarray, dt: float, band: float, never: float = math.nan, calm: float = 0.0) -> float:
    outside = np.flatnonzero(np.abs(angle) >= band)
    if len(outside) == 0:
        return calm
    return (outside[-1] + 1) * dt if outside[-1] + 1 < len(angle) else never


def without_numbers(line: str) -> str:
    """A hint without its values: two hints that differ only there are one."""
    return re.sub(r"[-−+]?\d[\d.,e]*", "#", line)


def test_every_check_takes_the_right_answer_and_has_four_hints(env: Any) -> None:
    table = answers(env)
    for exercise, (check, right, wrong) in table.items():
        assert said(check, *right).startswith("✓"), (exercise, said(check, *right))
        lines = [said(check, *answer) for answer in wrong]
        accepted = [k for k, line in enumerate(lines) if not line.startswith("✗")]
        assert not accepted, f"exercise {exercise} takes wrong answer {accepted}: {[lines[k] for k in accepted]}"
        kinds = {without_numbers(line) for line in lines}
        assert len(kinds) >= 4, f"exercise {exercise} has {len(kinds)} hints: {kinds}"
        assert said(check, *right).startswith("✓"), f"exercise {exercise} remembers the wrong answers"


def unusual(env: Any, table: dict[str, Any]) -> Iterator[tuple[str, bool, Callable[..., None], tuple]]:
    """Answers off the beaten track, by exercise, and whether each is right: another dtype, a pattern, too much."""
    from isaaclab.envs import ManagerBasedRLEnv, mdp
    from isaaclab.managers import EventTermCfg, ObservationGroupCfg, ObservationTermCfg, SceneEntityCfg
    from isaaclab.utils import configclass, replace

    from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

    robot, hanging, icy = scene_cfgs()

    def start(**values: Any) -> Any:
        return replace(robot, init_state=type(robot.init_state)(pos=(0.0, 0.0, 2.0), **values))

    def pole(*names: str, **other: Any) -> Any:
        made, params = ObservationGroupCfg(), {"asset_cfg": SceneEntityCfg("robot", joint_names=list(names))}
        made.pole = ObservationTermCfg(func=mdp.joint_pos_rel, params=params | other.pop("params", {}), **other)
        return made

    def timed(slow: bool, alive: float = 1.0) -> type:
        @configclass
        class Cfg(CartpoleEnvCfg):
            def __post_init__(self) -> None:
                super().__post_init__()
                if slow:
                    self.sim.dt, self.decimation, self.sim.render_interval = 1 / 240, 4, 4
                self.episode_length_s, self.rewards.alive.weight = 10.0, alive

        return Cfg

    def entry(point: Any) -> tuple[str, dict[str, Any]]:
        return "My-Depth-Cartpole-v0", {**ENTRY, "kwargs": dict(ENTRY["kwargs"]), "entry_point": point}  # type: ignore[call-overload]

    light = {"asset_cfg": SceneEntityCfg("robot", body_names="po.*"), "operation": "scale"}
    light["mass_distribution_params"] = [0.8, 1.2]  # type: ignore[assignment]
    to_go_on = "train --checkpoint latest --max_iterations=200"
    isaac_labs = '"isaaclab.envs:ManagerBasedRLEnv"'
    rows: list[tuple[str, bool, tuple]] = [
        ("1.1", True, (hanging(-math.pi), robot)),
        ("1.1", True, (start(joint_pos={"slider.*": 0.0, ".*_pole": math.pi}), robot)),
        ("1.1", False, (replace(hanging(math.pi), actuators={}), robot)),
        ("1.1", False, (start(joint_pos={"cart_to_pole": math.pi}, joint_vel={"cart_to_pole": 3.0}), robot)),
        ("1.2", False, (replace(icy(damping=0.0), init_state=hanging(math.pi).init_state), robot)),
        ("1.2", False, (icy(damping=0.0, armature=1.0), robot)),
        ("1.2", False, (icy(damping=None), robot)),
        ("2.1", True, (lambda o: torch.where(o[:, 1:2] > 0, -1, 1),)),
        ("2.1", False, (lambda o: -torch.sign(o[:, 1:2] + 0.1 * o[:, 3:4]),)),
        ("2.2", True, (lambda a: torch.stack([a.double().sin(), a.double().cos()], -1),)),
        ("2.3", True, (pole(".*pole"),)),
        ("2.3", False, (pole("cart_to_pole", scale=2.0),)),
        ("2.3", False, (pole("cart_to_pole", params={"joint": 1}),)),
        ("3.1", True, (lambda e, a: e.scene[a.name].data.joint_pos.torch[:, a.joint_ids[0]].double() ** 2, env)),
        ("3.2", True, (lambda r, v, te, tr, g: torch.where(te, r, r + g * v).double(),)),
        ("4.1", True, (timed(slow=True),)),
        ("4.1", False, (timed(slow=True, alive=2.0),)),
        ("5.1", True, entry(ManagerBasedRLEnv)),
        ("5.1", True, entry("isaaclab.envs.manager_based_rl_env:ManagerBasedRLEnv")),
        ("6.1", True, (lambda r, a, e=0.2: torch.where(a > 0, r.clamp(max=1 + e), r.clamp(min=1 - e)) * a,)),
        ("6.2", True, (lambda r, t: r.numpy().mean() >= 4.9 and t.numpy().mean() >= 0.995,)),
        ("6.2", False, (lambda r, t: bool(r.mean() >= 4.87 and t.float().mean() >= 0.995),)),
        ("6.2", False, (lambda r, t: bool(r.mean() >= 4.9 and t.float().mean() >= 0.992),)),
        ("6.3", True, (lambda *given: np.array(gae("right")(*given)),)),
        ("7.1", True, (LINE.replace("--seed 3", "--seed=3 --task Isaac-Cartpole-v0"),)),
        ("7.1", False, (LINE + " --checkpoint latest",)),
        ("7.2", True, (to_go_on + " --num_envs 512", 150, 50)),
        ("7.2", False, (to_go_on + " env.decimation=4", 150, 50)),
        ("7.3", True, (lambda c, w, f: next(x for x in (f, w, c) if x is not None),)),
        ("8.1", True, (lambda r: np.std(r.numpy()) / np.sqrt(r.numel()),)),
        ("8.1", False, (lambda r: r.std() / 20,)),
        ("8.2", False, (lambda a, dt, b: _settle(a, 0.5, 0.1),)),
        (
            "8.3",
            True,
            (lambda s: [np.mean([v.mean() for v in s.values()]), np.std([v.mean() for v in s.values()], ddof=1)],),
        ),
        ("10.1", True, (lambda y, d, w: int(w / 2 - y / d * 24 / 20.955 * w),)),
        ("10.2", True, (lambda s: s.double().unflatten(1, (2, 3)).diff(dim=1).squeeze(1),)),
        ("11.1", True, (lambda s, u, f: 1 / (s / (s + u) / f + u / (s + u)),)),
        ("12.1", False, (timed(slow=False, alive=2.0), CartpoleEnvCfg)),
        ("12.2", True, (PATIENT.replace('f"{__name__}:PatientCfg"', "PatientCfg"),)),
        (
            "12.2",
            True,
            ("from isaaclab.envs import ManagerBasedRLEnv" + PATIENT.replace(isaac_labs, "ManagerBasedRLEnv"),),
        ),
        ("12.2", False, (PATIENT.replace("= 10.0", "= 10.0; self.rewards.alive.weight = 5.0"),)),
        ("13.2", True, (EventTermCfg(func=mdp.randomize_rigid_body_mass, mode="reset", params=light),)),
    ]
    for exercise, right, arguments in rows:
        yield exercise, right, table[exercise][0], arguments


def test_unusual_answers_are_judged_by_what_they_do(env: Any) -> None:
    for exercise, right, check, arguments in unusual(env, answers(env)):
        line = said(check, *arguments)
        assert line.startswith("✓" if right else "✗") and "your code raised" not in line, (exercise, arguments, line)


def test_the_table_has_every_exercise_of_the_lessons(env: Any) -> None:
    found = []
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        text = "\n".join(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown")
        found += re.findall(r"^### Exercise (\d+\.\d)", text, flags=re.M)
    assert sorted(found) == sorted(answers(env)) and len(found) >= 30


def test_checks_leave_the_process_as_it_was(env: Any) -> None:
    import sys

    import gymnasium as gym

    before = set(gym.registry), list(sys.path), env.unwrapped.common_step_counter
    for check, right, wrong in answers(env).values():
        for answer in (right, *wrong):
            said(check, *answer)
    assert (set(gym.registry), list(sys.path), env.unwrapped.common_step_counter) == before
