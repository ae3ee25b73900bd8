"""Who acts: one policy, two systems, or an expert, behind one interface."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.vector import DuetVectorEnv
from policies.agents import Agent, DualAgent, ExpertAgent, SingleAgent
from policies.expert import Expert
from policies.scripted import scripted_actions
from policies.system1.commanded import observe
from policies.system2.symbolic import SymbolicPlanner


def begin(task: str, num_worlds: int, agent: Agent) -> tuple[DuetVectorEnv, Any]:
    """Worlds whose episodes have begun, and what they observe."""
    env = DuetVectorEnv(num_worlds, task=task, autoreset=False, threads=1)
    observation, _ = env.reset(options={"layout_seeds": range(num_worlds)})
    agent.begin(env)
    return env, observation


def test_one_policy_is_given_the_observations_and_its_actions_are_handed_on() -> None:
    agent = SingleAgent(lambda seen: np.tile(seen[:, :1], (1, 5)))
    _, observation = begin("PickPlace", 3, agent)
    np.testing.assert_array_equal(agent.act(observation), np.tile(observation[:, :1], (1, 5)))
    assert agent.runtime is None


@pytest.mark.parametrize("task", ["PickPlace", "Handover"])
def test_the_expert_agent_is_the_expert(task: str) -> None:
    agent = ExpertAgent()
    env, _ = begin(task, 2, agent)
    expert = Expert(env)
    for _ in range(30):
        actions = agent.act(None)
        np.testing.assert_array_equal(actions, expert.act())
        env.step(actions)


def test_where_a_task_needs_a_plan_the_expert_is_the_dual_system_without_learning() -> None:
    dual, expert = DualAgent(SymbolicPlanner()), ExpertAgent()
    env, _ = begin("HandoverPlace", 2, dual)
    other, _ = begin("HandoverPlace", 2, expert)
    for _ in range(120):
        actions = dual.act(None)
        np.testing.assert_array_equal(actions, expert.act(None))
        env.step(actions)
        other.step(actions)


def test_system_1_sees_every_arm_of_every_world_in_order_and_moves_that_arm() -> None:
    seen: list[np.ndarray] = []

    def act(observations: np.ndarray) -> np.ndarray:
        seen.append(observations)
        return np.arange(len(observations) * 5, dtype=float).reshape(-1, 5) / 100

    agent = DualAgent(SymbolicPlanner(), act)
    env, observation = begin("Handover", 3, agent)
    assert agent.runtime is not None
    actions = agent.act(observation)
    np.testing.assert_array_equal(seen[0], observe(agent.runtime.actors))
    assert seen[0].shape[0] == 6
    assert actions.shape == env.action_space.shape
    np.testing.assert_array_equal(actions.ravel(), np.arange(30) / 100)
    # rows 2 and 3 are the arms of the second world
    tools = np.stack([env.world().tool_base_position(arm)[1] for arm in (0, 1)])
    np.testing.assert_allclose(seen[0][2:4, :3], tools, atol=1e-6)


def test_without_a_learned_system_1_the_scripted_one_acts() -> None:
    agent = DualAgent(SymbolicPlanner())
    begin("Handover", 2, agent)
    actions = agent.act(None)
    assert agent.runtime is not None
    np.testing.assert_array_equal(actions, scripted_actions(agent.runtime.actors).reshape(2, -1))


def test_one_act_is_one_tick_of_the_clock() -> None:
    agent = DualAgent(SymbolicPlanner(), latency=(3, 3), rate=5.0)
    env, _ = begin("PickPlace", 2, agent)
    assert agent.runtime is not None
    for tick in range(25):
        actions = agent.act(None)
        assert agent.runtime.counts["tick"].tolist() == [tick, tick] == env.ticks.tolist()
        env.step(actions)
    assert agent.runtime.counts["latency"].tolist() == [3, 3]
    assert (agent.runtime.counts["calls"] >= 5).all()


def test_an_agent_begins_again_as_if_it_had_not_acted_before() -> None:
    agent = DualAgent(SymbolicPlanner(), latency=(4, 4))
    found = []
    for _ in range(2):
        env, _ = begin("PickPlace", 2, agent)
        actions = []
        for _ in range(40):
            actions.append(agent.act(None))
            env.step(actions[-1])
        found.append(np.stack(actions))
    np.testing.assert_array_equal(found[0], found[1])


def test_an_agent_that_has_not_begun_says_so() -> None:
    with pytest.raises(AssertionError, match="begin comes first"):
        DualAgent(SymbolicPlanner()).act(None)
