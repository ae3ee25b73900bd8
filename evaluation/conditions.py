"""What happens to the episodes of a comparison: nothing, a disturbance of the world, or a System 2 that falters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from envs.robots import ROBOTS
from envs.tasks import task_class
from evaluation.perturbations import PERTURBATIONS, Perturbation, make_perturbation, perturbations_of
from evaluation.perturbations.base import FromTheStart
from policies.system2.faulty import System2Faults

ALL = "all"  # every condition that a task has
NO_FAULTS = System2Faults()
# What spoils System 2 alone: name -> (usual strength, largest one, what it does). Given as NAME or NAME=STRENGTH.
FAULTS: dict[str, tuple[float, float, str]] = {
    "latency": (2.0, 60.0, "every answer of System 2 comes {:g} s late"),
    "jitter": (2.0, 60.0, "every answer of System 2 comes late, by up to {:g} s at random"),
    "stall": (4.0, 60.0, "System 2 answers nothing for {:g} s, from when an object is first held"),
    "wrong": (0.25, 1.0, "each plan is made for another layout's goals with probability {:g}"),
}
_UNITS = {"latency": " s", "jitter": " s", "stall": " s", "wrong": ""}


@dataclass(frozen=True)
class Condition:
    """What the episodes of a cell have in common."""

    name: str
    text: str
    """What happens, in a sentence."""
    perturbation: str | None = None
    """Of the world: a name in `evaluation.perturbations`."""
    objects: int | None = None
    """How many, where it is not the number that all were trained with."""
    faults: System2Faults = NO_FAULTS
    fork: bool = False
    """Whether all continue from one saved moment, to which the scripted System 1 has led."""

    @property
    def without_faults(self) -> Condition:
        """What is left of it for those who have no planner that could falter."""
        return self if self.faults == NO_FAULTS else UNDISTURBED

    @property
    def world_changes(self) -> dict[str, Any]:
        """Arguments of `DuetVectorEnv` that its worlds are made with."""
        return {} if self.perturbation is None else PERTURBATIONS[self.perturbation].world_changes

    def make_perturbation(self, task: str, observation: str) -> Perturbation | None:
        """What disturbs episodes of a task under an observation mode; None where nothing does."""
        return None if self.perturbation is None else make_perturbation(self.perturbation, task, observation)

    def identity(self) -> dict[str, Any]:
        """What makes two conditions the same."""
        return {
            "perturbation": self.perturbation,
            "objects": self.objects,
            "faults": vars(self.faults).copy(),
            "fork": self.fork,
        }


UNDISTURBED = Condition("undisturbed", "nothing happens")


def conditions_of(
    tasks: Sequence[str],
    names: Sequence[str],
    objects: int | None,
    planned: bool,
    robot: str = "panda",
    observation: str = "state",
) -> dict[str, tuple[Condition, ...]]:
    """The conditions of each task, the undisturbed one first.

    Args:
        tasks: names.
        names: of perturbations of the world and faults of System 2; `all` means those that a task has.
        objects: another number of objects, as one more condition.
        planned: whether there is a System 2 that could falter.
        robot: name.
        observation: mode.

    Raises:
        ValueError: a task has no such condition; the message lists those it has.
    """
    found: dict[str, tuple[Condition, ...]] = {}
    for task in tasks:
        chosen = [UNDISTURBED]
        own = perturbations_of(task, observation)
        for name in _expanded(own, names, planned):
            chosen.append(_fault(name) if name.partition("=")[0] in FAULTS else _perturbed(task, name, own))
        if objects is not None:
            task_class(task)(ROBOTS[robot], objects)  # raises where the task has no such number
            chosen.append(Condition(f"{objects} objects", f"{objects} objects", objects=objects))
        names_found = [condition.name for condition in chosen]
        twice = next((name for name in names_found if names_found.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"the condition {twice!r} is named twice")
        found[task] = tuple(chosen)
    if not planned and any(c.faults != NO_FAULTS for several in found.values() for c in several):
        raise ValueError(f"{', '.join(FAULTS)} spoil System 2, and there is no dual system among those compared")
    return found


def forks_of(conditions: Sequence[Condition]) -> list[Condition]:
    """The disturbances among these that come in mid-episode, to be met by all in one saved moment."""
    return [
        replace(
            one,
            name=f"{one.name}, same moment",
            text=f"{one.text} All continue from the same saved moment, to which the scripted System 1 has led.",
            fork=True,
        )
        for one in conditions
        if one.perturbation is not None and not issubclass(PERTURBATIONS[one.perturbation], FromTheStart)
    ]


def phase_condition(under: Condition, latency: float, wrong: float) -> Condition:
    """One cell of the phase diagram: faults of System 2 on top of another condition."""
    faults = System2Faults(latency=latency, wrong=wrong)
    return replace(under, name=f"phase, {under.name}, latency {latency:g} s, wrong {wrong:g}", faults=faults)


def disturbed_by(name: str) -> Condition:
    """The condition of one disturbance of the world."""
    text = " ".join((PERTURBATIONS[name].__doc__ or name).strip().split("\n\n")[0].split())
    return Condition(name, text, perturbation=name)


def _expanded(own: Sequence[str], names: Sequence[str], planned: bool) -> list[str]:
    if ALL in names:
        if len(names) > 1:
            raise ValueError(f"{ALL} names all perturbations; leave out the others")
        return [*own, *(FAULTS if planned else ())]
    return list(names)


def _perturbed(task: str, name: str, own: Sequence[str]) -> Condition:
    if name not in own:
        has = ", ".join(own) if own else "none of the world"
        raise ValueError(f"{task} has no perturbation {name!r}; it has: {has}; and of System 2: {', '.join(FAULTS)}")
    return disturbed_by(name)


def _fault(name: str) -> Condition:
    name, equals, given = name.partition("=")
    strength, most, text = FAULTS[name]
    if equals:
        try:
            strength = float(given)
        except ValueError:
            raise ValueError(f"{name}={given}: its strength is a number, as in {name}={strength:g}") from None
        if not 0 < strength <= most:
            raise ValueError(f"{name} must be above 0 and at most {most:g}, not {given}")
    faults = System2Faults(**{name: strength})
    return Condition(f"{name} {strength:g}{_UNITS[name]}", text.format(strength), faults=faults)
