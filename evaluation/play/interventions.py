"""What a person may do to an episode that is going on. Each is plain numbers, so that it can be logged and replayed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from envs.task import TOUCH_FORCE
from envs.vector import DuetVectorEnv
from evaluation.perturbations.objects import KNOCK, strike

PUSH = 0.9  # (m/s) sideways: what lies on the table slides some centimetres
_PULL = 6.0  # (rad/s) of the critically damped spring between an object and the hand that drags it
_SPIN = 8.0  # (1/s) at which an object that is dragged stops turning
_FURTHEST = 0.4  # (m) the spring pulls no harder than at this length
_OUT_OF_HAND = 0.1  # (m) an object that is dragged so far from a gripper is pulled out of it
_GRAVITY = 9.81  # (m/s^2)
_MOST_SECONDS = 60.0

Wrench = tuple[float, float, float, float, float, float]
NO_FORCE: Wrench = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Knock:
    """An object gets a blow from the side, as in an evaluation: hands that touch it are struck open."""

    thing: int
    """Index of the object."""
    angle: float
    """(rad) world frame, of the blow."""


@dataclass(frozen=True)
class Push:
    """An object is pushed aside; hands keep what they have."""

    thing: int
    angle: float
    """(rad) world frame."""


@dataclass(frozen=True)
class Drag:
    """From now on an object is pulled towards a point, by a spring."""

    thing: int
    position: tuple[float, float, float] | None
    """(m) world frame; None lets go."""


@dataclass(frozen=True)
class Force:
    """From now on a force acts on a body, such as that of MuJoCo's viewer."""

    body: int
    """Index in the model."""
    wrench: Wrench
    """(N, N m) force and torque, world frame; zeros end it."""


@dataclass(frozen=True)
class MoveGoal:
    """The goal becomes another one."""

    goal: tuple[float, ...]
    """In the task's own terms, world frame."""


@dataclass(frozen=True)
class Stall:
    """System 2 is asked nothing from now on, and answers nothing."""

    seconds: float
    """For so long."""


@dataclass(frozen=True)
class Latency:
    """System 2 answers so late from now on."""

    seconds: float


@dataclass(frozen=True)
class Switch:
    """Another system takes over, in the middle of what is going on."""

    system: str
    planner: str | None
    """Of a system with two parts."""


Intervention = Knock | Push | Drag | Force | MoveGoal | Stall | Latency | Switch
KINDS: dict[str, type] = {
    "knock": Knock, "push": Push, "drag": Drag, "force": Force,
    "move_goal": MoveGoal, "stall": Stall, "latency": Latency, "switch": Switch,
}  # fmt: skip


def as_json(intervention: Intervention) -> dict[str, Any]:
    """As it is written into a log."""
    (kind,) = (name for name, made in KINDS.items() if isinstance(intervention, made))
    return {"kind": kind} | asdict(intervention)


def from_json(values: Any) -> Intervention:
    """What `as_json` wrote.

    Raises:
        ValueError: it is something else.
    """
    values = dict(values) if isinstance(values, dict) else {}
    kind = values.pop("kind", None)
    if kind not in KINDS:
        raise ValueError(f"no intervention {kind!r}; known: {', '.join(KINDS)}")
    hints = get_type_hints(KINDS[kind])
    if set(values) != set(hints):
        raise ValueError(f"{kind} has {', '.join(hints)}, not {', '.join(values) or 'nothing'}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    for name, hint in hints.items():
        if not _fits(values[name], hint):
            raise ValueError(f"{name} of {kind} is {values[name]!r}")
    return KINDS[kind](**values)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of the type of a field."""
    return any(_is(value, kind) for kind in (get_args(hint) if isinstance(hint, UnionType) else (hint,)))


def _is(value: Any, kind: Any) -> bool:
    if get_origin(kind) is tuple:  # of numbers
        parts = get_args(kind)
        return isinstance(value, tuple) and (... in parts or len(parts) == len(value)) and all(map(_is_number, value))
    return _is_number(value) if kind is float else type(value) is kind


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def check(intervention: Intervention, env: DuetVectorEnv) -> None:
    """Whether an intervention can happen there.

    Raises:
        ValueError: it is about something that is not there.
    """
    values = {field.name: getattr(intervention, field.name) for field in fields(intervention)}
    things, goal = len(env.scene.objects), env.world().goal.shape[1]
    if not 0 <= values.get("thing", 0) < max(things, "thing" not in values):
        raise ValueError(f"{env.task_name} has {things} objects; there is no number {values['thing']}")
    if not 0 <= values.get("body", 0) < env.scene.model.nbody:
        raise ValueError(f"there is no body {values['body']}")
    if len(values.get("goal", range(goal))) != goal:
        raise ValueError(f"a goal of {env.task_name} is {goal} numbers, not {len(values['goal'])}")
    if not 0 <= values.get("seconds", 0) <= _MOST_SECONDS:
        raise ValueError(f"seconds are from 0 to {_MOST_SECONDS:g}, not {values['seconds']:g}")


# What they do to the first world of an environment, between two ticks


def hit(env: DuetVectorEnv, intervention: Knock | Push) -> None:
    """A blow, which is over at once."""
    thing, knocks = intervention.thing, isinstance(intervention, Knock)
    aside = (KNOCK if knocks else PUSH) * np.array((np.cos(intervention.angle), np.sin(intervention.angle)))
    if knocks:
        _open_hands(env, thing, aside)
    start = env.scene.objects[thing].velocity.start
    env.physics.arrays["qvel"][0, start : start + 2] = aside


def _open_hands(env: DuetVectorEnv, thing: int, aside: np.ndarray) -> None:
    """The hands that touch an object are struck open, and it away with a velocity of (2,) m/s, world frame."""
    for arm in range(len(env.scene.arms)):
        if env.world().touch_force(arm, thing)[0] > TOUCH_FORCE:
            strike(env, 0, arm, thing, aside)


def pull(env: DuetVectorEnv, drag: Drag) -> None:
    """The force of a spring for one tick; it carries the object's weight, and ends where `drag` lets go."""
    arrays, thing = env.physics.arrays, env.scene.objects[drag.thing]
    force = arrays["xfrc_applied"][0, thing.body]
    if drag.position is None:
        force[:] = 0.0
        return
    way = np.array(drag.position) - arrays["xpos"][0, thing.body]
    length = float(np.linalg.norm(way))
    if length > _OUT_OF_HAND:
        _open_hands(env, drag.thing, arrays["qvel"][0, thing.velocity][:2])
    way *= min(1.0, _FURTHEST / max(length, 1e-9))
    velocity = arrays["qvel"][0, thing.velocity]
    mass, inertia = arrays["body_mass"][0, thing.body], arrays["body_inertia"][0, thing.body]
    force[:3] = mass * (_PULL**2 * way - 2 * _PULL * velocity[:3] + (0.0, 0.0, _GRAVITY))
    force[3:] = arrays["xmat"][0, thing.body].reshape(3, 3) @ (-_SPIN * inertia * velocity[3:])
