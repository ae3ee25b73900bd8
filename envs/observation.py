"""Observations from declared parts: a name, a shape, a unit, a frame and bounds each.

Spaces, vectors and the table in the docs are all made from the same declarations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from envs.geometry import Array, array_namespace, columns
from envs.scene import Scene
from envs.world import World

# (m) Bounds of the parts that repeat an offset to show its last centimetres: scaled to the whole table, these
# would be lost in a network's first layer.
CLOSE_BY = 0.05


@dataclass(frozen=True)
class Part:
    """One named piece of an observation vector."""

    name: str
    size: int
    unit: str
    frame: str
    low: float
    high: float
    read: Callable[[World], Array]
    """World -> (N,) for size 1, else (N, size). Clipped to the bounds in an observation."""
    goal: bool = False
    """Depends on what the episode asks for: left out where the goal is a separate entry."""


class Observer:
    """Reads parts into one float32 vector a world."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self.parts = parts
        self._low = np.concatenate([np.full(part.size, part.low) for part in parts])
        self._high = np.concatenate([np.full(part.size, part.high) for part in parts])

    def space(self) -> spaces.Box:
        """The space of one world's vector."""
        return spaces.Box(self._low.astype(np.float32), self._high.astype(np.float32))

    def read(self, world: World) -> np.ndarray:
        """(N, size) float32, a new array."""
        read = [part.read(world) for part in self.parts]
        flat = np.concatenate([values if values.ndim == 2 else values[:, None] for values in read], axis=1)
        # not np.clip, which takes twice as long with bounds that are arrays
        return np.minimum(np.maximum(flat, self._low), self._high).astype(np.float32)


def arm_parts(arm: int, scene: Scene, control: str) -> tuple[Part, ...]:
    """What an arm knows of itself; names begin with the arm where there are several."""
    index = scene.arms[arm]
    prefix = f"arm{arm}_" if len(scene.arms) > 1 else ""
    joints = len(index.robot.joints)

    def heading(world: World) -> Array:
        yaw = world.tool_base_yaw(arm)
        xp = array_namespace(yaw)
        return columns(xp.cos(yaw), xp.sin(yaw))

    def opening_lead(world: World) -> Array:
        return world.arrays["ctrl"][:, index.gripper] - world.gripper_opening(arm)

    parts = [
        Part("tool_position", 3, "m", "base", -2, 2, lambda w: w.tool_base_position(arm)),
        Part("tool_heading", 2, "cos, sin", "base", -1, 1, heading),
        Part("tool_velocity", 3, "m/s", "base", -5, 5, lambda w: w.turned_to_base(arm, w.tool_velocity(arm))),
        Part("gripper_opening", 1, "m", "gripper", -0.01, 0.1, lambda w: w.gripper_opening(arm)),
        Part("gripper_speed", 1, "m/s", "gripper", -5, 5, lambda w: w.gripper_speed(arm)),
        Part("gripper_lead", 1, "m", "gripper", -0.1, 0.1, opening_lead),
    ]
    if control == "cartesian":
        parts += [
            Part(
                "target_lead", 3, "m", "base", -1, 1,
                lambda w: w.arrays["target_position"][:, arm] - w.tool_base_position(arm),
            ),
            Part(
                "target_turn", 1, "rad", "base", -4, 4,
                lambda w: w.arrays["target_yaw"][:, arm] - w.tool_base_yaw(arm),
            ),
        ]  # fmt: skip
    else:
        parts += [
            Part("joint_positions", joints, "rad", "joint", -4, 4, lambda w: w.joint_positions(arm)),
            Part("joint_velocities", joints, "rad/s", "joint", -20, 20, lambda w: w.joint_velocities(arm)),
            Part(
                "joint_lead", joints, "rad", "joint", -1, 1,
                lambda w: w.arrays["ctrl"][:, index.controls] - w.joint_positions(arm),
            ),
        ]  # fmt: skip
    return tuple(Part(prefix + p.name, p.size, p.unit, p.frame, p.low, p.high, p.read) for p in parts)


def object_parts(arm: int, thing: int, scene: Scene) -> tuple[Part, ...]:
    """What an arm knows of an object; names begin with the arm where there are several.

    The first arm's also hold what is the same for all of them.
    """
    spec = scene.objects[thing].spec
    prefix = f"arm{arm}_" if len(scene.arms) > 1 else ""
    cube = len(set(spec.max_half_size)) == 1

    def heading(world: World) -> Array:
        turned = spec.symmetry * world.object_turn(arm, thing)
        xp = array_namespace(turned)
        return columns(xp.cos(turned), xp.sin(turned))

    def half_size(world: World) -> Array:
        return world.object_half_size(thing)[:, 0] if cube else world.object_half_size(thing)

    name = spec.name
    parts = [
        Part(f"{prefix}{name}_from_tool", 3, "m", "base", -2, 2, lambda w: w.object_from_tool(arm, thing)),
        Part(f"{prefix}{name}_close_by", 3, "m", "base", -CLOSE_BY, CLOSE_BY, lambda w: w.object_from_tool(arm, thing)),
    ]
    if spec.symmetry:
        turns = f"cos, sin of {spec.symmetry} yaw"
        parts.append(Part(f"{prefix}{name}_heading", 2, turns, "tool", -1, 1, heading))
    if arm == 0:
        parts += [
            Part(f"{name}_velocity", 3, "m/s", "base", -5, 5, lambda w: w.turned_to_base(0, w.object_velocity(thing))),
            Part(f"{name}_half_size", 1 if cube else 3, "m", "object", 0, 1, half_size),
        ]
    forces = Part(f"{prefix}{name}_finger_forces", 2, "N", "gripper", 0, 200, lambda w: w.finger_forces(arm, thing))
    return (*parts, forces)


def table(parts: tuple[Part, ...]) -> str:
    """A Markdown table of parts, for the docs."""
    rows = ["| index | part | unit | frame | bounds |", "|---|---|---|---|---|"]
    at = 0
    for part in parts:
        index = f"{at}" if part.size == 1 else f"{at} to {at + part.size - 1}"
        rows.append(f"| {index} | `{part.name}` | {part.unit} | {part.frame} | {part.low:g} to {part.high:g} |")
        at += part.size
    return "\n".join(rows)
