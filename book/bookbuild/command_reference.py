"""The command reference, written from the parser of ``cartpole-lab`` itself."""

from __future__ import annotations

import argparse
import importlib
import re
import sys

from . import paths

_NO_DEFAULT = (None, False, True, argparse.SUPPRESS, [], ())
_INTRO = """# Commands

`cartpole-lab` is installed with the package. `cartpole-lab COMMAND --help` prints what stands here.

Besides these flags, `train`, `play`, `evaluate` and `sweep` take settings of the task and of the learner as
`name=value`, as Isaac Lab's own commands do: `physics=ovphysx`, `env.rewards.pole_pos.weight=-2`,
`agent.params.config.gamma=0.98`.
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
            text = _sentence(about.get(name) or command.description or "")
            parts += [f"## `cartpole-lab {name}`", "", text, "", *_table(command)]
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


def _sentence(help_text: str) -> str:
    """Help as a sentence of the page: flags as code, a capital, a full stop."""
    text = " ".join(help_text.replace("%%", "%").replace("|", "\\|").replace("<", "&lt;").split())
    text = re.sub(r"(?<![`\w])(--[\w-]+)", r"`\1`", text)
    text = text[:1].upper() + text[1:] if re.match(r"[a-z]+ ", text) else text
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _table(command: argparse.ArgumentParser) -> list[str]:
    rows: list[str] = []
    for action in command._actions:
        if isinstance(action, argparse._HelpAction) or action.help == argparse.SUPPRESS:
            continue
        words = ", ".join(f"`{word}`" for word in action.option_strings) or f"`{action.metavar or action.dest}`"
        text = action.help or ""
        if "%(" in text:
            text = text % {"default": action.default, "prog": command.prog}
        # Help that states its default in brackets need not have it said twice.
        shown = "" if "default" in text or action.default in _NO_DEFAULT else f" Default: `{action.default}`."
        choices = f" One of {', '.join(f'`{c}`' for c in action.choices)}." if action.choices else ""
        rows.append(f"| {words} | {_sentence(text)}{choices}{shown} |")
    return ["| Argument | What it does |", "| --- | --- |", *rows, ""] if rows else []
