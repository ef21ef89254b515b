"""Malformed inputs by the thousand, each with what is true of it: whether it may be taken.

``valid`` is known from how an input was made, not from what the code says of it: a word with a letter too few, a number
where a list belongs, a file cut in half. Some are listed here, most are drawn by hypothesis: always the same ones, and
where an answer is wrong, the simplest input that gets it. Everything runs in this process, through the functions that
the commands call.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import io
import json
import re
import signal
import string
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cartpole_lab.errors import UserError

Drawn = st.SearchStrategy["Case"]


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        text: The input, in words.
        valid: Whether it may be taken; None where it may or may not, but must not fail.
        feed: Gives it to the code: returns whether it was taken. UserError and SystemExit(2) are refusals.
    """

    text: str
    valid: bool | None
    feed: Callable[[], bool] = field(repr=False)


class Kind(NamedTuple):
    """Inputs of one kind: those that are listed, and where the others are drawn from, how many of them."""

    name: str
    listed: Iterable[Case]
    drawn: Drawn = st.nothing()
    count: int = 0


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
    faulthandler.dump_traceback_later(max(300.0, 5 * seconds), exit=True, file=sys.__stderr__)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


def judge(case: Case, count: Count, limit_s: float = LIMIT_S) -> str:
    """Feed one input; what is wrong with the answer, which is noted too, and nothing where nothing is."""
    count.inputs += 1
    said, wrong, taken = io.StringIO(), "", False
    try:
        with in_time(limit_s), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            taken = case.feed()
    except UserError as error:
        wrong = "" if str(error).strip() else "refused without a word"
    except SystemExit as error:
        wrong = "" if error.code == 2 else f"exit code {error.code!r}"
    except BaseException as error:
        wrong = f"{type(error).__name__}: {str(error)[:200]}"
    if not wrong and case.valid is not None and taken != case.valid:
        wrong = f"{'taken' if taken else 'refused'}: {said.getvalue()[:200]}"
    count.taken += taken
    count.refused += not taken
    if wrong:
        count.wrong.append(f"{case.text}: {wrong}")
    return wrong


def run(kinds: Iterable[Kind], size: int = 1) -> dict[str, Count]:
    """Feed all inputs, ``size`` times as many drawn ones; what became of them, by kind."""
    table: dict[str, Count] = {}
    for name, listed, drawn, count in kinds:
        noted = table[name] = Count()
        for case in listed:
            judge(case, noted)

        if count:
            _draw(drawn, size * count, noted)
    return table


def _draw(cases: Drawn, count: int, noted: Count) -> None:
    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def feed(case: Case) -> None:
        assert not judge(case, noted)

    with contextlib.suppress(AssertionError):  # it is noted; the last one is the simplest
        feed()


def of_bytes(strategy: st.SearchStrategy[bytes], feed: Callable[[bytes], bool], said: str = "") -> Drawn:
    """A case of each content of a file, which may be taken or not."""
    return strategy.map(lambda content: _of_bytes(content, None, feed, said))


def _of_bytes(content: bytes, valid: bool | None, feed: Callable[[bytes], bool], said: str = "") -> Case:
    return Case(f"{said}{len(content)} bytes, {content[:40]!r}", valid, functools.partial(feed, content))


# -- flags and override words


class Reached(Exception):
    """A training would have begun."""


def _train(root: Path, word: str) -> bool:
    """Whether ``cartpole-lab train`` would begin a training with this word; stops where it makes its folder."""
    from cartpole_lab.cli import main
    from cartpole_lab.training import rl_games_train

    def stop(*args: Any, **kwargs: Any) -> None:
        raise Reached

    before, rl_games_train.make_log_dir = rl_games_train.make_log_dir, stop
    try:
        code = main(["train", "--device", "cpu", "--num_envs", "16", "--log_root", str(root / "logs"), word])
    except Reached:
        return True
    finally:
        rl_games_train.make_log_dir = before
        assert not (root / "logs").exists(), "a folder was left"
    if code == 2:
        raise UserError("exit code 2")
    raise AssertionError(f"exit code {code}")


_NO_NUMBER = ("abc", "", "1e", "--", "0x1", "1,2", "[1]", "NaN", "inf", "1 2", "é", "1.5.2", "2.5")
_LEAST = {"num_envs": 1, "max_iterations": 1, "eval_interval": 0, "eval_episodes": 1, "seed": -1}
_FLAGS = ("num_envs", "max_iterations", "eval_interval", "stop_when_solved", "rl_library")
_VALUES = {
    "sigma": {"3": False, "-21": False, "nan": False, "x": False, "0": True, "-1": True},
    "device": dict.fromkeys(("cpu:0", "cuda:99", "gpu", "", "cuda:x", "mps", "CPU "), False),
    "task": dict.fromkeys(("Isaac-Cartpole-v9", "", "../x", "os:system", "x.py:Task", "Isaac-Ant-v0"), False),
}


def misspelt(name: str) -> st.SearchStrategy[str]:
    """A name with one slip of the hand: a letter too many, or another one."""
    slip = st.tuples(st.integers(1, len(name) - 1), st.sampled_from(string.ascii_lowercase), st.integers(0, 1))
    made = slip.map(lambda one: name[: one[0]] + one[1] + name[one[0] + one[2] :])
    return made.filter(lambda text: not text.startswith(name))


def flags(root: Path) -> Kind:
    """Flags of ``train`` with values that are none, too small, or right; flags that there are not."""

    def case(word: str, valid: bool) -> Case:
        return Case(word, valid, functools.partial(_train, root, word))

    def numbers(flag: str) -> Drawn:
        least = _LEAST[flag]
        wrong = st.integers(max_value=least - 1).map(str) | st.sampled_from(_NO_NUMBER)
        right = st.integers(least, least + 9).map(str)
        return wrong.map(lambda v: case(f"--{flag}={v}", False)) | right.map(lambda v: case(f"--{flag}={v}", True))

    slips = st.sampled_from(_FLAGS).flatmap(misspelt).map(lambda flag: case(f"--{flag}=1", False))
    listed = [case(f"--{flag}={v}", valid) for flag, values in _VALUES.items() for v, valid in values.items()]
    listed += [case(f"--{flag}={value}", False) for flag in _LEAST for value in _NO_NUMBER]
    return Kind("flags", listed, st.sampled_from(list(_LEAST)).flatmap(numbers) | slips, 60)


def _leaves(values: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, dict):
        for key, value in values.items():
            if isinstance(key, str) and key.isidentifier():
                yield from _leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(values, bool | int | float | str):
        yield path, values


_PARTS = ("rewards.", "scene.", "sim.dt", "sim.gravity", "events.", "terminations.", "actions.", "decimation")
_NO_OVERRIDE = (
    "env", "env.", "=3", "env.=3", "env.decimation", "x.y=3", "env.decimation==3", "env..decimation=2", "a b=c",
)  # fmt: skip


def overrides() -> Kind:
    """Overrides: names with a slip, values of another kind, syntax; and right ones between them."""
    from cartpole_lab.session.configs import load_cfg
    from cartpole_lab.session.env_settings import plain

    def case(text: str, valid: bool) -> Case:
        return Case(text, valid, lambda: bool(load_cfg(overrides=[text])))

    env_cfg, agent_cfg = load_cfg()
    paths = [(f"env.{path}", value) for path, value in _leaves(plain(env_cfg)) if path.startswith(_PARTS)]
    paths += [(f"agent.{path}", value) for path, value in _leaves(agent_cfg) if path.startswith("params.config.")]
    numbers = [(p, v) for p, v in paths if type(v) in (int, float) and not p.endswith(".num_actors")]
    others = ["abc", "[1,2,3]", "{a: 1}", "true", "nan", ".nan", "", "[", "{"]

    def of_setting(setting: tuple[str, Any]) -> Drawn:
        path, value = setting
        head, _, leaf = path.rpartition(".")
        wrong = misspelt(leaf).map(lambda slip: f"{head}.{slip}={value}")
        wrong |= misspelt(head).map(lambda slip: f"{slip}.{leaf}={value}")
        wrong |= st.sampled_from([*(f"{path}={other}" for other in others), f"{path}.{leaf}={value}"])
        return wrong.map(lambda text: case(text, False)) | st.just(case(f"{path}={value}", True))

    return Kind(
        "overrides", [case(text, False) for text in _NO_OVERRIDE], st.sampled_from(numbers).flatmap(of_setting), 150
    )


# -- files


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """A file's bytes: cut, with a bit flipped, with a part zeroed, with a part inserted, replaced."""
    place = st.integers(0, len(data) - 1)
    bit = st.tuples(place, st.integers(0, 7).map(lambda number: 1 << number))
    more = st.tuples(place, st.binary(min_size=1, max_size=8))
    return st.one_of(
        place.map(lambda at: data[:at]),
        bit.map(lambda one: data[: one[0]] + bytes([data[one[0]] ^ one[1]]) + data[one[0] + 1 :]),
        place.map(lambda at: data[:at] + bytes(len(data[at : at + 64])) + data[at + 64 :]),
        more.map(lambda one: data[: one[0]] + one[1] + data[one[0] :]),
        st.binary(max_size=400),
    )


_ODD: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, 10**400, "", "a\0b", "x" * 300, "../..", "nn/cartpole.pth", "9999"])
    | st.integers()
    | st.floats(),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.sampled_from(("file", "agent", "x")), below),
    max_leaves=5,
)
"""Some value that JSON has, of any kind."""


def retyped(whole: bytes) -> st.SearchStrategy[bytes]:
    """A JSON file in which one value, at any depth, is another one."""

    def places(node: Any) -> Iterator[tuple[Any, Any]]:
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            yield node, key
            if isinstance(value, dict | list):
                yield from places(value)

    def made(choice: tuple[int, Any]) -> bytes:
        data = json.loads(whole)
        node, key = list(places(data))[choice[0]]
        node[key] = choice[1]
        return json.dumps(data).encode()

    return st.tuples(st.integers(0, len(list(places(json.loads(whole)))) - 1), _ODD).map(made)


def checkpoints(library: str, path: Path, folder: Path) -> Kind:
    """Checkpoints of a library, damaged: refused, or the policy that it was, to the last bit."""
    from cartpole_lab.policies.checkpoint import open_checkpoint
    from cartpole_lab.policies.loading import load_policy

    obs = torch.linspace(-1, 1, 32).reshape(8, 4)
    right, file = load_policy(path)(obs), folder / f"{library}{path.suffix}"

    def feed(content: bytes) -> bool:
        file.write_bytes(content)
        assert torch.equal(load_policy(open_checkpoint(file))(obs), right), "taken, and it is another policy"
        return True

    return Kind(f"checkpoints of {library}", (), of_bytes(damaged(path.read_bytes()), feed), 50)


_JSON = (
    *("", "{", "[]", "3", "null", '"x"', "{}", '{"library": 3}', '{"saved": 3}', '{"best": []}', '{"a": NaN}', "é"),
    *('{"best": {"file": "../x"}}', '{"latest": "../../etc/passwd"}', '{"latest": 3}', '{"saved": [{"file": 3}]}'),
    *('{"library": "rl_games"}', "\x00\x01", '{"best": {"file": null}}', '{"saved": [1, null, {}]}', "[" * 3000),
    '{"created_at": "yesterday"}',
)


def run_folders(run_dir: Path) -> Kind:
    """Records, summaries, curves and settings of a run, damaged: never more than a refusal."""
    from cartpole_lab.policies import Run, find_checkpoint, find_runs

    root = run_dir.parents[1]

    def look() -> bool:
        for found in find_runs(root):
            _ = found.summary, found.agent, found.best, found.latest, found.checkpoints, found.created_at
            for name in ("curve", "agent_cfg", "env_cfg"):
                with contextlib.suppress(UserError):
                    getattr(found, name)
        for which in ("best", "latest"):
            find_checkpoint(which, log_root=root, say=lambda line: None)
        Run.open(run_dir)
        return True

    def feed(name: str, whole: bytes, content: bytes) -> bool:
        (run_dir / name).write_bytes(content)
        try:
            return look()
        finally:
            (run_dir / name).write_bytes(whole)

    listed, drawn = [], []
    for name in ("run.json", "checkpoints.json", "summary.json", "curve.npz", "params/agent.yaml", "params/env.yaml"):
        whole = (run_dir / name).read_bytes()
        of_file = functools.partial(feed, name, whole)
        listed += [_of_bytes(text.encode(), None, of_file, f"{name}: ") for text in _JSON]
        contents = damaged(whole) | retyped(whole) if name.endswith(".json") else damaged(whole)
        drawn.append(of_bytes(contents, of_file, f"{name}: "))
    return Kind("run folders, curves, summaries", listed, st.one_of(drawn), 120)


_YAML = (
    *("", "3", "[]", "params: 3", "params: {}", "params: {network: 3}", "\x00", ": :", "- a\nb: c", "a: *b", "{" * 500),
    *("!!python/object/apply:os.system ['true']", "params: !!python/name:os.system"),
    "params: {config: {}, network: {name: x}}",
)


def agent_yaml(bare: Path, settings: Path) -> Kind:
    """Settings of an agent for a file that lacks them: damaged, lines missing, of another kind, with code in them."""
    from cartpole_lab.policies.checkpoint import open_checkpoint
    from cartpole_lab.policies.loading import load_policy

    whole = settings.read_bytes()
    lines = whole.splitlines(keepends=True)

    def feed(content: bytes) -> bool:
        file = bare.with_name("agent.yaml")
        file.write_bytes(content)
        load_policy(open_checkpoint(bare, agent_cfg=file, task="Isaac-Cartpole-v0"))(torch.zeros(2, 4))
        return True

    gone = st.sets(st.integers(0, len(lines) - 1), min_size=1, max_size=9)
    fewer = gone.map(lambda numbers: b"".join(line for number, line in enumerate(lines) if number not in numbers))
    listed = [_of_bytes(text.encode(), False, feed) for text in _YAML]
    return Kind("agent YAML", [*listed, _of_bytes(whole, True, feed)], of_bytes(damaged(whole) | fewer, feed), 40)


def policies_as_numbers(path: Path) -> Kind:
    """Policies as JSON, damaged or with one value of another kind: refused, or a policy whose answers are numbers."""
    from cartpole_lab.policies.checkpoint import open_checkpoint
    from cartpole_lab.policies.loading import load_policy

    whole, obs = path.read_bytes(), torch.linspace(-1, 1, 32).reshape(8, 4)

    def feed(content: bytes) -> bool:
        file = path.with_name("odd.json")
        file.write_bytes(content)
        actions = load_policy(open_checkpoint(file), obs_shape=(4,))(obs)
        assert bool(torch.isfinite(actions).all()), "taken, and its answers are not numbers"
        return True

    return Kind("policies as numbers", (), of_bytes(retyped(whole) | damaged(whole), feed), 60)


def rollouts(path: Path) -> Kind:
    """Recordings, damaged or of another kind: refused, or the recording that it was."""
    from cartpole_lab import Rollout

    whole, right = path.read_bytes(), Rollout.load(path)
    np.savez(other := io.BytesIO(), a=np.zeros(3))
    np.savez(named := io.BytesIO(), **{name: np.array("x") for name in ("step_dt", "joint_names", "weights/a")})

    def feed(content: bytes) -> bool:
        file = path.with_name("odd.npz")
        file.write_bytes(content)
        assert np.array_equal(Rollout.load(file).rewards, right.rewards), "taken, and it is another one"
        return True

    listed = [_of_bytes(content, False, feed) for content in (b"", b"x", other.getvalue(), named.getvalue())]
    return Kind("rollouts", listed, of_bytes(damaged(whole), feed), 30)


_ROBOT = Path(__file__).resolve().parents[2] / "cartpole_lab" / "tasks" / "assets" / "cartpole.usda"
_OTHERS = ("", "\0", "{}", "#usda 1.0", "#usda 9.9\n", "<robot/>", "solid cube", "#usda 1.0\n(", "#!/bin/sh\ntrue")


def usd(folder: Path) -> Kind:
    """Robots' files: none, of another kind, cut, with a part missing, with numbers that are none; right ones between.

    All of them are text. They are looked at as before each training, and one that is taken is simulated for some steps.
    """
    from cartpole_lab import close_env, make_env
    from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

    text = _ROBOT.read_text(encoding="utf-8")

    def feed(path: str, mass: float = 1.0) -> bool:
        cfg = CartpoleEnvCfg()
        cfg.scene.robot.spawn.usd_path = path
        env = make_env(cfg, device="cpu", num_envs=4)
        try:
            env.reset(seed=3)
            for _ in range(5):
                seen = env.step(torch.ones(4, 1))[0]["policy"]
            robot = env.unwrapped.scene["robot"]
            found = robot.data.body_mass.torch[:, robot.find_bodies("pole")[0][0]]
            assert bool(torch.isfinite(seen).all()) and bool((found == mass).all()), f"simulated, and it is {found} kg"
        finally:
            close_env()
        return True

    def case(said: str, valid: bool, content: str | bytes, ending: str = "usda", mass: float = 1.0) -> Case:
        def write_and_feed() -> bool:
            data = content.encode() if isinstance(content, str) else content
            file = folder / f"robot{len(list(folder.iterdir()))}.{ending}"
            file.write_bytes(data)
            return feed(str(file), mass)

        return Case(said, valid, write_and_feed)

    folder.joinpath("folder.usda").mkdir(parents=True, exist_ok=True)
    paths = ("", "/nowhere/robot.usda", str(folder), str(folder / "folder.usda"), "x" * 300 + ".usda", "a\0.usda",
             "/dev/null", str(Path(__file__)), "robot")  # fmt: skip
    listed = [Case(f"path {path[:40]!r}", False, functools.partial(feed, path)) for path in paths]
    listed += [case(f"another kind {content[:20]!r}", False, content) for content in _OTHERS]
    listed += [case(f"noise, .{ending}", False, bytes(range(7, 256, 3)), ending) for ending in ("usda", "usd")]
    listed += [case("as it is", True, text), case("with a remark", True, text.replace("1.0\n", "1.0\n# mine\n", 1))]
    masses = re.findall(r"physics:mass = \S+", text)
    heavier = text.replace("physics:mass = 1", "physics:mass = 2")
    listed.append(case("heavier", True, heavier, mass=2.0))
    for value in ("nan", "inf", "-inf", "-1", '"one"', "(1, 2)", ""):
        listed.append(case(f"a mass of {value}", False, text.replace(masses[-1], f"physics:mass = {value}")))
    parts = ("PhysicsArticulationRootAPI", "PhysicsRigidBodyAPI", 'defaultPrim = "cartpole"', "PhysicsPrismaticJoint")
    for part in (*parts, "cart_to_pole", "slider_to_cart"):
        listed.append(case(f"without {part}", False, text.replace(part, "other")))
    braces = st.sampled_from([place for place, letter in enumerate(text) if letter == "}"])
    ends = st.integers(200, text.rindex("}") - 1)  # before the last brace: what is left is not whole
    drawn = ends.map(lambda at: case(f"cut at {at}", False, text[:at]))
    drawn |= braces.map(lambda at: case(f"no brace at {at}", False, text[:at] + text[at + 1 :]))
    return Kind("USD", listed, drawn, 60)


# -- Python: what a learner hands in, and what is shown


def _raising(error: BaseException) -> Callable[..., Any]:
    def answer(*_: Any, **__: Any) -> Any:
        raise error

    return answer


def _saying(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


class _Odd:
    def __repr__(self) -> str:
        raise RuntimeError("no")


_ANSWERS: list[Any] = [
    None, ..., 3, -1.5, float("nan"), "text", b"\x00", [], {}, set(), object(), _Odd(), int, len, torch.zeros(3),
    np.zeros(0), "train --num_envs 'x", "train --num_envs x y=",
    *map(_saying, (None, "x", [], torch.zeros(0), float("inf"), _Odd(), np.array(["a"]), (1, 2, 3), True)),
    _saying(torch.full((4, 1), float("nan"))),
    *map(_raising, (ValueError("a\nb"), SystemExit("bye"), RecursionError(), StopIteration())),
]  # fmt: skip
_CHECKS = {
    "acting": ("lean", "sin_cos", "pole_only"), "mdp_terms": ("value_target", "crash_weight"), "training": (
        "clipped_gain", "is_solved", "gae"), "measuring": ("standard_error", "settle_time", "over_seeds"),
    "rewarding": ("pays", "crash_pays"), "scaling": ("speedup", "optimizer_steps"), "timing": ("slow_motion",),
    "scripts": ("command_line", "effective"), "seeing": ("column", "motion"), "own_task": ("task_file",),
    "worlds": ("modes", "mass_at_reset"), "gymnasium_ids": ("registered",),
}  # fmt: skip


def answers() -> Kind:
    """Wrong answers to every exercise that takes one: one line with a cross, whatever it is."""
    import importlib

    def feed(check: Callable[..., None], value: Any) -> bool:
        with contextlib.redirect_stdout(out := io.StringIO()):
            check(value)
        line = out.getvalue()
        assert line.count("\n") == 1 and line[0] in "✓✗", line
        return line[0] == "✓"

    cases = []
    for module, names in _CHECKS.items():
        exercises = importlib.import_module(f"cartpole_lab.teaching.exercises.{module}")
        for name in names:
            check = getattr(exercises, f"check_{name}")
            check = functools.partial(check, "X-v0") if name == "registered" else check
            cases += [Case(f"{name} {n}", False, functools.partial(feed, check, v)) for n, v in enumerate(_ANSWERS)]
    return Kind("exercise answers", cases)


def progress() -> Kind:
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

    def feed(error: BaseException | None, value: float) -> bool:
        with contextlib.redirect_stdout(Stream(error)):
            line = ProgressLine()
            line.show(EpochInfo(1, 2, 3, 1.0, value, 1.0, 1.0).line(), keep=True)
            line.close()
        return True

    full, ascii_only = OSError(28, "full"), UnicodeEncodeError("ascii", "…", 0, 1, "no")
    errors = (None, BrokenPipeError(), full, ValueError("closed"), ascii_only)
    values = (0.0, float("nan"), float("inf"), -1e300, 1e300)
    cases = [Case(f"{e!r} {value}", True, functools.partial(feed, e, value)) for e in errors for value in values]
    return Kind("progress", cases)


def write_table(table: dict[str, Count], file: Path) -> None:
    """The table by kind, as JSON."""
    rows = {name: {**vars(count), "wrong": len(count.wrong)} for name, count in table.items()}
    total: Counter[str] = Counter()
    for row in rows.values():
        total.update(row)
    file.write_text(json.dumps({"kinds": rows, "total": dict(total)}, indent=1) + "\n")
