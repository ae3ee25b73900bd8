"""The evaluation of a run: on which layouts, tasks and planners, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from envs.layout import EVALUATION_SEEDS
from envs.vector import DuetVectorEnv
from evaluation import evaluate as module
from evaluation.evaluate import Setting, evaluate, parse_seeds, text
from evaluation.rollout import roll_out
from evaluation.run import Run
from policies.agents import DualAgent, SingleAgent
from policies.system1 import checkpoint
from policies.system1.algorithms import build
from policies.system1.config import TrainConfig
from policies.system1.training import checkpoint_path
from policies.system1.worlds import make_worlds
from policies.system2.symbolic import SymbolicPlanner

SEEDS = np.arange(100, 103)
PLANNING = {"no_plan", "planner_calls", "replans", "planner_faults"}
RECOVERY = {"knocked", "recovery_rate", "recovery_low", "recovery_high"}


def untrained(folder: Path, **options: Any) -> Run:
    """A run whose policy has learned nothing."""
    torch.set_num_threads(1)  # as in a training: its networks are too small to share out
    config = TrainConfig(num_worlds=6, threads=1, **options).resolved()
    run = Run.create(config, folder)
    path = checkpoint_path(folder, 0)
    path.parent.mkdir()
    model = build(config, make_worlds(config), to_train=False)
    checkpoint.write(path, checkpoint.policy_state(model, seconds=1.0))
    return run


@pytest.fixture(scope="module")
def dual(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return untrained(tmp_path_factory.mktemp("runs") / "dual", task="PickPlace", system="dual")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return untrained(tmp_path_factory.mktemp("runs") / "single", task="PickPlace")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Episodes of at most 30 ticks."""
    make_env = Run.make_env

    def limited(self: Run, **changes: Any) -> DuetVectorEnv:
        env = make_env(self, **changes)
        env.max_ticks = min(env.max_ticks, 30)
        return env

    monkeypatch.setattr(Run, "make_env", limited)


# Layout seeds


def test_seeds_are_a_half_open_range() -> None:
    np.testing.assert_array_equal(parse_seeds("7:10"), [7, 8, 9])
    assert parse_seeds(f"{EVALUATION_SEEDS - 1}:{EVALUATION_SEEDS}").tolist() == [EVALUATION_SEEDS - 1]


@pytest.mark.parametrize(
    "wrong", ["", "5", "5:", ":5", "5:5", "6:5", "-1:5", "1:2:3", "a:b", "1.0:2", f"0:{EVALUATION_SEEDS + 1}"]
)
def test_what_is_no_range_of_evaluation_seeds_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"layout seeds are A:B with 0 <= A < B <= 4294967296"):
        parse_seeds(wrong)


# Settings


def test_a_result_says_what_was_evaluated_and_on_what(dual: Run, short: None) -> None:
    result = evaluate(dual, SEEDS)
    assert (result["task"], result["system"], result["planner"]) == ("PickPlace", "dual", "symbolic")
    assert (result["episodes"], result["layout_seeds"], result["objects"]) == (3, "100:103", 1)
    assert result["successes"] + len(result["failed_layout_seeds"]) == 3
    assert set(result) >= PLANNING
    assert not set(result) & RECOVERY
    assert result["planner_faults"] == 0
    assert result["planner_calls"] > 1


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (Setting(task="Handover"), {"task": "Handover", "objects": 1}),
        (Setting(task="Tidy"), {"task": "Tidy", "objects": 3}),
        (Setting(task="Tidy", objects=8), {"task": "Tidy", "objects": 8}),
        (Setting(task="Relay", objects=4), {"task": "Relay", "objects": 4}),
        (Setting(task="Reach"), {"task": "Reach", "objects": 0}),
        (Setting(planner="random"), {"task": "PickPlace", "planner": "random"}),
        (Setting(planner="frozen"), {"planner": "frozen", "planner_calls": 1.0, "replans": 0.0}),
        (Setting(latency=0.4), {"planner": "symbolic", "planner_faults": 0}),
        (Setting(jitter=0.4, stall=0.4, wrong_plans=0.5), {"planner": "symbolic", "planner_faults": 0}),
        (Setting(task="Handover", knock=True), {"knocked": 0, "recovery_rate": None}),
    ],
)
def test_a_dual_run_is_evaluated_on_other_tasks_and_planners(
    setting: Setting, expected: dict[str, Any], dual: Run, short: None
) -> None:
    result = evaluate(dual, SEEDS, setting)
    assert {name: result[name] for name in expected} == expected
    assert set(result) >= (PLANNING | RECOVERY if setting.knock else PLANNING)
    assert result["episodes"] == 3
    assert len(result["stage_counts"]) > 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (Setting(objects=3), "the number of PickPlace's objects is fixed"),
        (Setting(task="Tidy", objects=9), "num_objects is 9; Tidy comes with"),
        (Setting(task="Reach", knock=True), "Reach has no perturbation 'knock'; it has goal_moves"),
        (Setting(task="Stack", perturb="goal_moves"), "Stack has no perturbation 'goal_moves'; it has push, knock"),
        (Setting(perturb="nock"), "no perturbation 'nock'; did you mean 'knock'"),
        (Setting(perturb="push", knock=True), "one perturbation at a time: leave out --knock or --perturb push"),
        (Setting(stall=-1.0), "stall must be from 0 to 60 s, not -1"),
        (Setting(wrong_plans=2.0), "the probability of a wrong plan must be from 0 to 1, not 2"),
        (Setting(planner="symbolc"), "did you mean 'symbolic'"),
        (Setting(task="PickPlase"), "did you mean 'PickPlace'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_a_sentence(setting: Setting, message: str, dual: Run) -> None:
    with pytest.raises(ValueError, match=message) as error:
        evaluate(dual, SEEDS, setting)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (Setting(task="Tidy", objects=2), r"observes \(\d+,\) numbers; Tidy with 2 objects has \(\d+,\)"),
        (Setting(task="Lift"), r"observes \(\d+,\) numbers; Lift with 1 objects has \(\d+,\)"),
        (Setting(planner="symbolic"), "is a single system; it has no planner"),
        (Setting(latency=0.2), "is a single system; it has no planner"),
        (Setting(jitter=0.2), "is a single system; it has no planner"),
        (Setting(stall=1.0), "is a single system; it has no planner"),
        (Setting(wrong_plans=0.5), "is a single system; it has no planner"),
    ],
)
def test_a_single_policy_is_refused_where_it_sees_something_else(setting: Setting, message: str, single: Run) -> None:
    with pytest.raises(ValueError, match=message) as error:
        evaluate(single, SEEDS, setting)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["heavy", "distractor", "pose_noise", "goal_drifts", "push"])
def test_both_systems_are_evaluated_while_something_happens(name: str, dual: Run, single: Run, short: None) -> None:
    for run in (dual, single):
        result = evaluate(run, SEEDS, Setting(perturb=name))
        assert result["perturbation"] == name
        assert result["disturbed"] == (0 if name == "push" else 3)
        assert result["recovery_rate"] == (None if name == "push" else 0.0)
        assert ("succeeded in 0.0% of 3 disturbed episodes" in text(result)) == (name != "push")


def test_a_knock_by_name_is_the_knock(single: Run, short: None) -> None:
    named = evaluate(single, SEEDS, Setting(perturb="knock"))
    assert named.pop("perturbation") == "knock"
    assert named == evaluate(single, SEEDS, Setting(knock=True))


def test_a_single_run_has_no_figures_of_a_planner(single: Run, short: None) -> None:
    result = evaluate(single, SEEDS, Setting(knock=True))
    assert result["planner"] is None
    assert not set(result) & PLANNING
    assert set(result) >= RECOVERY


def test_a_mixture_is_evaluated_task_by_task_and_together(tmp_path: Path, short: None) -> None:
    run = untrained(tmp_path / "all", task="all", system="dual")
    result = evaluate(run, SEEDS[:2])
    assert tuple(result["tasks"]) == run.config.tasks
    for key in ("episodes", "successes"):
        assert result[key] == sum(one[key] for one in result["tasks"].values())
    assert result["stage_counts"] == {name: one["successes"] for name, one in result["tasks"].items()}
    assert result["wilson_low"] <= result["success_rate"] <= result["wilson_high"]
    lines = text(result).splitlines()
    assert lines[0].startswith("all: 0 of 12 unseen layouts solved")
    assert [line.split(":")[0].strip() for line in lines[1:7]] == list(run.config.tasks)
    # one of its tasks alone
    assert evaluate(run, SEEDS[:2], Setting(task="Relay"))["stage_counts"].keys() == {"1 of 3", "2 of 3", "sorted"}


def test_layouts_that_do_not_fit_into_one_batch_count_once_and_in_order(
    dual: Run, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr("evaluation.rollout._LARGEST_BATCH", 2)
    monkeypatch.setattr(module, "roll_out", lambda env, *rest: sizes.append(env.num_envs) or roll_out(env, *rest))  # type: ignore[func-returns-value]
    result = evaluate(dual, np.arange(100, 105))
    assert sizes == [2, 2, 1]
    assert result["episodes"] == 5
    assert result["failed_layout_seeds"] == list(range(100, 105))


# Rolling out


def test_one_episode_on_each_layout_ends_at_success_or_at_its_limit() -> None:
    env = DuetVectorEnv(4, task="PickPlace", autoreset=False, threads=1)
    episodes = roll_out(env, DualAgent(SymbolicPlanner()), np.array([3, 9, 4, 1]))
    assert episodes.success.all()
    assert (episodes.stage == len(env.task.stages)).all()
    assert (episodes.ticks < env.max_ticks).all()
    assert episodes.layout_seeds.tolist() == [3, 9, 4, 1]
    alone = roll_out(
        DuetVectorEnv(1, task="PickPlace", autoreset=False, threads=1), DualAgent(SymbolicPlanner()), np.array([4])
    )
    assert alone.ticks[0] == episodes.ticks[2]
    idle = roll_out(env, SingleAgent(lambda _: np.zeros((4, 5))), np.arange(4))
    assert not idle.success.any()
    assert (idle.ticks == env.max_ticks).all()


def test_what_a_planner_did_counts_until_the_end_of_its_episode_only() -> None:
    """The shortest episode is not charged for the calls that follow it."""
    env = DuetVectorEnv(8, task="PickPlace", autoreset=False, threads=1)
    episodes = roll_out(env, DualAgent(SymbolicPlanner()), np.arange(8))
    first = int(np.argmin(episodes.ticks))
    assert episodes.ticks.max() > episodes.ticks[first] + 10, "none is longer by another call"
    alone = roll_out(
        DuetVectorEnv(1, task="PickPlace", autoreset=False, threads=1), DualAgent(SymbolicPlanner()), np.array([first])
    )
    assert episodes.calls[first] == alone.calls[0]
    assert episodes.joined([alone]).summary()["episodes"] == 9
    assert replace(episodes, faults=np.arange(8)).planning()["planner_faults"] == 28
