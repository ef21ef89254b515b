"""A disk that fills up in a training: nothing hangs, what was there stays, what was learned is kept elsewhere."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path

import pytest
from breaking import CLI, on_a_small_disk, one_line, own_mounts

from cartpole_lab.cli import main
from cartpole_lab.cli.output import Forgiving
from cartpole_lab.doctor import Check
from cartpole_lab.errors import UserError
from cartpole_lab.files import output_in, save_somewhere, write_whole
from cartpole_lab.policies.checkpoint import open_checkpoint

TRAIN = [*CLI, "train", "--num_envs", "16", "--eval_interval", "0", "--eval_episodes", "16", "--device", "cpu"]


def full(root: Path, size: str, *words: str) -> tuple[str, str, list[Path]]:
    """Train into a disk of that size: the line of complaint, everything on stderr, and what lies on the disk."""
    assert own_mounts(), "this test needs `unshare` and `mount`: apt-get install util-linux"
    kept = root / "kept"
    done = on_a_small_disk(
        [*TRAIN, "--log_root", str(root / "disk"), *words], root / "disk", size, then=f"cp -r {root}/disk {kept}"
    )
    return one_line(done), done.stderr, [path for path in kept.rglob("*") if path.is_file()]


def test_a_disk_that_is_full_before_the_first_checkpoint(tmp_path: Path) -> None:
    """TensorBoard's thread used to die of it, and the training to wait for it for ever at no load."""
    line, said, files = full(tmp_path, "36k", "--max_iterations", "20", "agent.params.config.save_frequency=100")
    assert "No space left on device" in line and "what was learned lies in" in line
    assert "the training goes on without them" in said
    assert not [path for path in files if path.suffix in (".pth", ".part")]
    aside = Path(line.partition("lies in ")[2].partition(", move")[0])
    assert open_checkpoint(aside).epoch == 20
    shutil.rmtree(aside.parent)


def test_a_disk_that_fills_up_leaves_the_checkpoints_before_whole(tmp_path: Path) -> None:
    line, _, files = full(tmp_path, "160k", "--max_iterations", "20", "agent.params.config.save_frequency=2")
    before = [path for path in files if path.suffix == ".pth"]
    assert before and not [path for path in files if path.suffix == ".part"]
    epochs = sorted(open_checkpoint(path).epoch for path in before)
    aside = Path(line.partition("lies in ")[2].partition(", move")[0])
    assert open_checkpoint(aside).epoch > epochs[-1]
    shutil.rmtree(aside.parent)


def test_what_cannot_be_written_names_its_file() -> None:
    path = Path("/proc/nothing.json")  # a folder that takes no files from anybody
    with pytest.raises(OSError) as caught:
        write_whole(path, "{}")
    assert caught.value.filename == str(path)
    with pytest.raises(UserError, match=r"/proc/nothing.json cannot be written .*: what was learned lies in ") as said:
        save_somewhere(path, b"weights")
    aside = Path(str(said.value).partition("lies in ")[2].partition(", move")[0])
    assert aside.read_bytes() == b"weights"
    shutil.rmtree(aside.parent)


def test_what_is_printed_is_the_lesser_part(capsys: pytest.CaptureFixture[str]) -> None:
    with output_in("/dev/full"):
        print("x" * 100_000)
        print("more", flush=True)
    with pytest.raises(OSError) as caught, open("/dev/full", "w", encoding="utf-8") as file:
        file.write("x")
        file.flush()
    assert caught.value.errno == errno.ENOSPC
    assert Forgiving(open("/dev/full", "w", encoding="utf-8")).write("text") == 4  # noqa: SIM115


def test_a_result_that_a_full_disk_does_not_take_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`evaluate --json > file` used to end with 0 and an empty file; one that nobody reads on is no loss."""
    monkeypatch.setattr("cartpole_lab.doctor.doctor", lambda: [Check("one", "ok", "there")])
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["doctor", "--json"]) == 1
    assert capsys.readouterr().err.endswith("what it found cannot be written (No space left on device)\n")
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert main(["doctor"]) == 0
