"""Film a trained run, or the random, zero or expert policy on a task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from envs.names import check_name
from envs.rendering import choose_backend
from envs.vector import DuetVectorEnv
from evaluation.cli import FAILED, check_place, fail, parse, run_command
from evaluation.evaluate import parse_seeds
from evaluation.rollout import Act
from evaluation.run import Run
from evaluation.video import film
from policies.expert import Expert

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
    layout_seeds: str = "0:5"
    """A:B for one episode on each layout with a seed from A to B - 1."""
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
        env, act, actor, out = _scene(options)
        check_place(out)
        if out.suffix not in (".mp4", ".gif"):
            raise ValueError(f"a video is written as .mp4 or .gif, not as {out.name!r}")
    except ValueError as error:
        return fail(error)
    try:
        choose_backend()
        outcomes = film(env, act, out, seeds, actor, options.camera)
    except (RuntimeError, OSError) as error:  # no backend, no encoder, no room
        return fail(error, FAILED)
    finally:
        env.close()
    for seed, success in zip(seeds, outcomes, strict=True):
        print(f"layout seed {seed}: {'success' if success else 'failed'}")
    print(f"video  {out}")
    return 0


def _scene(options: Options) -> tuple[DuetVectorEnv, Act, str, Path]:
    """The world, who acts in it, how they are called, and where the film goes."""
    if options.run is not None:
        if options.task is not None or options.policy is not None:
            raise ValueError("a run has a task and a policy of its own; leave out --task and --policy, or the run")
        run = Run.open(options.run)
        learned = run.policy()
        name = f"video-{options.camera.replace('/', '-')}-{options.layout_seeds.replace(':', '-')}.mp4"
        env = run.make_env(num_envs=1, autoreset=False)
        return env, learned.act, f"{run.config.algorithm} policy", options.out or run.folder / name
    if options.task is None:
        raise ValueError("name a run folder, or a task with --task")
    policy = check_name("policy", options.policy or "expert", _POLICIES)
    env = DuetVectorEnv(1, task=options.task, autoreset=False)
    out = options.out or Path(f"{options.task}-{policy}.mp4")
    if policy == "expert":
        expert = Expert(env)
        return env, lambda _: expert.act(), "scripted expert", out
    shape = env.action_space.shape
    assert shape is not None
    if policy == "zero":
        return env, lambda _: np.zeros(shape), "zero policy", out
    random = np.random.default_rng(0)
    return env, lambda _: random.uniform(-1.0, 1.0, shape), "random policy", out


if __name__ == "__main__":
    run_command(main)
