"""Many seeds, many settings: :func:`sweep` on Ray Tune, and what comes out of it.

Ray Tune decides what runs when, repeats what has died, stops early and keeps its own records. Here belong the words
that say what to try (``words``), the checks before anything starts (``plan``), the process that trains one trial after
the other (``trial``), and the table, the ranking and the report (``records``, ``ranking``, ``report``). A single
training imports nothing of it, and importing it loads neither Ray nor pandas.
"""

from __future__ import annotations

from cartpole_lab.lazy_names import lazy_names

_HOME = {"sweep": "engine", "Sweep": "engine", "SweepOptions": "options"}
__all__ = list(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
