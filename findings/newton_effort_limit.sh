#!/usr/bin/env bash
# A slider of 1 kg with effort_limit=2 is pushed with 8 N through control.joint_f, on two of Newton's solvers.
#
# Guess: a joint's effort limit limits the effort on the joint, from wherever it comes.
# Truth: control.joint_f is not limited by it, neither on Featherstone nor on XPBD: all 8 N act.
# Why it matters: joint_f is where a learner's torque goes. A robot trained so has learned with motors four times too strong; clip the
#   action yourself.
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
say("newton", "warp-lang")
PUSH, LIMIT, SECONDS, RATE = 8.0, 2.0, 0.1, 240

def speed(solver):
    builder = newton.ModelBuilder(up_axis="Z", gravity=(0.0, 0.0, 0.0))
    link = builder.add_link(mass=1.0, inertia=wp.mat33(np.eye(3) * 0.1))
    builder.add_articulation([builder.add_joint_prismatic(parent=-1, child=link, axis=(1, 0, 0), effort_limit=LIMIT)])
    model = builder.finalize(device="cpu")
    assert model.joint_effort_limit.numpy()[0] == LIMIT
    solver, now, after, control = solver(model), model.state(), model.state(), model.control()
    newton.eval_fk(model, model.joint_q, model.joint_qd, now)
    control.joint_f.assign([PUSH])
    for _ in range(int(SECONDS * RATE)):
        now.clear_forces()
        solver.step(now, after, control, None, 1 / RATE)
        now, after = after, now
    q, qd = wp.zeros_like(model.joint_q), wp.zeros_like(model.joint_qd)
    newton.eval_ik(model, now, q, qd)
    return float(qd.numpy()[0])

for solver in (newton.solvers.SolverFeatherstone, newton.solvers.SolverXPBD):
    v = speed(solver)
    print(f"{solver.__name__}: {v:.3f} m/s after {SECONDS} s; {PUSH} N give {PUSH * SECONDS:.1f}, {LIMIT} N give {LIMIT * SECONDS:.1f}")
    expect("the whole push acts", abs(v - PUSH * SECONDS) < 0.02)
PY
