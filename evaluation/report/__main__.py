"""`python -m evaluation.report FOLDER`: writes the report of a finished comparison again."""

from __future__ import annotations

import argparse
from pathlib import Path

from evaluation.cli import fail, run_command
from evaluation.report import ReportError, write_report


def main() -> int:
    """Write it, and say where it is."""
    parser = argparse.ArgumentParser(description="Write the report of a finished comparison again.")
    parser.add_argument("folder", type=Path, help="of the comparison")
    try:
        print(write_report(parser.parse_args().folder))
    except ReportError as error:
        return fail(error)
    return 0


if __name__ == "__main__":
    run_command(main)
