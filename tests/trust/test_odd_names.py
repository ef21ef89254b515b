"""Names that lead nowhere, pipes where a file belongs, numbers that no machine takes: one line, and at once."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from cartpole_lab.cli import main
from cartpole_lab.errors import UserError
from cartpole_lab.policies import Run, find_checkpoint, find_runs, open_checkpoint
from cartpole_lab.session.configs import configure
from cartpole_lab.training import train
from cartpole_lab.training.sweep.records import Record, read_record
from cartpole_lab.training.sweep.report import curve_of

MANIFEST = {"library": "rl_games", "task": "Isaac-Cartpole-v0", "created_at": "2026-01-01T00:00:00+00:00"}


def make_run(folder: Path, **files: str) -> Path:
    """The folder of a run with these records, and without a checkpoint."""
    (folder / "nn").mkdir(parents=True)
    for name, text in {"run": json.dumps(MANIFEST), **files}.items():
        (folder / f"{name}.json").write_text(text)
    return folder


@pytest.mark.parametrize("seed", [-2, 2**31, 10**30, 1.5, True, "7"])
def test_a_seed_that_no_stream_takes(seed: object) -> None:
    """`play --seed -5` used to end in NumPy's traceback after the simulator had started."""
    with pytest.raises(UserError, match=r"seed is .*, expected 0 to 2147483647, or -1"):
        configure(device="cpu", seed=seed)  # type: ignore[arg-type]


def test_more_environments_than_any_machine_holds() -> None:
    with pytest.raises(UserError, match="expected at most 1000000"):
        configure(device="cpu", num_envs=10**8)


def test_a_link_that_goes_round_in_circles(tmp_path: Path) -> None:
    """`train --log_root loop` used to end in a RuntimeError of pathlib's."""
    (loop := tmp_path / "loop").symlink_to(loop)
    with pytest.raises(UserError, match="loop"):
        train(num_envs=16, device="cpu", max_iterations=1, progress=False, log_root=loop)
    for use in (open_checkpoint, Run.open):
        with pytest.raises(UserError, match="loop"):
            use(loop)
    record = json.dumps({"best": {"file": "nn/a.pth"}, "latest": "nn/a.pth", "saved": [{"file": "nn/a.pth"}]})
    run = make_run(tmp_path / "run", checkpoints=record)
    (run / "nn" / "a.pth").symlink_to(run / "nn" / "a.pth")
    found = Run.open(run)
    assert found.best is None and found.latest is None and found.checkpoints == []


def test_a_pipe_where_a_record_belongs_is_not_waited_for(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run / "params").mkdir()
    for name in ("checkpoints.json", "summary.json", "curve.npz", "params/agent.yaml", "nn/cartpole.pth"):
        os.mkfifo(run / name)
    [found] = find_runs(tmp_path)
    assert found.summary is None and found.curve is None and found.best is None and found.checkpoints == []
    with pytest.raises(UserError, match="cannot be read"):
        _ = found.agent_cfg
    with pytest.raises(UserError, match="no latest checkpoint"):
        find_checkpoint("latest", log_root=tmp_path, say=lambda line: None)


@pytest.mark.parametrize(
    "wrong", [[], {}, None, 3, "\0", "x" * 300, "../../etc/passwd", ["nn/a.pth"], float("nan"), "/etc/passwd"], ids=repr
)
def test_a_record_whose_names_are_none(wrong: object, tmp_path: Path) -> None:
    """A list in place of a file's name used to end in "unhashable type", a zero in it in "embedded null byte"."""
    entry = {"file": wrong, "epoch": wrong, "score": wrong}
    run = make_run(tmp_path / "run", checkpoints=json.dumps({"best": entry, "latest": wrong, "saved": [entry, wrong]}))
    (run / "nn" / "cartpole.pth").touch()
    found = Run.open(run)
    assert found.best is None and found.latest == found.checkpoints[0] == run / "nn" / "cartpole.pth"
    with pytest.raises(UserError, match="no checkpoint that can be read"):
        found.load("best", say=lambda line: None)


@pytest.mark.parametrize("argv", [["evaluate", "--checkpoint"], ["export", "--checkpoint"], ["train", "--log_root"]])
def test_a_name_that_is_too_long_is_a_line(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*argv, "x" * 300]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "File name too long" in said and len(said) < 400
    assert not Path("x" * 255).exists()


def test_a_folder_that_is_gone_under_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place := tmp_path / "place").mkdir()
    monkeypatch.chdir(place)
    shutil.rmtree(place)
    assert main(["evaluate", "--device", "cpu"]) == 2


def test_a_damaged_trial_of_a_sweep_is_one_that_is_not_done(tmp_path: Path) -> None:
    """A record cut short used to end `sweep --resume` in a traceback, as did a curve in its report."""
    (trials := tmp_path / "trials").mkdir()
    whole = Record(name="a", setting={"env.decimation": "2"}, seed=1, status="done", score=4.9)
    whole.write(tmp_path)
    file = trials / "a.json"
    text = file.read_text()
    assert read_record(tmp_path, "a") == whole
    for wrong in ("", text[: len(text) // 2], "[]", "3", '{"name": "a"}', text.replace("{", "[", 1), "[" * 3000,
                  text.replace('"done"', "null"), text.replace('"seed": 1', '"seed": []'), "\0"):  # fmt: skip
        file.write_text(wrong)
        assert read_record(tmp_path, "a") is None, wrong
    np.savez(curve := tmp_path / "curve.npz", epoch=np.arange(3.0))
    data = curve.read_bytes()
    assert curve_of(tmp_path) is not None
    for content in (b"", data[:20], data[: len(data) // 2], data[:-30], b"PK\x03\x04" + bytes(50)):
        curve.write_bytes(content)
        assert curve_of(tmp_path) is None
