#!/usr/bin/env bash
# The learning rate 1e-3, given to a notebook in papermill's three ways, and in an agent's YAML file.
#
# Guess: -p lr 1e-3, -y 'lr: 1e-3' and -f file.yaml mean the same number.
# Truth: -p gives the number 0.001; -y and -f give the text '1e-3', because PyYAML follows YAML 1.1, where a number with an exponent
#   needs a point (1.0e-3). OmegaConf, which Hydra and so Isaac Lab's command line use, reads the very same file as a number.
# Why it matters: the same agent file is right behind one loader and text behind the other, and text fails far away, at the first
#   multiplication. Write 1.0e-3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONNOUSERSITE=1
unset PYTHONPATH
"${PYTHON:-python3.12}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet papermill==2.7.0 ipykernel==7.1.0 omegaconf==2.3.1 pyyaml==6.0.3
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

def say(*packages):
    print("versions:", ", ".join(f"{p} {version(p)}" for p in packages))

def expect(what, holds):
    print(("as found:  " if holds else "CHANGED:   ") + what)
    if not holds:
        raise SystemExit(1)

import json
import subprocess
import sys
from pathlib import Path

import omegaconf
import yaml

say("papermill", "pyyaml", "omegaconf")
cell = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {"tags": ["parameters"]}, "outputs": [], "source": "lr = 0"}
notebook = {"cells": [cell], "metadata": {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}}, "nbformat": 4, "nbformat_minor": 5}
Path("in.ipynb").write_text(json.dumps(notebook))
Path("agent.yaml").write_text("lr: 1e-3\n")

def injected(*words):
    subprocess.run(
        [sys.executable, "-m", "papermill", "--prepare-only", "--log-level", "ERROR", "in.ipynb", "out.ipynb", *words], check=True
    )
    cells = json.loads(Path("out.ipynb").read_text())["cells"]
    (source,) = ("".join(c["source"]) for c in cells if "injected-parameters" in c["metadata"].get("tags", []))
    return source.splitlines()[-1].partition(" = ")[2]

by_flag, by_yaml, by_file = injected("-p", "lr", "1e-3"), injected("-y", "lr: 1e-3"), injected("-f", "agent.yaml")
plain, omega = yaml.safe_load(Path("agent.yaml").read_text())["lr"], omegaconf.OmegaConf.load("agent.yaml").lr
print(f"papermill -p: {by_flag}, -y: {by_yaml}, -f: {by_file}; PyYAML: {plain!r}, OmegaConf: {omega!r}")
expect("-p gives a number", by_flag == "0.001")
expect("-y and -f give text", by_yaml == by_file and by_yaml.strip("\"'") == "1e-3" and by_yaml != "1e-3")
expect("so does PyYAML, while OmegaConf gives a number", plain == "1e-3" and omega == 0.001)
PY
