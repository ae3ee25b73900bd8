"""What is counted of an episode tick by tick."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from evaluation.metrics import Tally
from evaluation.perturbations import make_perturbation
from evaluation.rollout import Episodes, roll_out
from policies.agents import DualAgent, SingleAgent
from policies.system2.symbolic import SymbolicPlanner


def make(task: str, num_worlds: int) -> DuetVectorEnv:
    return DuetVectorEnv(num_worlds, task=task, autoreset=False, threads=1)


def planned(name: str | None = None, task: str = "PickPlace") -> Episodes:
    perturbation = None if name is None else make_perturbation(name, task)
    return roll_out(make(task, 3), DualAgent(SymbolicPlanner()), np.arange(3), perturbation)


@pytest.fixture(scope="module")
def undisturbed() -> Episodes:
    return planned()


def test_a_carried_object_is_gripped_and_not_dropped(undisturbed: Episodes) -> None:
    assert undisturbed.success.all()
    assert (undisturbed.drops == 0).all()
    assert ((undisturbed.peak_force > 10) & (undisturbed.peak_force < 70)).all(), "a finger presses with 35 N"
    carried = undisturbed.contact_impulse / (2 * undisturbed.peak_force)
    assert ((carried > 0.3) & (carried < undisturbed.ticks * TICK)).all(), "two fingers, for a part of the episode"
    assert ((undisturbed.energy > 2) & (undisturbed.energy < 200)).all()
    assert ((undisturbed.jerk > 5) & (undisturbed.jerk < 200)).all()


def test_what_is_knocked_out_of_a_hand_in_the_air_is_a_drop() -> None:
    episodes = planned("knock", "Lift")
    assert (episodes.drops >= 1).sum() >= 2
    assert (episodes.drops <= 2).all()


def test_an_arm_at_rest_does_next_to_no_work() -> None:
    idle = SingleAgent(lambda _: np.zeros((3, 5)))
    env = make("PickPlace", 3)
    env.max_ticks = 50
    episodes = roll_out(env, idle, np.arange(3))
    assert (episodes.peak_force == 0).all()
    assert (episodes.contact_impulse == 0).all()
    assert (episodes.energy < 1.0).all()
    assert (episodes.command_age_p99 == 0).all()
    assert np.isnan(episodes.recovery_seconds).all()


def test_jerk_and_work_are_what_a_tools_and_joints_motion_says() -> None:
    """Against the definitions, along a motion that is played back."""
    env = make("Reach", 1)
    env.reset(options={"layout_seeds": [0]})
    tally = Tally(env)
    arrays, arm = env.physics.arrays, env.scene.arms[0]
    places, work, random = [arrays["site_xpos"][0, arm.tool].copy()], 0.0, np.random.default_rng(0)
    for _ in range(20):
        env.step(random.uniform(-1, 1, (1, 5)))
        tally.count(np.ones(1, dtype=bool))
        places.append(arrays["site_xpos"][0, arm.tool].copy())
        _, data = env.physics.view(0)
        work += TICK * np.abs(data.actuator_force[arm.controls] * arrays["qvel"][0, arm.joints]).sum()
    third = np.diff(places, n=3, axis=0) / TICK**3
    assert tally.jerk()[0] == pytest.approx(np.sqrt((third**2).sum(axis=1).mean()), rel=1e-6)
    assert tally.energy[0] == pytest.approx(work, rel=1e-6)


def test_nothing_counts_after_the_end_of_an_episode(undisturbed: Episodes) -> None:
    first = int(np.argmin(undisturbed.ticks))
    assert undisturbed.ticks.max() > undisturbed.ticks[first]
    alone = roll_out(make("PickPlace", 1), DualAgent(SymbolicPlanner()), np.array([first]))
    for name, values in alone.columns().items():
        np.testing.assert_array_equal(values, undisturbed.columns()[name][first : first + 1], err_msg=name)


def test_ages_of_commands_are_those_between_two_plans() -> None:
    slow = DualAgent(SymbolicPlanner(), latency=(5, 5), rate=2.5)
    episodes = roll_out(make("PickPlace", 2), slow, np.arange(2))
    assert (episodes.command_age_p50 <= episodes.command_age_p99).all()
    # a plan every 0.4 s that is 0.2 s old when it comes
    np.testing.assert_allclose(episodes.command_age_p50, 0.36, atol=0.09)
    assert (episodes.command_age_p99 >= 0.5).all()
    assert (episodes.expired == 0).all()


def test_columns_make_the_same_episodes_again(undisturbed: Episodes) -> None:
    columns = undisturbed.columns()
    again = Episodes.from_columns(columns, undisturbed.stages)
    assert again.summary() == undisturbed.summary()
    assert all(len(values) == 3 for values in columns.values())
    assert len(undisturbed.joined([again]).success) == 6
    assert undisturbed.only(np.array([False, True, False])).layout_seeds.tolist() == [1]
    assert again.recovery("knocked")["knocked"] == 0
    assert replace(undisturbed, disturbed=np.ones(3, dtype=bool)).recovery()["recovery_rate"] == 1.0
    with pytest.raises(ValueError, match="missing or unknown: jerk"):
        Episodes.from_columns({n: v for n, v in columns.items() if n != "jerk"}, undisturbed.stages)
