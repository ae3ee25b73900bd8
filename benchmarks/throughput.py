"""Environment steps a second, and their share of what bare physics does on the same machine at the same time.

Bare physics is a loop over `mj_step` alone, with one `MjData` a world and one Python thread for each thread of the
environment (MuJoCo releases the interpreter's lock), on the same model, from the same start states and with the
controls that the environment's random actions led to. Blocks of both alternate, so that a busy machine slows both;
the ratio is that of neighbouring blocks. Resets count as time of the environment.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np

from envs.registration import TASK_NAMES, env_id
from envs.scene import SUBSTEPS, TICK
from envs.vector import DuetVectorEnv
from evaluation.cli import check_place, fail, parse, run_command
from evaluation.run import machine, write_json

Block = Callable[[], None]  # one episode of all worlds


@dataclass(frozen=True)
class Options:
    """What to measure."""

    tasks: tuple[str, ...] = TASK_NAMES
    """Tasks to step."""
    num_worlds: tuple[int, ...] = (1, 256)
    """Worlds stepped together; 1 is also measured through `gym.make`."""
    threads: int = 0
    """Threads of the physics; 0 means one for every CPU."""
    rounds: int = 5
    """Pairs of blocks, one of the environment and one of bare physics."""
    steps: int = 4000
    """Environment steps in a block, at least; whole episodes."""
    json: Path | None = None
    """File for the rows."""


def main() -> int:
    """Returns the exit code: 0 only when all went well."""
    options = parse(Options, __doc__)
    rows = []
    try:
        if options.json is not None:
            check_place(options.json)
        for task in options.tasks:
            for num_worlds in options.num_worlds:
                rows += _measure(task, num_worlds, options)
    except ValueError as error:
        return fail(error)
    _print(rows)
    if options.json is not None:
        write_json(options.json, rows)
    return 0


def _measure(task: str, num_worlds: int, options: Options) -> list[dict[str, Any]]:
    # average objects in every world, so that one model serves all
    kwargs: dict[str, Any] = {"threads": options.threads, "randomize": False}
    env = DuetVectorEnv(num_worlds, task=task, autoreset=False, **kwargs)
    layouts = {"layout_seeds": np.arange(num_worlds)}
    shape = (env.max_ticks, num_worlds, len(env.action_names))
    actions = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    env.reset(options=layouts)
    starts, controls = env.physics.arrays["qpos"].copy(), []
    for action in actions:
        env.step(action)
        controls.append(env.physics.arrays["ctrl"].copy())
    bare = _bare(env.physics.view(0)[0], starts, np.stack(controls), env.physics.threads)

    def batch() -> None:
        env.reset(options=layouts)
        for action in actions:
            env.step(action)

    blocks = {"DuetVectorEnv": batch}
    if num_worlds == 1:
        one = gym.make(env_id(task), **kwargs)

        def single() -> None:
            one.reset(options={"layout_seed": 0})
            for action in actions[:, 0]:
                one.step(action)

        blocks["gym.make"] = single
    episodes = -(-options.steps // (env.max_ticks * num_worlds))
    rows = []
    for interface, block in blocks.items():
        block()
        bare()
        seconds, ratios = [], []
        for _ in range(options.rounds):
            ours, theirs = _seconds(block, episodes), _seconds(bare, episodes)
            seconds.append(ours)
            ratios.append(theirs / ours)
        rate = episodes * env.max_ticks * num_worlds / statistics.median(seconds)
        rows.append(
            {
                "task": task,
                "interface": interface,
                "num_worlds": num_worlds,
                "threads": env.physics.threads,
                "steps_per_second": round(rate, 1),
                "robot_seconds_per_second": round(rate * TICK * env.task.num_arms, 2),
                "ratio_to_physics": round(statistics.median(ratios), 4),
                "ratio_low": round(min(ratios), 4),
                "ratio_high": round(max(ratios), 4),
                "rounds": options.rounds,
                "processor": machine()["processor"],
                "cpus": os.cpu_count(),
                "python": machine()["python"],
                "mujoco": mujoco.__version__,
            }
        )
    return rows


def _bare(model: mujoco.MjModel, starts: np.ndarray, controls: np.ndarray, threads: int) -> Block:
    """Bare physics from `starts` (num_worlds, nq) under `controls` (ticks, num_worlds, nu)."""
    worlds = [mujoco.MjData(model) for _ in starts]

    def step(first: int) -> None:
        mine = range(first, len(worlds), threads)
        for world in mine:
            mujoco.mj_resetData(model, worlds[world])
            worlds[world].qpos[:] = starts[world]
        for control in controls:
            for world in mine:
                data = worlds[world]
                data.ctrl[:] = control[world]
                mujoco.mj_step(model, data, SUBSTEPS)

    def block() -> None:
        crew = [Thread(target=step, args=(first,)) for first in range(threads)]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()

    return block


def _seconds(block: Block, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        block()
    return time.perf_counter() - start


def _print(rows: list[dict[str, Any]]) -> None:
    print("| task | interface | worlds | threads | steps/s | robot-seconds/s | of bare physics | lowest to highest |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['task']} | {row['interface']} | {row['num_worlds']} | {row['threads']} "
            f"| {row['steps_per_second']:,.0f} | {row['robot_seconds_per_second']:,.0f} "
            f"| {row['ratio_to_physics']:.0%} | {row['ratio_low']:.0%} to {row['ratio_high']:.0%} |"
        )
    where = machine()
    print(f"\n{where['processor']}, {where['cpus']} CPUs, Python {where['python']}, MuJoCo {mujoco.__version__}")


if __name__ == "__main__":
    run_command(main)
