"""Which episodes are filmed: picked out of a comparison or an evaluation, and what is said where that cannot be."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import compare
import record
from envs.rendering import SceneRenderer
from envs.vector import DuetVectorEnv
from evaluation.conditions import UNDISTURBED
from evaluation.film import video
from evaluation.film.comparison import telling, write_films
from evaluation.film.picks import BEST, FAILURES, WORST, Archive, Pick, pick
from evaluation.film.shots import contenders_of, shots_of
from evaluation.run import EVALUATION, Run

TICKS = 90
SCRIPTED = "scripted System 1"
Command = Callable[..., tuple[int, str, str]]

ROWS = [  # contender, seed, layout, success, ticks, stage
    ("dual", 0, 0, True, 50, 3),
    ("dual", 0, 1, False, 99, 2),
    ("dual", 0, 2, True, 40, 3),
    ("dual", 1, 0, True, 40, 3),
    ("dual", 1, 1, False, 99, 1),
    ("dual", 1, 2, False, 60, 1),
    ("single", 0, 0, True, 70, 3),
    ("single", 0, 1, False, 99, 0),
    ("single", 0, 2, False, 99, 0),
]


@pytest.fixture
def columns() -> dict[str, np.ndarray]:
    """Of invented episodes."""
    names = ("contender", "seed", "layout_seed", "success", "ticks", "stage")
    found = {name: np.array(values) for name, values in zip(names, zip(*ROWS, strict=True), strict=True)}
    return found | {name: np.full(len(ROWS), word) for name, word in (("task", "Tidy"), ("condition", "undisturbed"))}


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (BEST, [(0, 1), (2, 0), (0, 0)]),  # layout, training seed: the fastest, of equals the first layout
        (WORST, [(1, 1), (2, 1), (1, 0)]),  # got least far, and took longest over it
        (FAILURES, [(1, 0), (1, 1), (2, 1)]),
    ],
)
def test_episodes_are_picked_in_order(which: str, expected: list[tuple[int, int]], columns: Any) -> None:
    picks = pick(columns, "dual", "undisturbed", ("Tidy",), which, 3)
    assert [(one.layout_seed, one.seed) for one in picks] == expected
    assert all(one.note.startswith("dual: ") for one in picks)
    assert pick(columns, "dual", "undisturbed", ("Tidy",), which, 1) == picks[:1]


def test_nothing_to_pick_is_said(columns: Any) -> None:
    with pytest.raises(ValueError, match=r"no episode of dual was counted in the condition 'knock' on Tidy"):
        pick(columns, "dual", "knock", ("Tidy",), BEST, 1)
    columns["success"][:] = False
    with pytest.raises(ValueError, match=r"none of the 6 episodes of dual \(undisturbed, Tidy\) succeeded"):
        pick(columns, "dual", "undisturbed", ("Tidy",), BEST, 1)


def test_films_of_a_comparison_begin_where_systems_differ(columns: Any) -> None:
    # of the first trainings: on layout 2 one of them succeeds, on 0 both, on 1 none
    assert telling(columns, ["single", "dual"], UNDISTURBED, "Tidy", 3) == [
        Pick("Tidy", 2),
        Pick("Tidy", 0),
        Pick("Tidy", 1),
    ]
    columns["layout_seed"][-1] = 9  # that only one of them met
    assert [one.layout_seed for one in telling(columns, ["single", "dual"], UNDISTURBED, "Tidy", 3)] == [0, 1]


# The command, on a comparison and on runs


@pytest.fixture(autouse=True)
def small(shorten: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short episodes in small plain pictures."""
    shorten(monkeypatch, TICKS)
    monkeypatch.setattr(SceneRenderer, "__init__", partialmethod(SceneRenderer.__init__, beauty=False))
    monkeypatch.setattr(video, "SIZE", (240, 320))


@pytest.fixture(scope="module")
def run_folder(untrained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("runs") / "dual", task="PickPlace", system="dual")


@pytest.fixture(scope="module")
def comparison(run_folder: Path, shorten: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an untrained System 1 that solves nothing, and the scripted one that solves it all."""
    out = tmp_path_factory.mktemp("compared") / "out"
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch, TICKS)
        options = ("--episodes", "3", "--bounds", "--perturb", "heavy", "--no-video", "--out", str(out))
        patch.setattr(sys, "argv", ["compare.py", str(run_folder), *options])
        assert compare.main() == 0
    return out


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Films; returns the exit code, output and errors."""

    def run(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["record.py", *map(str, arguments)])
        try:
            code = record.main()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def _counted(comparison: Path, contender: str, condition: str = "undisturbed") -> dict[int, tuple[bool, int]]:
    """Success and ticks by layout."""
    columns = Archive.open(comparison).columns
    rows = (columns["contender"] == contender) & (columns["condition"] == condition)
    table = (columns[name][rows].tolist() for name in ("layout_seed", "success", "ticks"))
    return {layout: (success, ticks) for layout, success, ticks in zip(*table, strict=True)}


def test_the_best_of_a_comparison_is_filmed_as_it_was_counted(
    comparison: Path, tmp_path: Path, command: Command
) -> None:
    out = tmp_path / "best.mp4"
    code, said, error = command(
        *("--comparison", comparison, "--contender", SCRIPTED, "--condition", "heavy", "--best", 1),
        *("--no-titles", "--out", out),
    )
    assert code == 0, error
    (shot,) = json.loads(video.side_file(out).read_text())["shots"]
    counted = _counted(comparison, SCRIPTED, "heavy")
    fastest = min(ticks for success, ticks in counted.values() if success)
    assert counted[shot["layout_seed"]] == (True, fastest)
    assert shot["frames"] == 1 + fastest + 20
    assert (shot["contender"], shot["condition"], shot["counted_in"]) == (SCRIPTED, "heavy", "episodes.parquet")
    assert f"layout seed {shot['layout_seed']}: success (as in episodes.parquet)" in said


def test_failures_are_filmed_beside_who_solves_them(comparison: Path, tmp_path: Path, command: Command) -> None:
    out = tmp_path / "failures.mp4"
    who = ("--contender", "dual", SCRIPTED)
    code, _, error = command("--comparison", comparison, *who, "--failures", 1, "--out", out, "--no-titles")
    assert code == 0, error
    left, right = json.loads(video.side_file(out).read_text())["shots"]
    assert (left["contender"], left["success"]) == ("dual", False)
    assert (right["contender"], right["success"]) == (SCRIPTED, True)
    assert left["layout_seed"] == right["layout_seed"] == 0
    counted = [_counted(comparison, name)[0][1] for name in ("dual", SCRIPTED)]
    assert left["frames"] == right["frames"] == 1 + max(counted) + 20


def test_the_films_of_the_report_are_named_after_task_and_condition(comparison: Path, tmp_path: Path) -> None:
    archive = Archive.open(comparison)
    paths = write_films(archive.comparison, archive.columns, tmp_path, ("heavy",), layouts=1, speed=4.0)
    assert paths == [tmp_path / "videos" / "PickPlace-heavy.mp4"]
    assert paths[0].stat().st_size > 5_000


def test_an_episode_that_ends_otherwise_now_is_not_filmed(
    comparison: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = Run.make_env

    def hurried(self: Run, **changes: Any) -> DuetVectorEnv:
        env = shorter(self, **changes)
        env.max_ticks = 10
        return env

    monkeypatch.setattr(Run, "make_env", hurried)
    out = tmp_path / "best.mp4"
    code, _, error = command("--comparison", comparison, "--contender", SCRIPTED, "--best", 1, "--out", out)
    assert code == 1
    assert "is a failure on film and a success in episodes.parquet" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--best", 1], "none of the 3 episodes of dual (undisturbed, PickPlace) succeeded"),
        (["--contender", "duel"], "did you mean 'dual'"),
        (["--condition", "heavvy"], "did you mean 'heavy'"),
        (["--condition", "knock"], "known: undisturbed, heavy"),
        (["--task", "Stack"], "PickPlace"),
        (["--perturb", "knock"], "a comparison has conditions of its own"),
        (["--best", 1, "--worst", 1], "picked in one way"),
        (["--contender", "dual", "dual"], "a contender is named twice"),
        (["--worst", 0], "takes a number of episodes, from 1 on"),
        (["--camera", "bottom"], "camera"),
        (["--speed", 99], "speed must be from 0.05 to 16"),
    ],
)
def test_what_a_comparison_does_not_have_is_named(
    options: list[Any], says: str, comparison: Path, tmp_path: Path, command: Command
) -> None:
    code, _, error = command("--comparison", comparison, *options, "--out", tmp_path / "film.mp4")
    assert code == 2
    assert says in error
    assert error.count("\n") == 1, "one sentence"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "episodes.parquet").unlink(), "episodes.parquet"),
        (lambda folder: (folder / "episodes.parquet").write_bytes(b"PAR1 and no more"), "episodes.parquet is damaged"),
        (lambda folder: (folder / "comparison.json").write_text("{"), "comparison.json"),
        (lambda folder: shutil.rmtree(folder), "there is no folder"),
    ],
    ids=["missing", "damaged", "request", "gone"],
)
def test_a_damaged_comparison_is_named(
    damage: Callable[[Path], None], says: str, comparison: Path, tmp_path: Path, command: Command
) -> None:
    own = tmp_path / "own"
    shutil.copytree(comparison, own)
    damage(own)
    code, _, error = command("--comparison", own, "--out", tmp_path / "film.mp4")
    assert code == 2
    assert says in error
    assert not (tmp_path / "film.mp4").exists()


def test_failures_of_a_run_are_those_of_its_evaluation(run_folder: Path, tmp_path: Path, command: Command) -> None:
    own, out = tmp_path / "own", tmp_path / "film.mp4"
    shutil.copytree(run_folder, own)
    code, _, error = command(own, "--failures", 1, "--out", out)
    assert code == 2
    assert f"{own} has no {EVALUATION}" in error
    summary = {"task": "PickPlace", "layout_seeds": "0:9", "failed_layout_seeds": [5, 7], "success_rate": 7 / 9}
    summary |= {"episodes": 9, "train_seconds": 60.0}
    (own / EVALUATION).write_text(json.dumps(summary))
    code, said, error = command(own, "--failures", 1, "--speed", 8, "--out", out)
    assert code == 0, error
    assert f"layout seed 5: failed (as in {EVALUATION})" in said
    code, _, error = command(own, "--best", 1, "--out", out)
    assert code == 2
    assert "counted in comparisons alone" in error
    (own / EVALUATION).write_text(json.dumps(summary | {"failed_layout_seeds": []}))
    code, _, error = command(own, "--failures", 1, "--out", out)
    assert code == 2
    assert "no failure in its evaluation" in error


def test_runs_in_folders_of_one_name_have_names_and_worlds_of_their_own(run_folder: Path, tmp_path: Path) -> None:
    folders = [tmp_path / place / "dual" for place in ("here", "there")]
    for folder in folders:
        shutil.copytree(run_folder, folder)
    contenders = contenders_of([Run.open(folder) for folder in folders])
    assert [one.name for one in contenders] == [f"dual ({folder})" for folder in folders]
    for (left, right), layout_seed in zip(
        shots_of(contenders, [Pick("PickPlace", 3), Pick("PickPlace", 4)]), (3, 4), strict=True
    ):
        assert left.env is not right.env
        assert left.layout_seed == right.layout_seed == layout_seed


def test_a_run_is_not_beside_itself(run_folder: Path, tmp_path: Path, command: Command) -> None:
    code, _, error = command(run_folder, run_folder / ".", "--out", tmp_path / "film.mp4")
    assert (code, "a run is named twice" in error) == (2, True)
