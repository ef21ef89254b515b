"""The playground's game, run by node as it is shipped: what its levels ask for, its score, its rule that swings up."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cartpole_lab.policies.by_hand import pd_policy
from cartpole_lab.teaching.widgets._base import module
from cartpole_lab.teaching.widgets._data import DEFAULT_WEIGHTS
from cartpole_lab.teaching.widgets.page_settings import page_task
from cartpole_lab.teaching.widgets.playground import LEVELS


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script says."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed: it runs the playground's JavaScript")
    folder: Path = tmp_path_factory.mktemp("game")
    for name in ("playground", "trainer"):
        (folder / f"{name}.mjs").write_text(module(name), encoding="utf-8")
    shutil.copy(Path(__file__).with_name("game_runner.mjs"), folder)
    (folder / "input.json").write_text(json.dumps({"weights": DEFAULT_WEIGHTS, "task": page_task()}), encoding="utf-8")
    done = subprocess.run(
        ["node", "game_runner.mjs"], cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_nobody_passes_a_level_and_a_hand_passes_the_first_three(found: dict[str, Any]) -> None:
    """A hand that is 0.2 s late, as a quick person's is."""
    assert len(found["levels"]) == LEVELS
    assert {q["name"]: q["nobody"] for q in found["levels"] if q["nobody"] == "done"} == {}
    assert [q["hand"] for q in found["levels"][:3]] == [["done", "done"]] * 3
    assert "done" not in found["levels"][-1]["hand"], "the task itself is too quick for a hand"


def test_the_energy_rule_swings_up_within_the_level(found: dict[str, Any]) -> None:
    over, seconds = found["up"]
    assert over == "done" and 2 < seconds < 8


def test_the_score_is_what_the_task_pays(found: dict[str, Any]) -> None:
    assert found["apart"] < 1e-12
    assert found["turned"] == pytest.approx(0.25)


def test_the_controller_has_the_gains_of_the_lessons(found: dict[str, Any]) -> None:
    defaults = inspect.signature(pd_policy).parameters
    assert found["gains"] == pytest.approx([defaults[n].default for n in ("cart_p", "pole_p", "cart_d", "pole_d")])


def test_an_address_is_taken_as_far_as_it_makes_sense(found: dict[str, Any]) -> None:
    game = {"rival": "energy", "level": LEVELS, "crowd": 96, "epoch": 7}
    assert found["address"] == {"policy": "a policy", "game": game, "params": {"gravity": 0}}
    assert found["odd"] == {"params": {}, "game": {}}
    assert found["other"] is None
