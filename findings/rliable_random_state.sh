#!/usr/bin/env bash
# Bootstrap intervals of ten runs by rliable, asked for twice with random_state=RandomState(7).
#
# Guess: random_state makes the interval repeatable, as its documentation says.
# Truth: the resampling draws from NumPy's global generator; random_state changes nothing. np.random.seed does make it repeatable.
# Why it matters: the same results get another interval every time, and two settings are told apart in one run of the script and not in the
#   next. Seed NumPy's global generator around the call, and put its state back.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONNOUSERSITE=1
unset PYTHONPATH
"${PYTHON:-python3.12}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet rliable==1.2.0 arch==7.2.0 pandas==2.3.3 numpy==2.5.5 scipy==1.18.1 statsmodels==0.15.0 seaborn==0.13.2
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
from rliable import library, metrics

say("rliable", "arch", "numpy")
scores = {"ours": np.random.RandomState(0).rand(10, 1)}

def interval(**settings):
    found = library.get_interval_estimates(scores, lambda x: np.array([metrics.aggregate_iqm(x)]), reps=500, **settings)
    return found[1]["ours"].ravel().round(4).tolist()

with_state = [interval(random_state=np.random.RandomState(7)) for _ in range(2)]
print(f"random_state=RandomState(7), twice: {with_state[0]} and {with_state[1]}")
seeded = []
for _ in range(2):
    np.random.seed(7)
    seeded.append(interval())
print(f"np.random.seed(7) before each:     {seeded[0]} and {seeded[1]}")
expect("random_state does not make the interval repeatable", with_state[0] != with_state[1])
expect("NumPy's global seed does", seeded[0] == seeded[1])
PY
