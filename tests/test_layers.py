"""Imports go one way: commands -> evaluation -> policies -> envs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_ALLOWED = {"envs": {"envs"}, "policies": {"envs", "policies"}, "evaluation": {"envs", "policies", "evaluation"}}
_OURS = {*_ALLOWED, "train", "record", "benchmarks", "tests"}


def _imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names & _OURS


@pytest.mark.parametrize("package", _ALLOWED)
def test_a_package_imports_only_what_is_below_it(package: str) -> None:
    files = list((_ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        assert _imported(file) <= _ALLOWED[package], file
