"""The recorded step gives the numbers of the eager step, to the last bit, whatever is changed while it runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from cartpole_lab.shortcuts import SWITCH

STEPS = 300


@pytest.fixture(autouse=True)
def _leave_no_env(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from cartpole_lab.session.env import close_env

    for name in (SWITCH, "CARTPOLE_LAB_THREADS"):  # back to what they were after the test
        monkeypatch.setenv(name, os.environ.get(name, ""))
    yield
    close_env()


def _trace(
    num_envs: int,
    *,
    replay: bool,
    threads: int = 1,
    steps: int = STEPS,
    change: Callable | None = None,
    without: tuple[str, ...] = (),
) -> list[tuple[torch.Tensor, ...]]:
    """Observations, rewards and both dones of every step under random pushes; ``change(env)`` runs half-way."""
    from cartpole_lab import shortcuts
    from cartpole_lab.session.env import make_env
    from cartpole_lab.speed.step_replay import NewtonReplayManager

    left_out = (*without, *(() if replay else ("step_replay",)))
    shortcuts.use(",".join(f"-{name}" for name in left_out) or "on")
    os.environ["CARTPOLE_LAB_THREADS"] = str(threads)
    env = make_env(num_envs=num_envs, device="cpu", seed=3)
    env.reset()
    pushes = torch.Generator().manual_seed(0)
    trace = []
    for number in range(steps):
        if change is not None and number == steps // 2:
            change(env.unwrapped)
        observed, reward, terminated, truncated, _ = env.step(torch.randn(num_envs, 1, generator=pushes))
        trace.append(tuple(x.clone() for x in (observed["policy"], reward, terminated, truncated)))
    groups = NewtonReplayManager._groups
    assert (len(groups) if groups else 0) == (min(threads, num_envs) if replay else 0), (
        "the side that was asked for ran"
    )
    return trace


def _first_difference(one: list, other: list) -> int | None:
    for number, (a, b) in enumerate(zip(one, other, strict=True)):
        if not all(torch.equal(x, y) for x, y in zip(a, b, strict=True)):
            return number
    return None


@pytest.mark.parametrize("without", [("idle_solver",), ()], ids=["upstreams_solver", "idle_solver_skipped"])
@pytest.mark.parametrize("num_envs", [1, 64, 1024])
def test_replayed_is_eager(num_envs: int, without: tuple[str, ...]) -> None:
    def trace(**how: Any) -> list[tuple[torch.Tensor, ...]]:
        return _trace(num_envs, without=without, **how)

    eager = trace(replay=False)
    assert any(bool((step[2] | step[3]).any()) for step in eager), "the trace has resets in it"
    assert _first_difference(eager, trace(replay=True)) is None
    if num_envs > 1:
        assert _first_difference(eager, trace(replay=True, threads=2)) is None
    if num_envs == 64:  # slices of unequal size
        assert _first_difference(eager, trace(replay=True, threads=3)) is None


def _heavier(env) -> None:
    robot = env.scene["robot"]
    robot.set_masses_index(masses=robot.data.body_mass.torch.clone() * 1.5)


def _weaker_gravity(env) -> None:
    from isaaclab_newton.physics import NewtonManager
    from newton import ModelFlags

    NewtonManager.get_model().set_gravity((0.0, 0.0, -3.7))
    NewtonManager.add_model_change(ModelFlags.MODEL_PROPERTIES)


def _more_damping(env) -> None:
    env.scene["robot"].write_joint_damping_to_sim_index(damping=torch.full((env.num_envs, 2), 4.0))


def _narrower_rail(env) -> None:
    # reachable limits: constraints become active in the middle of a recording
    limits = torch.tensor([[-0.4, 0.4], [-1e6, 1e6]]).expand(env.num_envs, 2, 2).clone()
    env.scene["robot"].write_joint_position_limit_to_sim_index(limits=limits)


def _rusty_joints(env) -> None:
    env.scene["robot"].write_joint_friction_coefficient_to_sim_index(
        joint_friction_coeff=torch.full((env.num_envs, 2), 0.3)
    )


def _floating_poles(env) -> None:
    from newton import ModelFlags

    solver = env.sim.physics_manager._solver
    solver.mjw_model.body_gravcomp.fill_(1.0)  # Newton has no method for it
    solver.notify_model_changed(ModelFlags.JOINT_DOF_PROPERTIES)


def _other_weight(env) -> None:
    term = env.reward_manager.get_term_cfg("pole_pos")
    term.weight = -7.0
    env.reward_manager.set_term_cfg("pole_pos", term)


CHANGES = [
    _heavier,
    _weaker_gravity,
    _more_damping,
    _narrower_rail,
    _rusty_joints,
    _floating_poles,
    _other_weight,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_changes_take_effect_as_in_the_eager_step(change: Callable) -> None:
    unchanged = _trace(64, replay=True, threads=2, steps=120)
    eager = _trace(64, replay=False, steps=120, change=change)
    assert _first_difference(unchanged, eager) in (60, 61), "the change shows in the numbers, and not before it"
    assert _first_difference(eager, _trace(64, replay=True, steps=120, change=change)) is None
    assert _first_difference(eager, _trace(64, replay=True, threads=2, steps=120, change=change)) is None
    assert (
        _first_difference(eager, _trace(64, replay=False, steps=120, change=change, without=("idle_kernels",))) is None
    )


def _apart(one: list, other: list, steps: int) -> torch.Tensor:
    """Largest difference of each observed number over the first steps."""
    return torch.stack([(a[0] - b[0]).abs().amax(0) for a, b in zip(one[:steps], other[:steps], strict=True)]).amax(0)


@pytest.mark.parametrize("replay", [False, True], ids=["eager", "replayed"])
def test_quick_launches_change_no_bit(replay: bool) -> None:
    quick = _trace(64, replay=replay)
    assert _first_difference(_trace(64, replay=replay, without=("quick_launches",)), quick) is None


@pytest.mark.parametrize("without", [("idle_solver",), ()], ids=["upstreams_solver", "idle_solver_skipped"])
def test_leaving_out_contacts_changes_no_bit(without: tuple[str, ...]) -> None:
    sides = [_trace(64, replay=True, without=(*without, *more)) for more in (("unreachable_contacts",), ())]
    assert _first_difference(*sides) is None


@pytest.mark.parametrize("skip_contacts", [False, True], ids=["contacts_looked_for", "contacts_left_out"])
def test_leaving_out_idle_kernels_changes_no_bit(skip_contacts: bool) -> None:
    from isaaclab_newton.physics import NewtonManager

    from cartpole_lab.session.env import close_env

    traces, left_out = [], []
    for skip in (False, True):
        without = ("unreachable_contacts",) * (not skip_contacts) + ("idle_kernels",) * (not skip)
        traces.append(_trace(64, replay=True, without=without))
        left_out.append(set(NewtonManager._solver.idle_kernels))
        close_env()
    assert _first_difference(*traces) is None
    always = {"_next_activation", "_qderiv_tendon_damping", "_gravity_force", "_friction_dof"}
    assert left_out == [set(), always | {"_geom_local_to_global"} if skip_contacts else always]


def test_skipping_the_idle_solver_moves_nothing_beyond_rounding() -> None:
    whole, skipping = (_trace(64, replay=True, without=without) for without in (("idle_solver",), ()))
    assert _first_difference(whole, skipping) is not None, "the switch does something"
    # a second under random pushes; single precision has 1e-7 of the pole's 10 rad/s
    assert (_apart(whole, skipping, 60) < torch.tensor([1e-5, 1e-4, 1e-4, 1e-3])).all()
    for a, b in zip(whole, skipping, strict=True):
        assert torch.equal(a[2], b[2]) and torch.equal(a[3], b[3]), "the same episodes end at the same steps"


def test_the_solver_is_back_as_soon_as_a_limit_holds_a_cart() -> None:
    whole, skipping, free = (
        _trace(64, replay=True, steps=80, without=without, change=change)
        for without, change in ((("idle_solver",), _narrower_rail), ((), _narrower_rail), ((), None))
    )
    assert (_apart(skipping, free, 80)[0] > 0.1).item(), "the narrower rail holds carts back"
    # a bounce makes more of a rounding difference, and is still far from what the limit does
    assert (_apart(whole, skipping, 80) < torch.tensor([1e-3, 2e-3, 1e-2, 2e-2])).all()
