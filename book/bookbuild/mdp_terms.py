"""The page of MDP terms: what a config may name, read from the installed packages' source; nothing is imported."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from . import paths

_ENV = ("self", "env", "env_ids")
_NEEDS = {
    "asset_cfg": "an articulation or rigid object of the scene",
    "sensor_cfg": "a sensor of the scene",
    "command_name": "a command term",
    "action_name": "an action term",
    "recorder_name": "a recorder",
    "tendon": "a robot with tendons",
}
_KINDS = (
    ("observations", "Observations", "Shape of what it returns: environments first."),
    ("rewards", "Rewards", "Every one returns shape `(num_envs,)`; its weight is a rate per second."),
    ("terminations", "Terminations", "Every one returns a boolean tensor of shape `(num_envs,)`."),
    ("events", "Events", "Each changes the simulation for the environments it is given, and returns nothing."),
    ("visual_events", "Events that change looks", "They need a renderer that shows it."),
    ("curriculums", "Curricula", "Called at resets; what they return is logged."),
)
_INTRO = """# MDP terms

What can stand behind `func` in a term of a config. The page is made from the source of the installed packages
(isaaclab {version}), so it holds for the version that you have. Names are those of the module `mdp`:
`from cartpole_lab.tasks import mdp`, or `isaaclab.envs.mdp` for Isaac Lab's own.

A term gets the environment first; its other arguments stand in `params`. *Parameters* lists those, with their defaults.
*Needs* says what has to be in the scene or the config for it.
[Lesson 3](../notebooks/03_resets_rewards_terminations.ipynb) shows reward, event and termination terms at work,
[lesson 2](../notebooks/02_actions_and_observations.ipynb) the others.

An **event** has a mode, the moment at which it is applied:

| Mode | When | For what |
| --- | --- | --- |
| `prestartup` | once, before the simulation starts | what is written into the stage: scales, looks |
| `startup` | once, when the simulation has started | what is drawn once for each environment: masses, friction |
| `reset` | at each reset, for the environments that start over | start states; what differs from episode to episode |
| `interval` | within an episode, every `interval_range_s` seconds | pushes, disturbances |

"""


@dataclass(frozen=True)
class Term:
    """A term as its source describes it.

    Attributes:
        name: Name in ``mdp``.
        kind: Name of its file, such as ``rewards``; ``actions`` and ``ours``.
        parameters: What stands in ``params``, with defaults.
        shape: Shape of what it returns, as far as the source says.
        needs: What has to be there for it.
        line: First sentence of its docstring.
    """

    name: str
    kind: str
    parameters: tuple[str, ...]
    shape: str
    needs: tuple[str, ...]
    line: str


def terms_page() -> str:
    """The whole page, in Markdown."""
    parts = [_INTRO.format(version=version("isaaclab"))]
    parts += _table(
        "Actions",
        "They are configs, `mdp.JointEffortActionCfg(asset_name=…)`; each drives an articulation of the scene.",
        list(action_terms()),
    )
    theirs = _package("isaaclab") / "envs" / "mdp"
    for kind, title, about in _KINDS:
        parts += _table(title, about, list(function_terms(theirs / f"{kind}.py", kind)))
    tasks = _package("isaaclab_tasks") / "core" / "cartpole" / "mdp"
    extra = [*function_terms(tasks / "observations.py", "observations")]
    parts += _table("Of Isaac Lab's cart-pole task", "In `isaaclab_tasks.core.cartpole.mdp`.", extra)
    ours = [t for p in sorted((paths.PACKAGE / "tasks" / "mdp").glob("*.py")) for t in function_terms(p, "ours")]
    ours = [term for term in ours if term.name != "mirror_left_right"]  # for the learner, not for a config
    parts += _table("Of this book", "In `cartpole_lab.tasks.mdp`, beside all of Isaac Lab's.", ours)
    return "\n".join(parts)


def function_terms(file: Path, kind: str) -> Iterator[Term]:
    """The public terms of a file: functions and classes whose first argument is the environment."""
    if not file.is_file():
        return
    source = file.read_text(encoding="utf-8")
    calls: dict[str, ast.FunctionDef] = {}  # by class; a class without its own has its parent's
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        call = node
        if isinstance(node, ast.ClassDef):
            own = [f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__call__"]
            call = next(iter(own or [calls[b] for b in map(ast.unparse, node.bases) if b in calls]), None)
            if call is not None:
                calls[node.name] = call
        doc = ast.get_docstring(node)
        if call is None or doc is None or not {"env", "env_ids"} & {a.arg for a in call.args.args}:
            continue
        body = ast.get_source_segment(source, node) or ""
        yield Term(
            node.name, kind, _parameters(call.args), _shape(kind, doc), _needs(call.args, body, kind), _line(doc)
        )


def action_terms() -> Iterator[Term]:
    """Isaac Lab's action configs, with what they inherit from one another."""
    files = sorted((_package("isaaclab") / "envs" / "mdp" / "actions").glob("*_cfg.py"))
    classes = [n for f in files for n in ast.parse(f.read_text(encoding="utf-8")).body if isinstance(n, ast.ClassDef)]
    by_name = {node.name: node for node in classes}

    def fields(node: ast.ClassDef) -> dict[str, str]:
        found: dict[str, str] = {}
        for base in map(ast.unparse, node.bases):
            found |= fields(by_name[base]) if base in by_name else {}
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and ast.unparse(item.target) != "class_type":
                name = ast.unparse(item.target)
                found[name] = _with_default(name, item.value)
        return found

    for node in classes:
        doc = ast.get_docstring(node)
        if doc is not None and node.name.endswith("ActionCfg"):
            parameters = tuple({"asset_name": "asset_name", **fields(node)}.values())
            yield Term(node.name, "actions", parameters, "", ("an articulation of the scene",), _line(doc))


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{name} is not installed; 'make book' installs it")
    return Path(spec.origin).parent


def _parameters(args: ast.arguments) -> tuple[str, ...]:
    defaults = [None] * (len(args.args) - len(args.defaults)) + list(args.defaults)
    pairs = [*zip(args.args, defaults, strict=True), *zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    return tuple(_with_default(a.arg, d) for a, d in pairs if a.arg not in _ENV)


def _with_default(name: str, value: ast.expr | None) -> str:
    if value is None or ast.unparse(value) == "MISSING":
        return name
    text = ast.unparse(value)
    return f"{name}={text}" if len(text) <= 40 else f"{name}=…"


def _shape(kind: str, doc: str) -> str:
    if kind in ("rewards", "terminations"):
        return "(num_envs,)"
    if kind not in ("observations", "ours"):
        return ""
    found = re.search(r"[Ss]hape\w*\s+(?:is|of|as|are)?\s*:?\s*`{0,2}\((?:num_envs|N)\s*,([^)]*)\)", doc)
    return f"(num_envs,{found[1]})" if found else "(num_envs, …)"


def _needs(args: ast.arguments, body: str, kind: str) -> tuple[str, ...]:
    names = {a.arg for a in args.args}
    needs = [text for key, text in _NEEDS.items() if any(key in name for name in names)]
    if kind.endswith("events"):
        if "prestartup" in body or "before the simulation" in body:
            needs.append("mode `prestartup`, and `replicate_physics=False`")
        elif "only during the initialization" in " ".join(body.split()):
            needs.append("best in mode `startup`: it goes through the processor's memory")
    return tuple(needs)


def _line(doc: str) -> str:
    first = " ".join(doc.split("\n\n")[0].split())
    first = re.sub(r":(?:[a-z]+:)?[a-z]+:`~?([^`]+)`", r"`\1`", re.sub(r"``([^`]+)``", r"`\1`", first))
    return first.replace("|", "\\|").replace("<", "&lt;").replace("$", "\\$")


def _table(title: str, about: str, terms: list[Term]) -> list[str]:
    if not terms:
        return []
    lines = [f"## {title}", "", about, "", "| Term | What it does, and needs | Parameters |", "| --- | --- | --- |"]
    for term in sorted(terms, key=lambda t: t.name.lower()):
        about_it = term.line if term.line.endswith(".") else f"{term.line}."
        if term.shape and term.kind not in ("rewards", "terminations"):
            about_it += f" Shape `{term.shape}`."
        if term.needs and term.kind != "actions":
            about_it += f" *Needs* {', '.join(term.needs)}."
        parameters = ", ".join(f"`{p.replace('|', chr(92) + '|')}`" for p in term.parameters)
        lines.append(f"| `{term.name}` | {about_it} | {parameters} |")
    return [*lines, ""]
