"""A training that is killed leaves whole checkpoints, no process, and can go on. `make soak` does it by the hundred."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import soak
from breaking import run

from cartpole_lab.training.options import TrainOptions
from cartpole_lab.training.run_folder import make_log_dir


def test_killed_trainings_leave_whole_files_and_go_on(tmp_path: Path) -> None:
    """In a process of its own, which is copied for each training."""
    import sys

    out = tmp_path / "kills.txt"
    done = run([sys.executable, "-W", "ignore", str(Path(__file__).with_name("kills.py")), "4", "2", str(out)])
    assert done.returncode == 0, done.stderr
    found = soak.kills_in(out)
    assert found["SIGKILL"]["signals"] == 4 and found["SIGTERM"]["signals"] == 2
    assert not any(part["bad"] for part in found.values()), out.read_text()
    assert signal.SIGKILL == 9


def test_two_runs_in_the_same_instant_have_folders_of_their_own(tmp_path: Path) -> None:
    """One of sixty pairs used to fail to make its folder."""
    with ThreadPoolExecutor(2) as pool:
        for _ in range(60):
            made = list(
                pool.map(lambda _: make_log_dir({"name": "cartpole"}, TrainOptions(log_root=tmp_path)), range(2))
            )
            assert made[0] != made[1] and all((folder / "nn").is_dir() for folder in made)
    assert len(list((tmp_path / "cartpole").iterdir())) == 120


def test_what_a_run_tries_first_is_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waited for the first checkpoint could see the file that a run makes to find out whether it can."""
    made: list[str] = []
    monkeypatch.setattr(Path, "touch", lambda self, *_: made.append(self.name))
    make_log_dir({"name": "cartpole"}, TrainOptions(log_root=tmp_path))
    (name,) = made
    assert len(name) == len("last_cartpole_ep_100000_rew_-100.00000000.pth")
    assert not Path(name).match("*.pth") and not Path(name).match("last_*")


def test_the_page_of_promises_shows_what_was_recorded() -> None:
    record = json.loads((soak.MEASURED / "trust.json").read_text(encoding="utf-8"))
    table = (soak.MEASURED / "trust.txt").read_text(encoding="utf-8")
    assert table == soak.table(record)
    assert record["inputs"]["total"]["wrong"] == 0
    assert all(part["unreadable"] == part["stray_processes"] == 0 for part in record["kills"].values())
    page = (soak.MEASURED.parent / "promises.md").read_text(encoding="utf-8")
    assert "measured/trust.txt" in page
    for name in (page + table).split("`"):
        if name.startswith("tests/"):
            assert (soak.ROOT / name).exists(), name


@pytest.mark.parametrize("part", ["kills", "leaks", "malformed"])
def test_the_long_form_finds_its_parts(part: str) -> None:
    assert (soak.HERE / f"{part}.py").is_file() and "soak:" in (soak.ROOT / "Makefile").read_text(encoding="utf-8")
