"""Evaluations during training leave nothing behind: training goes on to the last bit as if there had been none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from disturbing_task import DisturbingEventCfg
from isaaclab.envs.mdp.recorders.recorders_cfg import ActionStateRecorderManagerCfg

from cartpole_lab.evaluation import run_episodes
from cartpole_lab.policies import read_checkpoint
from cartpole_lab.policies.by_hand import pd_policy
from cartpole_lab.session.env import make_env
from cartpole_lab.session.saved_state import undisturbed
from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

CODE = """
import sys
sys.path.insert(0, {folder!r})
from disturbing_task import DisturbingEnvCfg
from cartpole_lab.training.rl_games_train import train
run = train(DisturbingEnvCfg(), num_envs=64, device="cpu", seed=5, max_iterations=12, eval_interval={interval},
            eval_episodes=64, progress=False, log_root={root!r})
print(run.log_dir)
"""


def trained(interval: int, root: Path) -> tuple[dict[str, np.ndarray], dict[str, torch.Tensor]]:
    """The curve and the last weights of a training in a process of its own: modules and classes have state too."""
    code = CODE.format(folder=str(Path(__file__).parent), interval=interval, root=str(root))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "cannot put back" not in done.stderr
    log_dir = Path(done.stdout.strip().splitlines()[-1])
    last = sorted((log_dir / "nn").glob("last_*"))[-1]
    with np.load(log_dir / "curve.npz") as curve:
        return dict(curve), read_checkpoint(last)["model"]


def test_training_with_evaluations_is_training_without(tmp_path: Path) -> None:
    watched, unwatched = trained(2, tmp_path / "with"), trained(0, tmp_path / "without")
    assert len(watched[0]["eval_epoch"]) == 6 and not len(unwatched[0]["eval_epoch"])
    for name in ("return", "length"):
        np.testing.assert_array_equal(watched[0][name], unwatched[0][name])
    assert all(torch.equal(watched[1][name], unwatched[1][name]) for name in watched[1])


def test_on_physx_masses_gains_and_gravity_are_written_back() -> None:
    """PhysX holds state that cannot be read: the same to rounding."""

    def trace(pause_at: int | None) -> torch.Tensor:
        cfg = CartpoleEnvCfg()
        cfg.events = DisturbingEventCfg()
        cfg.episode_length_s = 0.5
        env = make_env(cfg, num_envs=16, device="cpu", seed=1, overrides=["physics=ovphysx"])
        env.reset(seed=3)
        rows = []
        for step in range(25):
            if step == pause_at:
                with undisturbed(env):
                    run_episodes(env, pd_policy(), episodes=16, seed=17)
            obs, reward, *_ = env.step(2 * torch.rand(16, 1) - 1)
            rows.append(torch.cat([obs["policy"].flatten(), reward]))
        return torch.stack(rows)

    torch.testing.assert_close(trace(None), trace(5), atol=1e-4, rtol=1e-4)


def test_a_recorder_does_not_record_the_evaluation(tmp_path: Path) -> None:
    cfg = CartpoleEnvCfg()
    cfg.episode_length_s = 0.5
    cfg.recorders = ActionStateRecorderManagerCfg(dataset_export_dir_path=str(tmp_path), dataset_filename="episodes")
    env = make_env(cfg, num_envs=4, device="cpu", seed=1)
    recorder = env.unwrapped.recorder_manager

    def exported() -> int:
        return recorder.exported_successful_episode_count + recorder.exported_failed_episode_count

    env.reset(seed=3)
    counts = []
    for step in range(31):  # the first episodes end with step 30
        if step == 10:
            with undisturbed(env):
                run_episodes(env, pd_policy(), episodes=4, seed=17)
            counts.append(exported())
        env.step(torch.zeros(4, 1))
    counts.append(exported())
    assert counts == [0, 4]
    assert len(recorder.get_episode(0).data["actions"]) == 1
