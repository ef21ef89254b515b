"""How the lessons show pictures, films and plots: one look, and a text alternative for each."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from IPython.display import HTML
    from numpy.typing import ArrayLike

# Okabe and Ito's palette, reordered: its colours stay apart for colour-blind readers and on white or dark paper.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#8C6BB1", "#7F7F7F")
"""The colour cycle of every plot: blue, orange, teal, red, violet, grey."""
TERM_COLORS = {
    "alive": "#009E73", "terminating": "#D55E00", "pole_pos": "#0072B2", "cart_vel": "#E69F00", "pole_vel": "#8C6BB1",
    "cart_pos": "#7F7F7F",
}  # fmt: skip
"""The colour of each reward term in every plot and widget."""


def use_style() -> None:
    """Give matplotlib the look of the book: palette, sizes, light grid, tight pictures.

    Call it once, after importing matplotlib. It changes ``matplotlib.rcParams`` of this process only. In a notebook
    plots become SVG, sharp at any size, with a PNG beside it for whatever can't show one.
    """
    import matplotlib as mpl
    from IPython import get_ipython

    if get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", "png")

    mpl.rcParams.update(
        {
            "axes.prop_cycle": mpl.cycler(color=COLORS),
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "axes.labelsize": 10,
            "figure.dpi": 100,
            "figure.figsize": (7.0, 3.2),
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "grid.alpha": 0.25,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "savefig.bbox": "tight",
        }
    )


def show_video(path: str | Path, *, alt: str, width: int = 640) -> HTML:
    """Show a film in the notebook; it travels inside the page, so it also plays in the static book.

    Args:
        path: An ``.mp4`` file. A ``.png`` of the same name beside it becomes the still picture before the film starts.
        alt: What is to be seen, for readers who cannot see it.
        width: Widest display [px]; narrower screens shrink it.

    Returns:
        The player, as the last expression of a cell.

    Raises:
        FileNotFoundError: There is no file at ``path``.
        ValueError: ``alt`` is empty.
    """
    from IPython.display import HTML

    path = Path(path)
    _require_alt(alt)
    if not path.is_file():
        raise FileNotFoundError(f"no film at {path}; make one with cartpole_lab.record_video(policy, {str(path)!r})")
    poster_path = path.with_suffix(".png")
    poster = f' poster="{_data_uri(poster_path.read_bytes(), "image/png")}"' if poster_path.is_file() else ""
    label = html.escape(alt, quote=True)
    film = _data_uri(path.read_bytes(), "video/mp4")
    return HTML(
        f'<video controls loop muted playsinline preload="metadata" aria-label="{label}" title="{label}"{poster} '
        f'style="width:100%;max-width:{int(width)}px;height:auto" src="{film}">{label}</video>'
    )


def show_image(pixels: ArrayLike, *, alt: str, width: int | None = None) -> HTML:
    """Show an array as a picture.

    Args:
        pixels: Shape ``(height, width, 3)``, ``(height, width, 4)`` or ``(height, width)``;
            ``uint8``, or floats in 0 to 1.
        alt: What is to be seen, for readers who cannot see it.
        width: Display width [px]; small pictures are magnified without blur. Default: one screen pixel a pixel.

    Returns:
        The picture, as the last expression of a cell.

    Raises:
        ValueError: ``alt`` is empty, or the array is not a picture.
    """
    from IPython.display import HTML
    from PIL import Image

    _require_alt(alt)
    array = np.asarray(pixels.detach().cpu() if hasattr(pixels, "detach") else pixels)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (3, 4))):
        raise ValueError(f"pixels has shape {array.shape}, expected (height, width), (height, width, 3) or (…, 4)")
    if array.dtype != np.uint8:
        array = (np.clip(array, 0.0, 1.0) * 255).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG", optimize=True)
    shown = int(width or array.shape[1])
    sharp = "image-rendering:pixelated;" if shown > array.shape[1] else ""
    return HTML(
        f'<img alt="{html.escape(alt, quote=True)}" style="{sharp}width:100%;max-width:{shown}px;height:auto" '
        f'src="{_data_uri(buffer.getvalue(), "image/png")}">'
    )


def _data_uri(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"


def _require_alt(alt: str) -> None:
    if not alt.strip():
        raise ValueError("alt is empty: say in a sentence what is to be seen")
