"""The ``cartpole-lab`` command, one file a command: its help, its flags (``add_arguments``) and what it does (``run``).

A new command is a module with ``HELP``, ``add_arguments(parser)`` and ``run(args, overrides) -> int``, listed below;
with ``TAKES_OVERRIDES = True`` overrides, ``name=value``, may follow its flags.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import cartpole_lab.session  # noqa: F401  it leaves out what another Python has put on the path
from cartpole_lab import __version__
from cartpole_lab.cli import doctor, evaluate, export, kernel, new, play, sweep, train
from cartpole_lab.cli._common import Parser
from cartpole_lab.cli.output import forgive
from cartpole_lab.errors import UserError
from cartpole_lab.files import CLOSED, DISK
from cartpole_lab.training import distributed
from cartpole_lab.training.signals import exit_code, stoppable

COMMANDS: dict[str, ModuleType] = {
    "train": train,
    "sweep": sweep,
    "play": play,
    "evaluate": evaluate,
    "export": export,
    "new": new,
    "doctor": doctor,
    "kernel": kernel,
}


def build_parser() -> argparse.ArgumentParser:
    """The whole command line. It imports nothing heavy, so that ``--help`` is quick."""
    parser = Parser(prog="cartpole-lab", description="Train, watch and measure the cart-pole in Isaac Lab.")
    parser.add_argument("--version", action="version", version=f"cartpole-lab {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    for name, module in COMMANDS.items():
        about = f"{module.HELP[0].upper()}{module.HELP[1:]}."
        if _takes_overrides(module):
            about += " Settings follow the flags as name=value: physics=ovphysx, env.rewards.pole_pos.weight=-2."
        command = commands.add_parser(name, help=module.HELP, description=about)
        module.add_arguments(command)
        command.set_defaults(parser=command)
    return parser


def _takes_overrides(module: ModuleType) -> bool:
    return getattr(module, "TAKES_OVERRIDES", False)


def _check_words(parser: argparse.ArgumentParser, words: Sequence[str], takes_overrides: bool) -> None:
    """See that what the parser left over can be overrides, before anything slow looks at it.

    Raises:
        UserError: It holds a flag that the command lacks, or anything where it takes no overrides.
    """
    for word in words:
        if takes_overrides and "=" in word and not word.startswith("-"):
            continue
        flags = re.findall(r"--[\w-]+", parser.format_usage())
        near = difflib.get_close_matches(word.partition("=")[0], flags, n=1, cutoff=0.7)
        if "--checkpoint" in flags and (word in ("best", "latest") or Path(word).exists()):
            near = [f"--checkpoint {word}"]
        hint = f": did you mean {near[0]}?" if near else ", expected name=value" if takes_overrides else ""
        raise UserError(f"argument {word!r} is not known{hint} (see {parser.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Words after ``cartpole-lab``; by default those of the process.

    Returns:
        Exit code: 0; 1 where the result is a failure; 2 where the user has something to mend; 130 or 143 where SIGINT
        or SIGTERM has stopped it.
    """
    forgive()
    parser = build_parser()
    args, overrides = parser.parse_known_args(argv)
    command = COMMANDS[args.command]
    try:
        _check_words(args.parser, overrides, _takes_overrides(command))
        code = stoppable(command.run)(args, overrides)
        return distributed.end(code or (_lost(args.command) if getattr(command, "PRINTS_RESULT", False) else 0))
    except UserError as error:
        print(f"cartpole-lab {args.command}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return distributed.end(2)
    except OSError as error:
        if error.errno not in DISK and not (error.errno in CLOSED and error.filename):
            raise
        where, how = error.filename or "a file", "written" if error.errno in DISK else "used"
        print(
            f"cartpole-lab {args.command}: error: {str(where)[:200]} cannot be {how} ({error.strerror})",
            file=sys.stderr,
        )
        return distributed.end(2)
    except (Exception, SystemExit) as error:
        if distributed.lost_others(error):
            if not distributed.launched():
                print(f"cartpole-lab {args.command}: error: another process of this training is gone", file=sys.stderr)
            return distributed.end(distributed.LOST)
        from cartpole_lab.session.explained import explain

        if (known := explain(error)) is None:
            raise
        if getattr(args, "verbose", False):  # whoever asks for everything sees where it was, too
            traceback.print_exc()
        print(f"cartpole-lab {args.command}: error: {known}", file=sys.stderr)
        return distributed.end(2)
    except KeyboardInterrupt as error:
        if not distributed.launched():  # then the process that has started this one says it
            print(f"\nstopped{f': {error}' if str(error) else ''}", file=sys.stderr)
        return distributed.end(exit_code(error))


def _lost(command: str) -> int:
    """Exit code of a command whose result is what it prints: 1 where a full disk has not taken it."""
    sys.stdout.flush()
    if not (why := getattr(sys.stdout, "lost", "")):
        return 0
    print(f"cartpole-lab {command}: error: what it found cannot be written ({why})", file=sys.stderr)
    return 1
