#!/usr/bin/env bash
# Newton reads the start state of a revolute joint from USD, where every angle is in degrees.
#
# Guess: state:angular:physics:velocity is in degrees a second, like the position beside it and the drive's target velocity.
# Truth: the position and the drive's targets are converted to radians; the velocity of the state is not. 90 degrees a second
#   become 90 radians a second. (Without schema resolvers the state is not read at all, and no word is said.)
# Why it matters: a scene saved from a running simulation starts 57 times too fast.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONNOUSERSITE=1
unset PYTHONPATH
"${PYTHON:-python3.12}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet newton==1.6.1 warp-lang==1.17.0 mujoco==3.12.0 mujoco-warp==3.12.0 numpy==2.5.5 \
  usd-core==26.8 newton-usd-schemas==0.6.0 scipy==1.18.1
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

def say(*packages):
    print("versions:", ", ".join(f"{p} {version(p)}" for p in packages))

def expect(what, holds):
    print(("as found:  " if holds else "CHANGED:   ") + what)
    if not holds:
        raise SystemExit(1)

import numpy as np
import newton
import warp as wp
from pxr import Usd

wp.config.log_level = wp.LOG_ERROR
say("newton", "warp-lang", "usd-core")
STAGE = """#usda 1.0
(
    upAxis = "Z"
    metersPerUnit = 1
)
def PhysicsScene "scene" {}
def Xform "robot" ( prepend apiSchemas = ["PhysicsArticulationRootAPI"] )
{
    def Xform "base" ( prepend apiSchemas = ["PhysicsRigidBodyAPI", "PhysicsMassAPI"] )
    {
        float physics:mass = 1
        float3 physics:diagonalInertia = (0.1, 0.1, 0.1)
    }
    def Xform "pole" ( prepend apiSchemas = ["PhysicsRigidBodyAPI", "PhysicsMassAPI"] )
    {
        float physics:mass = 1
        float3 physics:diagonalInertia = (0.1, 0.1, 0.1)
    }
    def PhysicsFixedJoint "fixed"
    {
        rel physics:body1 = </robot/base>
    }
    def PhysicsRevoluteJoint "hinge" ( prepend apiSchemas = ["PhysicsJointStateAPI:angular", "PhysicsDriveAPI:angular"] )
    {
        uniform token physics:axis = "X"
        rel physics:body0 = </robot/base>
        rel physics:body1 = </robot/pole>
        float state:angular:physics:position = 30
        float state:angular:physics:velocity = 90
        float drive:angular:physics:targetVelocity = 90
        float drive:angular:physics:damping = 3
    }
}
"""

def read(**settings):
    stage = Usd.Stage.CreateInMemory()
    stage.GetRootLayer().ImportFromString(STAGE)
    builder = newton.ModelBuilder()
    builder.add_usd(stage, **settings)
    model = builder.finalize(device="cpu")
    return (float(a.numpy()[-1]) for a in (model.joint_q, model.joint_qd, model.joint_target_qd))

resolvers = [newton.usd.SchemaResolverNewton(), newton.usd.SchemaResolverPhysx()]
position, velocity, target = read(schema_resolvers=resolvers)
print(f"position 30 degrees -> {position:.4f} rad; target velocity 90 degrees/s -> {target:.4f} rad/s")
print(f"state velocity 90 degrees/s -> {velocity:.4f} rad/s")
expect("position and target are converted", np.allclose([position, target], np.deg2rad([30, 90]), atol=1e-5))
expect("the velocity of the state is taken as radians", abs(velocity - 90.0) < 1e-3)
expect("without resolvers the state is not read", tuple(read())[:2] == (0.0, 0.0))
PY
