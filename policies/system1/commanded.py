"""System 1 under commands: what one arm observes, and the reward for doing what it is told."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from envs.geometry import near
from envs.object_task import FAR, FIRM_GRIP, SPARE, holds
from envs.observation import CLOSE_BY
from envs.task import TOUCH_FORCE
from policies.commands import CARRY, FIRM, HOLD, PICK, PLACE, REACH, RELEASE, SKILLS, Actors

# The observation of one arm, in order: name, size, bounds. Base frame of the arm; m, m/s, rad and N.
PARTS: tuple[tuple[str, int, float], ...] = (
    ("tool_position", 3, 2.0),
    ("tool_heading", 2, 1.0),  # cos, sin
    ("tool_velocity", 3, 5.0),
    ("gripper_opening", 1, 0.1),
    ("gripper_speed", 1, 5.0),
    ("gripper_lead", 1, 0.1),
    ("target_lead", 3, 1.0),
    ("target_turn", 1, 4.0),
    ("skill", len(SKILLS), 1.0),  # one of them is 1
    ("has_object", 1, 1.0),
    ("way", 3, 2.0),  # what is left for the command: of the tool (reach, pick, release) or of the object
    ("way_close_by", 3, CLOSE_BY),
    ("turn", 2, 1.0),  # sin, and 1 - cos
    ("object_from_tool", 3, 2.0),
    ("object_close_by", 3, CLOSE_BY),
    ("object_velocity", 3, 5.0),
    ("object_half_size", 3, 1.0),
    ("object_finger_forces", 2, 200.0),
)
_BOUNDS = np.concatenate([np.full(size, bound) for _, size, bound in PARTS])

LOST = -25.0  # reward for losing the object: worse than any way of going on
_BUMPED = 0.15  # (m/s) no object moves so fast by itself, but in falling
_PRESSED = 20.0  # (N)


def space() -> spaces.Box:
    """Of one arm's observation."""
    return spaces.Box(-_BOUNDS.astype(np.float32), _BOUNDS.astype(np.float32))


def observe(actors: Actors) -> np.ndarray:
    """(N * A, S) float32: the arms of the first world, then those of the next."""
    skills = (actors.commands.skill[..., None] == np.arange(len(SKILLS))).astype(float)
    present = actors.has_object.astype(float)[..., None]
    parts = (
        actors.tool,
        np.stack((np.cos(actors.yaw), np.sin(actors.yaw)), axis=-1),
        actors.velocity,
        np.stack((actors.opening, actors.opening_speed, actors.squeeze), axis=-1),
        actors.lead,
        actors.yaw_lead[..., None],
        skills,
        present,
        actors.way,
        actors.way,
        np.stack((np.sin(actors.turn), 1.0 - np.cos(actors.turn)), axis=-1),
        present * actors.object,
        present * actors.object,
        present * actors.object_velocity,
        present * actors.half_size,
        present * actors.forces,
    )
    flat = np.concatenate(parts, axis=-1)
    flat = flat.reshape(-1, flat.shape[-1])
    return np.minimum(np.maximum(flat, -_BOUNDS), _BOUNDS).astype(np.float32)


def harm(actors: Actors) -> np.ndarray:
    """(N, A) in [0, 2], taken off the reward: how much an object moves that no hand holds, and how hard one finger
    presses on what is to be picked up.

    Without it, a faster grasp pays that comes in from the side, stands on the object with one finger or shoves it away.
    """
    world, shoved = actors.world, np.zeros(len(actors.yaw))
    for thing in range(len(world.scene.objects)):
        loose = np.ones(len(shoved), dtype=bool)
        for arm in range(len(world.scene.arms)):
            loose &= ~holds(world, arm, thing)
        shoved = np.maximum(shoved, loose * np.clip(world.object_speed(thing) / _BUMPED - 0.5, 0.0, 1.0))
    pressing = (actors.commands.skill == PICK) & (actors.grip_force < TOUCH_FORCE)
    return shoved[:, None] + pressing * np.minimum(actors.touch_force / _PRESSED, 1.0)


def progress(actors: Actors) -> np.ndarray:
    """(N, A) in [0, 1]: how near each arm is to having done what it is told. The reward is this minus 1."""
    aligned = 1.0 - np.minimum(np.abs(actors.turn) / (np.pi / 2), 1.0)
    close = 0.5 * near(actors.away, 0.005, FAR) + 0.5 * near(actors.away, 0.005, 0.1)
    moved = close * (0.7 + 0.3 * aligned)
    spare = actors.opening - 2 * actors.half_size[..., 1]
    opened = np.clip(spare / SPARE, 0.0, 1.0)
    touching = (actors.forces > TOUCH_FORCE).sum(axis=-1) / 2
    # the last centimetres count only for a gripper that can take them
    around = 0.3 * near(actors.away, 0.01, FAR) + 0.4 * near(actors.away, 0.01, 0.1) * opened * aligned
    around += 0.15 * opened + 0.15 * aligned
    firm = np.minimum(actors.grip_force / FIRM, 1.0)
    picked = np.where((actors.away < 0.02) | actors.held, 0.6 + 0.2 * touching + 0.2 * firm, 0.6 * around)
    loose = near(actors.touch_force, 0.0, FIRM_GRIP)
    let_go = np.where(actors.touch_force < TOUCH_FORCE, 0.6 + 0.4 * near(actors.away, 0.0, 0.12), 0.5 * loose)
    kept = np.where(actors.has_object, moved * actors.held, moved)
    skill = actors.commands.skill
    return np.select(
        [skill == s for s in (REACH, PICK, CARRY, PLACE, RELEASE, HOLD)],
        [moved, picked, moved * actors.held, moved, let_go, kept],
    )
