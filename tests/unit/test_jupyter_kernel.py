"""The Isaac Sim kernel: its spec, its way into Jupyter and out, and how it starts Isaac Sim (a stand-in here)."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from standin_isaacsim_install import install_standin

from cartpole_lab import jupyter_kernel as kernel
from cartpole_lab.errors import UserError
from cartpole_lab.isaac_sim import EULA_URL, VERSION

jupyter_client = pytest.importorskip("jupyter_client")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def jupyter_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Jupyter folder of its own."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.delenv("OMNI_KIT_ACCEPT_EULA", raising=False)
    return tmp_path / "jupyter"


def test_spec_names_presets_and_asks_for_no_licence() -> None:
    spec = kernel.kernel_spec()
    assert spec["argv"][:3] == [sys.executable, "-m", "cartpole_lab.jupyter_kernel"]
    assert spec["env"]["CARTPOLE_LAB_PHYSICS"] == "isaacsim_physx"
    assert spec["env"]["CARTPOLE_LAB_RENDERER"] == "isaacsim_rtx"
    assert "OMNI_KIT_ACCEPT_EULA" not in spec["env"]
    assert kernel.kernel_spec(accept_eula=True)["env"]["OMNI_KIT_ACCEPT_EULA"] == "yes"


def test_presets_of_the_spec_are_isaac_labs() -> None:
    from isaaclab_tasks.utils.presets import MultiBackendRendererCfg

    from cartpole_lab.physics import CartpolePhysicsCfg

    env = kernel.kernel_spec()["env"]
    assert env["CARTPOLE_LAB_PHYSICS"] in CartpolePhysicsCfg.__dataclass_fields__
    assert env["CARTPOLE_LAB_RENDERER"] in MultiBackendRendererCfg.__dataclass_fields__


@pytest.mark.parametrize(("platform", "starter"), [("linux", "python.sh"), ("win32", "python.bat")])
def test_downloaded_isaac_sim_starts_with_its_own_python(tmp_path: Path, platform: str, starter: str) -> None:
    with pytest.raises(UserError, match=starter):
        kernel.kernel_spec(isaacsim_path=tmp_path, platform=platform)
    (tmp_path / starter).touch()
    spec = kernel.kernel_spec(isaacsim_path=tmp_path, platform=platform)
    assert spec["argv"][0] == str(tmp_path / starter)
    assert "LD_PRELOAD" not in spec["env"]
    assert spec["env"]["ISAAC_JUPYTER_KERNEL"] == "1", "its starter would run an event loop of its own"
    assert "ISAAC_JUPYTER_KERNEL" not in kernel.kernel_spec()["env"]


def test_pip_installed_isaac_sim_gets_its_environment_shim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = tmp_path / "isaacsim" / "kit" / "kernel" / "plugins" / "libcarb.env.shim.so"
    shim.parent.mkdir(parents=True)
    shim.touch()
    (tmp_path / "isaacsim" / "__init__.py").write_text("raise ImportError('must not be imported to install a kernel')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    assert kernel.kernel_spec(platform="linux")["env"]["LD_PRELOAD"] == str(shim)
    assert "LD_PRELOAD" not in kernel.kernel_spec(platform="win32")["env"]


def test_without_an_answer_the_licence_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115 - closed with the process
    assert kernel.ask_eula() is False


@pytest.mark.parametrize(
    ("answer", "accepted"), [("y", True), ("YES", True), ("", False), ("no", False), ("ok", False)]
)
def test_only_a_yes_accepts_the_licence(monkeypatch: pytest.MonkeyPatch, answer: str, accepted: bool) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _prompt: answer)
    assert kernel.ask_eula() is accepted


def test_install_list_remove(jupyter_home: Path) -> None:
    from jupyter_client.kernelspec import KernelSpecManager

    folder = kernel.install(accept_eula=False)
    assert folder.is_relative_to(jupyter_home)
    assert kernel.installed() == folder
    spec = KernelSpecManager().get_all_specs()[kernel.KERNEL_NAME]["spec"]
    assert spec["display_name"] == kernel.DISPLAY_NAME
    kernel.install(accept_eula=True)
    assert json.loads((folder / "kernel.json").read_text())["env"]["OMNI_KIT_ACCEPT_EULA"] == "yes"
    assert kernel.remove() == folder
    assert not folder.exists()
    assert kernel.KERNEL_NAME not in KernelSpecManager().find_kernel_specs()
    with pytest.raises(UserError, match="not installed"):
        kernel.remove()


@pytest.fixture
def standin(tmp_path: Path) -> Path:
    """Isaac Sim's stand-in, whole, with nobody's licence accepted."""
    return install_standin(tmp_path / "site")


@pytest.fixture
def run_cells(jupyter_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Start the installed kernel and run cells in it: text printed, and errors as (name, value)."""
    from jupyter_client.manager import start_new_kernel

    managers = []

    def run(*cells: str, accept_eula: bool, path: list[Path], **env: str) -> list[tuple[str, list[tuple[str, str]]]]:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, [*path, ROOT])))
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        kernel.install(accept_eula=accept_eula)
        manager, client = start_new_kernel(kernel_name=kernel.KERNEL_NAME, startup_timeout=600)
        managers.append((manager, client))
        results = []
        for cell in cells:
            printed: list[str] = []
            errors: list[tuple[str, str]] = []

            def hook(message: dict, printed: list[str] = printed, errors: list[tuple[str, str]] = errors) -> None:
                content = message["content"]
                if message["msg_type"] == "stream":
                    printed.append(content["text"])
                elif message["msg_type"] == "error":
                    errors.append((content["ename"], content["evalue"]))

            client.execute_interactive(cell, timeout=600, output_hook=hook)
            results.append(("".join(printed), errors))
        return results

    yield run
    for manager, client in managers:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.skipif(importlib.util.find_spec("isaacsim") is not None, reason="Isaac Sim is installed here")
def test_first_cell_without_isaac_sim_is_one_line_with_the_command(run_cells) -> None:
    [(printed, errors)] = run_cells("print('ran')", accept_eula=False, path=[])
    assert "ran" not in printed
    [(_, line)] = errors
    assert "\n" not in line
    assert "Isaac Sim is not installed" in line
    assert f'"isaacsim[all,extscache]=={VERSION}"' in line and "override" in line


def test_first_cell_without_the_licence_says_so(run_cells, standin: Path, tmp_path: Path) -> None:
    """No box asks for an answer to a question whose text nobody saw: the cell ends with the licence's address."""
    record, asked = tmp_path / "record.jsonl", tmp_path / "asked"
    [(_, errors)] = run_cells(
        "1 + 1", accept_eula=False, path=[standin], STANDIN_RECORD=str(record), STANDIN_ASKED=str(asked)
    )
    assert "--accept-eula" in errors[0][1] and EULA_URL in errors[0][1]
    assert not record.exists() and not asked.exists(), "Isaac Sim was called without its licence"


def test_first_cell_starts_isaac_sim_once_and_cells_still_print(run_cells, standin: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    first, second = run_cells(
        "print('first cell ran')",
        "import sys; print('second', sys.argv[0][-9:], len(sys.argv))",
        accept_eula=True,
        path=[standin],
        STANDIN_RECORD=str(record),
    )
    assert first[1] == [] and second[1] == []
    assert "first cell ran" in first[0], "Kit took the notebook's output away"
    assert second[0].startswith("second")
    [call] = [json.loads(line) for line in record.read_text().splitlines()]
    assert call["config"]["headless"] is True
    assert Path(call["experience"]).name == "isaaclab.python.headless.rendering.kit"
    assert call["eula"] == "yes"
    assert (call["physics"], call["renderer"]) == ("isaacsim_physx", "isaacsim_rtx")
    assert "-f" not in call["argv"], "Kit would read the kernel's connection file as an argument of its own"


def test_a_failing_start_is_told_in_the_notebook(run_cells, standin: Path, tmp_path: Path) -> None:
    [(_, errors)] = run_cells(
        "1", accept_eula=True, path=[standin], STANDIN_RECORD=str(tmp_path / "record"), STANDIN_FAILS="1"
    )
    assert "no GPU for rendering" in errors[0][1]
