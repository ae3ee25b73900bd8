"""The two-rate runtime: System 1 at every tick, System 2 at its own rate and latency, for N worlds at once.

System 1 never waits. It acts on the commands that are in force; a plan arrives `latency` ticks after the moment
that it was made from, and until then the old plan goes on. Between plans the runtime steps through the one that it
has, as commands are done. Time is counted in ticks alone, so the same seed gives the same episode on any machine.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from envs.world import World
from policies.commands import HOLD, NOTHING, RELEASE, SKILLS, Actors, Commands, to_base
from policies.system2.faulty import Faulty, System2Faults
from policies.system2.plan import Goals, Plan, Planner, SceneEstimate, Step, begin, estimates, is_sound, plan_from

RATE = 2.5  # (Hz) of System 2
TIME_TO_LIVE = 10.0  # (s) of commands
_LOST_TICKS = 4  # an object counts as lost when no finger has held it for so long
_CALM_TICKS = 8  # at least, between two calls of System 2 by an arm that has nothing left to do
_PATIENCE = 5.0  # (s, wall clock) an answer that took longer is thrown away
_COUNTS = (
    "tick", "version", "at", "called", "calls", "replans", "expired", "faults", "wrong", "latency", "stalled"
)  # fmt: skip


@dataclass(frozen=True)
class Message:
    """A plan on its way."""

    due: int
    """(tick)"""
    plan: Plan
    observed: float
    """(s) time of the observation that it was made from."""
    version: int
    """Of the plan that was in force then."""
    changed: bool
    """Whether it differs from that one."""


@dataclass(frozen=True)
class Events:
    """What happened to the commands at one tick; (N, A) bool."""

    done: np.ndarray
    lost: np.ndarray
    replaced: np.ndarray
    """Another command is in force than before, whatever the reason."""
    stuck: np.ndarray
    """(N,) bool: the planner has just found that there is no plan."""


class DualRuntime:
    """Runs a planner over the worlds of an environment, and says which command is in force for every arm.

    A planner that has `begin(env, worlds, layout_seeds)` is told when episodes begin; one whose `once` is true is
    asked then, and never again.

    Attributes:
        commands: in force.
        actors: what the arms see of themselves and of these commands.
        seen: the same of the last tick, with the commands that were in force during it.
        no_plan: (N,) why the planner found no plan for a world; empty where it did.
        counts: (N,) each: `calls` of System 2, `replans` (another plan came into force), `expired` commands, `faults`
            of the planner (it raised, answered nonsense or took too long), `wrong` plans, and others.
        plan_seconds: wall time of every call of System 2 so far.
    """

    def __init__(
        self,
        env: DuetVectorEnv,
        planner: Planner,
        rate: float = RATE,
        latency: tuple[int, int] = (0, 0),
        time_to_live: float = TIME_TO_LIVE,
        faults: System2Faults | None = None,
        true_poses: bool = False,
    ) -> None:
        """Args:
        env: whose worlds are acted in. The runtime reads them and never steps them.
        planner: System 2.
        rate: (Hz) of System 2, besides the calls because something happened.
        latency: (ticks) from the moment that a plan is made from until it is in force: drawn from this range, both
            ends included, for every episode.
        time_to_live: (s) of commands.
        faults: of System 2; its latency comes on top of the other one.
        true_poses: the planner sees the worlds as they are, also where everybody else looks through a lens.
        """
        self._env, self._planner = env, planner
        self._scene, self._arms = env.scene, range(len(env.scene.arms))
        self._period = max(1, round(1 / (rate * TICK)))
        self._latency, self._true_poses = latency, true_poses
        self._faulty = Faulty(faults or System2Faults(), env)
        self._once = bool(getattr(planner, "once", False))
        # what nobody is asked about again is not renewed either
        self._time_to_live = math.inf if self._once else time_to_live
        n, a = env.num_envs, len(self._arms)
        self.commands = Commands.holding(n, a)
        self.actors: Actors
        self.seen: Actors
        self.no_plan: list[str] = [""] * n
        self.counts = {name: np.zeros(n, dtype=np.int64) for name in _COUNTS}
        self.plan_seconds: list[float] = []
        self._plans: list[tuple[Step, ...]] = [()] * n
        self._finished = np.zeros((n, a), dtype=bool)
        self._missing = np.zeros((n, a), dtype=np.int64)
        self._mail: list[list[Message]] = [[] for _ in range(n)]

    # What is in force

    def plan_of(self, world: int) -> tuple[tuple[Step, ...], int]:
        """The steps in force in a world, and the number of the one being done."""
        return self._plans[world], int(self.counts["at"][world])

    def step_of(self, world: int) -> Step | None:
        """The step that a world is in; None when the plan is finished."""
        steps, at = self.plan_of(world)
        return steps[at] if at < len(steps) else None

    @property
    def rate(self) -> float:
        """(Hz) at which the planner is asked, besides when something happens; 0 where it is asked once."""
        return 0.0 if self._once else 1 / (self._period * TICK)

    @property
    def command_age(self) -> np.ndarray:
        """(N, A) s since the observation behind each command."""
        return self.counts["tick"][:, None] * TICK - self.commands.observed

    # Episodes

    def begin(self, worlds: np.ndarray) -> None:
        """Episodes have begun in some worlds (indices): plan for them. The first plan is there at once."""
        for i in worlds.tolist():
            self._mail[i].clear()
            self._plans[i], self.no_plan[i] = (), ""
        for counts in self.counts.values():
            counts[worlds] = 0
        self._finished[worlds], self._missing[worlds] = False, 0
        seeds = self._env.layout_seeds[worlds]
        low, high = self._latency
        for i, seed in zip(worlds.tolist(), seeds.tolist(), strict=True):
            self.counts["latency"][i] = low if low == high else np.random.default_rng(seed).integers(low, high + 1)
        begin(self._planner, self._env, worlds, seeds)
        self._faulty.begin(worlds, seeds)
        world = self._env.seen()
        for i in worlds.tolist():
            self._halt(i, world)
        self._call(worlds, world, first=True)
        self._receive(worlds, world)
        self.actors = Actors(self._scene, world, self.commands)

    def update(self) -> Events:
        """The worlds have moved by one tick: complete commands, call System 2, take its answers."""
        world, counts = self._env.seen(), self.counts
        counts["tick"] += 1
        # what is done below must not change what was seen
        self.seen = Actors(self._scene, world, self.commands.copy())
        skills, things = self.commands.skill.copy(), self.commands.thing.copy()
        done = self.seen.done()
        self._missing = (self._missing + 1) * self.seen.lost()
        lost = self._missing == _LOST_TICKS
        self._finished |= done
        holding = skills == HOLD
        over = (self._finished | holding).all(axis=1) & ~holding.all(axis=1)
        for i in np.flatnonzero(over).tolist():
            counts["at"][i] += 1
            self._command(i, world)
        for i in np.flatnonzero(done.any(axis=1) & ~over).tolist():
            self._rest(i)
        for i in np.flatnonzero((self.command_age > self.commands.time_to_live).any(axis=1)).tolist():
            counts["expired"][i] += 1
            self._halt(i, world)
        answering = self._faulty.answering(world, counts["tick"], counts["stalled"])
        if not self._once:
            # by its clock, and when something happened
            waited = counts["tick"] - counts["called"]
            idle = counts["at"] >= np.array([len(steps) for steps in self._plans])
            wanted = (waited >= self._period) | lost.any(axis=1) | (idle & (waited >= _CALM_TICKS))
            callers = np.flatnonzero(wanted & answering)
            if len(callers):
                self._call(callers, world)
        planned = np.array([not why for why in self.no_plan])
        self._receive(np.flatnonzero(answering), world)
        stuck = planned & np.array([bool(why) for why in self.no_plan])
        self.actors = Actors(self._scene, world, self.commands)
        replaced = (skills != self.commands.skill) | (things != self.commands.thing)
        return Events(done, lost, replaced, stuck)

    # System 2

    def _call(self, worlds: np.ndarray, world: World, first: bool = False) -> None:
        """Ask the planner for plans of some worlds (indices), and put them into the mail."""
        counts = self.counts
        counts["calls"][worlds] += 1
        counts["called"][worlds] = counts["tick"][worlds]
        delays, wrong = self._faulty.draw(worlds, counts["calls"][worlds])
        counts["wrong"][worlds] += wrong
        looked_at = (self._env.world() if self._true_poses else world).take(worlds)
        taken_for = self._faulty.mistaken(looked_at, worlds, wrong)
        answers = [self._ask(*seen) for seen in estimates(self._scene, self._env.task, taken_for, worlds.tolist())]
        plans = self._trimmed([answer or Plan(()) for answer in answers], looked_at)
        for i, delay, answer, plan in zip(worlds.tolist(), delays.tolist(), answers, plans, strict=True):
            if answer is None:
                counts["faults"][i] += 1
                continue
            rest = self._plans[i][counts["at"][i] :]
            changed = [s.signature for s in rest] != [s.signature for s in plan.steps]
            now = int(counts["tick"][i])
            due = now if first else now + int(counts["latency"][i]) + delay
            self._mail[i].append(Message(due, plan, now * TICK, int(counts["version"][i]), changed))

    def _ask(self, scene: SceneEstimate, goals: Goals) -> Plan | None:
        """The planner's plan; None if it failed in any way, so that what is in force stays."""
        began = time.perf_counter()
        try:
            plan = self._planner.plan(scene, goals)
            sound = is_sound(plan, scene)
        except Exception:  # whatever a stranger's planner does, the arms go on
            return None
        finally:
            self.plan_seconds.append(time.perf_counter() - began)
        return plan if sound and self.plan_seconds[-1] <= _PATIENCE else None

    def _trimmed(self, plans: list[Plan], world: World) -> list[Plan]:
        """The plans without the leading steps that are done already."""
        at = np.zeros(len(plans), dtype=int)
        while True:
            commands = Commands.holding(len(plans), len(self._arms))
            for j, plan in enumerate(plans):
                if at[j] < len(plan.steps):
                    self._write(commands, j, plan.steps[at[j]])
            holding = commands.skill == HOLD
            done = (Actors(self._scene, world, commands).done() | holding).all(axis=1) & ~holding.all(axis=1)
            if not done.any():
                return [Plan(tuple(plan.steps[k:]), plan.no_plan) for plan, k in zip(plans, at, strict=True)]
            at += done

    def _receive(self, worlds: np.ndarray, world: World) -> None:
        for i in worlds.tolist():
            arrived = [message for message in self._mail[i] if message.due <= self.counts["tick"][i]]
            if arrived:
                newest = max(arrived, key=lambda message: message.observed)
                # what was sent before it and comes later is out of date
                self._mail[i] = [message for message in self._mail[i] if message.observed > newest.observed]
                self._adopt(i, newest, world)

    def _adopt(self, i: int, message: Message, world: World) -> None:
        steps, at = self.plan_of(i)
        now, new = [s.signature for s in steps[at:]], [s.signature for s in message.plan.steps]
        self.no_plan[i] = message.plan.no_plan
        current = message.version == self.counts["version"][i]
        under_way = bool(now) and new[len(new) - len(now) :] == now
        if now == new or (under_way and not (current and message.changed)):
            # it says what is under way already: it brings new numbers alone
            self._plans[i] = steps[:at] + message.plan.steps[len(new) - len(now) :]
            self._command(i, world, message.observed, anew=False)
        elif message.changed or not current:
            self.counts["replans"][i] += len(steps) > 0
            self.counts["version"][i] += 1
            self.counts["at"][i] = 0
            self._plans[i] = message.plan.steps
            self._command(i, world, message.observed)

    # Commands

    def _command(self, i: int, world: World, observed: float | None = None, anew: bool = True) -> None:
        """Put the step that world i is in into force."""
        if anew:
            self._finished[i], self._missing[i] = False, 0
        step = self.step_of(i)
        if step is None:
            if anew:
                self._halt(i, world)
            return
        self._write(self.commands, i, step)
        if observed is not None:
            self.commands.observed[i] = observed
        self.commands.time_to_live[i] = self._time_to_live
        self._rest(i)

    def _write(self, commands: Commands, i: int, step: Step) -> None:
        for arm, command in enumerate(step.commands):
            commands.skill[i, arm] = SKILLS.index(command.skill)
            commands.thing[i, arm] = command.thing
            commands.grip[i, arm] = command.grip
            commands.heading[i, arm] = command.heading
            commands.target[i, arm] = to_base(self._scene, arm, np.array(command.target))
            commands.turned[i, arm] = command.turned

    def _rest(self, i: int) -> None:
        """Arms that are done before the others of the step keep what they have, where they brought it."""
        resting = self._finished[i] & (self.commands.skill[i] != RELEASE)
        self.commands.skill[i, resting] = HOLD

    def _halt(self, i: int, world: World) -> None:
        """All arms of world i stop where they are, with what they hold."""
        for arm in self._arms:
            self.commands.skill[i, arm] = HOLD
            self.commands.thing[i, arm] = NOTHING
            self.commands.target[i, arm] = (*world.tool_base_position(arm)[i], world.tool_base_yaw(arm)[i])
            self.commands.turned[i, arm] = True
            self.commands.time_to_live[i, arm] = np.inf

    # State

    def get_state(self) -> dict[str, Any]:
        """Everything that the future of the commands depends on, as plain values and arrays."""
        return {
            "commands": {name: values.copy() for name, values in vars(self.commands).items()},
            "counts": {name: values.copy() for name, values in self.counts.items()},
            "finished": self._finished.copy(),
            "missing": self._missing.copy(),
            "no_plan": list(self.no_plan),
            "plans": [asdict(Plan(steps)) for steps in self._plans],
            "mail": [[asdict(message) for message in mail] for mail in self._mail],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned; the environment has been set to its own state of that moment."""
        for name, values in state["commands"].items():
            getattr(self.commands, name)[:] = values
        for name, values in state["counts"].items():
            self.counts[name][:] = values
        self._finished[:], self._missing[:] = state["finished"], state["missing"]
        self.no_plan = list(state["no_plan"])
        self._plans = [plan_from(saved).steps for saved in state["plans"]]
        self._mail = [[Message(**m | {"plan": plan_from(m["plan"])}) for m in mail] for mail in state["mail"]]
        self.actors = Actors(self._scene, self._env.seen(), self.commands)
        # the planner may have been told of no episode yet
        everywhere, seeds = np.arange(self._env.num_envs), self._env.layout_seeds
        begin(self._planner, self._env, everywhere, seeds)
        self._faulty.begin(everywhere, seeds)
