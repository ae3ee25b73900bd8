"""Which runs can be compared with each other; and of those that cannot, which could be instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluation.contenders import Contender
from evaluation.run import MACHINE, Run, RunError, read_json
from policies.system1.config import ALL


def tasks_of(runs: Sequence[Run], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The tasks of a comparison: those named, else those of the runs."""
    own = tuple(dict.fromkeys(run.config.task for run in runs if run.config.task != ALL))
    if not wanted:
        return own or runs[0].config.tasks
    for run in runs:
        if not set(run.config.tasks) & set(wanted):
            raise RunError(
                f"{run.folder} was trained on {run.config.task}, which --task does not name; leave the run out, or "
                f"compare on {run.config.task} too"
            )
    return wanted


def check_alike(runs: Sequence[Run]) -> None:
    """Whether runs can act in the same worlds, and were trained by one version of Duet.

    Raises:
        RunError: they cannot; it names them, and which of them can be compared instead.
    """
    versions = {run.folder: _version(run) for run in runs}
    for what, trait in (
        ("versions of Duet", lambda run: versions[run.folder]),
        ("observation modes", lambda run: run.config.observation),
        ("robots", lambda run: run.config.robot),
        ("numbers of objects", lambda run: run.config.objects or "the usual number"),
        ("draws of objects (randomize)", lambda run: run.config.randomize),
    ):
        groups: dict[Any, list[Run]] = {}
        for run in runs:
            groups.setdefault(trait(run), []).append(run)
        if len(groups) > 1:
            told = "; ".join(f"{value}: {', '.join(str(r.folder) for r in own)}" for value, own in groups.items())
            raise RunError(f"these runs have different {what} ({told}); compare those of one of them{_instead(groups)}")


def _instead(groups: dict[Any, list[Run]]) -> str:
    """Which of the groups make a comparison."""
    able = [own for own in groups.values() if len({run.config.system for run in own}) > 1]
    return f", such as {' '.join(str(run.folder) for run in able[0])}" if able else ", and train what is missing there"


def _version(run: Run) -> str:
    path = run.folder / MACHINE
    return str(read_json(path).get("packages", {}).get("duet")) if path.exists() else "unknown"


def check_complete(systems: Sequence[Contender], tasks: Sequence[str]) -> None:
    """Whether every system has been trained for every task.

    Raises:
        RunError: one has not; it names the runs, and what can be compared instead.
    """
    missing = [(one, [task for task in tasks if not one.seeds(task)]) for one in systems]
    if not any(of for _, of in missing):
        return
    common = [task for task in tasks if all(one.seeds(task) for one in systems)]
    told = "; ".join(f"{run.folder} is of {run.config.task}" for one in systems for run in one.runs)
    lacking = " and ".join(f"{one.name} has no run on {', '.join(of)}" for one, of in missing if of)
    if common:
        keep = " ".join(str(run.folder) for one in systems for run in one.runs if set(run.config.tasks) & set(common))
        raise RunError(
            f"systems are compared on the same tasks, and {lacking} ({told}); instead compare "
            f"{keep} --task {' '.join(common)}"
        )
    task = next(task for task in tasks if any(one.seeds(task) for one in systems))
    one = next(one for one, of in missing if task in of)
    raise RunError(
        f"these runs are of different tasks ({told}): {lacking}; for a comparison on {task} train the missing one with "
        f"python train.py --task {task} --system {one.system}"
    )
