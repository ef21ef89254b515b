"""What all widgets share: how the JavaScript is put together, and what shows where no JavaScript runs."""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import numpy as np
import traitlets

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HERE = Path(__file__).parent


PARTS = {"playground": ("twin", "game", "network_view"), "trainer": ("twin", "ppo")}
"""What a widget's module needs beside ``base.js``: the twin of the task, levels, the learner that runs in a worker."""


def module(name: str) -> str:
    """The text of one widget's JavaScript module: the shared parts, then ``<name>.js``."""
    return "\n".join((HERE / f"{part}.js").read_text("utf-8") for part in ("base", *PARTS.get(name, ()), name))


def rounded(values: Any, digits: int = 4) -> list[Any]:
    """An array or tensor as nested lists of short numbers, so that a saved page stays small."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.round(np.asarray(values, dtype=np.float64), digits).tolist()


class LabWidget(anywidget.AnyWidget):
    """An anywidget that also carries a picture and a description for places that run no JavaScript.

    A message of the page sets what it may set, if that is valid; else nothing changes, a line says so, and the page is
    told what holds.
    """

    FROM_PAGE: ClassVar[tuple[str, ...]] = ()
    """Traits that the page may set."""
    page_speaks = False
    """Whether the page is setting something right now."""

    @classmethod
    def live_traits(cls) -> list[str]:
        """Traits that a widget of this package shares with the page."""
        ours = [kind for kind in cls.__mro__ if issubclass(kind, LabWidget) and kind is not LabWidget]
        return [name for name in cls.class_traits(sync=True) if any(name in vars(k) for k in ours) and name[0] != "_"]

    def set_state(self, sync_data: Any) -> None:
        """Take what the page has changed."""
        changes = sync_data if isinstance(sync_data, dict) else {}
        own = self.live_traits()
        for name, value in changes.items():
            try:
                self.page_speaks = True
                if name in own and name not in self.FROM_PAGE:
                    raise traitlets.TraitError(f"{name} is not the page's to set")
                super().set_state({name: value})
            except (traitlets.TraitError, AttributeError, RecursionError, TypeError, ValueError) as error:
                reason = " ".join(str(error).split())[:300]
                print(f"{type(self).__name__}: {reason}; nothing changed", file=sys.stderr)
                if self.has_trait(name):
                    self.send_state(name)
            finally:
                self.page_speaks = False

    def describe(self) -> str:
        """What the widget shows, in a sentence or two. Subclasses override it."""
        return type(self).__name__

    def figure(self) -> Figure:
        """A still matplotlib figure of what the widget shows. Subclasses override it."""
        raise NotImplementedError

    def picture(self) -> bytes:
        """`figure` as PNG bytes, for PDF books, notebook previews and e-mail."""
        buffer = io.BytesIO()
        self.figure().savefig(buffer, format="png", dpi=110, bbox_inches="tight")
        return buffer.getvalue()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        data["text/plain"] = self.describe()
        data["image/png"] = base64.b64encode(self.picture()).decode("ascii")
        return data, metadata
