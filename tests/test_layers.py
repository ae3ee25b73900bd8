"""Imports go one way: commands -> evaluation -> policies -> envs; and System 2 knows nothing of how System 1 learns."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_ALLOWED = {"envs": {"envs"}, "policies": {"envs", "policies"}, "evaluation": {"envs", "policies", "evaluation"}}
_VERBS = {file.stem for file in _ROOT.glob("*.py")}
_OURS = {*_ALLOWED, *_VERBS, "benchmarks", "tests"}


def _modules(file: Path) -> set[str]:
    """Everything that a file imports, by full name."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def _imported(file: Path) -> set[str]:
    return {name.split(".")[0] for name in _modules(file)} & _OURS


@pytest.mark.parametrize("package", _ALLOWED)
def test_a_package_imports_only_what_is_below_it(package: str) -> None:
    files = list((_ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        assert _imported(file) <= _ALLOWED[package], file


def test_the_verbs_are_among_those_that_nothing_imports() -> None:
    assert {"train", "record"} <= _VERBS
    assert not _VERBS & set(_ALLOWED)


def test_planners_take_nothing_from_system_1_but_the_format_of_its_files() -> None:
    files = list((_ROOT / "policies" / "system2").glob("*.py"))
    assert len(files) > 5
    for file in files:
        taken = {name for name in _modules(file) if name.startswith("policies.system1")}
        assert taken <= {"policies.system1", "policies.system1.checkpoint"}, file


@pytest.mark.parametrize("name", ["commands", "scripted", "dual"])
def test_what_joins_the_systems_does_not_depend_on_system_1(name: str) -> None:
    assert not any("system1" in module for module in _modules(_ROOT / "policies" / f"{name}.py"))


def test_a_planner_over_the_scripted_system_1_needs_no_learning_library() -> None:
    """They take seconds to import."""
    code = (
        "import sys, envs.vector, policies.dual, policies.scripted, policies.system2.planners;"
        "print(sorted({'torch', 'stable_baselines3', 'sb3_contrib', 'tensorboard'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
