"""The files of a comparison, read and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from envs.scene import TICK
from evaluation.archive import EPISODES, LEDGERS, RESULTS, SUMMARY, TIMINGS, VIDEOS
from evaluation.cells import CELLS
from evaluation.comparison import VERSION
from evaluation.figures.shares import Results
from evaluation.report import ReportError
from evaluation.run import RunError, read_json

_AGAIN = "delete it and give compare.py the same command again, which keeps what is finished"
_PARTS = ("tasks", "contenders", "conditions", "cells", "verdicts", "aggregates", "improvement", "blame", "listening",
          "ledger_differences", "curves")  # fmt: skip
_CELL = ("contender", "task", "condition", "seed", "episodes", "successes", "stage_counts", "limit")
_VERDICT = ("a", "b", "task", "condition", "value", "low", "high", "p_value", "p_holm", "kind", "sentence")
_COLUMNS = ("contender", "task", "condition", "success", "ticks")


@dataclass(frozen=True)
class Film:
    """A video of counted episodes."""

    path: Path
    shots: tuple[dict[str, Any], ...]
    """What it shows, as its side file has it; empty without one."""


@dataclass(frozen=True)
class ComparisonFiles:
    """What a comparison wrote."""

    folder: Path
    results: Results
    episodes: Mapping[str, np.ndarray] | None
    """Columns contender, task, condition, success, and seconds of each episode (n,); None without the file."""
    ledger: dict[str, list[dict[str, Any]]]
    """By system, one for each training; empty without the file."""
    timings: dict[str, Any]
    """Empty without the file."""
    films: tuple[Film, ...]
    command: str | None
    """That made it."""


def read_comparison(folder: Path) -> ComparisonFiles:
    """Everything in the folder of a finished comparison.

    Raises:
        ReportError: it holds none, or a file is damaged.
    """
    results = _results(folder)
    ledger = _object(folder / LEDGERS)
    timings = _object(folder / TIMINGS)
    return ComparisonFiles(
        folder,
        results,
        _episodes(folder / EPISODES),
        {name: several for name, several in ledger.items() if isinstance(several, list)},
        timings,
        tuple(_films(folder / VIDEOS)),
        _command(folder / SUMMARY),
    )


def _results(folder: Path) -> Results:
    path = folder / RESULTS
    if not folder.is_dir():
        raise ReportError(f"there is no folder {folder}")
    if not path.exists():
        cells = len(list((folder / CELLS).glob("*.json")))
        if cells:
            raise ReportError(
                f"{folder} holds an unfinished comparison ({cells} cells, no {RESULTS}): give compare.py the same "
                "command again, and it goes on"
            )
        raise ReportError(f"{folder} holds no comparison: it has no {RESULTS}; compare.py writes one")
    results = _object(path)
    if results.get("version") != VERSION:
        raise ReportError(f"{path} has the format {results.get('version')!r}; this version of Duet reads {VERSION}")
    for name in _PARTS:
        if not isinstance(results.get(name), list):
            raise ReportError(f"{path} is damaged: it has no list {name!r}; {_AGAIN}")
    for name, wanted in (("cells", _CELL), ("verdicts", _VERDICT), ("contenders", ("name", "system", "kind", "seeds"))):
        for k, entry in enumerate(results[name]):
            lacking = [field for field in wanted if not isinstance(entry, dict) or field not in entry]
            if lacking:
                raise ReportError(f"{path} is damaged: {name}[{k}] lacks {', '.join(lacking)}; {_AGAIN}")
    if not results["cells"]:
        raise ReportError(f"{path} holds no evaluated episode; {_AGAIN}")
    return results


def _object(path: Path) -> dict[str, Any]:
    """A json object, or an empty one where there is no such file."""
    if not path.exists():
        return {}
    try:
        return read_json(path)
    except RunError as error:
        raise ReportError(f"{path} is damaged ({error}); {_AGAIN}") from None


def _episodes(path: Path) -> dict[str, np.ndarray] | None:
    if not path.exists():
        return None
    try:
        table = pq.read_table(path, columns=list(_COLUMNS))
        columns = {name: np.asarray(table[name].to_pylist()) for name in _COLUMNS}
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ReportError(f"{path} is damaged ({str(error).splitlines()[0]}); {_AGAIN}") from None
    return columns | {"seconds": columns["ticks"] * TICK}


def _films(folder: Path) -> Iterator[Film]:
    for path in sorted(folder.glob("*.mp4")):
        with path.open("rb") as file:
            head = file.read(8)
        if head[4:8] != b"ftyp":
            raise ReportError(f"{path} is damaged: it is no mp4; delete it, or film it again with record.py")
        shots = _object(path.with_name(path.name + ".json")).get("shots", [])
        yield Film(path, tuple(shot for shot in shots if isinstance(shot, dict)))


def _command(summary: Path) -> str | None:
    """The first block of code in summary.md."""
    if not summary.exists():
        return None
    found = re.search(r"```\w*\n(.*?)```", summary.read_text(errors="replace"), flags=re.DOTALL)
    return found.group(1).strip() if found else None
