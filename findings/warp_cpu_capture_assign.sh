#!/usr/bin/env bash
# Warp records launches on a CPU and replays them. An array is assigned from NumPy while it records.
#
# Guess: array.assign(numpy_array) copies the numbers as they are now, or is refused; the recording holds on to them.
# Truth: the recording holds the address of the NumPy array. Every replay copies what stands there by then. (Like a launch,
#   the assignment does nothing while it is recorded.)
# Why it matters: it makes a cheap way to feed fresh numbers into a recorded step, and a wrong one to bake constants in. The
#   NumPy array has to live as long as the recording.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONNOUSERSITE=1
unset PYTHONPATH
"${PYTHON:-python3.12}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet warp-lang==1.17.0 numpy==2.5.5
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
from pathlib import Path

Path("kernels.py").write_text("""
import warp as wp

@wp.kernel
def add(a: wp.array(dtype=float), k: float):
    a[wp.tid()] += k
""")
import sys
sys.path.insert(0, ".")
import warp as wp
from kernels import add

wp.config.log_level = wp.LOG_ERROR
say("warp-lang", "numpy")
total, copied = wp.zeros(3, device="cpu"), wp.zeros(3, device="cpu")
wp.launch(add, 3, [total, 0.0], device="cpu")  # loads the kernel, which recording does not
numbers = np.array([1.0, 2.0, 3.0], dtype=np.float32)
with wp.ScopedCapture(device="cpu") as capture:
    wp.launch(add, 3, [total, 1.0], device="cpu")
    copied.assign(numbers)
print("after recording:", total.numpy(), copied.numpy())
expect("nothing has run while recording", not total.numpy().any() and not copied.numpy().any())
numbers[:] = 9
wp.capture_launch(capture.graph)
print("after one replay, the NumPy array having become 9:", total.numpy(), copied.numpy())
expect("the launch is replayed", (total.numpy() == 1).all())
expect("the replay copies the 9 of now, not the 1, 2, 3 of then", (copied.numpy() == 9).all())
PY
