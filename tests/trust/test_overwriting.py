"""Every command that writes a file: nothing is replaced unasked, and a name that cannot be is said first."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from breaking import CLI, on_a_small_disk, one_line, own_mounts

from cartpole_lab import record_rollout
from cartpole_lab.cli import main
from cartpole_lab.cli.new import write_package
from cartpole_lab.errors import UserError
from cartpole_lab.files import check_target, free_name, into_place, write_whole
from cartpole_lab.policies import zero_policy
from cartpole_lab.training import TrainingRun, train
from cartpole_lab.video.encoder import write_mp4

SHORT = ("--seconds", "0.1", "--num_envs", "1", "--device", "cpu")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    """Three epochs, of which the evaluation before the last two has chosen the best."""
    return train(
        num_envs=16, device="cpu", max_iterations=3, eval_interval=2, eval_episodes=16, progress=False,
        log_root=tmp_path_factory.mktemp("logs"), overrides=["agent.params.config.save_frequency=1"],
    )  # fmt: skip


def pictures(count: int, size: int = 32) -> list[np.ndarray]:
    """Noise, which no encoder makes small."""
    draw = np.random.default_rng(0)
    return [draw.integers(0, 255, (size, size, 3), np.uint8) for _ in range(count)]


def test_a_film_is_named_after_what_it_shows_and_replaces_none(
    run: TrainingRun, capsys: pytest.CaptureFixture[str]
) -> None:
    """The film of `latest` used to take the place of the film of `best`."""
    root, folder = run.log_dir.parents[1], run.log_dir / "videos" / "play"
    seen: dict[str, bytes] = {}
    for which in ("best", "latest", "best"):
        assert main(["play", "--log_root", str(root), "--checkpoint", which, *SHORT]) == 0
        capsys.readouterr()
        films = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert len(films) == len(seen) + 2 and films.items() >= seen.items()
        seen = films
    names = sorted(name for name in seen if name.endswith(".mp4"))
    assert [name for name in names if name.startswith("best_epoch_")] == names[:2] and names[1].endswith("_2.mp4")
    assert names[2] == "last_cartpole_ep_3.mp4", names


def test_a_film_replaces_neither_film_nor_picture(
    run: TrainingRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The picture beside `--out film.mp4` used to be overwritten without a word."""
    argv = ["play", "--checkpoint", str(run.checkpoint), *SHORT, "--out"]
    for name in ("mine.png", "mine.mp4"):
        (tmp_path / name).write_text("mine")
        assert main([*argv, str(tmp_path / "mine.mp4")]) == 2
        assert f"{name}' is there already" in capsys.readouterr().err
        assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
        (tmp_path / name).unlink()


@pytest.mark.parametrize("out", ["/proc/film.mp4", "file/film.mp4", "x" * 300, "a\0b", "/dev/full/x", "folder.mp4"])
@pytest.mark.parametrize("command", ["play", "export"])
def test_a_name_that_cannot_be_written_is_said_before_the_work(
    command: str, out: str, run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    Path("folder.mp4").mkdir()
    assert (
        main([command, "--checkpoint", str(run.checkpoint), "--out", out, *(SHORT if command == "play" else ())]) == 2
    )
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and ("cannot be written" in said or "is a folder" in said), said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.mp4"]


def test_a_rollout_replaces_a_rollout_and_nothing_else(run: TrainingRun, tmp_path: Path) -> None:
    rollout = record_rollout(zero_policy, steps=2, num_envs=2, device="cpu")
    saved = rollout.save(tmp_path / "again")
    assert rollout.save(tmp_path / "again") == saved
    curve = run.log_dir / "curve.npz"
    before = curve.read_bytes()
    with pytest.raises(UserError, match=r"curve.npz' is there already: choose another name$"):
        rollout.save(curve)
    assert curve.read_bytes() == before


def test_two_that_write_one_name_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    target, said = tmp_path / "one.json", []
    begin = threading.Barrier(8)

    def write(text: str) -> None:
        begin.wait()
        try:
            write_whole(target, text * 1000, overwrite=False)
        except UserError as error:
            said.append(str(error))

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 7 and all("another command has just written it" in line for line in said)
    assert len(target.read_text()) == 1000 and list(tmp_path.iterdir()) == [target]


def test_two_films_of_one_name_at_once_do_not_meet(tmp_path: Path) -> None:
    """Both used to write `.film.part.mp4`: one of them took the other's away."""
    film, errors = tmp_path / "film.mp4", []

    def encode() -> None:
        try:
            write_mp4(pictures(20), film, fps=30, poster_s=0.0)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=encode) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "film.png"]


def test_where_links_are_not_known_nothing_is_replaced_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert write_whole(tmp_path / "a", "1", overwrite=False).read_text() == "1"
    with pytest.raises(UserError, match="is there already"):
        write_whole(tmp_path / "a", "2", overwrite=False)
    assert (tmp_path / "a").read_text() == "1" and len(list(tmp_path.iterdir())) == 1


def test_a_film_on_a_full_disk_is_not_there_and_says_so(run: TrainingRun, tmp_path: Path) -> None:
    """The encoder's complaint was lost: a film cut short got its final name, and the exit code was 0."""
    assert own_mounts(), "this test needs `unshare` and `mount`: apt-get install util-linux"
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    argv = [*CLI, "play", "--checkpoint", str(run.checkpoint), *SHORT, "--seconds", "1", "--out", f"{disk}/film"]
    done = on_a_small_disk(argv, disk, "8k", then=f"cp -r {disk} {kept}")
    assert "No space left on device" in one_line(done)
    assert not list(kept.iterdir())


def test_a_package_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that was full in between left half a package, and the next try said that it was there already."""
    real = Path.write_text

    def fill_up(self: Path, text: str, **more: str) -> int:
        if self.name == "agent.py":
            raise OSError(28, "No space left on device")
        return real(self, text, **more)

    monkeypatch.setattr(Path, "write_text", fill_up)
    with pytest.raises(UserError, match="No space left on device"):
        write_package("mine_too", tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    folder, _ = write_package("mine_too", tmp_path)
    assert (folder / "src" / "mine_too" / "agent.py").is_file() and folder.stat().st_mode & 0o755 == 0o755


def test_names_that_are_free(tmp_path: Path) -> None:
    first = tmp_path / "film.mp4"
    assert free_name(first, ".png") == first
    first.with_suffix(".png").touch()
    assert free_name(first, ".png").name == "film_2.mp4"
    (tmp_path / "film_2.mp4").touch()
    assert free_name(first, ".png").name == "film_3.mp4"
    assert check_target(tmp_path / "deep" / "er" / "x", overwrite=False).parent.is_dir()


def test_what_comes_up_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "part").write_text("new")
    (tmp_path / "there").write_text("old")
    with pytest.raises(UserError, match="another command"):
        into_place(tmp_path / "part", tmp_path / "there", overwrite=False)
    assert (tmp_path / "there").read_text() == "old"
