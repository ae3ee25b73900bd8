"""The ledgers of what is compared: what each training cost and was given, and where the systems differ in that."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from evaluation.contenders import Contender
from evaluation.run import MACHINE, Run, RunError, read_json
from policies.system1.config import ALL
from policies.system1.ledger import LEDGER

Ledgers = dict[str, list[dict[str, Any]]]  # by contender; one for each of its runs
_WORDS = {
    "task": "trained on",
    "algorithm": "algorithm",
    "actor_steps": "steps of arms that learned",
    "shown_steps": "environment steps of the demonstrator",
    "demonstrations": "demonstrations",
    "starts": "share of episodes begun at later states",
    "planner": "planner in training",
    "planner_calls": "planner calls in training",
    "latency": "latency of the planner in training (s)",
    "parameters": "parameters",
    "reward": "reward",
    "gamma": "discount factor a tick",
    "control": "what actions mean",
    "num_worlds": "worlds stepped together",
    "net": "widths of the layers",
}
_ROUNDING = 1.05  # steps that differ by more are not those of one budget
_VERSIONS = ("duet", "mujoco", "stable-baselines3", "torch", "numpy")


def gather(contenders: Sequence[Contender]) -> Ledgers:
    """The ledger of every training of the systems, with what tells it from others.

    Raises:
        RunError: a ledger is damaged.
    """
    return {one.name: [_of(run) for run in one.runs] for one in contenders if one.kind == "system"}


def _of(run: Run) -> dict[str, Any]:
    config = run.config
    about = {"run": run.folder.name, "task": config.task, "seed": config.seed}
    about |= {"budget": config.steps, "algorithm": config.algorithm, "control": config.control}
    about |= {"num_worlds": config.num_worlds, "latency": config.latency, "net": (run.settings or {}).get("net")}
    versions: dict[str, Any] = {}
    if (run.folder / MACHINE).exists():
        versions = read_json(run.folder / MACHINE).get("packages", {})
    about["versions"] = {name: versions.get(name) for name in _VERSIONS}
    path = run.folder / LEDGER
    if not path.exists():
        return about | {"missing": True}
    ledger = read_json(path)
    if not isinstance(ledger.get("environment_steps"), int) or not isinstance(ledger.get("observation"), list):
        raise RunError(f"{path} is damaged; train the run again, or leave it out")
    return about | ledger


def differences(ledgers: Ledgers, seconds: dict[str, dict[str, float]]) -> list[str]:
    """Where the ledgers of the systems differ, in a short line each; what makes a comparison unfair comes first.

    Times are left out: they belong to the machine as much as to the system.

    Args:
        ledgers: of the systems, from `gather`.
        seconds: task -> contender -> length of its episodes (s).
    """
    lines = [
        f"{name}: no ledger of {', '.join(str(one['run']) for one in several if one.get('missing'))}, so what it cost "
        "and was given is not known"
        for name, several in ledgers.items()
        if any(one.get("missing") for one in several)
    ]
    known = {name: [one for one in several if not one.get("missing")] for name, several in ledgers.items()}
    known = {name: several for name, several in known.items() if several}
    if len(known) < 2:
        return lines
    lines += _steps(known) + _lengths(seconds)
    lines += [line for name in _WORDS if (line := _line(name, known)) is not None]
    return lines + _observed(known) + _versions(known)


def _steps(known: Ledgers) -> list[str]:
    """Environment steps, which have to be equal."""
    unfair = []
    for task, own in _by_task(known).items():
        steps = [one["environment_steps"] for several in own.values() for one in several]
        budgets = set(_by_system("budget", own).values())
        if len(budgets) > 1 or max(steps) > _ROUNDING * min(steps):
            taken = _listed(_by_system("environment_steps", own))
            why = "not the same budget" if len(budgets) > 1 else f"{budgets.pop()} are too few for whole updates"
            unfair.append(f"environment steps on {task}: {taken} - {why}, so this is no fair comparison")
    if unfair or not _differ("environment_steps", known):
        return unfair
    rounded = f"the budget of {_some(set(_by_system('budget', known).values()))} rounded up to whole updates"
    return [f"environment steps: {_listed(_by_system('environment_steps', known))} ({rounded})"]


def _lengths(seconds: dict[str, dict[str, float]]) -> list[str]:
    """Lengths of episodes, which have to be equal."""
    return [
        f"seconds of an episode of {task}: {_listed({name: f'{s:g}' for name, s in own.items()})} - no fair comparison"
        for task, own in seconds.items()
        if len(set(own.values())) > 1
    ]


def _line(name: str, known: Ledgers) -> str | None:
    return f"{_WORDS[name]}: {_listed(_by_system(name, known))}" if _differ(name, known) else None


def _by_task(known: Ledgers) -> dict[str, Ledgers]:
    """The same, split by the tasks trained on; a training on all tasks counts for each."""
    tasks = sorted({str(one["task"]) for several in known.values() for one in several} - {ALL}) or [ALL]
    parts = {
        task: {name: [one for one in several if one["task"] in (task, ALL)] for name, several in known.items()}
        for task in tasks
    }
    return {task: {name: several for name, several in own.items() if several} for task, own in parts.items()}


def _differ(name: str, known: Ledgers) -> bool:
    """Whether systems differ in an entry on any task."""
    return any(len(set(_by_system(name, own).values())) > 1 for own in _by_task(known).values())


def _observed(known: Ledgers) -> list[str]:
    """What each sees: how many fields, and which are its alone."""
    lines = []
    for task, parts in _by_task(known).items():
        fields = {
            name: list(dict.fromkeys(f for one in own for f in one["observation"])) for name, own in parts.items()
        }
        if len({json.dumps(sorted(own)) for own in fields.values()}) < 2:
            continue
        told = []
        for name, own in fields.items():
            others = {f for other, theirs in fields.items() if other != name for f in theirs}
            alone = [field for field in own if field not in others]
            few = f"{', '.join(alone[:4])}{' and others' if len(alone) > 4 else ''}"
            told.append(f"{name} {len(own)} fields" + (f" (alone with {few})" if alone else ""))
        lines.append(f"observation on {task}: {'; '.join(told)}")
    return lines


def _versions(known: Ledgers) -> list[str]:
    lines = []
    for package in _VERSIONS:
        shown = {name: _some({str(one["versions"][package]) for one in several}) for name, several in known.items()}
        if (
            len({version for several in known.values() for one in several for version in [one["versions"][package]]})
            > 1
        ):
            lines.append(f"version of {package}: {_listed(shown)}")
    return lines


def _by_system(name: str, known: Ledgers) -> dict[str, str]:
    """The entry of each system's trainings, shortened to its range where they differ."""
    return {system: _range([one.get(name) for one in several]) for system, several in known.items()}


def _range(values: list[Any]) -> str:
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(values) and len(set(numbers)) > 1:
        return f"{min(numbers):,} to {max(numbers):,}"
    return _some({f"{v:,}" if isinstance(v, int | float) else "none" if v is None else str(v) for v in values})


def _some(values: set[str]) -> str:
    return " or ".join(sorted(values))


def _listed(shown: dict[str, str]) -> str:
    return " / ".join(f"{name} {value}" for name, value in shown.items())
