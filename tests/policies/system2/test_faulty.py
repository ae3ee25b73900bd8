"""A System 2 that is late, irregular, silent for a while or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from envs.scene import TICK
from envs.tasks import task_class
from envs.vector import DuetVectorEnv
from evaluation.rollout import roll_out
from policies.agents import DualAgent
from policies.dual import DualRuntime
from policies.scripted import scripted_actions
from policies.system2.faulty import System2Faults
from policies.system2.placebo import other_layout
from policies.system2.plan import Command, Goals, Plan, SceneEstimate, Step, estimates
from policies.system2.symbolic import SymbolicPlanner


class Told:
    """Counts the calls for each world and answers with the number of the call, in millimetres over 0.2 m."""

    def __init__(self) -> None:
        self.calls: dict[int, int] = {}

    def plan(self, scene: SceneEstimate, goals: Goals) -> Plan:
        n = self.calls[scene.world] = self.calls.get(scene.world, -1) + 1
        return Plan((Step((Command("reach", target=(0.0, 0.0, 0.2 + n / 1000, 0.0)),), ""),))


def make(
    task: str, seeds: Sequence[int], faults: System2Faults, planner: Any = None
) -> tuple[DuetVectorEnv, DualRuntime]:
    objects = 2 if task_class(task).object_counts else None
    env = DuetVectorEnv(len(seeds), task=task, num_objects=objects, autoreset=False, threads=1)
    env.reset(options={"layout_seeds": seeds})
    runtime = DualRuntime(env, planner or SymbolicPlanner(), faults=faults)
    runtime.begin(np.arange(len(seeds)))
    return env, runtime


def step(env: DuetVectorEnv, runtime: DualRuntime) -> None:
    env.step(scripted_actions(runtime.actors).reshape(env.num_envs, -1))
    runtime.update()


def stand(env: DuetVectorEnv, runtime: DualRuntime) -> None:
    env.step(np.zeros(env.action_space.shape or ()))
    runtime.update()


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ({"latency": -1.0}, "latency must be from 0 to 60 s, not -1"),
        ({"jitter": float("nan")}, "jitter must be from 0 to 60 s, not nan"),
        ({"stall": 61.0}, "stall must be from 0 to 60 s, not 61"),
        ({"wrong": 1.5}, "the probability of a wrong plan must be from 0 to 1, not 1.5"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(faults: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        System2Faults(**faults)


def test_without_faults_there_are_none() -> None:
    assert not System2Faults()
    assert System2Faults(wrong=0.1)


def test_every_answer_but_the_first_is_late_by_the_latency() -> None:
    env, runtime = make("Reach", [0], System2Faults(latency=0.6), Told())
    ages = []
    for _ in range(60):
        stand(env, runtime)
        ages.append(round(runtime.command_age[0, 0] / TICK))
    assert ages[:24] == list(range(1, 25)), "until the second plan comes, 0.6 s after it was asked for"
    assert ages[24] == 15
    assert max(ages[24:]) == 24


def test_jitter_is_bounded_and_what_was_overtaken_is_thrown_away() -> None:
    env, runtime = make("Reach", range(8), System2Faults(latency=0.4, jitter=2.0), Told())
    delays: list[int] = []
    heights = []
    for _ in range(150):
        stand(env, runtime)
        heights.append(runtime.commands.target[:, 0, 2].copy())
        delays += [m.due - round(m.observed / TICK) for mail in runtime._mail for m in mail]
    assert min(delays) >= 10
    assert max(delays) <= 60
    assert len(set(delays)) > 30
    came = np.round((np.stack(heights) - 0.2) * 1000).astype(int)
    assert (np.diff(came, axis=0) >= 0).all(), "an older plan replaced a newer one"
    assert all(len(np.unique(column)) < column.max() for column in came.T), "none was overtaken"


def test_a_stall_begins_when_an_object_is_first_held_and_ends() -> None:
    env, runtime = make("PickPlace", range(3), System2Faults(stall=0.8))
    asked, held = [], []
    for _ in range(70):
        step(env, runtime)
        asked.append(runtime.counts["calls"].copy())
        held.append(runtime.seen.held[:, 0].copy())
    asked_, held_ = np.stack(asked), np.stack(held)
    for i in range(3):
        first = int(np.argmax(held_[:, i]))
        assert 0 < first < 40
        assert runtime.counts["stalled"][i] == first + 1 + 20
        silent = asked_[first : first + 20, i]
        assert len(set(silent.tolist())) == 1, "it was asked during the stall"
        assert asked_[first + 20, i] == silent[-1] + 1, "it is asked as soon as the stall is over"


def test_what_is_under_way_when_a_stall_begins_comes_when_it_is_over() -> None:
    env, runtime = make("PickPlace", [0], System2Faults(stall=1.0, latency=0.4))
    seen = []
    for _ in range(70):
        step(env, runtime)
        if runtime.counts["stalled"][0] > 0 and runtime.counts["tick"][0] < runtime.counts["stalled"][0]:
            seen.append((float(runtime.commands.observed[0, 0]), len(runtime._mail[0])))
    assert len(seen) > 20
    assert len({observed for observed, _ in seen}) == 1, "an answer came during the stall"
    assert seen[0][1] >= 1


@pytest.mark.parametrize("task", ["PickPlace", "HandoverPlace", "Stack", "Reach"])
def test_a_wrong_plan_is_the_one_for_another_layouts_goals(task: str) -> None:
    env, runtime = make(task, [4, 9], System2Faults(wrong=1.0))
    other, _ = make(task, [other_layout(4), other_layout(9)], System2Faults())
    right = [SymbolicPlanner().plan(*seen) for seen in estimates(env.scene, env.task, env.world(), range(env.num_envs))]
    asked = env.task.targets(other.world())
    for i in range(2):
        steps, _ = runtime.plan_of(i)
        wanted = asked.tool[i] if asked.tool is not None else asked.positions[i, 0]
        assert runtime.counts["wrong"][i] == runtime.counts["calls"][i] == 1
        ways = [
            np.linalg.norm(np.array(c.target[:2]) - wanted[:2])
            for s in steps for c in s.commands if c.skill in ("reach", "place", "carry", "hold")
        ]  # fmt: skip
        assert min(ways) < 5e-3, "no command leads to the other layout's goal"
        assert steps != right[i].steps


def test_so_many_plans_are_wrong_and_the_same_ones_in_any_batch() -> None:
    faults = System2Faults(wrong=0.3, jitter=0.4)
    env, runtime = make("Reach", range(24), faults)
    _, alone = one = make("Reach", [7], faults)
    for _ in range(70):
        stand(env, runtime)
        stand(*one)
        assert alone.counts["wrong"][0] == runtime.counts["wrong"][7]
        np.testing.assert_array_equal(alone.commands.target[0], runtime.commands.target[7])
    calls, wrong = runtime.counts["calls"].sum(), runtime.counts["wrong"].sum()
    assert calls >= 24 * 8
    assert abs(wrong / calls - 0.3) < 0.1
    assert (runtime.counts["faults"] == 0).all(), "the planner itself does nothing wrong"


def test_always_wrong_plans_fail_and_are_counted() -> None:
    env = DuetVectorEnv(3, task="Reach", autoreset=False, threads=1)
    episodes = roll_out(env, DualAgent(SymbolicPlanner(), faults=System2Faults(wrong=1.0)), np.arange(3))
    assert not episodes.success.any()
    np.testing.assert_array_equal(episodes.wrong_plans, episodes.calls)


def test_commands_outlive_a_latency_of_8_s() -> None:
    """They live for 10 s from their observation, and are renewed by answers that are 8 s old."""
    env, runtime = make("Reach", [0], System2Faults(latency=8.0), Told())
    oldest = 0.0
    for _ in range(420):
        stand(env, runtime)
        oldest = max(oldest, float(runtime.command_age[0, 0]))
    assert runtime.counts["expired"][0] == 0
    assert oldest == pytest.approx(8.4, abs=TICK)


def test_a_runtime_goes_on_from_its_state_in_the_middle_of_a_stall() -> None:
    faults = System2Faults(stall=0.6, jitter=0.4, wrong=0.2)
    env, runtime = make("PickPlace", [1, 2], faults)
    while not runtime.counts["stalled"].all():
        step(env, runtime)
    worlds, saved = env.get_state(), runtime.get_state()
    other, continued = make("PickPlace", [5, 6], faults)
    other.set_state(worlds)
    continued.set_state(saved)
    for _ in range(40):
        step(env, runtime)
        step(other, continued)
    np.testing.assert_array_equal(other.physics.arrays["qpos"], env.physics.arrays["qpos"])
    for name, values in runtime.counts.items():
        np.testing.assert_array_equal(continued.counts[name], values, err_msg=name)
