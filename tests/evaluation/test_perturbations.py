"""The knock: once, at its moment, out of the hand; and what becomes of the episode then."""

from __future__ import annotations

import numpy as np
import pytest

from envs.object_task import holds
from envs.registration import TASK_NAMES
from envs.scene import TICK
from envs.tasks import task_class
from envs.vector import DuetVectorEnv
from evaluation.perturbations import Knock
from evaluation.rollout import Episodes, roll_out
from policies.agents import Agent, DualAgent, ExpertAgent, SingleAgent
from policies.system2.planners import make_planner
from policies.system2.symbolic import SymbolicPlanner

WITH_OBJECTS = [name for name in TASK_NAMES if name != "Reach"]


def make(task: str, num_worlds: int) -> DuetVectorEnv:
    """Worlds of a task with two objects, where there is a choice, and time to start again."""
    objects = 2 if task_class(task).object_counts else None
    env = DuetVectorEnv(num_worlds, task=task, num_objects=objects, autoreset=False, threads=1)
    env.max_ticks *= 2
    return env


def knocked(agent: Agent, task: str, num_worlds: int) -> Episodes:
    return roll_out(make(task, num_worlds), agent, np.arange(num_worlds), Knock())


def in_hand(env: DuetVectorEnv) -> np.ndarray:
    """(N,) bool: whether the first arm holds the object."""
    return holds(env.world(), 0, 0)


def test_it_comes_once_0_3_s_after_the_lift_and_the_object_falls() -> None:
    env, knock, agent = make("PickPlace", 6), Knock(), DualAgent(SymbolicPlanner())
    env.reset(options={"layout_seeds": range(6)})
    agent.begin(env)
    knock.begin(env)
    rest = env.world().object_position(0)[:, 2].copy()
    raised, struck, height = np.full(6, -1), np.full(6, -1), np.zeros((160, 6))
    held = np.zeros((160, 6), dtype=bool)
    for tick in range(160):
        actions = agent.act(None)
        lifted = in_hand(env) & (env.world().object_position(0)[:, 2] > rest + 0.05)
        raised = np.where((raised < 0) & lifted, tick, raised)
        before = knock.happened.copy()
        knock.apply(env)
        struck = np.where(knock.happened & ~before, tick, struck)
        env.step(actions)
        held[tick], height[tick] = in_hand(env), env.world().object_position(0)[:, 2] - rest
    assert (struck > 0).all()
    np.testing.assert_allclose((struck - raised + 1) * TICK, 0.3, atol=TICK)
    for world, tick in enumerate(struck):
        assert held[tick - 1, world]
        assert not held[tick + 1 : tick + 6, world].any(), "it stayed in the hand"
        assert height[tick + 10, world] < 0.03, "it did not fall"


def test_the_direction_follows_from_the_layout_and_differs_between_layouts() -> None:
    def pushes(seeds: list[int]) -> np.ndarray:
        env, knock = DuetVectorEnv(len(seeds), task="PickPlace", autoreset=False, threads=1), Knock()
        env.reset(options={"layout_seeds": seeds})
        knock.begin(env)
        return knock._push

    many = pushes([3, 4, 5, 6])
    np.testing.assert_array_equal(pushes([5])[0], many[2])
    np.testing.assert_allclose(np.linalg.norm(many, axis=1), 0.4)
    assert len(np.unique(many.round(3), axis=0)) == 4


def test_what_is_never_lifted_is_never_knocked() -> None:
    episodes = knocked(SingleAgent(lambda _: np.zeros((2, 5))), "PickPlace", 2)
    assert not episodes.knocked.any()
    assert episodes.recovery()["recovery_rate"] is None


@pytest.mark.parametrize("task", WITH_OBJECTS)
def test_what_was_knocked_away_is_picked_up_again(task: str) -> None:
    episodes = knocked(DualAgent(SymbolicPlanner(), latency=(0, 10)), task, 6)
    assert episodes.knocked.all()
    assert episodes.success.all(), f"not from layouts {episodes.layout_seeds[~episodes.success].tolist()}"
    assert (episodes.faults == 0).all()
    assert (episodes.replans >= 1).sum() >= 5  # a cube may fall where it was going
    undisturbed = roll_out(make(task, 6), DualAgent(SymbolicPlanner()), np.arange(6))
    assert episodes.ticks.mean() > undisturbed.ticks.mean() + 2, "it cost nothing"


@pytest.mark.parametrize("task", ["Lift", "PickPlace"])
def test_a_plan_that_is_never_made_again_does_not_recover(task: str) -> None:
    episodes = knocked(DualAgent(make_planner("frozen")), task, 6)
    assert episodes.knocked.all()
    assert not episodes.success.any()
    assert episodes.recovery()["recovery_rate"] == 0.0


@pytest.mark.parametrize("task", ["Lift", "Stack", "Handover"])
def test_the_expert_recovers_too(task: str) -> None:
    episodes = knocked(ExpertAgent(), task, 6)
    assert episodes.knocked.all()
    assert episodes.success.all()


def test_a_task_without_objects_has_nothing_to_knock_away() -> None:
    with pytest.raises(ValueError, match="Reach has no object that could be knocked away"):
        knocked(ExpertAgent(), "Reach", 1)
