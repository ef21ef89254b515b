"""The reward mixer: a recorded rollout's reward, term by term, under weights that sliders set.

In a lesson::

    mixer = RewardMixer({"solved": good, "random": bad})    # name -> Rollout
    mixer                                                   # sliders, in a cell of its own
    mixer.weights = {**mixer.weights, "pole_pos": -3.0}     # moves the slider; a slider's move shows here
    cfg.rewards = mixer.to_rewards_cfg()
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from cartpole_lab.teaching.widgets._base import LabWidget, module, rounded
from cartpole_lab.teaching.widgets._data import WEIGHT_RANGES, first_episode, range_around
from cartpole_lab.teaching.widgets._messages import name_of, numbers, whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cartpole_lab.video.rollout import Rollout

COLORS = ("#1f6fb2", "#b3362e", "#c2571a", "#2c7a4b", "#7a4fa3", "#96700c", "#5b6875")


class RewardMixer(LabWidget):
    """Sliders for the weights, stacked contributions over time, the return, and each term's share.

    Attributes:
        weights: Reward term to weight. Live both ways; assign a new dict.
        policy: Which rollout is shown, by name. Live both ways.
        episode: Which of its episodes, from 0. Live both ways.
    """

    _esm = module("reward_mixer")
    FROM_PAGE = ("weights", "policy", "episode")
    rollouts = traitlets.List(traitlets.Dict()).tag(sync=True)
    ranges = traitlets.Dict().tag(sync=True)
    defaults = traitlets.Dict().tag(sync=True)
    weights = traitlets.Dict().tag(sync=True)
    policy = traitlets.Unicode().tag(sync=True)
    episode = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        rollouts: Mapping[str, Rollout] | Rollout,
        weights: Mapping[str, float] | None = None,
        *,
        episodes: int = 3,
    ) -> None:
        """Make a mixer.

        Args:
            rollouts: A recorded rollout, or several by name. Their reward terms must be the same.
            weights: Start values; by default the weights that the first rollout was recorded with.
            episodes: Most episodes to keep of each rollout: the first one of each environment.

        Raises:
            ValueError: No rollout, rollouts with different reward terms, or weights for terms that there are not.
        """
        named = dict(rollouts) if isinstance(rollouts, Mapping) else {"rollout": rollouts}
        if not named:
            raise ValueError("rollouts is empty, expected at least one Rollout")
        first = next(iter(named.values()))
        terms = list(first.reward_terms)
        for name, rollout in named.items():
            if list(rollout.reward_terms) != terms:
                raise ValueError(f"rollout {name!r} has the terms {list(rollout.reward_terms)}, expected {terms}")
        start = {term: float(first.weights[term]) for term in terms}
        if unknown := sorted(set(weights or {}) - set(terms)):
            raise ValueError(f"weights has {unknown}, expected any of {terms}")
        super().__init__(
            rollouts=[{"name": name, **_content(rollout, terms, episodes)} for name, rollout in named.items()],
            ranges={term: list(WEIGHT_RANGES.get(term, range_around(start[term]))) for term in terms},
            defaults=start,
            weights={**start, **{k: float(v) for k, v in (weights or {}).items()}},
            policy=max(named, key=lambda name: _liveliness(named[name])),
        )

    @traitlets.validate("weights")
    def _are_weights(self, proposal: Any) -> dict[str, float]:
        return numbers(proposal["value"], "weights", dict.fromkeys(self.defaults, (-1e6, 1e6)), all_of=True)

    @traitlets.validate("policy")
    def _is_recorded(self, proposal: Any) -> str:
        return name_of(proposal["value"], "policy", [rollout["name"] for rollout in self.rollouts])

    @traitlets.validate("episode")
    def _is_kept(self, proposal: Any) -> int:
        most = max((len(rollout["episodes"]) for rollout in self.rollouts), default=1)
        return whole(proposal["value"], "episode", 0, max(0, most - 1))

    def returns(self) -> dict[str, list[float]]:
        """Return of each kept episode under the present weights, by rollout."""
        return {
            rollout["name"]: [
                sum(self.weights[term] * float(np.sum(values)) for term, values in episode["terms"].items())
                * rollout["step_dt"]
                for episode in rollout["episodes"]
            ]
            for rollout in self.rollouts
        }

    def to_rewards_cfg(self, rewards_cfg: Any = None) -> Any:
        """A rewards config with the present weights.

        Args:
            rewards_cfg: The config to copy; by default the task's ``RewardsCfg``.

        Returns:
            A copy of it.

        Raises:
            ValueError: The config lacks one of the terms.
        """
        if rewards_cfg is None:
            from cartpole_lab.tasks.cartpole_env_cfg import RewardsCfg

            rewards_cfg = RewardsCfg()
        cfg = copy.deepcopy(rewards_cfg)
        for name, weight in self.weights.items():
            if getattr(cfg, name, None) is None:
                raise ValueError(f"{type(cfg).__name__} has no term {name!r}, expected all of {sorted(self.weights)}")
            getattr(cfg, name).weight = float(weight)
        return cfg

    def describe(self) -> str:
        """What the widget shows."""
        weights = ", ".join(f"{name} {value:g}" for name, value in self.weights.items())
        returns = "; ".join(f"{name} {values[0]:.2f}" for name, values in self.returns().items() if values)
        return f"Reward mixer. Weights: {weights}. Return of the first episode: {returns}."

    def figure(self) -> Figure:
        """The stacked contributions of the chosen rollout's chosen episode."""
        from matplotlib.figure import Figure

        rollout = next(r for r in self.rollouts if r["name"] == self.policy)
        episode = rollout["episodes"][min(self.episode, len(rollout["episodes"]) - 1)]
        figure = Figure(figsize=(7.2, 3.0))
        axes = figure.add_subplot()
        length = len(episode["x"])
        time = np.arange(length) * rollout["step_dt"]
        above, below = np.zeros(length), np.zeros(length)
        for color, (term, values) in zip(COLORS * 3, episode["terms"].items(), strict=False):
            part = self.weights[term] * np.asarray(values) * rollout["step_dt"]
            base = np.where(part >= 0, above, below)
            axes.fill_between(
                time, base, base + part, color=color, lw=0, label=f"{term} ({part.sum():+.2f})", step="post"
            )
            above, below = above + part.clip(min=0), below + part.clip(max=0)
        axes.axhline(0, color="0.5", lw=0.8)
        axes.set(xlabel="time [s]", ylabel="weight × term × step")
        axes.legend(fontsize=7, frameon=False, ncols=3)
        axes.spines[["right", "top"]].set_visible(False)
        axes.set_title(f"Reward mixer: {self.policy}", loc="left", fontsize=10)
        return figure


def _content(rollout: Rollout, terms: list[str], episodes: int) -> dict[str, Any]:
    """A rollout as the page needs it: the first episode of its first environments, in short numbers."""
    kept = []
    for env in range(min(episodes, rollout.joint_pos.shape[1])):
        length = first_episode(rollout, env)
        kept.append(
            {
                "x": rounded(rollout.joint_pos[:length, env, 0], 3),
                "angle": rounded(rollout.joint_pos[:length, env, 1], 3),
                "terms": {term: rounded(rollout.reward_terms[term][:length, env], 4) for term in terms},
                "failed": bool(np.asarray(rollout.terminated[length - 1, env])),
            }
        )
    return {"step_dt": float(rollout.step_dt), "episodes": kept}


def _liveliness(rollout: Rollout) -> float:
    """How much a rollout's reward changes: the widget starts with one in which there is something to see."""
    return float(np.std(np.asarray(rollout.rewards[: first_episode(rollout, 0), 0])))
