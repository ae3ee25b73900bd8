"""A System 2 of one's own, for Tidy: always the nearest cube. Tries it out with the scripted System 1."""

from __future__ import annotations

import math

import numpy as np
import tyro

from envs.vector import DuetVectorEnv
from evaluation.evaluate import text
from evaluation.rollout import roll_out
from policies.agents import DualAgent
from policies.system2.grounding import Ground
from policies.system2.plan import Goals, Plan, Planner, SceneEstimate, Step
from policies.system2.symbolic import SymbolicPlanner, goal_place, is_there

ARM = 0  # Tidy has one


class NearestFirst:
    """Brings away what is in the hand, else the nearest cube that is not in its zone. Plans no further than that."""

    def plan(self, scene: SceneEstimate, goals: Goals) -> Plan:
        ground = Ground(scene, goals)
        places = [goal_place(goals, thing) for thing in range(len(goals.positions))]
        held = [bool(scene.holds[ARM][thing]) for thing in range(len(places))]
        steps: list[Step] = []
        around = ground.around(ARM)  # the open fingers are still beside the last cube: back out first
        if around is not None and is_there(ground, around, places[around]):
            steps.append(ground.back_out(ARM, around))
        left = [thing for thing, place in enumerate(places) if held[thing] or not is_there(ground, thing, place)]
        if left:
            x, y, _ = scene.tools[ARM]
            away = [math.hypot(px - x, py - y) for px, py, _ in scene.positions]
            thing = min(left, key=lambda thing: (not held[thing], away[thing]))
            if not held[thing]:
                steps += ground.pick(ARM, thing)
            steps += ground.put(ARM, thing, places[thing], from_here=held[thing])
        return Plan(tuple(steps))


def try_out(planner: Planner, objects: int, layouts: int) -> dict:
    """The summary of one episode on each layout, from seed 0 on."""
    env = DuetVectorEnv(layouts, task="Tidy", num_objects=objects, autoreset=False)
    episodes = roll_out(env, DualAgent(planner), np.arange(layouts))
    env.close()
    return episodes.summary() | {"task": "Tidy"}


def main(objects: int = 3, layouts: int = 20) -> None:
    """Success on the same layouts under this planner and under the default one."""
    for planner in (NearestFirst(), SymbolicPlanner()):
        print(f"{type(planner).__name__}\n{text(try_out(planner, objects, layouts))}\n")


if __name__ == "__main__":
    tyro.cli(main)
