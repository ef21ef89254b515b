#!/usr/bin/env bash
# A slider of 1 kg runs into the end of its rail at 10 m/s, on Newton's MuJoCo solver.
#
# Guess: a joint limit stops the cart near the end, and limit_ke=1e4 (Newton's default) is its stiffness: 10 m/s then go
#   10 * sqrt(1 / 1e4) = 0.10 m too far.
# Truth: it goes 0.44 m too far and is thrown back with 97% of its speed. For a moving cart the limit is some twenty times
#   softer than limit_ke; only a hundred times the value gives some 5 cm.
# Why it matters: a rail's end is a trampoline. End the episode before it, or check how far beyond the limit your joints go.
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
say("newton", "mujoco", "mujoco-warp", "warp-lang")
END, SPEED = 4.0, 10.0

def run(**settings):
    """Farthest point beyond the end [m] and the speed back [m/s]."""
    builder = newton.ModelBuilder(up_axis="Z", gravity=(0.0, 0.0, 0.0))
    link = builder.add_link(mass=1.0, inertia=wp.mat33(np.eye(3) * 0.1))
    joint = builder.add_joint_prismatic(
        parent=-1, child=link, axis=(1, 0, 0), limit_lower=-END, limit_upper=END, **settings
    )
    builder.add_articulation([joint])
    builder.joint_q[-1], builder.joint_qd[-1] = END - 0.1, SPEED
    model = builder.finalize(device="cpu")
    solver, now, after, control = newton.solvers.SolverMuJoCo(model), model.state(), model.state(), model.control()
    newton.eval_fk(model, model.joint_q, model.joint_qd, now)
    farthest, back = 0.0, 0.0
    for _ in range(120):
        now.clear_forces()
        solver.step(now, after, control, None, 1 / 240)
        now, after = after, now
        farthest, back = max(farthest, now.joint_q.numpy()[0] - END), min(back, now.joint_qd.numpy()[0])
    return float(farthest), float(back), float(model.joint_limit_ke.numpy()[0])

beyond, back, stiffness = run()
stiffer, _, _ = run(limit_ke=100 * stiffness)
expected = SPEED * np.sqrt(1.0 / stiffness)
print(f"limit_ke {stiffness:.0f}: {beyond:.3f} m too far (a spring of that stiffness: {expected:.3f} m), back at {back:.2f} m/s")
print(f"limit_ke {100 * stiffness:.0f}: {stiffer:.3f} m too far")
expect("four times as far as a spring of that stiffness lets it", beyond > 3.5 * expected)
expect("thrown back with more than nine tenths of its speed", back < -0.9 * SPEED)
PY
