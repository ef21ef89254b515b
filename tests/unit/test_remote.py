"""Asking for a task's files before a simulator starts, with the network really out of reach."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from cartpole_lab.errors import UserError
from cartpole_lab.session import remote_assets as remote

AT_ONCE = 8


@contextlib.contextmanager
def serving(answer: Callable[[str], int]) -> Iterator[str]:
    """A server on this machine that answers a path with a code; gives its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(answer(self.path))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()


@pytest.fixture
def server() -> Iterator[str]:
    """A server that has /here.usd and nothing else."""
    with serving(lambda path: 200 if path == "/here.usd" else 404) as address:
        yield address


@pytest.fixture
def server_that_waits_for_all() -> Iterator[str]:
    """A server that answers nobody before all have asked."""
    all_there = threading.Barrier(AT_ONCE, timeout=100)
    with serving(lambda path: 200 if all_there.wait() >= 0 else 500) as address:
        yield address


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes a connection and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/never.usd"


def test_reachable_missing_and_unknown(server: str) -> None:
    unknown = "http://no-such-host.invalid/robot.usd"
    reasons = remote.unreachable([f"{server}/here.usd", f"{server}/gone.usd", unknown], timeout_s=30)
    assert set(reasons) == {f"{server}/gone.usd", unknown}
    assert reasons[f"{server}/gone.usd"] == "HTTP 404"


def test_a_server_that_never_answers_is_given_up(silent: str) -> None:
    reasons = remote.unreachable([silent] * 3 + [f"{silent}?{n}" for n in range(20)], timeout_s=0.5)
    assert len(reasons) == 21


def test_all_are_asked_at_once(server_that_waits_for_all: str) -> None:
    """One after the other none would be answered."""
    files = [f"{server_that_waits_for_all}/{n}.usd" for n in range(AT_ONCE)]
    assert remote.unreachable(files, timeout_s=120) == {}


def test_files_are_found_anywhere_in_a_config() -> None:
    cfg = SimpleNamespace(
        scene=SimpleNamespace(
            robots=[{"usd_path": "https://a.invalid/robot.usd"}, "https://a.invalid/folder"],
            local="/here/robot.usd",
        )
    )
    cfg.scene.itself = cfg.scene
    assert remote.remote_files(cfg) == ["https://a.invalid/robot.usd"]


def test_check_assets_names_what_is_missing_in_time(silent: str) -> None:
    with pytest.raises(UserError, match=r"1 of 1 files .*never\.usd.*ISAACSIM_ASSET_ROOT"):
        remote.check_assets(SimpleNamespace(scene={"robot": silent}), timeout_s=0.5)


def test_check_assets_takes_isaac_labs_copy(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    copy = tmp_path / "https" / "no-such-host.invalid" / "robot.usd"
    copy.parent.mkdir(parents=True)
    copy.touch()
    remote.check_assets({"scene": "https://no-such-host.invalid/robot.usd"}, timeout_s=1.0)


def test_copies_are_looked_for_where_isaac_lab_keeps_them(tmp_path) -> None:
    from isaaclab.utils import assets

    url = "https://no-such-host.invalid:99/a/robot.usd"
    expected = assets._mirror_path(url, str(tmp_path))
    assert expected == str(tmp_path / "https" / "no-such-host.invalid_99" / "a" / "robot.usd")


def test_the_tutorials_own_tasks_need_no_download() -> None:
    from cartpole_lab.tasks.cartpole_camera_env_cfg import CartpoleDepthCameraEnvCfg
    from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

    for cfg in (CartpoleEnvCfg(), CartpoleDepthCameraEnvCfg()):
        assert remote.remote_files(cfg) == []


def test_isaac_labs_task_with_its_files_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real config of one of Isaac Lab's tasks, with its server moved to a place that does not exist."""
    from cartpole_lab import session

    cfg, _ = session.load_cfg("Isaac-Ant", agent=None)
    [file] = remote.remote_files(cfg.scene)
    cfg.scene.robot.spawn.usd_path = file.replace(file.split("/")[2], "no-such-host.invalid")
    with pytest.raises(UserError, match="ant_instanceable"):
        remote.check_assets(cfg)
