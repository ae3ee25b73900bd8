"""Film a trained run, or the random, zero or expert policy on a task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import tyro

from envs.names import check_name
from envs.rendering import choose_backend
from envs.vector import DuetVectorEnv
from evaluation.cli import FAILED, check_place, fail, parse, run_command
from evaluation.evaluate import parse_seeds
from evaluation.run import Run
from evaluation.video import Shot, film
from policies.agents import Agent, ExpertAgent, SingleAgent

_POLICIES = ("random", "zero", "expert")
_CAMERAS = ("front", "side", "top", "overview", "arm0/wrist")


@dataclass(frozen=True)
class Options:
    """What to film."""

    run: tyro.conf.Positional[Path | None] = None
    """Run folder; or name a task and a policy."""
    task: str | None = None
    """Task, for a policy that is not learned."""
    policy: str | None = None
    """random, zero or expert (which None means)."""
    objects: int | None = None
    """How many objects, in tasks that leave a choice."""
    layout_seeds: str = "0:5"
    """A:B for one episode on each layout with a seed from A to B - 1; of each task that the run has learned."""
    camera: str = "front"
    """front, side, top, overview or arm0/wrist."""
    out: Path | None = None
    """File to write; None puts it into the run folder, or names it after task and policy."""


def main() -> int:
    """Returns the exit code: 0 only when all went well."""
    options = parse(Options, __doc__)
    try:
        seeds = parse_seeds(options.layout_seeds)
        check_name("camera", options.camera, _CAMERAS)
        shots, actor, out = _scene(options, seeds)
        check_place(out)
        if out.suffix not in (".mp4", ".gif"):
            raise ValueError(f"a video is written as .mp4 or .gif, not as {out.name!r}")
    except ValueError as error:
        return fail(error)
    try:
        choose_backend()
        outcomes = film(shots, out, actor, options.camera)
    except (RuntimeError, OSError) as error:  # no backend, no encoder, no room
        return fail(error, FAILED)
    for seed, success in zip(cycle(seeds), outcomes, strict=False):
        print(f"layout seed {seed}: {'success' if success else 'failed'}")
    print(f"video  {out}")
    return 0


def _scene(options: Options, seeds: np.ndarray) -> tuple[Iterable[Shot], str, Path]:
    """The episodes, who acts in them, and where the film goes."""
    if options.run is not None:
        if options.task is not None or options.policy is not None or options.objects is not None:
            raise ValueError(
                "a run has a task and a policy of its own; leave out --task, --policy and --objects, or the run"
            )
        run = Run.open(options.run)
        run.policy()  # it is damaged now or never
        name = f"video-{options.camera.replace('/', '-')}-{options.layout_seeds.replace(':', '-')}.mp4"
        return run.shots(seeds), run.actor, options.out or run.folder / name
    if options.task is None:
        raise ValueError("name a run folder, or a task with --task")
    policy = check_name("policy", options.policy or "expert", _POLICIES)
    env = DuetVectorEnv(1, task=options.task, num_objects=options.objects, autoreset=False)
    out = options.out or Path(f"{options.task}-{policy}.mp4")
    agent = _agent(policy, env)
    actor = "scripted expert" if policy == "expert" else f"{policy} policy"
    return [Shot(env, agent, int(seed)) for seed in seeds], actor, out


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
