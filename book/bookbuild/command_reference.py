"""The command reference, written from the parser of ``cartpole-lab`` itself."""

from __future__ import annotations

import argparse
import importlib
import sys

from . import paths

_INTRO = """# Commands

`cartpole-lab` is installed with the package. `cartpole-lab COMMAND --help` prints what stands here.
"""


def commands_page() -> str:
    """The whole page, in Markdown; a short one where the command cannot be imported."""
    parser = _parser()
    if parser is None:
        return f"{_INTRO}\nThe command could not be read when this book was built.\n"
    parts = [_INTRO]
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        about = {choice.dest: choice.help or "" for choice in action._choices_actions}
        for name, command in action.choices.items():
            parts += [f"## `cartpole-lab {name}`", "", (command.description or about.get(name) or "").strip(), ""]
            parts += ["```text", _usage(command), "```", "", *_table(command)]
            if command.epilog:
                parts += ["```text", command.epilog.strip("\n"), "```", ""]
    return "\n".join(parts)


def _parser() -> argparse.ArgumentParser | None:
    sys.path.insert(0, str(paths.ROOT))
    try:
        cli = importlib.import_module("cartpole_lab.cli")
    except ImportError as error:
        print(f"no command reference: {error}")
        return None
    finally:
        sys.path.remove(str(paths.ROOT))
    return cli.build_parser()


def _usage(command: argparse.ArgumentParser) -> str:
    return command.format_usage().removeprefix("usage: ").strip()


def _table(command: argparse.ArgumentParser) -> list[str]:
    rows: list[str] = []
    for action in command._actions:
        if isinstance(action, argparse._HelpAction) or action.help == argparse.SUPPRESS:
            continue
        words = ", ".join(f"`{word}`" for word in action.option_strings) or f"`{action.metavar or action.dest}`"
        text = (action.help or "").replace("%%", "%").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
        default = action.default
        if "%(" in text:
            text = text % {"default": default, "prog": command.prog}
        shown = "" if default in (None, False, True, argparse.SUPPRESS, [], ()) else f"`{default}`"
        choices = f" One of {', '.join(f'`{c}`' for c in action.choices)}." if action.choices else ""
        rows.append(f"| {words} | {text}{choices} | {shown} |")
    return ["| Argument | What it does | Default |", "| --- | --- | --- |", *rows, ""] if rows else []
