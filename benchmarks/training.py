"""Train with several seeds and report time and steps to 95 % success, and what the last checkpoint achieves.

Every checkpoint of each run is evaluated on layouts of its own (not those of the final evaluation), outside the
training's clock, so that the curves are of the deterministic policy.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.cli import FAILED, check_place, fail, parse, run_command
from evaluation.evaluate import evaluate
from evaluation.run import EVALUATION, Run, machine, read_json, write_json
from evaluation.statistics import wilson_interval
from policies.system1.training import CHECKPOINTS

_ROOT = Path(__file__).parents[1]
_MARK = 0.95  # success that the time and steps are measured to
_CURVE_SEEDS = np.arange(10_000, 10_100)


@dataclass(frozen=True)
class Options:
    """What to measure."""

    task: str = "PickPlace"
    """Task to learn."""
    system: str = "single"
    """single or dual."""
    algorithm: str = "ppo"
    """Algorithm to learn with."""
    seeds: int = 5
    """Trainings, with seeds from 0 on."""
    steps: int | None = None
    """Environment steps of each; None takes the tuned number."""
    out: Path = Path("runs/benchmark")
    """Folder for the runs; those that are finished there are not repeated."""
    curve: bool = True
    """Evaluate every checkpoint, for time and steps to 95 %."""
    json: Path | None = None
    """File for the results."""


def main() -> int:
    """Returns the exit code: 0 only when all went well."""
    options = parse(Options, __doc__)
    try:
        if options.json is not None:
            check_place(options.json)
    except ValueError as error:
        return fail(error)
    rows = []
    for seed in range(options.seeds):
        kind = options.algorithm if options.system == "single" else options.system
        folder = options.out / f"{options.task}-{kind}-{seed}"
        if not (folder / EVALUATION).exists():
            command = [
                sys.executable,
                str(_ROOT / "train.py"),
                "--task",
                options.task,
                "--algorithm",
                options.algorithm,
                "--system",
                options.system,
            ]
            command += ["--seed", str(seed), "--out", str(folder), "--no-video"]
            command += [] if options.steps is None else ["--steps", str(options.steps)]
            if subprocess.run(command, check=False).returncode:
                return fail(f"the training with seed {seed} failed", FAILED)
        rows.append(_row(Run.open(folder), options.curve))
    _print(rows)
    if options.json is not None:
        write_json(options.json, {"machine": machine(), "rows": rows})
    return 0


def _row(run: Run, with_curve: bool) -> dict[str, Any]:
    result = read_json(run.folder / EVALUATION)
    curve = []
    for path in sorted((run.folder / CHECKPOINTS).glob("*.pt")) if with_curve else []:
        policy = run.policy(path)
        success = evaluate(run, _CURVE_SEEDS, policy=policy)["success_rate"]
        curve.append({"steps": policy.steps, "seconds": round(policy.seconds, 1), "success_rate": success})
    reached = next((point for point in curve if point["success_rate"] >= _MARK), None)
    return result | {
        "curve": curve,
        "steps_to_95": reached and reached["steps"],
        "seconds_to_95": reached and reached["seconds"],
    }


def _print(rows: list[dict[str, Any]]) -> None:
    print("\n| seed | success | 95 % interval | training | steps | seconds to 95 % | steps to 95 % |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        cells = (
            row["seed"],
            f"{row['successes']}/{row['episodes']}",
            f"{row['wilson_low']:.1%} to {row['wilson_high']:.1%}",
            f"{row['train_seconds']:.0f} s",
            f"{row['train_steps']:,}",
            row["seconds_to_95"] or "-",
            row["steps_to_95"] or "-",
        )
        print(f"| {' | '.join(map(str, cells))} |")
    successes, episodes = (sum(row[name] for row in rows) for name in ("successes", "episodes"))
    low, high = wilson_interval(successes, episodes)
    print(f"\nAll seeds: {successes} of {episodes} layouts, {successes / episodes:.1%} ({low:.1%} to {high:.1%})")
    where = machine()
    print(f"{where['processor']}, {where['cpus']} CPUs, Python {where['python']}, MuJoCo {where['packages']['mujoco']}")


if __name__ == "__main__":
    run_command(main)
