"""Planners that know less than they seem to. A comparison that they do as well in says nothing about planning.

Drug trials have such arms, for the same reason: what is left of an effect without its cause is not one.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import numpy as np

from envs.vector import DuetVectorEnv
from policies.commands import NOTHING
from policies.system2.grounding import Ground
from policies.system2.plan import Command, Goals, Plan, Planner, Pose, SceneEstimate, Step, begin, estimates

_STEPS = (1, 6)  # of a random plan
_TURN = 1.6  # (rad) of a tool at most, base frame: within every robot's `max_yaw`
_ALONE = ("reach", "hold")  # skills that concern no object
_WITH_OBJECT = ("pick", "carry", "place", "release", "hold")

# XOR with it turns layout seeds into others, and these back again. It moves few seeds near each other into one another,
# and leaves alone the bits that tell evaluation's seeds from those of training.
_OTHER = 0x2545F491
_WORLDS = 16  # of the private environment that shows other layouts
_REMEMBERED = 4096  # plans of other layouts


class NonePlanner:
    """Commands nothing: what System 1 does by itself."""

    def plan(self, scene: SceneEstimate, goals: Goals) -> Plan:
        return Plan(())


class RandomPlanner:
    """Valid commands at random: what System 1 does of whatever it is told.

    They are drawn anew from every scene, and follow from it alone.
    """

    def plan(self, scene: SceneEstimate, goals: Goals) -> Plan:
        random, ground = np.random.default_rng(_bits(scene)), Ground(scene, goals)
        steps = (
            Step(tuple(_random_command(random, ground, arm) for arm in ground.arms), "random")
            for _ in range(random.integers(*_STEPS, endpoint=True))
        )
        return Plan(tuple(steps))


def _bits(scene: SceneEstimate) -> list[int]:
    """What a scene looks like to the last bit, as a seed."""
    seen = (scene.tools, scene.tool_yaws, scene.holds, scene.touches, scene.positions, scene.yaws, scene.half_sizes)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in seen)).digest()
    return list(np.frombuffer(digest, dtype=np.uint32))


def _random_command(random: np.random.Generator, ground: Ground, arm: int) -> Command:
    things = range(len(ground.scene.positions))
    within = [thing for thing in things if ground.grips(arm, thing, ground.pose(thing))]
    options = [(skill, NOTHING) for skill in _ALONE]
    options += [(skill, k) for skill in _WITH_OBJECT for k in (within if skill == "pick" else things)]
    skill, thing = options[random.integers(len(options))]
    target = _random_pose(random, ground, arm)
    if skill != "pick":
        return Command(skill, thing, target=target, turned=bool(random.integers(2)))
    most = ground.grip(thing)
    grip, heading = random.uniform(-most, most), random.uniform(-_TURN, _TURN)
    return Command(skill, thing, grip, heading, ground.pose(thing))


def _random_pose(random: np.random.Generator, ground: Ground, arm: int) -> Pose:
    """In the box that the arm's tool stays in, world frame."""
    robot = ground.scene.scene.arms[arm].robot
    x, y, z = map(float, random.uniform(robot.workspace_low, robot.workspace_high))
    return *ground.to_world(arm, x, y), z, ground.bases[arm].yaw + random.uniform(-_TURN, _TURN)


class FrozenPlanner:
    """Plans when an episode begins, and never again: what looking again is worth."""

    once = True

    def __init__(self, inner: Planner) -> None:
        self._inner = inner

    def begin(self, env: DuetVectorEnv, worlds: np.ndarray, layout_seeds: np.ndarray) -> None:
        """Episodes begin in some worlds."""
        begin(self._inner, env, worlds, layout_seeds)

    def plan(self, scene: SceneEstimate, goals: Goals) -> Plan:
        return self._inner.plan(scene, goals)


class ShuffledPlanner:
    """Gives a world the plan for the start of another layout of the task: what it is worth that a plan fits.

    Which layout that is follows from the layout seed of the world alone.
    """

    def __init__(self, inner: Planner) -> None:
        self._inner = inner
        self._env: DuetVectorEnv | None = None
        self._others: DuetVectorEnv | None = None
        self._plans: OrderedDict[int, Plan] = OrderedDict()  # by the seeds of their layouts

    def begin(self, env: DuetVectorEnv, worlds: np.ndarray, layout_seeds: np.ndarray) -> None:
        """Episodes begin in some worlds."""
        if self._env is not env:
            self.close()
            self._env = env
            changes = {"num_envs": min(_WORLDS, env.num_envs), "observation": "state", "threads": 1}
            self._others = DuetVectorEnv(**env.make_kwargs | changes | {"autoreset": False, "render_mode": None})
            self._others.reset(seed=0)  # from here on, only some of its worlds at a time
        self._prepare([other_layout(seed) for seed in layout_seeds.tolist()])

    def plan(self, scene: SceneEstimate, goals: Goals) -> Plan:
        assert self._env is not None, "begin comes before plan"
        seed = other_layout(int(self._env.layout_seeds[scene.world]))
        if seed not in self._plans:  # long ago, or in a training that was interrupted since
            self._prepare([seed])
        self._plans.move_to_end(seed)
        return self._plans[seed]

    def _prepare(self, seeds: list[int]) -> None:
        """Plan for layouts."""
        assert self._others is not None
        wanted = [seed for seed in dict.fromkeys(seeds) if seed not in self._plans]
        size = self._others.num_envs
        for first in range(0, len(wanted), size):
            part = wanted[first : first + size]
            rows = np.arange(len(part))
            self._others.reset(options={"reset_mask": np.arange(size) < len(part), "layout_seeds": part})
            begin(self._inner, self._others, rows, np.asarray(part))
            seen = estimates(self._others.scene, self._others.task, self._others.world().take(rows), rows.tolist())
            for seed, (scene, goals) in zip(part, seen, strict=True):
                self._plans[seed] = self._inner.plan(scene, goals)
        while len(self._plans) > max(_REMEMBERED, len(seeds)):
            self._plans.popitem(last=False)

    def close(self) -> None:
        """Give back what showed the other layouts."""
        if self._others is not None:
            self._others.close()
        self._env = self._others = None
        self._plans.clear()


def other_layout(layout_seed: int) -> int:
    """The layout seed whose plan a world gets instead of its own."""
    return layout_seed ^ _OTHER
