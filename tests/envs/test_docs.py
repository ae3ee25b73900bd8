"""The reference of the tasks says what the code declares."""

from pathlib import Path

from envs.__main__ import reference


def test_the_reference_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "tasks.md"
    assert page.read_text() == reference(), "run: python -m envs > docs/tasks.md"
