"""The physics package: what is baked in and what is not, threads, availability, the first compilation."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading

import pytest


def test_presets_carry_isaac_labs_names_and_settings() -> None:
    from isaaclab_tasks.core.cartpole.cartpole_common import CartpolePhysicsCfg as Upstream

    from cartpole_lab.physics import CartpolePhysicsCfg

    ours, theirs = CartpolePhysicsCfg(), Upstream()
    for name in ("newton_mjwarp", "ovphysx", "isaacsim_physx", "default"):
        assert type(getattr(ours, name)) is type(getattr(theirs, name))
    mine, upstream = ours.newton_mjwarp.solver_cfg.to_dict(), theirs.newton_mjwarp.solver_cfg.to_dict()
    different = {key for key in mine if key not in upstream or mine[key] != upstream[key]}
    switches = {"skip_idle_solver", "skip_unreachable_contacts", "skip_idle_kernels"}
    assert different == {"class_type", "replay", "num_threads"} | switches


def test_the_default_is_newton() -> None:
    from cartpole_lab.physics import CartpolePhysicsCfg

    assert type(CartpolePhysicsCfg().default).__name__ == "NewtonCfg"


@pytest.mark.skipif(importlib.util.find_spec("isaacsim") is not None, reason="Isaac Sim is installed")
def test_isaac_sim_missing_is_one_clear_line() -> None:
    from cartpole_lab.errors import UserError
    from cartpole_lab.physics import CartpolePhysicsCfg, PhysicsUnavailable, check_available

    with pytest.raises(PhysicsUnavailable, match=r'pip install "isaaclab\[isaacsim\]==3.0.0"') as caught:
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
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)


def test_pool_replays_every_group_and_reports_an_error() -> None:
    import warp as wp

    from cartpole_lab.physics.pool import ReplayPool

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
        thread.join(timeout=5)
        assert not thread.is_alive()


def test_recording_skips_contact_kernels_only_while_there_is_no_contact() -> None:
    """A kernel that is recorded behind the contact counter runs as soon as the counter says so."""
    import types

    import warp as wp

    from cartpole_lab.physics.recorder import NEEDS_CONTACTS, ModuleCopies, record

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
