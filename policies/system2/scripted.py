"""The task's fixed plan: the objects one after the other, each by the shortest way, without looking ahead."""

from __future__ import annotations

from policies.system2.grounding import Ground, Place
from policies.system2.plan import Goals, Plan, SceneEstimate, Step
from policies.system2.search import NoPlan
from policies.system2.symbolic import goal_place, is_there, on_top, reach_plan

_MIDDLE = 0.2  # (m) what is too small for two hands is put down this near to the middle of the table, for the other arm


class ScriptedPlanner:
    """Plans in a fixed order. What stands in the way of an object it does not see."""

    def plan(self, scene: SceneEstimate, goals: Goals) -> Plan:
        ground = Ground(scene, goals)
        if goals.tool is not None:
            return reach_plan(ground, goals)
        steps: list[Step] = []
        for arm in ground.arms:
            # what is around a hand but in none, and where it must be, is left alone
            around = ground.around(arm)
            if around is not None and (around >= len(goals.positions) or self._is_met(ground, around, goals)):
                steps.append(ground.back_out(arm, around))
        for thing in sorted(range(len(goals.positions)), key=lambda k: not scene.holds[:, k].any()):
            if not self._is_met(ground, thing, goals):
                try:
                    steps += self._bring(ground, thing, _aim(ground, goals, thing))
                except NoPlan as error:
                    return Plan((), no_plan=str(error))
        return Plan(tuple(steps))

    def _is_met(self, ground: Ground, thing: int, goals: Goals) -> bool:
        """Whether an object rests where it must be."""
        place = _aim(ground, goals, thing)
        return not place.in_air and not ground.scene.holds[:, thing].any() and is_there(ground, thing, place)

    def _bring(self, ground: Ground, thing: int, place: Place) -> list[Step]:
        steps: list[Step] = []
        here = ground.pose(thing)
        takers = [arm for arm in ground.arms if ground.grips(arm, thing, place.pose)]
        holders = [arm for arm in ground.arms if ground.scene.holds[arm][thing]]
        able = holders or [arm for arm in ground.arms if ground.grips(arm, thing, here)]
        name = ground.name(thing)
        if not takers:
            raise NoPlan(f"no arm reaches goal_{name}, where {name} must go")
        if not able:
            raise NoPlan(f"no arm reaches start_{name}, where {name} rests")
        arm = next((a for a in able if a in takers), able[0])
        held = bool(holders)  # now, and not only later in the plan
        if len(holders) > 1:
            steps.append(ground.let_go(next(a for a in holders if a != arm), arm, thing, here))
            held = False
        if not holders:
            steps += ground.pick(arm, thing)
        if arm not in takers:
            receiver = takers[0]
            if ground.is_long(thing):
                steps += ground.pass_on(arm, receiver, thing, place.pose, held)
            else:
                y = max(-_MIDDLE, min(_MIDDLE, (here[1] + place.pose[1]) / 2))
                z = float(ground.scene.half_sizes[thing][2])
                steps += ground.put(arm, thing, Place((0.0, y, z, 0.0)), held)
                steps += ground.pick(receiver, thing, from_here=False)
            arm, held = receiver, False
        if place.in_air:
            return steps + ground.present(arm, thing, place)
        return steps + ground.put(arm, thing, place, held)


def _aim(ground: Ground, goals: Goals, thing: int) -> Place:
    below = goals.below[thing]
    return goal_place(goals, thing) if below is None else on_top(ground, thing, below)
