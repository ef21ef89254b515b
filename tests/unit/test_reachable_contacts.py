"""Contacts are left out only where no two shapes can meet, and come back when something is moved within reach."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("speed_on")

CART_POLE = """
<body name="rail" pos="0 0 {height}"><geom contype="0" type="box" size="0.015 4 0.015"/>
  <body name="cart"><joint type="slide" axis="{axis}" range="-4 4"/><geom contype="0" type="box" size="0.1 0.12 0.1"/>
    <body name="pole" pos="0.12 0 0"><joint type="hinge" axis="1 0 0"/>
      <geom contype="0" type="box" pos="0 0 0.47" size="0.02 0.03 0.5"/></body></body></body>
"""
TWO_ARMS = """
<body pos="0 0 2"><joint type="hinge" axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0.4 0 0" size="0.05"/>
  <body pos="0.4 0 0"><joint type="{joint}" axis="0 0 1"/>
    <geom type="capsule" fromto="0 0 0 0.4 0 0" size="0.05"/></body></body>
<body pos="{away} 0 2"><joint type="hinge" axis="0 1 0"/><geom type="sphere" pos="0.3 0 0" size="0.1"/></body>
"""
LIFTS = """
<body pos="0 0 3"><joint type="slide" axis="0 0 1"/><geom type="box" size="0.2 0.2 0.2"/></body>
<body pos="{away} 0 3"><joint type="slide" axis="0 1 1"/><geom type="box" size="0.2 0.2 0.2"/></body>
"""
CASES = {
    "cart_pole": (CART_POLE.format(height=2, axis="0 1 0"), True, False),
    "cart_pole_that_reaches_the_ground": (CART_POLE.format(height=0.9, axis="0 1 0"), True, True),
    "cart_pole_under_the_ground": (CART_POLE.format(height=-3, axis="0 1 0"), True, True),
    "sloping_rail": (CART_POLE.format(height=2, axis="0 1 0.5"), True, True),
    "cart_pole_without_a_ground": (CART_POLE.format(height=0.9, axis="0 1 0"), False, False),
    "arms_within_reach": (TWO_ARMS.format(joint="hinge", away=1.2), False, True),
    "arms_out_of_reach": (TWO_ARMS.format(joint="hinge", away=1.6), False, False),
    "ball_joints_out_of_reach": (TWO_ARMS.format(joint="ball", away=1.6), True, False),
    "slider_on_an_arm": (TWO_ARMS.format(joint="slide", away=1.6), False, True),
    "lifts_out_of_reach": (LIFTS.format(away=0.9), False, False),
    "lifts_within_reach": (LIFTS.format(away=0.3), False, True),
    "lifts_down_to_the_ground": (LIFTS.format(away=0.9), True, True),
    "loose_box": ('<body pos="0 0 9"><freejoint/><geom type="box" size="0.1 0.1 0.1"/></body>', True, True),
}


def _solver(bodies: str, ground: bool) -> Any:
    import newton

    plane = '<geom type="plane" size="0 0 1"/>' if ground else ""
    builder = newton.ModelBuilder()
    newton.solvers.SolverMuJoCo.register_custom_attributes(builder)
    builder.add_mjcf(f"<mujoco><compiler angle='radian'/><worldbody>{plane}{bodies}</worldbody></mujoco>")
    return newton.solvers.SolverMuJoCo(builder.finalize(device="cpu"), njmax=50, nconmax=50)


def _contact_seen(model: mujoco.MjModel) -> bool:
    """Whether MuJoCo finds two shapes in contact at one of many random positions of the joints."""
    data, random = mujoco.MjData(model), np.random.default_rng(0)
    for _ in range(3000):
        mujoco.mj_integratePos(model, data.qpos, random.uniform(-3, 3, model.nv), 1.0)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        if data.ncon:
            return True
        mujoco.mj_resetData(model, data)
    return False


@pytest.mark.parametrize("case", CASES)
def test_shapes_meet_where_mujoco_sees_them_meet(case: str) -> None:
    from cartpole_lab.speed.reachable_contacts import contacts_possible

    bodies, ground, possible = CASES[case]
    solver = _solver(bodies, ground)
    assert contacts_possible(solver) is possible
    seen = _contact_seen(solver.mj_model)
    assert possible or not seen, "what was called impossible happened"
    if case != "loose_box":
        assert seen == possible, "and what was called possible can happen"


def _robot(without: str) -> tuple[Any, Any]:
    from cartpole_lab import shortcuts
    from cartpole_lab.session.env import make_env

    shortcuts.use(without)
    env = make_env(num_envs=8, device="cpu")
    env.reset()
    return env, env.unwrapped.sim.physics_manager._solver


def test_the_cart_pole_needs_no_contacts_until_its_rail_is_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setenv("CARTPOLE_LAB_SPEED", "on")  # what it was is back after the test

    from cartpole_lab.session.env import close_env

    results = []
    for skips in (True, False):
        env, solver = _robot("-idle_solver" if skips else "-idle_solver,-unreachable_contacts")
        assert solver.contacts_possible is not skips
        robot, push = env.unwrapped.scene["robot"], torch.zeros(8, 1)
        contacts = []
        for step in range(150):
            if step == 10:  # two worlds only
                pose = robot.data.root_link_pose_w.torch.clone()
                pose[2:4, 2] = 0.7
                robot.write_root_pose_to_sim_index(root_pose=pose)
            env.step(push)
            assert solver.contacts_possible is (not skips or step >= 10)
            contacts.append(int(solver.mjw_data.nacon.numpy()[0]))
        assert max(contacts) > 0, "a pole hits the ground"
        results.append((contacts, robot.data.joint_pos.torch.tolist(), robot.data.joint_vel.torch.tolist()))
        close_env()
    assert results[0] == results[1], "as if contacts had been looked for all along"
