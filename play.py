"""Watch a trained run live and disturb it: in a web page, or in MuJoCo's viewer. Every intervention can be replayed."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from envs.layout import EVALUATION_SEEDS
from evaluation.cli import FAILED, check_place, fail, parse, run_command
from evaluation.play import log
from evaluation.play.cast import Cast
from evaluation.play.live import Controls, View, live
from evaluation.play.page import Page
from evaluation.play.session import Session
from evaluation.run import Run

_MOST_LATENCY = 60.0  # (s)


@dataclass(frozen=True)
class Options:
    """What to play with."""

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """One run folder, or several of one task, such as a single and a dual system to switch between; without any, the
    scripted System 1 acts on --task."""
    task: str | None = None
    """Task, where there is a choice."""
    objects: int | None = None
    """How many objects, in tasks that leave a choice."""
    planner: str | None = None
    """Another System 2 than the run's own: symbolic, scripted, frozen, shuffled, random or none."""
    latency: float = 0.0
    """(s) of System 2."""
    layout_seed: int = 0
    """Of the first episode."""
    limit: float | None = None
    """(s) after which an episode has failed; None means the task's own limit, and at least a minute."""
    port: int = 8080
    """Of the page; 0 takes any that is free."""
    host: str = "localhost"
    """Of the page; 0.0.0.0 shows it to other machines too."""
    viewer: bool = False
    """Show it in MuJoCo's viewer, which needs a display, instead of in a page."""
    log: Path | None = None
    """File for the interventions; None makes one in the first run's folder."""
    replay: Path | None = None
    """Live through a log again instead, without any window; run folders then act instead of those of the log."""


def main() -> int:
    """Returns the exit code: 0 only when all went well, and of a replay, when it ended as it did live."""
    options = parse(Options, __doc__)
    try:
        if options.replay is not None:
            return _replay(options)
        _check(options)
        cast = Cast.of([Run.open(folder) for folder in options.runs], options.task, options.objects)
        path = options.log or _place(options, cast)
        _check_log(path)
        role = cast.role(planner=options.planner)
        session = Session(cast, options.layout_seed, role, options.latency, options.limit)
    except ValueError as error:
        return fail(error)
    controls = Controls(session)
    try:
        view = _view(options, session, controls)
    except RuntimeError as error:
        return fail(error, FAILED)
    return _play(session, controls, view, path)


def _check(options: Options) -> None:
    if not 0 <= options.latency <= _MOST_LATENCY:
        raise ValueError(f"latency must be from 0 to {_MOST_LATENCY:g} s, not {options.latency:g}")
    if not 0 <= options.layout_seed < EVALUATION_SEEDS:
        raise ValueError(f"layout_seed must be from 0 to {EVALUATION_SEEDS - 1}, not {options.layout_seed}")
    if options.limit is not None and not 0 < options.limit <= 3600:
        raise ValueError(f"limit must be from 0 to 3600 s, not {options.limit:g}")
    if not 0 <= options.port < 1 << 16:
        raise ValueError(f"port must be from 0 to {(1 << 16) - 1}, not {options.port}")


def _place(options: Options, cast: Cast) -> Path:
    name = f"play-{time.strftime('%Y%m%d-%H%M%S')}.json"
    return options.runs[0] / name if options.runs else Path(f"{cast.task}-{name}")


def _check_log(path: Path) -> None:
    check_place(path)
    if path.exists():
        raise ValueError(f"{path} exists; name another log")
    if not os.access(path.resolve().parent, os.W_OK):
        raise ValueError(f"{path.parent} cannot be written; name another place with --log")


def _view(options: Options, session: Session, controls: Controls) -> View:
    if options.viewer:
        from evaluation.play.window import Window

        return Window(session, controls)
    page = Page(session, controls, options.host, options.port)
    print(f"{session.cast.task}, {session.role.text}: {page.url}  (Ctrl-C ends it)", flush=True)
    return page


def _play(session: Session, controls: Controls, view: View, path: Path) -> int:
    known = False
    # ended from outside is ended: the log is written in either case
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        known = live(session, controls, [view], path)
    except KeyboardInterrupt:
        known = path.exists()
    except OSError as error:
        return fail(f"{path} cannot be written: {error.strerror or error}; name another place with --log", FAILED)
    if known:
        print(f"\nlog  {path}\nNext: python play.py --replay {path}")
    return 0


def _replay(options: Options) -> int:
    assert options.replay is not None
    found = log.read(options.replay)
    replayed = log.replay(options.replay, options.runs)
    print(log.text(replayed))
    if options.runs:  # others act: their outcome is what one asks for
        return 0 if all(one.outcome == "success" for one in replayed) else FAILED
    if all(one.same for one in replayed):
        return 0
    return fail(f"the replay differs from what was live ({log.why_different(found) or 'for no known reason'})", FAILED)


if __name__ == "__main__":
    run_command(main)
