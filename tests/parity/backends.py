"""The same experiments in every engine: each engine runs once a test session, in a process of its own."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import mujoco
import newton
import numpy as np

MOTION = {"steps": 36, "angle": 0.3, "push": 50.0}
"""0.6 s: a pole let go at 0.3 rad, and a cart pushed with +50 N."""
UPSTREAM_STEPS, REFERENCE_STEPS = 300, 100
ROOT = Path(__file__).parents[2]


def reference_asset(folder: Path) -> Path:
    """Newton's cart-pole, with the name of its default prim spelt as the prim is."""
    text = (Path(newton.__file__).parent / "examples/assets/cartpole_single_pendulum.usda").read_text()
    path = folder / "reference.usda"
    path.write_text(text.replace('defaultPrim = "cartPole"', 'defaultPrim = "cartpole"'))
    return path


@functools.cache
def run(engine: str) -> dict[str, dict[str, np.ndarray]]:
    """Arrays of every job of an engine, ``"newton"`` or ``"ovphysx"``."""
    physics = {"newton": "newton_mjwarp", "ovphysx": "ovphysx"}[engine]
    drive = {"kind": "actions", "physics": physics, "num_envs": 16}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs: dict[str, dict] = {
            "motion": {"kind": "motion", "physics": physics, **MOTION},
            "ours": {**drive, "steps": UPSTREAM_STEPS, "config": {}},
        }
        if engine == "newton":
            asset = str(reference_asset(folder))
            jobs |= {
                "ours_whole_solver": {**drive, "steps": UPSTREAM_STEPS, "config": {"whole_solver": True}},
                "ours_eager": {**drive, "steps": UPSTREAM_STEPS, "config": {"eager": True}},
                "upstream": {**drive, "steps": UPSTREAM_STEPS, "config": {"upstream": True}},
                "reference_asset": {**drive, "steps": REFERENCE_STEPS, "config": {"asset": asset}},
            }
        (folder / "jobs.json").write_text(json.dumps(jobs))
        worker = Path(__file__).with_name("backend_worker.py")
        done = subprocess.run(
            [sys.executable, str(worker), str(folder / "jobs.json"), str(folder / "out.npz")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, f"{engine} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        results: dict[str, dict[str, np.ndarray]] = {}
        with np.load(folder / "out.npz") as file:
            for key in file.files:
                job, _, array = key.partition("/")
                results.setdefault(job, {})[array] = file[key]
    return results


def box_inertia(mass: float, x: float, y: float, z: float) -> str:
    """Principal moments of a solid box [kg m²], as MJCF writes them."""
    return f"{mass * (y * y + z * z) / 12} {mass * (x * x + z * z) / 12} {mass * (x * x + y * y) / 12}"


MJCF = f"""
<mujoco>
  <option timestep="{1 / 120}" integrator="implicitfast" gravity="0 0 -9.81"><flag contact="disable"/></option>
  <worldbody>
    <body name="cart" pos="0 0 2">
      <inertial pos="0 0 0" mass="1" diaginertia="{box_inertia(1, 0.20, 0.25, 0.20)}"/>
      <joint name="slider_to_cart" type="slide" axis="0 1 0" damping="10" limited="true" range="-4 4"/>
      <body name="pole" pos="0.12 0 0">
        <inertial pos="0 0 0.47" mass="1" diaginertia="{box_inertia(1, 0.04, 0.06, 1.00)}"/>
        <joint name="cart_to_pole" type="hinge" axis="1 0 0"/>
      </body>
    </body>
  </worldbody>
</mujoco>
"""
"""The cart-pole by its published masses and sizes, written independently of the USD file."""


@functools.cache
def mujoco_motion() -> np.ndarray:
    """The motion experiment in plain MuJoCo, double precision: shape ``(steps, 2, 4)`` as the workers write it."""
    model = mujoco.MjModel.from_xml_string(MJCF)
    out = np.empty((MOTION["steps"], 2, 4))
    for index, (angle, push) in enumerate([(MOTION["angle"], 0.0), (0.0, MOTION["push"])]):
        data = mujoco.MjData(model)
        data.qpos[:] = 0.0, angle
        for step in range(MOTION["steps"]):
            for _ in range(2):
                data.qfrc_applied[0] = push
                mujoco.mj_step(model, data)
            out[step, index] = *data.qpos, *data.qvel
    return out
