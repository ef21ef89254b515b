"""The house rules: imports go downwards, the insides of other packages stay theirs, nothing grows too long."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "cartpole_lab"
FLOORS = (
    ("errors", "isaac_sim", "lazy_names", "replaced", "shortcuts"),
    ("files",),
    ("physics",),
    ("tasks",),
    ("session",),
    ("policies",),
    ("evaluation", "evaluation_result"),
    ("video",),
    ("training",),
    ("jupyter_kernel",),
    ("doctor",),
    ("cli",),
    ("teaching",),
)
"""Rooms and single modules from the ground up; each uses only what stands before it, or beside it."""
SPEED_USES = {"errors", "replaced", "shortcuts", "session.held_output", "session.object_graph", "session.surroundings"}
"""What ``speed`` may use: to complain, to exchange attributes, to read its switch, to say a line, to set state aside,
to count cores."""
ONLY_NAMED = {"session.object_kinds"}
"""Modules whose texts name others to leave their objects alone; they import nothing."""
PRIVATE = {
    "_step_reward": "Isaac Lab's reward manager keeps what each term paid in a step nowhere else",
    "_reward_buf": "Isaac Lab's reward manager hands out its sum only when it computes it anew",
    "_parse_val": "the reader of values that Isaac Lab's own command line has, and no public one beside it",
    "_term_names": "Isaac Lab's recorder manager has no other way to stand still",
    "_action": "Isaac Lab's action manager keeps its last actions in no public place that can be written",
    "_prev_action": "the same, one step earlier",
    "_process_obs": "how Isaac Lab's wrapper hands rl-games the first observations, which happens nowhere else",
    "_model": "the network of Isaac Lab's feature term, which the term that extends it freezes",
    "_core": "NumPy pickles numbers under this name; a reader that trusts nobody has to name what it trusts",
    "_current_next_observations": "skrl bootstraps a time-out from it; the right observation has to be put back",
    "_exit": "ends at once a process that others wait for, or whose training nobody wants and no thread can be told",
    "_private": "Ray reads from a private module whether this machine joins a cluster, once, when it is imported",
    "_trial_task_failure": "Tune's answer to a death, which it gives twice where a process is handed a trial",
    "_solver": "state of the physics manager that a saved environment has to hold",
}
"""Private names of other packages that are used outside ``speed``, each with the reason."""
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for name, path in MODULES.items():
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(name: str, tree: ast.Module) -> Iterator[str]:
    """Modules of the package that a module names: in imports anywhere in it, and in text such as ``module:Class``."""
    package = ["cartpole_lab", *name.split(".")]
    package = package if MODULES[name].name == "__init__.py" else package[:-1]
    for node in ast.walk(tree):
        found: list[str] = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package[: len(package) + 1 - node.level], *filter(None, [node.module])])
            base = base if node.level else node.module or ""
            found = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif name in ONLY_NAMED:
            continue
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = re.findall(r"^cartpole_lab(?:\.\w+)+(?=:|$)", node.value)
        elif isinstance(node, ast.JoinedStr) and isinstance(start := node.values[0], ast.Constant):
            found = re.findall(r"^cartpole_lab(?:\.\w+)+(?=\.)", str(start.value))
        for module in found:
            inner = module.removeprefix("cartpole_lab.")
            while inner and inner not in MODULES:
                inner = inner.rpartition(".")[0]
            if inner and module != inner:
                yield inner


def room(module: str) -> str:
    return module.partition(".")[0]


def test_the_rules_see_lazy_and_textual_imports() -> None:
    source = (
        "def f():\n    from cartpole_lab.training import run_folder\n"
        "import cartpole_lab.video.cpu_renderer as p\nfrom cartpole_lab import evaluation\n"
        "x = 'cartpole_lab.cli.train:run'\ny = import_module(f'cartpole_lab.speed.{x}')\nfrom .env import make_env\n"
    )
    seen = set(imported("session", ast.parse(source)))
    assert seen >= {"training.run_folder", "video.cpu_renderer", "evaluation", "cli.train", "speed", "session.env"}


def test_every_room_has_its_floor() -> None:
    assert {room(name) for name in MODULES} - {"__init__", "speed"} == {name for floor in FLOORS for name in floor}
    assert len([name for name in MODULES if MODULES[name].name == "__init__.py" and "." not in name]) <= 11


def test_imports_go_downwards_only() -> None:
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    upwards = [
        f"{name} imports {other}"
        for name, tree in trees()
        if room(name) in floor
        for other in imported(name, tree)
        if room(other) in floor and floor[room(other)] > floor[room(name)]
    ]
    assert upwards == []


def test_only_one_module_knows_the_room_for_speed() -> None:
    users = {name for name, tree in trees() for other in imported(name, tree) if room(other) == "speed"}
    assert {name for name in users if room(name) != "speed"} == {"shortcuts"}


def test_speed_uses_next_to_nothing_of_the_package() -> None:
    uses = {other for name, tree in trees() if room(name) == "speed" for other in imported(name, tree)}
    assert {name for name in uses if room(name) != "speed"} <= SPEED_USES


def private_names(tree: ast.Module) -> Iterator[str]:
    """Private attributes and modules that a module takes from elsewhere."""
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    own |= {
        node.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    own |= {
        target.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in ast.walk(node)
        if isinstance(target, ast.Attribute)
        and isinstance(target.value, ast.Name)
        and target.value.id in ("self", "cls")
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr) and node.attr not in own:
            yield node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "replaced":
            yield from (word.arg for word in node.keywords if word.arg and word.arg.startswith("_"))
        elif isinstance(node, ast.ImportFrom) and not node.level and not (node.module or "").startswith("cartpole_lab"):
            yield from (
                part for part in (node.module or "").split(".") if re.match(r"_[a-z]", part) and part != "__future__"
            )
            yield from (alias.name for alias in node.names if re.match(r"_[a-z]", alias.name))


def test_insides_of_other_packages_are_used_for_speed_only() -> None:
    used = {(name, private) for name, tree in trees() if room(name) != "speed" for private in private_names(tree)}
    assert {item for item in used if item[1] not in PRIVATE} == set(), "find a public name, or give a reason in PRIVATE"
    assert set(PRIVATE) - {private for _, private in used} == set(), "no longer needed"


@pytest.mark.parametrize("name", MODULES)
def test_nothing_needs_scrolling(name: str) -> None:
    text = MODULES[name].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 60
    ]
    assert long == []


def test_the_version_stands_in_three_places_alike() -> None:
    root = PACKAGE.parent
    places = {
        "pyproject.toml": r'^version = "(.+)"',
        "cartpole_lab/__init__.py": r'^__version__ = "(.+)"',
        "CITATION.cff": r"^version: (.+)",
    }
    found = {re.search(what, (root / file).read_text(encoding="utf-8"), re.M)[1] for file, what in places.items()}
    assert len(found) == 1


def test_files_that_derive_from_isaac_lab_say_so() -> None:
    agents = [path for path in (PACKAGE / "tasks" / "agents").iterdir() if "fast" not in path.name]
    derived = [path for path in agents if path.suffix == ".yaml" and "symmetric" not in path.name]
    derived += [MODULES[name] for name in ("tasks.cartpole_env_cfg", "tasks.cartpole_camera_env_cfg", "tasks.robot")]
    for path in (*derived, MODULES["physics"], MODULES["tasks.agents.rsl_rl_ppo_cfg"]):
        head = path.read_text(encoding="utf-8").splitlines()[:3]
        assert "The Isaac Lab Project Developers" in head[0] and head[2].endswith("BSD-3-Clause"), path.name


def test_no_file_is_read_by_a_reader_that_runs_code() -> None:
    """The lessons too: who copies a line from here should not learn to trust every file."""
    root, unsafe = PACKAGE.parent, re.compile(r"load\([^)\n]*(?:weights_only=False|allow_pickle=True)")
    files = [path for room in ("cartpole_lab", "tests", "notebooks", "book") for path in (root / room).rglob("*.*")]
    read = [path for path in files if path.suffix in {".py", ".ipynb", ".md"}]
    assert len(read) > 300
    assert not [str(path.relative_to(root)) for path in read if unsafe.search(path.read_text(encoding="utf-8"))]
