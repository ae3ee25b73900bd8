"""The report of a comparison: one page of HTML with everything in it, and its figures as files."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_NEEDED = ("matplotlib", "jinja2", "pyarrow")


class ReportError(ValueError):
    """There is nothing to report on, or a file of it is damaged; the message names it and says what to do."""


def check_installed() -> None:
    """Whether everything is there that a report needs: to be asked before hours of work.

    Raises:
        ReportError: a package is missing.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ReportError(f'a report needs {" and ".join(missing)}: pip install -e ".[compare]"')


def write_report(folder: Path) -> Path:
    """Write `report.html` and `figures/*.png` of a comparison into its folder; returns the page's path.

    Parts that a comparison may do without (phase diagram, films, `episodes.parquet`, `ledger.json`, `timings.json`) are
    said to be missing in the page.

    Raises:
        ReportError: the folder holds no finished comparison, a file is damaged, or a package is missing.
    """
    check_installed()
    from evaluation.report.page import write_page  # takes a second to import, and packages of an extra

    return write_page(Path(folder))
