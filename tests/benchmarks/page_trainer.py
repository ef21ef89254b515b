"""The page's own trainer, measured: seeds to solved beside Isaac Lab's, and steps a second beside a plain CPU PPO.

    python -m tests.benchmarks.page_trainer                    # all parts
    python -m tests.benchmarks.page_trainer --only browser     # in headless Chromium: time to solved, input to picture
    python -m tests.benchmarks.page_trainer --only rate --rounds 3
    python -m tests.benchmarks.page_trainer --only solved --seeds 10

The browser's part presses Train in a page with the widgets, the network cut, and moves sliders meanwhile. In the others
the page's code runs in node, the engine of Chromium. The plain PPO is PyTorch on Gymnasium's vectorised CartPole-v1, in
one file's worth of code as CleanRL has made it a habit: once with the sizes usual there (4 environments, 2 × 64 tanh),
once with the page's own sizes. Sides that are compared run in turns. ``_build/bench/page.json`` keeps the numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

OUT = Path("_build/bench/page.json")
RUNNER = """
import { readFileSync } from "node:fs";
const { cartpolePPO, TASK, dynamics } = await import("./trainer.mjs");
const { settings, agent: name, num_envs, seeds, epochs } = JSON.parse(readFileSync("input.json", "utf8"));
const lab = cartpolePPO(), agent = settings.agents[name];
for (const seed of seeds) {
  const began = performance.now();
  const { task, criterion } = settings;
  const going = lab.training({ task, criterion, k: dynamics(TASK), agent, num_envs, seed,
    max_epochs: epochs ?? agent.max_epochs, stop_when_solved: !epochs });
  let step = going.next(), spent = 0;
  for (; !step.done; step = going.next()) spent = performance.now() - began;
  const { actor, ...rest } = step.value;
  const seconds = (performance.now() - began) / 1000, steps_per_s = (1000 * rest.env_steps) / spent;
  console.log(JSON.stringify({ seed, seconds, steps_per_s, ...rest }));
}
"""
ISAAC_LAB = """
import json, sys, tempfile
from cartpole_lab.training.rl_games_train import train
seed, num_envs = json.loads(sys.argv[1])
run = train(agent="rl_games_with_symmetry_cfg_entry_point", num_envs=num_envs, device="cpu", seed=seed,
            stop_when_solved=True, progress=False, log_root=tempfile.mkdtemp())
e = run.evaluation
print("FOUND", json.dumps({"seed": seed, "epochs": run.epochs, "env_steps": run.env_steps, "seconds": run.wall_s_train,
    "evaluation": {"mean_return": e.mean_return, "timeout_share": e.timeout_share, "solved": e.solved}}))
"""


def in_the_page(agent: str, num_envs: int, seeds: list[int], epochs: int | None = None) -> list[dict[str, Any]]:
    """Trainings of the page's code in node; with ``epochs`` of that length, else until solved."""
    from cartpole_lab.teaching.widgets._base import module
    from cartpole_lab.teaching.widgets.page_settings import page_settings

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "trainer.mjs").write_text(module("trainer"), encoding="utf-8")
        (folder / "run.mjs").write_text(RUNNER, encoding="utf-8")
        content = {"settings": page_settings(), "agent": agent, "num_envs": num_envs, "seeds": seeds, "epochs": epochs}
        (folder / "input.json").write_text(json.dumps(content), encoding="utf-8")
        done = subprocess.run(["node", "run.mjs"], cwd=folder, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def plain_ppo(num_envs: int, horizon: int, passes: int, minibatches: int, width: int, steps: int) -> float:
    """Environment steps a second of PPO on Gymnasium's CartPole-v1, after a first update that doesn't count."""
    import gymnasium as gym
    import torch
    from torch import nn

    torch.manual_seed(1)
    torch.set_num_threads(1)
    envs = gym.make_vec("CartPole-v1", num_envs=num_envs, vectorization_mode="sync")

    def network(outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Linear(4, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, outputs)
        )

    actor, critic = network(2), network(1)
    parameters = [*actor.parameters(), *critic.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=2.5e-4, eps=1e-5)
    obs = torch.as_tensor(envs.reset(seed=1)[0])
    done = torch.zeros(num_envs)
    counted, began = 0, 0.0
    while counted < steps:
        kept: dict[str, list[torch.Tensor]] = {k: [] for k in ("obs", "action", "logp", "value", "reward", "done")}
        for _ in range(horizon):
            with torch.no_grad():
                choice = torch.distributions.Categorical(logits=actor(obs))
                action, value = choice.sample(), critic(obs)[:, 0]
                logp = choice.log_prob(action)
            following, reward, terminated, truncated, _ = envs.step(action.numpy())
            for name, what in zip(kept, (obs, action, logp, value, torch.as_tensor(reward).float(), done), strict=True):
                kept[name].append(what)
            obs, done = torch.as_tensor(following), torch.as_tensor(terminated | truncated).float()
        batch = {name: torch.stack(values) for name, values in kept.items()}
        with torch.no_grad():
            advantage, after, over = torch.zeros(horizon, num_envs), critic(obs)[:, 0], done
            last = torch.zeros(num_envs)
            for t in reversed(range(horizon)):
                delta = batch["reward"][t] + 0.99 * after * (1 - over) - batch["value"][t]
                advantage[t] = last = delta + 0.99 * 0.95 * (1 - over) * last
                after, over = batch["value"][t], batch["done"][t]
        flat = {name: value.flatten(0, 1) for name, value in batch.items()}
        gains, targets = advantage.flatten(), (advantage + batch["value"]).flatten()
        for _ in range(passes):
            for rows in torch.randperm(len(gains)).chunk(minibatches):
                choice = torch.distributions.Categorical(logits=actor(flat["obs"][rows]))
                ratio = (choice.log_prob(flat["action"][rows]) - flat["logp"][rows]).exp()
                gain = (gains[rows] - gains[rows].mean()) / (gains[rows].std() + 1e-8)
                loss = -torch.min(gain * ratio, gain * ratio.clamp(0.8, 1.2)).mean() - 0.01 * choice.entropy().mean()
                loss = loss + 0.5 * ((critic(flat["obs"][rows])[:, 0] - targets[rows]) ** 2).mean()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, 0.5)
                optimizer.step()
        if began:
            counted += horizon * num_envs
        else:
            began = time.perf_counter()
    envs.close()
    return counted / (time.perf_counter() - began)


def rate(args: argparse.Namespace) -> dict[str, Any]:
    """Steps a second in training, median of rounds in turns."""
    sides: dict[str, list[float]] = {"page": [], "plain PPO, usual sizes": [], "plain PPO, the page's sizes": []}
    for number in range(args.rounds):
        page = in_the_page("with symmetry", args.num_envs, [number + 1], epochs=15)
        sides["page"].append(page[0]["steps_per_s"])
        sides["plain PPO, usual sizes"].append(plain_ppo(4, 128, 4, 4, 64, args.steps // 4))
        sides["plain PPO, the page's sizes"].append(plain_ppo(args.num_envs, 16, 8, 4, 32, args.steps))
    middle = {name: statistics.median(values) for name, values in sides.items()}
    for name, value in middle.items():
        print(f"{name:<28} {value:10.0f} env-steps/s   page is {middle['page'] / value:5.2f} times as fast")
    return {"rate": middle}


def solved(args: argparse.Namespace) -> dict[str, Any]:
    """The same agent file, seed by seed: the page and Isaac Lab."""
    seeds = list(range(1, args.seeds + 1))
    sides = {"page": in_the_page("with symmetry", args.num_envs, seeds), "Isaac Lab": []}
    for seed in seeds:
        command = [sys.executable, "-c", ISAAC_LAB, json.dumps([seed, args.num_envs])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        line = next((line for line in done.stdout.splitlines() if line.startswith("FOUND")), None)
        if line is None:
            raise RuntimeError(f"Isaac Lab, seed {seed}: {done.stderr[-500:]}")
        sides["Isaac Lab"].append(json.loads(line.removeprefix("FOUND ")))
    for name, runs in sides.items():
        good = sum(run["evaluation"]["solved"] for run in runs)
        epochs = sorted(run["epochs"] for run in runs)
        returns = [run["evaluation"]["mean_return"] for run in runs]
        print(
            f"{name:<10} solved {good} of {len(runs)}; epochs {epochs[0]} to {epochs[-1]}, median "
            f"{statistics.median(epochs):g}; return {min(returns):.3f} to {max(returns):.3f}; "
            f"training median {statistics.median(run['seconds'] for run in runs):.1f} s"
        )
    return {"solved": sides}


INPUT_TO_PICTURE = """() => new Promise((resolve) => {
  const slider = document.querySelector("#trainer input[data-name=cart_vel]"), began = performance.now();
  slider.value = Number(slider.min) + Math.random() * (slider.max - slider.min);
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began), 0));
})"""
"""From an event of a slider to the end of the frame that shows it [ms]."""
RUNS = "Number(document.querySelector('#trainer .cl').dataset.runs)"


def widgets_page(folder: Path) -> str:
    """A page with the trainer, a policy map and a playground, as a book holds them; its address."""
    from ipywidgets.embed import embed_data

    from cartpole_lab.teaching.widgets import Playground, PolicyMap, Trainer
    from cartpole_lab.teaching.widgets.playground import recorded_policies
    from cartpole_lab.teaching.widgets.trainer import recorded_grid

    film = recorded_grid()["results"][4]["film"]
    angle = film["episodes"][0]["angle"] * 4  # long enough to count pictures in
    walk = dict.fromkeys(("x", "angle", "cart_vel", "velocity"), angle)
    shown = PolicyMap(recorded_policies())
    shown.rollouts = [{"name": "recorded", "dt": film["dt"], "episodes": [walk]}]
    widgets = {"trainer": Trainer(), "map": shown, "playground": Playground(crowd=48)}
    data = embed_data(views=list(widgets.values()), drop_defaults=False)
    state = json.dumps(data["manager_state"]).replace("</", "<\\/")
    views = "".join(
        f'<div id="{name}"><script type="application/vnd.jupyter.widget-view+json">{json.dumps(view)}</script></div>'
        '<div style="height:1200px"></div>'  # one widget in sight at a time
        for name, view in zip(widgets, data["view_specs"], strict=True)
    )
    shutil.copy(Path("book/static/widgets.js"), folder)
    page = '<!doctype html><meta charset="utf-8"><script defer src="widgets.js"></script>'
    page += f'<script type="application/vnd.jupyter.widget-state+json">{state}</script>{views}'
    (folder / "index.html").write_text(page, encoding="utf-8")
    return (folder / "index.html").resolve().as_uri()


def pictures_a_second(page: Any, widget: str, seconds: float = 3.0) -> float:
    """Frames that a widget draws a second, once it is in sight."""
    frames = f"Number(document.querySelector('#{widget} .cl').dataset.frames)"
    page.evaluate("(w) => document.getElementById(w).scrollIntoView()", widget)
    page.wait_for_timeout(500)
    before, began = page.evaluate(frames), time.perf_counter()
    page.wait_for_timeout(1000 * seconds)
    return (page.evaluate(frames) - before) / (time.perf_counter() - began)


def browser(args: argparse.Namespace) -> dict[str, Any]:
    """Headless Chromium: seconds from Train to the verdict by seed, input to picture meanwhile, pictures a second."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    found: list[dict[str, Any]] = []
    waits: list[float] = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = running.new_page(viewport={"width": 1000, "height": 900})
        page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
        page.goto(widgets_page(Path(name)))
        page.locator("#trainer .cl-main").wait_for()
        still = [page.evaluate(INPUT_TO_PICTURE) for _ in range(20)]
        for seed in range(1, args.seeds + 1):
            page.get_by_role("button", name="Reset").click()
            page.get_by_label("Seed").fill(str(seed))
            page.get_by_label("Seed").dispatch_event("change")
            page.get_by_label("Carts that learn").select_option(str(args.num_envs))
            before, began = page.evaluate(RUNS), time.perf_counter()
            page.locator("#trainer .cl-main").click()
            while page.evaluate(RUNS) == before:
                waits.append(page.evaluate(INPUT_TO_PICTURE))
                page.wait_for_timeout(250)
            cells = page.locator("#trainer tbody tr").last.locator("td").all_inner_texts()
            row = {"seed": seed, "seconds": time.perf_counter() - began, "solved": cells[1] == "yes", "cells": cells}
            found.append(row)
        page.get_by_role("button", name="Play", exact=True).click()
        page.get_by_role("button", name="Follow the cart").click()
        rates = {widget: pictures_a_second(page, widget) for widget in ("map", "playground")}
        running.close()
    good = [row["seconds"] for row in found if row["solved"]]
    middle, late = statistics.median(waits), sorted(waits)[int(0.95 * len(waits))]
    usual = statistics.median(good or [0])
    print(
        f"browser    solved {len(good)} of {len(found)}, Train to verdict median {usual:.1f} s, "
        f"slowest {max(good or [0]):.1f} s\n"
        f"           input to picture {statistics.median(still):.0f} ms at rest; learning: median {middle:.0f} ms, "
        f"95% within {late:.0f} ms, worst {max(waits):.0f} ms\n"
        f"           policy map that follows {rates['map']:.0f} pictures/s, playground with 48 carts "
        f"{rates['playground']:.0f} pictures/s"
    )
    return {"browser": {"runs": found, "input_to_picture_ms": waits, "pictures_a_second": rates}}


def main() -> int:
    """Measure what was asked for and write the file."""
    parts = {"rate": rate, "solved": solved, "browser": browser}
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.page_trainer", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--only", nargs="+", choices=list(parts), default=list(parts))
    parser.add_argument("--rounds", type=int, default=3, help="runs of which the median counts (default: 3)")
    parser.add_argument("--seeds", type=int, default=10, help="seeds until solved, on each side (default: 10)")
    parser.add_argument("--num_envs", type=int, default=256, help="carts that learn (default: 256)")
    parser.add_argument("--steps", type=int, default=40_000, help="steps of the plain PPO (default: 40000)")
    args = parser.parse_args()
    figures = json.loads(OUT.read_text()) if OUT.is_file() else {}
    for part in args.only:
        figures |= parts[part](args)
    figures["machine"] = f"{platform.processor() or platform.machine()}, Python {platform.python_version()}"
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
