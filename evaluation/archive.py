"""The folder of a comparison: its files, and what is said where one is missing or damaged."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.cells import CELLS, Outcome
from evaluation.comparison import VERSION, Comparison
from evaluation.request import Request
from evaluation.run import RunError, read_json, write_json
from policies.files import written_whole

REQUEST = "comparison.json"  # what was asked for
RESULTS, SUMMARY, EPISODES = "results.json", "summary.md", "episodes.parquet"
LEDGERS, TIMINGS, VIDEOS = "ledger.json", "timings.json", "videos"
_LABELS = ("contender", "task", "condition", "seed")  # of an episode, before its own columns


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a comparison was asked for."""

    folders: tuple[Path, ...]
    """Of the runs."""
    request: Request
    command: tuple[str, ...]
    """As it was typed."""

    @property
    def line(self) -> str:
        """The command, to be typed again."""
        return shlex.join(("python", "compare.py", *self.command))


def write_request(folder: Path, asked: Asked) -> None:
    """Say in the folder what it is of."""
    runs = [str(run.resolve()) for run in asked.folders]
    request = dataclasses.asdict(asked.request)
    write_json(folder / REQUEST, {"version": VERSION, "command": asked.command, "runs": runs, "request": request})


def read_request(folder: Path) -> Asked:
    """What a folder's comparison was asked for.

    Raises:
        RunError: the folder is missing, damaged or not of a comparison.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"there is no folder {folder}")
    path = folder / REQUEST
    if not path.is_file():
        raise RunError(f"{folder} is not a comparison of Duet: it has no {REQUEST}; make one with compare.py --out")
    values = read_json(path)
    if values.get("version") != VERSION:
        raise RunError(f"{folder} has the format {values.get('version')!r}; this version of Duet reads {VERSION}")
    try:
        request: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values["request"].items()}
        runs, command = tuple(Path(run) for run in values["runs"]), tuple(map(str, values["command"]))
        return Asked(runs, Request(**request), command)
    except (KeyError, TypeError, AttributeError):
        raise RunError(f"{path} is damaged; give the command again that made {folder}") from None


def open_comparison(folder: Path) -> Comparison:
    """The comparison that a folder is of, from the runs as they are now.

    Raises:
        ValueError: the folder or one of the runs is missing or damaged.
    """
    asked = read_request(folder)
    return Comparison.of(asked.folders, asked.request)


def read_results(folder: Path) -> dict[str, Any]:
    """The numbers of a finished comparison.

    Raises:
        RunError: it is not finished, or they are damaged; the message says what to do.
    """
    asked, path = read_request(folder), Path(folder) / RESULTS
    again = f"go on with: {asked.line}"
    if not path.exists():
        done = len(list((Path(folder) / CELLS).glob("*.json")))
        raise RunError(f"{folder} holds a comparison that is not finished ({done} cells are); {again}")
    try:
        results = read_json(path)
    except RunError:
        raise RunError(f"{path} is damaged; delete it, and {again}") from None
    if results.get("version") != VERSION or not isinstance(results.get("cells"), list):
        raise RunError(f"{path} is damaged or of another version; delete it, and {again}")
    return results


def write_episodes(path: Path, comparison: Comparison, outcomes: Mapping[tuple[str, ...], Outcome]) -> None:
    """Write all counted episodes, one a row: to whom they belong, and then all that is known of them.

    Raises:
        RunError: the package that writes such files is missing.
    """
    arrow, parquet = _pyarrow()
    labels: dict[str, list[Any]] = {name: [] for name in _LABELS}
    parts: dict[str, list[np.ndarray]] = {}
    for cell in comparison.cells:
        episodes = outcomes[cell.key].episodes
        if episodes is None:
            continue
        columns = episodes.columns()
        own = (cell.contender.name, cell.task, cell.condition.name, cell.seed)
        for name, value in zip(_LABELS, own, strict=True):
            labels[name] += [value] * len(episodes.success)
        for name, values in columns.items():
            parts.setdefault("layout_seed" if name == "layout_seeds" else name, []).append(values)
    table = arrow.table(labels | {name: np.concatenate(values) for name, values in parts.items()})
    with written_whole(path) as aside:
        parquet.write_table(table, aside, compression="zstd")


def read_episodes(folder: Path) -> dict[str, np.ndarray]:
    """All counted episodes of a finished comparison: arrays by name, a row an episode.

    Raises:
        RunError: the file is missing or damaged; the message says what to do.
    """
    asked, path = read_request(folder), Path(folder) / EPISODES
    arrow, parquet = _pyarrow()
    again = f"make it again from the finished cells with: {asked.line}"
    if not path.exists():
        raise RunError(f"{path} is missing; {again}")
    try:
        table = parquet.read_table(path)
        return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    except (OSError, arrow.ArrowException) as error:
        raise RunError(f"{path} is damaged ({str(error).splitlines()[0]:.80}); {again}") from None


def check_pyarrow() -> None:
    """Whether episodes can be written, before the work.

    Raises:
        RunError: the package is missing.
    """
    _pyarrow()


def _pyarrow() -> Sequence[Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise RunError('comparisons need the package pyarrow; install it with: pip install -e ".[compare]"') from None
    return pyarrow, pyarrow.parquet
