"""Isaac Lab's own training command with its own task and settings; only its two asset files, which are on a server,
are replaced by ours.

    python as_shipped.py cpu
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run ``isaaclab train --rl_library rl_games --task Isaac-Cartpole`` on a device."""
    import isaaclab.sim as sim_utils
    import isaaclab_assets.robots.cartpole as theirs

    import cartpole_lab.tasks.robot as ours

    # Both are read when Isaac Lab's task module is first imported, which happens below.
    theirs.CARTPOLE_CFG.spawn.usd_path = ours.CARTPOLE_CFG.spawn.usd_path
    sim_utils.GroundPlaneCfg = lambda **_: ours.GROUND_CFG

    from isaaclab_rl.entrypoints import run_train_cli

    device = sys.argv[1]
    words = [f"agent.params.config.device={device}", f"agent.params.config.device_name={device}", *sys.argv[2:]]
    raise SystemExit(
        run_train_cli(["--rl_library", "rl_games", "--task", "Isaac-Cartpole", "--device", device, *words])
    )


if __name__ == "__main__":
    main()
