"""Evaluates the cells of a comparison, some at once, and goes on where it was interrupted."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from evaluation.cells import Cell, Outcome, evaluate_cell, read_cell, write_cell
from evaluation.comparison import Comparison
from evaluation.run import RunError

Say = Callable[[str], None]


def unfinished(comparison: Comparison, folder: Path) -> list[Cell]:
    """The cells that are still to be evaluated, in order.

    Raises:
        RunError: one that is there is damaged, or was evaluated with something else.
    """
    return [cell for cell in comparison.work if read_cell(cell, folder) is None]


def evaluate_cells(comparison: Comparison, folder: Path, jobs: int, say: Say) -> None:
    """Evaluate what is not finished yet, and say how far it is. Every cell is written as soon as it is finished.

    Raises:
        RunError: what is there does not fit, or a process was killed.
    """
    cells, total = unfinished(comparison, folder), len(comparison.work)
    if len(cells) < total:
        say(f"{total - len(cells)} of {total} cells are there already.")
    began = time.monotonic()
    for count, (cell, told) in enumerate(_evaluated(cells, folder, jobs, say), 1):
        left = len(cells) - count
        seconds = (time.monotonic() - began) / count * left
        rest = f"; {left} left, about {_duration(seconds)}" if left else ""
        say(f"[{total - left}/{total}] {cell.text}: {told}{rest}")


def read_outcomes(comparison: Comparison, folder: Path) -> dict[tuple[str, ...], Outcome]:
    """What all cells came to, with those of the phase diagram, by their keys.

    Raises:
        RunError: one is missing or damaged.
    """
    sources: dict[tuple[str, ...], Outcome] = {}
    for cell in comparison.work:
        outcome = read_cell(cell, folder)
        if outcome is None:
            raise RunError(
                f"{cell.path(folder)} is missing: the comparison is not finished; give the same command again"
            )
        sources[cell.key] = outcome
    return {cell.key: sources[cell.source.key] for cell in comparison.all_cells}


def _evaluated(cells: list[Cell], folder: Path, jobs: int, say: Say) -> Iterator[tuple[Cell, str]]:
    """Each cell once it is finished, and what came out in a few words."""
    if jobs == 1 or len(cells) < 2:
        for cell in cells:
            say(f"evaluating {cell.text}")
            yield cell, _work(cell, folder, 0)
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    # a fresh interpreter each: a fork of one that has run threads may hang
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(cells)), context, initializer=_leave_interrupts_to_the_parent)
    try:
        futures = {pool.submit(_work, cell, folder, threads): cell for cell in cells}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        raise RunError(
            "a process was killed, perhaps for want of memory; give the same command again, with a smaller --jobs"
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():  # those that are in the middle of a cell
            child.terminate()


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(cell: Cell, folder: Path, threads: int) -> str:
    began = time.monotonic()
    outcome = evaluate_cell(cell, threads)
    write_cell(cell, outcome, folder)
    if outcome.episodes is None:
        return f"cannot act ({outcome.cannot_act})"
    success = outcome.episodes.success
    return f"{int(success.sum())} of {len(success)} succeeded, in {_duration(time.monotonic() - began)}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
