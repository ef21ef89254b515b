"""Whatever a page sends: a message sets something that works, or nothing, with a line."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from recorded_rollouts import make_rollout

from cartpole_lab.teaching.widgets import Playground, PolicyMap, RewardMixer, Trainer
from cartpole_lab.teaching.widgets._base import LabWidget
from cartpole_lab.teaching.widgets.playground import recorded_policies

NAN, INF = float("nan"), float("inf")
ODD: list[Any] = [
    None, True, -1, 0, 1, 2.5, 10**30, 1e308, NAN, INF, "", "you", "nobody at all", "x" * 10_000, "\x00", [], [1], {},
    {"": 1}, {"a": None}, [[]], [None], {"alive": "1"}, {"alive": NAN}, {"alive": 1.0}, {"gravity": -1}, {"speed": 0},
    {"push": 1e9}, {"level": 7}, {"crowd": -1}, {"rival": 3}, {"epoch": "x"}, {"policy": 3}, {"seconds": INF},
    {"gamma": 5}, {"learning_rate": 0}, {"weights": {}}, [{"weights": {"a": "b"}}], [{"curve": {"epoch": [1]}}],
    [{"actor": {"layers": []}}], [{"actor": 3}], [{"curve": {"epoch": ["a"], "return": [1]}}], {1: 2},
]  # fmt: skip
"""Values of all shapes that a message can bring."""


def widgets() -> dict[str, Callable[[], LabWidget]]:
    return {
        "Playground": Playground,
        "PolicyMap": lambda: PolicyMap(recorded_policies()["fully trained"], rollout=make_rollout()),
        "RewardMixer": lambda: RewardMixer({"a": make_rollout(fails_at=9), "b": make_rollout()}),
        "Trainer": Trainer,
    }


def use(widget: LabWidget) -> None:
    """Everything that Python does with what a widget holds."""
    widget.describe()
    widget.figure()
    if isinstance(widget, RewardMixer):
        widget.returns()
        widget.to_rewards_cfg()
    if isinstance(widget, Trainer):
        list(widget.page_policies)


def messages(widget: LabWidget) -> Iterator[dict[str, Any]]:
    """One trait with one odd value each, and one entry of a dictionary changed."""
    for name in [*widget.live_traits(), "no_such_trait"]:
        for value in ODD:
            yield {name: value}
        now = getattr(widget, name, None)
        for key in now if isinstance(now, dict) and name in widget.FROM_PAGE else ():
            for value in ODD[:14]:
                yield {name: {**now, key: value}}


@pytest.mark.parametrize("name", widgets())
def test_a_message_sets_what_works_or_nothing_with_a_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    widget = widgets()[name]()
    use(widget)
    count = accepted = 0
    draw = random.Random(4)
    for message in messages(widget):
        before = {trait: repr(getattr(widget, trait)) for trait in widget.live_traits()}
        capsys.readouterr()
        widget.set_state(message)
        said = capsys.readouterr().err.strip()
        after = {trait: repr(getattr(widget, trait)) for trait in before}
        (trait,) = message
        count += 1
        if said:
            assert "\n" not in said and said.startswith(f"{name}: ") and len(said) < 500, said
            assert after == before, (message, "changed all the same")
        else:
            accepted += 1
            if trait != "no_such_trait" and after != before:
                assert trait in widget.FROM_PAGE, message
            if draw.random() < 0.3 or after != before:
                use(widget)
    assert count > 200 and accepted < count


def test_the_page_is_told_what_holds() -> None:
    sent: list[Any] = []
    widget = Playground()
    widget.send_state = lambda key=None: sent.append(key)  # type: ignore[method-assign]
    widget.set_state({"params": {"gravity": "much"}})
    assert sent == ["params"] and widget.params == {}
    widget.set_state({"params": {"gravity": 3.7}, "policy": "trained in the page"})
    assert widget.params == {"gravity": 3.7} and widget.policy == "trained in the page"


def test_python_is_told_too() -> None:
    with pytest.raises(ValueError, match=r"params has \['wind'\], expected any of"):
        Playground(wind=3.0)
    widget = Playground()
    with pytest.raises(ValueError, match="expected one of"):
        widget.policy = "nobody at all"
    with pytest.raises(ValueError, match="expected a number from 0 to 1"):
        Trainer(ppo={"gamma": 5.0})


def test_custom_messages_never_fail() -> None:
    trainer = Trainer()
    for content in (*ODD, {"type": "start"}, {"type": "stop"}, {"type": "hello"}, {"type": []}):
        trainer._hear(None, content, None)
    assert trainer.status["state"] == "idle"
