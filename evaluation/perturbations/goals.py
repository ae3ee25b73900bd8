"""What happens to goals: moved once, moving all the time, or exchanged for another layout's."""

from __future__ import annotations

import numpy as np

from envs.geometry import norm
from envs.object_task import ObjectTask
from envs.scene import BASES, TICK
from envs.task import Task
from envs.vector import DuetVectorEnv
from evaluation.hands import Hands
from evaluation.perturbations.base import AFTER, FromTheStart, Perturbation

_SHIFT = 0.09  # (m) that a goal moves by
_REACH = ((0.285, 0.72), (-0.38, 0.38))  # (m) x and y of goals that an arm reaches with room to spare, base frame
_HEIGHT = (0.10, 0.30)  # (m) of a goal that is a height alone
_ROOM, _LONG = 0.055, 0.4  # (m) around a thing or its place, and the share of a bar's length that is added

_WAY = 0.06  # (m) to and fro
_SPEED = 0.02  # (m/s) well below what counts as still, and a centimetre between two plans at System 2's usual rate

_OTHERS = 32  # layouts whose goals are tried
_OTHER = 0x1B873593  # XOR with it, and adding, turns a layout seed into those of the others


def _columns(task: Task, thing: int) -> slice:
    """Where the position of an object's goal stands in the goal: x, y and z, or a height alone."""
    return slice(0, 1) if task.goal_size == 1 else slice(4 * thing, 4 * thing + 3)


def _goals(task: Task) -> range:
    """The objects that have a goal; 0 for the tool, where there are none."""
    return range(len(task.asked) if isinstance(task, ObjectTask) else 1)


class _AfterTheGrasp(Perturbation):
    """Something happens to goals 0.3 s after an object was first held."""

    needs_object = False
    needs_goal = True

    def prepare(self, env: DuetVectorEnv) -> None:
        self._hands = Hands(env)
        self._ticks = np.zeros((env.num_envs, max(len(env.scene.objects), 1)), dtype=int)
        self._half_way = np.zeros(env.num_envs) if env.scene.objects else _tool_away(env) / 2

    def apply(self, env: DuetVectorEnv) -> None:
        if env.scene.objects:
            self._ticks = (self._ticks + 1) * self._hands.holds().any(axis=1)
        else:
            self._ticks += (self._ticks > 0) | (_tool_away(env) < self._half_way)[:, None]
        due = self._ticks[:, : len(_goals(env.task))] >= AFTER
        draws: list[np.random.Generator] = []
        for i in self.occur(env, due.any(axis=1)):
            draws = draws or self.draws(env)
            self.change(env, i, int(np.argmax(due[i])), draws[i])

    def change(self, env: DuetVectorEnv, world: int, thing: int, random: np.random.Generator) -> None:
        """What happens to the goals of one world when an object is in the hand."""
        raise NotImplementedError


def _tool_away(env: DuetVectorEnv) -> np.ndarray:
    """(N,) m from the tool to its goal."""
    return norm(env.world().tool_position(0) - env.world().goal)


class GoalMoves(_AfterTheGrasp):
    """The goal of an object moves by 9 cm, 0.3 s after the object was first held.

    It stays in reach, on its side of the table, and clear of the other objects and goals where there is room. Where
    the task is to bring the tool to a point, it moves 0.3 s after the tool has gone half of the way.
    """

    salt = 6

    def change(self, env: DuetVectorEnv, world: int, thing: int, random: np.random.Generator) -> None:
        shift = _free_shift(env, world, (thing,), _SHIFT, random)
        env.world().goal[world, _columns(env.task, thing)] += shift


class GoalDrifts(FromTheStart):
    """The goals move to and fro all the time, at 2 cm/s over 6 cm. A goal stands still while it is met.

    All goals of an episode move alike.
    """

    needs_object = False
    needs_goal = True
    salt = 7

    def prepare(self, env: DuetVectorEnv) -> None:
        things = tuple(_goals(env.task))
        shifts = [_free_shift(env, i, things, _WAY, random) for i, random in enumerate(self.draws(env))]
        self._way = np.stack(shifts) / _WAY
        self._gone = np.zeros((env.num_envs, len(things)))
        self._turn = np.ones((env.num_envs, len(things)))

    def apply(self, env: DuetVectorEnv) -> None:
        world, task = env.world(), env.task
        for k in _goals(task):
            met = task.met(world, k) if isinstance(task, ObjectTask) else task.settled(world)
            step = np.where(met, 0.0, _SPEED * TICK) * self._turn[:, k]
            self._gone[:, k] += step
            world.goal[:, _columns(task, k)] += step[:, None] * self._way
            ahead = self._gone[:, k] + self._turn[:, k] * _SPEED * TICK
            self._turn[:, k] = np.where(ahead > _WAY, -1.0, np.where(ahead < 0.0, 1.0, self._turn[:, k]))


class GoalChanges(_AfterTheGrasp):
    """The goals become those of another layout, 0.3 s after an object was first held.

    The first stays on its side of the table, and all are clear of other objects where there is room. Where the task is
    to bring the tool to a point, they change 0.3 s after the tool has gone half of the way.
    """

    salt = 8

    def change(self, env: DuetVectorEnv, world: int, thing: int, random: np.random.Generator) -> None:
        seed = int(env.layout_seeds[world])
        others = env.layout([(seed ^ _OTHER) + k for k in range(_OTHERS)])
        goal, best, score = env.world().goal, 0, -np.inf
        before = goal[world].copy()
        for k in range(_OTHERS):
            goal[world] = _fitted(env, world, others.goal[k])
            fits = _fit(env, world, before, others.half_sizes[k])
            if fits > score:
                best, score = k, fits
            if fits >= 0:
                break
        goal[world] = _fitted(env, world, others.goal[best])


def _fitted(env: DuetVectorEnv, world: int, goal: np.ndarray) -> np.ndarray:
    """Another layout's goal for the objects of this world: what rests on the table is as high as it is."""
    view = env.world().take([world])
    view.arrays["goal"][0] = goal
    asked, fitted = env.task.targets(view), goal.copy()
    for k in range(asked.positions.shape[1]):
        if not asked.in_air[0, k]:
            fitted[_columns(env.task, k)][2] = view.object_half_size(k)[0, 2]
    return fitted


def _fit(env: DuetVectorEnv, world: int, before: np.ndarray, half_sizes: np.ndarray) -> float:
    """How well the goals that a world has now would do in place of those `before`; below 0 where something is wrong."""
    task, after, wrong = env.task, env.world().goal[world], 0.0
    for k in _goals(task):
        new, old = after[_columns(task, k)], before[_columns(task, k)]
        wrong -= max(0.0, _SHIFT - float(np.linalg.norm(new - old)))
        if k == 0 and task.num_arms > 1 and new[0] * old[0] < 0:
            wrong -= 1.0  # the first object is one that must cross the table
        if len(half_sizes) and task.num_arms > 1:
            # where both arms are at work, how far an object may lie from either depends on its size
            own = env.world().take([world]).object_half_size(k)[0]
            wrong -= float(np.maximum(own - half_sizes[k], 0.0).max())
    return wrong + min(0.0, _room(env, world, tuple(_goals(task)), np.zeros(3)))


def _free_shift(
    env: DuetVectorEnv, world: int, things: tuple[int, ...], length: float, random: np.random.Generator
) -> np.ndarray:
    """(1 or 3,) m that the goals of some objects can be moved by together: in reach, and clear of all else if possible.

    With two arms they move sideways only, since how far from its arm an object may lie depends on how it is turned.
    """
    if env.task.goal_size == 1:
        height = float(env.world().goal[world, 0])
        up = height + length <= _HEIGHT[1] and (random.random() < 0.5 or height - length < _HEIGHT[0])
        return np.array([length if up else -length])
    ways = np.array([(0, 1, 0), (0, -1, 0), (1, 0, 0), (-1, 0, 0)][: 2 if env.task.num_arms > 1 else 4], dtype=float)
    shifts = length * random.permutation(ways)
    room = np.array([_room(env, world, things, shift) for shift in shifts])
    return shifts[int(np.argmax(room >= 0.0)) if (room >= 0.0).any() else int(np.argmax(room))]


def _room(env: DuetVectorEnv, world: int, things: tuple[int, ...], shift: np.ndarray) -> float:
    """(m) How much room goals have when moved by `shift` (3,); below 0 where one is out of reach or not clear."""
    view, task = env.world().take([world]), env.task
    if task.goal_size == 1:
        return 0.0  # a height
    objects = range(len(env.scene.objects))
    places = [view.object_position(k)[0, :2] for k in objects]
    radii = [_radius(view.object_half_size(k)[0]) for k in objects]
    room = np.inf
    for k in things:
        place = view.goal[0, _columns(task, k)] + shift
        base = BASES[int(place[0] > 0) if task.num_arms > 1 else 0]
        from_base = (place[:2] - base.position[:2]) * np.cos(base.yaw)
        for value, (low, high) in zip(from_base, _REACH, strict=True):
            room = min(room, value - low, high - value)
        others = [(places[o], radii[o]) for o in objects if o != k]
        others += [
            (view.goal[0, _columns(task, o)][:2], radii[o]) for o in objects if o in _goals(task) and o not in things
        ]
        for other, radius in others:
            room = min(room, float(np.linalg.norm(place[:2] - other)) - radii[k] - radius)
    return float(room)


def _radius(half_size: np.ndarray) -> float:
    """(m) Room that an object (half-sizes (3,) m) needs: the open gripper goes around it and touches nothing else."""
    return _ROOM + _LONG * float(half_size[0] - half_size[1])
