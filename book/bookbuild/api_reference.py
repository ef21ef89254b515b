"""The API reference, written from signatures and docstrings. It reads the source and imports nothing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

# Module (path below the package, without ending) and the question that it answers.
_MODULES = (
    ("session/env", "One live environment, rebuilt safely"),
    ("training/rl_games_train", "Train"),
    ("training/options", "What a training can be told"),
    ("evaluation", "Measure a policy"),
    ("policies/by_hand", "Policies made by hand"),
    ("policies/network", "The policy of a trained agent"),
    ("policies/loading", "From a checkpoint to its policy"),
    ("policies/checkpoint", "A checkpoint and what it means"),
    ("policies/runs", "A run and its checkpoints"),
    ("video/rollout", "Rollouts and films"),
    ("training/progress", "Learning curves"),
    ("policies/export", "Take a policy elsewhere"),
    ("teaching/display", "Show pictures and films"),
    ("doctor", "What this machine can run"),
    ("errors", "Errors"),
    ("tasks/robot", "The robot"),
    ("tasks/cartpole_env_cfg", "The task"),
    ("tasks/cartpole_camera_env_cfg", "The task with a camera"),
    ("tasks/mdp", "Terms of our own"),
    ("physics", "The physics presets"),
    ("teaching/widgets", "Widgets"),
    ("teaching/exercises", "Checks of the exercises"),
)
_SECTIONS = ("Args", "Returns", "Raises", "Attributes", "Yields", "Note", "Example")


def api_page(package: Path) -> str:
    """The whole page, in Markdown. Modules that do not exist are left out."""
    parts = [
        "# Python reference",
        "",
        "Every public class and function of `cartpole_lab`, from its own docstrings. In shapes the environments come",
        "first, or second where time comes first. Angles are in radians, positions in metres, efforts in newtons.",
    ]
    promised = _promised(package / "__init__.py")
    for name, question in _MODULES:
        files = _module_files(package, name)
        entries = [entry for file in files for entry in _entries(file, promised.get(name))]
        if entries:
            dotted = "cartpole_lab." + name.replace("/", ".")
            parts += ["", f"## {question}: `{dotted}`", ""]
            intro = ast.get_docstring(ast.parse(files[0].read_text(encoding="utf-8")))
            parts += [_inline(intro.split("\n\n")[0].replace("\n", " ")), ""] if intro else []
            parts += entries
    return "\n".join([*parts, ""])


def _promised(init: Path) -> dict[str, list[str]]:
    """By module: the names that the package itself exports. The rest of such a module is its own affair."""
    found: dict[str, list[str]] = {}
    for node in ast.parse(init.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOME":
            for name, module in ast.literal_eval(node.value).items():
                found.setdefault(module, []).append(name)
    return found


def _module_files(package: Path, name: str) -> list[Path]:
    single, folder = package / f"{name}.py", package / name
    if single.is_file():
        return [single]
    init = folder / "__init__.py"
    others = sorted(p for p in folder.glob("*.py") if p.name != "__init__.py" and not p.name.startswith("_"))
    return ([init] if init.is_file() else []) + others


def _entries(file: Path, promised: list[str] | None) -> list[str]:
    """The public classes and functions of a file, or the promised ones: each a heading, a signature and its text."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    lines: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            if promised is not None and node.name not in promised:
                continue
            doc = ast.get_docstring(node)
            if doc is None:
                continue
            lines += [f"### `{node.name}`", "", "```python", _signature(node), "```", "", _markdown(doc), ""]
            if isinstance(node, ast.ClassDef):
                lines += _members(node)
    return lines


def _members(node: ast.ClassDef) -> list[str]:
    """Public methods and properties with a docstring, one line each."""
    lines: list[str] = []
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_") and (doc := ast.get_docstring(item)):
            decorators = {ast.unparse(d) for d in item.decorator_list}
            call = "" if decorators & {"property", "cached_property", "functools.cached_property"} else "()"
            lines.append(f"- `{item.name}{call}`: {_inline(' '.join(doc.split(chr(10) * 2)[0].split()))}")
    return [*lines, ""] if lines else []


def _signature(node: ast.ClassDef | ast.FunctionDef) -> str:
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        return f"class {node.name}({bases})" if bases else f"class {node.name}"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    one_line = f"{node.name}({ast.unparse(node.args)}){returns}"
    if len(one_line) <= 76:
        return one_line
    return f"{node.name}(\n" + "".join(f"    {argument},\n" for argument in _arguments(node.args)) + f"){returns}"


def _arguments(args: ast.arguments) -> list[str]:
    def shown(argument: ast.arg, default: ast.expr | None) -> str:
        text = ast.unparse(argument)
        if default is None:
            return text
        return f"{text} = {ast.unparse(default)}" if argument.annotation else f"{text}={ast.unparse(default)}"

    positional = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(positional) - len(args.defaults)) + list(args.defaults)
    found = [shown(a, d) for a, d in zip(positional, defaults, strict=True)]
    if args.vararg:
        found.append(f"*{ast.unparse(args.vararg)}")
    elif args.kwonlyargs:
        found.append("*")
    found += [shown(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    return found + ([f"**{ast.unparse(args.kwarg)}"] if args.kwarg else [])


def _markdown(doc: str) -> str:
    """A Google-style docstring as Markdown: its sections become bold words over lists."""
    out: list[str] = []
    section = ""
    for line in doc.splitlines():
        word = line.rstrip(":").strip()
        if line == f"{word}:" and word in _SECTIONS:
            section = word
            out += ["", f"**{ {'Args': 'Arguments'}.get(word, word) }**", ""]
        elif section and line.startswith("    ") and not line.startswith("        "):
            named = re.match(r"\s+(\*{0,2}[\w.]+)(?: \([^)]*\))?: (.*)", line)
            text = f"`{named[1]}`: {_inline(named[2])}" if named else _inline(line.strip())
            continues = section in ("Returns", "Yields", "Note", "Example") and not named and out and out[-1]
            out.append(f"  {text}" if continues else f"- {text}")
        elif section and line.strip():
            out.append("  " + _inline(line.strip()))
        else:
            section = "" if line.strip() else section
            out.append(_inline(line))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()


def _inline(text: str) -> str:
    """Roles and double backticks of reStructuredText as plain code; ``<`` stays a character."""
    text = re.sub(r":(?:[a-z]+:)?[a-z]+:`~?([^`]+)`", lambda m: f"`{m[1]}`", text)
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in re.split(r"(`[^`]*`)", text))
