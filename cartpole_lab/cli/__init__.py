"""The ``cartpole-lab`` command: parse, call one function, print what it found."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from cartpole_lab.errors import UserError
from cartpole_lab.speed.startup import quick_imports

TASK = "Isaac-Cartpole-v0"
RUNS = "logs/rl_games"


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line. It imports nothing heavy, so that ``--help`` is quick."""
    parser = _Parser(prog="cartpole-lab", description="Train, watch and measure the cart-pole in Isaac Lab.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    train = commands.add_parser("train", help="train a policy, evaluate it, and film it with --film")
    _add_common(train)
    train.add_argument("--num_envs", type=int, help="environments to simulate (default: 1024 on a CPU, 4096 on a GPU)")
    train.add_argument("--agent", help="agent entry point (default: rl_games_cfg_entry_point)")
    train.add_argument("--rl_library", default="rl_games", help="rl_games, rsl_rl, skrl or sb3 (default: rl_games)")
    train.add_argument("--seed", type=int, help="seed of everything random; -1 draws one (default: the agent's)")
    train.add_argument("--max_iterations", type=int, help="most epochs to train")
    train.add_argument("--checkpoint", help="go on from a path, or from this task's latest or best")
    train.add_argument("--sigma", type=float, help="first standard deviation of the policy")
    train.add_argument("--log_root", default=RUNS, help=f"folder of all runs (default: {RUNS})")
    train.add_argument(
        "--stop_when_solved",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="evaluate every few epochs and stop once the policy is solved",
    )
    train.add_argument("--eval_interval", type=int, help="epochs between evaluations; 0 for only one at the end")
    train.add_argument("--film", action="store_true", help="film the trained policy afterwards")
    train.add_argument("--video", action="store_true", help="film the training itself")
    train.add_argument("--video_length", type=int, help="environment steps a training clip lasts (default: 200)")
    train.add_argument("--video_interval", type=int, help="environment steps between training clips (default: 2000)")
    train.add_argument("--distributed", action="store_true", help="one process a GPU, started by torchrun")
    train.add_argument("--export_io_descriptors", action="store_true", help="write the task's inputs and outputs")
    train.add_argument("--track", action="store_true", help="follow the run in Weights & Biases")
    train.add_argument("--wandb-project-name", help="Weights & Biases project")
    train.add_argument("--wandb-entity", help="Weights & Biases team or user; --track needs it")
    train.add_argument("--wandb-name", help="Weights & Biases name of the run")
    _add_launcher(train)

    play = commands.add_parser("play", help="film a checkpoint")
    _add_common(play)
    _add_checkpoint(play)
    play.add_argument("--num_envs", type=int, default=9, help="carts in the picture (default: 9)")
    play.add_argument("--seconds", type=float, default=10.0, help="length of the film (default: 10)")
    play.add_argument("--seed", type=int, default=7, help="seed of the start states (default: 7)")
    play.add_argument("--out", help="file to write (default: videos/play/film.mp4 in the run's folder)")

    evaluate = commands.add_parser("evaluate", help="measure a checkpoint over fresh episodes")
    _add_common(evaluate)
    _add_checkpoint(evaluate)
    evaluate.add_argument("--episodes", type=int, default=1024, help="episodes to play (default: 1024)")
    evaluate.add_argument("--seed", type=int, default=1000, help="seed of the start states (default: 1000)")
    evaluate.add_argument("--json", action="store_true", help="print JSON")

    export = commands.add_parser("export", help="write a checkpoint as ONNX, or as the playground's weights")
    _add_checkpoint(export)
    export.add_argument("--task", default=TASK, help=argparse.SUPPRESS)
    export.add_argument("--format", choices=("onnx", "json"), default="onnx", help="what to write (default: onnx)")
    export.add_argument("--out", help="file to write (default: beside the checkpoint)")

    doctor = commands.add_parser("doctor", help="say what this machine can run, and why not")
    doctor.add_argument("--json", action="store_true", help="print JSON")

    kernel = commands.add_parser("kernel", help="install or remove the Jupyter kernel that runs inside Isaac Sim")
    kernel.add_argument("action", choices=("install", "remove"))
    kernel.add_argument("--isaacsim", action="store_true", help="the kernel to install; there is only this one")
    kernel.add_argument("--isaacsim-path", help="folder of an Isaac Sim that was not installed with pip")
    kernel.add_argument("--accept-eula", action="store_true", help="accept NVIDIA's Omniverse licence without asking")
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", default=TASK, help=f"registered task (default: {TASK})")
    parser.add_argument("--device", help="cpu, cuda or cuda:<index> (default: the GPU if there is one)")


def _add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint", default="best", help="path, or latest or best of the newest run (default: best)"
    )


def _add_launcher(parser: argparse.ArgumentParser) -> None:
    """What Isaac Lab's launcher takes; Isaac Sim reads them, Newton and kit-less PhysX need none."""
    group = parser.add_argument_group("launcher", "handed to Isaac Lab's launcher")
    group.add_argument("--headless", action="store_true", help="no window; always so without Isaac Sim")
    group.add_argument("--livestream", type=int, choices=(0, 1, 2), help="stream Isaac Sim's window")
    group.add_argument("--enable_cameras", action="store_true", help="let Isaac Sim draw cameras")
    group.add_argument("--experience", help="Isaac Sim app file")
    group.add_argument("--kit_args", help="words for Kit, in one string")
    group.add_argument("--viz", dest="visualizer", help="visualizer, such as newton_gl, rerun, viser or kit")
    group.add_argument("--verbose", action="store_true", help="show Isaac Lab's whole start-up report")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Words after ``cartpole-lab``; by default those of the process.

    Returns:
        Exit code: 0, or 2 where the user has something to mend.
    """
    parser = build_parser()
    args, words = parser.parse_known_args(argv)
    if words and args.command not in ("train", "play", "evaluate"):
        parser.error(f"argument {words[0]!r} is not known")
    try:
        return COMMANDS[args.command](args, words)
    except UserError as error:
        print(f"cartpole-lab {args.command}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


def run_train(args: argparse.Namespace, words: list[str]) -> int:
    """``cartpole-lab train``."""
    if args.track and not args.wandb_entity:
        raise UserError("--track needs to know where to: add --wandb-entity <your user or team>")
    if args.rl_library != "rl_games":
        return _train_elsewhere(args, words)
    with quick_imports():
        from cartpole_lab.training.rl_games_train import train

    run = train(
        args.task,
        agent=args.agent or "rl_games_cfg_entry_point",
        num_envs=args.num_envs,
        device=args.device,
        seed=args.seed,
        max_iterations=args.max_iterations,
        stop_when_solved=args.stop_when_solved,
        eval_interval=args.eval_interval,
        checkpoint=args.checkpoint,
        sigma=args.sigma,
        log_root=args.log_root,
        overrides=words,
        flags=args,
        started=_process_start(),
    )
    film = _film(args, run.checkpoint, words) if args.film else None
    print(f"\n{run.evaluation.table()}\n")
    rows = [
        ("epochs", f"{run.epochs} of {run.num_envs} environments, {run.env_steps / 1e6:.2f} million steps"),
        ("training", f"{run.wall_s_train:.1f} s; from start to evaluated policy {run.wall_s_total:.1f} s"),
        *([("solved", f"{run.solved_s:.1f} s after the start, said an evaluation")] if run.solved_s else []),
        ("checkpoint", run.checkpoint),
        ("curve", run.log_dir / "curve.png"),
        ("numbers", run.log_dir / "summary.json"),
        *([("film", film)] if film else []),
    ]
    for name, value in rows:
        print(f"{name:<14}{_short(value)}")
    if args.stop_when_solved and not run.solved:
        print("\nnot solved: train longer with --max_iterations, or look at the curve", file=sys.stderr)
        return 1
    return 0


def _train_elsewhere(args: argparse.Namespace, words: list[str]) -> int:
    """Train with another library, then judge it by the same evaluation."""
    from cartpole_lab.evaluation import evaluate
    from cartpole_lab.training.libraries import train_with_library

    run = train_with_library(
        args.rl_library,
        args.task,
        agent=args.agent,
        num_envs=args.num_envs,
        device=args.device,
        seed=42 if args.seed is None else args.seed,
        max_iterations=args.max_iterations,
        overrides=words,
    )
    env_words = [word for word in words if not word.startswith("agent.")]
    result = evaluate(run.checkpoint, task_or_cfg=args.task, device=args.device, overrides=env_words)
    summary = {"library": run.library, "task": args.task, "seed": run.seed, "wall_s_total": run.wall_s}
    (run.log_dir / "summary.json").write_text(json.dumps({**summary, **result.as_dict()}, indent=2) + "\n")
    film = _film(args, run.checkpoint, words) if args.film else None
    print(f"\n{result.table()}\n\n{'training':<14}{run.wall_s:.1f} s with {run.library}")
    for name, value in (("checkpoint", run.checkpoint), ("film", film)):
        if value:
            print(f"{name:<14}{_short(value)}")
    return 0


def run_play(args: argparse.Namespace, words: list[str]) -> int:
    """``cartpole-lab play``."""
    film = _film(args, _checkpoint(args), words)
    print(f"film          {_short(film)}\nposter        {_short(film.with_suffix('.png'))}")
    return 0


def run_evaluate(args: argparse.Namespace, words: list[str]) -> int:
    """``cartpole-lab evaluate``."""
    from cartpole_lab.evaluation import evaluate
    from cartpole_lab.session.env import check_num_envs

    check_num_envs(args.episodes)
    checkpoint = _checkpoint(args)
    result = evaluate(
        checkpoint, task_or_cfg=args.task, episodes=args.episodes, seed=args.seed, device=args.device, overrides=words
    )
    if args.json:
        print(json.dumps({"checkpoint": str(checkpoint), "task": args.task, **result.as_dict()}, indent=2))
    else:
        print(f"{result.table()}\n{'checkpoint':<14}{_short(checkpoint)}")
    return 0


def run_export(args: argparse.Namespace, words: list[str]) -> int:
    """``cartpole-lab export``."""
    from cartpole_lab.policies.export import export_onnx, export_weights

    checkpoint = _checkpoint(args)
    out = Path(args.out) if args.out else checkpoint.with_suffix(f".{args.format}")
    (export_onnx if args.format == "onnx" else export_weights)(checkpoint, out)
    print(f"{args.format:<14}{_short(out)}")
    return 0


def run_doctor(args: argparse.Namespace, words: list[str]) -> int:
    """``cartpole-lab doctor``."""
    from cartpole_lab.doctor import as_dicts, doctor, healthy, table

    checks = doctor()
    print(json.dumps(as_dicts(checks), indent=2) if args.json else table(checks))
    return 0 if healthy(checks) else 1


def run_kernel(args: argparse.Namespace, words: list[str]) -> int:
    """``cartpole-lab kernel``."""
    from cartpole_lab import jupyter_kernel as kernel

    if args.action == "remove":
        print(f"removed       {kernel.remove()}")
    else:
        folder = kernel.install(accept_eula=args.accept_eula or None, isaacsim_path=args.isaacsim_path)
        print(f"installed     {folder}")
    return 0


def _checkpoint(args: argparse.Namespace) -> Path:
    """The checkpoint that the command line names; checked, so that a wrong one costs no start-up."""
    from cartpole_lab.policies.network import read_checkpoint
    from cartpole_lab.session.env import check_task
    from cartpole_lab.training.run_folder import find_checkpoint

    folders = sorted(p for p in Path(RUNS).glob("*") if p.is_dir()) or [Path(RUNS)]
    check_task(args.task)
    errors: list[UserError] = []
    for folder in folders:
        try:
            path = find_checkpoint(args.checkpoint, task=args.task, folder=folder)
            break
        except UserError as error:
            errors.append(error)
    else:
        raise errors[-1]
    if path.suffix not in (".pt", ".zip") or not path.is_file():
        read_checkpoint(path)
    return path


def _film(args: argparse.Namespace, checkpoint: Path, words: list[str]) -> Path:
    """Film a checkpoint into its run's folder."""
    from cartpole_lab.video.rollout import record_video

    out = getattr(args, "out", None) or checkpoint.resolve().parent.parent / "videos" / "play" / "film.mp4"
    return record_video(
        checkpoint,
        Path(out),
        task_or_cfg=args.task,
        seconds=getattr(args, "seconds", 5.0),  # after a training: one episode
        num_envs=args.num_envs if args.command == "play" else 9,
        seed=args.seed if args.command == "play" else 7,
        device=args.device,
        overrides=[word for word in words if not word.startswith("agent.")],
    )


def _process_start() -> float:
    """When this process began, so that imports count."""
    try:
        import psutil

        start = psutil.Process().create_time()
        if hasattr(time, "CLOCK_BOOTTIME"):  # Linux knows it to 10 ms since boot, but the moment of booting to 1 s only
            start += time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) - psutil.boot_time()
        return start
    except Exception:  # a convenience: without it the clock starts here
        return time.time()


def _short(path: Any) -> str:
    """A path as seen from here, other text as it is."""
    if isinstance(path, Path) and path.is_absolute() and path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    return str(path)


COMMANDS = {
    "train": run_train,
    "play": run_play,
    "evaluate": run_evaluate,
    "export": run_export,
    "doctor": run_doctor,
    "kernel": run_kernel,
}

if __name__ == "__main__":
    raise SystemExit(main())
