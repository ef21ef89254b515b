"""What a training run shows while it runs, and the curve that it leaves behind."""

from __future__ import annotations

import io
import math
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cartpole_lab.files import write_whole
from cartpole_lab.tasks.success import EPISODE_S, SOLVED_RETURN

if TYPE_CHECKING:
    from cartpole_lab.evaluation_result import Evaluation


@dataclass(frozen=True)
class EpochInfo:
    """Where a training run stands after one epoch.

    Attributes:
        epoch, max_epochs: Epochs done, and the most there will be.
        env_steps: Environment steps done, all environments together.
        wall_s: Seconds since training began.
        mean_return: The trainer's own running mean, the number that TensorBoard shows too; it flatters, NaN until an
            episode has ended. Where the agent cuts episodes short, it is the return of such a short episode.
        mean_length: Steps an episode, by the trainer's running mean.
        steps_per_s: Environment steps a second in this epoch.
        evaluation: What an evaluation measured after this epoch, if there was one. It plays whole episodes.
        episode_s: Time limit of the episodes that the trainer sees [s].
        whole_episode_s: Time limit of the task's episodes [s]; longer where the agent cuts them.
    """

    epoch: int
    max_epochs: int
    env_steps: int
    wall_s: float
    mean_return: float
    mean_length: float
    steps_per_s: float
    evaluation: Evaluation | None = None
    episode_s: float = EPISODE_S
    whole_episode_s: float = EPISODE_S

    def line(self) -> str:
        """The same in one line."""
        left = self.wall_s / self.epoch * (self.max_epochs - self.epoch)
        cut = f" in {self.episode_s:g} s" if self.episode_s < self.whole_episode_s else ""
        told = f"return {self.mean_return:6.2f}{cut}  episode {self.mean_length:5.0f} steps"
        if math.isnan(self.mean_return):
            told = f"{'no episode over yet':<{len(told)}}"
        text = (
            f"epoch {self.epoch:>4}/{self.max_epochs}  {told}  {self.steps_per_s / 1000:6.0f} k steps/s  "
            f"{self.wall_s:5.1f} s, at most {left:.0f} s left"
        )
        if self.evaluation is not None:
            share = 100 * self.evaluation.timeout_share
            whole = f" in {self.whole_episode_s:g} s" if cut else ""
            text += f"  | evaluated {self.evaluation.mean_return:.3f}{whole}, {share:.1f}% time-outs"
            if not self.evaluation.complete:
                text += " so far, given up"
        return text


_OF_AN_EPOCH = ("epoch", "env_steps", "wall_s", "return", "length", "episode_s", "whole_episode_s")
_OF_AN_EVALUATION = ("eval_epoch", "eval_return", "eval_timeout_share")


class Curve(dict[str, list[float]]):
    """A learning curve while it grows; its columns are those of :class:`cartpole_lab.TrainingRun`."""

    def __init__(self) -> None:
        super().__init__({name: [] for name in (*_OF_AN_EPOCH, *_OF_AN_EVALUATION)})

    @property
    def wall_s(self) -> float:
        """Seconds until the end of the last epoch that was noted."""
        return self["wall_s"][-1] if self["wall_s"] else 0.0

    def note(self, info: EpochInfo) -> None:
        """Add an epoch."""
        seen = (info.mean_return, info.mean_length, info.episode_s, info.whole_episode_s)
        values = (info.epoch, info.env_steps, info.wall_s, *seen)
        for name, value in zip(_OF_AN_EPOCH, values, strict=True):
            self[name].append(value)

    def note_evaluation(self, epoch: int, found: Evaluation) -> None:
        """Add an evaluation."""
        for name, value in zip(_OF_AN_EVALUATION, (epoch, found.mean_return, found.timeout_share), strict=True):
            self[name].append(value)

    def arrays(self) -> dict[str, np.ndarray]:
        """The columns as arrays."""
        return {name: np.array(column) for name, column in self.items()}


class ProgressLine:
    """One line that is written over: in a terminal, in a notebook; in a file, a line every few seconds, none twice."""

    def __init__(self, enabled: bool = True, every_s: float = 5.0) -> None:
        self.every_s = every_s
        self._last, self._text, self._written = 0.0, "", ""
        self._out = sys.stdout
        self.enabled = enabled and self._out is not None and not self._out.closed
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self._fancy = self.enabled and not plain and self._out.isatty()
        self._handle: Any = None
        # A module `ipykernel` alone says nothing: anywidget imports it outside notebooks too.
        kernel = sys.modules.get("ipykernel.kernelapp")
        self._kernel = kernel is not None and kernel.IPKernelApp.initialized()

    def show(self, text: str, keep: bool = False) -> None:
        """Show ``text``; with ``keep`` it stays and the next one starts a new line."""
        self._text = text
        if not self.enabled:
            return
        now = time.monotonic()
        if self._kernel:
            if keep or now - self._last > 0.2:
                self._show_in_notebook(text)
                self._handle = None if keep else self._handle
                self._last = now
        elif self._fancy:
            self._write(f"\r\x1b[2K{text}" + ("\n" if keep else ""))
        elif keep or (text != self._written and now - self._last > self.every_s):
            self._write(text + "\n")
            self._last, self._written = now, text

    def _write(self, text: str) -> None:
        """Write to the output; where nobody reads it, the disk is full or it is closed, never again."""
        try:
            try:
                self._out.write(text)
            except UnicodeEncodeError:
                self._out.write(text.replace("…", "...").encode("ascii", "replace").decode())
            self._out.flush()
        except (OSError, ValueError):
            self.enabled = False

    def close(self) -> None:
        """Leave the last text standing."""
        if self.enabled and not self._kernel and self._fancy:
            self._write("\n")
        elif self.enabled and self._kernel and self._handle is not None:
            self._show_in_notebook(self._text)

    def _show_in_notebook(self, text: str) -> None:
        from IPython.display import display

        data = {"text/plain": text}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


def plot_curve(
    curve: Mapping[str, np.ndarray],
    path: str | Path | None = None,
    *,
    title: str = "",
    solved_return: float | None = SOLVED_RETURN,
) -> Any:
    """Plot a learning curve: the trainer's running mean, and what evaluations found.

    Where the agent cuts episodes, the trainer's returns are those of short episodes: they have an axis of their own, on
    the right, on which a second pays as much as on the left.

    Args:
        curve: As in :class:`cartpole_lab.training.training_run.TrainingRun`.
        path: Where to write a PNG; None to only return the figure.
        title: Title of the figure.
        solved_return: Where to draw the line from which a policy counts as solved; None for a task that says nothing.

    Returns:
        The matplotlib figure.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.6))
    # a layout that measures all texts first would draw the figure twice: a twentieth of a second at the end of each run
    axes = figure.subplots(gridspec_kw={"left": 0.12, "right": 0.91, "bottom": 0.14, "top": 0.91})
    steps, returns = curve["env_steps"] / 1e6, np.asarray(curve["return"])
    cut, whole = (float(curve[name][-1]) if len(curve.get(name, ())) else EPISODE_S for name in _LENGTHS)
    label = "trainer's running mean (exploring)" + (", right axis" if cut < whole else "")
    axes.plot(steps, returns * (whole / cut), color="#7a8ba3", label=label)
    if len(curve["eval_epoch"]):
        at = np.interp(curve["eval_epoch"], curve["epoch"], steps)
        axes.plot(at, curve["eval_return"], "o-", color="#d1495b", label="evaluated on fresh episodes")
    if solved_return is not None:
        label = f"solved: {solved_return:.2f}"
        axes.axhline(solved_return, color="#2e8b57", linestyle=":", linewidth=1, label=label)
    axes.set(xlabel="environment steps [million]", ylabel=f"return of {whole:g} s", title=title)
    axes.ticklabel_format(axis="y", scilimits=(-3, 4))  # so that any numbers leave room for the label
    if cut < whole:
        short = axes.secondary_yaxis("right", functions=(lambda y: y * cut / whole, lambda y: y * whole / cut))
        short.set_ylabel(f"return of an episode cut to {cut:g} s", color="#7a8ba3")
    axes.legend(loc="best", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    if path is not None:
        figure.savefig(drawn := io.BytesIO(), dpi=150, format=Path(path).suffix[1:] or "png")
        write_whole(path, drawn.getvalue())
    return figure


_LENGTHS = ("episode_s", "whole_episode_s")
