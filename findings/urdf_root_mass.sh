#!/usr/bin/env bash
# One URDF, a base of 5 kg, an arm of 1 kg on a hinge, and a tip of 0.5 kg fixed to it, read by MuJoCo and by Newton.
#
# Guess: both know three links of 6.5 kg together.
# Truth: MuJoCo knows one body of 1.5 kg besides the world: the tip is merged into the arm, and the base is merged into the world, where
#   its mass is gone. Newton keeps all three, and welds the base to the world by a joint. The hinge is called alike in both; the
#   links are not there to be found in MuJoCo.
# Why it matters: put a free joint on such a base in MuJoCo, or weigh the robot, and 5 kg are missing; body indices and names differ
#   between the two, so observations by index read another link. MuJoCo keeps them with <compiler fusestatic="false"/> in the file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONNOUSERSITE=1
unset PYTHONPATH
"${PYTHON:-python3.12}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet newton==1.6.1 warp-lang==1.17.0 mujoco==3.12.0 mujoco-warp==3.12.0 numpy==2.5.5 \
  scipy==1.18.1
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
say("mujoco", "newton")

def link(name, mass):
    return f"""<link name="{name}"><inertial><mass value="{mass}"/>
      <inertia ixx="0.1" iyy="0.1" izz="0.1" ixy="0" ixz="0" iyz="0"/></inertial></link>"""

def urdf(compiler=""):
    return f"""<robot name="robot">{compiler}{link("base", 5)}{link("arm", 1)}{link("tip", 0.5)}
      <joint name="hinge" type="revolute"><parent link="base"/><child link="arm"/><axis xyz="0 1 0"/>
        <limit lower="-1" upper="1" effort="3" velocity="2"/></joint>
      <joint name="weld" type="fixed"><parent link="arm"/><child link="tip"/><origin xyz="0 0 1"/></joint>
    </robot>"""

def in_mujoco(text):
    model = mujoco.MjModel.from_xml_string(text)
    return {model.body(i).name: float(model.body_mass[i]) for i in range(1, model.nbody)}

fused = in_mujoco(urdf())
kept = in_mujoco(urdf('<mujoco><compiler fusestatic="false"/></mujoco>'))
builder = newton.ModelBuilder()
builder.add_urdf(urdf())
ours = [float(mass) for mass in builder.body_mass]
print(f"MuJoCo: {fused}; with fusestatic=false: {kept}; Newton: {ours} kg")
expect("MuJoCo has one body of 1.5 kg, the base's mass is gone", list(fused) == ["arm"] and abs(fused["arm"] - 1.5) < 1e-6)
expect("Newton has three links of 6.5 kg", ours == [5.0, 1.0, 0.5])
expect("with fusestatic=false MuJoCo has them too", sorted(kept.values()) == [0.5, 1.0, 5.0])
PY
