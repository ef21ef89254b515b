"""`make lab`: JupyterLab on a learner's copies, without a dialog, here only, with a token; widgets come back."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import TimeoutError

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-for-this-test"
LIMIT_S = 600
"""Far more than anything here takes, on a machine that is busy with other things."""
WORK = ROOT / f"work-test-{os.getpid()}"
"""Below the repository, as a learner's folder is, because the lessons' pictures are in it."""


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
    # As on a machine on which nobody ever used JupyterLab, and on which another Python is in the way.
    own = {name: str(output / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_SETTINGS_DIR")}
    kernel, packages = output / "other" / "kernels" / "python3", output / "packages" / "jupyter_server"
    for folder in (kernel, packages):
        folder.mkdir(parents=True)
    spec = {"argv": ["/of/another/python", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    (packages / "__init__.py").write_text("raise ImportError('of another Python')")
    leaks = {"JUPYTER_PATH": str(output / "other"), "PYTHONPATH": str(output / "packages")}
    environment = {**os.environ, **own, **leaks, "CARTPOLE_BOOK_OUTPUT": str(output), "CARTPOLE_BOOK_WORK": str(WORK)}
    lessons = {path: path.read_bytes() for path in (ROOT / "notebooks").glob("*.*") if path.is_file()}  # with README.md
    with (output / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            end = time.monotonic() + LIMIT_S
            while True:
                try:
                    urllib.request.urlopen(f"{address}/api", timeout=LIMIT_S)
                    break
                except (urllib.error.URLError, OSError):
                    assert process.poll() is None and time.monotonic() < end, (output / "log").read_text()
                    time.sleep(0.5)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(timeout=LIMIT_S)
            finally:
                process.kill()
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0, "JupyterLab outlives the command that started it"
            shutil.rmtree(WORK, ignore_errors=True)
            changed = [path.name for path, content in lessons.items() if path.read_bytes() != content]
            assert not changed, "the lessons' sources stay as they are"
            said = (output / "log").read_text()
            assert f"JUPYTER_PATH={leaks['JUPYTER_PATH']}" in said and f"PYTHONPATH={leaks['PYTHONPATH']}" in said
            assert f"{len(lessons) - 1} lessons copied" in said


def test_it_asks_for_a_token(lab: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{lab}/api/contents", timeout=LIMIT_S)
    assert refused.value.code == 403
    with urllib.request.urlopen(f"{lab}/api/contents?token={TOKEN}", timeout=LIMIT_S) as answer:
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
    page.wait_for_selector(".jp-MarkdownViewer table a")
    page.wait_for_timeout(4000)  # the dialogs come late
    assert page.locator(".jp-Dialog").count() == 0
    assert page.locator(".jp-toast-button, .Toastify__toast").count() == 0
    assert page.locator(".jp-MarkdownViewer table a").count() == len(list((ROOT / "notebooks").glob("*.ipynb")))
    page.wait_for_url(f"**/lab/tree/{WORK.name}/README.md")
    assert external == []
    page.close()


def test_a_click_opens_a_lesson_with_its_pictures(lab: str, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    page.goto(f"{lab}/?token={TOKEN}")
    lesson = next(path for path in sorted((ROOT / "notebooks").glob("*.ipynb")))
    page.wait_for_load_state("networkidle")  # on a cold machine the link is there before what answers to it
    link = f'.jp-MarkdownViewer table a[data-commandlinker-args*="{lesson.name}"], a[href*="{lesson.name}"]'
    for _ in range(9):  # on a slow machine the table may come to the front once more, after the click
        page.locator(link).first.click()
        try:
            page.wait_for_selector(".jp-Notebook .jp-MarkdownOutput h1", timeout=20_000)
            break
        except TimeoutError:
            page.get_by_role("tab", name="README.md").first.click()
    assert f"{int(lesson.name[:2])} · " in page.locator(".jp-Notebook .jp-MarkdownOutput h1").first.inner_text()
    picture = page.locator(".jp-Notebook img").first
    picture.wait_for()
    page.wait_for_function("(i) => i.complete && i.naturalWidth > 0", arg=picture.element_handle())
    assert page.locator(".jp-Dialog").count() == 0
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    page.close()


def open_notebook(lab: str, browser: Any, name: str) -> Any:
    """A page of its own with a notebook, its kernel at rest."""
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    page.goto(f"{lab}/lab/tree/{WORK.name}/{name}?token={TOKEN}&reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    return page


def end_all_kernels(lab: str) -> None:
    """As when the server was stopped in between."""
    with urllib.request.urlopen(f"{lab}/api/sessions?token={TOKEN}", timeout=LIMIT_S) as answer:
        sessions = json.load(answer)
    for session in sessions:
        request = urllib.request.Request(f"{lab}/api/sessions/{session['id']}?token={TOKEN}", method="DELETE")
        urllib.request.urlopen(request, timeout=LIMIT_S)


def test_widgets_come_back_with_the_notebook(lab: str, browser: Any) -> None:
    """Run, saved, the kernel ended, opened again: the widget. And without its model: its picture, not an error."""
    path = WORK / "widgets.ipynb"
    cell = nbformat.v4.new_code_cell("from cartpole_lab.teaching.widgets import Playground\nPlayground()")
    header = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=header), path)
    page = open_notebook(lab, browser, path.name)
    for _ in range(4):  # what is asked of a kernel that has not quite come up is lost
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator('.lm-Menu-item[data-command="runmenu:run-all"]').click()
        try:
            page.wait_for_selector(".jp-OutputArea .cl", timeout=90_000)
            break
        except TimeoutError:
            page.keyboard.press("Escape")

    def saved() -> Any:
        """What the file holds; JupyterLab empties it before it writes it anew."""
        end = time.monotonic() + LIMIT_S
        while True:
            try:
                return nbformat.read(path, as_version=4)
            except ValueError:
                assert time.monotonic() < end
                time.sleep(0.1)

    for _ in range(60):
        page.keyboard.press("Control+s")
        page.wait_for_timeout(1000)
        if saved().metadata.get("widgets") and saved().cells[0].outputs:
            break
    assert saved().metadata.get("widgets"), "the state of the widgets is not saved"
    page.close()

    end_all_kernels(lab)
    page = open_notebook(lab, browser, path.name)
    page.wait_for_selector(".jp-OutputArea .cl")
    assert "model not found" not in page.locator(".jp-Notebook").inner_text()
    page.close()

    end_all_kernels(lab)
    notebook = saved()
    del notebook.metadata["widgets"]
    assert "application/vnd.jupyter.widget-view+json" in notebook.cells[0].outputs[0].data
    nbformat.write(notebook, path)
    page = open_notebook(lab, browser, path.name)
    picture = page.locator('.jp-OutputArea img[src^="data:image/png"]').first
    picture.wait_for()
    assert picture.bounding_box()["width"] > 200
    assert "model not found" not in page.locator(".jp-Notebook").inner_text()
    page.close()


def test_an_exported_page_shows_the_picture_of_a_widget(lab: str) -> None:
    """Both with JupyterLab's menu and with the command, whose pages ask a server for what would draw the widget."""
    view = {"model_id": "a1", "version_major": 2, "version_minor": 0}
    picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    data = {"application/vnd.jupyter.widget-view+json": view, "image/png": picture, "text/plain": "a widget"}
    cell = nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("display_data", data)], execution_count=1)
    model = {"model_module": "anywidget", "model_module_version": "*", "model_name": "AnyModel", "state": {}}
    state = {"version_major": 2, "version_minor": 0, "state": {"a1": model}}
    notebook = nbformat.v4.new_notebook(
        cells=[cell], metadata={"widgets": {"application/vnd.jupyter.widget-state+json": state}}
    )
    nbformat.write(notebook, WORK / "export.ipynb")
    address = f"{lab}/nbconvert/html/{WORK.name}/export.ipynb?token={TOKEN}"
    with urllib.request.urlopen(address, timeout=LIMIT_S) as answer:
        assert f"data:image/png;base64,{picture}" in answer.read().decode()
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--stdout", str(WORK / "export.ipynb")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"data:image/png;base64,{picture}" in done.stdout
