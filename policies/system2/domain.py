"""The symbols that System 2 plans with: where objects are, what arms can do about it, and what is wanted.

A problem knows no geometry. Whoever makes it names the places (the goals, where things rest now, spare room) and says
which arm reaches which. A place has room for one object; what lies on an object takes no place of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from envs.names import check_name

COSTS = {
    "pick": 2,
    "place": 2,
    "stack": 3,  # more than a place: it has to be exact, and can fall
    "handover": 3,  # less than a place and a pick, so that arms pass on in the air what both can hold
    "present": 1,
    "let_go": 1,
}
"""What an action costs, by name. Only their ratios matter: seconds, roughly, and the risk of failing."""


class Where(NamedTuple):
    """Where an object is, in one of five ways.

    - `Where(place="left")`: at rest at a place
    - `Where(below="bar")`: at rest on another object
    - `Where(arms=(0,))`: in a hand
    - `Where(arms=(0, 1))`: in two hands, the lower number first: in the middle of a handover
    - `Where(place="goal", arms=(0,))`: in a hand that keeps it at a place in the air, from now to the end
    """

    place: str | None = None
    below: str | None = None
    arms: tuple[int, ...] = ()


@dataclass(frozen=True)
class State:
    """Where everything is. What an arm holds follows from it."""

    where: tuple[Where, ...]
    """Of each object, in the order of `Problem.objects`."""


@dataclass(frozen=True)
class Goal:
    """What is wanted of one object."""

    kind: str
    """`at`: at rest at the place `target`. `on`: at rest on the object `target`. `held`: in the hand of any arm that
    keeps it at the place `target`, which is therefore in the air: nothing can rest there."""
    object: str
    target: str


class Action(NamedTuple):
    """What one arm does with one object; in a handover, two arms."""

    name: str
    """One of `COSTS`."""
    arm: int
    object: str
    place: str | None = None
    """Where to, of `place` and `present`."""
    below: str | None = None
    """What it is put on, of `stack`."""
    receiver: int | None = None
    """Who takes it, of `handover`."""

    @property
    def cost(self) -> int:
        return COSTS[self.name]

    def __str__(self) -> str:
        to = self.place or self.below or ("" if self.receiver is None else f"arm {self.receiver}")
        return f"arm {self.arm}: {self.name} {self.object}" + (f" -> {to}" if to else "")


@dataclass(frozen=True)
class Problem:
    """What there is, where it is, and what is wanted.

    The order of objects, and of places, says which comes first among plans that cost the same.

    Raises:
        ValueError: it contradicts itself, such as two objects at one place; the message says where.
    """

    arms: int
    objects: tuple[str, ...]
    places: tuple[str, ...]
    reach: frozenset[tuple[int, str]]
    """(arm, place): the arm can pick up and put down there, or keep something there if it is in the air."""
    two_handed: frozenset[str]
    """Objects with room for two hands, which can be handed over in the air."""
    state: State
    goals: tuple[Goal, ...]

    def __post_init__(self) -> None:
        _check_names(self)
        _check_state(self)

    @cached_property
    def in_air(self) -> frozenset[str]:
        """Places where something is wanted in a hand. Nothing can rest there."""
        return frozenset(goal.target for goal in self.goals if goal.kind == "held")


class Facts:
    """What a state says, looked up by name."""

    def __init__(self, problem: Problem, state: State) -> None:
        self.problem = problem
        self.where = dict(zip(problem.objects, state.where, strict=True))
        self.on_top: dict[str, str] = {}
        """Object -> what lies on it."""
        self.taken: dict[str, str] = {}
        """Place -> what rests or is kept there."""
        self.in_hand: dict[int, str] = {}
        """Arm -> what it holds, alone or with another arm."""
        for thing, (place, below, arms) in self.where.items():
            if place is not None:
                self.taken[place] = thing
            if below is not None:
                self.on_top[below] = thing
            for arm in arms:
                self.in_hand[arm] = thing

    def base(self, thing: str) -> str | None:
        """The place where an object rests, or where what it lies on rests; None in a hand."""
        where = self.where[thing]
        while where.below is not None:
            where = self.where[where.below]
        return None if where.arms else where.place

    def met(self, goal: Goal) -> bool:
        """Whether a goal is reached."""
        place, below, arms = self.where[goal.object]
        if goal.kind == "on":
            return below == goal.target
        return place == goal.target and bool(arms) == (goal.kind == "held")


def satisfied(problem: Problem, state: State) -> bool:
    """Whether every goal is reached. What no goal names may be anywhere, also in a hand."""
    facts = Facts(problem, state)
    return all(facts.met(goal) for goal in problem.goals)


def unmet(facts: Facts, action: Action) -> str:
    """The first precondition of an action that does not hold, as a sentence; empty if all do."""
    check_name("action", action.name, COSTS)
    check_name("object", action.object, facts.where)
    return _UNMET[action.name](facts, action)


def legal_actions(problem: Problem, state: State) -> tuple[Action, ...]:
    """What can be done now, in the order of objects, arms, and of `COSTS`."""
    facts = Facts(problem, state)
    options = _options(problem.arms, problem.objects, problem.places, problem.in_air)
    return tuple(
        action
        for thing, where in facts.where.items()
        for arm in where.arms or (None,)
        for action in options[thing, arm]
        if not _UNMET[action.name](facts, action)
    )


@lru_cache(maxsize=64)
def _options(
    arms: int, objects: tuple[str, ...], places: tuple[str, ...], in_air: frozenset[str]
) -> dict[tuple[str, int | None], tuple[Action, ...]]:
    """What can be tried with an object at rest (None) or in the hand of an arm, legal now or not."""
    options: dict[tuple[str, int | None], tuple[Action, ...]] = {}
    for thing in objects:
        options[thing, None] = tuple(Action("pick", arm, thing) for arm in range(arms))
        for arm in range(arms):
            options[thing, arm] = (
                *(Action("place", arm, thing, place=place) for place in places if place not in in_air),
                *(Action("stack", arm, thing, below=below) for below in objects if below != thing),
                *(Action("handover", arm, thing, receiver=other) for other in range(arms) if other != arm),
                *(Action("present", arm, thing, place=place) for place in places if place in in_air),
                Action("let_go", arm, thing),
            )
    return options


def apply(problem: Problem, state: State, action: Action) -> State:
    """The state after an action.

    Raises:
        ValueError: a precondition does not hold, or the action names what is not there; the message says which.
    """
    why = unmet(Facts(problem, state), action)
    if why:
        raise ValueError(f"{action} cannot be done: {why}")
    return outcome(problem, state, action)


def outcome(problem: Problem, state: State, action: Action) -> State:
    """The state after an action that is known to be legal."""
    k = problem.objects.index(action.object)
    name, arm = action.name, action.arm
    if name == "place":
        after = Where(place=action.place)
    elif name == "stack":
        after = Where(below=action.below)
    elif name == "present":
        after = Where(place=action.place, arms=(arm,))
    else:
        holders = {arm} if name == "pick" else {*state.where[k].arms, action.receiver} - {arm}
        after = Where(arms=tuple(holder for holder in range(problem.arms) if holder in holders))
    return State((*state.where[:k], after, *state.where[k + 1 :]))


# Preconditions: what is missing for an action, as a sentence; empty if nothing is


def _pick(facts: Facts, action: Action) -> str:
    arm, thing = action.arm, action.object
    if facts.where[thing].arms:
        return f"{thing} is in a hand"
    if arm in facts.in_hand:
        return f"arm {arm} holds {facts.in_hand[arm]}"
    return _no_access(facts, arm, thing)


def _bring(facts: Facts, action: Action) -> str:
    """Of `place` and `present`."""
    arm, thing, place = action.arm, action.object, action.place
    if (arm, place) not in facts.problem.reach:
        return f"arm {arm} does not reach {place}"
    if (place in facts.problem.in_air) != (action.name == "present"):
        return f"{place} is {'' if place in facts.problem.in_air else 'not '}in the air"
    if place in facts.taken:
        return f"{facts.taken[place]} is at {place}"
    return _no_hold(facts, arm, thing)


def _stack(facts: Facts, action: Action) -> str:
    below = check_name("object", str(action.below), facts.where)
    if facts.where[below].arms:
        return f"{below} is in a hand"
    return _no_hold(facts, action.arm, action.object) or _no_access(facts, action.arm, below)


def _handover(facts: Facts, action: Action) -> str:
    thing, receiver = action.object, action.receiver
    if receiver is None or not 0 <= receiver < facts.problem.arms:
        return f"there is no arm {receiver}"
    if thing not in facts.problem.two_handed:
        return f"{thing} has no room for two hands"
    if receiver in facts.in_hand:
        return f"arm {receiver} holds {facts.in_hand[receiver]}"
    return _no_hold(facts, action.arm, thing)


def _let_go(facts: Facts, action: Action) -> str:
    arms = facts.where[action.object].arms
    if len(arms) < 2 or action.arm not in arms:
        return f"arm {action.arm} does not hold {action.object} together with another arm"
    return ""


def _no_access(facts: Facts, arm: int, thing: str) -> str:
    """Why an arm cannot get at an object at rest from above; empty if it can."""
    if thing in facts.on_top:
        return f"{facts.on_top[thing]} lies on {thing}"
    base = facts.base(thing)
    return "" if (arm, base) in facts.problem.reach else f"arm {arm} does not reach {base}, where {thing} rests"


def _no_hold(facts: Facts, arm: int, thing: str) -> str:
    """Why an arm cannot do as it likes with an object; empty if it can."""
    place, _, arms = facts.where[thing]
    if arm not in arms:
        return f"arm {arm} does not hold {thing}"
    if len(arms) > 1:
        return f"another arm holds {thing} too"
    return f"arm {arm} keeps {thing} at {place} to the end" if place else ""


_UNMET = {"pick": _pick, "place": _bring, "stack": _stack, "handover": _handover, "present": _bring, "let_go": _let_go}


# What a problem must be

_SHAPES = {(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 2), (1, 0, 1)}  # of a `Where`: how many places, objects, arms


def _check_names(problem: Problem) -> None:
    for kind, names in (("object", problem.objects), ("place", problem.places)):
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"two {kind}s are called {twice[0]}")
    for arm, place in problem.reach:
        check_name("place", place, problem.places)
        if not 0 <= arm < problem.arms:
            raise ValueError(f"there is no arm {arm}, which reaches {place}")
    for thing in problem.two_handed:
        check_name("object", thing, problem.objects)
    for goal in problem.goals:
        check_name("kind of goal", goal.kind, ("at", "on", "held"))
        check_name("object", goal.object, problem.objects)
        kind, names = ("object", problem.objects) if goal.kind == "on" else ("place", problem.places)
        check_name(kind, goal.target, names)


def _check_state(problem: Problem) -> None:
    if len(problem.state.where) != len(problem.objects):
        raise ValueError(f"the state is of {len(problem.state.where)} objects; there are {len(problem.objects)}")
    where = dict(zip(problem.objects, problem.state.where, strict=True))
    user: dict[str, str] = {}
    for thing, (place, below, arms) in where.items():
        if (place is not None, below is not None, len(arms)) not in _SHAPES or arms != tuple(sorted(set(arms))):
            raise ValueError(f"{thing} is {where[thing]}, which is none of the five ways to be somewhere")
        if arms and not 0 <= arms[0] <= arms[-1] < problem.arms:
            raise ValueError(f"{thing} is in the hands of {arms}; there are {problem.arms} arms")
        spots = [f"in the hand of arm {arm}" for arm in arms]
        if place is not None:
            spots.append(f"at {check_name('place', place, problem.places)}")
            if (place in problem.in_air) != bool(arms):
                raise ValueError(f"{thing} is {' and '.join(spots)}, where objects {'rest' if arms else 'are held'}")
        if below is not None:
            spots.append(f"on {check_name('object', below, where)}")
            if where[below].arms:
                raise ValueError(f"{thing} is on {below}, which is in a hand")
        for spot in spots:
            if user.setdefault(spot, thing) != thing:
                raise ValueError(f"{user[spot]} and {thing} are both {spot}")
    for thing in where:  # one object carries one at most, so a pile without an end comes back to where it began
        lower: str | None = where[thing].below
        while lower is not None and lower != thing:
            lower = where[lower].below
        if lower == thing:
            raise ValueError(f"{thing} lies on itself")
