"""The physics package: what is baked in and what is not, threads, availability, the first compilation."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading

import numpy as np
import pytest
import warp as wp


def test_presets_carry_isaac_labs_names_and_settings() -> None:
    from isaaclab_tasks.core.cartpole.cartpole_common import CartpolePhysicsCfg as Upstream

    from cartpole_lab.physics import CartpolePhysicsCfg

    ours, theirs = CartpolePhysicsCfg(), Upstream()
    for name in ("newton_mjwarp", "ovphysx", "isaacsim_physx", "default"):
        assert type(getattr(ours, name)) is type(getattr(theirs, name))
    mine, upstream = ours.newton_mjwarp.solver_cfg.to_dict(), theirs.newton_mjwarp.solver_cfg.to_dict()
    assert {key for key in mine if key not in upstream or mine[key] != upstream[key]} == {"class_type"}


def test_the_default_is_newton() -> None:
    from cartpole_lab.physics import CartpolePhysicsCfg

    assert type(CartpolePhysicsCfg().default).__name__ == "NewtonCfg"


@pytest.mark.skipif(importlib.util.find_spec("isaacsim") is not None, reason="Isaac Sim is installed")
def test_isaac_sim_missing_is_one_clear_line() -> None:
    from cartpole_lab.errors import UserError
    from cartpole_lab.physics import CartpolePhysicsCfg, PhysicsUnavailable, check_available

    with pytest.raises(PhysicsUnavailable, match=r"isaacsim\[all,extscache\]==6\.2\.0\.0") as caught:
        check_available(CartpolePhysicsCfg().isaacsim_physx)
    assert isinstance(caught.value, UserError)
    assert "\n" not in str(caught.value)


def test_newton_is_always_available() -> None:
    from cartpole_lab.physics import CartpolePhysicsCfg, check_available

    check_available(CartpolePhysicsCfg().newton_mjwarp)


def test_pinned_memory_works_without_a_cuda_driver() -> None:
    """In a process of its own: the change to Warp's CPU device lasts as long as the process."""
    code = (
        "import warp as wp\n"
        "import cartpole_lab.physics.ovphysx\n"
        "a = wp.zeros(3, dtype=float, device='cpu', pinned=True)\n"
        "assert a.numpy().tolist() == [0.0, 0.0, 0.0]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=600)


def test_pool_replays_every_group_and_reports_an_error() -> None:
    import warp as wp

    from cartpole_lab.speed.replay_threads import ReplayPool

    wp.init()
    graphs, arrays = [], []
    for _ in range(3):
        array = wp.zeros(4, dtype=float, device="cpu")
        with wp.ScopedCapture(device="cpu") as capture:
            array.fill_(2.0)
        graphs.append([capture.graph])
        arrays.append(array)
    assert all((array.numpy() == 0.0).all() for array in arrays), "recording runs nothing"
    pool = ReplayPool(3)
    pool.replay(graphs)
    assert all((array.numpy() == 2.0).all() for array in arrays)
    with pytest.raises(AttributeError):
        pool.replay([graphs[0], ["not a graph"], graphs[2]])
    pool.close()
    for thread in [t for t in threading.enumerate() if t.name == "physics"]:
        thread.join(timeout=120)
        assert not thread.is_alive()


def test_recording_skips_contact_kernels_only_while_there_is_no_contact() -> None:
    """A kernel that is recorded behind the contact counter runs as soon as the counter says so."""
    import types

    import warp as wp

    from cartpole_lab.speed.launch_recorder import NEEDS_CONTACTS, ModuleCopies, record

    wp.init()

    @wp.kernel
    def _efc_contact_init(out: wp.array(dtype=float)):
        out[wp.tid()] = 1.0

    assert _efc_contact_init.key.endswith(NEEDS_CONTACTS[0])
    _efc_contact_init.key = NEEDS_CONTACTS[0]
    out = wp.zeros(2, dtype=float, device="cpu")
    counters = types.SimpleNamespace(
        nacon=wp.zeros(1, dtype=int, device="cpu"), ncollision=wp.zeros(1, dtype=int, device="cpu")
    )
    wp.load_module(device="cpu")
    launch = wp.launch
    graph = record(
        lambda: wp.launch(_efc_contact_init, dim=2, outputs=[out], device="cpu"), counters, 0, ModuleCopies()
    )
    assert wp.launch is launch, "the wrapper is gone"
    wp.capture_launch(graph)
    assert out.numpy().tolist() == [0.0, 0.0]
    counters.nacon.fill_(1)
    wp.capture_launch(graph)
    assert out.numpy().tolist() == [1.0, 1.0]


_TENDON = {"_qderiv_tendon_damping", "_geom_local_to_global"}
_FIXED = '<tendon><fixed {}><joint joint="turn" coef="1"/></fixed></tendon>'
_WRAPPED = (
    '<tendon><spatial stiffness="90" springlength="0.1"><site site="wall"/><geom geom="ball"/><site site="tip"/>'
    "</spatial></tendon>"
)
_MOTOR = '<actuator><general joint="turn" dyntype="integrator" gainprm="4"/></actuator>'
_SENSOR = '<sensor><framepos objtype="geom" objname="ball"/></sensor>'
_MACHINES = {
    "plain": ("", "", "", set()),
    "spared_by_gravity": ('gravcomp="0.7"', "", "", {"_gravity_force"}),
    "rusty": ("", 'frictionloss="0.2"', "", {"_friction_dof"}),
    "rusty_tendon": ("", "", _FIXED.format('frictionloss="0.3"'), {"_friction_dof"} | _TENDON),
    "damped_tendon": ("", "", _FIXED.format('damping="2"'), _TENDON),
    "wrapped_tendon": ("", "", _WRAPPED, _TENDON),
    "slow_motor": ("", "", _MOTOR, {"_next_activation"}),
    "in_water": ("", "", '<option density="900" viscosity="0.2"/>', {"_geom_local_to_global"}),
    "watched": ("", "", _SENSOR, {"_geom_local_to_global"}),
}
"""What a body, its joint and the machine have more than a plain pendulum, and the kernels that therefore run."""


@pytest.mark.parametrize("name", _MACHINES)
def test_kernels_are_left_out_of_machines_that_have_no_use_for_them(name: str) -> None:
    import mujoco
    import mujoco_warp

    from cartpole_lab.speed.idle_solver import IdleSolverMuJoCo

    body, joint, more, useful = _MACHINES[name]
    machine = mujoco.MjModel.from_xml_string(f"""
        <mujoco><option integrator="implicitfast"><flag contact="disable"/></option>{more}
        <worldbody><site name="wall" pos="0.5 0.1 1"/><body pos="0 0 1" {body}>
          <joint name="turn" axis="0 1 0" {joint}/><geom name="ball" size="0.1" pos="0.3 0 0"/>
          <site name="tip" pos="0.4 0.2 0"/></body></worldbody></mujoco>""")
    paths = []
    for skips in (False, True):
        solver = IdleSolverMuJoCo.__new__(IdleSolverMuJoCo)
        solver.skips_solver, solver.skips_kernels, solver.contacts_possible = False, skips, False
        solver._mujoco_warp = mujoco_warp
        state = mujoco.MjData(machine)
        state.qvel[:], state.ctrl[:] = 0.5, 1.0
        with wp.ScopedDevice("cpu"):
            solver.mjw_model = mujoco_warp.put_model(machine)
            solver.mjw_data = mujoco_warp.put_data(machine, state, nworld=2)
            solver.idle_kernels = solver._find_idle_kernels()
            path = []
            for _ in range(40):
                solver._mujoco_warp_step()
                data = solver.mjw_data
                path.append([a.numpy().copy() for a in (data.qpos, data.qvel, data.act, data.sensordata)])
        paths.append(path)
    idle = {"_next_activation", "_gravity_force", "_friction_dof"} | _TENDON
    assert set(solver.idle_kernels) == idle - useful
    assert not np.array_equal(paths[0][0][0], paths[0][-1][0]), "it moves"
    for full, lean in zip(*paths, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(full, lean, strict=True))
