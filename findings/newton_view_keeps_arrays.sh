#!/usr/bin/env bash
# Newton's ArticulationView reads a joint's position, before and after the state is given another array for it; then all is let go.
#
# Guess: a view looks into the state that it is handed, and a model that nobody holds any more is freed.
# Truth: the first look is kept for ever: after `state.joint_q = other` the view goes on reading the array of before, and every model and
#   state that any view has read stay in memory, with their arrays, until the cache of the class is cleared.
# Why it matters: code that swaps arrays (buffers of its own, a state read from a file) trains on numbers that no longer change, and a
#   notebook that builds its scene again and again fills the memory. Write into arrays in place, with assign().
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

import gc
import weakref
import newton
import warp as wp
from newton.selection import ArticulationView

wp.config.log_level = wp.LOG_WARNING
say("newton", "warp-lang")

def arm():
    builder = newton.ModelBuilder()
    link = builder.add_link(mass=1.0, inertia=wp.mat33(wp.diag(wp.vec3(1.0, 1.0, 1.0))))
    joint = builder.add_joint_revolute(parent=-1, child=link, axis=(0.0, 1.0, 0.0))
    builder.add_articulation([joint], label="arm")
    return builder.finalize(device="cpu")

def position(view, state):
    return round(float(view.get_dof_positions(state).numpy().ravel()[0]), 3)

model = arm()
state = model.state()
view = ArticulationView(model, "arm")
state.joint_q.assign([0.1])
first, before = position(view, state), state.joint_q
state.joint_q.assign([0.2])
in_place = position(view, state)
state.joint_q = wp.array([0.5], dtype=float, device="cpu")
swapped = position(view, state)
print(f"view reads {first}, {in_place} after assign([0.2]), {swapped} after the state was given an array that holds 0.5")

def alive(read):
    model = arm()
    state = model.state()
    view = ArticulationView(model, "arm")
    if read:
        position(view, state)
    left = weakref.ref(model)
    del model, state, view
    gc.collect()
    return left() is not None

unread, looked = alive(read=False), alive(read=True)
print(f"model still in memory after del and gc.collect(): {unread} if the view never read, {looked} if it did")
expect("assign() is seen", in_place == 0.2)
expect("another array is not: the view reads the one of before", swapped == 0.2)
expect("a model is freed if its view never read, and stays if it did", (unread, looked) == (False, True))
PY
