"""Playing live: a session at the pace of a clock, shown by one or several views."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from envs.layout import EVALUATION_SEEDS
from envs.scene import TICK
from evaluation.play import log
from evaluation.play.goals import elsewhere
from evaluation.play.interventions import Knock, MoveGoal, Push
from evaluation.play.session import Session

_FRAME = 1 / 30  # (s) at least between two pictures
_LINGER = 2.0  # (s) that the end of an episode stays on screen
_SAVE = 1.0  # (s) at most, that an intervention is not in the log's file yet


class View(Protocol):
    """Shows a session, and hands what its user does to the controls and the session."""

    @property
    def open(self) -> bool:
        """Whether somebody may still look at it."""

    def show(self) -> None:
        """Bring the picture up to date."""

    def close(self) -> None: ...


class Controls:
    """What the user of any view decides besides interventions. No tick depends on it.

    Attributes:
        paused: whether time stands still.
        speed: ticks a second, as a multiple of real time.
        go_on: whether the next layout begins by itself when an episode is over.
        closed: whether it is time to leave.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.paused, self.speed, self.go_on, self.closed = False, 1.0, True, False
        self.problem = ""
        self._steps = 0
        self._layouts: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._random = np.random.default_rng()  # what it draws is written into the log

    # Time and episodes

    def one_tick(self) -> None:
        """Stand still after one more tick."""
        self.paused, self._steps = True, self._steps + 1

    def begin(self, layout_seed: int) -> None:
        """Begin an episode on a layout as soon as the tick is over."""
        self._layouts.put(layout_seed % EVALUATION_SEEDS)

    def again(self) -> None:
        self.begin(self.session.episode.layout_seed)

    def next(self) -> None:
        self.begin(self.session.episode.layout_seed + 1)

    def take_layout(self) -> int | None:
        """The layout that is to begin now; None while the episode goes on."""
        wanted = None
        while not self._layouts.empty():
            wanted = self._layouts.get()
        return wanted

    def take_tick(self) -> bool:
        """Whether time goes on by a tick."""
        if not self.paused:
            return True
        self._steps, due = max(0, self._steps - 1), self._steps > 0
        return due

    # Disturbances that a button stands for

    def knock(self, thing: int) -> None:
        """Knock an object away, in a direction at random."""
        self.session.ask(Knock(thing, float(self._random.uniform(-np.pi, np.pi))))

    def push(self, thing: int, angle: float) -> None:
        self.session.ask(Push(thing, angle))

    def move_goal(self) -> None:
        """Move the goal to where it is in another layout."""
        goal = elsewhere(self.session.env, self._random)
        if goal is not None:
            self.session.ask(MoveGoal(goal))


def live(
    session: Session,
    controls: Controls,
    views: Sequence[View],
    path: Path,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Play until the views are closed. Returns whether there is a log.

    Args:
        session: what is played.
        controls: of its views.
        views: what shows it.
        path: of the log, which is written as one goes.
        clock: (s)
        sleep: for so many seconds; nothing but the pace depends on either.

    Raises:
        OSError: the log cannot be written.
    """
    due = saved = clock()
    shown = -_FRAME
    ended = -1.0  # when the episode did, or -1
    written = 0
    try:
        while not controls.closed and all(view.open for view in views):
            wanted = controls.take_layout()
            if wanted is None and session.verdict and controls.go_on and not controls.paused:
                ended = clock() if ended < 0 else ended
                wanted = session.episode.layout_seed + 1 if clock() - ended > _LINGER else None
            if wanted is not None:
                session.begin(wanted)
                ended = -1.0
            elif controls.take_tick():
                session.tick()
            if clock() - shown >= _FRAME:
                shown = clock()
                for view in views:
                    view.show()
            happened = sum(len(e.interventions) for e in session.finished) + len(session.episode.interventions)
            if happened > written and clock() - saved > _SAVE:
                log.write(path, session)
                written, saved = happened, clock()
            due = max(due + TICK / controls.speed, clock())
            sleep(max(0.0, due - clock()))
    finally:
        for view in views:
            view.close()
        known = log.write(path, session)
    return known
