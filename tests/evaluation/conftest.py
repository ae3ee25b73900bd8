"""Runs whose policies have learned nothing, and an invented comparison to report on."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import compare
from envs.scene import TICK
from envs.vector import DuetVectorEnv
from evaluation.evidence import corrected
from evaluation.report import write_report
from evaluation.run import Run
from evaluation.statistics import mcnemar, paired_difference, wilson_interval
from evaluation.verdict import judge
from policies.system1 import checkpoint
from policies.system1.algorithms import build
from policies.system1.config import TrainConfig
from policies.system1.ledger import LEDGER
from policies.system1.training import METRICS, checkpoint_path
from policies.system1.worlds import make_worlds

_STAGES = ("reach", "grasp", "lift", "place")
_LIMIT = 16.0  # (s)
_COLUMNS = ("contender", "task", "condition", "seed", "layout_seed", "success", "ticks")
CONTENDERS = {  # system, kind, chance of success where nothing happens, and what a disturbance leaves of it
    "single": ("single", "system", 0.5, 0.6),
    "dual": ("dual", "system", 0.95, 0.9),
    "dual, frozen plan": ("dual", "placebo", 0.9, 0.35),
    "dual, shuffled plan": ("dual", "placebo", 0.2, 0.8),
    "scripted System 1": ("dual", "bound", 0.995, 0.97),
}
CONDITIONS = {
    "undisturbed": "nothing happens",
    "push": "the object is pushed aside while the hand comes near",
    "knock": "the object is knocked out of the gripper 0.3 s after the grasp",
}
_LATENCIES, _WRONG = [0, 1, 2, 4, 8], [0, 0.125, 0.25, 0.375, 0.5]


def _untrained(folder: Path, ledger: dict[str, Any] | None = None, **options: Any) -> Path:
    """A run whose policy has learned nothing."""
    torch.set_num_threads(1)
    run = Run.create(TrainConfig(num_worlds=6, threads=1, steps=1000, **options).resolved(), folder)
    path = checkpoint_path(folder, 0)
    path.parent.mkdir()
    model = build(run.config, make_worlds(run.config), to_train=False)
    checkpoint.write(path, checkpoint.policy_state(model, seconds=1.0))
    own = {"environment_steps": 1024, "observation": ["tool_position"], "reward": f"of {run.config.system}"}
    (folder / LEDGER).write_text(json.dumps(own | (ledger or {})))
    (folder / METRICS).write_text("steps,seconds,success\n100,1.5,\n500,2.5,0.25\n1000,5.0,0.75\n")
    return folder


@pytest.fixture(scope="session")
def untrained() -> Callable[..., Path]:
    """Makes runs whose policies have learned nothing."""
    return _untrained


def _shorten(patch: pytest.MonkeyPatch, ticks: int) -> None:
    """Episodes of a few ticks, and nothing that takes long at the end of a comparison."""
    make_env = Run.make_env

    def limited(self: Run, **changes: Any) -> DuetVectorEnv:
        env = make_env(self, **changes | {"threads": 1})
        env.max_ticks = ticks
        return env

    patch.setattr(Run, "make_env", limited)
    patch.setattr(compare, "write_report", lambda folder: folder / "report.html")


@pytest.fixture(scope="session")
def shorten() -> Callable[[pytest.MonkeyPatch, int], None]:
    """Makes episodes of all runs short."""
    return _shorten


def _write_comparison(
    folder: Path,
    tasks: tuple[str, ...] = ("Tidy",),
    conditions: tuple[str, ...] = tuple(CONDITIONS),
    names: tuple[str, ...] = tuple(CONTENDERS),
    layouts: int = 40,
    seeds: int = 3,
) -> Path:
    """A comparison folder as compare.py writes it, of invented episodes."""
    folder.mkdir(parents=True, exist_ok=True)
    contenders = [(name, *CONTENDERS[name]) for name in names]
    rng = np.random.default_rng(0)
    outcomes: dict[tuple[str, str, str], np.ndarray] = {}
    cells: list[dict[str, Any]] = []
    rows: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for (k, task), (c, condition), (name, _, kind, chance, left) in product(
        enumerate(tasks), enumerate(conditions), contenders
    ):
        chances = chance * (1 if c == 0 else left ** (0.5 + 0.5 * c)) * (1 - 0.3 * k * (name == "single"))
        own = 1 if kind == "bound" else seeds
        success = rng.random((own, layouts)) < np.clip(rng.normal(chances, 0.02, (own, 1)), 0, 1)
        outcomes[name, task, condition] = success
        ticks = np.where(success, rng.normal(160, 40, success.shape).clip(40, 400), _LIMIT / TICK).astype(int)
        for seed in range(own):
            cells.append(_cell(name, task, condition, seed, success[seed], ticks[seed], c > 0))
            for layout in range(layouts):
                values = (name, task, condition, seed, layout, bool(success[seed, layout]), int(ticks[seed, layout]))
                for column, value in zip(rows.values(), values, strict=True):
                    column.append(value)
    _write(folder / "results.json", {
        "version": 1, "tasks": list(tasks), "layout_seeds": f"0:{layouts}", "same_within": 0.05,
        "contenders": [{"name": name, "system": system, "planner": "symbolic" if system == "dual" else None,
                        "kind": kind, "seeds": list(range(1 if kind == "bound" else seeds))}
                       for name, system, kind, *_ in contenders],
        "conditions": [{"name": name, "text": CONDITIONS[name], "objects": None} for name in conditions],
        "cells": cells, "verdicts": _verdicts(outcomes, tasks, conditions),
        "aggregates": [{"contender": name, "condition": "undisturbed",
                        "interquartile_mean": [chance, chance - 0.02, chance + 0.02]}
                       for name, _, _, chance, _ in contenders],
        "improvement": [{"a": "dual", "b": "single", "probability": [0.97, 0.9, 1.0]}],
        "blame": [{"task": task, "condition": condition, "failures": 12, "system1": 5, "system2": 4, "interface": 2,
                   "neither_alone": 1} for task, condition in product(tasks, conditions)],
        "listening": [{"task": task, "placebo": name, "value": 0.7, "low": 0.61, "high": 0.79}
                      for task, (name, _, kind, *_) in product(tasks, contenders) if kind == "placebo"],
        "ledger_differences": ["observation on Tidy: single 2 fields; dual 3 fields (alone with skill)",
                               "reward: single progress of the task (dense) / dual progress of commands"]
        if len(contenders) > 1 else [],
        "curves": [{"contender": name, "task": task, "seed": seed, "steps": list(range(20_000, 200_001, 20_000)),
                    "success": (chance * (1 - np.exp(-np.arange(1, 11) / (2.5 + seed / 2)))).round(3).tolist(),
                    "area": 0.6 * chance + 0.01 * seed}
                   for task, (name, _, kind, chance, _), seed in product(tasks, contenders, range(seeds))
                   if kind == "system"],
        "phase": {"task": tasks[0], "condition": conditions[-1], "contender": "dual", "latencies": _LATENCIES,
                  "wrong": _WRONG, "episodes": 100, "seeds": [0, 1], "single": 0.61,
                  "success": [[max(0.05, 0.97 - 0.055 * late - 0.9 * wrong) for wrong in _WRONG]
                              for late in _LATENCIES]},
    })  # fmt: skip
    (folder / "summary.md").write_text("Two systems.\n\n```sh\npython compare.py runs/a runs/b --perturb all\n```\n")
    _write_rest(folder, rows, tasks[0], [name for name, _, kind, *_ in contenders if kind == "system"], seeds)
    return folder


def _cell(
    name: str, task: str, condition: str, seed: int, success: np.ndarray, ticks: np.ndarray, disturbed: bool
) -> dict[str, Any]:
    n, won = len(success), int(success.sum())
    low, high = wilson_interval(won, n)
    planned = name != "single"
    return {
        "contender": name, "task": task, "condition": condition, "seed": seed, "cannot_act": None, "episodes": n,
        "successes": won,
        "success_rate": won / n, "wilson_low": low, "wilson_high": high,
        "stage_counts": {stage: n - (n - won) * k // 3 for k, stage in enumerate(_STAGES)},
        "disturbed": n if disturbed else 0, "recovery_rate": won / n if disturbed else None,
        "recovery_seconds": 4.2 if disturbed else None, "restricted_seconds": float((ticks * TICK).mean()),
        "limit": _LIMIT, "drops": 0.125, "peak_force": 41.3, "contact_impulse": 88.1, "jerk": 63.0, "energy": 71.5,
        "planner_calls": 31.5 * planned, "replans": 1.25 * planned, "planner_faults": 0,
        "command_age_p50": 0.16 * planned, "command_age_p99": 0.44 * planned, "no_plan": 0,
        "failed_layout_seeds": np.flatnonzero(~success).tolist(),
    }  # fmt: skip


def _verdicts(
    outcomes: dict[tuple[str, str, str], np.ndarray], tasks: tuple[str, ...], conditions: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Of `dual` against `single`, as the statistics have it."""
    found: list[dict[str, Any]] = []
    names = {name for name, *_ in outcomes}
    if not {"dual", "single"} <= names:
        return []
    over: list[tuple[str, ...]] = [*((task,) for task in tasks), *([tasks] if len(tasks) > 1 else [])]
    cases = [(these, condition) for condition in conditions for these in over]
    a, b = ([{task: outcomes[name, task, condition] for task in these} for these, condition in cases]
            for name in ("dual", "single"))  # fmt: skip
    all_d = [paired_difference(x, y) for x, y in zip(a, b, strict=True)]
    p_values = corrected([d.p_value for d in all_d], [condition for _, condition in cases])
    for (these, condition), d, p, x, y in zip(cases, all_d, p_values, a, b, strict=True):
        verdict = judge(d, "dual", "single", p_value=p)
        pairs = mcnemar(*(np.concatenate([o.ravel() for o in side.values()]) for side in (x, y)))
        found.append({"a": "dual", "b": "single", "task": these[0] if len(these) == 1 else None,
                      "condition": condition, "value": d.value, "low": d.low, "high": d.high, "p_value": d.p_value,
                      "p_holm": p, "mcnemar_p": pairs.p_value, "kind": verdict.kind,
                      "sentence": verdict.sentence})  # fmt: skip
    return found


def _write_rest(folder: Path, rows: dict[str, list[Any]], task: str, systems: list[str], seeds: int) -> None:
    """Everything but the numbers and the summary."""
    pq.write_table(pa.table(rows), folder / "episodes.parquet")
    ledger = {"environment_steps": 200_704, "actor_steps": 401_408, "shown_steps": 72_000, "parameters": 45_323,
              "demonstrations": 256, "starts": 0.0, "gamma": 0.98}  # fmt: skip
    single = {**ledger, "seconds": 211.0, "cpu_seconds": 200.0, "planner_calls": 0, "planner": None,
              "observation": ["tool_position", "goal_from_tool"], "reward": "progress of the task (dense)"}  # fmt: skip
    dual = {**ledger, "seconds": 167.5, "cpu_seconds": 150.6, "planner_calls": 28_587, "planner": "symbolic",
            "observation": ["tool_position", "skill", "has_object"], "reward": "progress of commands"}  # fmt: skip
    ledgers = {"single": [single] * seeds, "dual": [dual] * seeds}
    _write(folder / "ledger.json", {name: ledgers[name] for name in systems})
    tick = {"p50": 0.0003, "p99": 0.0006, "max": 0.0021}
    plan = {"p50": 0.0021, "p99": 0.0094, "max": 0.031}
    curves = [{"contender": name, "task": task, "seed": seed, "seconds": list(range(20, 201, 20)),
               "success": (0.9 * (1 - np.exp(-np.arange(1, 11) / (2.5 + seed / 2)))).tolist(),
               "area": 0.55}
              for name, seed in product(systems, range(seeds))]  # fmt: skip
    times = {name: {"tick": tick, "planner": None if name == "single" else plan} for name in systems}
    _write(folder / "timings.json", {**times, "curves": curves})
    (folder / "videos").mkdir(exist_ok=True)
    for name in systems:
        path = folder / "videos" / f"{name}.mp4"
        frames = imageio_ffmpeg.write_frames(str(path), (64, 48), fps=25, macro_block_size=1)
        frames.send(None)
        for k in range(10):
            frames.send(np.full((48, 64, 3), 25 * k, np.uint8).tobytes())
        frames.close()
        _write(Path(f"{path}.json"), {"frames_per_second": 25, "shots": [
            {"contender": name, "task": task, "condition": "knock", "seed": 0, "layout_seed": 7, "first_frame": 0,
             "frames": 10, "success": name == "dual"}]})  # fmt: skip


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


@pytest.fixture(scope="session")
def write_comparison() -> Callable[..., Path]:
    """A function that writes the folder of a comparison."""
    return _write_comparison


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison with its report, for tests that change nothing of it."""
    folder = _write_comparison(tmp_path_factory.mktemp("report") / "comparison")
    write_report(folder)
    return folder
