"""The cheapest way from a state to the goals: A* over `policies.system2.domain`."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from policies.system2.domain import COSTS, Action, Facts, Goal, Problem, State, legal_actions, outcome

_PATIENCE = 600_000  # objects looked at, over all states, before giving up: two seconds or so
_REMEMBERED = 4096  # problems; a task has few, since one problem stands for many layouts

_ASIDE = COSTS["place"] + COSTS["pick"]  # to put something down that is not there to stay
_NEVER = math.inf


class NoPlan(ValueError):
    """The goals cannot be reached; the message is one sentence that says why."""


def search(problem: Problem) -> tuple[Action, ...]:
    """The cheapest plan. Of those that cost the same, the one that comes first in the order of `legal_actions`.

    What it returns follows from the problem alone, and once some of it is done the plan from there is the rest of it:
    a planner that plans again at every step does not change its mind.

    Raises:
        NoPlan: there is none, or none was found in time.
    """
    answer = _answer(problem)
    if isinstance(answer, str):
        raise NoPlan(answer)
    return answer


@lru_cache(maxsize=_REMEMBERED)
def _answer(problem: Problem) -> tuple[Action, ...] | str:
    """The plan, or why there is none."""
    why = _contradiction(problem)
    if why:
        return why
    bound = LowerBound(problem)
    why = _out_of_reach(problem, bound)
    if why:
        return why
    plan, states = _cheapest(problem, bound)
    if plan is not None:
        return plan
    if states >= _most_states(problem):
        return f"no plan was found among the {states} states that were looked at before giving up"
    return _why_stuck(problem)


def _most_states(problem: Problem) -> int:
    return _PATIENCE // max(1, len(problem.objects))


def _cheapest(problem: Problem, bound: LowerBound) -> tuple[tuple[Action, ...] | None, int]:
    """The plan if there is one, and how many states were looked at."""
    # Ties in the estimated cost go to the path that comes first, number by number, in the order of the actions. Of the
    # cheapest plan that comes first in this order, some beginning is always in the queue; its estimate is at most the
    # cost of the plan and it comes before all dearer and all later plans. So that plan is the one that is found.
    start = problem.state
    best: dict[State, tuple[int, tuple[int, ...]]] = {start: (0, ())}
    came_from: dict[State, tuple[State, Action]] = {}
    queue: list[tuple[float, tuple[int, ...], int, State]] = [(bound(Facts(problem, start)), (), 0, start)]
    states, most = 0, _most_states(problem)
    while queue and states < most:
        _, path, spent, state = heapq.heappop(queue)
        if best[state] != (spent, path):
            continue
        facts = Facts(problem, state)
        if all(facts.met(goal) for goal in problem.goals):
            plan: list[Action] = []
            while state in came_from:
                state, action = came_from[state]
                plan.append(action)
            return tuple(reversed(plan)), states
        for number, action in enumerate(_worth_trying(problem, state, bound)):
            after = outcome(problem, state, action)
            rank = (spent + action.cost, (*path, number))
            if after in best and best[after] <= rank:
                continue
            states += 1
            ahead = bound(Facts(problem, after))
            if ahead < _NEVER:
                best[after] = rank
                came_from[after] = (state, action)
                heapq.heappush(queue, (rank[0] + ahead, rank[1], rank[0], after))
    return None, states


def _worth_trying(problem: Problem, state: State, bound: LowerBound) -> Iterator[Action]:
    """The legal actions, without those that no cheapest plan needs."""
    alike: set[tuple[int, tuple[int, ...]]] = set()
    for action in legal_actions(problem, state):
        if action.name == "present" and (action.object, action.place) not in bound.in_air:
            continue  # it stays in the hand, and helps no other object
        if action.name == "place" and action.place in bound.unnamed:
            # Free places that no goal names and that the same arms reach can change names without any other change to
            # the problem, so a plan that uses one of them is as cheap as a plan that uses the first.
            kind = (action.arm, tuple(bound.reached[action.place]))
            if kind in alike:
                continue
            alike.add(kind)
        yield action


class LowerBound:
    """What reaching the goals costs at least.

    Every action moves one object. So the sum, over objects, of what each costs at least while nothing else is in its
    way never exceeds the true cost: the same action is not counted twice. An object counts that has to be moved: it is
    not where its goal wants it, or it lies on such an object, or it is where such an object has to go.

    One arm alone holds one object at a time. If, of some objects, each has to wait until the next one has been picked
    up, and the last one waits for the first, then the one picked up first has to be put aside and picked up again. An
    object has one such next one here, so these circles share no objects and their extra costs add up. The same holds
    for an object that is in the hand while another is in its way.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.alone = problem.arms == 1
        self.goals = {goal.object: goal for goal in problem.goals}
        self.rest_places = [place for place in problem.places if place not in problem.in_air]
        self.reached = {
            place: [arm for arm in range(problem.arms) if (arm, place) in problem.reach] for place in problem.places
        }
        self.in_air = {(goal.object, goal.target) for goal in problem.goals if goal.kind == "held"}
        self.unnamed = {place for place in self.rest_places if all(place != goal.target for goal in problem.goals)}
        start = Facts(problem, problem.state)
        self.final = {thing: self._final(thing, start) for thing in problem.objects}
        """Object -> places where it can be in the end: its own, or of what it lies on."""
        self.from_hand = {thing: self._from_hand(goal) for thing, goal in self.goals.items()}
        """Object -> cost to its goal from the hand of each arm."""
        self.from_place = {
            thing: {
                place: COSTS["pick"] + min((costs[arm] for arm in arms), default=_NEVER)
                for place, arms in self.reached.items()
            }
            for thing, costs in self.from_hand.items()
        }
        """Object -> cost to its goal from rest at each place."""

    def _final(self, thing: str, start: Facts) -> frozenset[str]:
        for _ in self.problem.objects:
            goal = self.goals.get(thing)
            if goal is None:
                break
            if goal.kind != "on":
                return frozenset((goal.target,))
            thing = goal.target
        base = start.base(thing)
        if base is not None and not self.reached[base]:
            return frozenset((base,))
        return frozenset(place for place in self.rest_places if self.reached[place])

    def _from_hand(self, goal: Goal) -> list[float]:
        arms = range(self.problem.arms)
        last = COSTS[{"at": "place", "on": "stack", "held": "present"}[goal.kind]]
        ends = self.final[goal.object]
        costs = [float(last) if any((arm, p) in self.problem.reach for p in ends) else _NEVER for arm in arms]
        by_hand = COSTS["handover"] if goal.object in self.problem.two_handed else _NEVER
        for _ in arms:  # as many times as an object can be passed on to a new arm
            for giver in arms:
                for receiver in arms:
                    if giver != receiver:
                        shared = any(giver in self.reached[p] and receiver in self.reached[p] for p in self.rest_places)
                        way = min(by_hand, _ASIDE if shared else _NEVER)
                        costs[giver] = min(costs[giver], way + costs[receiver])
        return costs

    def __call__(self, facts: Facts) -> float:
        """The bound from a state."""
        to_move = self.to_move(facts)
        total = sum(self.own_cost(thing, facts, to_move) for thing in facts.where)
        if self.alone and total < _NEVER:
            total += _ASIDE * self._put_aside(facts, to_move)
        return total

    def to_move(self, facts: Facts) -> dict[str, None]:
        """Objects at rest that must be picked up at least once; a dict for its order."""
        pending = [goal.object for goal in self.goals.values() if not facts.met(goal)]
        found: dict[str, None] = {}
        while pending:
            thing = pending.pop()
            if thing in found:
                continue
            if not facts.where[thing].arms:
                found[thing] = None
                if thing in facts.on_top:
                    pending.append(facts.on_top[thing])
            blocker = self._blocker(thing, facts)
            if blocker is not None:
                pending.append(blocker)
        return found

    def _blocker(self, thing: str, facts: Facts) -> str | None:
        """What rests where an object that is not at its goal has to go."""
        goal = self.goals.get(thing)
        if goal is None or facts.met(goal):
            return None
        there = {"at": facts.taken, "on": facts.on_top, "held": {}}[goal.kind].get(goal.target)
        return None if there == thing else there

    def own_cost(self, thing: str, facts: Facts, to_move: dict[str, None]) -> float:
        """What moving one object costs at least."""
        goal, where = self.goals.get(thing), facts.where[thing]
        if not where.arms:
            if thing not in to_move:
                return 0
            if goal is None:
                return COSTS["pick"] + self.alone * COSTS["place"]  # one arm needs its hand for what has to pass
            base = facts.base(thing)
            assert base is not None  # since it is in no hand
            return self.from_place[thing][base]
        if where.place is not None:
            return 0 if goal is not None and facts.met(goal) else _NEVER
        if goal is None:
            return COSTS["place"] if self.alone and to_move else 0
        return min(self.from_hand[thing][arm] for arm in where.arms) + COSTS["let_go"] * (len(where.arms) - 1)

    def _put_aside(self, facts: Facts, to_move: dict[str, None]) -> int:
        """How many objects a single arm has to put down on the way, at least."""
        waits_for: dict[str, str] = {}
        for thing in (*to_move, *facts.in_hand.values()):
            other = self._waits_for(thing, facts, to_move)
            if other is not None:
                waits_for[thing] = other
        count = sum(thing in waits_for for thing in facts.in_hand.values())
        seen: set[str] = set()
        for first in to_move:  # a walk ends at what waits for nothing, at an earlier walk, or in a circle of its own
            thing, walk = first, set()
            while thing in waits_for and thing not in seen:
                seen.add(thing)
                walk.add(thing)
                thing = waits_for[thing]
            count += thing in walk
        return count

    def _waits_for(self, thing: str, facts: Facts, to_move: dict[str, None]) -> str | None:
        """An object that must be picked up before another one can be at its goal."""
        goal = self.goals.get(thing)
        if goal is not None:
            blocker = self._blocker(thing, facts)
            if blocker is not None:
                return blocker
            if goal.kind == "on" and goal.target in to_move:
                return goal.target
            if goal.kind == "held":  # the hand is not free again
                return next((other for other in to_move if other != thing), None)
        return facts.on_top.get(thing)


def _contradiction(problem: Problem) -> str:
    """Why no state at all satisfies the goals; empty if one may."""
    goal_of: dict[str, Goal] = {}
    thing_at: dict[tuple[bool, str], str] = {}
    for goal in problem.goals:
        other = goal_of.setdefault(goal.object, goal)
        if other != goal:
            return f"{goal.object} must go to {other.target} and to {goal.target}, and can only be at one of them"
        first = thing_at.setdefault((goal.kind == "on", goal.target), goal.object)
        if first != goal.object:
            return f"{first} and {goal.object} must both go to {goal.target}, where there is room for one"
    for goal in goal_of.values():
        below: Goal | None = goal
        for _ in goal_of:
            if below is None or below.kind != "on":
                break
            below = goal_of.get(below.target)
        if below is not None and below.kind == "on":
            return f"{goal.object} must go on {goal.target}, which must itself end up on {goal.object}"
        if below is not None and below.kind == "held" and goal.kind == "on":
            return f"{goal.object} must go on {goal.target}, which must end in a hand"
    held = [goal.object for goal in goal_of.values() if goal.kind == "held"]
    if len(held) > problem.arms:
        return f"{' and '.join(held)} must be held at the end, which takes more arms than there are"
    return ""


def _out_of_reach(problem: Problem, bound: LowerBound) -> str:
    """Why an object cannot get to its goal even if nothing is in its way; empty if all can."""
    facts = Facts(problem, problem.state)
    for goal in problem.goals:
        ends = bound.final[goal.object]
        if not facts.met(goal) and not any(bound.reached[place] for place in ends):
            onto = f"be put on {goal.target}" if goal.kind == "on" else "go"
            return f"no arm reaches {min(ends)}, where {goal.object} must {onto}"
    to_move = bound.to_move(facts)
    for thing in to_move:
        base = facts.base(thing)
        assert base is not None
        if not bound.reached[base]:
            return f"no arm reaches {base}, where {thing} rests"
    for goal in problem.goals:
        thing, where = goal.object, facts.where[goal.object]
        if bound.own_cost(thing, facts, to_move) == _NEVER:
            if where.arms and where.place:
                return f"arm {where.arms[0]} keeps {thing} at {where.place} to the end"
            start = f"arm {where.arms[0]}" if where.arms else facts.base(thing)
            return (
                f"{thing} cannot get from {start} to {goal.target}: no arm reaches both, "
                "and those that do share no place and cannot hand it over in the air"
            )
    return ""


def _why_stuck(problem: Problem) -> str:
    """Why every way ends, where each object alone could get to its goal."""
    spare = "one more place"
    reach = problem.reach | {(arm, spare) for arm in range(problem.arms)}
    roomier = replace(problem, places=(*problem.places, spare), reach=reach)
    plan, _ = _cheapest(roomier, LowerBound(roomier))
    for action in plan or ():
        if action.place == spare:
            return f"{action.object} would have to be put aside on the way, and no place for that is free and in reach"
    return "each object alone could get to its goal, but not all of them together"


def forget() -> None:
    """Drop all remembered plans, to time a search."""
    _answer.cache_clear()
