"""A session: one world, who acts in it, and what a person does to it. Time is counted in ticks alone."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from envs.scene import TICK
from evaluation.play.cast import Cast, Role
from evaluation.play.interventions import (
    Drag,
    Force,
    Intervention,
    Knock,
    Latency,
    MoveGoal,
    Push,
    Stall,
    Switch,
    check,
    hit,
    pull,
)  # fmt: skip
from policies.dual import DualRuntime

UNFINISHED = "unfinished"
LONG = 60.0  # (s) an episode that one plays with lasts at least: the tasks' own limits are for those left alone


@dataclass
class Episode:
    """What is needed to live through an episode again, and what came of it."""

    layout_seed: int
    role: Role
    """At the beginning."""
    latency: float
    """(s) of System 2, at the beginning."""
    interventions: list[tuple[int, Intervention]] = field(default_factory=list)
    """With the tick before which each happened."""
    ticks: int = 0
    """That it has lasted."""
    outcome: str = UNFINISHED
    """`success`, `failed` or `unfinished`."""
    state: str = ""
    """Checksum of the state after them."""


class Session:
    """Steps one world. Interventions may come from any thread; they take effect at the beginning of the next tick.

    Attributes:
        env: the world.
        role: who acts.
        latency: (s) of System 2.
        episode: the one that is going on.
        finished: those before it that somebody intervened in.
        verdict: `success` or `failed`; empty while the episode lasts.
        tally: episodes that ended, by the name of the system that ended them and the verdict.
    """

    def __init__(
        self, cast: Cast, layout_seed: int, role: Role | None = None, latency: float = 0.0, limit: float | None = None
    ) -> None:
        """Args:
        cast: who can act.
        layout_seed: of the first episode.
        role: who acts; None means the first system of the cast.
        latency: (s) of System 2.
        limit: (s) after which an episode has failed; None means the task's own, and at least a minute.
        """
        self.cast, self.role, self.latency = cast, role or cast.role(), latency
        self.env = cast.make_env()
        self.limit = max(LONG, self.env.task.time_limit) if limit is None else limit
        self.env.max_ticks = max(1, round(self.limit / TICK))
        self.finished: list[Episode] = []
        self.tally: Counter[tuple[str, str]] = Counter()
        self._asked: list[Intervention] = []
        self._lock = threading.Lock()
        self.episode: Episode
        self.begin(layout_seed)

    def close(self) -> None:
        self.env.close()

    # Episodes

    def begin(self, layout_seed: int) -> None:
        """Begin an episode; the one that was going on is over, whatever became of it."""
        if hasattr(self, "episode") and self.episode.interventions:
            self.finished.append(self.recorded())
        with self._lock:
            self._asked.clear()
        self.episode = Episode(layout_seed, self.role, self.latency)
        self.verdict = ""
        self.stalled_until = 0
        self._drag: Drag | None = None
        self._observation, self.infos = self.env.reset(options={"layout_seeds": [layout_seed]})
        self._take_over()

    def recorded(self) -> Episode:
        """The episode that is going on, with its checksum."""
        self.episode.state = checksum(self)
        return self.episode

    @property
    def ticks(self) -> int:
        """Since the episode began."""
        return self.episode.ticks

    @property
    def runtime(self) -> DualRuntime | None:
        """What joins the two systems, where there are two."""
        return self.agent.runtime

    @property
    def stalled(self) -> float:
        """(s) for which System 2 will still answer nothing."""
        return max(0, self.stalled_until - self.ticks) * TICK

    @property
    def dragged(self) -> Drag | None:
        """What is being dragged."""
        return self._drag

    # Interventions

    def ask(self, intervention: Intervention) -> None:
        """Have something happen at the next tick.

        Raises:
            ValueError: it is about something that is not there.
        """
        check(intervention, self.env)
        if isinstance(intervention, Switch):
            self.cast.role(intervention.system, intervention.planner)
        with self._lock:
            if self._asked and _outdated(self._asked[-1], intervention):
                self._asked.pop()
            self._asked.append(intervention)

    @property
    def waiting(self) -> int:
        """Interventions that wait for the next tick."""
        return len(self._asked)

    # Time

    def tick(self) -> None:
        """Live for one tick; nothing happens once the episode is over."""
        if self.verdict:
            return
        with self._lock:
            asked, self._asked = self._asked, []
        asked = [intervention for intervention in asked if self._changes(intervention)]
        self.episode.interventions += [(self.ticks, intervention) for intervention in asked]
        for intervention in asked:
            self._tell(intervention)
        actions = self.agent.act(self._observation)
        for intervention in asked:
            self._disturb(intervention)
        if self._drag is not None:
            pull(self.env, self._drag)
            self._drag = None if self._drag.position is None else self._drag
        self._observation, _, terminated, truncated, self.infos = self.env.step(actions)
        self.episode.ticks += 1
        if terminated[0] or truncated[0]:
            self.verdict = "success" if terminated[0] else "failed"
            self.episode.outcome = self.verdict
            self.tally[self.role.system, self.verdict] += 1

    def _changes(self, intervention: Intervention) -> bool:
        """Whether it would make any difference."""
        if isinstance(intervention, Switch):
            return self.cast.role(intervention.system, intervention.planner) != self.role
        if isinstance(intervention, Latency):
            return intervention.seconds != self.latency
        return True

    def _tell(self, intervention: Intervention) -> None:
        """What concerns who acts."""
        if isinstance(intervention, Switch):
            self.role = self.cast.role(intervention.system, intervention.planner)
            self._take_over()
        elif isinstance(intervention, Latency):
            self.latency = intervention.seconds
            if self.runtime is not None:
                self.runtime.counts["latency"][:] = round(self.latency / TICK)
        elif isinstance(intervention, Stall):
            self.stalled_until = self.ticks + round(intervention.seconds / TICK)
            self._silence()

    def _disturb(self, intervention: Intervention) -> None:
        """What concerns the world."""
        if isinstance(intervention, Knock | Push):
            hit(self.env, intervention)
        elif isinstance(intervention, MoveGoal):
            self.env.world().goal[0] = intervention.goal
        elif isinstance(intervention, Force):
            self.env.physics.arrays["xfrc_applied"][0, intervention.body] = intervention.wrench
        elif isinstance(intervention, Drag):
            if self._drag is not None and self._drag.thing != intervention.thing:
                pull(self.env, Drag(self._drag.thing, None))
            self._drag = intervention

    def _take_over(self) -> None:
        """Whoever has the role acts from here on."""
        self.agent = self.cast.agent(self.role, self.latency)
        self.agent.begin(self.env)
        self._silence()  # but for its first plan, a new System 2 is no way out of a stall

    def _silence(self) -> None:
        """Have System 2 answer nothing for as long as it is stalled."""
        if self.runtime is not None and self.stalled_until > self.ticks:
            left = self.stalled_until - self.ticks
            self.runtime.counts["stalled"][:] = self.runtime.counts["tick"] + left + 1


def _outdated(asked: Intervention, intervention: Intervention) -> bool:
    """Whether one that waits is overtaken by another: what is dragged is where it is last."""
    if isinstance(asked, Drag) and isinstance(intervention, Drag):
        return asked.thing == intervention.thing and asked.position is not None
    if isinstance(asked, Force) and isinstance(intervention, Force):
        return asked.body == intervention.body
    return isinstance(asked, MoveGoal) and isinstance(intervention, MoveGoal)


def checksum(session: Session) -> str:
    """SHA-256 of everything in the world of a session that its future depends on."""
    digest = hashlib.sha256(str(session.ticks).encode())
    for name, values in sorted(session.env.get_scene_state().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
