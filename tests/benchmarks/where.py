"""Where a cold training spends its seconds: ``cartpole-lab`` with a clock on each of its stages.

    python -m tests.benchmarks.where where.json train --num_envs 512 --stop_when_solved

Every moment counts for the innermost stage that it belongs to; making the environment and evaluations count as a whole.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

START = "start of Python, imports"
ENVIRONMENT = "environment, with its first step"
STEPS = "steps: physics, managers, resets"
POLICY = "policy, rollout"
UPDATE = "update"
EVALUATION = "evaluations"
REST = "rest: checkpoint, curve, clean-up"
STAGES = (START, ENVIRONMENT, STEPS, POLICY, UPDATE, EVALUATION, REST)


class Clock:
    """Adds up seconds by stage, from ``since`` on, a :func:`time.time`."""

    def __init__(self, since: float) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self.outside = START
        """Stage of what happens in no other."""
        self._stack: list[str] = []
        self._since = since

    def switch(self) -> None:
        """Give the time since the last switch to the present stage."""
        now = time.time()
        self.seconds[self._stack[-1] if self._stack else self.outside] += now - self._since
        self._since = now

    def watch(self, owner: Any, name: str, stage: str, first: str | None = None) -> None:
        """Let calls of ``owner.name`` count for ``stage``, the first one for ``first`` if that is given."""
        original: Callable = getattr(owner, name)
        stages = [stage if first is None else first]

        @functools.wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.switch()
            whole = self._stack and self._stack[-1] in (EVALUATION, ENVIRONMENT)
            self._stack.append(self._stack[-1] if whole else stages[0])
            stages[0] = stage
            try:
                return original(*args, **kwargs)
            finally:
                self.switch()
                self._stack.pop()

        setattr(owner, name, timed)


def main() -> int:
    """Run the command with the clocks on, write the seconds, return its exit status."""
    out, *words = sys.argv[1:]
    from cartpole_lab import cli, shortcuts
    from cartpole_lab.cli._common import process_start

    clock = Clock(process_start())
    with shortcuts.imports():
        import gymnasium

        from cartpole_lab.training import best_policy as watch
        from cartpole_lab.training import rl_games_train as training

    def make(*args: Any, **kwargs: Any) -> Any:
        """Everything is imported now, and nothing has run."""
        from cartpole_lab import shortcuts
        from cartpole_lab.session.nan_guard import FiniteGuard

        agent = shortcuts.ppo_agent()
        gymnasium.make = original
        clock.switch()
        clock.outside = REST
        clock.watch(gymnasium, "make", ENVIRONMENT)
        clock.watch(FiniteGuard, "step", STEPS, first=ENVIRONMENT)  # around every environment, however its step is run
        clock.watch(agent, "play_steps", POLICY)
        clock.watch(agent, "train_epoch", UPDATE)
        return gymnasium.make(*args, **kwargs)

    original, gymnasium.make = gymnasium.make, make
    for module in (training, watch):
        clock.watch(module, "run_episodes", EVALUATION)
    status = cli.main(words)
    clock.switch()
    Path(out).write_text(json.dumps(clock.seconds))
    return status


if __name__ == "__main__":
    sys.exit(main())
