"""A comparison from command to files: the same bytes again, interrupted or not, and what is refused before any work."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import compare
from evaluation import archive, cells, working
from evaluation.run import Run, RunError
from policies.system1.ledger import LEDGER
from policies.system1.training import METRICS, checkpoint_path

EPISODES = 5
TICKS = 12


@pytest.fixture(scope="module")
def runs(untrained: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        "single": untrained(folder / "single", task="Tidy"),
        "dual": untrained(folder / "dual", task="Tidy", system="dual"),
        "dual1": untrained(folder / "dual1", task="Tidy", system="dual", seed=1),
        "stack": untrained(folder / "stack", task="Stack", system="dual"),
        "goal": untrained(folder / "goal", task="PickPlace", observation="goal", demonstrations=0),
        "pick": untrained(folder / "pick", task="PickPlace", system="dual"),
    }


@pytest.fixture(autouse=True)
def short(shorten: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, TICKS)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command; returns its exit code, output and errors."""

    def run(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["compare.py", *map(str, arguments)])
        code = compare.main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


OPTIONS = ("--episodes", EPISODES, "--perturb", "heavy", "latency=4", "--objects", 2, "--bounds", "--no-video")


@pytest.fixture(scope="module")
def finished(runs: dict[str, Path], shorten: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison with a disturbance, a fault, another number of objects and bounds."""
    out = tmp_path_factory.mktemp("compared") / "out"
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch, TICKS)
        patch.setattr(sys, "argv", ["compare.py", *map(str, (runs["single"], runs["dual"], *OPTIONS, "--out", out))])
        assert compare.main() == 0
    return out


def read(out: Path) -> dict[str, Any]:
    return json.loads((out / "results.json").read_text())


def test_every_contender_meets_every_condition_on_the_same_layouts(finished: Path) -> None:
    results = read(finished)
    assert [one["name"] for one in results["contenders"]] == ["single", "dual", "scripted System 1", "oracle planner"]
    assert [one["name"] for one in results["conditions"]] == ["undisturbed", "heavy", "latency 4 s", "2 objects"]
    found = {(cell["contender"], cell["condition"]): cell for cell in results["cells"]}
    assert len(found) == len(results["cells"]) == 16
    for (contender, condition), cell in found.items():
        able = (contender, condition) != ("single", "2 objects")
        assert cell["episodes"] == EPISODES * able
        assert cell["successes"] + len(cell["failed_layout_seeds"]) == EPISODES * able
        assert (cell["cannot_act"] is None) == able
        assert (cell["success_rate"] is None) != able
        assert cell["disturbed"] == (EPISODES if condition == "heavy" else 0)
        assert (cell["planner_calls"] is None) == (contender == "single" or not able)
    assert "numbers in training and" in found["single", "2 objects"]["cannot_act"]
    assert found["oracle planner", "undisturbed"]["planner_calls"] > found["dual", "undisturbed"]["planner_calls"]
    assert found["dual", "latency 4 s"]["command_age_p99"] > found["dual", "undisturbed"]["command_age_p99"]
    # one that cannot act is in no verdict; all others are
    assert [v["condition"] for v in results["verdicts"]] == ["undisturbed", "heavy", "latency 4 s"]
    assert [one["condition"] for one in results["blame"]] == ["undisturbed", "heavy", "latency 4 s", "2 objects"]


def test_a_fault_of_system_2_is_not_evaluated_for_those_it_cannot_touch(finished: Path) -> None:
    names = {path.name.removesuffix("--seed0--0-5.json") for path in (finished / "cells").iterdir()}
    assert "single--Tidy--undisturbed" in names
    assert "scripted-System-1--Tidy--latency-4-s" in names
    assert not names & {"single--Tidy--latency-4-s", "oracle-planner--Tidy--latency-4-s"}
    single = [cell for cell in read(finished)["cells"] if cell["contender"] == "single"]
    undisturbed, late = (
        {k: v for k, v in cell.items() if k != "condition"}
        for cell in single
        if cell["condition"] in ("undisturbed", "latency 4 s")
    )
    assert undisturbed == late


def test_episodes_and_results_count_the_same(finished: Path) -> None:
    table = pq.read_table(finished / "episodes.parquet").to_pylist()
    assert len({(row["contender"], row["condition"], row["layout_seed"]) for row in table}) == len(table)
    for cell in read(finished)["cells"]:
        rows = [r for r in table if (r["contender"], r["condition"]) == (cell["contender"], cell["condition"])]
        assert len(rows) == cell["episodes"]
        assert sum(row["success"] for row in rows) == cell["successes"]
        assert [row["layout_seed"] for row in rows if not row["success"]] == cell["failed_layout_seeds"]
        assert {row["seed"] for row in rows} <= {cell["seed"]}
        if rows:
            assert np.mean([row["energy"] for row in rows]) == pytest.approx(cell["energy"], abs=1e-6)
    columns = archive.read_episodes(finished)
    assert columns["success"].dtype == bool
    assert len(columns["ticks"]) == len(table)


def test_results_hold_no_times_dates_or_paths(finished: Path, runs: dict[str, Path]) -> None:
    text = (finished / "results.json").read_text()
    assert str(runs["single"].parent) not in text
    assert not {'"seconds"', "cpu_seconds", "commit", "processor"} & set(text.split())
    assert "NaN" not in text


def test_the_summary_says_first_what_can_be_said(finished: Path) -> None:
    lines = (finished / "summary.md").read_text().splitlines()
    assert lines[0] == "# single and dual on Tidy"
    assert lines[2].startswith("**Nothing can be said about the methods:** that takes two training seeds or more")
    assert "not about the methods (1 training seed" in "\n".join(lines)
    assert "| Tidy | 2 objects | cannot act | 0.0 % | 0.0 % | 0.0 % |" in lines
    assert any(line.startswith("python train.py --task Tidy --system dual --seed 0 --steps 1000") for line in lines)
    assert lines[-2].startswith("python compare.py ")


def test_timings_are_those_of_every_contender_and_of_learning(finished: Path) -> None:
    timings = json.loads((finished / "timings.json").read_text())
    for name in ("single", "dual", "scripted System 1", "oracle planner"):
        assert 0 < timings[name]["tick"]["p50"] <= timings[name]["tick"]["p99"] <= timings[name]["tick"]["max"] < 60
        assert (timings[name]["planner"] is None) == (name == "single")
    curve = timings["curves"][0]
    assert (curve["seconds"], curve["success"]) == ([2.5, 5.0], [0.25, 0.75])
    assert curve["area"] == pytest.approx(0.5 * 2.5 / 5)
    assert read(finished)["curves"][0]["area"] == pytest.approx(0.5 * 500 / 1000)


def test_ledgers_that_differ_are_told(finished: Path) -> None:
    ledger = json.loads((finished / "ledger.json").read_text())
    assert [one["environment_steps"] for one in ledger["single"]] == [1024]
    told = read(finished)["ledger_differences"]
    assert "reward: single of single / dual of dual" in told
    assert not any(line.startswith("environment steps") for line in told)


# The same again


def test_the_same_comparison_interrupted_and_continued_gives_the_same_bytes(
    finished: Path, runs: dict[str, Path], tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated: list[str] = []

    def until_stopped(cell: cells.Cell, threads: int) -> cells.Outcome:
        if len(evaluated) == 3:
            raise KeyboardInterrupt
        evaluated.append(cell.text)
        return cells.evaluate_cell(cell, threads)

    out = tmp_path / "out"
    arguments = (runs["single"], runs["dual"], *OPTIONS, "--out", out)
    monkeypatch.setattr(working, "evaluate_cell", until_stopped)
    code, said, _ = command(*arguments)
    assert code == 130
    assert f"python compare.py {runs['single']}" in said
    assert len(list((out / "cells").iterdir())) == 3
    with pytest.raises(RunError, match=r"not finished \(3 cells are\); go on with: python compare.py"):
        archive.read_results(out)
    monkeypatch.setattr(working, "evaluate_cell", lambda *a: evaluated.append(a[0].text) or cells.evaluate_cell(*a))  # type: ignore[func-returns-value]
    code, said, _ = command(*arguments)
    assert code == 0
    assert "3 of 14 cells are there already" in said
    assert len(evaluated) == len(set(evaluated)) == 14
    for name in ("results.json", "episodes.parquet", "ledger.json"):
        assert (out / name).read_bytes() == (finished / name).read_bytes(), name
    # and once more, with nothing left to do
    monkeypatch.setattr(working, "evaluate_cell", None)
    assert command(*arguments)[0] == 0
    assert (out / "results.json").read_bytes() == (finished / "results.json").read_bytes()
    assert archive.open_comparison(out).condition_names == ("undisturbed", "heavy", "latency 4 s", "2 objects")


def test_a_run_that_has_changed_since_is_named_and_not_mixed(
    runs: dict[str, Path], untrained: Any, tmp_path: Path, command: Any
) -> None:
    own = tmp_path / "own"
    shutil.copytree(runs["single"], own)
    arguments = (own, runs["dual"], "--episodes", 2, "--no-video", "--out", tmp_path / "out")
    assert command(*arguments)[0] == 0
    untrained(tmp_path / "other", task="Tidy", seed=0, gamma=0.9)
    shutil.copy(checkpoint_path(tmp_path / "other", 0), checkpoint_path(own, 7))
    code, _, error = command(*arguments)
    assert code == 2
    assert "single--Tidy--undisturbed--seed0--0-2.json was evaluated with another run checkpoint" in error
    assert "name another folder with --out" in error


@pytest.mark.parametrize("damage", ["{", "{}", '{"identity": 3, "limit": 1, "cannot_act": null}'])
def test_a_damaged_cell_is_named(
    damage: str, finished: Path, runs: dict[str, Path], tmp_path: Path, command: Any
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    path = next((out / "cells").iterdir())
    path.write_text(damage)
    code, _, error = command(runs["single"], runs["dual"], *OPTIONS, "--out", out)
    assert code == 2
    assert str(path) in error


def test_damaged_files_of_a_comparison_are_named_with_what_to_do(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (out / "episodes.parquet").write_bytes((finished / "episodes.parquet").read_bytes()[:-9])
    with pytest.raises(RunError, match=r"episodes.parquet is damaged .*with: python compare.py"):
        archive.read_episodes(out)
    (out / "episodes.parquet").unlink()
    with pytest.raises(RunError, match=r"episodes.parquet is missing; make it again"):
        archive.read_episodes(out)
    assert archive.read_results(out)["version"] == 1
    (out / "results.json").write_text("[]")
    with pytest.raises(RunError, match=r"results.json is damaged; delete it, and go on with"):
        archive.read_results(out)
    with pytest.raises(RunError, match=r"is not a comparison of Duet"):
        archive.read_request(out / "cells")


# What is refused


def refused(command: Any, *arguments: Any) -> str:
    """What is said of a comparison that cannot be made; nothing has been evaluated for it."""
    code, _, error = command(*arguments, "--no-video")
    assert code == 2
    assert error.startswith("error: ")
    assert len(error.strip().splitlines()) == 1
    return error


def test_runs_that_cannot_be_compared_are_named_with_what_can(
    runs: dict[str, Path], tmp_path: Path, command: Any
) -> None:
    single, dual, stack, goal = (runs[name] for name in ("single", "dual", "stack", "goal"))
    error = refused(command, single, stack)
    assert f"{single} is of Tidy" in error
    assert f"{stack} is of Stack" in error
    assert "python train.py --task Tidy --system dual" in error
    # dual runs of two tasks, and a single one of the first: the first can be compared
    assert f"instead compare {single} {dual} --task Tidy" in refused(
        command, single, dual, stack, "--task", "Tidy", "Stack"
    )
    error = refused(command, goal, runs["pick"])
    assert f"different observation modes (goal: {goal}; state: {runs['pick']})" in error
    older = tmp_path / "older"
    shutil.copytree(dual, older)
    machine = json.loads((older / "machine.json").read_text())
    machine["packages"]["duet"] = "0.0.9"
    (older / "machine.json").write_text(json.dumps(machine))
    error = refused(command, single, dual, older)
    assert "different versions of Duet" in error
    assert f"such as {single} {dual}" in error
    assert "are the same training" in refused(command, single, dual, shutil.copytree(dual, tmp_path / "copy"))


def test_what_else_makes_no_sense_is_refused_in_a_sentence(runs: dict[str, Path], tmp_path: Path, command: Any) -> None:
    both = (runs["single"], runs["dual"])
    assert "Tidy has no perturbation 'nudge'; it has: push, knock" in refused(command, *both, "--perturb", "nudge")
    assert "wrong must be above 0 and at most 1" in refused(command, *both, "--perturb", "wrong=2")
    assert "as in latency=2" in refused(command, *both, "--perturb", "latency=x")
    assert "there is one, single" in refused(command, runs["single"])
    assert "--placebos is about a dual system" in refused(command, runs["single"], "--placebos")
    assert "there is no run folder" in refused(command, tmp_path / "nothing", runs["dual"])
    assert "name two runs or more" in refused(command)
    assert "are not 5 episodes" in refused(command, *both, "--layout-seeds", "0:9", "--episodes", 5)
    assert "2 or more" in refused(command, *both, "--episodes", 1)
    assert "did you mean 'Tidy'" in refused(command, *both, "--task", "Tiddy")
    assert "leave the run out" in refused(command, *both, "--task", "Stack")
    assert "num_objects is 9" in refused(command, *both, "--objects", 9)
    assert "jobs must be" in refused(command, *both, "--jobs", 0)
    assert "leave out --seeds" in refused(command, *both, "--seeds", 2)
    assert "rising numbers from 0 to 60" in refused(command, *both, "--phase", "--phase-latencies", 3, 1)
    assert "--forks continue disturbances" in refused(command, *both, "--forks", "--perturb", "heavy")
    assert "comes from a file" in refused(command, *both, "--planners", "learned")
    assert "is a placebo" in refused(command, *both, "--planners", "frozen")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    assert "holds no comparison" in refused(command, *both, "--out", tmp_path / "mine")


def test_damaged_metrics_and_ledgers_are_found_before_the_work(
    runs: dict[str, Path], tmp_path: Path, command: Any
) -> None:
    for name, damage in ((METRICS, "steps,seconds,success\n1,2,x\n"), (LEDGER, "{}")):
        own = tmp_path / name
        shutil.copytree(runs["dual"], own)
        (own / name).write_text(damage)
        assert f"{own / name} is damaged" in refused(command, runs["single"], own, "--out", tmp_path / "out")


# Placebos, planners, forks and the phase diagram


def test_placebos_forks_and_the_phase_diagram(runs: dict[str, Path], tmp_path: Path, command: Any) -> None:
    out = tmp_path / "out"
    code, _, error = command(
        *(runs["single"], runs["dual"], runs["dual1"], "--episodes", 3, "--placebos", "--no-video", "--out", out),
        *("--perturb", "goal_moves", "--forks", "--phase", "--phase-latencies", 0, 1, "--phase-wrong", 0, 0.5, 1),
        *("--phase-episodes", 2),
    )
    assert code == 0, error
    results = read(out)
    placebos = [one for one in results["contenders"] if one["kind"] == "placebo"]
    assert [one["planner"] for one in placebos] == ["frozen", "shuffled", "random", "none"]
    assert {one["name"]: one["seeds"] for one in results["contenders"]}["dual, no command"] == [0, 1]
    assert [one["placebo"] for one in results["listening"]] == [one["name"] for one in placebos]
    phase = results["phase"]
    assert np.shape(phase["success"]) == (2, 3)
    assert (phase["latencies"], phase["wrong"]) == ([0.0, 1.0], [0.0, 0.5, 1.0])
    assert (phase["episodes"], phase["seeds"], phase["single"]) == (2, [0, 1], 0.0)
    forks = [cell for cell in results["cells"] if cell["condition"] == "goal_moves, same moment"]
    # the goal moves once an object is carried: too late for these episodes, and said instead of counted
    assert {cell["cannot_act"] for cell in forks} == {"it happened in 0 of 3 episodes"}
    assert len(forks) == 1 + 2 + 4 * 2


def test_trainings_that_differ_in_more_than_the_seed_are_systems_of_their_own(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    from evaluation.contenders import systems_of, with_planners

    other = Run.create(dataclasses.replace(Run.open(runs["dual"]).config, gamma=0.9, seed=5), tmp_path / "other")
    named = [Run.open(runs[name]) for name in ("single", "dual", "dual1")]
    assert [(one.name, one.seeds("Tidy")) for one in systems_of(named)] == [("single", (0,)), ("dual", (0, 1))]
    names = [one.name for one in systems_of([*named, Run.open(other.folder)])]
    assert names == ["single", "dual (gamma 0.9)", "dual (gamma 0.98)"]
    under = with_planners(systems_of(named), ("symbolic", "scripted"), None)
    assert [(one.name, one.planner) for one in under] == [
        ("single", None),
        ("dual (symbolic)", "symbolic"),
        ("dual (scripted)", "scripted"),
    ]
