#!/usr/bin/env bash
# A USD stage that does not say how long its unit is, read by Newton.
#
# Guess: numbers are metres, as in the rest of robotics. Or centimetres, the default of USD, and Newton converts them.
# Truth: lengths are taken as metres, and gravity is converted to centimetres. A cube of 0.2 stays 0.2, and falls with 981
#   instead of 9.81. No word is said; a stage that says metersPerUnit = 0.01 itself gets the same, and a warning.
# Why it matters: it looks right, since sizes are. Everything falls a hundred times too fast, and whoever mends that by gravity finds
#   the next file wrong.
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

import warnings
import newton
import warp as wp
from pxr import Usd, UsdGeom, UsdPhysics

wp.config.log_level = wp.LOG_ERROR
say("newton", "usd-core")

def read(meters):
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, "Z")
    if meters is not None:
        UsdGeom.SetStageMetersPerUnit(stage, meters)
    UsdPhysics.Scene.Define(stage, "/scene")
    box = UsdGeom.Xform.Define(stage, "/box")
    UsdPhysics.RigidBodyAPI.Apply(box.GetPrim())
    cube = UsdGeom.Cube.Define(stage, "/box/cube")
    cube.CreateSizeAttr(0.2)
    UsdPhysics.CollisionAPI.Apply(cube.GetPrim())
    builder = newton.ModelBuilder()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        builder.add_usd(stage)
    model = builder.finalize(device="cpu")
    units = [str(w.message) for w in said if "metersPerUnit" in str(w.message)]
    return 2 * float(model.shape_scale.numpy()[0][0]), -float(model.gravity.numpy().ravel()[2]), len(units)

for meters in (1.0, 0.01, None):
    side, gravity, said = read(meters)
    print(f"metersPerUnit {meters}: a cube of side {side:.2f}, gravity {gravity:.2f}, {said} warnings about it")
side, gravity, said = read(None)
expect("unsaid: lengths stay, gravity is a hundred times as large", abs(side - 0.2) < 1e-6 and abs(gravity - 981.0) < 0.1)
expect("and no warning", said == 0)
expect("0.01, said: the same with a warning", read(0.01) == (side, gravity, 1))
side, gravity, said = read(1.0)
expect("with metersPerUnit 1 all is well", said == 0 and abs(gravity - 9.81) < 1e-3)
PY
