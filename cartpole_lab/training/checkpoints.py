"""The checkpoints of a training: each one moment of it, whole or not there, with its meaning inside.

rl-games writes a file in place, from states of different epochs if others hand it some. Here its agent is given a
keeper that takes all entries of a checkpoint at once and writes them under a temporary name first.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cartpole_lab.errors import UserError
from cartpole_lab.files import save_somewhere
from cartpole_lab.policies.checkpoint import packed
from cartpole_lab.policies.meaning import Meaning
from cartpole_lab.policies.runs import Best, Run
from cartpole_lab.training.resume_state import ENTRY, stand, standing

if TYPE_CHECKING:
    from rl_games.algos_torch.a2c_continuous import A2CAgent

NO_RETURN = -1e9
"""What rl-games calls its running mean before any episode has ended."""


class Keeper:
    """Writes the checkpoints of one run, and records which they are.

    Attributes:
        log_dir: Folder of the run.
        name: The agent's ``config.name``; the best checkpoint is ``nn/<name>.pth``.
        meaning: What goes into every file.
        start: Entries to go on from, None for a training from nothing.
        same: Whether the training goes on with the settings and the seed of ``start``, in the midst of its episodes.
        new_rate: Whether the command line named a learning rate, which then wins over that of ``start``.
        writes: Whether this process is the one that writes.
    """

    def __init__(
        self,
        log_dir: Path,
        name: str,
        meaning: Meaning,
        *,
        start: Mapping[str, Any] | None = None,
        same: bool = False,
        new_rate: bool = False,
        writes: bool = True,
    ) -> None:
        self.log_dir, self.name, self.meaning = log_dir, name, meaning
        self.start, self.same, self.new_rate, self.writes = start, same, new_rate, writes

    @property
    def best_path(self) -> Path:
        """File of the best checkpoint."""
        return self.log_dir / "nn" / f"{self.name}.pth"

    def moment(self, algo: A2CAgent) -> dict[str, Any]:
        """All entries of a checkpoint as they are now, copied: weights, optimizer, counters, normalisation."""
        state = algo.get_full_state_weights()
        state["model"] = {k.removeprefix("_orig_mod."): v for k, v in state["model"].items()}
        began = bool(algo.game_rewards.current_size)
        state["last_mean_rewards"] = float(algo.game_rewards.get_mean()[0]) if began else NO_RETURN
        if algo.normalize_advantage and algo.normalize_rms_advantage:  # rl-games wants it back and does not save it
            state["advantage_mean_std"] = algo.advantage_mean_std.state_dict()
        if (stands := standing(algo)) is not None:
            state[ENTRY] = stands
        return copy.deepcopy(state)

    def write(self, path: Path, state: Mapping[str, Any], best: Best | None = None) -> Path:
        """Write the entries of a moment, and note it in the run's record."""
        if self.writes:
            save_somewhere(path, packed(_without_numpy(state), self.meaning))
            Run.open(self.log_dir).note_checkpoint(path, epoch=int(state["epoch"]), best=best)
        return path

    def write_best(self, state: Mapping[str, Any], why: str, score: float | None) -> Path:
        """Write the best checkpoint, and why it is that."""
        score = None if score is None or not math.isfinite(score) else score
        return self.write(self.best_path, state, Best(self.best_path, why, int(state["epoch"]), score))


def _without_numpy(value: Any) -> Any:
    """Entries with NumPy's single numbers as Python's, so that no reader has to know more than tensors."""
    if isinstance(value, dict):
        return type(value)((key, _without_numpy(item)) for key, item in value.items())
    if isinstance(value, list):
        return [_without_numpy(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def keeping(agent: type[A2CAgent], keeper: Keeper) -> type[A2CAgent]:
    """An agent class of rl-games that saves through a keeper, and goes on from what the keeper has read.

    Args:
        agent: The class; its other methods stay as they are.
        keeper: Where to save.
    """

    class KeptAgent(agent):
        def save(self, fn: str) -> None:
            """Write a checkpoint; rl-games calls it with a path that lacks its ending."""
            keeper.write(Path(f"{fn}.pth"), keeper.moment(self))

        def env_reset(self) -> Any:
            """Begin the episodes; a training that goes on unchanged stands in the midst of them."""
            obs = super().env_reset()
            stands = (keeper.start or {}).get(ENTRY) if keeper.same else None
            if stands is None:
                return obs
            try:
                there = stand(self, stands)
            except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
                reason = " ".join(str(error).split())[:120]
                raise UserError(f"the checkpoint's {ENTRY} cannot be read ({reason}): the file is damaged") from error
            return obs if there is None else self.obs_to_tensors(there)

        def restore(self, fn: str, set_epoch: bool = True) -> None:
            """Go on from the entries that were read and checked; the file is not opened again."""
            restore(self, keeper, set_epoch)

    KeptAgent.__name__ = KeptAgent.__qualname__ = agent.__name__
    return KeptAgent


def restore(algo: A2CAgent, keeper: Keeper, set_epoch: bool = True) -> None:
    """Set an agent back to the moment of a checkpoint: weights, optimizer, counters, learning rate, normalisation.

    Raises:
        UserError: The checkpoint is one of another network or agent.
    """
    state = dict(keeper.start or {})
    rate = algo.last_lr
    try:
        algo.set_full_state_weights(state, set_epoch=set_epoch)
    except (KeyError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"the checkpoint does not fit this agent and task: {reason}") from error
    if keeper.new_rate:
        algo.update_lr(rate)
    else:  # rl-games would go on from its settings' rate, and the first update would take that
        algo.last_lr = float(algo.optimizer.param_groups[0]["lr"])
    for group in algo.optimizer.param_groups:  # a file of a GPU's run may hold it as a tensor
        group["lr"] = float(group["lr"]) if isinstance(group["lr"], torch.Tensor) else group["lr"]
