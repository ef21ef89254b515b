"""What an evaluation found: its episodes, the verdict on them, and both as a table or as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch

from cartpole_lab.tasks.success import STOP_MARGIN, Criterion, Verdict, stop_failures


@dataclass(frozen=True)
class Evaluation:
    """What a policy does over fresh episodes.

    Attributes:
        returns: Undiscounted return of each episode, shape ``(episodes,)``; NaN where a number of it was none.
        timed_out: True where the episode lasted to its time limit and its return is a number, shape ``(episodes,)``.
        lengths: Steps that each episode lasted, shape ``(episodes,)``.
        settle_time_s: Seconds until the pole stays within 5 degrees (or the task's joint in its band), NaN where it
            never does, shape ``(episodes,)``; None where the task has no such joint.
        reward_terms: What each reward term paid over the episode, weight and time included, shape ``(episodes,)`` each.
        step_dt: Length of one environment step [s].
        seed: Seed of the start states.
        complete: False if the evaluation gave up early, because too many episodes had failed already.
        criterion: When the task counts as solved, with the reward that was paid. None, or one without a ``success``:
            no verdict.
        default_returns: Return of each episode under the task's own reward, shape ``(episodes,)``, where another was
            paid; None where there is no need or no way.
        has_time_out: Whether the task ends episodes at their time limit. If not, those that last are cut there.
    """

    returns: torch.Tensor
    timed_out: torch.Tensor
    lengths: torch.Tensor
    settle_time_s: torch.Tensor | None
    reward_terms: dict[str, torch.Tensor]
    step_dt: float
    seed: int
    complete: bool = True
    criterion: Criterion | None = None
    default_returns: torch.Tensor | None = None
    has_time_out: bool = True

    @property
    def episodes(self) -> int:
        """Number of episodes."""
        return len(self.returns)

    @property
    def mean_return(self) -> float:
        """Mean undiscounted return; NaN if an episode's is."""
        return float(self.returns.mean())

    @property
    def std_return(self) -> float:
        """Standard deviation of the returns."""
        return float(self.returns.std()) if self.episodes > 1 else 0.0

    @property
    def timeout_share(self) -> float:
        """Share of the episodes that lasted to their time limit."""
        return float(self.timed_out.float().mean())

    @property
    def nan_share(self) -> float:
        """Share of the episodes in which an observation, an action or the reward was not a number."""
        return float(self.returns.isnan().float().mean())

    @property
    def settled_share(self) -> float | None:
        """Share of the episodes whose pole came to stand within 5 degrees; None for a task without such a joint."""
        return None if self.settle_time_s is None else float(self.settle_time_s.isfinite().float().mean())

    @property
    def mean_settle_time_s(self) -> float:
        """Mean seconds until the pole stands, over the episodes in which it does; NaN if there is none."""
        if self.settle_time_s is None:
            return math.nan
        settled = self.settle_time_s[self.settle_time_s.isfinite()]
        return float(settled.mean()) if len(settled) else math.nan

    @property
    def verdict(self) -> Verdict:
        """Whether the task is solved, by the reward that was paid."""
        if not self.complete:
            return Verdict(False, "given up: too many episodes had failed")
        return (self.criterion or Criterion(None, 0.0)).judge(self.mean_return, self.timeout_share)

    @property
    def default_verdict(self) -> Verdict | None:
        """Where another reward was paid: whether the task is solved by its own."""
        if self.default_returns is None or self.criterion is None or not self.complete:
            return None
        return self.criterion.by_default().judge(float(self.default_returns.mean()), self.timeout_share)

    @property
    def judged_by(self) -> Literal["task", "own reward", "default reward"] | None:
        """Which verdict ``solved`` is: the task's; with another reward, by that one if its ceiling is known."""
        if self.verdict.solved is not None:
            return "own reward" if self.criterion is not None and self.criterion.changed else "task"
        return None if self.default_verdict is None or self.default_verdict.solved is None else "default reward"

    @property
    def solved(self) -> bool:
        """Whether the policy has solved what it is judged by. False where nothing says when that is."""
        verdict = self.default_verdict if self.judged_by == "default reward" else self.verdict
        return verdict is not None and bool(verdict.solved)

    @property
    def perfect(self) -> bool:
        """Every episode runs to its time limit."""
        return self.complete and bool(self.timed_out.all())

    def solved_with_margin(self) -> bool:
        """Whether it is solved clearly enough for other fresh episodes to agree: what training stops at."""
        if not self.complete or self.criterion is None:
            return False
        judge, mean = self.criterion, self.mean_return
        if self.judged_by == "default reward" and self.default_returns is not None:
            judge, mean = self.criterion.by_default(), float(self.default_returns.mean())
        failed = int((~self.timed_out).sum())
        return bool(judge.judge(mean, self.timeout_share, margin=STOP_MARGIN).solved) and failed <= stop_failures(
            self.episodes
        )

    def as_dict(self) -> dict[str, Any]:
        """The summary numbers, ready for JSON: what is not a number is None."""
        default = self.default_verdict
        return {
            "episodes": self.episodes,
            "seed": self.seed,
            "mean_return": _number(self.mean_return),
            "std_return": _number(self.std_return),
            "timeout_share": self.timeout_share,
            "nan_share": self.nan_share,
            "settled_share": self.settled_share,
            "mean_settle_time_s": _number(self.mean_settle_time_s),
            "reward_terms": {name: _number(float(value.mean())) for name, value in self.reward_terms.items()},
            "solved": self.solved,
            "judged_by": self.judged_by,
            "verdict": str(self.verdict),
            "reward_changes": list(self.criterion.changed) if self.criterion else [],
            "default_reward": default
            and self.default_returns is not None
            and {
                "mean_return": _number(float(self.default_returns.mean())),
                "solved": default.solved,
                "verdict": str(default),
            },
        }

    def table(self) -> str:
        """The summary as text, one figure a line."""
        rows = [("episodes", f"{self.episodes}" + ("" if self.complete else ", then given up"))]
        if self.nan_share:
            rows.append(("not a number", f"{100 * self.nan_share:.2f}% of the episodes; they count as failed"))
        rows.append(("return", f"{self.mean_return:.3f} ± {self.std_return:.3f}"))
        share = f"{100 * self.timeout_share:.2f}%"
        if self.has_time_out:
            rows.append(("time-outs", share))
        else:
            rows.append(("lasted", f"{share} of the episodes; the task has no time-out, they were cut at its limit"))
        if self.settled_share is not None:
            what = f"{100 * self.settled_share:.2f}% of the episodes"
            if self.settled_share:
                what += f", after {self.mean_settle_time_s:.2f} s on average"
            rows.append((self._stands(), what))
        rows += [(f"  {name}", f"{float(value.mean()):+.4f}") for name, value in self.reward_terms.items()]
        return "\n".join(f"{name:<14}{value}" for name, value in [*rows, *self._verdict_rows()])

    def _stands(self) -> str:
        """What stands: the cart-pole's pole, or the name of another joint."""
        success = self.criterion and self.criterion.success
        joint = success.standing.joint if success and success.standing else "cart_to_pole"
        return "pole stands" if joint == "cart_to_pole" else f"{joint} stands"

    def _verdict_rows(self) -> list[tuple[str, str]]:
        verdict, default = self.verdict, self.default_verdict
        if self.criterion is None or not self.criterion.changed:
            return [("solved", "yes" if verdict.solved else str(verdict))]
        own = str(verdict) if verdict.solved is None else f"{'yes' if verdict.solved else 'no'}, by its own reward"
        why = "" if verdict.solved is None else f" ({verdict.reason})"
        rows = [("solved", own + why), ("  reward", f"changed: {'; '.join(self.criterion.changed)}")]
        return rows if default is None else [*rows, ("  by default", f"{default} under the task's own reward")]


def _number(value: float) -> float | None:
    """A number that JSON can hold."""
    return value if math.isfinite(value) else None
