"""Compare systems on the same layouts and disturbances: name runs, or a task to train what is missing first."""

from __future__ import annotations

import dataclasses
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from envs.rendering import RenderingUnavailable, choose_backend
from evaluation import archive
from evaluation.cli import FAILED, INTERRUPTED, fail, parse, run_command
from evaluation.comparison import Comparison, check_plan
from evaluation.curves import curves_of
from evaluation.evaluate import parse_seeds
from evaluation.ledger import gather
from evaluation.report import check_installed, write_report
from evaluation.request import Request, check_request
from evaluation.results import results_of
from evaluation.run import RunError, write_json
from evaluation.summary import plain_verdicts, summary_of
from evaluation.timings import timings_of
from evaluation.trainings import Training, TrainingFailed, train_missing, trainings_of
from evaluation.working import evaluate_cells, read_outcomes, unfinished
from policies.files import written_whole

_EPISODES = 200
_MOST_JOBS = 256
_FILM_SPEED = 2.0  # times real time: drawing is what takes longest here


@dataclass(frozen=True)
class Options(Request):
    """What to compare."""

    run: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Run folders; or name a task with --task, to train what is missing."""
    episodes: int | None = None
    """Layouts that every system meets in every condition; None means 200."""
    systems: tuple[str, ...] = ("single", "dual")
    """What to train, without run folders."""
    seeds: int = 3
    """Trainings of each system, with seeds from 0 on, without run folders."""
    steps: int | None = None
    """Environment steps of each training; None takes the tuned number."""
    runs: Path = Path("runs")
    """Folder of the trainings, as TASK-SYSTEM-seedN; those that are there are not repeated."""
    out: Path | None = None
    """Folder for the comparison; None means runs/compare-TASK. One that was interrupted there goes on."""
    jobs: int = 1
    """Trainings and evaluations at once, each in a process of its own."""
    video: bool = True
    """Film the systems side by side."""

    def request(self) -> Request:
        """What is compared, without how.

        Raises:
            ValueError: it makes no sense.
        """
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(Request)}
        if values["layout_seeds"] is None:
            values["layout_seeds"] = f"0:{self.episodes or _EPISODES}"
        elif self.episodes not in (None, len(parse_seeds(values["layout_seeds"]))):
            raise ValueError(
                f"--layout-seeds {self.layout_seeds} are not {self.episodes} episodes; leave out one of them"
            )
        request = Request(**values)
        check_request(request)
        return request


def main() -> int:
    """Returns the exit code: 0 only when all went well."""
    options = parse(Options, __doc__)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        archive.check_pyarrow()
        check_installed()
        request, trainings = options.request(), _trainings(options)
        asked = archive.Asked(options.run or tuple(t.folder for t in trainings), request, tuple(sys.argv[1:]))
        comparison = None
        if all(training.finished for training in trainings):
            comparison = Comparison.of(asked.folders, request)
        else:
            check_plan(request, request.task, options.systems)
        if options.video:
            _warn_of_no_film()
        out = _place(options, comparison.tasks if comparison else request.task)
        if comparison is not None:
            _check(comparison, out)
    except ValueError as error:
        return fail(error)
    try:
        archive.write_request(out, asked)
        if comparison is None:
            train_missing(trainings, options.jobs, _say)
            comparison = Comparison.of(asked.folders, request)
            _check(comparison, out)
        return _compare(comparison, asked, out, options)
    except KeyboardInterrupt:
        print(f"\nStopped. What is finished is kept in {out}; go on with the same command:\n  {asked.line}", flush=True)
        return INTERRUPTED
    except (ValueError, TrainingFailed) as error:
        return fail(f"{error}; what is finished is kept, go on with the same command", FAILED)
    except OSError as error:
        return fail(f"{error.filename or 'the output'} cannot be written: {error.strerror or error}", FAILED)


def _warn_of_no_film() -> None:
    try:
        choose_backend()
    except RenderingUnavailable as error:
        _say(f"There will be no video: {error}")


def _say(text: str) -> None:
    print(text, flush=True)


def _trainings(options: Options) -> list[Training]:
    if not 1 <= options.jobs <= _MOST_JOBS:
        raise ValueError(f"jobs must be from 1 to {_MOST_JOBS}, not {options.jobs}")
    if options.run:
        odd = [
            name
            for name, usual in (("systems", Options.systems), ("seeds", Options.seeds), ("steps", None))
            if getattr(options, name) != usual
        ]
        if odd:
            raise ValueError(
                f"runs that are named are compared as they are; leave out --{', --'.join(odd)}, or the runs"
            )
        return []
    if not options.task:
        raise ValueError("name two runs or more, or a task with --task to train what is missing")
    return trainings_of(options.task, options.systems, options.seeds, options.steps, options.runs)


def _place(options: Options, tasks: tuple[str, ...]) -> Path:
    """The folder of the comparison, which can be written."""
    out = options.out or options.runs / f"compare-{'-'.join(tasks)}"
    try:
        if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / archive.REQUEST).is_file())):
            raise RunError(f"{out} exists and holds no comparison; name another folder with --out")
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{out} cannot be written: {error.strerror or error}") from None
    return out


def _check(comparison: Comparison, out: Path) -> None:
    """Whether all that is read at the end is whole, before the work."""
    unfinished(comparison, out)
    gather(comparison.contenders)
    curves_of(comparison.contenders)


def _compare(comparison: Comparison, asked: archive.Asked, out: Path, options: Options) -> int:
    if unfinished(comparison, out):
        (out / archive.RESULTS).unlink(missing_ok=True)  # of another time
    evaluate_cells(comparison, out, options.jobs, _say)
    outcomes, ledgers = read_outcomes(comparison, out), gather(comparison.contenders)
    results = results_of(comparison, outcomes, ledgers)
    archive.write_episodes(out / archive.EPISODES, comparison, outcomes)
    write_json(out / archive.LEDGERS, ledgers)
    _say("measuring how long decisions take")
    write_json(out / archive.TIMINGS, timings_of(comparison))
    with written_whole(out / archive.SUMMARY) as aside:
        aside.write_text(summary_of(comparison, results, asked))
    known = (out / archive.RESULTS).read_bytes() if (out / archive.RESULTS).exists() else b""
    write_json(out / archive.RESULTS, results)
    filmed = known == (out / archive.RESULTS).read_bytes() and any((out / archive.VIDEOS).glob("*.mp4"))
    code = _film(comparison, out) if options.video and not filmed else 0
    code = _report(out) or code
    print()
    for sentence in plain_verdicts(results):
        print(sentence)
    print(
        f"\nsummary  {out / archive.SUMMARY}\nresults  {out / archive.RESULTS}\nreport   {out / 'report.html'}",
        flush=True,
    )
    return code


def _film(comparison: Comparison, out: Path) -> int:
    """Film the systems side by side; returns the exit code."""
    from evaluation.film.comparison import write_films  # as the report: not needed where neither is asked for

    _say("filming")
    try:
        write_films(comparison, archive.read_episodes(out), out, layouts=1, speed=_FILM_SPEED)
    except (RuntimeError, OSError) as error:  # no backend, no encoder, no room, or not what was counted
        return fail(f"no video: {error} (or compare with --no-video)", FAILED)
    return 0


def _report(out: Path) -> int:
    """Write the report; returns the exit code."""
    _say("writing the report")
    try:
        write_report(out)
    except (ValueError, OSError) as error:
        return fail(f"no report: {error}", FAILED)
    return 0


if __name__ == "__main__":
    run_command(main)
