"""Goals that can be taken hold of: which numbers of a task's goal move which marker is found by asking the task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.vector import DuetVectorEnv

_ASK = 1e-3  # (m or rad) by which a number is changed to see what it moves
_MARGIN = 0.02  # (m) inside the arms' workspaces
_LOW = 0.08  # (m) a goal in the air is no lower
_ELSEWHERE = 0.1  # (m) a goal that moves by itself moves at least so far
_TRIES = 200


@dataclass(frozen=True)
class Handle:
    """One marker of a goal, and the numbers of the goal that move it."""

    marker: int
    """Index in what the task draws."""
    columns: tuple[int | None, int | None, int | None]
    """For x, y and z, the number of the goal; None where it stays."""
    yaw: int | None
    """The number that is its heading."""


def handles(env: DuetVectorEnv) -> tuple[Handle, ...]:
    """The markers of the first world's goal that can be moved."""
    world = env.world()
    goal, in_air = world.goal[0], env.task.targets(world).in_air[0]
    drawn = env.task.goals_to_draw(goal)
    found: list[dict[int, int]] = [{} for _ in drawn]  # for each marker, axis (3 is the heading) -> number
    for column in range(len(goal)):
        asked = goal.copy()
        asked[column] += _ASK
        for marker, (was, now) in enumerate(zip(drawn, env.task.goals_to_draw(asked), strict=True)):
            moved = np.abs(np.append(now.position - was.position, now.yaw - was.yaw)) > _ASK / 2
            found[marker] |= dict.fromkeys(np.flatnonzero(moved).tolist(), column)
    for marker, axes in enumerate(found):
        if marker < len(in_air) and not in_air[marker]:
            axes.pop(2, None)  # what must lie on the table stays there
    return tuple(
        Handle(marker, (axes.get(0), axes.get(1), axes.get(2)), axes.get(3)) for marker, axes in enumerate(found)
    )


def moved_to(env: DuetVectorEnv, handle: Handle, position: tuple[float, float, float]) -> tuple[float, ...]:
    """The goal with one marker at a place (m, world frame), or the nearest to it within the arms' reach."""
    goal = env.world().goal[0].copy()
    lows, highs = reach(env)
    for axis, column in enumerate(handle.columns):
        if column is not None:
            goal[column] = min(max(position[axis], lows[axis]), highs[axis])
    return tuple(goal.tolist())


def reach(env: DuetVectorEnv) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """(m, world frame) low and high corner of the box where goals may be: in reach of an arm."""
    first, last = env.scene.arms[0], env.scene.arms[-1]
    low, high = first.robot.workspace_low, first.robot.workspace_high
    # two arms face each other, and each has its own half of the table
    near, far = first.base.position[0] + low[0], last.base.position[0] - low[0]
    far = far if first is not last else first.base.position[0] + high[0]
    return (near + _MARGIN, low[1] + _MARGIN, _LOW), (far - _MARGIN, high[1] - _MARGIN, high[2] - _MARGIN)


def elsewhere(env: DuetVectorEnv, random: np.random.Generator) -> tuple[float, ...] | None:
    """The goal of another layout of the task, as far as it can be moved; None where nothing can be."""
    grips = handles(env)
    columns = [c for handle in grips for c in (*handle.columns, handle.yaw) if c is not None]
    if not columns:
        return None
    goal = env.world().goal[0]
    for seed in random.integers(0, 1 << 31, _TRIES).tolist():
        other = goal.copy()
        other[columns] = env.layout([seed]).goal[0][columns]
        heights = [other[h.columns[2]] for h in grips if h.columns[2] is not None]
        was, now = env.task.goals_to_draw(goal), env.task.goals_to_draw(other)
        away = max(float(np.linalg.norm(a.position - b.position)) for a, b in zip(was, now, strict=True))
        if away > _ELSEWHERE and all(height >= _LOW for height in heights):
            return tuple(other.tolist())
    return None
