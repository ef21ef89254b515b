"""Malformed inputs by the thousand, each with what is true of it: whether it may be taken.

``valid`` is known from how an input was made, not from what the code says of it: a word with a letter too few, a number
where a list belongs, a file cut in half. Everything runs in this process, through the functions that the commands call.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import random
import re
import signal
import string
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cartpole_lab.errors import UserError


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        kind: What it is one of.
        text: The input, in words.
        valid: Whether it may be taken; None where it may or may not, but must not fail.
        feed: Gives it to the code: returns whether it was taken. UserError and SystemExit(2) are refusals.
    """

    kind: str
    text: str
    valid: bool | None
    feed: Callable[[], bool]


@dataclass
class Count:
    """What became of the inputs of a kind."""

    inputs: int = 0
    refused: int = 0
    taken: int = 0
    wrong: list[str] = field(default_factory=list)


LIMIT_S = 60.0
"""Longest that one input may take [s]."""


class Hung(BaseException):
    """An input took longer than :data:`LIMIT_S`."""


@contextlib.contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """Raise :class:`Hung` in the block after some time; one that hangs outside of Python ends the process later."""

    def stop(*_: Any) -> None:
        raise Hung(f"no answer within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(5 * seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judge(case: Case, count: Count, limit_s: float = LIMIT_S) -> None:
    """Feed one input and note what is wrong with the answer."""
    count.inputs += 1
    said = io.StringIO()
    try:
        with in_time(limit_s), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            taken = case.feed()
    except UserError as error:
        taken = False
        if not str(error).strip():
            count.wrong.append(f"{case.text}: refused without a word")
    except SystemExit as error:
        taken = False
        if error.code != 2:
            count.wrong.append(f"{case.text}: exit code {error.code!r}")
    except BaseException as error:
        count.wrong.append(f"{case.text}: {type(error).__name__}: {str(error)[:200]}")
        return
    count.taken += taken
    count.refused += not taken
    if case.valid is not None and taken != case.valid:
        count.wrong.append(f"{case.text}: {'taken' if taken else 'refused'}: {said.getvalue()[:200]}")


def run(cases: Iterator[Case]) -> dict[str, Count]:
    """Feed all inputs; what became of them, by kind."""
    table: dict[str, Count] = {}
    for case in cases:
        judge(case, table.setdefault(case.kind, Count()))
    return table


# -- flags and override words


class Reached(Exception):
    """A training would have begun."""


def _train(argv: list[str], root: Path) -> bool:
    """Whether ``cartpole-lab train`` would begin a training with these words; stops where it makes its folder."""
    from cartpole_lab.cli import main
    from cartpole_lab.training import rl_games_train

    def stop(*args: Any, **kwargs: Any) -> None:
        raise Reached

    before, rl_games_train.make_log_dir = rl_games_train.make_log_dir, stop
    try:
        code = main(["train", "--device", "cpu", "--num_envs", "16", "--log_root", str(root / "logs"), *argv])
    except Reached:
        return True
    finally:
        rl_games_train.make_log_dir = before
        assert not (root / "logs").exists(), "a folder was left"
    if code == 2:
        raise UserError("exit code 2")
    raise AssertionError(f"exit code {code}")


_NO_NUMBER = ("abc", "", "1e", "--", "0x1", "1,2", "[1]", "NaN", "inf", "1 2", "é", "1.5.2")
_FLAGS = {"--num_envs": 1, "--max_iterations": 1, "--eval_interval": 0, "--eval_episodes": 1, "--seed": -1}


def flags(root: Path, draw: random.Random) -> Iterator[Case]:
    """Flags of ``train`` with values that are none, too small, or right; flags that there are not."""
    for flag, least in _FLAGS.items():
        values = [(text, False) for text in (*_NO_NUMBER, "2.5", str(least - 1), str(least - 7), "-99999")]
        values += [(str(least), True), (str(least + draw.randrange(1, 9)), True)]
        for text, valid in values:
            argv = [f"{flag}={text}"]
            yield Case("flags", " ".join(argv), valid, lambda argv=argv: _train(argv, root))
    for text, valid in (("3", False), ("-21", False), ("nan", False), ("x", False), ("0", True), ("-1", True)):
        yield Case("flags", f"--sigma={text}", valid, lambda text=text: _train([f"--sigma={text}"], root))
    for flag in ("num_envs", "max_iterations", "eval_interval", "stop_when_solved", "rl_library"):
        for _ in range(6):
            argv = [f"--{_misspelt(flag, draw)}=1"]
            yield Case("flags", argv[0], False, lambda argv=argv: _train(argv, root))
    for text in ("cpu:0", "cuda:99", "gpu", "", "cuda:x", "mps", "CPU "):
        yield Case("flags", f"--device={text}", False, lambda text=text: _train([f"--device={text}"], root))
    for text in ("Isaac-Cartpole-v9", "", "../x", "os:system", "x.py:Task", "Isaac-Ant-v0"):
        yield Case("flags", f"--task={text}", False, lambda text=text: _train([f"--task={text}"], root))


def _misspelt(name: str, draw: random.Random) -> str:
    """A name with one slip of the hand."""
    place, letter = draw.randrange(1, len(name)), draw.choice(string.ascii_lowercase)
    made = draw.choice([name[:place] + letter + name[place:], name[:place] + letter + name[place + 1 :]])
    return made if made != name and not made.startswith(name) else name[:1] + "q" + name[1:]


def _leaves(values: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, dict):
        for key, value in values.items():
            if isinstance(key, str) and key.isidentifier():
                yield from _leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(values, bool | int | float | str):
        yield path, values


def words(draw: random.Random, count: int) -> Iterator[Case]:
    """Override words: names with a slip, values of another kind, syntax; and right ones between them."""
    from cartpole_lab.session.env import load_cfg
    from cartpole_lab.session.env_settings import plain

    env_cfg, agent_cfg = load_cfg()
    parts = (
        "rewards.",
        "scene.",
        "sim.dt",
        "sim.gravity",
        "events.",
        "terminations.",
        "actions.",
        "scene.num_envs",
        "decimation",
    )
    env = [(f"env.{p}", v) for p, v in _leaves(plain(env_cfg)) if p.startswith(parts) and not isinstance(v, str)]
    agent = [(f"agent.{p}", v) for p, v in _leaves(agent_cfg) if p.startswith("params.config.")]
    numeric = [(p, v) for p, v in (*env, *agent) if type(v) in (int, float) and not p.endswith(".num_actors")]

    def load(word: str) -> bool:
        load_cfg(overrides=[word])
        return True

    for text in (
        "env",
        "env.",
        "=3",
        "env.=3",
        "env.decimation",
        "x.y=3",
        "env.decimation==3",
        "env..decimation=2",
        "a b=c",
    ):
        yield Case("words", text, False, lambda text=text: load(text))
    for number in range(count):
        path, value = draw.choice(numeric)
        head, _, leaf = path.rpartition(".")
        other = draw.choice(["abc", "[1,2,3]", "{a: 1}", "true", "nan", ".nan", "", "[", "{"])
        if number % 5 == 0:
            word, valid = f"{path}={value}", True
        elif number % 5 == 1:
            word, valid = f"{head}.{_misspelt(leaf, draw)}={value}", False
        elif number % 5 == 2:
            word, valid = f"{path}={other}", False
        elif number % 5 == 3:
            word, valid = f"{_misspelt(head, draw)}.{leaf}={value}", False
        else:
            word, valid = f"{path}.{leaf}={value}", False  # deeper than a number goes
        yield Case("words", word, valid, lambda word=word: load(word))


# -- files


def damaged(data: bytes, draw: random.Random) -> tuple[str, bytes]:
    """A file's bytes with damage, and which."""
    what = draw.choice(["cut", "flipped", "zeroed", "inserted", "replaced"])
    place = draw.randrange(len(data))
    if what == "cut":
        return what, data[:place]
    if what == "flipped":
        return what, data[:place] + bytes([data[place] ^ (1 << draw.randrange(8))]) + data[place + 1 :]
    if what == "zeroed":
        return what, data[:place] + bytes(min(64, len(data) - place)) + data[place + 64 :]
    if what == "inserted":
        return what, data[:place] + draw.randbytes(draw.randrange(1, 9)) + data[place:]
    return what, draw.randbytes(len(data) // 4)


def checkpoints(files: dict[str, Path], folder: Path, draw: random.Random, each: int) -> Iterator[Case]:
    """Checkpoints of all libraries, damaged: refused, or the policy that it was, to the last bit."""
    from cartpole_lab.policies.checkpoint import open_checkpoint
    from cartpole_lab.policies.loading import load_policy

    obs = torch.linspace(-1, 1, 32).reshape(8, 4)
    for library, path in files.items():
        data, right = path.read_bytes(), load_policy(path)(obs)

        def same(file: Path, right: torch.Tensor = right) -> bool:
            policy = load_policy(open_checkpoint(file))
            if not torch.equal(policy(obs), right):
                raise AssertionError("taken, and it is another policy")
            return True

        for number in range(each):
            what, content = damaged(data, draw)
            file = folder / f"{library}_{number}{path.suffix}"

            def feed(file: Path = file, content: bytes = content, same: Callable[[Path], bool] = same) -> bool:
                file.write_bytes(content)
                try:
                    return same(file)
                finally:
                    file.unlink()

            yield Case(f"checkpoints of {library}", f"{what}, {len(content)} bytes", None, feed)


_JSON = (
    "",
    "{",
    "[]",
    "3",
    "null",
    '"x"',
    "{}",
    '{"library": 3}',
    '{"saved": 3}',
    '{"best": []}',
    '{"best": {"file": "../x"}}',
    '{"latest": "../../etc/passwd"}',
    '{"latest": 3}',
    '{"saved": [{"file": 3}]}',
    '{"library": "rl_games"}',
    "\x00\x01",
    '{"best": {"file": null}}',
    '{"saved": [1, null, {}]}',
    '{"created_at": "yesterday"}',
    "[" * 3000,
    '{"a": NaN}',
    "é",
)


def odd_value(draw: random.Random, depth: int = 3) -> Any:
    """Some value that JSON has, of any kind."""
    kinds = [None, True, -1, 0, 10**400, 1.5, float("nan"), "", "a\0b", "x" * 300, "../..", "nn/cartpole.pth", "9999"]
    if depth == 0 or draw.random() < 0.5:
        return draw.choice(kinds)
    below = [odd_value(draw, depth - 1) for _ in range(draw.randrange(3))]
    return below if draw.random() < 0.5 else {draw.choice(("file", "agent", "x")): value for value in below}


def retyped(whole: bytes, draw: random.Random) -> bytes:
    """A JSON file in which one value, at any depth, is another one."""
    data = json.loads(whole)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    walk(data)
    node, key = draw.choice(places)
    node[key] = odd_value(draw)
    return json.dumps(data).encode()


def run_folders(run_dir: Path, draw: random.Random, each: int) -> Iterator[Case]:
    """Records, summaries, curves and settings of a run, damaged: never more than a refusal."""
    from cartpole_lab.policies import Run, find_checkpoint, find_runs

    def look(root: Path) -> bool:
        for found in find_runs(root):
            _ = found.summary, found.agent, found.best, found.latest, found.checkpoints, found.created_at
            for name in ("curve", "agent_cfg", "env_cfg"):
                with contextlib.suppress(UserError):
                    getattr(found, name)
        for which in ("best", "latest"):
            find_checkpoint(which, log_root=root, say=lambda line: None)
        Run.open(run_dir)
        return True

    names = ("run.json", "checkpoints.json", "summary.json", "curve.npz", "params/agent.yaml", "params/env.yaml")
    for name in names:
        path = run_dir / name
        whole = path.read_bytes()
        contents = [text.encode() for text in _JSON] + [damaged(whole, draw)[1] for _ in range(each)]
        contents += [retyped(whole, draw) for _ in range(3 * each)] if name.endswith(".json") else []
        for content in contents:

            def feed(path: Path = path, content: bytes = content, whole: bytes = whole) -> bool:
                path.write_bytes(content)
                try:
                    return look(run_dir.parents[1])
                finally:
                    path.write_bytes(whole)

            yield Case("run folders, curves, summaries", f"{name}: {content[:40]!r}", None, feed)


def agent_yaml(bare: Path, settings: Path, draw: random.Random, count: int) -> Iterator[Case]:
    """Settings of an agent for a file that lacks them: damaged, of another kind, with code in them."""
    from cartpole_lab.policies.checkpoint import open_checkpoint
    from cartpole_lab.policies.loading import load_policy

    text = settings.read_text()
    lines = text.splitlines()

    def feed(content: bytes) -> bool:
        file = bare.with_name("agent.yaml")
        file.write_bytes(content)
        load_policy(open_checkpoint(bare, agent_cfg=file, task="Isaac-Cartpole-v0"))(torch.zeros(2, 4))
        return True

    odd = (
        "",
        "3",
        "[]",
        "params: 3",
        "params: {}",
        "params: {network: 3}",
        "!!python/object/apply:os.system ['true']",
        "\x00",
        "params: {config: {}, network: {name: x}}",
        ": :",
        "- a\nb: c",
        "a: *b",
        "{" * 500,
        "params: !!python/name:os.system",
    )
    for content in odd:
        yield Case("agent YAML", repr(content[:40]), False, lambda content=content: feed(content.encode()))
    yield Case("agent YAML", "as it was", True, lambda: feed(text.encode()))
    for _ in range(count):
        if draw.random() < 0.5:
            content = damaged(text.encode(), draw)[1]
        else:
            kept = [line for line in lines if draw.random() > 0.1]
            content = "\n".join(kept).encode()
        yield Case("agent YAML", repr(content[:40]), None, lambda content=content: feed(content))


def policies_as_numbers(path: Path, draw: random.Random, count: int) -> Iterator[Case]:
    """Policies as JSON, damaged or with one value of another kind: refused, or a policy whose answers are numbers."""
    from cartpole_lab.policies.checkpoint import open_checkpoint
    from cartpole_lab.policies.loading import load_policy

    whole, obs = path.read_bytes(), torch.linspace(-1, 1, 32).reshape(8, 4)
    for number in range(count):
        content = retyped(whole, draw) if number % 2 else damaged(whole, draw)[1]

        def feed(content: bytes = content) -> bool:
            file = path.with_name("odd.json")
            file.write_bytes(content)
            actions = load_policy(open_checkpoint(file), obs_shape=(4,))(obs)
            assert bool(torch.isfinite(actions).all()), "taken, and its answers are not numbers"
            return True

        yield Case("policies as numbers", repr(content[:40]), None, feed)


def rollouts(path: Path, draw: random.Random, count: int) -> Iterator[Case]:
    """Recordings, damaged or of another kind: refused, or the recording that it was."""
    from cartpole_lab import Rollout

    whole, right = path.read_bytes(), Rollout.load(path)
    np.savez(other := io.BytesIO(), a=np.zeros(3))
    np.savez(named := io.BytesIO(), **{name: np.array("x") for name in ("step_dt", "joint_names", "weights/a")})
    contents = [b"", b"x", other.getvalue(), named.getvalue(), *(damaged(whole, draw)[1] for _ in range(count))]
    for content in contents:

        def feed(content: bytes = content) -> bool:
            file = path.with_name("odd.npz")
            file.write_bytes(content)
            assert np.array_equal(Rollout.load(file).rewards, right.rewards), "taken, and it is another one"
            return True

        yield Case("rollouts", repr(content[:40]), None, feed)


_ROBOT = Path(__file__).resolve().parents[2] / "cartpole_lab" / "tasks" / "assets" / "cartpole.usda"


def usd(folder: Path, draw: random.Random, count: int) -> Iterator[Case]:
    """Robots' files: none, of another kind, cut, with a part missing, with numbers that are none; right ones between.

    All of them are text. They are looked at as before each training; one that is taken is not simulated.
    """
    from cartpole_lab.session.configs import configure
    from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

    text = _ROBOT.read_text(encoding="utf-8")

    def feed(path: str) -> bool:
        cfg = CartpoleEnvCfg()
        cfg.scene.robot.spawn.usd_path = path
        configure(cfg, device="cpu", num_envs=4)
        return True

    def written(name: str, content: str | bytes) -> Callable[[], bool]:
        def write_and_feed() -> bool:
            file = folder / name
            file.write_bytes(content.encode() if isinstance(content, str) else content)
            return feed(str(file))

        return write_and_feed

    (folder / "folder.usda").mkdir(exist_ok=True)
    for path in ("", "/nowhere/robot.usda", str(folder), str(folder / "folder.usda"), "x" * 300 + ".usda", "a\0.usda",
                 "/dev/null", str(Path(__file__)), "robot"):  # fmt: skip
        yield Case("USD", f"path {path[:40]!r}", False, lambda path=path: feed(path))
    others = ("", "\0", "{}", "#usda 1.0", "#usda 9.9\n", "<robot/>", "solid cube", "#usda 1.0\n(", "#!/bin/sh\ntrue")
    for number, content in enumerate(others):
        yield Case("USD", f"another kind {content[:20]!r}", False, written(f"other{number}.usda", content))
    for ending in ("usda", "usd"):
        yield Case("USD", f"noise, .{ending}", False, written(f"noise.{ending}", draw.randbytes(400)))
    yield Case("USD", "as it is", True, written("same.usda", text))
    yield Case("USD", "with a remark", True, written("remark.usda", text.replace("#usda 1.0\n", "#usda 1.0\n# mine\n")))
    yield Case("USD", "heavier", True, written("heavy.usda", text.replace("physics:mass = 1", "physics:mass = 2")))
    masses = re.findall(r"physics:mass = \S+", text)
    for value in ("nan", "inf", "-inf", "-1", '"one"', "(1, 2)", ""):
        changed = text.replace(masses[-1], f"physics:mass = {value}")
        yield Case("USD", f"a mass of {value}", False, written(f"mass{value[:3].strip(chr(34))}.usda", changed))
    parts = ("PhysicsArticulationRootAPI", "PhysicsRigidBodyAPI", 'defaultPrim = "cartpole"', "PhysicsPrismaticJoint")
    for part in (*parts, "cart_to_pole", "slider_to_cart"):
        yield Case("USD", f"without {part}", False, written(f"without{len(part)}.usda", text.replace(part, "other")))
    braces = [place for place, letter in enumerate(text) if letter == "}"]
    for number in range(count):
        if number % 2:
            place = draw.randrange(200, text.rindex("}"))  # before the last brace: what is left is not whole
            yield Case("USD", f"cut at {place}", False, written(f"cut{number}.usda", text[:place]))
        else:
            place = draw.choice(braces)
            changed = text[:place] + text[place + 1 :]
            yield Case("USD", f"no brace at {place}", False, written(f"brace{number}.usda", changed))


# -- Python: what a learner hands in, and what is shown


def answers() -> Iterator[Case]:
    """Wrong answers to every exercise that takes one: one line with a cross, whatever it is."""
    from cartpole_lab.teaching.exercises import (
        acting,
        gymnasium_ids,
        mdp_terms,
        measuring,
        own_task,
        rewarding,
        scaling,
        scripts,
        seeing,
        timing,
        training,
        worlds,
    )

    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    def raising(error: BaseException) -> Callable[..., Any]:
        def answer(*_: Any, **__: Any) -> Any:
            raise error

        return answer

    def saying(value: Any) -> Callable[..., Any]:
        return lambda *_, **__: value

    odd: list[Any] = [
        None,
        ...,
        3,
        -1.5,
        float("nan"),
        "text",
        b"\x00",
        [],
        {},
        set(),
        object(),
        Odd(),
        int,
        len,
        torch.zeros(3),
        np.zeros(0),
        "train --num_envs 'x",
        "train --num_envs x y=",
        saying(None),
        saying("x"),
        saying([]),
        saying(torch.zeros(0)),
        saying(float("inf")),
        saying(Odd()),
        saying(np.array(["a"])),
        saying((1, 2, 3)),
        saying(torch.full((4, 1), float("nan"))),
        raising(ValueError("a\nb")),
        raising(SystemExit("bye")),
        raising(RecursionError()),
        raising(StopIteration()),
        saying(True),
    ]
    checks = [
        acting.check_lean,
        acting.check_sin_cos,
        acting.check_pole_only,
        mdp_terms.check_value_target,
        mdp_terms.check_crash_weight,
        measuring.check_standard_error,
        measuring.check_settle_time,
        measuring.check_over_seeds,
        rewarding.check_pays,
        rewarding.check_crash_pays,
        scaling.check_speedup,
        scaling.check_optimizer_steps,
        scripts.check_command_line,
        scripts.check_effective,
        seeing.check_column,
        seeing.check_motion,
        timing.check_slow_motion,
        training.check_clipped_gain,
        training.check_is_solved,
        training.check_gae,
        worlds.check_modes,
        worlds.check_mass_at_reset,
        own_task.check_task_file,
        lambda v: gymnasium_ids.check_registered("X-v0", v),
    ]
    for check in checks:
        for place, value in enumerate(odd):

            def feed(check: Callable[..., None] = check, value: Any = value) -> bool:
                with contextlib.redirect_stdout(out := io.StringIO()):
                    check(value)
                line = out.getvalue()
                assert line.count("\n") == 1 and line[0] in "✓✗", line
                return line[0] == "✓"

            yield Case("exercise answers", f"{getattr(check, '__name__', 'check')} {place}", False, feed)


def progress() -> Iterator[Case]:
    """Lines of progress with numbers that are none, into outputs that take none."""
    from cartpole_lab.training.progress import EpochInfo, ProgressLine

    class Stream(io.StringIO):
        def __init__(self, error: BaseException | None) -> None:
            super().__init__()
            self.error = error

        def write(self, text: str) -> int:
            if self.error:
                raise self.error
            return len(text)

    errors = [
        None,
        BrokenPipeError(),
        OSError(28, "full"),
        ValueError("closed"),
        UnicodeEncodeError("ascii", "…", 0, 1, "no"),
    ]
    values = [0.0, float("nan"), float("inf"), -1e300, 1e300]
    for error in errors:
        for value in values:

            def feed(error: BaseException | None = error, value: float = value) -> bool:
                before, sys.stdout = sys.stdout, Stream(error)
                try:
                    line = ProgressLine()
                    info = EpochInfo(1, 2, 3, 1.0, value, 1.0, 1.0)
                    line.show(info.line(), keep=True)
                    line.close()
                finally:
                    sys.stdout = before
                return True

            yield Case("progress", f"{error!r} {value}", True, feed)


def write_table(table: dict[str, Count], file: Path) -> None:
    """The table by kind, as JSON."""
    rows = {
        k: {"inputs": c.inputs, "refused": c.refused, "taken": c.taken, "wrong": len(c.wrong)} for k, c in table.items()
    }
    total: Counter[str] = Counter()
    for row in rows.values():
        total.update(row)
    file.write_text(json.dumps({"kinds": rows, "total": dict(total)}, indent=1) + "\n")
