"""Turn what the benchmarks wrote into the tables of the book and of the README.

    python -m tests.benchmarks.publish     # reads _build/bench/*.json; writes book/measured/ and the table in README.md

Nothing here measures or corrects anything: a figure that was not measured is left out.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
from pathlib import Path
from typing import Any

BENCH = Path("_build/bench")
BOOK = Path("book/measured")
README = Path("README.md")
MARKED = re.compile(r"(<!-- seeds: .*? -->\n).*?(<!-- end of seeds -->)", re.DOTALL)

ROWS = (
    ("solved_s", "cold process to a solved policy, median of the seeds", "s"),
    ("solved_ratio", "Isaac Lab's whole default run, ratio to that", "×"),
    ("step_ratio_64", "environment steps a second at 64, ratio to as shipped", "×"),
    ("step_ratio_1024", "environment steps a second at 1024, ratio to as shipped", "×"),
    ("step_ratio_4096", "environment steps a second at 4096, ratio to as shipped", "×"),
    ("retrain_s", "retrain in a live process after a reward change, until solved", "s"),
    ("first_step_s", "process start to first step, kernels cached", "s"),
    ("first_ever_s", "the same on a new machine, kernels compiled", "s"),
    ("sweep_ratio_loop", "20 seeds to solved, ratio of a shell loop of `train` to `sweep`", "×"),
    ("sweep_ratio_loops", "the same against a loop on each core", "×"),
    ("sweep_memory_gb", "memory of that sweep, two trials at once", "GB"),
    ("first_trial_s", "from the command to the first finished trial", "s"),
    ("peak_rss_gb", "peak memory of a training with 1024 environments", "GB"),
)
"""Figures of the benchmark: key, what it is, unit."""

GPU_PARTS = ("rates", "training", "cold", "quality", "startup", "several")
"""What ``tests.benchmarks.gpu`` measures and the book shows."""
GPU_DEPTH = {"shipped": "two of 96 × 96, 60 a second", "lesson": "four of 64 × 16, 30 a second"}
"""Settings that learned from depth pictures on a GPU, and their pictures."""


def main() -> None:
    """Write every table whose figures exist."""
    BOOK.mkdir(parents=True, exist_ok=True)
    if figures := _read("bench.json"):
        (BOOK / "speed.txt").write_text(speed(figures))
        if "solved_runs" in figures:
            (BOOK / "seeds.txt").write_text(seeds(figures))
            README.write_text(MARKED.sub(lambda m: m[1] + seeds(figures) + m[2], README.read_text()))
        if "scaling" in figures:
            (BOOK / "scaling.txt").write_text(scaling(figures))
    if (BENCH / "scaling.png").is_file():
        shutil.copyfile(BENCH / "scaling.png", BOOK / "scaling.png")
    parts = {part: found for part in GPU_PARTS if (found := _read(f"gpu_{part}.json"))}
    if "rates" in parts:
        (BOOK / "speed_gpu.txt").write_text(speed_gpu(parts))
    if "cold" in parts:
        (BOOK / "seeds_gpu.txt").write_text(seeds_gpu(parts["cold"]))
    if "quality" in parts:
        (BOOK / "quality_gpu.txt").write_text(quality_gpu(parts["quality"]))
    if "several" in parts:
        (BOOK / "several_gpu.txt").write_text(several_gpu(parts["several"]))
    if reports := {name: found for name in GPU_DEPTH if (found := _read(f"depth_{name}_gpu.json"))}:
        (BOOK / "depth_gpu.txt").write_text(depth_gpu(reports))
    if figures := _read("libraries.json"):
        (BOOK / "libraries.txt").write_text(libraries(figures))
    if depth_runs := _read("depth.json"):
        (BOOK / "depth.txt").write_text(depth(depth_runs))
    if rates := _read("camera.json"):
        (BOOK / "camera.txt").write_text(camera(rates))


def _read(name: str) -> dict[str, Any]:
    path = BENCH / name
    return json.loads(path.read_text()) if path.is_file() else {}


def _machine(figures: dict[str, Any], *parts: str) -> str:
    """On what and from which commits the figures of some parts come; of all parts, if none is named."""
    measured = figures["commits"]
    commits = dict.fromkeys(measured[part] for part in parts or measured if part in measured)
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    where = f"{figures['cores']} cores, {figures['memory_gb']} GB, no GPU"
    if figures["device"] != "cpu":
        where = f"one {figures['gpu']}, {figures['cores']} CPU cores, {figures['memory_gb']} GB"
    return f"Measured on {where}, at commit {' and '.join(f'`{commit}`' for commit in commits)}, with {versions}.\n"


def speed(figures: dict[str, Any]) -> str:
    """Rates beside Isaac Lab as shipped and MuJoCo C, times, memory."""
    text = ""
    if "steps" in figures:
        text += (
            "| environments | this book | Isaac Lab as shipped | plain MuJoCo C, physics only | ratio to as shipped |\n"
        )
        text += "| ---: | ---: | ---: | ---: | ---: |\n"
        for num_envs, row in figures["steps"].items():
            ours, shipped, mujoco = (f"{row['median'][side]:,.0f}" for side in ("ours", "shipped", "mujoco"))
            text += f"| {int(num_envs):,} | {ours} | {shipped} | {mujoco} | {row['ratio_to_shipped']:.1f} |\n"
        text += "\nEnvironment steps a second, medians of rounds in which the sides take turns.\n\n"
    lines = [f"| {what} | {figures[key]:.2f} {unit} |" for key, what, unit in ROWS if key in figures]
    if lines:
        text += "| what | how much |\n| --- | ---: |\n" + "\n".join(lines) + "\n\n"
    if "where_the_time_goes" in figures:
        stages = [f"| {name} | {seconds:.1f} s |" for name, seconds in figures["where_the_time_goes"].items()]
        text += "| where a cold training spends its time | |\n| --- | ---: |\n" + "\n".join(stages) + "\n\n"
        text += "Medians; the evaluations include the last one, after the clock has stopped.\n\n"
    return text + _machine(figures)


def _seed_lines(runs: list[dict[str, Any]]) -> list[str]:
    lines = ["| seed | return | time-outs | epochs | seconds from cold start to solved |"]
    lines += ["| ---: | ---: | ---: | ---: | ---: |"]
    for run in runs:
        lines.append(
            f"| {run['seed']} | {run['mean_return']:.3f} | {100 * run['timeout_share']:.2f}% "
            f"| {run['epochs']} | {run['solved_s']:.1f} |"
        )
    return lines


def seeds(figures: dict[str, Any]) -> str:
    """Return, time-outs and wall time of each seed, and their mean and spread."""
    runs = figures["solved_runs"]
    lines = _seed_lines(runs)
    columns = [[run[key] for run in runs] for key in ("mean_return", "timeout_share", "epochs", "solved_s")]
    mean, spread = zip(
        *((statistics.mean(c), statistics.stdev(c) if len(c) > 1 else 0.0) for c in columns), strict=True
    )
    lines.append(
        f"| mean ± std | {mean[0]:.3f} ± {spread[0]:.3f} | {100 * mean[1]:.2f} ± {100 * spread[1]:.2f}% "
        f"| {mean[2]:.0f} ± {spread[2]:.0f} | {mean[3]:.1f} ± {spread[3]:.1f} |"
    )
    solved = sum(run["solved"] for run in runs)
    return "\n".join(lines) + f"\n\n{solved} of {len(runs)} seeds solved. " + _machine(figures, "solved")


def scaling(figures: dict[str, Any]) -> str:
    """Rate and memory over the number of environments, with the commit of that measurement."""
    lines = ["| environments | cores | steps a second | peak memory |", "| ---: | ---: | ---: | ---: |"]
    for row in figures["scaling"]:
        lines.append(f"| {row['num_envs']:,} | {row['cores']} | {row['steps_per_s']:,.0f} | {row['rss_gb']:.2f} GB |")
    return "\n".join(lines) + "\n\n" + _machine(figures, "scaling")


def _gpu_machine(found: dict[str, Any]) -> str:
    machine = found["machine"]
    count = "one" if machine["gpus"] == 1 else machine["gpus"]
    where = f"{count} {machine['gpu']}, {machine['cores']} CPU cores, {machine['memory_gb']} GB"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"Measured on {where}, at commit `{machine['commit']}`, with {versions}.\n"


def speed_gpu(parts: dict[str, Any]) -> str:
    """Rates beside Isaac Lab as shipped, with the recordings and without; a training; the start."""
    text = "| environments | this book | Isaac Lab as shipped | this book, nothing recorded | ratio to as shipped |\n"
    text += "| ---: | ---: | ---: | ---: | ---: |\n"
    for num_envs, row in parts["rates"]["result"].items():
        median = row["median"]
        ours, shipped, without = (f"{median[side]:,.0f}" for side in ("ours", "shipped", "without"))
        ratio = median["ours"] / median["shipped"]
        text += f"| {int(num_envs):,} | {ours} | {shipped} | {without} | {ratio:.1f} |\n"
    rounds = len(row["rates"]["ours"])
    text += f"\nEnvironment steps a second, medians of {rounds} rounds in which the sides take turns.\n\n"
    text += _gpu_machine(parts["rates"])
    lines, machines = [], []
    if "training" in parts:
        found = parts["training"]["result"]
        ours, shipped = (
            statistics.median(x for x in found[side] if isinstance(x, float)) for side in ("ours", "shipped")
        )
        lines += [
            f"| environment steps a second of a training with 4096 environments | {ours:,.0f} |",
            f"| the same, Isaac Lab's own training as shipped | {shipped:,.0f} |",
            f"| ratio | {ours / shipped:.1f} × |",
        ]
        machines.append(_gpu_machine(parts["training"]))
    if "startup" in parts:
        first = statistics.median(run["step1"] for run in parts["startup"]["result"]["ours"])
        lines.append(f"| process start to first step, kernels cached | {first:.2f} s |")
        machines.append(_gpu_machine(parts["startup"]))
    if lines:
        text += "\n| what | how much |\n| --- | ---: |\n" + "\n".join(lines) + "\n\n"
        text += "\n".join(dict.fromkeys(machines))
    return text


def quality_gpu(found: dict[str, Any]) -> str:
    """Policies of trainings of one length, with the recordings and without, a seed a line."""
    lines = ["| seed | return, recorded | time-outs | return, nothing recorded | time-outs |"]
    lines += ["| ---: | ---: | ---: | ---: | ---: |"]
    sides = [found["result"][side] for side in ("ours", "without")]
    for pair in zip(*sides, strict=True):
        cells = [f"{run['mean_return']:.3f} | {100 * run['timeout_share']:.2f}%" for run in pair]
        lines.append(f"| {pair[0]['seed']} | {' | '.join(cells)} |")
    means = [
        (statistics.mean(r["mean_return"] for r in runs), statistics.mean(r["timeout_share"] for r in runs))
        for runs in sides
    ]
    lines.append("| mean | " + " | ".join(f"{mean:.3f} | {100 * share:.2f}%" for mean, share in means) + " |")
    return "\n".join(lines) + f"\n\n{sides[0][0]['epochs']} epochs each. " + _gpu_machine(found)


def seeds_gpu(found: dict[str, Any]) -> str:
    """Return, time-outs and wall time of each seed on a GPU."""
    runs = [run for run in found["result"]["ours"] if "failed" not in run]
    lines = _seed_lines(runs)
    middle = statistics.median(run["solved_s"] for run in runs)
    solved = f"{len(runs)} of {len(found['result']['ours'])} seeds solved, in {middle:.1f} s in the middle. "
    return "\n".join(lines) + "\n\n" + solved + _gpu_machine(found)


def several_gpu(found: dict[str, Any]) -> str:
    """Training steps a second over the number of GPUs."""
    lines = ["| GPUs | steps a second | ratio to one | evaluated return, worst run |", "| ---: | ---: | ---: | ---: |"]
    runs = {int(n): [run for run in runs if "rate" in run] for n, runs in found["result"]["gpus"].items()}
    rates = {n: statistics.median(window for run in each for window in run["windows"]) for n, each in runs.items()}
    for n, rate in rates.items():
        worst = min(run["mean_return"] for run in runs[n])
        lines.append(f"| {n} | {rate:,.0f} | {rate / rates[1]:.2f} | {worst:.3f} |")
    windows, processes = len(runs[1][0]["windows"]), len(runs[1])
    how = f"Medians of {windows * processes} stretches of {processes} trainings each, 8192 environments a GPU. "
    return "\n".join(lines) + "\n\n" + how + _gpu_machine(found)


def libraries(figures: dict[str, Any]) -> str:
    """Mean and worst of the seeds, a line a library."""
    lines = [
        "| library | updates | return, mean (worst) | time-outs, mean (worst) | CPU time | largest action | solved |"
    ]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    runs = figures["runs"]
    for name in dict.fromkeys(run["entry"] for run in runs):
        own = [run for run in runs if run["entry"] == name]
        returns, timeouts = [run["return"] for run in own], [100 * run["timeouts"] for run in own]
        updates = " to ".join(dict.fromkeys(str(pick(run["updates"] for run in own)) for pick in (min, max)))
        lines.append(
            f"| {name} | {updates} | {statistics.mean(returns):.3f} ({min(returns):.3f}) "
            f"| {statistics.mean(timeouts):.2f}% ({min(timeouts):.2f}%) "
            f"| {statistics.mean(run['cpu_s'] for run in own):.0f} s | {max(run['largest_action'] for run in own):.2f} "
            f"| {sum(r['solved'] for r in own)} of {len(own)} |"
        )
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    cores = f"{figures['cores']} core{'s' * (figures['cores'] > 1)}"
    where = f"{cores}, {figures['memory_gb']} GB, no GPU, at commit `{figures['commit']}`"
    return "\n".join(lines) + f"\n\nMeasured on {where}, with {versions}.\n"


def depth(report: dict[str, Any]) -> str:
    """Where each seed that learns from depth pictures got to."""
    lines = ["| seed | steps | time | evaluated return | time-outs |", "| ---: | ---: | ---: | ---: | ---: |"]
    for run in report["runs"]:
        lines.append(
            f"| {run['seed']} | {run['env_steps']:,} | {run['wall_s']:.0f} s | {run['return']:.2f} "
            f"| {100 * run['timeouts']:.0f}% |"
        )
    return "\n".join(lines) + f"\n\nDoing nothing returns {report['doing_nothing']:.1f}.\n"


def depth_gpu(reports: dict[str, dict[str, Any]]) -> str:
    """The same on a GPU, where training ends once an evaluation finds the task solved."""
    lines = ["| pictures | environments | seed | steps | time | evaluated return | time-outs | solved |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
    for name, report in reports.items():
        for run in report["runs"]:
            lines.append(
                f"| {GPU_DEPTH[name]} | {run['num_envs']:,} | {run['seed']} | {run['env_steps']:,} "
                f"| {run['wall_s']:.0f} s | {run['return']:.3f} | {100 * run['timeouts']:.2f}% "
                f"| {'yes' if run['solved'] else 'no'} |"
            )
    where = {
        f"one {run['device']}, {run['cores']} CPU cores, at commit `{report['commit']}`"
        for report in reports.values()
        for run in report["runs"]
    }
    return "\n".join(lines) + f"\n\nMeasured on {' and '.join(sorted(where))}.\n"


def camera(report: dict[str, Any]) -> str:
    """Rates of the camera tasks, a line a task."""
    sizes = sorted({row["num_envs"] for row in report["rows"]})
    lines = ["| task | " + " | ".join(f"{size} environments" for size in sizes) + " |"]
    lines += ["| --- |" + " ---: |" * len(sizes)]
    for task in dict.fromkeys(row["task"] for row in report["rows"]):
        rates = {row["num_envs"]: row["steps_per_s"] for row in report["rows"] if row["task"] == task}
        lines.append(f"| `{task}` | " + " | ".join(f"{rates[size]:,.0f}" for size in sizes) + " |")
    return "\n".join(lines) + f"\n\nEnvironment steps a second on {report['cores']} cores.\n"


if __name__ == "__main__":
    main()
