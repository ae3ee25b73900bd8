"""HandoverPlace: pass a bar from arm to arm and put it down at a place and heading on the other side."""

from __future__ import annotations

import numpy as np

from envs.geometry import Array, array_namespace, near
from envs.layout import Draw
from envs.object_task import FAR
from envs.objects import to_world
from envs.progress import Stage
from envs.tasks.handover import Handover, bar_place
from envs.world import World


class HandoverPlace(Handover):
    """Success: the bar on the table within 2 cm and 0.2 rad of the goal, at rest and let go, for 0.2 s.

    The bar starts on either side of the table, where only one arm reaches, and the goal is on the other side.
    Goal: the bar's middle (m) and heading (rad), world frame.
    """

    stages = ("reach", "grasp", "meet", "both", "pass", "carry", "place")
    time_limit = 12.0
    in_air = False

    def turns(self, thing: int) -> bool:
        return True

    def _goal(self, draw: Draw, half_sizes: Array, receiver: Array) -> Array:
        yaw = draw.uniform(-np.pi / 2, np.pi / 2)
        place = to_world(bar_place(draw, half_sizes, yaw), receiver)
        return np.column_stack((place, half_sizes[:, 2], yaw))

    def _ending(self, world: World, success: Array, receiver: int) -> dict[str, Stage]:
        away = self.distance_to_goal(world, 0)
        turned = array_namespace(away).abs(self.turn_to_goal(world, 0))
        carried = 0.4 * near(away, 0.0, FAR) + 0.4 * near(away, 0.0, 0.1) + 0.2 * near(turned, 0.0, np.pi / 2)
        return {
            "carry": Stage(self.in_place(world, 0), carried),
            "place": Stage(success, self.letting_go(world, 0)),
        }
