"""How long the systems take to decide, one world at a time, as on a robot. Wall-clock: of this machine, on this day."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

import numpy as np

from evaluation.comparison import Comparison
from evaluation.contenders import CannotAct
from evaluation.curves import curves_of
from evaluation.evaluate import parse_seeds
from evaluation.results import rounded

_EPISODES = 3
_FIRST = 5  # ticks that warm caches up and are not counted


def timings_of(comparison: Comparison) -> dict[str, Any]:
    """What `timings.json` holds: how long a tick and a plan take for each contender, and learning over time.

    In seconds: median, 99th percentile and longest, over a few undisturbed episodes of the first task. The tick is all
    that happens between an observation and its actions, but for the planner.
    """
    found: dict[str, Any] = {}
    for contender in comparison.contenders:
        task = comparison.tasks[0]
        seed = contender.seeds(task)[0]
        ticks: list[float] = []
        plans: list[float] = []
        with closing(contender.make_env(task, seed, 1, threads=1)) as env:
            try:
                agent = contender.agent(env, task, seed)
            except CannotAct:
                continue
            for layout in parse_seeds(comparison.layout_seeds)[:_EPISODES]:
                observation, _ = env.reset(options={"layout_seeds": [layout]})
                agent.begin(env)
                thought, over, own = 0, False, []
                if agent.runtime is not None:  # the first plan was made before the first tick
                    thought = len(agent.runtime.plan_seconds)
                while not over:
                    began = time.perf_counter()
                    actions = agent.act(observation)
                    taken = time.perf_counter() - began
                    if agent.runtime is not None:
                        taken -= sum(agent.runtime.plan_seconds[thought:])
                        thought = len(agent.runtime.plan_seconds)
                    own.append(taken)
                    observation, _, terminated, truncated, _ = env.step(actions)
                    over = bool(terminated[0] or truncated[0])
                ticks += own[_FIRST:]
                if agent.runtime is not None:
                    plans += agent.runtime.plan_seconds
        found[contender.name] = {"tick": _spread(ticks), "planner": _spread(plans) if plans else None}
    found["curves"] = [
        {
            "contender": curve.contender,
            "task": curve.task,
            "seed": curve.seed,
            "seconds": curve.seconds.tolist(),
            "success": curve.success.tolist(),
            "area": curve.area(curve.seconds),
        }
        for curve in curves_of(comparison.contenders)
    ]
    return rounded(found)


def _spread(seconds: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(seconds, (50, 99))
    return {"p50": float(p50), "p99": float(p99), "max": max(seconds)}
