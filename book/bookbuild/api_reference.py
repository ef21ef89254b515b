"""The API reference, written from signatures and docstrings. It reads the source and imports nothing."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Pages: their title, and their modules (path below the package, without ending) with the question that each answers.
_PAGES: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "api_task": (
        "Python: the task",
        (
            ("session/env", "One live environment, rebuilt safely"),
            ("session/configs", "What to simulate, on what and how many"),
            ("tasks/robot", "The robot"),
            ("tasks/cartpole_env_cfg", "The task"),
            ("tasks/cartpole_camera_env_cfg", "The task with a camera"),
            ("tasks/mdp", "Terms of our own"),
            ("physics", "The physics presets"),
        ),
    ),
    "api_training": (
        "Python: train and measure",
        (
            ("training/rl_games_train", "Train"),
            ("training/training_run", "What a training leaves behind"),
            ("training/options", "What a training can be told"),
            ("training/sweep/engine", "Many seeds, many settings"),
            ("training/sweep/options", "What a sweep can be told"),
            ("evaluation", "Measure a policy"),
            ("evaluation_result", "What was measured"),
            ("training/progress", "Learning curves"),
            ("video/rollout", "Rollouts"),
            ("video/film", "Films"),
        ),
    ),
    "api_policies": (
        "Python: policies and runs",
        (
            ("policies/by_hand", "Policies made by hand"),
            ("policies/network", "The policy of a trained agent"),
            ("policies/loading", "From a checkpoint to its policy"),
            ("policies/checkpoint", "A checkpoint"),
            ("policies/meaning", "What a checkpoint means"),
            ("policies/runs", "A run and its checkpoints"),
            ("policies/checkpoint_lookup", "The checkpoint that a word names"),
            ("policies/export", "Take a policy elsewhere"),
        ),
    ),
    "api_teaching": (
        "Python: pictures and checks",
        (
            ("teaching/display", "Show pictures and films"),
            ("teaching/widgets", "Widgets"),
            ("teaching/exercises", "Checks of the exercises"),
            ("doctor", "What this machine can run"),
            ("errors", "Errors"),
        ),
    ),
}
_SECTIONS = ("Args", "Returns", "Raises", "Attributes", "Yields", "Note", "Example")


def api_pages(package: Path) -> dict[str, str]:
    """The pages by name, in Markdown: one that lists all names, and one a subject. Missing modules are left out."""
    lessons = uses(package.parent / "notebooks")
    wanted = learner_names(package, lessons)
    found: dict[str, list[tuple[str, str, list[Entry]]]] = {}
    for page, (_, modules) in _PAGES.items():
        found[page] = []
        for name, question in modules:
            files = _module_files(package, name)
            entries = [entry for file in files for entry in _entries(file, wanted)]
            if entries:
                intro = ast.get_docstring(ast.parse(files[0].read_text(encoding="utf-8"))) or ""
                title = f"{question}: `cartpole_lab.{name.replace('/', '.')}`"
                found[page].append((title, _inline(intro.split("\n\n")[0].replace("\n", " ")), entries))
    known = {entry.name for parts in found.values() for *_, entries in parts for entry in entries}
    pages = {}
    for page, parts in found.items():
        lines = [f"# {_PAGES[page][0]}", ""]
        for title, intro, entries in parts:
            lines += [f"## {title}", "", intro, ""]
            for entry in entries:
                used = [
                    f"[{number}](../notebooks/{lesson}.ipynb)" for number, lesson in lessons.get(entry.name, {}).items()
                ]
                lines += [f"(api-{entry.name})=", f"### `{entry.name}`", ""]
                lines += [f"In lesson{'s' * (len(used) > 1)} {', '.join(used)}.", ""] if used else []
                lines += [_with_links(line, known - {entry.name}) for line in entry.lines]
        pages[page] = "\n".join([*lines, ""])
    return {"api": _overview(found), **pages}


@dataclass(frozen=True)
class Entry:
    """A name of the reference.

    Attributes:
        name: The class or function.
        summary: The first line of its docstring.
        lines: Signature, text and fields, in Markdown.
    """

    name: str
    summary: str
    lines: list[str]


def _overview(found: Mapping[str, list[tuple[str, str, list[Entry]]]]) -> str:
    lines = [
        "# Python reference",
        "",
        "What the lessons import from `cartpole_lab`, from its docstrings, and the config classes with their fields.",
        "In shapes the environments come first, or second where time comes first. Angles are in radians, positions in",
        "metres, efforts in newtons, times in seconds.",
    ]
    for page, parts in found.items():
        lines += ["", f"## [{_PAGES[page][0].removeprefix('Python: ').capitalize()}]({page}.md)"]
        for title, _, entries in parts:
            lines += ["", f"**{title.partition(':')[0]}**", "", "| Name | |", "| --- | --- |"]
            lines += [f"| [`{entry.name}`](#api-{entry.name}) | {_inline(entry.summary)} |" for entry in entries]
    return "\n".join([*lines, ""])


def _with_links(line: str, known: set[str]) -> str:
    """Names of other entries in a line of text, as links to them. Signatures and tables stay as they are."""
    if line.startswith(("```", "|")):
        return line
    parts = re.split(r"(```.*?```|^- `[a-z*][^`]*`:|\[[^\]]*\]\([^)]*\))", line, flags=re.S | re.M)
    return "".join(
        part
        if part.startswith(("```", "[", "- `"))
        else re.sub(
            r"(?<![`\[])`(?:[\w.]+\.)?(\w+)(?:\(\))?`(?!`)",
            lambda m: f"[{m[0]}](#api-{m[1]})" if m[1] in known else m[0],
            part,
        )
        for part in parts
    )


def learner_names(package: Path, lessons: Mapping[str, Mapping[int, str]]) -> set[str]:
    """What a learner meets: the names that the package exports, and those that a lesson imports from it."""
    found = set(lessons)
    for node in ast.parse((package / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOME":
            found |= set(ast.literal_eval(node.value))
    return found


def uses(notebooks: Path) -> dict[str, dict[int, str]]:
    """Which lessons import a name from the package: number and file name of each, by the name."""
    found: dict[str, dict[int, str]] = {}
    for lesson in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        for cell in json.loads(lesson.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] != "code" or "remove-cell" in cell["metadata"].get("tags", []):
                continue
            for node in ast.walk(ast.parse("".join(cell["source"]))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cartpole_lab"):
                    for alias in node.names:
                        found.setdefault(alias.name, {})[int(lesson.name[:2])] = lesson.stem
    return found


def _module_files(package: Path, name: str) -> list[Path]:
    single, folder = package / f"{name}.py", package / name
    if single.is_file():
        return [single]
    init = folder / "__init__.py"
    others = sorted(p for p in folder.glob("*.py") if p.name != "__init__.py" and not p.name.startswith("_"))
    return ([init] if init.is_file() else []) + others


def _entries(file: Path, wanted: set[str]) -> list[Entry]:
    """What a learner meets in a file, config classes included: each with its signature, its text and its fields."""
    source = file.read_text(encoding="utf-8")
    found = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            doc = ast.get_docstring(node)
            if doc is None or not (node.name in wanted or _is_config(node) or _has_options(node)):
                continue
            lines = ["```python", _signature(node), "```", "", _markdown(doc), ""]
            if isinstance(node, ast.ClassDef):
                lines += _fields(node, source.splitlines()) if _is_config(node) else _members(node)
                if _has_options(node):
                    lines = [re.sub(r"\{([A-Z_]+)\}", lambda m: _constant(m[1], file, source), line) for line in lines]
            found.append(Entry(node.name, doc.splitlines()[0], lines))
    return found


def _is_config(node: ast.ClassDef | ast.FunctionDef) -> bool:
    return isinstance(node, ast.ClassDef) and any("configclass" in ast.unparse(d) for d in node.decorator_list)


def _fields(node: ast.ClassDef, source: list[str], prefix: str = "") -> list[str]:
    """The fields of a config class as a table: name, value, and what the source says beside it, units included."""
    rows: list[str] = []
    for item in node.body:
        if isinstance(item, ast.ClassDef):
            rows += _fields(item, source, f"{prefix}{item.name}.")
        elif isinstance(item, ast.FunctionDef) and item.name == "__post_init__":
            for line in item.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]).startswith("self."):
                    names = [ast.unparse(target).removeprefix("self.") for target in line.targets]
                    rows.append(_field_row(", ".join(prefix + n for n in names), line.value, line, source))
        elif isinstance(item, ast.Assign | ast.AnnAssign) and item.value is not None:
            target = item.targets[0] if isinstance(item, ast.Assign) else item.target
            rows.append(_field_row(prefix + ast.unparse(target), item.value, item, source))
    if prefix or not rows:
        return rows
    return ["| Field | Value | |", "| --- | --- | --- |", *rows, ""]


def _field_row(name: str, value: ast.expr, line: ast.stmt, source: list[str]) -> str:
    text = ast.unparse(value)
    text = text if len(text) <= 60 else re.sub(r"\(.*", "(…)", text, flags=re.S)[:60]
    above, beside = source[line.lineno - 2].strip(), source[(line.end_lineno or line.lineno) - 1].partition("  # ")[2]
    said = beside or (above.removeprefix("#").strip() if above.startswith("#") and set(above) != {"#"} else "")
    return f"| `{name}` | `{text.replace('|', chr(92) + '|')}` | {_inline(said)} |"


def _members(node: ast.ClassDef) -> list[str]:
    """Options with their help, public methods and properties with a docstring: one line each."""
    lines: list[str] = []
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and (said := _option_help(item.value)):
            lines.append(f"- `{ast.unparse(item.target)}`: {_inline(said)}")
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_") and (doc := ast.get_docstring(item)):
            decorators = {ast.unparse(d) for d in item.decorator_list}
            call = "" if decorators & {"property", "cached_property", "functools.cached_property"} else "()"
            lines.append(f"- `{item.name}{call}`: {_inline(' '.join(doc.split(chr(10) * 2)[0].split()))}")
    return [*lines, ""] if lines else []


def _has_options(node: ast.ClassDef | ast.FunctionDef) -> bool:
    return any(isinstance(item, ast.AnnAssign) and _option_help(item.value) for item in node.body)


def _constant(name: str, file: Path, source: str) -> str:
    """The value of a constant of a module, or of the module from which it is imported."""
    if imported := re.search(rf"^from (cartpole_lab[\w.]*) import .*\b{name}\b", source, flags=re.M):
        root = next(folder for folder in file.parents if folder.name == "cartpole_lab").parent
        source = (root / f"{imported[1].replace('.', '/')}.py").read_text(encoding="utf-8")
    found = re.search(rf"^{name}\b.*? = (.+)$", source, flags=re.M)
    return str(ast.literal_eval(found[1])) if found else name


def _option_help(value: ast.expr | None) -> str:
    """What ``option(default, help)`` or ``_switch(help)`` says of a field; nothing for any other field."""
    at = {"option": 1, "_switch": 0}.get(ast.unparse(value.func)) if isinstance(value, ast.Call) else None
    if not isinstance(value, ast.Call) or at is None or len(value.args) <= at:
        return ""
    said = value.args[at]
    parts = said.values if isinstance(said, ast.JoinedStr) else [said]
    text = "".join(
        f"{{{ast.unparse(p.value)}}}" if isinstance(p, ast.FormattedValue) else ast.literal_eval(p) for p in parts
    )
    return re.sub(r"(?<![`\w])(--[\w-]+)", r"`\1`", text)


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
