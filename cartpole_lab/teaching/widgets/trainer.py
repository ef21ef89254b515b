"""The trainer: weights and PPO numbers as sliders, a Train button, curves, and carts that are seen learning.

It trains in the page itself, without a kernel: rl-games' PPO in JavaScript on the twin of the task (``ppo.js``). With
a kernel it offers Isaac Lab beside it. In a lesson::

    from cartpole_lab.video.rollout import record_rollout
    from cartpole_lab.training.rl_games_train import train
    from cartpole_lab.teaching.widgets import Trainer

    def rehearse(weights, ppo, on_epoch):
        overrides = [f"env.rewards.{name}.weight={value}" for name, value in weights.items()]
        overrides += [f"agent.params.config.{name}={value}" for name, value in ppo.items()]
        return train(num_envs=512, max_iterations=60, overrides=overrides, on_epoch=on_epoch, progress=False)

    Trainer(rehearse, film=lambda run: record_rollout(run.checkpoint, num_envs=2))

The functions run in a second process, see :mod:`cartpole_lab.teaching.widgets._worker`. ``Trainer()`` without a
function trains in the page only. :attr:`Trainer.page_policies` are the policies that the page has trained.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import traitlets

from cartpole_lab.teaching.widgets._base import HERE, LabWidget, module
from cartpole_lab.teaching.widgets._data import DEFAULT_WEIGHTS, WEIGHT_RANGES, clean, film_of, range_around, summarise
from cartpole_lab.teaching.widgets._messages import MOST_RUNS, Refused, numbers, page_run
from cartpole_lab.teaching.widgets._worker import Worker, carry_out
from cartpole_lab.teaching.widgets.page_settings import AGENTS, CART_POS, DEFAULT_AGENT, page_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cartpole_lab.policies.network import NetworkPolicy

PPO_SLIDERS = ("learning_rate", "gamma", "entropy_coef")
"""Numbers of the agent that the trainer can change; their start values are those of the agent's file."""
PPO_RANGES = {
    "learning_rate": (1e-4, 1e-2),
    "gamma": (0.8, 0.999),
    "kl_threshold": (0.002, 0.05),
    "entropy_coef": (0.0, 0.05),
}
_PPO_TAKEN = {
    "learning_rate": (1e-9, 1.0),
    "gamma": (0.0, 1.0),
    "kl_threshold": (1e-9, 10.0),
    "entropy_coef": (0.0, 10.0),
}
"""What those numbers can be; the sliders end earlier."""
TrainFn = Callable[[dict[str, float], dict[str, float], Callable[[Any], bool]], Any]
"""``(weights, ppo, on_epoch) -> TrainingRun``; it ends early when ``on_epoch(info)`` returns False."""


def recorded_grid() -> dict[str, Any]:
    """Recorded runs of Isaac Lab, for the still picture: ``settings``, ``axes`` (name to values) and ``results``."""
    return json.loads((HERE / "recorded" / "grid.json").read_text("utf-8"))


class Trainer(LabWidget):
    """Sliders, a Train button, and the runs it made.

    Attributes:
        weights, ppo: What the sliders say. Live both ways; assign a new dict.
        status: ``{"state", "message", "epoch", "max_epochs"}`` where the state is ``idle``, ``starting``, ``training``,
            ``filming`` or ``failed``.
        results: What the page keeps of each run of Isaac Lab, see `summarise`; ``film`` and ``actor`` beside it.
        page_runs: The runs that the page has made itself, in the same form.
        runs: The finished `TrainingRun` objects. Python only.
    """

    _esm = module("trainer")
    FROM_PAGE = ("weights", "ppo", "page_runs")
    weights = traitlets.Dict().tag(sync=True)
    ppo = traitlets.Dict().tag(sync=True)
    ranges = traitlets.Dict().tag(sync=True)
    defaults = traitlets.Dict().tag(sync=True)
    epochs = traitlets.Int(60).tag(sync=True)
    can_train = traitlets.Bool(False).tag(sync=True)
    status = traitlets.Dict({"state": "idle"}).tag(sync=True)
    live = traitlets.List().tag(sync=True)
    results = traitlets.List().tag(sync=True)
    page_runs = traitlets.List().tag(sync=True)
    settings = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        train_fn: TrainFn | None = None,
        *,
        film: Callable[[Any], Any] | None = None,
        weights: Mapping[str, float] | None = None,
        ppo: Mapping[str, float] | None = None,
        agent: str = DEFAULT_AGENT,
        epochs: int = 60,
        isolated: bool = True,
    ) -> None:
        """Make a trainer.

        Args:
            train_fn: ``(weights, ppo, on_epoch) -> TrainingRun``, for Isaac Lab. None trains in the page only.
            film: ``run -> Rollout``, shown as an animation below the curves.
            weights: Start values by reward term; by default the task's.
            ppo: Start values by name, any of ``learning_rate``, ``gamma``, ``kl_threshold``, ``entropy_coef``; by
                default the agent's own.
            agent: The agent file that the page trains with, "with symmetry" or "fast".
            epochs: Length of the axis of the curves until the run says how long it is.
            isolated: Whether to run in a second process, as anything with a simulator should, or in a thread.

        Raises:
            ValueError: A PPO number that has no slider, or an unknown agent.
        """
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._worker = Worker() if isolated else None
        if agent not in AGENTS:
            raise ValueError(f"agent is {agent!r}, expected one of {', '.join(AGENTS)}")
        settings = page_settings()
        own = dict(DEFAULT_WEIGHTS if weights is None else weights)
        self._terms = tuple(own)
        weights = {**own, CART_POS: own.get(CART_POS, 0.0)}
        ppo = {name: settings["agents"][agent][name] for name in PPO_SLIDERS} if ppo is None else dict(ppo)
        if unknown := sorted(set(ppo) - set(PPO_RANGES)):
            raise ValueError(f"ppo has {unknown}, expected any of {sorted(PPO_RANGES)}")
        ranges = {name: WEIGHT_RANGES.get(name, range_around(value)) for name, value in weights.items()}
        super().__init__(
            weights=weights,
            ppo=ppo,
            ranges={name: list(span) for name, span in {**ranges, **{k: PPO_RANGES[k] for k in ppo}}.items()},
            defaults={"weights": weights, "ppo": ppo, "agent": agent},
            epochs=epochs,
            can_train=train_fn is not None,
            settings=settings,
        )
        self.runs: list[Any] = []
        self._task = {"train_fn": train_fn, "film_fn": None if film is None else lambda run: film_of(film(run))}
        self.on_msg(self._hear)

    @traitlets.validate("weights")
    def _are_weights(self, proposal: Any) -> dict[str, float]:
        return numbers(proposal["value"], "weights", dict.fromkeys((*self._terms, CART_POS), (-1e6, 1e6)))

    @traitlets.validate("ppo")
    def _are_ppo_numbers(self, proposal: Any) -> dict[str, float]:
        return numbers(proposal["value"], "ppo", _PPO_TAKEN)

    @traitlets.validate("page_runs")
    def _are_runs(self, proposal: Any) -> list[dict[str, Any]]:
        if len(proposal["value"]) > MOST_RUNS:
            raise Refused(f"page_runs has {len(proposal['value'])} runs, expected at most {MOST_RUNS}")
        return [page_run(run, place) for place, run in enumerate(proposal["value"])]

    def start(self) -> None:
        """Train with the present weights, in the background. Nothing happens while a run is on.

        Raises:
            ValueError: The trainer was made without a function.
        """
        if not self.can_train:
            raise ValueError("this trainer trains in the page only: give it a train_fn to train in Isaac Lab")
        if self._thread is not None and self._thread.is_alive():
            return
        self._stop.clear()
        self.live = []
        self.status = {"state": "starting", "message": "starting Isaac Lab …" if self._worker else "starting …"}
        # what the reward here doesn't have can't be set either; at 0 it changes nothing
        if odd := [name for name, value in self.weights.items() if value and name not in self._terms]:
            self.status = {"state": "failed", "message": f"{', '.join(odd)}: no such term in Isaac Lab's reward here"}
            return
        weights = {name: value for name, value in self.weights.items() if name in self._terms}
        task = {**self._task, "weights": weights, "ppo": dict(self.ppo)}
        self._thread = threading.Thread(target=self._train, args=(task,), daemon=True, name="trainer")
        self._thread.start()

    def stop(self) -> None:
        """End the run after its present epoch and keep what was learned."""
        self._stop.set()
        if self.status.get("state") in ("starting", "training"):
            self.status = {**self.status, "message": "stopping after this epoch …"}

    @property
    def page_policies(self) -> list[NetworkPolicy]:
        """The policies that the page has trained, oldest first; `evaluate` and `record_rollout` take them."""
        from cartpole_lab.policies.from_json import policy_from_weights

        runs = [(number, run["actor"]) for number, run in enumerate(self.page_runs) if run.get("actor") is not None]
        return [policy_from_weights(actor, f"run {number}") for number, actor in runs]

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the run to end [s]; True if none is on any more."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def close(self) -> None:
        """End the run and its process, and remove the widget."""
        self._stop.set()
        if self._worker is not None:
            self._worker.close()
        super().close()

    def _hear(self, _: Any, content: Any, __: Any) -> None:
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "hello":
            self.send({"type": "kernel"})
        elif kind == "start" and self.can_train:
            self.start()
        elif kind == "stop":
            self.stop()

    def _train(self, task: dict[str, Any]) -> None:
        """The background thread: everything that a run reports goes into the traits."""
        points: list[list[float | None]] = []
        shown = 0.0

        def hear(kind: str, value: Any) -> None:
            nonlocal shown
            if kind == "epoch":
                points.append([value["epoch"], clean(value["mean_return"], 3)])
                # A page has no use for more than some ten curves a second.
                if time.monotonic() - shown > 0.08 or value["epoch"] == value["max_epochs"]:
                    shown = time.monotonic()
                    self.live = list(points)
                    message = (
                        "stopping …" if self._stop.is_set() else f"epoch {value['epoch']} of {value['max_epochs']}"
                    )
                    self.status = {
                        "state": "training",
                        "message": message,
                        **{k: value[k] for k in ("epoch", "max_epochs")},
                    }
            elif kind == "run":
                self.runs.append(value)
                self.results = [*self.results, summarise(value, task["weights"], task["ppo"])]
                self.live = []
                if task["film_fn"] is not None:
                    self.status = {"state": "filming", "message": "filming the result …"}
            elif kind == "film":
                self.results = [*self.results[:-1], {**self.results[-1], "film": value}]

        try:
            (self._worker.carry_out if self._worker else carry_out)(task, hear, self._stop.is_set)
            self.status = {"state": "idle", "message": "stopped early" if self._stop.is_set() else "finished"}
        except Exception as error:
            self.status = {"state": "failed", "message": str(error)}
            self.error = error

    def describe(self) -> str:
        """What the widget shows."""
        done = len(self.results) + len(self.page_runs)
        return f"Trainer: reward weights and PPO numbers, learning curves, carts that learn. Runs so far: {done}."

    def figure(self) -> Figure:
        """The learning curves of this notebook's runs, or of the recorded ones."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 3.2))
        axes = figure.add_subplot()
        own = [*self.results, *self.page_runs]
        for result in own or recorded_grid()["results"]:
            curve = result.get("curve", {})
            values = [math.nan if v is None else v for v in curve.get("return", [])]
            changed = [f"{k} {v:g}" for k, v in result.get("weights", {}).items() if v != DEFAULT_WEIGHTS.get(k)]
            axes.plot(curve.get("epoch", []), values, lw=1.4, label=", ".join(changed) or "the task's weights")
        axes.set(xlabel="epoch", ylabel="the trainer's mean return")
        axes.set_title("Trainer" if own else "Trainer (trains in a browser): recorded runs", loc="left", fontsize=10)
        axes.legend(fontsize=7, frameon=False)
        axes.spines[["right", "top"]].set_visible(False)
        return figure
