"""The log of a session: what was done to which episode at which tick, and how to live through it again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from envs.scene import TICK
from evaluation.play.cast import Cast, Role, fingerprint
from evaluation.play.interventions import as_json, from_json
from evaluation.play.session import Episode, Session
from evaluation.run import Run, RunError, read_json
from policies.files import written_whole

VERSION = 1  # of the log's format
_FORMAT = "log of play.py"
_APART = ("role", "interventions")  # fields of an episode that are written in another form
_PACKAGES = ("mujoco", "numpy", "torch")  # whose versions decide about last bits


class LogError(ValueError):
    """A log that is missing, damaged or of another version."""


@dataclass(frozen=True)
class Log:
    """A log that was read."""

    path: Path
    task: str
    objects: int | None
    limit: float
    """(s) of an episode."""
    runs: tuple[dict[str, str], ...]
    """`folder` as seen from the log's own, `checkpoint` in it, and `policy`, the fingerprint of that."""
    packages: dict[str, str]
    episodes: tuple[Episode, ...]

    @property
    def folders(self) -> tuple[Path, ...]:
        """Of the runs."""
        return tuple(self.path.parent / run["folder"] for run in self.runs)

    @property
    def checkpoints(self) -> tuple[Path, ...]:
        """Of the policies that acted."""
        return tuple(folder / run["checkpoint"] for folder, run in zip(self.folders, self.runs, strict=True))


@dataclass(frozen=True)
class Replayed:
    """An episode that was lived through again."""

    episode: Episode
    """As it was logged."""
    outcome: str
    state: str
    """Checksum of the state at its end."""

    @property
    def same(self) -> bool:
        """Whether it ended as it was logged, to the last bit."""
        return (self.outcome, self.state) == (self.episode.outcome, self.episode.state)


def write(path: Path, session: Session) -> bool:
    """Write what has happened so far; False where nobody has intervened, and nothing is written."""
    going_on = [session.recorded()] if session.episode.interventions else []
    episodes = [*session.finished, *going_on]
    if not episodes:
        return False
    here, cast = path.resolve().parent, session.cast
    runs = [
        {
            "folder": os.path.relpath(run.folder.resolve(), here),
            "checkpoint": cast.checkpoints[name].relative_to(run.folder).as_posix(),
            "policy": fingerprint(cast.checkpoints[name]),
        }
        for name, run in cast.runs.items()
    ]
    head = {
        "format": _FORMAT,
        "version": VERSION,
        "task": session.cast.task,
        "objects": session.cast.objects,
        "limit": session.limit,
        "runs": runs,
        "packages": {name: version(name) for name in _PACKAGES},
    }
    with written_whole(path) as aside:
        aside.write_text(_as_text(head, episodes))
    return True


def _as_text(head: dict[str, Any], episodes: Sequence[Episode]) -> str:
    """As json, with an intervention on every line."""
    blocks = []
    for episode in episodes:
        values = vars(episode.role) | {name: v for name, v in vars(episode).items() if name not in _APART}
        lines = [json.dumps({"tick": tick} | as_json(happened)) for tick, happened in episode.interventions]
        listed = ",\n      ".join(lines)
        blocks.append(json.dumps(values).removesuffix("}") + f', "interventions": [\n      {listed}\n    ]}}')
    begun, listed = json.dumps(head, indent=2).removesuffix("\n}"), ",\n    ".join(blocks)
    return f'{begun},\n  "episodes": [\n    {listed}\n  ]\n}}\n'


def read(path: Path) -> Log:
    """A log that `write` wrote.

    Raises:
        LogError: it is missing, damaged or of another version.
    """
    if not path.is_file():
        raise LogError(f"there is no log {path}")
    try:
        values = read_json(path)
    except RunError as error:
        raise LogError(str(error)) from None
    if values.get("format") != _FORMAT:
        raise LogError(f"{path} is no {_FORMAT}")
    if values.get("version") != VERSION:
        raise LogError(f"{path} has the format {values.get('version')!r}; this version of Duet reads {VERSION}")
    try:
        episodes = tuple(_episode(entry) for entry in values["episodes"])
        runs = tuple({name: str(run[name]) for name in ("folder", "checkpoint", "policy")} for run in values["runs"])
        limit, packages = float(values["limit"]), {name: str(values["packages"][name]) for name in _PACKAGES}
        return Log(path, str(values["task"]), values["objects"], limit, runs, packages, episodes)
    except (KeyError, TypeError, ValueError) as error:
        missing = f"it has no {error}" if isinstance(error, KeyError) else error
        raise LogError(f"{path} is damaged: {missing}") from None


def _episode(entry: dict[str, Any]) -> Episode:
    happened = [dict(values) for values in entry["interventions"]]
    ticks = [values.pop("tick") for values in happened]
    length = entry["ticks"]
    if ticks != sorted(ticks) or not all(type(tick) is int and 0 <= tick < length for tick in ticks):
        raise ValueError(f"ticks of interventions must ascend from 0 to {length - 1}, not {ticks}")
    return Episode(
        int(entry["layout_seed"]), Role(entry["system"], entry["planner"]), float(entry["latency"]),
        [(tick, from_json(values)) for tick, values in zip(ticks, happened, strict=True)],
        length, str(entry["outcome"]), str(entry["state"]),
    )  # fmt: skip


def replay(path: Path | str, runs: Sequence[Path] = ()) -> list[Replayed]:
    """Live through the episodes of a log again, without any window.

    Args:
        path: of the log.
        runs: folders of runs that act instead of those of the log.

    Raises:
        LogError: the log is missing, damaged or of another version, or is about something else than the runs.
        RunError: a run is missing or damaged.
    """
    log = read(Path(path))
    try:
        cast = Cast.of(
            [Run.open(folder) for folder in runs or log.folders], log.task, log.objects, () if runs else log.checkpoints
        )
        return [_live_again(cast, log, episode, to_the_end=bool(runs)) for episode in log.episodes]
    except RunError:
        raise
    except ValueError as error:
        raise LogError(f"{log.path} cannot be replayed: {error}") from None


def _live_again(cast: Cast, log: Log, episode: Episode, to_the_end: bool) -> Replayed:
    """An episode once more, for as long as it was logged or until it ends by itself."""
    role = cast.role(episode.role.system, episode.role.planner)
    session = Session(cast, episode.layout_seed, role, episode.latency, log.limit)
    coming = list(episode.interventions)
    while not session.verdict and (to_the_end or session.ticks < episode.ticks):
        while coming and coming[0][0] == session.ticks:
            session.ask(coming.pop(0)[1])
        session.tick()
    done = Replayed(episode, session.episode.outcome, session.recorded().state)
    session.close()
    return done


def text(replayed: Sequence[Replayed]) -> str:
    """A replay in a few lines."""
    lines = []
    for one in replayed:
        episode = one.episode
        count, seconds = len(episode.interventions), episode.ticks * TICK
        how = "the same final state as live" if one.same else "as live, but not to the last bit"
        if one.outcome != episode.outcome:
            how = f"live, it was {episode.outcome}"
        lines.append(
            f"layout seed {episode.layout_seed}, {episode.role.text}, {seconds:.1f} s, "
            f"{count} intervention{'s' * (count != 1)}: {one.outcome}; {how}"
        )
    return "\n".join(lines)


def why_different(log: Log) -> str:
    """What has changed since a log was written, in a few words; empty where nothing has."""
    changed = [f"{name} was {was} and is {version(name)}" for name, was in log.packages.items() if version(name) != was]
    for path, run in zip(log.checkpoints, log.runs, strict=True):
        if fingerprint(path) != run["policy"]:
            changed.append(f"{path} is not the policy that acted")
    return "; ".join(changed)
