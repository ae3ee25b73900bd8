"""A scripted System 1: carries commands out without having learned anything. Yardstick, and source of demonstrations.

It has no memory: what it does follows from what it sees at this tick and from the command.
"""

from __future__ import annotations

import numpy as np

from envs.control import MAX_STEP, MAX_TURN
from envs.task import TOUCH_FORCE
from policies.commands import CARRY, HOLD, PICK, PLACE, REACH, RELEASE, Actors

_OPEN, _CLOSED, _KEEP, _TIGHTEN = 1.0, -1.0, 0.0, -0.5
_HOVER = 0.09  # (m) the tool passes this high over an object before it descends
_TRAVEL = 0.13  # (m) height of the tool on a way across the table: what it carries clears what stands there
_FAR = 0.03  # (m) horizontally: further ways are travelled at that height
_LINED_UP = 0.012  # (m) horizontally over the grasp: the fingers clear the object
_AROUND = 0.008  # (m) from the grasp: closing now grips
_LOWEST_TOOL = 0.014  # (m) the fingertips reach 9 mm below the tool and must not press on the table
_SAFE = 25.0  # (N) a grip that needs no more
_GAIN = 0.6  # share of the remaining way asked for in a tick; the servos lag two ticks behind


def scripted_actions(actors: Actors) -> np.ndarray:
    """(N, A, 5) actions in [-1, 1] of Cartesian control."""
    skill = actors.commands.skill
    pick_way, close = _pick(actors)
    sideways = np.hypot(actors.way[..., 0], actors.way[..., 1])
    travel = actors.way.copy()
    low = _TRAVEL - actors.tool[..., 2]
    far = sideways > _FAR
    travel[..., 2] = np.where(far, np.maximum(travel[..., 2], low), travel[..., 2])
    # up first, where something could be in the way
    travel[..., :2] *= np.where(far & (low > 0.04), 0.15, 1.0)[..., None]
    loose = actors.touch_force < TOUCH_FORCE
    wide = actors.opening - 2 * actors.half_size[..., 1] > 0.012
    up = np.zeros_like(actors.way)
    up[..., 2] = np.where(loose & wide, np.maximum(actors.way[..., 2], 0.0), 0.0)
    carries = (skill == CARRY) | ((skill == HOLD) & actors.has_object)
    way = np.select(
        [(skill == s)[..., None] for s in (PICK, PLACE, RELEASE)], [pick_way, actors.way, up], default=travel
    )
    turn = np.where(skill == RELEASE, 0.0, actors.turn)
    opening = np.select(
        [skill == PICK, skill == RELEASE, skill == REACH, carries | (skill == PLACE)],
        [np.where(close, _CLOSED, _OPEN), _OPEN, _OPEN, np.where(actors.grip_force > _SAFE, _KEEP, _TIGHTEN)],
        default=_KEEP,
    )
    way = _GAIN * way - actors.lead
    action = np.concatenate(
        (way / MAX_STEP, ((_GAIN * turn - actors.yaw_lead) / MAX_TURN)[..., None], opening[..., None]), axis=-1
    )
    # shorten a long step without turning it
    action[..., :3] /= np.maximum(1.0, np.abs(action[..., :3]).max(axis=-1, keepdims=True))
    return np.clip(action, -1.0, 1.0)


def _pick(actors: Actors) -> tuple[np.ndarray, np.ndarray]:
    """(N, A, 3) way to a grasp, and (N, A) whether to close the gripper now."""
    way = actors.grasp.copy()
    sideways = np.hypot(way[..., 0], way[..., 1])
    ready = (sideways < _LINED_UP) & (np.abs(actors.turn) < 0.1)
    # stay over the object until lined up; once the fingers are beside it, small errors no longer matter
    beside = (way[..., 2] > -0.03) & (sideways < 2 * _LINED_UP)
    way[..., 2] = np.maximum(way[..., 2], _LOWEST_TOOL - actors.tool[..., 2])
    descend = ready | beside
    around = np.linalg.norm(way, axis=-1) < _AROUND
    over = way[..., 2] + _HOVER
    # a far object is approached at travel height, since others may stand in between
    over = np.where(sideways > 2 * _FAR, np.maximum(over, _TRAVEL - actors.tool[..., 2]), over)
    low = (sideways > _FAR) & (over > 0.04) & ~descend
    way[..., 2] = np.where(descend, way[..., 2], over)
    way[..., :2] *= np.where(low, 0.15, 1.0)[..., None]
    close = around | actors.held | (beside & (actors.touch_force > TOUCH_FORCE))
    return way, close
