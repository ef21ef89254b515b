"""A disk that fills up under a sweep: one line, and what is done is kept and gone on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from breaking import CLI, on_a_small_disk, one_line, own_mounts

from cartpole_lab.training.sweep.engine import sweep

SMALL = ["--num_envs", "16", "--max_iterations", "2", "--eval_episodes", "16", "--device", "cpu", "--at_once", "1"]


def test_a_sweep_on_a_full_disk_says_so_and_goes_on_where_there_is_room(tmp_path: Path) -> None:
    assert own_mounts(), "this test needs `unshare` and `mount`: apt-get install util-linux"
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    words = ["env.rewards.pole_pos.weight=-0.5,-1", "--seeds", "0..4", *SMALL, "--name", "one", "--log_root", str(disk)]
    done = on_a_small_disk([*CLI, "sweep", *words], disk, "9000k", then=f"cp -r {disk} {kept}")
    line = one_line(done)
    assert "no space left" in line and "make room, then cartpole-lab sweep --resume one" in line
    before = {path.name: json.loads(path.read_text()) for path in (kept / "one" / "trials").glob("*.json")}
    assert 0 < len(before) < 10, "a sweep looks at the disk after each trial, not after the last"
    assert all((kept / "one" / record["run"] / "summary.json").is_file() for record in before.values())
    shutil.move(kept / "one", disk / "one")
    after = sweep(resume="one", log_root=disk, progress=False, at_once=1)
    assert len(after.table) == 10 and after.failed == 0
    for name, record in before.items():
        assert json.loads((after.folder / "trials" / name).read_text()) == record, "what was done is not repeated"
