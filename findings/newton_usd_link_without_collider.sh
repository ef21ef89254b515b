#!/usr/bin/env bash
# Newton reads a USD link that has a mass and a centre of mass, but neither an inertia nor a collider.
#
# Guess: the fallback inertia (a small sphere) is the link's inertia about its centre of mass.
# Truth: the sphere is put at the link's origin and moved to the centre of mass first, so m·d² is already inside. Every
#   solver adds m·d² again for the joint, and the link resists turning about its joint with the lever counted twice.
# Why it matters: a pole drawn without a collider, 0.47 m from its hinge, swings far too slowly. There is one warning about an
#   "invalid inertia", and none about the lever. Write physics:diagonalInertia, or give the link a collider.
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
MASS, LEVER = 1.0, 0.47

def inertia(center):
    stage = Usd.Stage.CreateInMemory()
    stage.GetRootLayer().ImportFromString(f"""#usda 1.0
(
    upAxis = "Z"
    metersPerUnit = 1
)
def PhysicsScene "scene" {{}}
def Xform "pole" ( prepend apiSchemas = ["PhysicsRigidBodyAPI", "PhysicsMassAPI"] )
{{
    float physics:mass = {MASS}
    point3f physics:centerOfMass = (0, 0, {center})
}}
""")
    builder = newton.ModelBuilder()
    builder.add_usd(stage)
    model = builder.finalize(device="cpu")
    assert abs(model.body_com.numpy()[0][2] - center) < 1e-6
    return float(model.body_inertia.numpy()[0][0, 0])

at_origin, at_lever = inertia(0.0), inertia(LEVER)
print(f"inertia about the centre of mass: {at_origin:.4f} with it at the origin, {at_lever:.4f} with it {LEVER} m away [kg m²]")
expect("the difference is m·d²", abs(at_lever - at_origin - MASS * LEVER**2) < 1e-3)
PY
