"""Draw the small code map at the top of each lesson: ``python book/figures.py`` writes ``book/figures/map_NN.svg``.

One description makes all of them, so a part that is renamed is renamed everywhere; a test compares the files with it.
The colours are for white paper; the page's dark twin is dyed from them (``sphinx_ext/themed_pictures.py``).
"""

from __future__ import annotations

from pathlib import Path

# Rows of the map, from what is simulated down to the proof that it works.
ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("the task", ("Scene", "Robot", "Camera", "Actions")),
    ("", ("Observations", "Events", "Rewards", "Terminations")),
    ("the environment", ("Env config", "Gymnasium id", "Environment", "Physics")),
    ("the learner", ("PPO settings", "Wrapper", "Runner", "train.py")),
    ("the proof", ("Evaluate", "Film", "Export", "Your own task")),
)

LIT: dict[int, tuple[str, ...]] = {
    1: ("Scene", "Robot"),
    2: ("Actions", "Observations"),
    3: ("Events", "Rewards", "Terminations"),
    4: ("Env config", "Environment"),
    5: ("Gymnasium id", "Environment"),
    6: ("PPO settings", "Wrapper", "Runner"),
    7: ("train.py",),
    8: ("Evaluate", "Film", "Export"),
    9: ("Rewards", "Runner", "Evaluate"),
    10: ("Camera", "Observations", "PPO settings"),
    11: ("Physics", "Environment"),
    12: ("Env config", "Rewards", "Terminations", "Your own task"),
    13: ("Events", "Runner", "Evaluate"),
}

_WIDTH, _BOX, _HEIGHT, _GAP, _LEFT, _LABEL = 640, 145, 34, 9, 16, 20


def map_svg(lit: tuple[str, ...]) -> str:
    """The map as SVG text, with these parts lit."""
    shapes: list[str] = []
    y = 10
    for label, parts in ROWS:
        if label:
            y += _LABEL
            shapes.append(f'<text x="{_LEFT}" y="{y - 6}" fill="#5b6875" font-size="12.5">{label}</text>')
        for column, part in enumerate(parts):
            x = _LEFT + column * (_BOX + _GAP)
            on = part in lit
            fill, stroke, ink = ("#f0b14a", "#c98a1f", "#1a1206") if on else ("#e3e9ef", "#c4cfda", "#46535f")
            weight = "700" if on else "400"
            shapes.append(
                f'<rect x="{x}" y="{y}" width="{_BOX}" height="{_HEIGHT}" rx="7" fill="{fill}" stroke="{stroke}"/>'
                f'<text x="{x + _BOX / 2:g}" y="{y + 22.5:g}" fill="{ink}" font-size="16" font-weight="{weight}" '
                f'text-anchor="middle">{part}</text>'
            )
        y += _HEIGHT + _GAP
    height = y + 5
    body = "\n".join(shapes)
    title = f"The code map; lit: {', '.join(lit)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" font-family="system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif">\n'
        f"<title>{title}</title>\n"
        f'<rect width="{_WIDTH}" height="{height}" rx="12" fill="#f6f8fa"/>\n{body}\n</svg>\n'
    )


def main() -> None:
    """Write all maps."""
    folder = Path(__file__).resolve().parent / "figures"
    folder.mkdir(exist_ok=True)
    for lesson, lit in LIT.items():
        (folder / f"map_{lesson:02d}.svg").write_text(map_svg(lit), encoding="utf-8")


if __name__ == "__main__":
    main()
