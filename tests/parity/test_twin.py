"""How far the playground's JavaScript twin is from Newton: the shipped module, run by node, against Isaac Lab."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cartpole_lab.policies.from_json import policy_from_weights
from cartpole_lab.session.env import close_env, make_env
from cartpole_lab.teaching.widgets._base import module
from cartpole_lab.teaching.widgets.playground import recorded_policies

STARTS = 100
STEPS = 299  # the 300th step ends the episode and already shows the next one's start
OPEN_LOOP_STEPS = 60
ANGLE_AT_END = 0.2  # [rad]: below it, the pole counts as caught

RUNNER = """
import { readFileSync } from "node:fs";
const { TASK, dynamics, step, effortOf, episode } = await import("./playground.mjs");
const { starts, actions, policies, steps } = JSON.parse(readFileSync("input.json", "utf8"));
const k = dynamics(TASK);
const open = starts.map((start, i) => {
  const s = [...start], path = [];
  for (const row of actions) path.push((step(s, effortOf(row[i]), k), [...s]));
  return path;
});
const closed = Object.fromEntries(Object.entries(policies).map(([name, net]) =>
  [name, starts.map((start) => episode(start, net, { steps })).map((r) => [r.survived === steps, r.caught])]));
console.log(JSON.stringify({ open, closed }));
"""


def _play(env: Any, act: Any) -> tuple[np.ndarray, np.ndarray]:
    """Observations ``(STEPS + 1, STARTS, 4)`` and failures ``(STEPS, STARTS)`` from one set of random starts."""
    env.reset()
    obs, _ = env.reset(seed=11)
    path, failed = [obs["policy"].clone()], []
    for step in range(STEPS):
        obs, _, terminated, _, _ = env.step(act(step, obs["policy"]))
        path.append(obs["policy"].clone())
        failed.append(terminated.clone())
    return torch.stack(path).numpy(), torch.stack(failed).numpy()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same starts in Newton and in the twin: under random actions, and under two trained policies."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed: it runs the playground's JavaScript")
    generator = torch.Generator().manual_seed(5)
    actions = 2.4 * torch.rand(STEPS, STARTS, 1, generator=generator) - 1.2  # some of them beyond the clip
    policies = {name: weights for name, weights in recorded_policies().items() if name != "after 3 epochs"}
    env = make_env(num_envs=STARTS, device="cpu", seed=11)
    path, failed = _play(env, lambda step, _: actions[step].clamp(-1, 1))
    newton: dict[str, Any] = {"path": path, "failed": failed, "closed": {}}
    for name, weights in policies.items():
        policy = policy_from_weights(weights).double()  # the page counts in doubles too
        states, ended = _play(env, lambda _, obs, policy=policy: policy(obs.double()).float())
        np.testing.assert_array_equal(states[0], path[0])
        survived = ~ended.any(axis=0)
        newton["closed"][name] = (survived, survived & (np.abs(states[-1, :, 1]) < ANGLE_AT_END))
    close_env()
    folder = tmp_path_factory.mktemp("twin")
    (folder / "playground.mjs").write_text(module("playground"), encoding="utf-8")
    (folder / "run.mjs").write_text(RUNNER, encoding="utf-8")
    content = {"starts": path[0].tolist(), "actions": actions[..., 0].tolist(), "policies": policies, "steps": STEPS}
    (folder / "input.json").write_text(json.dumps(content), encoding="utf-8")
    return {"newton": newton, "twin": _node(folder)}


def _node(folder: Path) -> dict[str, Any]:
    done = subprocess.run(["node", "run.mjs"], cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_starts_use_the_tasks_whole_ranges(measured: dict[str, Any]) -> None:
    start = np.abs(measured["newton"]["path"][0]).max(axis=0)
    assert (start > [0.8, 0.6, 0.4, 0.6]).all(), f"widest start {start}: the comparison would be an easy one"


def test_same_actions_give_the_same_motion(measured: dict[str, Any]) -> None:
    """Open loop: errors of position [m] and angle [rad] over the first second, until an episode ends."""
    path, failed = measured["newton"]["path"], measured["newton"]["failed"]
    twin = np.array(measured["twin"]["open"]).transpose(1, 0, 2)
    alive = ~np.logical_or.accumulate(failed, axis=0)
    error = np.abs(twin - path[1:])[:OPEN_LOOP_STEPS][alive[:OPEN_LOOP_STEPS]]
    longer = np.abs(twin - path[1:])[alive]
    print(f"\nopen loop, 1 s: cart {error[:, 0].max():.1e} m, angle {error[:, 1].max():.1e} rad")
    print(f"open loop, 5 s: cart {longer[:, 0].max():.1e} m, angle {longer[:, 1].max():.1e} rad")
    assert alive[OPEN_LOOP_STEPS - 1].mean() > 0.9
    assert error[:, :2].max() < 1e-3


@pytest.mark.parametrize("kind", [0, 1], ids=["stays on the stage", "catches the pole"])
def test_policies_end_alike(measured: dict[str, Any], kind: int) -> None:
    """Closed loop: a good and a poor policy come to the same end in at least 99 of 100 starts."""
    good = []
    for name, outcome in measured["newton"]["closed"].items():
        twin = np.array(measured["twin"]["closed"][name])[:, kind]
        equal = int((twin == outcome[kind]).sum())
        good.append(int(outcome[kind].sum()))
        print(f"\n{name}: Newton {good[-1]}, twin {int(twin.sum())}, equal {equal} of {STARTS}")
        assert equal >= 99
    assert max(good) >= 95 and min(good) <= 60, f"{good}: both ends must occur for this to mean something"
