"""Evaluate a run again, on layouts that you name: `python -m evaluation RUN --layout-seeds A:B --json F`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from envs.names import check_name
from envs.registration import TASK_NAMES
from evaluation.cli import FAILED, check_place, fail, parse, run_command
from evaluation.evaluate import Setting, evaluate, parse_seeds, text
from evaluation.run import Run, write_json


@dataclass(frozen=True, kw_only=True)
class Options(Setting):
    """What to evaluate."""

    run: tyro.conf.Positional[Path]
    """Run folder."""
    layout_seeds: str = "0:300"
    """A:B for the layouts with the seeds from A to B - 1."""
    json: Path | None = None
    """File to write the result to."""


def main() -> int:
    """Returns the exit code: 0 only when all went well."""
    options = parse(Options, __doc__)
    try:
        seeds = parse_seeds(options.layout_seeds)
        run = Run.open(options.run)
        if options.json is not None:
            check_place(options.json)
        if options.task is not None:
            check_name("task", options.task, TASK_NAMES)
        result = evaluate(run, seeds, options)
    except ValueError as error:
        return fail(error)
    print(text(result))
    if options.json is not None:
        try:
            write_json(options.json, result)
        except OSError as error:
            return fail(f"{options.json} cannot be written: {error.strerror}", FAILED)
    return 0


if __name__ == "__main__":
    run_command(main)
