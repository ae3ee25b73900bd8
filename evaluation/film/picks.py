"""Episodes to be shown, picked out of a comparison: the best, the worst, the failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.names import check_name
from envs.scene import TICK
from evaluation.archive import EPISODES, read_episodes, read_request
from evaluation.comparison import Comparison
from evaluation.conditions import Condition
from evaluation.contenders import Contender
from evaluation.film.overlay import Title
from evaluation.film.shots import Counted, Pick
from evaluation.run import RunError

BEST, WORST, FAILURES = "best", "worst", "failures"
_COLUMNS = ("contender", "task", "condition", "seed", "layout_seed", "success", "ticks", "stage")
Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Archive:
    """A finished comparison, to be filmed."""

    comparison: Comparison
    columns: Columns
    """Of all counted episodes."""

    @classmethod
    def open(cls, folder: Path, runs: Sequence[Path] = ()) -> Archive:
        """The comparison in a folder; `runs` says where its runs are now, where they have been moved.

        Raises:
            ValueError: something is missing or damaged; in a sentence.
        """
        asked = read_request(folder)
        for run in () if runs else asked.folders:
            if not run.is_dir():
                raise RunError(f"{folder} is of the run {run}, which is not there; name the runs where they are now")
        columns = read_episodes(folder)
        missing = [name for name in _COLUMNS if name not in columns]
        if missing:
            raise RunError(f"{folder / EPISODES} has no column {missing[0]}; make the comparison again")
        return cls(Comparison.of(tuple(runs) or asked.folders, asked.request), columns)

    def contenders(self, names: Sequence[str]) -> list[Contender]:
        """Those of these names; without any, the systems that were trained, as far as two go.

        Raises:
            ValueError: there is none of a name, or one is named twice.
        """
        if len(set(names)) < len(names):
            raise ValueError("a contender is named twice")
        known = {one.name: one for one in self.comparison.contenders}
        if not names:
            return list(self.comparison.systems[:2])
        return [known[check_name("contender", name, known)] for name in names]

    def condition(self, name: str) -> Condition:
        """The condition of this name.

        Raises:
            UnknownName: there is none.
        """
        known = {one.name: one for one in self.comparison.all_conditions}
        return known[check_name("condition", name, known)]

    def counted(self) -> Counted:
        """How all episodes ended."""
        values = [self.columns[name].tolist() for name in _COLUMNS[:5]]
        keys = zip(*values, strict=True)
        return Counted(EPISODES, dict(zip(keys, self.columns["success"].tolist(), strict=True)))

    def title(self, contenders: Sequence[Contender], condition: Condition, tasks: Sequence[str]) -> Title:
        """How well they do: for the card before a film."""
        lines = []
        for one in contenders:
            rows = _rows(self.columns, one.name, condition.name, tasks)
            success, seeds = self.columns["success"][rows], len(set(self.columns["seed"][rows].tolist()))
            trainings = f" over {seeds} trainings" if seeds > 1 else ""
            if len(success):
                lines.append(f"{one.name}: {success.mean():.1%} of {len(success)} episodes{trainings}")
        if condition.name != "undisturbed":
            lines.append(f"with {condition.name.replace('_', ' ')}")
        return Title(" and ".join(tasks), tuple(lines))


def pick(columns: Columns, contender: str, condition: str, tasks: Sequence[str], which: str, count: int) -> list[Pick]:
    """Episodes of a contender: `best` are the fastest successes, `worst` what got least far, `failures` in order.

    Raises:
        ValueError: there are none.
    """
    rows = _rows(columns, contender, condition, tasks)
    if not len(rows):
        raise ValueError(f"no episode of {contender} was counted in the condition {condition!r} on {', '.join(tasks)}")
    success, ticks, stage = (columns[name][rows] for name in ("success", "ticks", "stage"))
    layouts, seeds = columns["layout_seed"][rows], columns["seed"][rows]
    # ties go to the first layout
    orders = {
        BEST: np.lexsort((seeds, layouts, ticks, ~success)),
        WORST: np.lexsort((seeds, layouts, -ticks, stage, success)),
        FAILURES: np.lexsort((seeds, layouts)),
    }
    order = orders[which]
    if which != WORST:
        order = order[success[order] == (which == BEST)]
    if not len(order):
        what = "failed" if which == FAILURES else "succeeded"
        raise ValueError(f"none of the {len(rows)} episodes of {contender} ({condition}, {', '.join(tasks)}) {what}")
    return [
        Pick(
            str(columns["task"][rows[k]]),
            int(layouts[k]),
            int(seeds[k]),
            f"{contender}: success after {ticks[k] * TICK:.1f} s" if success[k] else f"{contender}: failed",
        )
        for k in order[:count].tolist()
    ]


def _rows(columns: Columns, contender: str, condition: str, tasks: Sequence[str]) -> np.ndarray:
    """Numbers of the rows of a contender in a condition."""
    chosen = (columns["contender"] == contender) & (columns["condition"] == condition)
    return np.flatnonzero(chosen & np.isin(columns["task"], list(tasks)))
