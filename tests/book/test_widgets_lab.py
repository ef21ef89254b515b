"""The widgets in JupyterLab with a live kernel: sliders reach Python and back, Train trains, Stop keeps."""

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
SEEN_WITHIN_S = 3.0
"""Twenty times what it takes on a quiet machine: where it takes longer every time, it is no matter of a slow one."""
LIMIT_S = 600
"""Far more than anything here takes, on a machine that is busy with other things."""
CELLS = [
    """import json, pathlib
from test_widgets_browser import five_seconds
from cartpole_lab.teaching.widgets import RewardMixer, Trainer
mixer = RewardMixer({"recorded": five_seconds()})
def keep(_):
    pathlib.Path("weights.json").write_text(json.dumps(mixer.weights))
mixer.observe(keep, "weights")""",
    "mixer",
    """def rehearse(weights, ppo, on_epoch):
    from cartpole_lab.training.rl_games_train import train
    words = [f"env.rewards.{name}.weight={value}" for name, value in weights.items()]
    words += [f"agent.params.config.{name}={value}" for name, value in ppo.items()]
    return train(num_envs=512, device="cpu", max_iterations=1000000, eval_interval=0, eval_episodes=128,
                 overrides=words, on_epoch=on_epoch, progress=False)
def film(run):
    from cartpole_lab.video.rollout import record_rollout
    return record_rollout(run.checkpoint, device="cpu", num_envs=2, steps=300)
trainer = Trainer(rehearse, film=film)
def count(_):
    pathlib.Path("policies.json").write_text(json.dumps(len(trainer.page_policies)))
trainer.observe(count, "page_runs")
trainer""",
    """mixer.weights = {**mixer.weights, "cart_vel": -0.25}
print("ran to the end")""",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A JupyterLab on a folder with one notebook; gives the address and the folder."""
    sys.path.insert(0, str(ROOT / "book"))
    from lab import lab_environment

    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, folder / "widgets.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = shutil.which("jupyter-lab", path=str(Path(sys.executable).parent)) or shutil.which("jupyter-lab")
    assert script, "jupyter-lab is not installed"
    command = [script, "--no-browser", "--allow-root", f"--port={port}", f"--IdentityProvider.token={TOKEN}"]
    command += [f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0"]
    own = folder.parent / "jupyter"
    environment = lab_environment(own / "config")
    environment |= {name: str(own / name) for name in ("JUPYTER_DATA_DIR", "JUPYTERLAB_SETTINGS_DIR")}
    paths = [str(ROOT / "tests" / "book"), str(ROOT / "tests" / "unit"), environment["PYTHONPATH"]]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    environment["JUPYTERLAB_WORKSPACES_DIR"] = str(own / "workspaces")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            end = time.monotonic() + LIMIT_S
            while True:
                try:
                    urllib.request.urlopen(f"{address}/api", timeout=60)
                    break
                except (urllib.error.URLError, OSError):
                    assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
                    time.sleep(0.5)
            yield address, folder
        finally:
            process.terminate()
            try:
                process.wait(timeout=LIMIT_S)
            finally:
                process.kill()


@pytest.fixture(scope="module")
def page(lab: tuple[str, Path], browser: Any) -> Iterator[Any]:
    """The notebook, run from top to bottom."""
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    page.goto(f"{lab[0]}/lab/tree/widgets.ipynb?token={TOKEN}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    page.wait_for_timeout(2500)
    for _ in range(4):  # what is asked of a kernel that has not quite come up is lost
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator('.lm-Menu-item[data-command="runmenu:run-all"]').click()
        try:
            page.wait_for_selector('.jp-OutputArea :text("ran to the end")', timeout=240_000)
            break
        except TimeoutError:
            page.keyboard.press("Escape")
    else:
        pytest.fail("the notebook did not run to its end")
    page.wait_for_function("document.querySelectorAll('.cl').length >= 2")
    page.wait_for_timeout(2500)
    yield page
    page.close()


def _mixer(page: Any) -> Any:
    widget = page.locator('.cl[aria-label="Reward mixer"]').first
    widget.scroll_into_view_if_needed()
    return widget


def _python_hears(path: Path, name: str, value: float, since: float) -> float:
    """Wait until Python's own dict holds the value; seconds from ``since`` to the moment it was written down."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if path.is_file():
            try:
                seen = json.loads(path.read_text())[name]
            except (json.JSONDecodeError, KeyError):
                seen = None
            if seen == pytest.approx(value):
                return path.stat().st_mtime - since
        time.sleep(0.01)
    raise AssertionError(f"Python never heard of {name} = {value}")


def test_python_moves_a_slider(page: Any) -> None:
    slider = _mixer(page).locator("input[data-name=cart_vel]")
    assert float(slider.input_value()) == pytest.approx(-0.25)


def test_keys_move_a_slider_and_python_hears(page: Any, lab: tuple[str, Path]) -> None:
    widget = _mixer(page)
    slider = widget.locator("input[data-name=pole_pos]")
    slider.focus()
    total = widget.get_attribute("data-total")
    cell = page.locator(".jp-Notebook .jp-Cell.jp-mod-active").count()
    waits = []
    for press in range(1, 8):
        since = time.time()
        page.keyboard.press("ArrowLeft")
        waits.append(_python_hears(lab[1] / "weights.json", "pole_pos", -1 - 0.05 * press, since))
        page.wait_for_timeout(150)
    waits.sort()
    print(f"\nslider to Python: median {1000 * waits[3]:.0f} ms, worst {1000 * waits[-1]:.0f} ms")
    assert widget.get_attribute("data-total") != total
    assert page.locator(".jp-Notebook .jp-Cell.jp-mod-active").count() == cell, "the keys moved between cells"
    assert waits[0] < SEEN_WITHIN_S


def test_the_mouse_moves_a_slider(page: Any, lab: tuple[str, Path]) -> None:
    slider = _mixer(page).locator("input[data-name=alive]")
    box = slider.bounding_box()
    since = time.time()
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    value = float(slider.input_value())
    assert value > 2
    _python_hears(lab[1] / "weights.json", "alive", value, since)


def test_train_grows_a_curve_and_stop_keeps_it(page: Any) -> None:
    widget = page.locator('.cl[aria-label="Trainer"]').first
    widget.scroll_into_view_if_needed()
    mode = "document.querySelector('.cl[aria-label=\"Trainer\"]').dataset"
    page.wait_for_function(f"{mode}.mode === 'live'")
    widget.get_by_role("button", name="Train in Isaac Lab").click()
    page.wait_for_function(f"Number({mode}.points) >= 3")
    few = int(widget.get_attribute("data-points"))
    page.wait_for_function(f"Number({mode}.points) >= {few + 5}")
    widget.get_by_role("button", name="Stop").click()
    page.wait_for_function(f"{mode}.runs === '1' && {mode}.state === 'idle'")
    row = widget.locator("tbody tr").first.inner_text()
    epochs = int(row.split("\t")[5])
    print(f"\nstopped after {epochs} epochs of a million: {row!r}")
    assert few < epochs < 1000000
    assert "%" in row
    widget.get_by_role("button", name="shown").wait_for()


def test_the_page_trains_beside_isaac_lab(page: Any, lab: tuple[str, Path]) -> None:
    """The other engine of the same widget; its policy comes to Python."""
    widget = page.locator('.cl[aria-label="Trainer"]').first
    before = int(widget.get_attribute("data-runs"))
    widget.get_by_label("Carts that learn").select_option("64")
    widget.locator("input[data-name=max_epochs]").evaluate(
        "(i) => { i.value = 10; i.dispatchEvent(new Event('input')); }"
    )
    widget.get_by_role("button", name="Train in the page").click()
    page.wait_for_function(
        "(n) => document.querySelector('.cl[aria-label=\"Trainer\"]').dataset.runs === String(n + 1)",
        arg=before,
    )
    end, kept = time.monotonic() + LIMIT_S, lab[1] / "policies.json"
    while not (kept.is_file() and kept.read_text() == "1"):
        assert time.monotonic() < end, "the policy never came to Python"
        page.wait_for_timeout(100)
