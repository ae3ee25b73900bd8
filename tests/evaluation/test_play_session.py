"""What a person can do to an episode that is going on, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.object_task import holds
from envs.registration import TASK_NAMES
from envs.scene import TICK
from evaluation.play.cast import Cast
from evaluation.play.goals import elsewhere, handles, moved_to, reach
from evaluation.play.interventions import (
    NO_FORCE,
    Drag,
    Force,
    Intervention,
    Knock,
    Latency,
    MoveGoal,
    Push,
    Stall,
    Switch,
)
from evaluation.play.session import Session
from evaluation.run import Run

SCRIPTED = "scripted System 1"


def session(task: str = "PickPlace", seed: int = 1, planner: str = "symbolic", **options: Any) -> Session:
    """The scripted System 1 under a planner, on a layout."""
    cast = Cast.of([], task)
    return Session(cast, seed, cast.role(planner=planner), **options)


def until(played: Session, true: Callable[[], bool], most: int = 250) -> int:
    """Live until something is true; the ticks that it took."""
    for tick in range(most):
        if true():
            return tick
        played.tick()
    raise AssertionError("it never came true")


def in_hand(played: Session, arm: int = 0) -> bool:
    return bool(holds(played.env.world(), arm, 0)[0])


def place(played: Session, thing: int = 0) -> np.ndarray:
    return played.env.world().object_position(thing)[0].copy()


def lifted(played: Session) -> Callable[[], bool]:
    return lambda: in_hand(played) and place(played)[2] > 0.06


def test_a_knock_takes_the_object_out_of_the_hand_and_is_logged() -> None:
    played = session()
    tick = until(played, lifted(played))
    played.ask(Knock(0, 0.5))
    assert in_hand(played), "it acts between two ticks"
    played.tick()
    assert not in_hand(played)
    velocity = played.env.world().object_velocity(0)[0, :2]
    np.testing.assert_allclose(np.arctan2(velocity[1], velocity[0]), 0.5, atol=0.1)
    assert played.recorded().interventions == [(tick, Knock(0, 0.5))]
    until(played, lambda: bool(played.verdict))
    assert played.verdict == "success", "it was not picked up again"


def test_a_push_moves_what_lies_and_does_not_open_hands() -> None:
    played = session()
    before = place(played)
    played.ask(Push(0, 0.0))
    for _ in range(12):
        played.tick()
    assert 0.02 < place(played)[0] - before[0] < 0.15
    assert abs(place(played)[1] - before[1]) < 0.01
    until(played, lifted(played))
    played.ask(Push(0, 0.0))
    for _ in range(3):
        played.tick()
    assert in_hand(played)


def test_what_is_dragged_goes_there_hovers_and_falls_when_it_is_let_go() -> None:
    played = session(planner="none")  # a hand that stays away
    target = (-0.1, 0.35, 0.3)
    played.ask(Drag(0, target))
    for _ in range(60):
        played.tick()
    assert np.linalg.norm(place(played) - target) < 0.01
    played.ask(Drag(0, None))
    for _ in range(12):
        played.tick()
    assert place(played)[2] < 0.1
    assert not played.env.physics.arrays["xfrc_applied"].any()


def test_an_object_can_be_dragged_out_of_a_hand() -> None:
    played = session()
    until(played, lifted(played))
    played.ask(Drag(0, (-0.1, 0.35, 0.3)))
    for _ in range(40):
        played.tick()
    assert not in_hand(played)
    assert np.linalg.norm(place(played) - (-0.1, 0.35, 0.3)) < 0.05


def test_the_force_of_another_viewer_acts_until_it_is_zero() -> None:
    played = session()
    body = played.env.scene.objects[0].body
    before = place(played)
    played.ask(Force(body, (0.0, 0.0, 5.0, 0.0, 0.0, 0.0)))
    for _ in range(3):
        played.tick()
    assert place(played)[2] > before[2] + 0.02
    played.ask(Force(body, NO_FORCE))
    played.tick()
    assert not played.env.physics.arrays["xfrc_applied"].any()


@pytest.mark.parametrize("task", TASK_NAMES)
def test_goals_that_can_be_moved_are_found_by_asking_the_task(task: str) -> None:
    played = session(task)
    env = played.env
    found = handles(env)
    if task == "Stack":  # the other cube is the goal
        assert not found
        assert elsewhere(env, np.random.default_rng(0)) is None
        return
    assert len(found) == len(env.task.goals_to_draw(env.world().goal[0]))
    high = (1.0, 1.0, 1.0)
    in_air = env.task.targets(env.world()).in_air[0]
    for k, handle in enumerate(found):
        goal = np.array(moved_to(env, handle, high))
        shown = env.task.goals_to_draw(goal)[handle.marker].position
        for axis, column in enumerate(handle.columns):
            if column is not None:
                assert shown[axis] == reach(env)[1][axis], "it must stay within reach"
        if k < len(in_air) and not in_air[k]:
            assert handle.columns[2] is None, "what lies on the table stays there"
    other = elsewhere(env, np.random.default_rng(0))
    assert other is not None
    played.ask(MoveGoal(other))
    played.tick()
    assert played.env.world().goal[0].tolist() == list(other)
    assert played.recorded().interventions == [(0, MoveGoal(other))]


def test_a_goal_that_moved_is_where_the_object_is_brought() -> None:
    played = session()
    until(played, lifted(played))
    (handle,) = handles(played.env)
    goal = moved_to(played.env, handle, (-0.2, -0.2, 0.15))
    played.ask(MoveGoal(goal))
    until(played, lambda: bool(played.verdict))
    assert played.verdict == "success"
    assert np.linalg.norm(place(played)[:2] - (-0.2, -0.2)) < 0.02


def test_a_stalled_system_2_is_asked_nothing_and_its_commands_stay() -> None:
    played = session("Tidy")
    for _ in range(10):
        played.tick()
    runtime = played.runtime
    assert runtime is not None
    played.ask(Stall(2.0))
    played.tick()
    calls, observed = int(runtime.counts["calls"][0]), runtime.commands.observed.copy()
    assert played.stalled == pytest.approx(2.0 - TICK)
    for _ in range(48):
        played.tick()
        assert int(runtime.counts["calls"][0]) == calls
        assert (runtime.commands.observed == observed).all()
    assert runtime.command_age.min() > 1.9
    for _ in range(12):
        played.tick()
    assert int(runtime.counts["calls"][0]) > calls
    assert runtime.command_age.max() < 1.0
    assert int(runtime.counts["faults"][0]) == 0


def test_latency_can_be_set_while_it_runs() -> None:
    played = session("Tidy")
    runtime = played.runtime
    assert runtime is not None
    ages = []
    for latency in (0.0, 1.0, 0.0):
        played.ask(Latency(latency))
        for _ in range(40):
            played.tick()
        ages.append(runtime.command_age.max())
    assert ages[1] >= 1.0 > max(ages[0], ages[2])
    assert [i for _, i in played.recorded().interventions] == [Latency(1.0), Latency(0.0)], "the first was no change"


def test_systems_and_planners_are_switched_while_it_runs(tiny_runs: tuple[Path, Path]) -> None:
    cast = Cast.of([Run.open(folder) for folder in tiny_runs])
    assert cast.systems == ("dual", "single", SCRIPTED)
    assert cast.planners[0] == "symbolic"
    played = Session(cast, 1)
    assert played.role.text == "dual under the symbolic planner"
    before = place(played)
    for role in (
        ("single", None),
        (SCRIPTED, "symbolic"),
        (SCRIPTED, "none"),
        ("dual", "frozen"),
        (SCRIPTED, "symbolic"),
    ):
        played.ask(Switch(*role))
        for _ in range(8):
            played.tick()
        assert (played.role.system, played.role.planner) == role
        assert (played.runtime is None) == (role[0] == "single")
    until(played, lambda: bool(played.verdict), 400)
    assert played.verdict == "success"
    assert played.tally[SCRIPTED, "success"] == 1
    assert np.linalg.norm(place(played) - before) > 0.05
    assert len(played.recorded().interventions) == 5


def test_a_new_system_2_is_no_way_out_of_a_stall() -> None:
    played = session("Tidy")
    played.ask(Stall(2.0))
    played.tick()
    played.ask(Switch(SCRIPTED, "scripted"))
    for _ in range(40):
        played.tick()
    runtime = played.runtime
    assert runtime is not None
    assert int(runtime.counts["calls"][0]) == 1, "it has no more than its first plan"
    for _ in range(20):
        played.tick()
    assert int(runtime.counts["calls"][0]) > 1


@pytest.mark.parametrize(
    ("intervention", "sentence"),
    [
        (Knock(1, 0.0), "PickPlace has 1 objects; there is no number 1"),
        (Drag(-1, None), "there is no number -1"),
        (Force(999, NO_FORCE), "there is no body 999"),
        (MoveGoal((0.0, 0.0)), "a goal of PickPlace is 4 numbers, not 2"),
        (Stall(-1.0), "seconds are from 0 to 60, not -1"),
        (Switch("singel", None), "no system 'singel'"),
        (Switch(SCRIPTED, "symbolik"), "did you mean 'symbolic'"),
    ],
)
def test_what_cannot_happen_is_refused(intervention: Intervention, sentence: str) -> None:
    played = session()
    with pytest.raises(ValueError, match=sentence):
        played.ask(intervention)
    played.tick()
    assert not played.recorded().interventions
