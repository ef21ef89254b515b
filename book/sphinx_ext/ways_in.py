"""Buttons that lead out of a page, to the repository, its issues and Colab. They come with the repository's address."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

sys.path.append(str(Path(__file__).resolve().parents[1]))
import colab  # it stands beside the book's other scripts


def show_buttons(app: Sphinx, config: Config) -> None:
    """Switch the theme's buttons on, if there is an address."""
    options = config.html_theme_options
    if options.get("repository_url"):
        options.update(use_repository_button=True, use_issues_button=True)


def add_colab(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Put "Open in Colab" on the lessons' pages."""
    repository = app.config.html_theme_options.get("repository_url", "").rstrip("/").removesuffix(".git")
    where = colab.link(repository)
    if doctree is None or not where or not page.startswith("notebooks/"):
        return
    button = {"type": "link", "url": where, "text": "Open in Colab", "tooltip": "Run lessons in Google Colab"}
    context["header_buttons"].append({**button, "icon": "fas fa-rocket", "label": "launch-colab-button"})
