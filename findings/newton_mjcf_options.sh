#!/usr/bin/env bash
# A MuJoCo model, read by MuJoCo and by Newton (whose solver is MuJoCo-Warp).
#
# Guess: with parse_mujoco_options=True, Newton's default, the <option> element counts, and actuators keep their order.
# Truth: of the options here only the integrator arrives. Gravity and time step fall back to Newton's own, keyframes are gone, and
#   the controls are sorted: position actuators come before motors, whatever the file says. No warning is given.
# Why it matters: a policy trained on the MuJoCo model has its outputs swapped on the Newton one, and the Moon becomes the Earth.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONNOUSERSITE=1
unset PYTHONPATH
"${PYTHON:-python3.12}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet newton==1.6.1 warp-lang==1.17.0 mujoco==3.12.0 mujoco-warp==3.12.0 numpy==2.5.5
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

def say(*packages):
    print("versions:", ", ".join(f"{p} {version(p)}" for p in packages))

def expect(what, holds):
    print(("as found:  " if holds else "CHANGED:   ") + what)
    if not holds:
        raise SystemExit(1)

import mujoco
import newton
import warp as wp

wp.config.log_level = wp.LOG_ERROR
say("newton", "mujoco", "mujoco-warp", "warp-lang")
XML = """<mujoco>
  <option gravity="0 0 -1.62" timestep="0.004" integrator="RK4"/>
  <worldbody>
    <body name="cart">
      <joint name="slide" type="slide" axis="1 0 0"/>
      <geom type="box" size=".1 .1 .1" mass="1"/>
      <body name="pole">
        <joint name="hinge" type="hinge" axis="0 1 0"/>
        <geom type="capsule" fromto="0 0 0 0 0 1" size=".02" mass="1"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor name="push" joint="slide" gear="100"/>
    <position name="hold" joint="hinge" kp="5"/>
  </actuator>
  <keyframe><key name="leaning" qpos="0.5 0.3"/></keyframe>
</mujoco>"""
theirs = mujoco.MjModel.from_xml_string(XML)
builder = newton.ModelBuilder()
newton.solvers.SolverMuJoCo.register_custom_attributes(builder)
builder.add_mjcf(XML)
ours = newton.solvers.SolverMuJoCo(builder.finalize(device="cpu")).mj_model
for name, model in (("MuJoCo", theirs), ("Newton", ours)):
    print(
        f"{name}: gravity {model.opt.gravity[2]:.2f}, time step {model.opt.timestep}, integrator {model.opt.integrator},"
        f" keyframes {model.nkey}, gears {model.actuator_gear[:, 0]}, gains {model.actuator_gainprm[:, 0]}"
    )
expect("the integrator arrives", ours.opt.integrator == theirs.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4)
expect("gravity does not", abs(ours.opt.gravity[2] + 9.81) < 1e-3 and theirs.opt.gravity[2] == -1.62)
expect("the time step does not", ours.opt.timestep == 0.002 and theirs.opt.timestep == 0.004)
expect("keyframes do not", ours.nkey == 0 and theirs.nkey == 1)
expect("the motor is control 0 in the file and control 1 in Newton",
       list(theirs.actuator_gear[:, 0]) == [100, 1] and list(ours.actuator_gear[:, 0]) == [1, 100])
PY
