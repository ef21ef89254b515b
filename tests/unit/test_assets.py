"""The USD files and the configurations that spawn them."""

from __future__ import annotations

import newton
import numpy as np
import pytest
import warp as wp
from isaaclab_assets.robots.cartpole import CARTPOLE_CFG as UPSTREAM_CFG
from pxr import Usd, UsdGeom, UsdPhysics, UsdUtils

from cartpole_lab.tasks.robot import ASSETS, CARTPOLE_CFG, GROUND_CFG

CARTPOLE, GROUND = ASSETS / "cartpole.usda", ASSETS / "ground.usda"


def open_stage(path) -> Usd.Stage:
    stage = Usd.Stage.Open(str(path))
    assert not stage.GetCompositionErrors()
    return stage


@pytest.fixture(scope="module")
def model() -> newton.Model:
    """The cart-pole as Newton reads it, with everything that is to be seen."""
    builder = newton.ModelBuilder()
    builder.add_usd(str(CARTPOLE), hide_collision_shapes=True)
    return builder.finalize(device="cpu")


@pytest.mark.parametrize("path", [CARTPOLE, GROUND], ids=lambda p: p.name)
def test_a_file_can_be_referenced_and_needs_nothing_from_elsewhere(path) -> None:
    stage = open_stage(path)
    assert stage.GetDefaultPrim().IsValid()
    assert UsdGeom.GetStageUpAxis(stage) == "Z"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    layers, others, missing = UsdUtils.ComputeAllDependencies(str(path))
    assert not missing
    assert {layer.realPath for layer in layers} == {str(path)}
    assert all(str(other).startswith(str(ASSETS)) for other in others)
    assert "http" not in path.read_text() and "omniverse" not in path.read_text().lower()


def test_bodies_have_the_published_masses(model: newton.Model) -> None:
    names = [label.rsplit("/", 1)[-1] for label in model.body_label]
    assert names == ["slider", "cart", "pole"]
    assert np.allclose(model.body_mass.numpy()[1:], 1.0)
    assert np.allclose(model.body_com.numpy()[1:], [[0, 0, 0], [0, 0, 0.47]])
    for body, (x, y, z) in {1: (0.20, 0.25, 0.20), 2: (0.04, 0.06, 1.00)}.items():
        box = np.array([y * y + z * z, x * x + z * z, x * x + y * y]) / 12
        assert np.allclose(np.diag(model.body_inertia.numpy()[body]), box, rtol=1e-6)


def test_joints_have_the_published_frames_and_limits(model: newton.Model) -> None:
    names = [label.rsplit("/", 1)[-1] for label in model.joint_label]
    assert names == ["root_joint", "slider_to_cart", "cart_to_pole"]
    kinds = newton.JointType.FIXED, newton.JointType.PRISMATIC, newton.JointType.REVOLUTE
    assert tuple(model.joint_type.numpy()) == kinds
    lower, upper = model.joint_limit_lower.numpy(), model.joint_limit_upper.numpy()
    assert (lower[0], upper[0]) == (-4.0, 4.0)
    assert lower[1] < -1e3 and upper[1] > 1e3, "the pole swings freely"
    # the state of the model at cart +0.5 m and a pole that lies towards -Y
    state = model.state()
    model.joint_q.assign([0.5, np.pi / 2])
    newton.eval_fk(model, model.joint_q, model.joint_qd, state)
    poses = state.body_q.numpy()
    assert np.allclose(poses[1, :3], [0.0, 0.5, 0.0], atol=1e-6)
    assert np.allclose(poses[2, :3], [0.12, 0.5, 0.0], atol=1e-6)
    tip = np.array(wp.quat_rotate(wp.quat(*poses[2, 3:].tolist()), wp.vec3(0.0, 0.0, 0.97)))
    assert np.allclose(tip, [0.0, -0.97, 0.0], atol=1e-5)


def test_each_moving_joint_has_the_drive_that_physx_needs() -> None:
    """PhysX ignores an actuator's damping on a joint without a drive, and says nothing."""
    stage = open_stage(CARTPOLE)
    for path, kind in (("slider/slider_to_cart", "linear"), ("cart/cart_to_pole", "angular")):
        drive = UsdPhysics.DriveAPI.Get(stage.GetPrimAtPath(f"/cartpole/{path}"), kind)
        assert drive, f"{path} has no {kind} drive"
        assert drive.GetDampingAttr().Get() == drive.GetStiffnessAttr().Get() == 0.0


def test_what_is_seen_is_not_felt() -> None:
    """Exactly one collision box a body, hidden from cameras; every other shape collides with nothing."""
    colliders = []
    stage = open_stage(CARTPOLE)
    for prim in stage.Traverse():
        if not prim.IsA(UsdGeom.Gprim):
            continue
        purpose = UsdGeom.Imageable(prim).ComputePurpose()
        if prim.HasAPI(UsdPhysics.CollisionAPI):
            colliders.append((prim.GetPath().GetParentPath().GetParentPath().name, purpose))
        else:
            assert "/visuals/" in str(prim.GetPath())
            assert purpose == "default"
    assert colliders == [("slider", "guide"), ("cart", "guide"), ("pole", "guide")]


def test_the_floor_is_a_plane_at_zero_below_the_pole() -> None:
    stage = open_stage(GROUND)
    colliders = [prim for prim in stage.Traverse() if prim.HasAPI(UsdPhysics.CollisionAPI)]
    assert [prim.GetTypeName() for prim in colliders] == ["Plane"]
    bounds = UsdGeom.BBoxCache(Usd.TimeCode.Default(), ["default"]).ComputeWorldBound(stage.GetPseudoRoot())
    size = bounds.ComputeAlignedRange()
    assert tuple(size.GetMin()) == (-50.0, -50.0, 0.0) and tuple(size.GetMax()) == (50.0, 50.0, 0.0)
    # Isaac Lab scales this prim to the configured size
    assert stage.GetPrimAtPath("/ground/Environment").GetAttribute("xformOp:scale").HasAuthoredValue()
    assert CARTPOLE_CFG.init_state.pos[2] > 0.97 + 0.05, "a hanging pole clears the floor"


def test_the_configurations_are_local_and_keep_isaac_labs_values() -> None:
    assert CARTPOLE_CFG.spawn.usd_path == str(CARTPOLE) and GROUND_CFG.usd_path == str(GROUND)
    assert CARTPOLE_CFG.spawn.usd_path != UPSTREAM_CFG.spawn.usd_path
    ours, upstream = CARTPOLE_CFG.to_dict(), UPSTREAM_CFG.to_dict()
    ours["spawn"].pop("usd_path"), upstream["spawn"].pop("usd_path")
    assert ours == upstream
