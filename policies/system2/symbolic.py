"""The default planner: predicates from the scene, a search for the cheapest plan, and its actions as commands."""

from __future__ import annotations

import math

from policies.system2.domain import Action, Goal, Problem, State, Where
from policies.system2.grounding import MEET_HEIGHT, Ground, Place
from policies.system2.plan import Command, Goals, Plan, SceneEstimate, Step
from policies.system2.search import NoPlan, search

_MET = 0.018  # (m) an object is where it must be: a little more strictly than any task asks
_TURNED = 0.17  # (rad)
_ROOM = 0.035  # (m) between the edges of two objects, for the fingers of a hand
_ON = 0.015  # (m) one object stands on another, give or take
_MIDDLES = (0.0, 0.17, -0.17)  # (m) y of the places in the middle of the table, which both arms reach
_SPARES = tuple((x, y) for x in (0.5, 0.38, 0.62) for y in (0.0, 0.2, -0.2))  # (m) base frame of each arm


def goal_place(goals: Goals, thing: int) -> Place:
    """Where an object must be."""
    x, y, z = map(float, goals.positions[thing])
    return Place((x, y, z, float(goals.yaws[thing])), bool(goals.in_air[thing]), goals.turned[thing])


def is_there(ground: Ground, thing: int, place: Place) -> bool:
    """Whether an object is at a place, and turned as it must be there."""
    return math.dist(place.pose[:3], ground.pose(thing)[:3]) < _MET and ground.is_turned(thing, place, _TURNED)


def reach_plan(ground: Ground, goals: Goals) -> Plan:
    """Of a task that asks for nothing but a place of the tool."""
    assert goals.tool is not None
    x, y, z = map(float, goals.tool)
    if not ground.reaches(0, x, y, z):
        return Plan((), no_plan="no arm reaches the goal, where the tool must go")
    commands = (Command(skill, target=(x, y, z, 0.0)) for skill in ("reach", "hold"))
    return Plan(tuple(ground.step(command.skill, arm0=command) for command in commands))


class Estimate:
    """One world in symbols: the problem, and where its places are."""

    def __init__(self, ground: Ground, goals: Goals) -> None:
        self.ground, self.goals = ground, goals
        self.names = [thing.spec.name for thing in ground.scene.scene.objects]
        self.places: dict[str, Place] = {}
        self.reach: set[tuple[int, str]] = set()
        for thing in range(len(goals.positions)):
            if goals.below[thing] is None:
                self._add(f"goal_{self.names[thing]}", thing, goal_place(goals, thing))
        where = tuple(self._where(thing) for thing in range(len(self.names)))
        where = self._each_alone(where)
        self._add_room()
        self.problem = Problem(
            arms=len(ground.arms),
            objects=tuple(self.names),
            places=tuple(self.places),
            reach=frozenset(self.reach),
            two_handed=frozenset(name for k, name in enumerate(self.names) if ground.is_long(k)),
            state=State(where),
            goals=tuple(self._goal(thing) for thing in range(len(goals.positions))),
        )

    def _add(self, name: str, thing: int, place: Place) -> None:
        self.places[name] = place
        self.reach |= {(arm, name) for arm in self.ground.arms if self.ground.grips(arm, thing, place.pose)}

    def _goal(self, thing: int) -> Goal:
        below = self.goals.below[thing]
        if below is not None:
            return Goal("on", self.names[thing], self.names[below])
        kind = "held" if self.goals.in_air[thing] else "at"
        return Goal(kind, self.names[thing], f"goal_{self.names[thing]}")

    def _where(self, thing: int) -> Where:
        scene, name = self.ground.scene, self.names[thing]
        arms = tuple(arm for arm in self.ground.arms if scene.holds[arm][thing])
        if arms:
            return Where(arms=arms)
        below = self._lower(thing)
        if below is not None:
            return Where(below=self.names[below])
        goal = f"goal_{name}"
        if goal in self.places and not self.places[goal].in_air and is_there(self.ground, thing, self.places[goal]):
            return Where(place=goal)
        for other in range(len(self.goals.positions)):
            place = f"goal_{self.names[other]}"
            if other != thing and place in self.places and self._blocks(thing, other):
                return Where(place=place)
        self._add(f"start_{name}", thing, Place(self.ground.pose(thing)))
        return Where(place=f"start_{name}")

    def _lower(self, thing: int) -> int | None:
        """The object that another stands on."""
        x, y, z, _ = self.ground.pose(thing)
        for other, (ox, oy, oz) in enumerate(self.ground.scene.positions):
            up = self.ground.scene.half_sizes[thing][2] + self.ground.scene.half_sizes[other][2]
            if other != thing and abs(z - oz - up) < _ON and math.hypot(x - ox, y - oy) < up:
                return None if self.ground.scene.holds[:, other].any() else other
        return None

    def _blocks(self, thing: int, other: int) -> bool:
        """Whether an object lies where another one must go on the table."""
        if self.goals.in_air[other]:
            return False
        x, y, _, _ = self.ground.pose(thing)
        gx, gy, _ = map(float, self.goals.positions[other])
        widths = sum(float(self.ground.scene.half_sizes[k][1]) for k in (thing, other))
        return math.hypot(x - gx, y - gy) < widths + _ROOM / 2

    def _each_alone(self, where: tuple[Where, ...]) -> tuple[Where, ...]:
        """A place, or an object, has room for one on it: the second one there counts as lying on its own."""
        taken: set[str] = set()
        found = []
        for thing, spot in enumerate(where):
            if {spot.place, spot.below} & taken:
                self._add(f"start_{self.names[thing]}", thing, Place(self.ground.pose(thing)))
                spot = Where(place=f"start_{self.names[thing]}")
            taken |= {name for name in (spot.place, spot.below) if name is not None}
            found.append(spot)
        return tuple(found)

    def _add_room(self) -> None:
        """Places for what must be put aside, or down for the other arm."""
        blocked = any(
            self._blocks(a, b) for b in range(len(self.goals.positions)) for a in range(len(self.names)) if a != b
        )
        spots = []
        if len(self.ground.arms) > 1:
            spots += [(f"middle_{k}", (0.0, y)) for k, y in enumerate(_MIDDLES)]
        if blocked:
            for arm in self.ground.arms:
                spots += [(f"spare_{arm}_{k}", self.ground.to_world(arm, *spare)) for k, spare in enumerate(_SPARES)]
        for name, (x, y) in spots:
            if self._is_free(x, y):
                self.places[name] = Place((x, y, 0.0, 0.0))
                self.reach |= {(arm, name) for arm in self.ground.arms if self.ground.reaches(arm, x, y, 0.05)}

    def _is_free(self, x: float, y: float) -> bool:
        scene = self.ground.scene
        for thing, (ox, oy, _) in enumerate(scene.positions):
            wide = float(scene.half_sizes[thing][0]) + 0.026 + _ROOM
            if not scene.holds[:, thing].any() and math.hypot(x - ox, y - oy) < wide:
                return False
        return all(
            math.hypot(x - place.pose[0], y - place.pose[1]) > 2 * 0.026 + _ROOM
            for name, place in self.places.items()
            if name.startswith("goal_") and not place.in_air
        )


class SymbolicPlanner:
    """Searches for the cheapest plan from what it sees. Plans are remembered by their symbols."""

    def plan(self, scene: SceneEstimate, goals: Goals) -> Plan:
        ground = Ground(scene, goals)
        if goals.tool is not None:
            return reach_plan(ground, goals)
        estimate = Estimate(ground, goals)
        try:
            actions = self.actions(estimate.problem)
        except NoPlan as error:
            return Plan((), no_plan=str(error))
        return Plan((*_back_out(estimate, actions), *steps(estimate, actions)))

    def actions(self, problem: Problem) -> tuple[Action, ...]:
        """The plan in symbols.

        Raises:
            NoPlan: there is none.
        """
        return search(problem)


def _back_out(estimate: Estimate, actions: tuple[Action, ...]) -> list[Step]:
    """Hands that stand on an object, or are around one which they neither hold nor are about to pick up, leave it."""
    ground, found = estimate.ground, []
    for arm in ground.arms:
        if any(ground.scene.holds[arm]):
            continue
        below = ground.stands_on(arm)
        if below is not None:
            found.append(ground.back_out(arm, below))
            continue
        around = ground.around(arm)
        if around is None:
            continue
        mine = next((action for action in actions if arm in (action.arm, action.receiver)), None)
        taking = mine is not None and mine.object == estimate.names[around] and mine.name in ("pick", "handover")
        if not taking:
            found.append(ground.back_out(arm, around))
    return found


def steps(estimate: Estimate, actions: tuple[Action, ...]) -> list[Step]:
    """What symbolic actions mean for the arms."""
    ground, goals = estimate.ground, estimate.goals
    found: list[Step] = []
    touched: set[int] = set()
    for action in actions:
        thing = estimate.names.index(action.object)
        now = thing not in touched  # nothing in the plan has moved it before
        touched.add(thing)
        if action.name == "pick":
            found += ground.pick(action.arm, thing, now)
        elif action.name == "place":
            assert action.place is not None
            place = estimate.places[action.place]
            if action.place != f"goal_{action.object}":  # not its own: any heading will do, at its own height
                x, y, _, _ = place.pose
                place = Place((x, y, float(ground.scene.half_sizes[thing][2]), 0.0))
            found += ground.put(action.arm, thing, place, now)
        elif action.name == "stack":
            assert action.below is not None
            found += ground.put(
                action.arm, thing, on_top(ground, thing, estimate.names.index(action.below)), now, "stack"
            )
        elif action.name == "present":
            found += ground.present(action.arm, thing, goal_place(goals, thing))
        elif action.name == "handover":
            assert action.receiver is not None
            aim = goal_place(goals, thing).pose if thing < len(goals.positions) else (0.0, 0.0, MEET_HEIGHT, 0.0)
            found += ground.pass_on(action.arm, action.receiver, thing, aim, now)
        else:
            other = next(arm for arm in ground.arms if arm != action.arm)
            found.append(ground.let_go(action.arm, other, thing, ground.pose(thing)))
        if action.name == "pick":
            ground.hands[action.arm] = thing
        elif action.name != "present":
            ground.hands.pop(action.arm, None)
        if action.receiver is not None:
            ground.hands[action.receiver] = thing
    return found


def on_top(ground: Ground, thing: int, below: int) -> Place:
    """Where an object stands on another."""
    x, y, z, yaw = ground.pose(below)
    return Place((x, y, z + sum(float(ground.scene.half_sizes[k][2]) for k in (thing, below)), yaw))
