"""The book, built once for all tests with the lessons' small parameters, and a browser."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
FLAGS = ["--no-sandbox", "--disable-gpu"]
LIMIT_MS = 900_000
"""Far more than anything on a page takes, on a machine that is busy with other things."""


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the built book; ``CARTPOLE_BOOK_HTML`` names one that is there already."""
    if given := os.environ.get("CARTPOLE_BOOK_HTML"):
        return Path(given).resolve()
    from bookbuild.locks import own_folder

    output = own_folder(ROOT / "_build" / "test")  # a test run beside this one has its own
    environment = {**os.environ, "CARTPOLE_BOOK_OUTPUT": str(output), "CARTPOLE_BOOK_ANSWER_WITHIN_S": "300"}
    command = [sys.executable, str(ROOT / "book" / "build.py"), "--test", f"--jobs={os.cpu_count() or 1}"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        pytest.fail(f"the book does not build:\n{result.stdout[-6000:]}\n{result.stderr[-3000:]}")
    return output / "_build" / "html"


@pytest.fixture(scope="session")
def toc() -> list[str]:
    """All pages in reading order, as paths without ending."""
    data = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [data["root"]] + [entry["file"] for part in data["parts"] for entry in part["chapters"]]


@pytest.fixture(scope="session")
def pages(html: Path) -> list[str]:
    """All pages with content, as paths below the book's folder without ending."""
    found = [p for folder in ("book", "notebooks") for p in sorted((html / folder).glob("*.html"))]
    return [p.relative_to(html).with_suffix("").as_posix() for p in found]


def patient(make: Callable[..., Any]) -> Callable[..., Any]:
    """Pages and contexts whose waits end with what is waited for, however slow the machine."""

    def made(**options: Any) -> Any:
        page = make(**options)
        page.set_default_timeout(LIMIT_MS)
        return page

    return made


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """A headless Chromium or Chrome. Without one: a failure under CI, a skip elsewhere."""
    named = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if named is None:
        message = f"no browser: none of {', '.join(BROWSERS)} is on the PATH; install chromium, or set CHROMIUM to one"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=named, args=FLAGS, timeout=LIMIT_MS)
        running.new_page, running.new_context = patient(running.new_page), patient(running.new_context)
        yield running
        running.close()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a page has dozens of files."""


@pytest.fixture(scope="session")
def server(html: Path) -> Iterator[str]:
    """The book over http on this machine; gives the address without a slash at the end."""
    handler = functools.partial(_QuietHandler, directory=str(html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
