"""How JupyterLab is handed a notebook: where a widget cannot come back, its stand-in picture is shown.

A widget's output holds a reference to its model and, beside it, a picture. A file that was saved without the state of
its widgets (by another program, or after the kernel was restarted) has references that lead nowhere, for which
JupyterLab shows "Error displaying widget: model not found" and not the picture. Such references are left out.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

_VIEW = "application/vnd.jupyter.widget-view+json"
_STATE = "application/vnd.jupyter.widget-state+json"


def show_stand_ins(notebook: dict[str, Any]) -> int:
    """Remove references to widgets whose model the notebook does not hold, where something else can be shown.

    Args:
        notebook: A notebook as it is in the file; it is changed.

    Returns:
        How many references were removed.
    """
    models = notebook.get("metadata", {}).get("widgets", {}).get(_STATE, {}).get("state", {})
    removed = 0
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if _VIEW in data and data[_VIEW].get("model_id") not in models and data.keys() - {_VIEW}:
                del data[_VIEW]
                removed += 1
    return removed


class StandInContents(AsyncLargeFileManager):
    """JupyterLab's own files, with :func:`show_stand_ins` on each notebook that is opened."""

    async def get(self, path: str, content: bool = True, *args: Any, **options: Any) -> dict[str, Any]:
        """As in the base class."""
        model = await super().get(path, content, *args, **options)
        if content and model["type"] == "notebook":
            show_stand_ins(model["content"])
        return model
