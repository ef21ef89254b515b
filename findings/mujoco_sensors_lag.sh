#!/usr/bin/env bash
# A slider of 1 kg moves at 10 m/s, one step of 2 ms in MuJoCo.
#
# Guess: after mj_step everything is of the new time: joint angles, body positions, sensors.
# Truth: only time, qpos and qvel are of the new time. Body positions (xpos) and every sensor, the joint position sensor included, are still those
#   of the start of the step: they were computed before the integration. mj_forward afterwards brings them up to date.
# Why it matters: an observation that takes angles from qpos and positions from xpos or sensors mixes two times. With 20 ms of
#   control and one step each, a fingertip lags one whole action behind its joints.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONNOUSERSITE=1
unset PYTHONPATH
"${PYTHON:-python3.12}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet mujoco==3.12.0 numpy==2.5.5
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

say("mujoco")
XML = """<mujoco>
  <option gravity="0 0 0" timestep="0.002"/>
  <worldbody><body name="cart"><joint name="slide" type="slide" axis="1 0 0"/><geom type="sphere" size=".1" mass="1"/></body></worldbody>
  <sensor><jointpos joint="slide"/><framepos objtype="body" objname="cart"/></sensor>
</mujoco>"""
model = mujoco.MjModel.from_xml_string(XML)
data = mujoco.MjData(model)
data.qvel[0] = 10.0
mujoco.mj_step(model, data)
joint, body, sensor, frame = (float(x) for x in (data.qpos[0], data.xpos[1, 0], data.sensordata[0], data.sensordata[1]))
print(f"after one step: time {data.time:.3f} s, qpos {joint:.3f} m, xpos {body:.3f} m, sensors {sensor:.3f} and {frame:.3f} m")
mujoco.mj_forward(model, data)
print(f"after mj_forward: xpos {data.xpos[1, 0]:.3f} m, sensors {data.sensordata[0]:.3f} and {data.sensordata[1]:.3f} m")
expect("the joint has moved, the body and the sensors have not", joint > 0.0199 and body == sensor == frame == 0.0)
expect("mj_forward brings them up to date", abs(data.xpos[1, 0] - joint) < 1e-9 and abs(data.sensordata[0] - joint) < 1e-9)
PY
