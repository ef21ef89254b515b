"""The checks of lessons 1 to 5: stubs fail, solutions pass, each usual mistake gets the hint written for it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import pytest
import torch
from isaaclab.assets import ArticulationCfg
from isaaclab.utils import configclass, replace

from cartpole_lab.evaluation import Evaluation
from cartpole_lab.session.env import close_env, make_env
from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg
from cartpole_lab.tasks.robot import CARTPOLE_CFG
from cartpole_lab.teaching.exercises import acting, gymnasium_ids, mdp_terms, scene, timing

Capture = pytest.CaptureFixture[str]


def said(capsys: Capture, check: Callable[..., None], *args: Any) -> str:
    """What a check prints."""
    capsys.readouterr()
    assert check(*args) is None
    text = capsys.readouterr().out.strip()
    assert text.startswith(("✓", "✗")) and len(text.splitlines()) == 1
    return text


@pytest.fixture(scope="module")
def env() -> Iterator[gym.Env]:
    made = make_env("Isaac-Cartpole-v0", num_envs=4, device="cpu")
    made.reset(seed=7)
    yield made
    close_env()


# lesson 1


def hanging(pos: tuple[float, ...] = (0.0, 0.0, 2.0), **joints: float) -> ArticulationCfg:
    return replace(CARTPOLE_CFG, init_state=ArticulationCfg.InitialStateCfg(pos=pos, joint_pos=joints))


def test_hanging_passes(capsys: Capture) -> None:
    for angle in (math.pi, -math.pi, 3.1416):
        cfg = hanging(slider_to_cart=0.0, cart_to_pole=angle)
        assert said(capsys, scene.check_hanging, cfg, CARTPOLE_CFG).startswith("✓")


@pytest.mark.parametrize(
    ("cfg", "hint"),
    [
        (CARTPOLE_CFG, "not a copy"),
        (None, "NoneType"),
        (hanging(slider_to_cart=0.0, cart_to_pole=180.0), "degrees"),
        (hanging(slider_to_cart=0.0, cart_to_pole=math.pi / 2), "quarter"),
        (hanging(slider_to_cart=0.0, cart_to_pole=0.0), "half a turn"),
        (hanging(slider_to_cart=0.0, pole=math.pi), "no joint is called 'pole'"),
        (hanging((0.0, 0.0, 0.0), slider_to_cart=0.0, cart_to_pole=math.pi), "forgets the old pos"),
        (hanging(slider_to_cart=1.0, cart_to_pole=math.pi), "only the pole's angle"),
    ],
)
def test_hanging_hints(capsys: Capture, cfg: Any, hint: str) -> None:
    text = said(capsys, scene.check_hanging, cfg, CARTPOLE_CFG)
    assert text.startswith("✗") and hint in text


def test_hanging_sees_a_spoilt_original(capsys: Capture) -> None:
    spoilt = copy.deepcopy(CARTPOLE_CFG)
    spoilt.init_state.joint_pos["cart_to_pole"] = math.pi
    assert "itself has changed" in said(capsys, scene.check_hanging, spoilt, spoilt)


def icy(**changes: float) -> ArticulationCfg:
    motor = replace(CARTPOLE_CFG.actuators["cart_actuator"], **changes)
    return replace(CARTPOLE_CFG, actuators={**CARTPOLE_CFG.actuators, "cart_actuator": motor})


def test_ice(capsys: Capture) -> None:
    assert said(capsys, scene.check_ice, icy(damping=0.0), CARTPOLE_CFG).startswith("✓")
    assert "not a copy" in said(capsys, scene.check_ice, CARTPOLE_CFG, CARTPOLE_CFG)
    assert "damping is 5" in said(capsys, scene.check_ice, icy(damping=5.0), CARTPOLE_CFG)
    assert "other settings" in said(capsys, scene.check_ice, icy(damping=0.0, joint_effort_limit=1.0), CARTPOLE_CFG)
    assert "only the damping" in said(capsys, scene.check_ice, icy(damping=0.0, stiffness=1.0), CARTPOLE_CFG)
    alone = replace(CARTPOLE_CFG, actuators={"cart_actuator": icy(damping=0.0).actuators["cart_actuator"]})
    assert "pole_actuator is gone" in said(capsys, scene.check_ice, alone, CARTPOLE_CFG)
    more = replace(CARTPOLE_CFG, actuators={**CARTPOLE_CFG.actuators, "ice": alone.actuators["cart_actuator"]})
    assert "more actuators" in said(capsys, scene.check_ice, more, CARTPOLE_CFG)


def test_ice_sees_a_shared_object(capsys: Capture) -> None:
    original = copy.deepcopy(CARTPOLE_CFG)
    shallow = copy.copy(original)
    shallow.actuators["cart_actuator"].damping = 0.0
    assert "both share" in said(capsys, scene.check_ice, shallow, original)


# lesson 2


def test_lean_passes(capsys: Capture) -> None:
    assert said(capsys, acting.check_lean, lambda obs: -torch.sign(obs[:, 1:2])).startswith("✓")


@pytest.mark.parametrize(
    ("policy", "hint"),
    [
        (lambda obs: torch.zeros(len(obs), 1), "never pushes"),
        (lambda obs: None, "NoneType"),
        (lambda obs: -torch.sign(obs[:, 1]), "obs[:, 1:2]"),
        (lambda obs: torch.sign(obs[:, 1:2]), "sign is wrong"),
        (lambda obs: -obs[:, 1:2], "full force"),
        (lambda obs: -torch.sign(obs[:, 0:1]), "the cart's position"),
        (lambda obs: -torch.sign(obs[:, 2:3]), "the cart's velocity"),
        (lambda obs: -torch.sign(obs[:, 3:4]), "the pole's velocity"),
        (lambda obs: -2 * torch.sign(obs[:, 1:2]), "expected [-1, 1, -1, 1]"),
        (lambda obs: obs[:, 9:10] / 0, "expected (4, 1)"),
        (lambda obs: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_lean_hints(capsys: Capture, policy: Callable[[torch.Tensor], Any], hint: str) -> None:
    text = said(capsys, acting.check_lean, policy)
    assert text.startswith("✗") and hint in text


def test_sin_cos(capsys: Capture) -> None:
    check = acting.check_sin_cos
    assert said(capsys, check, lambda a: torch.stack([a.sin(), a.cos()], dim=-1)).startswith("✓")
    assert "expected (4, 2)" in said(capsys, check, lambda a: a)
    assert "expected (4, 2)" in said(capsys, check, lambda a: torch.stack([a.sin(), a.cos()]))
    assert "swapped" in said(capsys, check, lambda a: torch.stack([a.cos(), a.sin()], dim=-1))
    assert "in radians already" in said(
        capsys, check, lambda a: torch.stack([a.deg2rad().sin(), a.deg2rad().cos()], dim=-1)
    )
    assert "0.5 rad gives" in said(capsys, check, lambda a: torch.zeros(4, 2))


# lesson 3


def cart(env: Any, asset_cfg: Any) -> torch.Tensor:
    return env.scene[asset_cfg.name].data.joint_pos.torch[:, asset_cfg.joint_ids]


@pytest.mark.parametrize(
    ("term", "hint"),
    [
        (lambda e, a: (cart(e, a) ** 2).sum(dim=1), "✓"),
        (lambda e, a: e.scene[a.name].data.joint_pos.torch, "both joints"),
        (lambda e, a: cart(e, a) ** 2, "forget to sum or squeeze"),
        (lambda e, a: -(cart(e, a) ** 2).sum(dim=1), "belongs to the weight"),
        (lambda e, a: cart(e, a).abs().sum(dim=1), "expected its square"),
        (lambda e, a: cart(e, a).sum(dim=1), "expected its square"),
        (lambda e, a: e.scene[a.name].data.joint_pos.torch[:, 0] ** 2, "asset_cfg is not used"),
        (lambda e, a: e.scene[a.name].data.joint_pos.torch[:, 1] ** 2, "pole's angle"),
        (lambda e, a: (cart(e, a) ** 2).sum(dim=1) * e.step_dt, "step_dt already"),
        (lambda e, a: (cart(e, a) ** 4).sum(dim=1), "expected"),
    ],
)
def test_cart_centred(capsys: Capture, env: gym.Env, term: Callable[..., Any], hint: str) -> None:
    text = said(capsys, mdp_terms.check_cart_centred, term, env)
    assert hint in text and text.startswith("✓" if hint == "✓" else "✗")


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        (lambda r, v, te, tr, g: r + g * v * ~te, "✓"),
        (lambda r, v, te, tr, g: r + g * v, "failed"),
        (lambda r, v, te, tr, g: r + g * v * ~(te | tr), "not the policy's fault"),
        (lambda r, v, te, tr, g: r + g * v * ~tr, "other way round"),
        (lambda r, v, te, tr, g: (r + g * v) * ~te, "reward of this step"),
        (lambda r, v, te, tr, g: r + v * ~te, "gamma is missing"),
        (lambda r, v, te, tr, g: r, "expected"),
        (lambda r, v, te, tr, g: r.sum(), "expected (4,)"),
    ],
)
def test_value_target(capsys: Capture, target: Callable[..., Any], hint: str) -> None:
    text = said(capsys, mdp_terms.check_value_target, target)
    assert hint in text and text.startswith("✓" if hint == "✓" else "✗")


# lesson 4


def slow_motion(dt: float = 1 / 240, decimation: int = 4, length: float = 10.0, render: int | None = None) -> type:
    @configclass
    class Variant(CartpoleEnvCfg):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.sim.dt, self.decimation, self.episode_length_s = dt, decimation, length
            self.sim.render_interval = decimation if render is None else render

    return Variant


@pytest.mark.parametrize(
    ("cfg_class", "hint"),
    [
        (slow_motion(), "✓"),
        (CartpoleEnvCfg, "expected 240"),
        (slow_motion(dt=240), "time of one physics step"),
        (slow_motion(decimation=2), "120 decisions"),
        (slow_motion(length=600.0), "not in steps"),
        (slow_motion(length=5.0), "expected 10"),
        (slow_motion(render=2), "one picture a decision"),
        (slow_motion()(), "without ()"),
        (None, "without ()"),
        (int, "AttributeError"),
    ],
)
def test_slow_motion(capsys: Capture, cfg_class: Any, hint: str) -> None:
    text = said(capsys, timing.check_slow_motion, cfg_class)
    assert hint in text and text.startswith("✓" if hint == "✓" else "✗")


def measured(stands: float, timeouts: float = 1.0) -> Evaluation:
    """An evaluation of 100 episodes with these shares."""
    share = torch.arange(100) / 100
    return Evaluation(
        returns=torch.zeros(100),
        timed_out=share < timeouts,
        lengths=torch.full((100,), 300),
        settle_time_s=torch.where(share < stands, 1.0, torch.nan),
        reward_terms={},
        step_dt=1 / 60,
        seed=0,
    )


@pytest.mark.parametrize(
    ("stands", "timeouts", "gains", "hint"),
    [
        (0.9, 0.9, (0.2, -3.5, 0.4, -0.8), "✓"),
        (0.0, 1.0, (0.0, 0.0, 0.0, 0.0), "does not see"),
        (0.0, 0.1, (0.1, 3.0, 0.25, 0.6), "Turn the sign"),
        (0.0, 1.0, (0.0, -0.1, 0.0, 0.0), "Be bolder"),
        (0.1, 1.0, (0.0, -3.0, 0.0, 0.0), "Make pole_d negative"),
        (0.1, 1.0, (-0.1, -3.0, -0.2, -0.6), "tips the pole over"),
        (0.5, 0.5, (0.0, -3.0, 0.0, -0.6), "leave the stage"),
        (0.8, 0.9, (0.1, -3.0, 0.2, -0.6), "close"),
        (0.84, 0.96, (0.1, -3.0, 0.25, -0.6), "84% of the poles stand"),
    ],
)
def test_controller(capsys: Capture, stands: float, timeouts: float, gains: tuple[float, ...], hint: str) -> None:
    named = dict(zip(("cart_p", "pole_p", "cart_d", "pole_d"), gains, strict=True))
    text = said(capsys, timing.check_controller, measured(stands, timeouts), named)
    assert hint in text and text.startswith("✓" if hint == "✓" else "✗")


# lesson 5

ENTRY = {
    "entry_point": "isaaclab.envs:ManagerBasedRLEnv",
    "disable_env_checker": True,
    "kwargs": {
        "env_cfg_entry_point": "cartpole_lab.tasks.cartpole_camera_env_cfg:CartpoleDepthCameraEnvCfg",
        "rl_games_cfg_entry_point": "cartpole_lab.tasks.agents:rl_games_camera_ppo_cfg.yaml",
    },
}


def entry(drop: str | None = None, **changes: Any) -> dict[str, Any]:
    kwargs = {**ENTRY["kwargs"], **{k: v for k, v in changes.items() if k in ENTRY["kwargs"]}}
    kwargs.pop(drop, None)
    return {**ENTRY, **{k: v for k, v in changes.items() if k not in ENTRY["kwargs"]}, "kwargs": kwargs}


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (ENTRY, "✓"),
        (entry(kwargs={}, drop="env_cfg_entry_point"), "no 'env_cfg_entry_point'"),
        (entry(drop="rl_games_cfg_entry_point"), "no 'rl_games_cfg_entry_point'"),
        (entry(entry_point="isaaclab.envs.ManagerBasedRLEnv"), "entry_point is"),
        (entry(disable_env_checker=False), "not a batch"),
        (entry(id="My-Depth-Cartpole-v0"), "leave the id out"),
        (entry(env_cfg_entry_point="cartpole_lab.tasks.cartpole_camera_env_cfg.CartpoleDepthCameraEnvCfg"), "colon"),
        (entry(env_cfg_entry_point="cartpole_lab.tasks.cartpole_env_cfg:CartpoleEnvCfg"), "leads to CartpoleEnvCfg"),
        (entry(rl_games_cfg_entry_point="cartpole_lab.tasks.agents:rl_games_ppo_cfg.yaml"), "expected the file"),
        (entry(rl_games_cfg_entry_point="cartpole_lab.tasks.agents:no_such_file.yaml"), "no_such_file"),
    ],
)
def test_registered(capsys: Capture, arguments: dict[str, Any], hint: str) -> None:
    text = said(capsys, gymnasium_ids.check_registered, "My-Depth-Cartpole-v0", arguments)
    assert hint in text and text.startswith("✓" if hint == "✓" else "✗")
    assert "My-Depth-Cartpole-v0" not in gym.registry, "the check cleans up, so that it can be run again"


def limiting(act: Callable[[torch.Tensor, float], torch.Tensor]) -> type[gym.ActionWrapper]:
    class Limit(gym.ActionWrapper):
        def __init__(self, env: gym.Env, limit: float) -> None:
            super().__init__(env)
            self.limit = limit

        def action(self, action: torch.Tensor) -> torch.Tensor:
            return act(action, self.limit)

    return Limit


@pytest.mark.parametrize(
    ("wrapper", "hint"),
    [
        (limiting(lambda a, m: a.clamp(-m, m)), "✓"),
        (limiting(lambda a, m: a), "unchanged"),
        (limiting(lambda a, m: a * m), "scales"),
        (limiting(lambda a, m: a.clamp(max=m)), "to the left"),
        (limiting(lambda a, m: a.clamp(-1.0, 1.0)), "whatever the limit"),
        (limiting(lambda a, m: a.clamp(-m, m).flatten()), "keep the shape"),
        (limiting(lambda a, m: a.clamp_(-m, m)), "clamp_() overwrites"),
        (limiting(lambda a, m: torch.zeros_like(a)), "actions become"),
        (limiting(lambda a, m: a.clamp(0, m)), "expected [-0.25"),
        (limiting(lambda a, m: None), "None"),
        (lambda env, limit: env, "gym.ActionWrapper"),
    ],
)
def test_push_limit(capsys: Capture, env: gym.Env, wrapper: Callable[..., Any], hint: str) -> None:
    text = said(capsys, gymnasium_ids.check_push_limit, wrapper, env)
    assert hint in text and text.startswith("✓" if hint == "✓" else "✗")
