#!/usr/bin/env bash
# TensorBoard scalars: a long run, and a run that was stopped and goes on in the same folder; read by TensorBoard itself.
#
# Guess: EventAccumulator gives back every point, and where steps are written twice, the later ones count.
# Truth: of 12000 points it gives 10000, the rest thinned out at random, unless size_guidance says 0. Steps written twice are there twice:
#   the points of the continued run stand behind those of the first, so that the steps go back.
# Why it matters: a curve drawn from the file folds back on itself, and a mean over the last points mixes two runs. Sort by step and keep
#   the last, and ask for all points.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONNOUSERSITE=1
unset PYTHONPATH
"${PYTHON:-python3.12}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorboard==2.21.0 tensorboardX==2.6.5 numpy==2.5.5 setuptools==80.9.0
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

def say(*packages):
    print("versions:", ", ".join(f"{p} {version(p)}" for p in packages))

def expect(what, holds):
    print(("as found:  " if holds else "CHANGED:   ") + what)
    if not holds:
        raise SystemExit(1)

import tempfile
import time
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX import SummaryWriter

say("tensorboard", "tensorboardX")

def write(folder, steps, offset=0.0):
    writer = SummaryWriter(folder)
    for step in steps:
        writer.add_scalar("return", offset + step, step)
    writer.close()

def read(folder, **settings):
    events = EventAccumulator(folder, **settings)
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars("return")]

with tempfile.TemporaryDirectory() as folder:
    write(folder, range(12000))
    few, all_points = read(folder), read(folder, size_guidance={"scalars": 0})
print(f"12000 points written: {len(few)} read, {len(all_points)} with size_guidance 0")
with tempfile.TemporaryDirectory() as folder:
    write(folder, range(6))
    time.sleep(1.1)  # the names of the files hold a second
    write(folder, range(4, 8), offset=100.0)
    steps = [step for step, _ in read(folder)]
print(f"steps 0 to 5, then 4 to 7 by another process: {steps}")
expect("2000 points are left out, and the last one stays", len(few) == 10000 and few[-1][0] == 11999)
expect("all are there when asked for", len(all_points) == 12000)
expect("steps written twice are there twice, and go back", steps == [0, 1, 2, 3, 4, 5, 4, 5, 6, 7])
PY
