"""What is made of planted episodes: verdicts, blame, listening, the phase diagram, and where ledgers differ."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.scene import TICK
from evaluation.cells import Outcome
from evaluation.comparison import Comparison
from evaluation.conditions import UNDISTURBED
from evaluation.contenders import ORACLE, SCRIPTED, Contender, controls_of
from evaluation.curves import Curve
from evaluation.evidence import Evidence, blame
from evaluation.ledger import differences
from evaluation.phase import PhaseGrid
from evaluation.request import Request
from evaluation.results import results_of, rounded, summary
from evaluation.rollout import Episodes
from evaluation.run import Run
from policies.system1.config import TrainConfig

LAYOUTS = 300
LIMIT = 16.0


def contender(system: str, tasks: tuple[str, ...] = ("Stack",), seeds: int = 3, kind: str = "system") -> Contender:
    configs = [TrainConfig(task=task, system=system, seed=seed) for task in tasks for seed in range(seeds)]
    runs = tuple(Run(Path("nowhere") / f"{c.task}-{system}-{c.seed}", c.resolved(), {}) for c in configs)
    return Contender(system, kind, system, runs, runs[0].config.planner)  # type: ignore[arg-type]


def episodes(success: Any, **changes: Any) -> Episodes:
    """Episodes on layouts 0, 1, ..., with nothing to be said of them but whether they succeeded."""
    success = np.asarray(success, dtype=bool)
    columns: dict[str, Any] = {f.name: np.zeros(len(success)) for f in fields(Episodes) if f.name != "stages"}
    columns |= {"layout_seeds": np.arange(len(success)), "success": success}
    columns |= {name: np.zeros(len(success), dtype=bool) for name in ("disturbed", "no_plan", "diverged")}
    columns["ticks"] = np.where(success, 100, round(LIMIT / TICK))
    return Episodes.from_columns(columns | changes, ("grasp", "stack"))


def plant(rates: dict[str, float], tasks: tuple[str, ...] = ("Stack",), seeds: int = 3) -> Evidence:
    """Systems whose episodes succeed by chance, independently."""
    random = np.random.default_rng(3)
    comparison = Comparison(
        tasks,
        f"0:{LAYOUTS}",
        tuple(contender(system, tasks, seeds) for system in rates),
        dict.fromkeys(tasks, (UNDISTURBED,)),
        0.05,
    )
    found = {
        c.key: Outcome(episodes(random.random(LAYOUTS) < rates[c.contender.name]), LIMIT) for c in comparison.cells
    }
    return Evidence(comparison, found)


# Verdicts


def test_a_planted_difference_is_found_and_named_in_the_right_direction() -> None:
    (found,) = plant({"single": 0.6, "dual": 0.8}).verdicts()
    assert (found["a"], found["b"], found["task"], found["condition"]) == ("dual", "single", "Stack", "undisturbed")
    assert found["kind"] == "better"
    assert found["low"] < 0.2 < found["high"]
    assert found["sentence"].startswith("dual is better than single by")
    assert found["covers"] == "methods"
    assert found["p_holm"] == found["p_value"] < 0.05
    assert found["mcnemar_p"] < 1e-6
    assert plant({"single": 0.8, "dual": 0.6}).verdicts()[0]["kind"] == "worse"
    assert plant({"single": 0.99, "dual": 0.99}).verdicts()[0]["kind"] == "same"


def test_one_training_seed_is_about_policies_alone() -> None:
    (found,) = plant({"single": 0.5, "dual": 0.9}, seeds=1).verdicts()
    assert found["kind"] == "better"
    assert found["covers"] == "policies"
    assert "not about the methods" in found["sentence"]


def test_several_tasks_have_verdicts_one_by_one_and_together_and_holm_counts_all() -> None:
    evidence = plant({"single": 0.6, "dual": 0.8}, ("Stack", "Tidy"))
    found = evidence.verdicts()
    assert [one["task"] for one in found] == ["Stack", "Tidy", None]
    smallest = min(one["p_value"] for one in found)
    assert min(one["p_holm"] for one in found) == pytest.approx(3 * smallest)
    (improvement,) = evidence.improvement()
    assert improvement["probability"] == [1.0, 1.0, 1.0]
    value, low, high = evidence.aggregates()[0]["interquartile_mean"]
    assert low <= value <= high
    assert value == pytest.approx(0.6, abs=0.05)


def test_asking_about_disturbances_does_not_change_the_first_answer() -> None:
    tasks = ("Stack", "Tidy")
    rates = {"single": 0.6, "dual": 0.7}
    alone = plant(rates, tasks)
    asked = tuple(replace(UNDISTURBED, name=name) for name in ("push", "knock", "heavy"))
    comparison = replace(alone.comparison, conditions=dict.fromkeys(tasks, (UNDISTURBED, *asked)))
    outcomes = {cell.key: alone.of(replace(cell, condition=UNDISTURBED)) for cell in comparison.cells}
    found = Evidence(comparison, outcomes).verdicts()
    assert [one for one in found if one["condition"] == UNDISTURBED.name] == alone.verdicts()
    others = [one for one in found if one["condition"] != UNDISTURBED.name]
    assert len(others) == 9
    assert min(one["p_holm"] for one in others) == pytest.approx(9 * min(one["p_value"] for one in others))


def test_who_cannot_act_is_in_no_verdict() -> None:
    evidence = plant({"single": 0.6, "dual": 0.8}, ("Stack", "Tidy"))
    cells = evidence.comparison.cells
    outcomes = {c.key: evidence.of(c) for c in cells}
    mute = next(c for c in cells if c.contender.name == "single" and c.task == "Tidy")
    outcomes[mute.key] = Outcome(None, LIMIT, "it observes something else")
    silent = Evidence(evidence.comparison, outcomes)
    assert [one["task"] for one in silent.verdicts()] == ["Stack"]
    assert silent.aggregates()[0]["interquartile_mean"] is None
    results = results_of(evidence.comparison, outcomes, {})
    (cell,) = [one for one in results["cells"] if one["cannot_act"]]
    assert (cell["episodes"], cell["success_rate"], cell["failed_layout_seeds"]) == (0, None, [])


# Why


def test_blame_goes_to_what_cures_a_failure() -> None:
    dual = np.array([[1, 1, 0, 0, 0, 0], [0, 1, 1, 1, 1, 0]], dtype=bool)
    scripted = np.array([[1, 0, 1, 0, 1, 0]], dtype=bool)
    oracle = np.array([[0, 0, 0, 1, 1, 0], [0, 1, 1, 1, 1, 0]], dtype=bool)
    assert blame(dual, scripted, oracle) == {
        "failures": 6,
        "system1": 2,  # seed 0 on layout 2, seed 1 on layout 0
        "system2": 1,
        "interface": 1,
        "neither_alone": 2,
    }


def test_blame_and_listening_come_from_cells_of_the_same_layouts_and_seeds() -> None:
    dual = contender("dual", seeds=2)
    comparison = Comparison(
        ("Stack",), "0:4", (dual, *controls_of([dual], True, True)), {"Stack": (UNDISTURBED,)}, 0.05
    )
    success = {"dual": [[1, 1, 1, 0], [1, 1, 0, 0]], SCRIPTED: [[1, 1, 1, 0]], ORACLE: [[1, 1, 1, 1], [1, 1, 0, 0]]}
    outcomes = {
        c.key: Outcome(episodes(success.get(c.contender.name, [[0] * 4] * 2)[c.seed]), LIMIT) for c in comparison.cells
    }
    evidence = Evidence(comparison, outcomes)
    assert evidence.blame() == [
        {"task": "Stack", "condition": "undisturbed", "failures": 3}
        | {"system1": 1, "system2": 1, "interface": 0, "neither_alone": 1}
    ]
    listening = evidence.listening()
    assert len(listening) == 4
    assert {one["value"] for one in listening} == {5 / 8}
    assert evidence.verdicts() == []


def test_the_phase_diagram_has_a_row_for_each_latency_and_the_single_system_on_the_same_layouts() -> None:
    evidence = plant({"single": 0.6, "dual": 0.8}, seeds=2)
    comparison = evidence.comparison
    grid = {(0.0, 0.0): 4, (0.0, 0.5): 3, (2.0, 0.0): 2, (2.0, 0.5): 1}  # successes of 4
    request = Request(
        layout_seeds="0:8", phase=True, phase_latencies=(0.0, 2.0), phase_wrong=(0.0, 0.5), phase_episodes=4
    )
    drawn = PhaseGrid.of(request, "Stack", comparison.systems, "state")
    assert [cell.contender.system for cell in drawn.cells] == ["dual"] * 8 + ["single"] * 2
    assert {(cell.condition.perturbation, cell.layout_seeds) for cell in drawn.cells} == {("knock", "0:4")}
    spoilt = [(cell.condition.faults.latency, cell.condition.faults.wrong) for cell in drawn.points]
    assert spoilt == [kind for kind in grid for _ in range(2)]
    comparison = replace(comparison, phase=drawn)
    outcomes = {c.key: evidence.of(c) for c in comparison.cells}
    for cell, good in zip(drawn.cells, [*np.repeat(list(grid.values()), 2).tolist(), 3, 2], strict=True):
        outcomes[cell.key] = Outcome(episodes(np.arange(4) < good), LIMIT)
    phase = results_of(comparison, outcomes, {})["phase"]
    assert phase["success"] == [[1.0, 0.75], [0.5, 0.25]]
    assert (phase["episodes"], phase["seeds"], phase["condition"]) == (4, [0, 1], "knock")
    assert phase["single"] == 5 / 8


def test_the_phase_diagram_can_be_undisturbed_and_knows_what_a_task_has() -> None:
    systems = plant({"single": 0.6, "dual": 0.8}, seeds=1).comparison.systems
    request = Request(layout_seeds="0:8", phase=True, phase_perturb="none", phase_episodes=2)
    drawn = PhaseGrid.of(request, "Stack", systems, "state")
    assert {cell.condition.perturbation for cell in drawn.cells} == {None}
    assert not PhaseGrid.of(request, "Stack", systems[1:], "state").level, "there is no single system"
    with pytest.raises(
        ValueError, match=r"phase diagram of Stack cannot .* 'goal_moves'; --phase-perturb takes push, knock"
    ):
        PhaseGrid.of(replace(request, phase_perturb="goal_moves"), "Stack", systems, "state")


# Numbers


def test_a_cell_counts_what_happened() -> None:
    success = np.array([1, 1, 0, 0], dtype=bool)
    disturbed = np.array([1, 0, 1, 1], dtype=bool)
    recovery = np.array([3.0, np.nan, np.nan, np.nan])
    some = episodes(
        success,
        disturbed=disturbed,
        recovery_seconds=recovery,
        stage=np.array([2, 2, 1, 0]),
        drops=np.array([1, 0, 2, 0]),
        faults=np.array([0, 1, 1, 0]),
    )
    found = summary(some, LIMIT, planned=True)
    assert (found["episodes"], found["successes"], found["disturbed"]) == (4, 2, 3)
    assert found["stage_counts"] == {"grasp": 3, "stack": 2}
    assert found["recovery_rate"] == pytest.approx(1 / 3)
    assert found["recovery_seconds"] == 3.0
    assert found["restricted_seconds"] == pytest.approx((2 * 100 * TICK + 2 * LIMIT) / 4)
    assert (found["drops"], found["planner_faults"]) == (0.75, 2)
    assert found["failed_layout_seeds"] == [2, 3]
    assert summary(some, LIMIT, planned=False)["planner_faults"] is None


def test_numbers_are_cut_where_the_last_bits_of_a_machine_begin() -> None:
    value = {"a": [1 / 3, np.float64(-1e-9), float("nan")], "b": (True, 3, None, "x")}
    assert rounded(value) == {"a": [0.333333, 0.0, None], "b": [True, 3, None, "x"]}
    assert str(rounded(-1e-9)) == "0.0"


def test_the_area_under_a_curve_is_the_mean_success_over_the_training() -> None:
    steps = np.array([100.0, 200.0, 400.0])
    curve = Curve("dual", "Stack", 0, steps, steps, np.array([0.0, 1.0, 1.0]))
    assert curve.area(steps) == pytest.approx((0 + 50 + 200) / 400)


# Ledgers


def ledger(**changes: Any) -> dict[str, Any]:
    versions = dict.fromkeys(("duet", "mujoco", "stable-baselines3", "torch", "numpy"), "1.0")
    return {
        "run": "a",
        "task": "Stack",
        "seed": 0,
        "budget": 200_000,
        "environment_steps": 204_800,
        "shown_steps": 19_200,
        "seconds": 100.0,
        "planner": None,
        "observation": ["tool", "cube"],
        "versions": versions,
    } | changes


def test_ledgers_that_agree_but_for_times_say_nothing() -> None:
    known = {"single": [ledger()], "dual": [ledger(seconds=999.0, seed=1)]}
    assert differences(known, {"Stack": {"single": 8.0, "dual": 8.0}}) == []


def test_what_makes_a_comparison_unfair_comes_first() -> None:
    other = ledger(planner="symbolic", budget=400_000, environment_steps=401_408, observation=["tool", "skill"])
    lines = differences({"single": [ledger()], "dual": [other]}, {"Stack": {"single": 8.0, "dual": 10.0}})
    assert lines == [
        "environment steps on Stack: single 204,800 / dual 401,408 - "
        "not the same budget, so this is no fair comparison",
        "seconds of an episode of Stack: single 8 / dual 10 - no fair comparison",
        "planner in training: single none / dual symbolic",
        "observation on Stack: single 2 fields (alone with cube); dual 2 fields (alone with skill)",
    ]


def test_steps_that_differ_by_rounding_and_ranges_over_seeds_are_told_as_such() -> None:
    dual = [ledger(environment_steps=200_704), ledger(environment_steps=200_704, shown_steps=20_000)]
    lines = differences({"single": [ledger(), ledger()], "dual": dual}, {})
    assert lines == [
        "environment steps: single 204,800 / dual 200,704 (the budget of 200,000 rounded up to whole updates)",
        "environment steps of the demonstrator: single 19,200 / dual 19,200 to 20,000",
    ]


def test_a_budget_that_is_lost_in_rounding_is_unfair() -> None:
    short = {"budget": 4096, "environment_steps": 4096}
    lines = differences({"single": [ledger(**short | {"environment_steps": 8192})], "dual": [ledger(**short)]}, {})
    assert lines == [
        "environment steps on Stack: single 8,192 / dual 4,096 - 4,096 are too few for whole updates, "
        "so this is no fair comparison"
    ]


def test_a_ledger_that_is_missing_and_versions_that_differ_are_said() -> None:
    newer = ledger(versions=ledger()["versions"] | {"mujoco": "1.1"})
    lines = differences({"single": [ledger()], "dual": [newer, {"run": "b", "missing": True}]}, {})
    assert lines == [
        "dual: no ledger of b, so what it cost and was given is not known",
        "version of mujoco: single 1.0 / dual 1.1",
    ]
