"""The command line: one line for bad input, nothing written, exit code 2."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from cartpole_lab.cli import build_parser, main


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_MODE", raising=False)


def _refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(argv) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1 and "Traceback" not in captured.err and "error: " in lines[0]
    assert list(Path.cwd().iterdir()) == [], "a refused command wrote something"
    return lines[0]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--task", "Isaac-Cartpole-V0"), ("Isaac-Cartpole-V0", "did you mean", "Isaac-Cartpole-v0")),
        (("physics=bullet",), ("bullet", "newton_mjwarp", "ovphysx")),
        (("--num_envs", "0"), ("num_envs is 0",)),
        (("--num_envs", "-3"), ("num_envs is -3",)),
        (("--checkpoint", "missing.pth"), ("missing.pth", "cartpole-lab train")),
        (("--checkpoint", "best"), ("best", "logs/rl_games")),
        (
            ("--num_envs", "1000", "agent.params.config.minibatch_size=8192"),
            ("8192", "does not divide", "1000", "16000"),
        ),
        (("--log_root", "/proc/nowhere"), ("cannot be written", "--log_root")),
        (("--track",), ("--wandb-entity",)),
        (("--max_iterations", "0"), ("max_iterations is 0",)),
        (("--agent", "ppo"), ("'ppo'", "rl_games_cfg_entry_point")),
        (("--rl_library", "ray"), ("ray", "skrl")),
        (("--frobnicate",), ("--frobnicate", "--help")),
        (("--distributed",), ("--device cpu --num_gpus 2",)),
        (("--num_gpus", "2"), ("add --distributed",)),
    ],
)
def test_bad_input_to_train(argv: tuple[str, ...], words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    line = _refused(capsys, "train", "--device", "cpu", *argv)
    for word in words:
        assert word in line


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_asked_for_where_none_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert "PyTorch sees 0 GPU" in _refused(capsys, "train", "--device", "cuda")


def test_isaac_sim_asked_for_where_none_is(capsys: pytest.CaptureFixture[str]) -> None:
    line = _refused(capsys, "evaluate", "--checkpoint", "missing.pth", "physics=isaacsim_physx")
    assert "missing.pth" in line


def test_a_foreign_file_is_not_unpickled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "boom",))

    folder = tmp_path / "elsewhere"
    folder.mkdir()
    torch.save({"model": Bomb()}, folder / "evil.pth")
    assert main(["evaluate", "--checkpoint", str(folder / "evil.pth")]) == 2
    assert "is not an rl-games checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "boom").exists()
    (folder / "text.pth").write_text("hello")
    assert main(["train", "--device", "cpu", "--checkpoint", str(folder / "text.pth")]) == 2
    assert "is not an rl-games checkpoint" in capsys.readouterr().err


def test_a_word_that_argparse_refuses_is_one_line_too() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "--num_envs", "many"])
    assert caught.value.code == 2


def test_every_flag_of_isaac_labs_script_is_there() -> None:
    train = next(a for a in build_parser()._actions if a.dest == "command").choices["train"]
    flags = {flag for action in train._actions for flag in action.option_strings}
    wanted = (
        "--video --video_length --video_interval --num_envs --task --agent --seed --distributed --checkpoint --sigma "
        "--max_iterations --wandb-project-name --wandb-entity --wandb-name --track --export_io_descriptors "
        "--device --headless"
    )
    assert set(wanted.split()) <= flags


def test_importing_the_package_and_asking_for_help_cost_next_to_nothing() -> None:
    code = (
        "import sys; import cartpole_lab, cartpole_lab.cli; print('torch' in sys.modules, 'isaaclab' in sys.modules)\n"
        # and a command that is refused later ends without the engines, which say that there is no GPU
        "import isaaclab.sim; import cartpole_lab.session.env as one; one.close_env(); print('warp' in sys.modules)"
    )
    started = time.perf_counter()
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "False", "False"], (
        f"importing cartpole_lab loads a simulator ({time.perf_counter() - started:.1f} s)"
    )
