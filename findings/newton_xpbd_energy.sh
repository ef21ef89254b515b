#!/usr/bin/env bash
# A frictionless pendulum, released level, five seconds on three of Newton's solvers.
#
# Guess: XPBD is an iterative solver, so more iterations bring its energy closer to the truth.
# Truth: it loses as much with 20 iterations as with 2. Only a shorter time step helps; Featherstone and MuJoCo lose some sixty
#   times less at the same step.
# Why it matters: whoever tunes "iterations" to mend a robot that swings too little pays ten times the time for nothing.
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

import numpy as np
import newton
import warp as wp

wp.config.log_level = wp.LOG_ERROR
say("newton", "warp-lang", "mujoco-warp")
S = newton.solvers
MASS, LEVER, INERTIA = 1.0, 0.5, 1 / 12

def energy_after(solver, rate, **settings):
    """Energy after 5 s, in joule; it starts with 0."""
    builder = newton.ModelBuilder(up_axis="Z")
    link = builder.add_link(mass=MASS, com=wp.vec3(0, 0, -LEVER), inertia=wp.mat33(np.diag([INERTIA, INERTIA, 1e-3])))
    builder.add_articulation([builder.add_joint_revolute(parent=-1, child=link, axis=(0, 1, 0))])
    builder.joint_q[-1] = np.pi / 2
    model = builder.finalize(device="cpu")
    solver, now, after, control = solver(model, **settings), model.state(), model.state(), model.control()
    newton.eval_fk(model, model.joint_q, model.joint_qd, now)
    for _ in range(5 * rate):
        now.clear_forces()
        solver.step(now, after, control, None, 1 / rate)
        now, after = after, now
    q, qd = wp.zeros_like(model.joint_q), wp.zeros_like(model.joint_qd)
    newton.eval_ik(model, now, q, qd)
    q, qd = q.numpy()[0], qd.numpy()[0]
    return float(-MASS * 9.81 * LEVER * np.cos(q) + 0.5 * (INERTIA + MASS * LEVER**2) * qd**2)

few = energy_after(S.SolverXPBD, 240, iterations=2)
many = energy_after(S.SolverXPBD, 240, iterations=20)
short = energy_after(S.SolverXPBD, 1000, iterations=2)
others = [energy_after(S.SolverFeatherstone, 240), energy_after(S.SolverMuJoCo, 240)]
print(f"XPBD at 240 Hz: {few:.3f} J with 2 iterations, {many:.3f} J with 20; at 1000 Hz with 2: {short:.3f} J")
print(f"at 240 Hz: Featherstone {others[0]:.3f} J, MuJoCo {others[1]:.3f} J")
expect("ten times the iterations change the loss by less than a hundredth", few < -1 and abs(many - few) < 0.01 * abs(few))
expect("a step a quarter as long loses less than half", abs(short) < 0.5 * abs(few))
expect("the other two lose less than a twentieth", max(map(abs, others)) < 0.05 * abs(few))
PY
