"""`make lab`: JupyterLab on the table of lessons, without a dialog, on this machine only, with a token."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-for-this-test"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running JupyterLab; gives its address."""
    port = free_port()
    output = tmp_path_factory.mktemp("lab")
    command = [sys.executable, str(ROOT / "book" / "lab.py"), "--no-browser", f"--port={port}", "--allow-root"]
    command += [f"--IdentityProvider.token={TOKEN}", "--ServerApp.port_retries=0"]
    # As on a machine on which nobody ever used JupyterLab.
    own = {name: str(output / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_SETTINGS_DIR")}
    environment = {**os.environ, **own, "CARTPOLE_BOOK_OUTPUT": str(output)}
    lessons = {path: path.read_bytes() for path in (ROOT / "notebooks").glob("*.ipynb")}
    with (output / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(120):
                try:
                    urllib.request.urlopen(f"{address}/api", timeout=2)
                    break
                except (urllib.error.URLError, OSError):
                    assert process.poll() is None, (output / "log").read_text()
                    time.sleep(0.5)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            finally:
                process.kill()
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0, "JupyterLab outlives the command that started it"
            for path, content in lessons.items():  # JupyterLab writes its kernel's details into what it opens
                if path.read_bytes() != content:
                    path.write_bytes(content)


def test_it_asks_for_a_token(lab: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{lab}/api/contents", timeout=5)
    assert refused.value.code == 403
    with urllib.request.urlopen(f"{lab}/api/contents?token={TOKEN}", timeout=5) as answer:
        assert answer.status == 200


def test_it_listens_on_this_machine_only(lab: str) -> None:
    port = int(lab.rsplit(":", 1)[1])
    addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in addresses - {"127.0.0.1", "127.0.1.1"}:
        with socket.socket() as probe:
            probe.settimeout(2)
            assert probe.connect_ex((address, port)) != 0, f"it answers on {address}"


def test_it_opens_on_the_lessons_without_dialogs(lab: str, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    external: list[str] = []
    page.on("request", lambda r: None if r.url.startswith((lab, "data:", "blob:")) else external.append(r.url))
    page.goto(f"{lab}/?token={TOKEN}")
    page.wait_for_selector(".jp-MarkdownViewer table a", timeout=60_000)
    page.wait_for_timeout(4000)  # the dialogs come late
    assert page.locator(".jp-Dialog").count() == 0
    assert page.locator(".jp-toast-button, .Toastify__toast").count() == 0
    assert page.locator(".jp-MarkdownViewer table a").count() == len(list((ROOT / "notebooks").glob("*.ipynb")))
    assert page.url.endswith("/lab/tree/notebooks/README.md")
    assert external == []
    page.close()


def test_a_click_opens_a_lesson_with_its_pictures(lab: str, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    page.goto(f"{lab}/?token={TOKEN}")
    lesson = next(path for path in sorted((ROOT / "notebooks").glob("*.ipynb")))
    page.wait_for_load_state("networkidle")  # on a cold machine the link is there before what answers to it
    page.locator(
        f'.jp-MarkdownViewer table a[data-commandlinker-args*="{lesson.name}"], a[href*="{lesson.name}"]'
    ).first.click()
    page.wait_for_selector(".jp-Notebook .jp-MarkdownOutput h1", timeout=60_000)
    assert f"{int(lesson.name[:2])} · " in page.locator(".jp-Notebook .jp-MarkdownOutput h1").first.inner_text()
    picture = page.locator(".jp-Notebook img").first
    picture.wait_for(timeout=20_000)
    page.wait_for_function("(i) => i.complete && i.naturalWidth > 0", arg=picture.element_handle(), timeout=20_000)
    assert page.locator(".jp-Dialog").count() == 0
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=120_000)
    page.close()
