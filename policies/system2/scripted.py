"""The task's fixed plan: the objects one after the other, each by the shortest way, without looking ahead."""

from __future__ import annotations

from policies.system2.grounding import Ground, Place
from policies.system2.plan import Goals, Plan, SceneEstimate, Step
from policies.system2.symbolic import goal_place, is_there, reach_plan


class ScriptedPlanner:
    """Plans in a fixed order. What stands in the way of an object it does not see."""

    def plan(self, scene: SceneEstimate, goals: Goals) -> Plan:
        ground = Ground(scene, goals)
        if goals.tool is not None:
            x, y, z = map(float, goals.tool)
            reach = Command("reach", target=(x, y, z, 0.0))
            return Plan(
                (ground.step("reach", arm0=reach), ground.step("stay", arm0=Command("hold", target=reach.target)))
            )
        steps = []
        for arm in ground.arms:
            # hands first: what is in none of them, but around one's fingers, must be left alone
            around = ground.around(arm)
            if around is not None and (
                around >= len(goals.positions) or is_there(ground, around, goal_place(goals, around))
            ):
                steps.append(ground.back_out(arm, around))
        things = sorted(range(len(goals.positions)), key=lambda k: not scene.holds[:, k].any())
        for thing in things:
            place = goal_place(goals, thing)
            if place.in_air or scene.holds[:, thing].any() or not is_there(ground, thing, place):
                steps += self._bring(ground, thing, place)
        return Plan(tuple(steps))

    def _bring(self, ground: Ground, thing: int, place: Place) -> list[Step]:
        steps: list[Step] = []
        takers = [arm for arm in ground.arms if ground.grips(arm, thing, place.pose)]
        if not takers:
            return []
        holders = [arm for arm in ground.arms if ground.scene.holds[arm][thing]]
        here = ground.pose(thing)
        held = bool(holders)
        if len(holders) == 2:
            giver = next(arm for arm in holders if arm != takers[0])
            steps.append(ground.let_go(giver, takers[0], thing, here))
            holders, held = [takers[0]], False
        if not holders:
            able = [arm for arm in ground.arms if ground.grips(arm, thing, here)]
            if not able:
                return []
            arm = next((a for a in able if a in takers), able[0])
            steps += ground.pick(arm, thing)
        else:
            arm = holders[0]
        if arm not in takers:
            if ground.is_long(thing):
                steps += ground.pass_on(arm, takers[0], thing, place.pose, held)
            else:
                middle = Place((0.0, max(-0.2, min(0.2, (here[1] + place.pose[1]) / 2)), place.pose[2], 0.0))
                steps += ground.put(arm, thing, middle, held) + ground.pick(takers[0], thing, False)
            arm, held = takers[0], False
        return steps + (ground.present if place.in_air else ground.put)(
            arm, thing, place, *(() if place.in_air else (held,))
        )
