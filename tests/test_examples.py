"""The example planner, and the page about the two systems: what it shows works, and what it says is so."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest
import tyro

import evaluation.__main__ as evaluation
import train
from envs.scene import TICK
from policies import commands, dual
from policies.commands import SKILLS, Commands
from policies.system1.commanded import PARTS
from policies.system2.domain import COSTS
from policies.system2.planners import PLANNERS

_ROOT = Path(__file__).parents[1]
_EXAMPLE = _ROOT / "examples" / "my_planner.py"
_PAGE = (_ROOT / "docs" / "two_systems.md").read_text()
_WORDS = " ".join(_PAGE.split())  # as if on one line


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("my_planner", _EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(first_column: str) -> dict[str, str]:
    """The rows of the table with this heading: name in the first column -> the rest."""
    _, table = _PAGE.split(f"| {first_column} |", 1)
    table = table.split("\n\n", 1)[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*)$", table, re.MULTILINE))


@pytest.mark.parametrize("objects", [1, 3])
def test_the_example_planner_tidies(objects: int, example: ModuleType) -> None:
    result = example.try_out(example.NearestFirst(), objects, layouts=10)
    assert result["successes"] >= 9


def test_the_example_runs_as_a_command() -> None:
    command = [sys.executable, str(_EXAMPLE), "--objects", "1", "--layouts", "2"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"NearestFirst\nTidy: \d of 2 .*\n.*\n(.*\n)?\nSymbolicPlanner\nTidy: \d of 2 ", done.stdout)


def test_the_page_holds_the_example() -> None:
    assert f"```python\n{_EXAMPLE.read_text()}```\n" in _PAGE


def test_the_page_s_loop_runs() -> None:
    (block,) = (block for block in re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL) if "DualRuntime" in block)
    done = subprocess.run([sys.executable, "-c", block], cwd=_ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "True" in done.stdout


def test_the_page_s_commands_are_understood() -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", _PAGE, re.DOTALL)
    lines = [line.split("#")[0].split() for line in block.splitlines()]
    assert len(lines) > 4
    for line in lines:
        options, arguments = (train.Options, line[2:]) if line[1] == "train.py" else (evaluation.Options, line[3:])
        assert line[0] == "python"
        tyro.cli(options, args=arguments)  # leaves if it does not know a flag


def test_the_page_s_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", _PAGE) if "://" not in link]
    assert len(links) > 10
    for link in links:
        assert (_ROOT / "docs" / link).exists(), link


def test_the_page_s_tables_are_those_of_the_code() -> None:
    assert {name: int(rest.split()[0]) for name, rest in rows("part").items()} == {name: n for name, n, _ in PARTS}
    assert f"observes {sum(size for _, size, _ in PARTS)} numbers" in _PAGE
    assert list(rows("field")) == [field.name for field in fields(Commands)]
    assert list(rows("skill")) == list(SKILLS)
    assert list(rows("planner")) == list(PLANNERS)
    for name, cost in COSTS.items():
        assert re.search(rf"`{name}`( \([^)]*\))? {cost}[,.]", _WORDS), name


def test_the_page_s_thresholds_are_those_of_the_code() -> None:
    tests = rows("skill")
    for name, says in {
        "reach": (f"{commands._REACHED * 100:g} cm", f"{commands._TURNED:g} rad"),
        "pick": (f"{commands.FIRM:g} N",),
        "carry": (f"{commands._CARRIED * 100:g} cm", f"{commands._TURNED:g} rad"),
        "place": (f"{commands._PLACED * 100:g} cm", f"{commands._PLACED_TURN:g} rad"),
        "release": (f"{commands._CLEAR * 100:g} cm",),
    }.items():
        for words in says:
            assert words in tests[name], name
    for words in (
        f"called at {dual.RATE:g} Hz",
        f"expires** {dual.TIME_TO_LIVE:g} s after",
        f"not had it for {dual._LOST_TICKS * TICK:g} s",
        f"calls {dual._CALM_TICKS * TICK:g} s after",
        f"takes more than {dual._PATIENCE:g} s",
    ):
        assert words in _WORDS
