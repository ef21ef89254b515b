"""What a recorded step and a recorded training are worth on a GPU, and whether their numbers are right.

    python -m tests.benchmarks.gpu exact      # recorded against ordinary steps, bit for bit
    python -m tests.benchmarks.gpu rates      # env-steps/s: ours, without the recordings, as shipped; in turns
    python -m tests.benchmarks.gpu training   # env-steps/s of a training, the same three
    python -m tests.benchmarks.gpu cold       # cold process to solved, a seed a run; ours and without, in turns
    python -m tests.benchmarks.gpu quality    # policies of trainings with the recordings and without, side by side
    python -m tests.benchmarks.gpu startup    # process start to first step, and where it goes
    python -m tests.benchmarks.gpu first      # the same with no kernel compiled yet
    python -m tests.benchmarks.gpu several    # training on 1, 2, 4 ... GPUs, in turns
    python -m tests.benchmarks.gpu lost       # one of two processes is killed

Each writes ``_build/bench/gpu_<part>.json`` and prints a short table.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

OUT = Path("_build/bench")
ROOT = Path(__file__).resolve().parents[2]
WITHOUT = "-gpu_ahead,-recorded_step,-recorded_training,-idle_solver,-unreachable_contacts,-idle_kernels"
"""The switch that leaves out what a GPU did not have before."""
AGENT = "rl_games_with_symmetry_cfg_entry_point"


PARTS = (
    *("exact", "rates", "training", "cold", "quality", "startup", "first", "several", "lost"),
    *("_exact", "_rate", "_first"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--num_envs", type=int, nargs="+", default=[64, 4096, 65536])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--commit", default="", help="what is measured, for the record")
    parser.add_argument("--before", type=Path, help="a checkout of an earlier build, to compare with")
    parser.add_argument("--keep", type=Path, help="folder in which first leaves what it has compiled")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES), help="sides of a training")
    args = parser.parse_args()
    result = globals()[args.part](args)
    if not args.part.startswith("_"):
        _write(args, result)
    return 0


def _write(args: argparse.Namespace, result: Any) -> None:
    """Write what a part has found, and on what."""
    import torch

    names = ("isaaclab", "newton", "warp-lang", "mujoco", "torch", "rl-games")
    machine = {
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU",
        "gpus": torch.cuda.device_count(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "commit": args.commit,
        "versions": {name: version(name) for name in names},
    }
    OUT.mkdir(parents=True, exist_ok=True)
    found = {"machine": machine, "result": result}
    (OUT / f"gpu_{args.part}.json").write_text(json.dumps(found, indent=1) + "\n")


def _start(
    words: list[str], speed: str = "on", package: Path = ROOT, more: dict[str, str] | None = None, **pipes: Any
) -> subprocess.Popen:
    path = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "CARTPOLE_LAB_SPEED": speed, "PYTHONPATH": path, **(more or {})}
    return subprocess.Popen([sys.executable, *words], env=env, text=True, **{"cwd": package, **pipes})


def _builds(args: argparse.Namespace) -> dict[str, tuple[str, Path]]:
    """Sides of a comparison with an earlier build; where none is given, with this one less what is new on a GPU."""
    return {"ours": ("on", ROOT), "before": ("on", args.before) if args.before else (WITHOUT, ROOT)}


# -- exactness -----------------------------------------------------------------------------------------------------


def exact(args: argparse.Namespace) -> list[str]:
    """Every case in one of some processes; lines of what was found."""
    sys.path.insert(0, str(ROOT / "tests" / "parity"))
    from recorded_step_cases import CASES

    cases = args.words or [f"{name}:{size}:300" for size in (4096, 64, 1) for name in CASES]
    OUT.mkdir(parents=True, exist_ok=True)
    jobs = []
    for i in range(args.jobs):
        words = ["-m", "tests.benchmarks.gpu", "_exact", *cases[i :: args.jobs], "--device", args.device]
        files = [OUT / f"gpu_exact_{i}.{kind}" for kind in ("out", "err")]  # which stay if this is stopped
        jobs.append((_start(words, stdout=files[0].open("w"), stderr=files[1].open("w")), *files))
    lines = []
    for job, out, err in jobs:
        job.wait()
        found = [line for line in out.read_text().splitlines() if line.startswith("EXACT")]
        lines += found or [f"EXACT FAILED {err.read_text()[-1500:]}"]
    bad = [line for line in lines if not line.startswith("EXACT same")]
    print(f"exact: {len(lines) - len(bad)} of {len(lines)} the same")
    for line in bad:
        print(" ", line[:700])
    return lines


def _exact(args: argparse.Namespace) -> None:
    sys.path.insert(0, str(ROOT / "tests" / "parity"))
    import torch
    from recorded_step_cases import CASES, first_difference, make, trace

    from cartpole_lab.speed.recorded_step import install, remove

    for word in args.words:
        name, num_envs, steps = word.split(":")
        case, said = CASES[name], []
        try:
            sides, restarts = [], 0
            for recorded in (False, True):
                env = make(case, int(num_envs), args.device)
                remove(env)
                torch.manual_seed(11)
                step = install(env, say=said.append, graphs=args.device != "cpu") if recorded else None
                sides.append(trace(env, case, int(steps)))
                restarts = sum(int((row[2] | row[3]).sum()) for row in sides[-1])
            where = first_difference(*sides)
            fits = set(step.refused) == case.refused
            verdict = "same" if where is None and fits and (case.often or step.replays > 20) else "OTHER"
            refused = {k: v[:120] for k, v in step.refused.items()}
            print(
                f"EXACT {verdict} {word}: {where or ''} restarts {restarts} replays {step.replays} recorded "
                f"{step.recorded} probes {step.probes} refused {refused} said {[s[:300] for s in said]}",
                flush=True,
            )
        except Exception as error:
            import traceback

            last = "".join(traceback.format_exception(error)[-6:])[-900:]
            print(f"EXACT ERROR {word}: {type(error).__name__} {error} {last!r} said {said}", flush=True)
    os._exit(0)


# -- steps -----------------------------------------------------------------------------------------------------------

SIDES = {"ours": ("ours", "on"), "without": ("ours", WITHOUT), "shipped": ("shipped", "on")}


def rates(args: argparse.Namespace) -> dict[str, Any]:
    """Env-steps/s of the three sides, each a process that sleeps unless it is its turn."""
    result = {}
    for num_envs in args.num_envs:
        workers = {
            side: _start(
                ["-m", "tests.benchmarks.gpu", "_rate", which, str(num_envs), "--device", args.device],
                speed,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for side, (which, speed) in SIDES.items()
        }
        found: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(args.rounds):
            for side, worker in workers.items():
                count = 600 if side == "ours" else 60
                found[side].append(num_envs * count / _ask(worker, count))
        for worker in workers.values():
            worker.stdin.close()
        median = {side: statistics.median(values) for side, values in found.items()}
        result[num_envs] = {"median": median, "rates": found}
        ratios = f"{median['ours'] / median['shipped']:.2f}x shipped, {median['ours'] / median['without']:.2f}x without"
        print(f"rates {num_envs:>6}: " + ", ".join(f"{s} {m:,.0f}/s" for s, m in median.items()) + f"; ours {ratios}")
    return result


def _ask(worker: subprocess.Popen, count: int) -> float:
    worker.stdin.write(f"{count}\n")
    worker.stdin.flush()
    for line in worker.stdout:
        if line.startswith("SECONDS"):
            return float(line.split()[1])
    raise SystemExit(f"a worker ended with exit code {worker.wait()}")


def _rate(args: argparse.Namespace) -> None:
    from tests.benchmarks.step import _ours, _shipped

    step = {"ours": _ours, "shipped": _shipped}[args.words[0]](int(args.words[1]), args.device)
    step(12)  # compile, record and warm up
    for line in sys.stdin:
        started = time.perf_counter()
        step(int(line))
        print(f"SECONDS {time.perf_counter() - started}", flush=True)
    os._exit(0)


# -- training --------------------------------------------------------------------------------------------------------


def training(args: argparse.Namespace) -> dict[str, list[float | str]]:
    """Env-steps/s in the loop of a training, the sides in turns: medians over the epochs of a run after the first."""
    num_envs = str(args.num_envs[-1] if len(args.num_envs) < 3 else 4096)
    result: dict[str, list[float | str]] = {"ours": [], "without": [], "shipped": []}
    for _ in range(args.rounds):
        for side in [side for side in ("ours", "without") if side in args.sides]:
            speed = SIDES[side][1]
            code = (
                "import tempfile, numpy as np\nfrom cartpole_lab import train\n"
                f"run = train(agent={AGENT!r}, num_envs={num_envs}, seed=1, max_iterations=60, eval_interval=0, "
                f"progress=False, device={args.device!r}, log_root=tempfile.mkdtemp())\n"
                "r = np.diff(run.curve['env_steps']) / np.diff(run.curve['wall_s'])\nprint('RATE', np.median(r[10:]))\n"
            )
            job = _start(["-c", code], speed, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            out, err = job.communicate()
            line = next((x for x in out.splitlines() if x.startswith("RATE")), None)
            result[side].append(float(line.split()[1]) if line else f"FAILED {err[-1500:]}")
        if "shipped" not in args.sides:
            continue
        with tempfile.TemporaryDirectory() as folder:  # 4096 environments, its own settings
            words = [str(ROOT / "tests/benchmarks/as_shipped.py"), args.device, "--max_iterations", "30"]
            job = _start(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            out, err = job.communicate()
            totals = [float(x) for x in re.findall(r"fps total: (\d+)", out)]
            result["shipped"].append(statistics.median(totals[5:]) if len(totals) > 6 else f"FAILED {err[-800:]}")
        print(f"training {num_envs}:", {side: found[-1] for side, found in result.items() if found}, flush=True)
        _write(args, result)
    return result


def cold(args: argparse.Namespace) -> dict[str, Any]:
    """Seconds from a cold process until an evaluation finds the policy solved."""
    result: dict[str, Any] = {"ours": [], "before": []}
    for seed in range(args.seeds):
        for side, (speed, package) in _builds(args).items():
            if side == "before" and seed >= args.rounds:
                continue
            with tempfile.TemporaryDirectory() as folder:
                words = ["train", "--agent", AGENT, "--num_envs", "4096", "--seed", str(seed), "--stop_when_solved"]
                job = _start(
                    ["-m", "cartpole_lab.cli", *words, "--device", args.device, "--log_root", folder],
                    speed,
                    package,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
                _, err = job.communicate()
                summaries = list(Path(folder).glob("*/*/summary.json"))
                if not summaries:
                    result[side].append({"seed": seed, "failed": err[-1500:]})
                    print(f"cold {side} seed {seed} FAILED {err[-1500:]}")
                    continue
                summary = json.loads(summaries[0].read_text())
            keys = ("seed", "epochs", "solved_s", "wall_s_train", "wall_s_total", "mean_return", "timeout_share")
            result[side].append({key: summary[key] for key in keys} | {"said": err[-600:]})
            print(f"cold {side}", {key: summary[key] for key in keys}, flush=True)
        _write(args, result)
    return result


def quality(args: argparse.Namespace) -> dict[str, Any]:
    """Return and time-outs after 40 epochs, a seed a run, with the recordings and without; nothing is timed."""
    words = ["train", "--agent", AGENT, "--num_envs", "4096", "--max_iterations", "40", "--eval_interval", "0"]
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        jobs = {}
        for side, speed in (("ours", "on"), ("without", WITHOUT)):
            for seed in range(args.seeds):
                more = ["--seed", str(seed), "--device", args.device, "--log_root", f"{folder}/{side}{seed}"]
                pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
                jobs[side, seed] = _start(["-m", "cartpole_lab.cli", *words, *more], speed, **pipes)
        for (side, seed), job in jobs.items():
            _, err = job.communicate()
            found = list(Path(f"{folder}/{side}{seed}").glob("*/*/summary.json"))
            summary = json.loads(found[0].read_text()) if found else {}
            keys = ("epochs", "env_steps", "mean_return", "timeout_share")
            run = {key: summary[key] for key in keys} if found else {"failed": err[-800:]}
            result.setdefault(side, []).append({"seed": seed} | run)
            print(f"quality {side} seed {seed}: {run}", flush=True)
    return result


# -- several GPUs ----------------------------------------------------------------------------------------------------


def several(args: argparse.Namespace) -> dict[str, Any]:
    """Env-steps/s in the loop of a training on 1, 2, 4 ... GPUs with 8192 environments each, sides in turns."""
    import numpy as np
    import torch

    most, epochs = torch.cuda.device_count(), 120
    counts = [n for n in (1, 2, 4, 8) if n <= most]
    result: dict[str, Any] = {"gpus": {n: [] for n in counts}}
    for number in range(args.rounds):
        for n in counts:
            words = ["--num_envs", "8192", "--max_iterations", str(epochs), "--eval_interval", "0"]
            words += ["--seed", str(number)]
            words += ["--distributed", "--num_gpus", str(n)] if n > 1 else ["--device", "cuda:0"]
            started = time.time()
            summary, folder, err = _train(words)
            took = time.time() - started
            if summary is None:
                result["gpus"][n].append({"failed": err[-1500:]})
                print(f"several {n}: FAILED {err[-1500:]}", flush=True)
                continue
            curve = np.load(folder / "curve.npz")
            each = (np.diff(curve["env_steps"]) / np.diff(curve["wall_s"]))[19:]
            windows = [float(np.median(part)) for part in np.array_split(each, 5)]
            keys = ("processes", "env_steps", "wall_s_train", "wall_s_total", "mean_return", "timeout_share")
            run = {"rate": float(np.median(each)), "windows": windows, "command_s": took}
            result["gpus"][n].append(run | {key: summary[key] for key in keys} | {"said": err[-600:]})
            print(f"several {n}: {result['gpus'][n][-1]}", flush=True)
            _write(args, result)
    base = statistics.median(run["rate"] for run in result["gpus"][1])
    for n, runs in result["gpus"].items():
        rates = [run["rate"] for run in runs if "rate" in run]
        if rates:
            print(
                f"several {n}: {statistics.median(rates):,.0f}/s, {statistics.median(rates) / base:.2f}x one",
                flush=True,
            )
    return result


def lost(args: argparse.Namespace) -> dict[str, Any]:
    """Kill the second of two processes of a training: how it ends, how soon, and whether its checkpoint loads."""
    import psutil

    with tempfile.TemporaryDirectory() as folder:
        words = ["train", "--distributed", "--num_gpus", "2", "--num_envs", "8192", "--max_iterations", "100000"]
        words += ["--eval_interval", "0", "--log_root", folder, "agent.params.config.save_frequency=20"]
        job = _start(["-m", "cartpole_lab.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until = time.time() + 120
        while time.time() < until and not list(Path(folder).glob("*/*/nn/last_*.pth")) and job.poll() is None:
            time.sleep(0.2)
        ranks = {p.environ().get("RANK"): p for p in psutil.Process(job.pid).children(recursive=True)}
        killed = time.time()
        ranks["1"].kill()
        _, err = job.communicate(timeout=120)
        took = time.time() - killed
        newest = max(Path(folder).glob("*/*/nn/*.pth"), key=lambda path: path.stat().st_mtime)
        from cartpole_lab.policies.checkpoint import read_checkpoint

        epoch = read_checkpoint(newest)["epoch"]
        alive = [p.pid for p in ranks.values() if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    result = {"seconds": took, "code": job.returncode, "said": err, "epoch": epoch, "left": alive}
    print("lost", result, flush=True)
    return result


def _train(words: list[str]) -> tuple[dict[str, Any] | None, Path, str]:
    """The summary of a training in a process of its own, its folder, and what it said."""
    root = tempfile.mkdtemp()
    words = ["-m", "cartpole_lab.cli", "train", "--agent", AGENT, *words, "--log_root", root]
    job = _start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, err = job.communicate()
    found = list(Path(root).glob("*/*/summary.json"))
    return (json.loads(found[0].read_text()), found[0].parent, err) if found else (None, Path(root), err)


# -- start -----------------------------------------------------------------------------------------------------------


def startup(args: argparse.Namespace) -> dict[str, Any]:
    """Seconds from process start to the end of each stage up to the first steps, in turns."""
    result: dict[str, Any] = {"ours": [], "before": []}
    for _ in range(args.rounds):
        for side, (speed, package) in _builds(args).items():
            result[side].append(_stages(args, speed, package))
            print(f"start {side}: {result[side][-1]}", flush=True)
        _write(args, result)
    _tell_stages("start", result)
    return result


def first(args: argparse.Namespace) -> dict[str, Any]:
    """The same on a machine that has compiled nothing yet: every process has a cache of its own, which is empty."""
    result: dict[str, Any] = {"ours": [], "before": []}
    for _ in range(args.rounds):
        for side, (speed, package) in _builds(args).items():
            with tempfile.TemporaryDirectory() as folder:
                place = args.keep / side if args.keep else Path(folder)
                caches = {name: str(place / name) for name in ("WARP_CACHE_PATH", "CUDA_CACHE_PATH")}
                result[side].append(_stages(args, speed, package, caches))
            print(f"first {side}: {result[side][-1]}", flush=True)
    _tell_stages("first", result)
    return result


def _stages(args: argparse.Namespace, speed: str, package: Path, more: dict[str, str] | None = None) -> dict[str, Any]:
    """Seconds from the start of a process to the end of each of its stages."""
    words = ["-P", __file__, "_first", str(time.time()), "--device", args.device]
    job = _start(words, speed, package, more, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = job.communicate()
    line = next((x for x in out.splitlines() if x.startswith("STAGES")), None)
    return json.loads(line[7:]) if line else {"failed": err[-800:]}


def _tell_stages(what: str, result: dict[str, Any]) -> None:
    for side, runs in result.items():
        good = [run for run in runs if "failed" not in run]
        if good:
            stages = {name: round(statistics.median(run[name] for run in good), 2) for name in good[0]}
            print(f"{what} {side}:", stages, flush=True)
        else:
            print(f"{what} {side}: FAILED {runs[:1]}")


def _first(args: argparse.Namespace) -> None:
    """What a reader's own script does up to its first steps; earlier builds run it too."""
    started, stages = float(args.words[0]), {}

    def stamp(name: str) -> None:
        stages[name] = time.time() - started

    stamp("python")
    from cartpole_lab import make_env

    env = make_env(num_envs=4096, device=args.device)
    stamp("env")
    import torch

    wait = torch.cuda.synchronize if args.device != "cpu" else lambda: None
    env.reset()
    wait()
    stamp("reset")
    for number in range(6):
        env.step(torch.zeros(4096, 1, device=args.device))
        wait()
        stamp(f"step{number + 1}")
    print("STAGES " + json.dumps(stages), flush=True)
    os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main())
