"""The cart-pole's mirror: what is learnt on the left holds on the right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    # comes with rsl-rl only
    from isaaclab.envs import ManagerBasedRLEnv
    from tensordict import TensorDict


@torch.no_grad()
def mirror_left_right(
    env: ManagerBasedRLEnv, obs: TensorDict | None = None, actions: torch.Tensor | None = None
) -> tuple[TensorDict | None, torch.Tensor | None]:
    """Append to a batch the same moments seen in a mirror.

    The cart-pole looks the same from behind. Both joint positions, both joint velocities and the push change their
    sign; nothing else changes. So every sample is also a valid sample of the mirrored world.

    Args:
        env: The environment, which rsl-rl passes along. Not needed here.
        obs: Observation groups, each of shape ``(n, numbers)``, or None.
        actions: Actions, shape ``(n, 1)``, or None.

    Returns:
        Observations and actions of ``2 n`` samples: first the originals, then their mirror images. None stays None.
    """
    both_obs = None if obs is None else torch.cat([obs, obs.apply(torch.neg)])
    both_actions = None if actions is None else torch.cat([actions, -actions])
    return both_obs, both_actions
