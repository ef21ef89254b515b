"""The report of a sweep: one page that opens without a network, its pictures drawn into it."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cartpole_lab.files import read_arrays, write_whole
from cartpole_lab.tasks.success import EPISODE_S
from cartpole_lab.training.sweep.plan import Plan, Setting
from cartpole_lab.training.sweep.ranking import PERCENT, Ranked, interval
from cartpole_lab.training.sweep.records import Record
from cartpole_lab.training.sweep.words import label

if TYPE_CHECKING:
    from cartpole_lab.training.sweep.engine import Sweep

POINTS = 40
"""Points of a mean curve."""
MOST_DRAWN = 8
"""So many settings are drawn: the best ones; more curves tell nobody anything."""
_COLOURS = ("#2f6db5", "#d1495b", "#2e8b57", "#c77d0a", "#7b5ea7", "#3b9aa8", "#8a5a44", "#5f6b7a")
_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2733}
table{border-collapse:collapse;margin:1rem 0}
th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid #dde3ea}
th:nth-child(2),td:nth-child(2),td:last-child,th:last-child{text-align:left}svg{max-width:100%;height:auto}
.scroll{max-height:30rem;overflow:auto}.note{color:#55606d}code{background:#f1f4f7;padding:.1rem .3rem}
@media (prefers-color-scheme:dark){body{background:#fff}}"""


def write_report(sweep: Sweep, records: Sequence[Record], plan: Plan) -> None:
    """Write ``report.html``, ``curves.png`` and ``ranking.png`` into the sweep's folder."""
    figures = {"curves": draw_curves(sweep.folder, sweep.ranking, records), "ranking": draw_ranking(sweep.ranking)}
    drawn = {}
    for name, figure in figures.items():
        if figure is None:
            continue
        figure.savefig(picture := io.BytesIO(), format="png", dpi=130)
        write_whole(sweep.folder / f"{name}.png", picture.getvalue())
        figure.savefig(picture := io.BytesIO(), format="svg", metadata={"Date": None})
        drawn[name] = picture.getvalue().decode()
    write_whole(sweep.report, page(sweep, plan, drawn))


def page(sweep: Sweep, plan: Plan, drawn: dict[str, str]) -> str:
    """The page itself."""
    words = [*plan.fixed, *(f"{name}={value}" for name, value in plan.train.items())]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Sweep {html.escape(sweep.folder.name)}</title>",
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style>",
        f"<h1>{html.escape(plan.task or 'Isaac-Cartpole-v0')}</h1>",
        f"<p>{html.escape(summary(sweep, plan))}</p>",
        f"<p class=note>Every trial: <code>{html.escape(' '.join(words) or 'the settings as they are')}</code></p>",
        "<h2>Which setting is better</h2>",
        ranking_table(sweep.ranking),
        "<p class=note>Return: mean of fresh evaluation episodes under the task's own reward, then the interquartile "
        f"mean over the seeds, with a {PERCENT} stratified bootstrap interval (rliable). Settings whose intervals "
        "overlap are not told apart by these seeds.</p>",
        inline(drawn.get("ranking")),
        "<h2>How they learned</h2>",
        inline(drawn.get("curves")),
        "<h2>Every trial</h2><div class=scroll>",
        sweep.table.drop(columns=[c for c in ("began", "host", "node", "message") if c in sweep.table]).to_html(
            index=False, float_format=lambda x: f"{x:.4g}", border=0, na_rep=""
        ),
        "</div></html>",
    ]
    return "\n".join(parts)


def summary(sweep: Sweep, plan: Plan) -> str:
    """What came out, in sentences."""
    count = len(plan.seeds)
    seeds = f"{count} seed{'s' if count > 1 else ''} each"
    text = f"{len(sweep.table)} of {sweep.total} trials, {len(sweep.ranking)} settings, {seeds}."
    if sweep.failed or sweep.unfinished:
        text += f" {sweep.failed} without a result, {sweep.unfinished} not run yet."
    first = sweep.ranking[0] if sweep.ranking else None
    if first is None or not first.seeds:
        return text
    if len(sweep.ranking) == 1:
        return f"{text} Its return is {first.middle:.3f}."
    if first.seeds < 2:
        return f"{text} One seed has no interval: it tells nothing apart."
    if first.not_told_apart:
        names = ", ".join(one.label for one in sweep.ranking if one.place in first.not_told_apart)
        return f"{text} First is {first.label}; not told apart from it: {names}."
    return f"{text} First is {first.label}, and its interval overlaps with no other."


def ranking_table(ranking: Sequence[Ranked]) -> str:
    """The ranking as a table."""
    rows = [f"<table><tr><th><th>setting<th>return<th>{PERCENT} interval<th>seeds<th>solved<th>"]
    for one in ranking:
        ends = "" if np.isnan(one.low) else f"{one.low:.3f} to {one.high:.3f}"
        value = "–" if np.isnan(one.middle) else f"{one.middle:.3f}"
        cells = [one.place, html.escape(one.label), value, ends, one.seeds, f"{one.solved}/{one.trials}", one.words]
        rows.append("<tr>" + "".join(f"<td>{cell}" for cell in cells))
    return "\n".join([*rows, "</table>"])


def inline(svg: str | None) -> str:
    """A picture as part of the page."""
    return "<p class=note>Nothing to draw.</p>" if svg is None else svg[svg.index("<svg") :]


def draw_ranking(ranking: Sequence[Ranked]) -> Any:
    """Interquartile means with their intervals, the best on top."""
    from matplotlib.figure import Figure

    shown = [one for one in ranking if one.seeds][:30]
    if not shown:
        return None
    figure = Figure(figsize=(7.0, 0.8 + 0.3 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for height, one in enumerate(reversed(shown)):
        if not np.isnan(one.low):
            axes.plot([one.low, one.high], [height, height], color="#2f6db5", linewidth=5, alpha=0.35)
        axes.plot(one.middle, height, "o", color="#2f6db5")
    axes.set(xlabel=f"return, interquartile mean and {PERCENT} interval", ylim=(-0.6, len(shown) - 0.4))
    axes.set_yticks(range(len(shown)), [one.label for one in reversed(shown)])
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_curves(folder: Path, ranking: Sequence[Ranked], records: Sequence[Record]) -> Any:
    """Learning curves: the mean over the seeds with its band of confidence, and each seed faint."""
    from matplotlib.figure import Figure

    read = [(one.setting, curve_of(folder / one.run)) for one in records if one.run and one.status != "failed"]
    curves = [(setting, curve) for setting, curve in read if curve is not None]
    if not curves:
        return None
    evaluated = all(len(curve["eval_epoch"]) > 2 for _, curve in curves)
    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    axes = figure.subplots()
    for one, colour in zip(ranking[:MOST_DRAWN], _COLOURS, strict=False):
        lines = [steps_and_returns(curve, evaluated) for setting, curve in curves if setting == one.setting]
        lines = [(x, y) for x, y in lines if len(x)]
        for x, y in lines:
            axes.plot(x, y, color=colour, alpha=0.2, linewidth=0.8)
        if lines:
            _draw_mean(axes, lines, colour, one.setting)
    kind = "evaluated on fresh episodes" if evaluated else "the trainer's running mean (exploring)"
    axes.set(xlabel="environment steps [million]", ylabel=f"return, {kind}")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_mean(axes: Any, lines: Sequence[tuple[np.ndarray, np.ndarray]], colour: str, setting: Setting) -> None:
    """The mean over seeds on common points; a seed that has ended early keeps its last value."""
    start, end = max(x[0] for x, _ in lines), max(x[-1] for x, _ in lines)
    at = np.linspace(start, max(end, start), POINTS)
    scores = np.array([np.interp(at, x, y) for x, y in lines])[:, None, :]
    mean, low, high = interval(scores, lambda values: values.mean(axis=(0, 1)), repeats=200)
    axes.plot(at, mean, color=colour, linewidth=2, label=label(setting))
    if len(lines) > 1:
        axes.fill_between(at, low, high, color=colour, alpha=0.18, linewidth=0)


def steps_and_returns(curve: dict[str, np.ndarray], evaluated: bool) -> tuple[np.ndarray, np.ndarray]:
    """Million environment steps and returns of whole episodes; what is not a number is left out."""
    steps = curve["env_steps"] / 1e6
    if evaluated:
        x, y = np.interp(curve["eval_epoch"], curve["epoch"], steps), curve["eval_return"]
    else:
        cut, whole = (float(curve[name][-1]) if len(curve[name]) else EPISODE_S for name in _LENGTHS)
        x, y = steps, curve["return"] * (whole / cut)
    fine = np.isfinite(x) & np.isfinite(y)
    return x[fine], y[fine]


_LENGTHS = ("episode_s", "whole_episode_s")


def curve_of(run: Path) -> dict[str, np.ndarray] | None:
    """The numbers of a run's ``curve.npz``; None where there is none to read."""
    try:
        return {name: np.asarray(values, dtype=float) for name, values in read_arrays(run / "curve.npz").items()}
    except (OSError, ValueError, TypeError):
        return None
