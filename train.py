"""Train an agent, evaluate it on layouts that it has not seen, and film it. Everything goes into one run folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from envs.rendering import RenderingUnavailable, choose_backend
from evaluation.cli import FAILED, INTERRUPTED, fail, parse, run_command
from evaluation.evaluate import FIRST_SEED, evaluate, text
from evaluation.film.shots import Pick, contenders_of, counted_of, shots_of, title_of
from evaluation.film.video import film
from evaluation.run import EVALUATION, VIDEO, Run, RunError, write_json
from policies.system1.checkpoint import CheckpointError
from policies.system1.config import TrainConfig
from policies.system1.training import Interrupted, train

_VIDEO_EPISODES = 5


@dataclass(frozen=True)
class Options(TrainConfig):
    """Options of a training. Those that are None are taken from the tuned settings of the task and algorithm."""

    out: Path | None = None
    """Run folder; None makes one in runs/."""
    resume: Path | None = None
    """Run folder of an interrupted training to go on with, as its own configuration says."""


def main() -> int:
    """Returns the exit code: 0 only when all went well."""
    options = parse(Options, __doc__)
    try:
        run = _run(options)
    except ValueError as error:
        return fail(error)
    if run.config.video:
        try:
            choose_backend()
        except RenderingUnavailable as error:
            print(f"There will be no video: {error}", flush=True)
    print(f"Training {run.actor} on {run.config.task} into {run.folder}", flush=True)
    try:
        train(run.config, run.folder, resume=options.resume is not None)
    except Interrupted:
        print(f"Stopped and saved. Go on with: python train.py --resume {run.folder}")
        return INTERRUPTED
    except KeyboardInterrupt:
        if run.resumable:
            print(f"Stopped at once. Go on from the last checkpoint with: python train.py --resume {run.folder}")
        else:
            shutil.rmtree(run.folder)  # all of it was made a moment ago
            print(f"Stopped before anything was learned; {run.folder} is removed.")
        return INTERRUPTED
    except CheckpointError as error:
        return fail(error)
    except OSError as error:
        return fail(f"the training stopped, since {run.folder} cannot be written: {error.strerror or error}", FAILED)
    return _finish(run)


def _run(options: Options) -> Run:
    if options.resume is None:
        own = {field.name: getattr(options, field.name) for field in fields(TrainConfig)}
        return Run.create(TrainConfig(**own).resolved(), options.out)
    run = Run.open(options.resume)
    run.check_resumable()
    changed = [field.name for field in fields(Options) if getattr(options, field.name) != field.default]
    if changed != ["resume"]:
        raise RunError(
            f"a resumed run keeps its configuration; leave out: {', '.join(c for c in changed if c != 'resume')}"
        )
    return run


def _finish(run: Run) -> int:
    seeds = np.arange(FIRST_SEED, FIRST_SEED + run.config.episodes)
    result = evaluate(run, seeds)
    write_json(run.folder / EVALUATION, result)
    print(f"\n{text(result)}")
    print(f"trained in {result['train_seconds'] / 60:.1f} minutes, {result['train_steps']:,} steps\n")
    print(f"run folder  {run.folder}\nevaluation  {run.folder / EVALUATION}", flush=True)
    code = 0
    if run.config.video:
        try:
            layouts = seeds[: max(1, _VIDEO_EPISODES // len(run.config.tasks))].tolist()
            picks = [Pick(task, layout) for task in run.config.tasks for layout in layouts]
            contenders = contenders_of([run])
            shots = shots_of(contenders, picks, counted=counted_of(contenders))
            film(shots, run.folder / VIDEO, title=title_of([run]))
            print(f"video       {run.folder / VIDEO}")
        except (RuntimeError, OSError) as error:  # no backend, no encoder, no room
            code = fail(f"no video: {error} (or train with --no-video)", FAILED)
    print(f"\nNext: python record.py {run.folder}   python -m evaluation {run.folder} --layout-seeds 1000:2000")
    return code


if __name__ == "__main__":
    run_command(main)
