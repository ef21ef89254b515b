"""What a sweep is told, ranked and refused: everything about it that needs no Ray."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cartpole_lab.errors import UserError
from cartpole_lab.training.option_checks import RL_GAMES_ONLY
from cartpole_lab.training.options import TrainOptions
from cartpole_lab.training.progress import ProgressLine
from cartpole_lab.training.sweep import engine, following, options, ranking, report, words
from cartpole_lab.training.sweep.cluster import remove_left_behind
from cartpole_lab.training.sweep.options import NOT_FOR_TRIALS, SweepOptions, seeds_of
from cartpole_lab.training.sweep.plan import Plan
from cartpole_lab.training.sweep.records import MEASURED, Record, read_record, read_records, table, write_table
from cartpole_lab.training.sweep.words import Axis, file_name, label, read_words

WEIGHT = "env.rewards.pole_pos.weight"


def plan(*given: str, **fields: Any) -> Plan:
    return engine.plan_of(None, given, SweepOptions(**fields), TrainOptions())


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0..3", (0, 1, 2, 3)), ("5", (5,)), ("1,2,5", (1, 2, 5)), ("0..1,7", (0, 1, 7)), (3, (3,)), (range(2), (0, 1))],
)
def test_seeds(text: Any, seeds: tuple[int, ...]) -> None:
    assert seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3..1", "1,,2", "-1", "0..0.5", "1,1", "0..3,2", [1.5], [True], [-1], []])
def test_seeds_that_are_none_are_refused(text: Any) -> None:
    with pytest.raises(UserError, match="seed"):
        seeds_of(text)


def test_words_with_commas_vary_and_others_do_not() -> None:
    axes, fixed = read_words([f"{WEIGHT}=-0.5,-1,-2", "env.decimation=2", "agent.x=[1,2]", "num_envs=256,512"])
    assert axes == [Axis(WEIGHT, ("-0.5", "-1", "-2")), Axis("num_envs", ("256", "512"))]
    assert fixed == ["env.decimation=2", "agent.x=[1,2]"]


def test_commas_within_brackets_and_quotes_belong_to_a_value() -> None:
    assert words.split("[1,2],(3,4),'a,b',5") == ["[1,2]", "(3,4)", "'a,b'", "5"]


def test_ranges() -> None:
    axes, _ = read_words(
        [f"{WEIGHT}=-3.0..-0.1", "agent.params.config.learning_rate=1e-4..1e-2:log", "num_envs=64..512"]
    )
    assert [(axis.low, axis.high, axis.log, axis.whole) for axis in axes] == [
        ("-3.0", "-0.1", False, False),
        ("1e-4", "1e-2", True, False),
        ("64", "512", False, True),
    ]


def test_words_from_python() -> None:
    axes, fixed = read_words({WEIGHT: [-0.5, -1], "env.decimation": 2})
    assert axes == [Axis(WEIGHT, ("-0.5", "-1"))]
    assert fixed == ["env.decimation=2"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("nonsense", "no setting"),
        (f"{WEIGHT}=-1,,-2", "empty"),
        (f"{WEIGHT}=-1,-1", "twice"),
        (f"{WEIGHT}=-1..-2", "lower end first"),
        ("agent.x=-1.0..1.0:log", "logarithm"),
        ("seed=1,2", "--seeds"),
        ("log_root=a,b", "sweep sets it itself"),
    ],
)
def test_words_that_mean_nothing_are_refused(word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_words([word])


def test_a_setting_named_twice_is_refused() -> None:
    with pytest.raises(UserError, match="given twice"):
        read_words([f"{WEIGHT}=-1", f"{WEIGHT}=-1,-2"])


def test_every_option_of_train_is_a_trials_or_says_why_not() -> None:
    names = {one.name for one in dataclasses.fields(TrainOptions)}
    assert set(NOT_FOR_TRIALS) <= names
    assert set(words.OPTIONS) == names - set(NOT_FOR_TRIALS)
    assert "run_timestamp" not in RL_GAMES_ONLY, "a trial names its run's folder, in every library"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("num_envs", "512", 512), ("sigma", "-1", -1.0), ("stop_when_solved", "true", True), ("agent", "a", "a")],
)
def test_an_option_of_train_may_vary(name: str, text: str, value: Any) -> None:
    assert words.option_value(name, text) == value


def test_an_option_with_a_value_that_it_cannot_have() -> None:
    with pytest.raises(UserError, match="num_envs is 'many', expected a number"):
        words.option_value("num_envs", "many")


def test_trials_have_names_of_their_own_that_can_be_folders() -> None:
    settings = [{WEIGHT: "-1"}, {WEIGHT: "-2"}, {WEIGHT: "[a/b]"}, {WEIGHT: "[a:b]"}, {WEIGHT: "x" * 300}, {}]
    names = [file_name(setting, seed) for setting in settings for seed in (0, 1)]
    assert len(set(names)) == len(names)
    assert all("/" not in name and len(name) < 120 for name in names)
    assert names[0] == "pole_pos.weight=-1,seed=0"
    assert label({"env.a.weight": "1", "env.b.a.weight": "2"}) == "env.a.weight=1, env.b.a.weight=2"


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    before = dataclasses.replace(plan(f"{WEIGHT}=-1,-2", "env.decimation=2"), train={"device": "cpu", "num_envs": 64})
    before.write(tmp_path)
    assert Plan.read(tmp_path) == before
    assert before.total == 2 * 5
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(UserError, match="not that of a sweep"):
        Plan.read(tmp_path)


def test_what_a_trial_is_told(tmp_path: Path) -> None:
    whole = dataclasses.replace(plan(f"{WEIGHT}=-1,-2", "num_envs=64,128", "env.decimation=2"), train={"device": "cpu"})
    told = whole.options({WEIGHT: "-1", "num_envs": "128"}, 3, tmp_path)
    assert (told.num_envs, told.seed, told.device, told.progress) == (128, 3, "cpu", False)
    assert told.overrides == ("env.decimation=2", f"{WEIGHT}=-1")
    assert told.run_timestamp == "pole_pos.weight=-1,num_envs=128,seed=3"


def test_a_large_grid_is_checked_value_by_value() -> None:
    large = plan("env.a.x=" + ",".join(map(str, range(40))), "env.b.y=1,2,3")
    checked = list(large.checked())
    assert len(checked) == 43
    assert {one["env.a.x"] for one in checked} == set(map(str, range(40)))


@pytest.mark.parametrize(
    ("given", "fields", "message"),
    [
        ([f"{WEIGHT}=-3.0..-0.1"], {}, "range, which no grid"),
        ([], {"search": "random"}, "something to vary"),
        ([f"{WEIGHT}=-1,-2"], {"search": "optuna", "early_stop": True}, "Optuna learns from"),
    ],
)
def test_what_contradicts_itself_is_refused(given: list[str], fields: dict[str, Any], message: str) -> None:
    from cartpole_lab.training.sweep.plan import settle

    with pytest.raises(UserError, match=message):
        settle(plan(*given, **fields))


def test_early_stopping_compares_evaluations_that_everyone_gets() -> None:
    from cartpole_lab.training.sweep.plan import settle

    asked = engine.plan_of(None, [], SweepOptions(early_stop=True), TrainOptions(stop_when_solved=True))
    with pytest.raises(UserError, match="only of promising policies"):
        settle(asked)


def test_python_refuses_what_a_trial_cannot_be_told() -> None:
    with pytest.raises(UserError, match="say seeds"):
        engine.plan_of(None, [], SweepOptions(), TrainOptions(seed=3))
    with pytest.raises(UserError, match="video cannot be given"):
        engine.plan_of(None, [], SweepOptions(), TrainOptions(video=True))


def test_a_wrong_word_is_refused_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cartpole_lab.training.sweep.engine.make_folder", lambda *_: pytest.fail("a folder was made"))
    with pytest.raises(UserError, match=r"pole_poss is not known: did you mean env\.rewards\.pole_pos"):
        engine.sweep(None, ["env.rewards.pole_poss.weight=-1,-2"], log_root=tmp_path, seeds=1)
    with pytest.raises(UserError, match="minibatch_size"):  # the second value only
        engine.sweep(None, ["agent.params.config.minibatch_size=1024,100"], log_root=tmp_path, seeds=1)
    assert "ray" not in sys.modules or not sys.modules["ray"].is_initialized()


def test_without_the_extra_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    there = options._there
    monkeypatch.setattr(options, "_there", lambda name: name != "ray" and there(name))
    with pytest.raises(UserError, match=r"sweep needs ray, not installed here: pip install 'cartpole-lab\[sweep\]'"):
        options.check_extra()


def test_the_command_without_the_extra_ends_with_code_2() -> None:
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from cartpole_lab.cli import main\n"
        "sys.exit(main(['sweep', 'env.rewards.pole_pos.weight=-1,-2']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0
    assert "pip install 'cartpole-lab[sweep]'" in done.stderr


def test_training_alone_loads_nothing_of_a_sweep() -> None:
    code = (
        "import sys; import cartpole_lab.cli, cartpole_lab.training.sweep\n"
        "print([m for m in ('ray', 'pandas', 'optuna', 'rliable', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_sweep_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no sweep below"):
        engine.find_sweep(SweepOptions(resume="latest", log_root=tmp_path))
    folder = engine.make_folder(SweepOptions(name="one", log_root=tmp_path), plan())
    assert engine.find_sweep(SweepOptions(resume="one", log_root=tmp_path)) == folder
    assert engine.find_sweep(SweepOptions(resume="latest", log_root=tmp_path)) == folder
    with pytest.raises(UserError, match="'two' is not known: expected one of one"):
        engine.find_sweep(SweepOptions(resume="two", log_root=tmp_path))
    with pytest.raises(UserError, match="is there already: go on with it by --resume one"):
        engine.make_folder(SweepOptions(name="one", log_root=tmp_path), plan())
    with pytest.raises(UserError, match="name no others"):
        engine.sweep("Isaac-Cartpole-v0", resume="one", log_root=tmp_path)


def records(means: dict[str, float], seeds: int = 10, spread: float = 0.01) -> list[Record]:
    random = np.random.default_rng(0)
    return [
        Record(f"{value}-{seed}", {WEIGHT: value}, seed, "done", score=mean + spread * random.normal(), solved=True)
        for value, mean in means.items()
        for seed in range(seeds)
    ]


def test_ranking_tells_apart_what_these_seeds_can_tell() -> None:
    ranked = ranking.rank(records({"-0.5": 4.0, "-1": 4.9, "-2": 4.905}, spread=0.02))
    assert ranked[2].label == "pole_pos.weight=-0.5"
    assert ranked[2].words == "told apart"
    assert ranked[0].not_told_apart == (2,)
    assert ranked[1].words == "not told apart from 1"
    assert all(one.low <= one.middle <= one.high for one in ranked)
    assert "not told apart from 2" in ranking.text(ranked)


def test_the_middle_is_the_mean_of_the_middle_half() -> None:
    some, marks = records({"-1": 0.0}, seeds=8, spread=0.0), [-99, 1, 2, 3, 4, 5, 6, 999]
    some = [dataclasses.replace(one, score=float(score)) for one, score in zip(some, marks, strict=True)]
    assert ranking.rank(some)[0].middle == pytest.approx((2 + 3 + 4 + 5) / 4)


def test_the_same_records_give_the_same_intervals() -> None:
    some = records({"-1": 4.9, "-2": 4.8})
    assert ranking.rank(some) == ranking.rank(some)


def test_one_seed_tells_nothing_apart() -> None:
    ranked = ranking.rank(records({"-0.5": 1.0, "-1": 4.9}, seeds=1))
    assert [one.words for one in ranked] == ["not told apart from 2", "not told apart from 1"]
    assert np.isnan(ranked[0].low)


def test_one_setting_is_told_apart_from_nothing() -> None:
    ranked = ranking.rank(records({"-1": 4.9}))
    assert ranked[0].words == "" and "apart" not in ranking.text(ranked)


def test_trials_without_a_result_are_counted_and_not_averaged() -> None:
    some = [*records({"-1": 4.9}, seeds=3), Record("x", {WEIGHT: "-1"}, 9, "failed", message="no number")]
    some.append(Record("y", {WEIGHT: "-9"}, 0, "failed", message="no number"))
    ranked = ranking.rank(some)
    assert (ranked[0].seeds, ranked[0].trials) == (3, 4)
    assert ranked[1].words == "no result"


def test_table_is_tidy_and_the_same_in_both_files(tmp_path: Path) -> None:
    import pandas as pd

    whole, some = plan(f"{WEIGHT}=-2,-0.5"), records({"-0.5": 4.0, "-2": 4.9}, seeds=2)
    (tmp_path / "trials").mkdir()
    for record in some:
        record.write(tmp_path)
    read = read_records(tmp_path, whole)
    assert read[0] == read_record(tmp_path, "-2-0")
    frame = table(read, whole)
    assert list(frame["pole_pos.weight"]) == [-2.0, -2.0, -0.5, -0.5], "in the order in which the values were named"
    assert list(frame["seed"]) == [0, 1, 0, 1]
    write_table(frame, tmp_path)
    parquet, text = pd.read_parquet(tmp_path / "results.parquet"), pd.read_csv(tmp_path / "results.csv")
    assert list(parquet.columns) == list(text.columns) == list(frame.columns)
    np.testing.assert_array_equal(parquet["return"], text["return"])
    assert set(MEASURED) <= set(frame.columns)


def test_report_is_one_page_that_needs_no_network(tmp_path: Path) -> None:
    whole, some = plan(f"{WEIGHT}=-0.5,-1,<b>"), records({"-0.5": 4.0, "-1": 4.9, "<b>": 4.9}, seeds=3)
    for record in some:
        run = tmp_path / "runs" / record.name.replace("<b>", "b")
        run.mkdir(parents=True)
        epochs = np.arange(1, 6 + record.seed)
        curve = {"epoch": epochs, "env_steps": epochs * 1000, "return": epochs / 2, "episode_s": epochs * 0 + 5.0}
        curve |= {"whole_episode_s": epochs * 0 + 5.0, "eval_epoch": epochs, "eval_return": epochs / 2}
        np.savez(run / "curve.npz", **curve)
    some = [dataclasses.replace(one, run=f"runs/{one.name.replace('<b>', 'b')}") for one in some]
    done = engine.Sweep(tmp_path, table(some, whole), ranking.rank(some), whole.total)
    report.write_report(done, some, whole)
    page = done.report.read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "<script" not in page
    assert "not told apart" in page
    assert "&lt;b&gt;" in page
    assert not [part for part in ("src=", "@import", "<link", "<iframe") if part in page]
    for picture in ("curves.png", "ranking.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_a_seed_that_ends_early_keeps_its_last_value_in_the_mean(tmp_path: Path) -> None:
    short = {"epoch": np.array([1.0, 2.0]), "env_steps": np.array([1e6, 2e6]), "return": np.array([1.0, 3.0])}
    x, y = report.steps_and_returns({**short, "episode_s": np.array([2.5]), "whole_episode_s": np.array([5.0])}, False)
    np.testing.assert_allclose(x, [1.0, 2.0])
    np.testing.assert_allclose(y, [2.0, 6.0])  # a cut episode pays as if it had lasted


def test_the_time_left_runs_down_between_trials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = 0.0
    monkeypatch.setattr(following.time, "time", lambda: now)
    follower = following.Follower(plan(seeds="0..3"), tmp_path, ProgressLine(False))
    follower._trials = [SimpleNamespace(status="RUNNING") for _ in range(4)]
    assert "left" not in follower.text()
    now, follower._trials[0].status = 20.0, "TERMINATED"
    assert follower.text().endswith("about 60 s left")
    now = 35.0
    assert follower.text().endswith("about 45 s left")


def test_a_signal_that_comes_before_tune_listens_is_told_after_its_first_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[int] = []
    monkeypatch.setattr(following.signal, "raise_signal", told.append)
    follower = following.Follower(plan(seeds="0..3"), tmp_path, ProgressLine(False))
    follower.step_done([])
    assert told == []
    follower.stopped = "SIGINT"
    follower.step_done([])
    assert told == [signal.SIGUSR1]


def test_only_folders_of_sweeps_whose_process_is_gone_are_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, mine = tmp_path / f"cpl-{gone.pid}-a_b1", tmp_path / f"cpl-{os.getpid()}-ab1"
    others = [
        tmp_path / name for name in (f"cpl-{gone.pid}", f"cpl-x{gone.pid}-ab", f"my-cpl-{gone.pid}-ab", "cpl-0-ab")
    ]
    for folder in (left, mine, *others):
        (folder / "ray").mkdir(parents=True)
    link = tmp_path / f"cpl-{gone.pid}-link"
    link.symlink_to(mine)
    remove_left_behind(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([mine, link, *others])
    assert (mine / "ray").is_dir()
