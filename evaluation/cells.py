"""One cell of a comparison: a contender with one training seed, on a task, in a condition. Evaluated once, and kept."""

from __future__ import annotations

import json
import math
import re
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from envs.scene import TICK
from evaluation.conditions import Condition
from evaluation.contenders import CannotAct, Contender
from evaluation.evaluate import parse_seeds
from evaluation.forks import fork
from evaluation.rollout import Episodes, batches, roll_out
from evaluation.run import RunError, digest, read_json
from policies.agents import DualAgent
from policies.files import written_whole
from policies.system2.symbolic import SymbolicPlanner

CELLS = "cells"  # folder of finished cells in that of a comparison
_FEWEST = 2  # episodes that anything can be said of
_VERSIONS = ("duet", "mujoco", "numpy", "torch")  # what the last bits may depend on


@dataclass(frozen=True)
class Cell:
    """What is evaluated together: one contender with one training, on all layouts, in one condition."""

    contender: Contender
    task: str
    condition: Condition
    seed: int
    layout_seeds: str

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from the other cells of a comparison."""
        return self.contender.name, self.task, self.condition.name, f"seed{self.seed}", self.layout_seeds

    @property
    def text(self) -> str:
        """In a few words."""
        return f"{self.contender.name}, seed {self.seed}, {self.task}, {self.condition.name}"

    @property
    def layouts(self) -> np.ndarray:
        """Their seeds (n,)."""
        return parse_seeds(self.layout_seeds)

    @property
    def source(self) -> Cell:
        """The cell that is evaluated for this one: faults of System 2 do nothing to who has none."""
        condition = self.condition if self.contender.falters else self.condition.without_faults
        return Cell(self.contender, self.task, condition, self.seed, self.layout_seeds)

    def path(self, folder: Path) -> Path:
        """Where the cell is kept."""
        return folder / CELLS / ("--".join(re.sub(r"[^\w.]+", "-", word).strip("-") for word in self.key) + ".json")

    def identity(self) -> dict[str, Any]:
        """Everything that its episodes follow from; equal on any machine, wherever the run lies."""
        run = self.contender.run(self.task, self.seed)
        config, learned = asdict(run.config), None
        if self.contender.trained:
            checkpoint = run.checkpoint()
            learned = {"checkpoint": checkpoint.name, "sha256": _digest(checkpoint), "seed": self.seed, "run": config}
        else:
            learned = {name: config[name] for name in ("robot", "control", "randomize")}
        file = self.contender.planner_file
        return {
            "contender": self.contender.name,
            "task": self.task,
            "condition": self.condition.identity(),
            "layout seeds": self.layout_seeds,
            "run": learned,
            "planner": [self.contender.planner, self.contender.inner, None if file is None else _digest(Path(file))],
            "versions": {name: version(name) for name in _VERSIONS},
        }


@dataclass(frozen=True)
class Outcome:
    """What a cell came to."""

    episodes: Episodes | None
    """None where there are none that count."""
    limit: float
    """(s) of the task."""
    cannot_act: str | None = None
    """Why there are none: it observes something else, or a disturbance never came."""


def evaluate_cell(cell: Cell, threads: int = 0) -> Outcome:
    """Roll the contender out on all layouts, without exploration; `threads` of physics change no number."""
    contender, condition, task, seed = cell.contender, cell.condition, cell.task, cell.seed
    layout_seeds = cell.layouts
    changes = condition.world_changes
    parts: list[Episodes] = []
    for batch in batches(layout_seeds):
        with closing(contender.make_env(task, seed, len(batch), condition.objects, threads=threads, **changes)) as env:
            limit = env.max_ticks * TICK
            try:
                agent = contender.agent(env, task, seed, condition.faults)
            except CannotAct as why:
                return Outcome(None, limit, str(why))
            perturbation = condition.make_perturbation(task, env.observation_mode)
            if condition.fork:
                assert perturbation is not None
                # who leads to the moment is neither of those compared
                leader = DualAgent(SymbolicPlanner())
                parts.append(fork(env, leader, {contender.name: agent}, batch, perturbation)[contender.name])
            else:
                parts.append(roll_out(env, agent, batch, perturbation))
    episodes = parts[0].joined(parts[1:])
    if len(episodes.success) < _FEWEST:
        return Outcome(None, limit, f"it happened in {len(episodes.success)} of {len(layout_seeds)} episodes")
    return Outcome(episodes, limit)


def write_cell(cell: Cell, outcome: Outcome, folder: Path) -> None:
    """Keep a finished cell; its file is there whole or not at all."""
    episodes = outcome.episodes
    kept = {
        "identity": cell.identity(),
        "cannot_act": outcome.cannot_act,
        "limit": outcome.limit,
        "stages": None if episodes is None else list(episodes.stages),
        "columns": None if episodes is None else {n: _plain(values) for n, values in episodes.columns().items()},
    }
    path = cell.path(folder)
    path.parent.mkdir(exist_ok=True)
    with written_whole(path) as aside:
        aside.write_text(json.dumps(kept, allow_nan=False) + "\n")


def read_cell(cell: Cell, folder: Path) -> Outcome | None:
    """A finished cell; None where it is not.

    Raises:
        RunError: its file is damaged, or holds the cell of another comparison; the message says what to do.
    """
    path = cell.path(folder)
    if not path.exists():
        return None
    kept = read_json(path)
    try:
        found, wanted = kept["identity"], json.loads(json.dumps(cell.identity()))
        limit, why = float(kept["limit"]), kept["cannot_act"]
        odd = _first_difference(found, wanted)
        if odd is not None:
            raise RunError(
                f"{path} was evaluated with another {odd}: something has changed since, and old and new cells must not "
                "be mixed; name another folder with --out, or delete this one"
            )
        if why is not None:
            return Outcome(None, limit, str(why))
        columns = {name: _array(values) for name, values in kept["columns"].items()}
        episodes = Episodes.from_columns(columns, tuple(kept["stages"]))
        layout_seeds = cell.layouts
        if cell.condition.fork:  # those that came to the moment
            layout_seeds = layout_seeds[np.isin(layout_seeds, episodes.layout_seeds)]
        if not np.array_equal(episodes.layout_seeds, layout_seeds):
            raise KeyError("layout_seeds")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{path} is damaged; delete it and give the same command again") from None
    return Outcome(episodes, limit)


def _first_difference(found: Any, wanted: Any, name: str = "") -> str | None:
    """Where two nested values first differ, in words; None where they do not."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in {**wanted, **found}:
            if key not in found or key not in wanted:
                return f"{name} {key}".strip()
            inner = _first_difference(found[key], wanted[key], f"{name} {key}".strip())
            if inner is not None:
                return inner
        return None
    return None if found == wanted else f"{name} ({found} then, {wanted} now)"


def _plain(values: np.ndarray) -> list[Any]:
    """Numbers for json, which has no NaN."""
    return [None if isinstance(v, float) and math.isnan(v) else v for v in values.tolist()]


def _array(values: list[Any]) -> np.ndarray:
    return np.array([math.nan if v is None else v for v in values])


@lru_cache(maxsize=256)
def _digest(path: Path) -> str:
    return digest(path)  # asked for often: once for each cell of a run
