"""The two-rate runtime: System 1 at every tick, System 2 at its own rate and latency, for N worlds at once.

System 1 never waits. It acts on the commands that are in force; a plan arrives `latency` ticks after the moment
that it was made from, and until then the old plan goes on. Between plans the runtime steps through the one that it
has, as commands are done.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from envs.world import World
from policies.commands import HOLD, NOTHING, SKILLS, Actors, Commands, to_base
from policies.system2.plan import Plan, Planner, Step, estimates

RATE = 2.5  # (Hz) of System 2
TIME_TO_LIVE = 10.0  # (s)
_LOST_TICKS = 4  # an object counts as lost when no finger has held it for so long
_CALM_TICKS = 8  # at least, between two calls of System 2 because something happened


@dataclass
class _Message:
    """A plan on its way."""

    due: int
    plan: Plan
    observed: float
    version: int
    """Of the plan that was in force at the moment that it was made from."""
    changed: bool
    """Whether it differs from that one."""


@dataclass
class Events:
    """What happened to the commands at one tick; (N, A) bool."""

    done: np.ndarray
    lost: np.ndarray
    replaced: np.ndarray
    """Another command is in force than before, whatever the reason."""


class DualRuntime:
    """Runs a planner over the worlds of an environment, and says which command is in force for every arm.

    Attributes:
        commands: in force.
        actors: what the arms see of themselves and of these commands.
        no_plan: (N,) why the planner found no plan for a world; empty where it did.
    """

    def __init__(
        self,
        env: DuetVectorEnv,
        planner: Planner,
        rate: float = RATE,
        latency: int = 0,
        time_to_live: float = TIME_TO_LIVE,
    ) -> None:
        """Args:
        env: whose worlds are acted in. The runtime reads them and never steps them.
        planner: System 2.
        rate: (Hz) of System 2, besides the calls because something happened.
        latency: (ticks) from the moment that a plan is made from until it is in force.
        time_to_live: (s) of commands.
        """
        self._env, self._planner = env, planner
        self._scene, self._count = env.scene, len(env.scene.arms)
        self._period = max(1, round(1 / (rate * TICK)))
        self._latency, self._time_to_live = latency, time_to_live
        n = env.num_envs
        self.commands = Commands.holding(n, self._count)
        self.actors: Actors
        self.no_plan: list[str] = [""] * n
        self._plans: list[tuple[Step, ...]] = [()] * n
        self._version = np.zeros(n, dtype=int)
        self._at = np.zeros(n, dtype=int)
        self._finished = np.zeros((n, self._count), dtype=bool)
        self._mail: list[deque[_Message]] = [deque() for _ in range(n)]
        self._tick = np.zeros(n, dtype=int)
        self._missing = np.zeros((n, self._count), dtype=int)
        self._called = np.zeros(n, dtype=int)
        self.calls = np.zeros(n, dtype=int)
        self.replans = np.zeros(n, dtype=int)
        self.expired = np.zeros(n, dtype=int)

    # What is in force

    def step_of(self, world: int) -> Step | None:
        """The step of the plan that a world is in; None when the plan is finished."""
        steps, at = self._plans[world], self._at[world]
        return steps[at] if at < len(steps) else None

    def plan_of(self, world: int) -> tuple[tuple[Step, ...], int]:
        """The steps in force in a world, and which of them is being done."""
        return self._plans[world], int(self._at[world])

    @property
    def command_age(self) -> np.ndarray:
        """(N, A) s since the observation behind each command."""
        return self._tick[:, None] * TICK - self.commands.observed

    # Episodes

    def begin(self, worlds: np.ndarray) -> None:
        """Episodes have begun in some worlds (indices): plan for them. The first plan is there at once."""
        for i in worlds:
            self._mail[i].clear()
            self._plans[i], self.no_plan[i] = (), ""
        for counts in (self._at, self._tick, self._called, self.calls, self.replans, self.expired):
            counts[worlds] = 0
        self._finished[worlds] = False
        self._missing[worlds] = 0
        world = self._env.world()
        self._call(worlds, world.take(worlds), latency=0)
        self._receive(worlds, world)
        self.actors = Actors(self._scene, world, self.commands)

    def update(self) -> Events:
        """The worlds have moved by one tick: complete commands, call System 2, take its answers."""
        world = self._env.world()
        self._tick += 1
        actors = Actors(self._scene, world, self.commands)
        self.seen = actors
        old_skill, old_thing = self.commands.skill.copy(), self.commands.thing.copy()
        done = actors.done()
        self._missing = (self._missing + 1) * actors.lost()
        lost = self._missing == _LOST_TICKS
        self._finished |= done
        holding = self.commands.skill == HOLD
        over = (self._finished | holding).all(axis=1) & ~holding.all(axis=1)
        late = self.command_age > self.commands.time_to_live
        for i in np.flatnonzero(over).tolist():
            self._at[i] += 1
            self._command(i, world)
        for i in np.flatnonzero(done.any(axis=1) & ~over).tolist():
            self._rest(i, np.flatnonzero(done[i]))
        for i in np.flatnonzero(late.any(axis=1)).tolist():
            self.expired[i] += 1
            self._halt(i, world)
        # System 2: by its clock, and when something happened
        waited = self._tick - self._called
        idle = np.array([at >= len(steps) for at, steps in zip(self._at, self._plans, strict=True)])
        wanted = (waited >= self._period) | lost.any(axis=1) | (idle & (waited >= _CALM_TICKS))
        callers = np.flatnonzero(wanted)
        if len(callers):
            self._call(callers, world.take(callers), self._latency)
        self._receive(np.arange(self._env.num_envs), world)
        self.actors = Actors(self._scene, world, self.commands)
        replaced = (old_skill != self.commands.skill) | (old_thing != self.commands.thing)
        return Events(done, lost, replaced)

    # System 2

    def _call(self, worlds: np.ndarray, world: World, latency: int) -> None:
        """Ask the planner for plans of `worlds`, which are all that `world` measures, and put them into the mail."""
        self.calls[worlds] += 1
        self._called[worlds] = self._tick[worlds]
        plans = [self._planner.plan(*estimate) for estimate in estimates(self._scene, self._env.task, world)]
        plans = self._trimmed(plans, world)
        for i, plan in zip(worlds, plans, strict=True):
            rest = self._plans[i][self._at[i] :]
            changed = [s.signature for s in rest] != [s.signature for s in plan.steps]
            due, observed = int(self._tick[i]) + latency, self._tick[i] * TICK
            self._mail[i].append(_Message(due, plan, observed, int(self._version[i]), changed))

    def _trimmed(self, plans: list[Plan], world: World) -> list[Plan]:
        """The plans without leading steps that are done already."""
        at = np.zeros(len(plans), dtype=int)
        while True:
            commands = Commands.holding(len(plans), self._count)
            for j, plan in enumerate(plans):
                if at[j] < len(plan.steps):
                    self._write(commands, j, plan.steps[at[j]])
            holding = commands.skill == HOLD
            done = (Actors(self._scene, world, commands).done() | holding).all(axis=1) & ~holding.all(axis=1)
            if not done.any():
                return [Plan(plan.steps[k:], plan.no_plan) for plan, k in zip(plans, at, strict=True)]
            at += done

    def _receive(self, worlds: np.ndarray, world: World) -> None:
        for i in worlds:
            mail = self._mail[i]
            while mail and mail[0].due <= self._tick[i]:
                self._adopt(i, mail.popleft(), world)

    def _adopt(self, i: int, message: _Message, world: World) -> None:
        steps, at = self._plans[i], self._at[i]
        now, new = [s.signature for s in steps[at:]], [s.signature for s in message.plan.steps]
        self.no_plan[i] = message.plan.no_plan
        current = message.version == self._version[i]
        rest = new[len(new) - len(now) :] == now
        if now == new or (rest and now and not (current and message.changed)):
            # it says what is under way already: it brings new numbers alone
            self._plans[i] = steps[:at] + message.plan.steps[len(new) - len(now) :]
            self._command(i, world, message.observed, anew=False)
        elif message.changed:
            self.replans[i] += bool(at or steps)
            self._version[i] += 1
            self._plans[i], self._at[i] = message.plan.steps, 0
            self._command(i, world, message.observed)

    # Commands

    def _command(self, i: int, world: World, observed: float | None = None, anew: bool = True) -> None:
        """Put the step that world i is in into force."""
        step = self.step_of(i)
        if anew:
            self._finished[i] = False
            self._missing[i] = 0
        if step is None:
            self._halt(i, world)
            return
        finished = self._finished[i].copy()
        self._write(self.commands, i, step)
        if observed is not None:
            self.commands.observed[i] = observed
        self.commands.time_to_live[i] = self._time_to_live
        self._rest(i, np.flatnonzero(finished))

    def _write(self, commands: Commands, i: int, step: Step) -> None:
        for arm, command in enumerate(step.commands):
            commands.skill[i, arm] = SKILLS.index(command.skill)
            commands.thing[i, arm] = command.thing
            commands.grip[i, arm] = command.grip
            commands.heading[i, arm] = command.heading
            commands.target[i, arm] = to_base(self._scene, arm, np.array(command.target))
            commands.turned[i, arm] = command.turned

    def _rest(self, i: int, arms: np.ndarray) -> None:
        """Arms that are done before the others of the step keep what they have, where they brought it."""
        keeps = self.commands.skill[i, arms] != SKILLS.index("release")
        self.commands.skill[i, arms[keeps]] = HOLD

    def _halt(self, i: int, world: World) -> None:
        """All arms of world i stop where they are, with what they hold."""
        for arm in range(self._count):
            self.commands.skill[i, arm] = HOLD
            self.commands.thing[i, arm] = NOTHING
            place = np.append(world.tool_base_position(arm)[i], world.tool_base_yaw(arm)[i])
            self.commands.target[i, arm] = place
            self.commands.turned[i, arm] = True
            self.commands.time_to_live[i, arm] = np.inf
