"""Measurements by name: what a task, an observation or a controller may ask of the worlds at one tick."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from typing import Any

from envs.geometry import Array, array_namespace, columns, norm, turn, wrap
from envs.scene import Scene


def _once(measure: Any) -> Any:
    """Compute a measurement once for each world view and arguments; tasks and observations share it."""

    @wraps(measure)
    def cached(self: World, *which: int) -> Array:
        key = measure, which
        found = self._cache.get(key)
        if found is None:
            found = self._cache[key] = measure(self, *which)
        return found

    return cached


class World:
    """N worlds at one tick. Positions in m, velocities in m/s, world frame unless a name says `base`.

    A view is made anew for every tick, over live arrays. It reads nothing but `arrays`, so the arrays may come
    from any library that follows the array API standard.
    """

    def __init__(self, scene: Scene, arrays: Mapping[str, Array]) -> None:
        self.scene = scene
        self.arrays = arrays
        self._cache: dict[tuple[Any, ...], Array] = {}

    def take(self, worlds: Any) -> World:
        """The same measurements of some worlds alone, as copies."""
        return World(self.scene, {name: values[worlds] for name, values in self.arrays.items()})

    @property
    def goal(self) -> Array:
        """(N, G) what the episode asks for; the task says what the numbers mean."""
        return self.arrays["goal"]

    # Frames

    def in_base(self, arm: int, point: Array) -> Array:
        """(N, 3) a world-frame point, seen from the arm's base."""
        base = self.scene.arms[arm].base
        xp = array_namespace(point)
        return turn(point - xp.asarray(base.position, dtype=point.dtype), -base.yaw)

    def turned_to_base(self, arm: int, vector: Array) -> Array:
        """(N, 3) a world-frame direction or difference, along the axes of the arm's base."""
        return turn(vector, -self.scene.arms[arm].base.yaw)

    # Arms

    @_once
    def joint_positions(self, arm: int) -> Array:
        """(N, J) rad."""
        return self.arrays["qpos"][:, self.scene.arms[arm].joints]

    @_once
    def joint_velocities(self, arm: int) -> Array:
        """(N, J) rad/s."""
        return self.arrays["qvel"][:, self.scene.arms[arm].joints]

    @_once
    def tool_position(self, arm: int) -> Array:
        """(N, 3) point between the fingertips."""
        return self.arrays["site_xpos"][:, self.scene.arms[arm].tool]

    @_once
    def tool_base_position(self, arm: int) -> Array:
        """(N, 3) point between the fingertips, base frame."""
        return self.in_base(arm, self.tool_position(arm))

    @_once
    def tool_velocity(self, arm: int) -> Array:
        """(N, 3)"""
        return self.arrays["sensordata"][:, self.scene.arms[arm].tool_velocity]

    @_once
    def tool_speed(self, arm: int) -> Array:
        """(N,)"""
        return norm(self.tool_velocity(arm))

    @_once
    def tool_base_yaw(self, arm: int) -> Array:
        """(N,) rad: heading of the tool's x axis, base frame."""
        axes = self.arrays["site_xmat"][:, self.scene.arms[arm].tool]
        xp = array_namespace(axes)
        return wrap(xp.atan2(axes[:, 3], axes[:, 0]) - self.scene.arms[arm].base.yaw)

    @_once
    def gripper_opening(self, arm: int) -> Array:
        """(N,) m between the fingers."""
        fingers = self.arrays["qpos"][:, self.scene.arms[arm].fingers]
        return fingers[:, 0] + fingers[:, 1]

    @_once
    def gripper_speed(self, arm: int) -> Array:
        """(N,) m/s, positive while opening."""
        fingers = self.arrays["qvel"][:, self.scene.arms[arm].fingers]
        return fingers[:, 0] + fingers[:, 1]

    @_once
    def finger_forces(self, arm: int, thing: int) -> Array:
        """(N, 2) N: size of the contact force of the left and the right finger on an object."""
        left, right = self.scene.arms[arm].finger_forces[thing]
        sensors = self.arrays["sensordata"]
        return columns(norm(sensors[:, left]), norm(sensors[:, right]))

    @_once
    def grip_force(self, arm: int, thing: int) -> Array:
        """(N,) N: the smaller of the two fingers' forces on an object; 0 unless both touch it."""
        forces = self.finger_forces(arm, thing)
        return array_namespace(forces).minimum(forces[:, 0], forces[:, 1])

    @_once
    def touch_force(self, arm: int, thing: int) -> Array:
        """(N,) N: the larger of the two fingers' forces on an object; 0 only when neither touches it."""
        forces = self.finger_forces(arm, thing)
        return array_namespace(forces).maximum(forces[:, 0], forces[:, 1])

    # Objects

    @_once
    def object_position(self, thing: int) -> Array:
        """(N, 3) centre."""
        return self.arrays["xpos"][:, self.scene.objects[thing].body]

    @_once
    def object_velocity(self, thing: int) -> Array:
        """(N, 3) of the centre."""
        start = self.scene.objects[thing].velocity.start
        return self.arrays["qvel"][:, start : start + 3]

    @_once
    def object_speed(self, thing: int) -> Array:
        """(N,) m/s of the centre."""
        return norm(self.object_velocity(thing))

    @_once
    def object_yaw(self, thing: int) -> Array:
        """(N,) rad, world frame: heading of the object's x axis, or of its y axis where x stands upright."""
        axes = self.arrays["xmat"][:, self.scene.objects[thing].body]
        xp = array_namespace(axes)
        upright = xp.abs(axes[:, 6]) > 0.7
        return xp.atan2(xp.where(upright, axes[:, 4], axes[:, 3]), xp.where(upright, axes[:, 1], axes[:, 0]))

    @_once
    def object_turn(self, arm: int, thing: int) -> Array:
        """(N,) rad from the tool's heading to the object's; not wrapped."""
        return self.object_yaw(thing) - self.scene.arms[arm].base.yaw - self.tool_base_yaw(arm)

    @_once
    def bar_axis(self, arm: int, thing: int) -> Array:
        """(N, 3) unit vector along an object's x axis, level, base frame; of its two directions the one away from the
        arm.
        """
        yaw = self.object_yaw(thing) - self.scene.arms[arm].base.yaw
        xp = array_namespace(yaw)
        x = xp.cos(yaw)
        way = xp.where(x >= 0, xp.ones_like(x), -xp.ones_like(x))
        return columns(way * x, way * xp.sin(yaw), xp.zeros_like(x))

    @_once
    def object_half_size(self, thing: int) -> Array:
        """(N, 3) half-sizes along the object's axes."""
        index = self.scene.objects[thing]
        return index.half_size(self.arrays["geom_size"][:, index.geom])

    @_once
    def object_from_tool(self, arm: int, thing: int) -> Array:
        """(N, 3) from the tool to the object's centre, base frame."""
        return self.turned_to_base(arm, self.object_position(thing) - self.tool_position(arm))

    @_once
    def grasp_distance(self, arm: int, thing: int) -> Array:
        """(N,) m from the tool to the object's centre."""
        return norm(self.object_from_tool(arm, thing))
