"""The same moment, continued under several agents."""

from __future__ import annotations

import numpy as np
import pytest

from envs.vector import DuetVectorEnv
from evaluation.forks import fork
from evaluation.perturbations import make_perturbation
from evaluation.rollout import roll_out
from policies.agents import Agent, DualAgent, ExpertAgent, SingleAgent
from policies.system2.planners import make_planner
from policies.system2.symbolic import SymbolicPlanner


def make(num_worlds: int, task: str = "PickPlace") -> DuetVectorEnv:
    return DuetVectorEnv(num_worlds, task=task, autoreset=False, threads=1, distractors=1)


@pytest.mark.parametrize("name", ["push", "knock", "goal_moves", "goal_drifts", "distractor", "pose_noise"])
def test_who_goes_on_alone_does_what_it_would_have_done_without_the_fork(name: str) -> None:
    """To the last bit, in every column."""
    seeds, single = np.array([3, 8, 5]), ExpertAgent()
    whole = roll_out(make(3), single, seeds, make_perturbation(name, "PickPlace"))
    contenders: dict[str, Agent] = {"frozen": DualAgent(make_planner("frozen")), "single": single, "again": single}
    found = fork(make(3), single, contenders, seeds, make_perturbation(name, "PickPlace"))
    assert whole.disturbed.all()
    for column, values in whole.columns().items():
        np.testing.assert_array_equal(found["single"].columns()[column], values, err_msg=column)
        np.testing.assert_array_equal(found["again"].columns()[column], values, err_msg=column)


def test_all_contenders_face_the_same_moment_with_a_fresh_plan() -> None:
    starts: list[np.ndarray] = []

    class Watched(DualAgent):
        def begin(self, env: DuetVectorEnv) -> None:
            starts.append(env.physics.arrays["qpos"].copy())
            super().begin(env)

    contenders = {"a": Watched(SymbolicPlanner()), "b": Watched(SymbolicPlanner(), latency=(10, 10))}
    seeds = np.arange(3)
    found = fork(make(3), ExpertAgent(), contenders, seeds, make_perturbation("knock", "PickPlace"))
    np.testing.assert_array_equal(starts[0], starts[1])
    for episodes in found.values():
        assert episodes.layout_seeds.tolist() == seeds.tolist()
        assert episodes.success.all()
        assert (episodes.recovery_seconds > 0).all()
        assert (episodes.calls >= 2).all()
        assert (episodes.command_age_p50 > 0.1).all()
    assert (found["b"].command_age_p50 > found["a"].command_age_p50 + 0.2).all()


def test_a_world_that_is_not_disturbed_in_time_is_left_out() -> None:
    env = make(4)
    whole = roll_out(env, ExpertAgent(), np.arange(4), make_perturbation("knock", "PickPlace"))
    at = np.sort(whole.ticks - np.round(whole.recovery_seconds / 0.04).astype(int))
    env.max_ticks = int(at[1]) + 1  # the first of them is disturbed before the limit, and not at it
    found = fork(env, ExpertAgent(), {"idle": SingleAgent(lambda _: np.zeros((4, 5)))}, np.arange(4),
                 make_perturbation("knock", "PickPlace"))["idle"]  # fmt: skip
    assert 1 <= len(found.success) < 4
    assert found.disturbed.all()
    assert not found.success.any()
    nobody = fork(env, SingleAgent(lambda _: np.zeros((4, 5))), {"expert": ExpertAgent()}, np.arange(4),
                  make_perturbation("knock", "PickPlace"))["expert"]  # fmt: skip
    assert len(nobody.success) == 0


def test_what_system_2_did_before_the_moment_is_not_charged_to_who_goes_on() -> None:
    contenders: dict[str, Agent] = {"single": ExpertAgent(), "dual": DualAgent(SymbolicPlanner())}
    reference = DualAgent(SymbolicPlanner())
    found = fork(make(2), reference, contenders, np.arange(2), make_perturbation("knock", "PickPlace"))
    for name in ("calls", "replans", "expired", "command_age", "command_age_p99"):
        assert (found["single"].columns()[name] == 0).all(), name
    alone = roll_out(make(2), reference, np.arange(2), make_perturbation("knock", "PickPlace"))
    assert (found["dual"].calls < alone.calls).all()
    assert (found["dual"].calls > 0).all()
    assert (found["single"].energy > 0).all()
