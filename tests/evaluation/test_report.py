"""What a report says of a comparison, and what it says where parts are missing or damaged."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.figures.phase import Phase, phase_diagram
from evaluation.figures.style import percent
from evaluation.report import ReportError, write_report
from evaluation.report.prose import answers
from evaluation.statistics import wilson_interval

Writer = Callable[..., Path]


@pytest.fixture
def bare(tmp_path: Path, write_comparison: Writer) -> Path:
    """A small comparison, of which a test may spoil something."""
    return write_comparison(tmp_path / "c", conditions=("undisturbed",), names=("single", "dual"))


def _page(folder: Path) -> str:
    return (folder / "report.html").read_text()


def _rewrite(folder: Path, **changes: Any) -> None:
    results = json.loads((folder / "results.json").read_text())
    (folder / "results.json").write_text(json.dumps(results | changes))


def test_the_first_page_has_the_verdict_and_where_the_ledgers_differ(reported: Path) -> None:
    page, results = _page(reported), json.loads((reported / "results.json").read_text())
    first = page[: page.index('id="success"')]
    assert "When are two systems better than one?" in first
    sentence = results["verdicts"][0]["sentence"].partition(". ")[0]
    assert sentence[1:] in first  # but for its capital
    assert "Two systems are better." in first
    assert results["ledger_differences"][0][1:] in first  # what the table does not say
    assert results["ledger_differences"][1] not in first
    row = re.search(r"<tr>[^\n]*>reward</th>.*?</tr>", first, flags=re.DOTALL)
    assert row is not None
    assert "differs" in row[0]
    same = re.search(r"<tr>[^\n]*>parameters</th>.*?</tr>", first, flags=re.DOTALL)
    assert same is not None
    assert "differs" not in same[0]


def test_every_number_of_the_success_table_is_the_pooled_one(reported: Path) -> None:
    results = json.loads((reported / "results.json").read_text())
    cells = [c for c in results["cells"] if (c["contender"], c["condition"]) == ("dual", "knock")]
    won, n = sum(c["successes"] for c in cells), sum(c["episodes"] for c in cells)
    low, high = wilson_interval(won, n)
    assert n == 120
    wanted = f"{100 * won / n:.1f} %<small>{100 * low:.1f} to {100 * high:.1f}</small>"
    table = re.search(r"<table.*?Wilson.*?</table>", _page(reported), flags=re.DOTALL)
    assert table is not None
    assert wanted in table[0]


def test_conditions_commands_controls_and_limits_are_told(reported: Path) -> None:
    page = _page(reported)
    for text in (
        "knocked out of the gripper 0.3 s after the grasp",
        "pushed aside",
        "the plan for another layout",
        "python compare.py runs/a runs/b --perturb all",
        "What this cannot show",
    ):
        assert text in page, text
    assert "No phase diagram" not in page


def test_figures_are_files_too(reported: Path) -> None:
    names = {path.stem for path in (reported / "figures").glob("*.png")}
    assert {"headline", "success-Tidy", "differences", "funnel-Tidy", "curves-Tidy", "time", "blame", "phase"} == names
    for name in names:
        head = (reported / "figures" / f"{name}.png").read_bytes()[:24]
        assert int.from_bytes(head[16:20], "big") == 1600, name  # pixels across


def test_the_page_asks_for_nothing_from_outside(reported: Path) -> None:
    page = _page(reported)
    outside = re.findall(r"""(?:src|href)=["'](?!data:|#|figures/)([^"']*)""", page)
    assert outside == []
    assert "@import" not in page
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_missing_parts_are_said(bare: Path) -> None:
    for name in ("episodes.parquet", "ledger.json", "timings.json", "summary.md"):
        (bare / name).unlink()
    shutil.rmtree(bare / "videos")
    _rewrite(bare, phase=None, curves=[], blame=[], listening=[], aggregates=[])
    write_report(bare)
    page = _page(bare)
    for text in ("no episodes.parquet", "no ledger.json", "no timings.json", "no summary.md", "no films", "--phase"):
        assert text in page, text
    assert "Two systems are better" in page


def test_one_system_only(tmp_path: Path, write_comparison: Writer) -> None:
    place = write_comparison(tmp_path / "c", names=("dual",), seeds=1)
    write_report(place)
    page = _page(place)
    assert "Nothing to compare with" in page
    assert "one training seed" in page


def test_who_cannot_act_is_said(bare: Path) -> None:
    results = json.loads((bare / "results.json").read_text())
    for cell in results["cells"]:
        if cell["contender"] == "single":
            kept = ("contender", "task", "condition", "seed", "limit")
            cell |= {name: None for name in cell if name not in kept}
            cell |= {"episodes": 0, "successes": 0, "stage_counts": {}, "disturbed": 0}
            cell["cannot_act"] = "one policy observes a fixed number of objects"
    _rewrite(bare, cells=results["cells"], verdicts=[])
    page = write_report(bare).read_text()
    assert "ingle cannot act with undisturbed: one policy observes a fixed number of objects." in page


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("better", "Two systems are better."),
        ("worse", "One system is better."),
        ("same", "The same within 5 points."),
        ("unclear", "Cannot tell."),
    ],
)
def test_the_answer_claims_what_the_verdict_does(reported: Path, kind: str, answer: str) -> None:
    results = json.loads((reported / "results.json").read_text())
    verdict = results["verdicts"][0] | {"kind": kind}
    told = answers(results | {"verdicts": [verdict]})
    assert [one["answer"] for one in told] == [answer]
    for one in results["contenders"]:
        one["seeds"] = [0]
    told = answers(results | {"verdicts": [verdict]})
    few = answer if kind == "unclear" else f"In these trainings, {answer[0].lower()}{answer[1:]}"
    assert told[0]["answer"] == few


def test_two_tasks_and_their_verdict_over_all(tmp_path: Path, write_comparison: Writer) -> None:
    place = write_comparison(
        tmp_path / "c", ("Tidy", "Stack"), ("undisturbed",), ("single", "dual", "scripted System 1")
    )
    page = write_report(place).read_text()
    hero = page[: page.index("</header>")]
    assert hero.count('class="answer"') == 1
    assert "Stack <b>" in hero
    assert (place / "figures" / "success.png").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("results.json", "{", "results.json is damaged"),
        ("results.json", "[1]", "no json object"),
        ("results.json", '{"version": 7}', "format 7"),
        ("results.json", '{"version": 1, "tasks": []}', "no list 'contenders'"),
        ("ledger.json", "none", "ledger.json is damaged"),
        ("timings.json", "{]", "timings.json is damaged"),
        ("episodes.parquet", "PAR1", "episodes.parquet is damaged"),
        ("videos/dual.mp4", "", "dual.mp4 is damaged"),
        ("videos/dual.mp4.json", "{", "dual.mp4.json is damaged"),
    ],
)
def test_damaged_files_are_named_with_what_to_do(bare: Path, name: str, content: str, words: str) -> None:
    (bare / name).write_text(content)
    with pytest.raises(ReportError, match=re.escape(words)) as error:
        write_report(bare)
    assert "delete it" in str(error.value) or "reads 1" in str(error.value)
    assert not (bare / "report.html").exists()


def test_a_cell_that_lacks_something_is_named(bare: Path) -> None:
    results = json.loads((bare / "results.json").read_text())
    del results["cells"][1]["successes"]
    _rewrite(bare, cells=results["cells"])
    with pytest.raises(ReportError, match=r"cells\[1\] lacks successes"):
        write_report(bare)


def test_a_comparison_that_is_not_finished_or_none(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no folder"):
        write_report(tmp_path / "nowhere")
    with pytest.raises(ReportError, match="no comparison"):
        write_report(tmp_path)
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "a.json").touch()
    with pytest.raises(ReportError, match=r"unfinished comparison \(1 cells.*goes on"):
        write_report(tmp_path)


def test_a_missing_package_is_said_with_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr("evaluation.report.find_spec", lambda name: None if name == "matplotlib" else there(name))
    with pytest.raises(ReportError, match=r'needs matplotlib: pip install -e "\.\[compare\]"'):
        write_report(tmp_path)


def test_many_films_are_linked_and_names_are_text_not_markup(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.report.films._EMBEDDED", 1000)
    _rewrite(bare, conditions=[{"name": "undisturbed", "text": "<script>alert(1)</script>", "objects": None}])
    page = write_report(bare).read_text()
    assert 'src="videos/dual.mp4"' in page
    assert "they are linked" in page
    assert "<script>alert" not in page


def _phase(single: float | None) -> Phase:
    grid = np.array([[0.9, 0.7, 0.3], [0.8, 0.5, 0.2], [0.6, 0.4, 0.1]])
    return Phase((0, 2, 8), (0, 0.25, 0.5), grid, single)


@pytest.mark.parametrize(
    ("single", "words", "signs"),
    [
        (0.45, "Two systems solve more than that in 5 of the 9 cells", {"two", "one", "single: 45 %"}),
        (0.05, "Two systems are better everywhere", {"two"}),
        (0.95, "One system is better everywhere", {"one"}),
        (0.9, "two systems solve at most that everywhere", {"one"}),
        (None, "no contour", set()),
    ],
)
def test_the_phase_diagram_says_who_is_better_where(single: float | None, words: str, signs: set[str]) -> None:
    phase = _phase(single)
    assert words in phase.sentence
    axes = phase_diagram(phase, "Tidy, knock").axes[0]
    assert axes.get_title(loc="left").startswith("Tidy, knock: success when")
    assert ("one system solves" in axes.get_title(loc="left")) == (single in (0.05, 0.95, 0.9))
    drawn = [text.get_text().replace("\n", " ") for text in axes.texts]
    found = {text.split(" system")[0] if "better" in text else text for text in drawn if "%" not in text or ":" in text}
    assert found == signs


def test_shares_are_not_rounded_to_all_or_nothing() -> None:
    assert [percent(rate) for rate in (0, 0.004, 0.0001, 0.5, 0.996, 0.9999, 1)] == [
        "0 %", "0.4 %", "<0.1 %", "50 %", "99.6 %", ">99.9 %", "100 %"]  # fmt: skip
