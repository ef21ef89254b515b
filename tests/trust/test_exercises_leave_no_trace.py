"""Whatever a learner's answer does to the process, the next answer is judged as if nothing had been."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from cartpole_lab.tasks.robot import CARTPOLE_CFG
from cartpole_lab.teaching.exercises import acting, gymnasium_ids, mdp_terms, measuring, scene, training

Capture = pytest.CaptureFixture[str]


def said(capsys: Capture, check: Callable[..., None], *arguments: Any) -> str:
    capsys.readouterr()
    check(*arguments)
    return capsys.readouterr().out.strip()


def gain(r: torch.Tensor, a: torch.Tensor, e_clip: float = 0.2) -> torch.Tensor:
    return torch.minimum(r * a, r.clamp(1 - e_clip, 1 + e_clip) * a)


def spoiling(change: Callable[[Any], Any]) -> Callable[..., Any]:
    """An answer that writes into whatever it is given, and answers nonsense."""

    def answer(*given: Any, **_: Any) -> Any:
        for value in given:
            if isinstance(value, torch.Tensor | np.ndarray):
                change(value)
        return given[0]

    return answer


RIGHT: dict[str, tuple[Callable[..., None], Callable[..., Any]]] = {
    "clipped_gain": (training.check_clipped_gain, gain),
    "value_target": (mdp_terms.check_value_target, lambda r, v, te, tr, g: r + g * v * ~te),
    "lean": (acting.check_lean, lambda o: -torch.sign(o[:, 1:2])),
    "sin_cos": (acting.check_sin_cos, lambda a: torch.stack([a.sin(), a.cos()], dim=-1)),
    "standard_error": (measuring.check_standard_error, lambda r: r.std() / len(r) ** 0.5),
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("change", [lambda t: t.__imul__(0), lambda t: t.__iadd__(t), lambda t: t.__setitem__(0, 9)])
def test_an_answer_that_writes_into_what_it_is_given_spoils_nothing(
    name: str, change: Callable[[Any], Any], capsys: Capture
) -> None:
    check, right = RIGHT[name]
    for _ in range(3):
        assert said(capsys, check, spoiling(change)).startswith("✗")
    assert said(capsys, check, right).startswith("✓")


def test_an_answer_in_place_that_comes_out_right_by_chance_is_judged_by_the_numbers(capsys: Capture) -> None:
    def in_place(ratio: torch.Tensor, advantage: torch.Tensor, e_clip: float = 0.2) -> torch.Tensor:
        answer = gain(ratio, advantage, e_clip)
        ratio.fill_(1.0)
        advantage.fill_(1.0)
        return answer

    assert said(capsys, training.check_clipped_gain, in_place).startswith("✓")  # it is right, whatever it leaves
    assert said(capsys, training.check_clipped_gain, lambda r, a, e=0.2: torch.ones(5)).startswith("✗")
    assert said(capsys, training.check_clipped_gain, gain).startswith("✓")


def test_a_robot_that_was_written_into_is_put_back(capsys: Capture) -> None:
    from isaaclab.utils import replace

    CARTPOLE_CFG.actuators["cart_actuator"].damping = 0.0
    assert "as it was again" in said(capsys, scene.check_ice, replace(CARTPOLE_CFG), CARTPOLE_CFG)
    motor = replace(CARTPOLE_CFG.actuators["cart_actuator"], damping=0.0)
    ice = replace(CARTPOLE_CFG, actuators={**CARTPOLE_CFG.actuators, "cart_actuator": motor})
    assert said(capsys, scene.check_ice, ice, CARTPOLE_CFG).startswith("✓")
    CARTPOLE_CFG.init_state.joint_pos["cart_to_pole"] = 3.14
    assert "as it was again" in said(capsys, scene.check_hanging, replace(CARTPOLE_CFG), CARTPOLE_CFG)
    assert CARTPOLE_CFG.init_state.joint_pos["cart_to_pole"] == 0.0
    assert CARTPOLE_CFG.actuators["cart_actuator"].damping == 10.0


def test_a_check_of_a_real_id_leaves_the_real_entry(capsys: Capture) -> None:
    import cartpole_lab.tasks  # noqa: F401  registers it

    real = gym.registry["Isaac-Cartpole-Depth-v0"]
    entry = {"entry_point": "isaaclab.envs:ManagerBasedRLEnv", "disable_env_checker": True, "kwargs": {}}
    said(capsys, gymnasium_ids.check_registered, "Isaac-Cartpole-Depth-v0", entry)
    modules = "cartpole_lab.tasks.cartpole_camera_env_cfg", "cartpole_lab.tasks.agents"
    entry["kwargs"] = {
        "env_cfg_entry_point": f"{modules[0]}:CartpoleDepthCameraEnvCfg",
        "rl_games_cfg_entry_point": f"{modules[1]}:rl_games_camera_ppo_cfg.yaml",
    }
    assert said(capsys, gymnasium_ids.check_registered, "Isaac-Cartpole-Depth-v0", entry).startswith("✓")
    assert gym.registry["Isaac-Cartpole-Depth-v0"] is real


@pytest.mark.parametrize(
    "leave", [exit, sys.exit, lambda: sys.exit("bye\nbye"), lambda: (_ for _ in ()).throw(GeneratorExit)]
)
def test_leaving_is_a_wrong_answer(leave: Callable[[], Any], capsys: Capture) -> None:
    line = said(capsys, training.check_clipped_gain, lambda *_: leave())
    assert line.startswith("✗ your code raised") and "\n" not in line


def test_whoever_stops_a_cell_is_heard() -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.check_clipped_gain(interrupted)


def test_the_process_is_as_it_was(capsys: Capture, tmp_path: Any) -> None:
    def everything(*_: Any) -> None:
        sys.path.insert(0, str(tmp_path))
        os.chdir(tmp_path)
        os.environ["CARTPOLE_LAB_SPEED"] = "nonsense"
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        gym.registry.clear()
        sys.stdout = None  # type: ignore[assignment]

    import cartpole_lab.tasks  # noqa: F401

    def state() -> list[Any]:
        return [
            list(sys.path), os.getcwd(), dict(os.environ), torch.get_rng_state().tolist(), random.getstate(),
            np.random.get_state()[1].tolist(), torch.is_grad_enabled(), torch.get_default_dtype(), set(gym.registry),
        ]  # fmt: skip

    before = state()
    assert said(capsys, training.check_clipped_gain, everything).startswith("✗")
    assert state() == before and len(before[-1]) > 5
