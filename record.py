"""Film trained runs, one or side by side, or the random, zero or expert policy on a task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from envs.names import check_name
from envs.rendering import choose_backend
from envs.vector import DuetVectorEnv
from evaluation.cli import FAILED, check_place, fail, parse, run_command
from evaluation.evaluate import parse_seeds
from evaluation.film.picks import BEST, FAILURES, WORST, Archive, pick
from evaluation.film.shots import (
    Pick,
    check_cameras,
    condition_of,
    contenders_of,
    counted_of,
    failures_of,
    shots_of,
    tasks_of,
    title_of,
)
from evaluation.film.video import KINDS, SPEEDS, OutcomeDiffers, Shot, Style, Title, film, side_file
from evaluation.perturbations import make_perturbation
from evaluation.run import Run
from policies.agents import Agent, ExpertAgent, SingleAgent

_POLICIES = ("random", "zero", "expert")
_LAYOUTS = {".mp4": "0:5", ".gif": "0:1"}
_MOST_BESIDE = 4  # episodes side by side


@dataclass(frozen=True)
class Options:
    """What to film."""

    run: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Run folders, several side by side on the same layouts; or name a task and a policy."""
    task: str | None = None
    """Task, for a policy that is not learned; or one of those that the runs have learned."""
    policy: str | None = None
    """random, zero or expert (which None means)."""
    objects: int | None = None
    """How many objects, in tasks that leave a choice; not for runs."""
    layout_seeds: str | None = None
    """A:B for one episode on each layout with a seed from A to B - 1, of each task that the runs have learned; None is
    0:5, or 0:1 for a gif."""
    comparison: Path | None = None
    """Folder of a comparison to pick episodes out of; name runs too if they have been moved since."""
    contender: tuple[str, ...] = ()
    """Who of the comparison, by name, several side by side. Episodes are picked by how the first one did."""
    condition: str = "undisturbed"
    """Which of the comparison's conditions."""
    best: int | None = None
    """So many of the fastest successes of a comparison."""
    worst: int | None = None
    """So many of the episodes that got least far."""
    failures: int | None = None
    """So many of the failures, in the order of their layouts; of a comparison, or of a run's evaluation."""
    perturb: str | None = None
    """What happens to the episodes, such as knock; faults of System 2 may have a strength, such as latency=2."""
    camera: tuple[str, ...] = ("front",)
    """front, side, top, overview, arm0/wrist or arm1/wrist; with several, each new stage is seen by the next one."""
    inset: str | None = None
    """One more camera, as a small picture."""
    speed: float = 1.0
    """0.5 is slow motion, 2 and 4 are fast."""
    titles: bool = True
    """Cards with titles before the film and between episodes."""
    out: Path | None = None
    """File to write, mp4 or gif; None puts it into the (first) run folder or the comparison's, or names it after task
    and policy. Beside it, NAME.json says which frames show which episode."""


@dataclass(frozen=True)
class Scene:
    """What is filmed, and where to."""

    shots: Iterable[Sequence[Shot]]
    tasks: tuple[str, ...]
    out: Path
    title: Title
    robot: str = "panda"
    beside: int = 1


def main() -> int:
    """Returns the exit code: 0 only when all went well."""
    options = parse(Options, __doc__)
    try:
        _check(options)
        scene = _scene(options)
        check_cameras([*options.camera, *([options.inset] if options.inset else [])], scene.tasks, scene.robot)
        if scene.beside > _MOST_BESIDE:
            raise ValueError(f"{scene.beside} side by side are too many to see anything; film at most {_MOST_BESIDE}")
        check_place(scene.out)
        style = Style(options.camera, options.inset, options.speed, titles=options.titles)
    except ValueError as error:
        return fail(error)
    try:
        choose_backend()
        filmed = film(scene.shots, scene.out, style, scene.title)
    except ValueError as error:
        return fail(error)
    except (OutcomeDiffers, RuntimeError, OSError) as error:  # not what was counted, no backend, no encoder, no room
        return fail(error, FAILED)
    for one in filmed:
        where = f", {one.task}" if len(scene.tasks) > 1 else ""
        who = f", {one.contender}" if scene.beside > 1 else ""
        checked = f" (as in {one.counted_in})" if one.counted_in else ""
        print(f"layout seed {one.layout_seed}{where}{who}: {'success' if one.success else 'failed'}{checked}")
    print(f"video  {scene.out}\nframes {side_file(scene.out)}")
    return 0


def _check(options: Options) -> None:
    """Whether the options agree.

    Raises:
        ValueError: they do not.
    """
    if not SPEEDS[0] <= options.speed <= SPEEDS[1]:
        raise ValueError(f"the speed must be from {SPEEDS[0]:g} to {SPEEDS[1]:g}, not {options.speed:g}")
    if not options.camera:
        raise ValueError("name a camera with --camera")
    if options.out is not None and options.out.suffix not in KINDS:
        raise ValueError(f"a video is written as {' or '.join(KINDS)}, not as {options.out.name!r}")
    picks = {name: getattr(options, name) for name in (BEST, WORST, FAILURES) if getattr(options, name) is not None}
    if len(picks) > 1 or (picks and options.layout_seeds is not None):
        raise ValueError("episodes are picked in one way: --best, --worst, --failures or --layout-seeds")
    if picks and min(picks.values()) < 1:
        raise ValueError(f"--{next(iter(picks))} takes a number of episodes, from 1 on")
    if options.failures is not None and options.perturb is not None:
        raise ValueError("failures of a run are those where nothing happened; leave out --perturb, or --failures")
    of_runs = bool(options.run) or options.comparison is not None
    if of_runs and (options.policy is not None or options.objects is not None):
        raise ValueError("a run has a policy of its own; leave out --policy and --objects, or the run")
    if not of_runs and options.task is None:
        raise ValueError("name a run folder, a comparison with --comparison, or a task with --task")
    if not of_runs and picks:
        raise ValueError(f"--{next(iter(picks))} picks out of what was counted; name a run folder or a comparison")
    if options.comparison is None and (options.contender or options.condition != "undisturbed"):
        raise ValueError("--contender and --condition are those of a comparison; name its folder with --comparison")
    if options.comparison is not None and options.perturb is not None:
        raise ValueError("a comparison has conditions of its own; name one with --condition instead of --perturb")


def _scene(options: Options) -> Scene:
    if options.comparison is not None:
        return _of_comparison(options, options.comparison)
    return _of_runs(options) if options.run else _of_policy(options)


def _way(options: Options) -> tuple[str, int]:
    """How episodes are picked, and how many."""
    for name in (BEST, WORST, FAILURES):
        count = getattr(options, name)
        if count is not None:
            return name, count
    return "", 0


def _layouts(options: Options) -> np.ndarray:
    suffix = ".mp4" if options.out is None else options.out.suffix
    return parse_seeds(options.layout_seeds or _LAYOUTS[suffix])


def _name(options: Options, start: str = "video") -> str:
    """Of the film, where none is given."""
    which, count = _way(options)
    layouts = f"{which}-{count}" if which else (options.layout_seeds or _LAYOUTS[".mp4"])
    condition = options.perturb or (options.condition if options.condition != "undisturbed" else None)
    parts = (start, *options.camera, layouts, condition, None if options.speed == 1 else f"{options.speed:g}x")
    text = "-".join(part for part in parts if part)
    return "".join(c if c.isalnum() or c in "-._" else "-" for c in text) + ".mp4"


def _of_comparison(options: Options, folder: Path) -> Scene:
    archive = Archive.open(folder, options.run)
    contenders, condition = archive.contenders(options.contender), archive.condition(options.condition)
    tasks = archive.comparison.tasks
    if options.task is not None:
        tasks = (check_name("task of this comparison", options.task, tasks),)
    tasks = tuple(task for task in tasks if condition in archive.comparison.conditions[task])
    if not tasks:
        raise ValueError(f"{options.task} has no condition {condition.name!r} in this comparison")
    which, count = _way(options)
    if which:
        picks = pick(archive.columns, contenders[0].name, condition.name, tasks, which, count)
    else:
        picks = [Pick(task, seed) for task in tasks for seed in _layouts(options).tolist()]
    return Scene(
        shots_of(contenders, picks, condition, archive.counted()),
        tasks,
        options.out or folder / _name(options, "-".join(("video", *options.contender))),
        archive.title(contenders, condition, tasks),
        contenders[0].runs[0].config.robot,
        len(contenders),
    )


def _of_runs(options: Options) -> Scene:
    runs = [Run.open(folder) for folder in options.run]
    contenders = contenders_of(runs)
    tasks = tasks_of(runs)
    if options.task is not None:
        tasks = (check_name("task of these runs", options.task, tasks),)
    which, count = _way(options)
    if which == BEST:
        raise ValueError("how fast an episode was is counted in comparisons alone; name one with --comparison")
    if which:
        failed = [(task, seed) for task in tasks for seed in failures_of(runs[0], task)]
        picks = [Pick(task, seed, note=f"{contenders[0].name} failed") for task, seed in failed]
        if not picks:
            raise ValueError(f"{runs[0].folder} has no failure in its evaluation to show")
        picks = picks[:count]
    else:
        picks = [Pick(task, seed) for task in tasks for seed in _layouts(options).tolist()]
    conditions = {task: condition_of(options.perturb, task, runs) for task in tasks}
    condition = conditions[tasks[0]]
    return Scene(
        shots_of(contenders, picks, condition, counted_of(contenders)),
        tasks,
        options.out or runs[0].folder / _name(options),
        title_of(runs, condition),
        runs[0].config.robot,
        len(runs),
    )


def _of_policy(options: Options) -> Scene:
    task, seeds = str(options.task), _layouts(options)
    policy = check_name("policy", options.policy or "expert", _POLICIES)
    perturbation = None if options.perturb is None else make_perturbation(options.perturb, task)
    changes = {} if perturbation is None else perturbation.world_changes
    env = DuetVectorEnv(1, task=task, num_objects=options.objects, autoreset=False, **changes)
    agent = _agent(policy, env)
    actor = "scripted expert" if policy == "expert" else f"{policy} policy"
    return Scene(
        [
            (Shot(env, agent, seed, policy, actor, options.perturb or "undisturbed", perturbation=perturbation),)
            for seed in seeds.tolist()
        ],
        (task,),
        options.out or Path(f"{task}-{policy}.mp4"),
        Title(task, (actor,)),
    )


def _agent(policy: str, env: DuetVectorEnv) -> Agent:
    if policy == "expert":
        return ExpertAgent()
    shape = env.action_space.shape
    assert shape is not None
    if policy == "zero":
        return SingleAgent(lambda _: np.zeros(shape))
    random = np.random.default_rng(0)
    return SingleAgent(lambda _: random.uniform(-1.0, 1.0, shape))


if __name__ == "__main__":
    run_command(main)
