#!/usr/bin/env bash
# A URDF joint with <dynamics damping> and <limit effort>, turning freely, on two of Newton's solvers and in MuJoCo.
#
# Guess: damping is a property of the joint, friction in its bearing. The effort limit is a property of the motor.
# Truth: Newton turns the damping into the gain of a velocity drive (joint_target_kd; joint_damping stays 0). On its MuJoCo solver
#   the effort limit then caps the damping as well: with a limit of 7 N m the joint keeps 93 of 100 rad/s where friction leaves 67.
#   On Featherstone the cap doesn't act. MuJoCo's own joint damping is not capped by an actuator force range. The limit's
#   velocity is dropped without a word.
# Why it matters: a robot with small motors loses its damping at speed on one solver and keeps it on the other, from one file.
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

import math
import mujoco
import newton
import warp as wp

wp.config.log_level = wp.LOG_ERROR
say("newton", "mujoco", "mujoco-warp", "warp-lang")
DAMPING, INERTIA, START, SECONDS = 0.4, 0.1, 100.0, 0.1

def model_of(effort):
    body = f'<inertial><mass value="1"/><inertia ixx="{INERTIA}" iyy="{INERTIA}" izz="{INERTIA}" ixy="0" ixz="0" iyz="0"/></inertial>'
    builder = newton.ModelBuilder(up_axis="Z")
    builder.add_urdf(
        f"""<robot name="r"><link name="base">{body}</link><link name="arm">{body}</link>
        <joint name="hinge" type="continuous"><parent link="base"/><child link="arm"/><axis xyz="0 0 1"/>
        <limit effort="{effort}" velocity="3"/><dynamics damping="{DAMPING}"/></joint></robot>""",
        floating=False,
    )
    builder.joint_qd[-1] = START
    return builder.finalize(device="cpu")

def left(solver, effort):
    """Speed that is left after a tenth of a second [rad/s]."""
    model = model_of(effort)
    solver, now, after, control = solver(model), model.state(), model.state(), model.control()
    newton.eval_fk(model, model.joint_q, model.joint_qd, now)
    for _ in range(100):
        now.clear_forces()
        solver.step(now, after, control, None, SECONDS / 100)
        now, after = after, now
    q, qd = wp.zeros_like(model.joint_q), wp.zeros_like(model.joint_qd)
    newton.eval_ik(model, now, q, qd)
    return float(qd.numpy()[-1])

def left_in_mujoco(effort):
    model = mujoco.MjModel.from_xml_string(
        f"""<mujoco><option timestep="{SECONDS / 100}" gravity="0 0 0"/><worldbody><body>
        <joint type="hinge" axis="0 0 1" damping="{DAMPING}" actuatorfrcrange="-{effort} {effort}"/>
        <inertial pos="0 0 0" mass="1" diaginertia="{INERTIA} {INERTIA} {INERTIA}"/></body></worldbody></mujoco>"""
    )
    data = mujoco.MjData(model)
    data.qvel[0] = START
    for _ in range(100):
        mujoco.mj_step(model, data)
    return float(data.qvel[0])

model = model_of(7)
friction = START * math.exp(-DAMPING / INERTIA * SECONDS)
strong, weak = left(newton.solvers.SolverMuJoCo, 1000), left(newton.solvers.SolverMuJoCo, 7)
feather, plain = left(newton.solvers.SolverFeatherstone, 7), left_in_mujoco(7)
print(f"damping {DAMPING} is left as joint_damping {model.joint_damping.numpy()[-1]}, joint_target_kd {model.joint_target_kd.numpy()[-1]:.1f}")
print(f"of {START:.0f} rad/s are left after {SECONDS} s: friction alone {friction:.1f}; Newton's MuJoCo solver {strong:.1f} with a limit of")
print(f"1000 N m, {weak:.1f} with one of 7; Featherstone with 7: {feather:.1f}; MuJoCo's own joint with 7: {plain:.1f}")
expect("damping is a drive", model.joint_damping.numpy()[-1] == 0 and abs(model.joint_target_kd.numpy()[-1] - DAMPING) < 1e-6)
expect("a large limit leaves the damping alone", abs(strong - friction) < 1)
expect("a small limit caps it on the MuJoCo solver", weak > 90)
expect("but not on Featherstone, nor in MuJoCo", abs(feather - friction) < 1 and abs(plain - friction) < 1)
expect("the velocity limit of 3 rad/s is not read", model.joint_velocity_limit.numpy()[-1] > 1e5)
PY
