"""What is generated says what the code says: the maps of the lessons, the API, the commands, the run times."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from bookbuild.api_reference import api_pages
from bookbuild.command_reference import commands_page
from bookbuild.mdp_terms import terms_page
from bookbuild.package_map import package_map, shortcuts_table
from bookbuild.stage import without_missing
from figures import LIT, ROWS, map_svg

import cartpole_lab
from cartpole_lab.cli import build_parser
from cartpole_lab.training.options import TrainOptions
from cartpole_lab.training.sweep.options import SweepOptions

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("lesson", LIT)
def test_map_of_a_lesson_is_up_to_date(lesson: int) -> None:
    """After a change of book/figures.py, run it once."""
    committed = (ROOT / "book" / "figures" / f"map_{lesson:02d}.svg").read_text(encoding="utf-8")
    assert committed == map_svg(LIT[lesson])


@pytest.mark.parametrize("lesson", LIT)
def test_the_words_for_a_map_say_what_is_lit(lesson: int) -> None:
    (notebook,) = (ROOT / "notebooks").glob(f"{lesson:02d}_*.ipynb")
    *most, last = LIT[lesson]
    parts, verb = (
        (f"s of this lesson, {', '.join(most)} and {last}", "are") if most else (f" of this lesson, {last}", "is")
    )
    assert f"![The code map; the part{parts}, {verb} lit](" in notebook.read_text(encoding="utf-8")


def test_every_lesson_lights_parts_that_the_map_has() -> None:
    parts = {part for _, row in ROWS for part in row}
    assert all(lit and set(lit) <= parts for lit in LIT.values())
    assert set().union(*LIT.values()) == parts, "each part belongs to a lesson"
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    lessons = [e["file"] for part in toc["parts"] for e in part["chapters"] if e["file"].startswith("notebooks/")]
    assert len(lessons) == len(LIT)


def test_python_reference_has_every_exported_name() -> None:
    page = "\n".join(api_pages(ROOT / "cartpole_lab").values())
    headings = set(re.findall(r"^### `(\w+)`$", page, flags=re.M))
    assert set(cartpole_lab.__all__) <= headings
    assert {"CartpoleEnvCfg", "RewardsCfg"} <= headings


def test_python_reference_has_fields_and_no_engine_room() -> None:
    page = "\n".join(api_pages(ROOT / "cartpole_lab").values())
    for field in ("alive", "decimation", "sim.dt", "episode_length_s", "joint_effort"):
        assert re.search(rf"^\\| `{re.escape(field)}` \\|", page, flags=re.M), f"no field {field}"
    headings = set(re.findall(r"^### `(\w+)`$", page, flags=re.M))
    assert not headings & {"configure", "open_env", "says", "number_of", "tensor_of_shape", "policy_from_model"}


def test_python_reference_says_what_each_option_does() -> None:
    page = api_pages(ROOT / "cartpole_lab")["api_training"]
    for options in (TrainOptions, SweepOptions):
        part = page.partition(f"### `{options.__name__}`")[2].partition("\n## ")[0]
        said = dict(re.findall(r"^- `(\w+)`: (.+)$", part, flags=re.M))
        for name, field in options.__dataclass_fields__.items():
            assert re.sub(r"[`{}]|&lt;", "", said[name]) == re.sub(r"[`<]", "", field.metadata["help"]), name
    assert "- `train`: What each training is told" in page, "the name of an argument is no link"


def test_python_reference_has_no_markup_of_docstrings() -> None:
    page = re.sub(r"^```.*?^```", "", "\n".join(api_pages(ROOT / "cartpole_lab").values()), flags=re.M | re.S)
    assert "``" not in page
    assert not re.search(r":(class|func|meth|attr):`", page)


def test_command_reference_has_every_command_and_flag() -> None:
    page = commands_page()
    commands = next(a for a in build_parser()._actions if a.dest == "command" or (hasattr(a, "choices") and a.choices))
    for name, parser in commands.choices.items():
        assert f"## `cartpole-lab {name}`" in page
        for action in parser._actions:
            if action.help not in (None, "==SUPPRESS==") and action.dest != "help":
                for word in action.option_strings:
                    assert f"`{word}`" in page, f"{name} {word}"


def test_terms_page_has_every_term_that_a_config_may_name() -> None:
    """The rows against what the installed module exports, and what the parameters say against the functions."""
    import inspect

    from isaaclab.envs import mdp

    from cartpole_lab.tasks import mdp as ours
    from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

    page = terms_page()
    rows = {m[1]: m[0] for m in re.finditer(r"^\| `(\w+)` \|.*$", page, flags=re.M)}
    cfg = CartpoleEnvCfg()
    groups = (cfg.rewards, cfg.terminations, cfg.events, cfg.observations.policy)
    used = {t.func.__name__ for group in groups for t in vars(group).values() if hasattr(t, "func")}
    assert used and used <= set(rows)
    for name in ("time_out", "joint_vel_l1", "joint_pos_rel", "reset_joints_by_offset", "push_by_setting_velocity"):
        for parameter in inspect.signature(getattr(mdp, name)).parameters.values():
            if parameter.name not in ("env", "env_ids"):
                assert f"`{parameter.name}" in rows[name], (name, parameter.name)
    assert "`joint_names`" in rows["JointEffortActionCfg"] and "`scale=1.0`" in rows["JointEffortActionCfg"]
    assert "frozen_image_features" in rows and hasattr(ours, "frozen_image_features")
    assert "prestartup" in rows["randomize_rigid_body_scale"] and "startup" in rows["randomize_rigid_body_mass"]
    public = {n for n, f in vars(mdp.rewards).items() if inspect.isfunction(f) and f.__module__ == mdp.rewards.__name__}
    assert {n for n in public if not n.startswith("_")} <= set(rows)


def test_links_to_lessons_that_are_missing_become_text() -> None:
    text = 'See [lesson 4](../notebooks/04_x.ipynb#a) and [5](05_y.ipynb).\n  click a href "../notebooks/04_x.html"\n'
    assert without_missing(text, {"04_x", "05_y"}) == text
    assert without_missing(text, {"05_y"}) == "See lesson 4 (not written yet) and [5](05_y.ipynb).\n"


def test_table_of_shortcuts_has_each_of_them() -> None:
    from cartpole_lab.speed.shortcut_table import PIECES

    rows = shortcuts_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(PIECES) and all(row.count(" | ") == 3 for row in rows)


def test_package_map_has_every_module_and_the_arrows_of_the_imports(tmp_path: Path) -> None:
    page = package_map(ROOT / "cartpole_lab")
    for path in (ROOT / "cartpole_lab").rglob("*.py"):
        name = path.relative_to(ROOT / "cartpole_lab")
        if name != Path("__init__.py"):
            shown = f"{name.parent}/" if name.name == "__init__.py" and len(name.parts) == 2 else str(name)
            assert f"`{shown}`" in page, shown
    assert not re.search(r"(\| \|$)|(\*\* $)", page.replace("| File | |", ""), flags=re.M), (
        "a module without a docstring"
    )
    package = tmp_path / "thing"
    files = {
        "__init__.py": '"""Thing."""',
        "top.py": '"""Top: a `|` in it."""\nfrom thing.middle import deep\nimport thing.ground',
        "middle/__init__.py": '"""Middle."""',
        "middle/deep.py": '"""Deep."""\ndef f():\n    from ..ground import x\n    from .other import y',
        "middle/other.py": '"""Other."""',
        "ground.py": '"""Ground."""\nfrom thing import speed',
        "speed/__init__.py": '"""Speed."""\nfrom thing import ground',
    }
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    arrows = re.findall(r"^  (\w+) (-->|-\.->) (\w+)$", package_map(package), flags=re.M)
    assert arrows == [
        ("top", "-->", "middle"),
        ("middle", "-->", "ground"),
        ("ground", "-.->", "speed"),
        ("speed", "-->", "ground"),
    ]
