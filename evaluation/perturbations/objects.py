"""What happens to objects: pushed, knocked out of the hand, heavier, more slippery; and one that nobody knows of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.objects import BAR, CUBE, CYLINDER, FRICTION, Kind
from envs.scene import ObjectIndex, ObjectSpec
from envs.vector import DuetVectorEnv
from evaluation.hands import Hands
from evaluation.perturbations.base import AFTER, FromTheStart, Perturbation

_LIFTED = 0.01  # (m) over where it lay, an object counts as carried
KNOCK = 0.4  # (m/s) sideways, that the knock gives to the object

_NEAR = 0.10  # (m) from the tool to the object's long axis: the hand is about to grasp it
_PUSH_TICKS = 6  # of the push
_PUSH = 2.0  # (m/s^2) with friction made up for: after 0.24 s the object is 6 cm further, and slides another 1 to 2 cm
_INWARDS = 0.15  # (m) beyond this far from the middle of the table an object is pushed towards it
_ON_TABLE = 0.005  # (m) over where it lay at most

_GRAVITY = 9.81  # (m/s^2)
_HEAVIER = 3.0  # times the heaviest of its kind in training
_MORE_SLIPPERY = 1 / 3  # of the least friction in training

_PLACES = 64  # that are tried for a distractor
_AREA = {1: ((-0.29, 0.05), (-0.30, 0.30)), 2: ((-0.30, 0.30), (-0.30, 0.30))}  # (m) x and y where hands pass, by arms
_CLEAR = 0.13  # (m) from its middle to that of anything else, or to a goal; an open hand passes between


class Knock(Perturbation):
    """An object is knocked out of the gripper 0.3 s after it was held and lifted by 1 cm: the fingers are struck open
    and the object aside.

    It comes once in every episode. An object that is let go of before its time is up starts anew.
    """

    salt = 1

    def prepare(self, env: DuetVectorEnv) -> None:
        self._hands = Hands(env)
        self._carried = np.zeros_like(self._hands.rest, dtype=int)
        angles = [random.uniform(-np.pi, np.pi) for random in self.draws(env)]
        self._aside = KNOCK * np.stack((np.cos(angles), np.sin(angles)), axis=-1)

    def apply(self, env: DuetVectorEnv) -> None:
        grips = self._hands.holds()
        lifted = self._hands.height() > self._hands.rest + _LIFTED
        self._carried = (self._carried + 1) * (grips.any(axis=1) & (lifted | (self._carried > 0)))
        due = self._carried >= AFTER
        for i in self.occur(env, due.any(axis=1)):
            for arm, thing in np.argwhere(grips[i] & due[i]).tolist():
                strike(env, i, arm, thing, self._aside[i])


def strike(env: DuetVectorEnv, world: int, arm: int, thing: int, aside: np.ndarray) -> None:
    """Strike a hand open, and the object in it away with a velocity of (2,) m/s, world frame."""
    arrays, hand = env.physics.arrays, env.scene.arms[arm]
    arrays["qpos"][world, hand.fingers] = hand.robot.max_opening / 2
    arrays["qvel"][world, hand.fingers] = 0.0
    arrays["ctrl"][world, hand.gripper] = hand.robot.max_opening
    start = env.scene.objects[thing].velocity.start
    arrays["qvel"][world, start : start + 2] = aside


class Push(Perturbation):
    """An object is pushed aside by about 7 cm while a hand comes for it: when the tool is first within 10 cm.

    It is pushed along the table, sideways for the arms: towards the middle where it lies beyond 15 cm from it, else
    either way. The force acts where it lies on the table, so that it slides and does not fall over.
    """

    salt = 2

    def prepare(self, env: DuetVectorEnv) -> None:
        self._hands = Hands(env)
        self._way = np.array([random.choice((-1.0, 1.0)) for random in self.draws(env)])
        self._thing, self._left = (np.zeros(env.num_envs, dtype=int) for _ in range(2))

    def apply(self, env: DuetVectorEnv) -> None:
        lying = ~self._hands.holds().any(axis=1) & (self._hands.height() < self._hands.rest + _ON_TABLE)
        close = (_gaps(env) < _NEAR).any(axis=1) & lying
        for i in self.occur(env, close.any(axis=1)):
            self._thing[i], self._left[i] = np.argmax(close[i]), _PUSH_TICKS + 1
            y = env.physics.arrays["xpos"][i, env.scene.objects[self._thing[i]].body, 1]
            self._way[i] = -np.sign(y) if abs(y) > _INWARDS else self._way[i]
        for i in np.flatnonzero(self._left).tolist():
            self._left[i] -= 1
            _press(env, i, env.scene.objects[self._thing[i]], self._way[i] * _PUSH if self._left[i] else 0.0)


def _gaps(env: DuetVectorEnv) -> np.ndarray:
    """(N, A, K) m from each tool to the nearest point of each object's long axis."""
    arrays, found = env.physics.arrays, []
    for thing in env.scene.objects:
        middle, axis = arrays["xpos"][:, thing.body], arrays["xmat"][:, thing.body, ::3]
        size = thing.half_size(arrays["geom_size"][:, thing.geom])
        long = np.maximum(size[:, 0] - size[:, 1], 0.0)
        of_arms = []
        for arm in env.scene.arms:
            off = arrays["site_xpos"][:, arm.tool] - middle
            along = np.clip((off * axis).sum(axis=-1), -long, long)
            of_arms.append(np.linalg.norm(off - along[:, None] * axis, axis=-1))
        found.append(np.stack(of_arms, axis=1))
    return np.stack(found, axis=2)


def _press(env: DuetVectorEnv, world: int, thing: ObjectIndex, acceleration: float) -> None:
    """Push an object along y at its foot from now on, so that it speeds up so fast (m/s^2); 0 leaves off."""
    arrays, force = env.physics.arrays, np.zeros(6)
    if acceleration:
        friction = arrays["geom_friction"][world, thing.geom, 0]
        force[1] = arrays["body_mass"][world, thing.body] * (acceleration + np.sign(acceleration) * friction * _GRAVITY)
        force[3] = arrays["xpos"][world, thing.body, 2] * force[1]  # it acts on the table, not at the middle
    arrays["xfrc_applied"][world, thing.body] = force


class Heavy(FromTheStart):
    """Objects weigh three times as much as the heaviest of their kind in training, from the start."""

    salt = 3

    def prepare(self, env: DuetVectorEnv) -> None:
        arrays = env.physics.arrays
        for thing in env.scene.objects:
            more = _HEAVIER * _kind(thing.spec).mass[1] / arrays["body_mass"][:, thing.body]
            arrays["body_mass"][:, thing.body] *= more
            arrays["body_inertia"][:, thing.body] *= more[:, None]
        env.physics.refresh(np.arange(env.num_envs))


class Slippery(FromTheStart):
    """Objects have a third of the least friction in training, from the start."""

    salt = 4

    def prepare(self, env: DuetVectorEnv) -> None:
        for thing in env.scene.objects:
            env.physics.arrays["geom_friction"][:, thing.geom, 0] = _MORE_SLIPPERY * FRICTION[0]
        env.physics.refresh(np.arange(env.num_envs))


def _kind(spec: ObjectSpec) -> Kind:
    return next(k for k in (CUBE, BAR, CYLINDER) if (k.shape, k.symmetry) == (spec.shape, spec.symmetry))


@dataclass(frozen=True)
class _Spot:
    """Something that a distractor keeps away from."""

    place: np.ndarray
    """(2,) m, world frame."""
    room: float
    """(m) more than usual."""


class Distractor(FromTheStart):
    """A cylinder that no policy is told of stands about half way between an object and its goal, from the start.

    It is 10 cm high, and as near to that as it can be while it is clear of objects, goals and hands. It can be
    pushed over.
    """

    needs_object = False
    world_changes = {"distractors": 1}
    salt = 5

    def prepare(self, env: DuetVectorEnv) -> None:
        if not env.scene.distractors:
            raise ValueError("there is no distractor in these worlds; make the environment with distractors=1")
        (thing,) = env.scene.distractors[:1]
        for i, random in enumerate(self.draws(env)):
            places = np.column_stack([random.uniform(*span, _PLACES) for span in _AREA[env.task.num_arms]])
            taken = _taken(env, i)
            room = np.min([np.linalg.norm(places - spot.place, axis=-1) - spot.room for spot in taken], axis=0)
            half_way = (taken[0].place + taken[1].place) / 2
            # the nearest of those that are clear; where none is, the clearest
            off = np.linalg.norm(places - half_way, axis=-1)
            chosen = int(np.argmin(np.where(room >= _CLEAR, off, np.inf if (room >= _CLEAR).any() else -room)))
            env.physics.arrays["qpos"][i, thing.pose.start : thing.pose.start + 2] = places[chosen]
        env.physics.refresh(np.arange(env.num_envs))


def _taken(env: DuetVectorEnv, world: int) -> list[_Spot]:
    """Objects and goals of one world, the first ones first, and tools."""
    view = env.world().take([world])
    asked = env.task.targets(view)
    spots = []
    for thing in range(len(env.scene.objects)):
        half = view.object_half_size(thing)[0]
        spots.append(_Spot(view.object_position(thing)[0, :2], float(max(half[0] - half[1], 0.0))))
        if thing < asked.positions.shape[1]:
            spots.append(_Spot(asked.positions[0, thing, :2], float(max(half[0] - half[1], 0.0))))
    if asked.tool is not None:
        spots.append(_Spot(asked.tool[0, :2], 0.0))
    return spots + [_Spot(view.tool_position(arm)[0, :2], 0.0) for arm in range(len(env.scene.arms))]
