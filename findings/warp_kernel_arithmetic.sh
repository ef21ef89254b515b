#!/usr/bin/env bash
# A Warp kernel is written in Python. What do its operators and small functions give?
#
# Guess: what Python and NumPy give, in single precision.
# Truth: whole numbers are divided as in C, and a clamped NaN is a number. -7 // 2 is -3 and -7 % 2 is -1. sign(0) is 1, round(0.5) is 1. And a NaN goes lost: clamp(nan, -1, 1) is -1,
#   max(nan, 0) is 0, min(nan, 0) is 0 and sign(nan) is 1, where NumPy hands NaN on.
# Why it matters: an index that wraps with % goes negative; friction by sign() pushes a joint that stands still; and an action that
#   is NaN, once clamped, is full push to one side: nothing after it says that the policy has broken down.
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

# Warp reads the source of a kernel, so it has to stand in a file
Path("kernels.py").write_text("""import warp as wp

@wp.kernel
def whole(a: wp.array(dtype=int), b: wp.array(dtype=int), out: wp.array2d(dtype=int)):
    i = wp.tid()
    out[i, 0] = a[i] // b[i]
    out[i, 1] = a[i] % b[i]

@wp.kernel
def real(x: wp.array(dtype=float), out: wp.array2d(dtype=float)):
    i = wp.tid()
    out[i, 0] = wp.sign(x[i])
    out[i, 1] = wp.round(x[i])
    out[i, 2] = wp.clamp(x[i], -1.0, 1.0)
    out[i, 3] = wp.max(x[i], 0.0)
    out[i, 4] = wp.min(x[i], 0.0)
""")
import sys
sys.path.insert(0, ".")
import warp as wp
wp.config.log_level = wp.LOG_ERROR
import kernels

say("warp-lang", "numpy")
a, b = np.array([-7, 7], np.int32), np.array([2, -2], np.int32)
out = wp.zeros((2, 2), dtype=int, device="cpu")
wp.launch(kernels.whole, dim=2, inputs=[wp.array(a, device="cpu"), wp.array(b, device="cpu"), out], device="cpu")
ours, theirs = out.numpy(), np.stack([a // b, a % b], axis=1)
print(f"-7 // 2, -7 % 2: Warp {ours[0].tolist()}, NumPy {theirs[0].tolist()}; 7 // -2, 7 % -2: {ours[1].tolist()}, {theirs[1].tolist()}")
x = np.array([0.0, 0.5, np.nan], np.float32)
out = wp.zeros((3, 5), dtype=float, device="cpu")
wp.launch(kernels.real, dim=3, inputs=[wp.array(x, device="cpu"), out], device="cpu")
warp = out.numpy()
numpy = np.stack([np.sign(x), np.round(x), np.clip(x, -1, 1), np.maximum(x, 0), np.minimum(x, 0)], axis=1)
for value, row, other in zip(x, warp, numpy):
    print(f"sign, round, clamp, max, min of {value}: Warp {row.tolist()}, NumPy {other.tolist()}")
expect("whole numbers are divided as in C", ours.tolist() == [[-3, -1], [-3, 1]])
expect("sign(0) is 1 and round(0.5) is 1", warp[0, 0] == 1.0 and warp[1, 1] == 1.0)
expect("a clamped NaN is the lower bound", warp[2, 2] == -1.0 and np.isnan(numpy[2, 2]))
expect("max and min of NaN and 0 are 0", warp[2, 3] == 0.0 and warp[2, 4] == 0.0)
PY
