"""How long a decision takes, for one world on one CPU thread: System 1 for all arms at once, and a plan of System 2."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from envs.vector import DuetVectorEnv
from evaluation.cli import check_place, fail, parse, run_command
from evaluation.run import machine, write_json
from policies.agents import DualAgent
from policies.system1.algorithms import build
from policies.system1.commanded import observe
from policies.system1.config import TrainConfig
from policies.system1.policy import LearnedPolicy
from policies.system1.worlds import make_worlds
from policies.system2.grounding import Ground
from policies.system2.plan import estimates
from policies.system2.search import forget
from policies.system2.symbolic import Estimate, SymbolicPlanner

_WARM_UP = 50  # decisions that are not counted
_TASKS = (("Handover", None), ("HandoverPlace", None), ("Relay", 3), ("Relay", 4), ("Tidy", 3), ("Tidy", 8))


@dataclass(frozen=True)
class Options:
    """What to measure."""

    decisions: int = 2000
    """Of System 1."""
    layouts: int = 10
    """Episodes a task, from whose every tick a plan is made."""
    json: Path | None = None
    """File for the results."""


def main() -> int:
    """Returns the exit code: 0 only when all went well."""
    options = parse(Options, __doc__)
    try:
        if options.json is not None:
            check_place(options.json)
        if min(options.decisions, options.layouts) < 1:
            raise ValueError("decisions and layouts must be at least 1")
    except ValueError as error:
        return fail(error)
    torch.set_num_threads(1)
    rows = [_system1(options.decisions)]
    for task, objects in _TASKS:
        rows += _system2(task, objects, options.layouts)
    print("| what | task | median | 99th percentile | largest | how many |\n|---|---|---|---|---|---|")
    for row in rows:
        times = (f"{row[name] * 1e3:.3f} ms" for name in ("median", "p99", "largest"))
        print(f"| {row['what']} | {row['task']} | {' | '.join(times)} | {row['count']} |")
    where = machine()
    print(f"\n{where['processor']}, {where['cpus']} CPUs, Python {where['python']}")
    if options.json is not None:
        write_json(options.json, {"machine": where, "rows": rows})
    return 0


def _row(what: str, task: str, seconds: list[float]) -> dict[str, Any]:
    median, p99, largest = np.percentile(seconds, (50, 99, 100))
    return {"what": what, "task": task, "median": median, "p99": p99, "largest": largest, "count": len(seconds)}


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _system1(decisions: int) -> dict[str, Any]:
    """Both arms of one world, from what they see to their actions; how well they act does not matter here."""
    config = TrainConfig(task="Handover", system="dual").resolved()
    policy = LearnedPolicy(build(config, make_worlds(config, 1, 1), to_train=False), steps=0, seconds=0.0)
    env = DuetVectorEnv(1, task="Handover", threads=1, autoreset=False)
    agent = DualAgent(SymbolicPlanner(), policy.act)
    seconds = []
    for tick in range(decisions + _WARM_UP):
        if tick % env.max_ticks == 0:
            observation, _ = env.reset(options={"layout_seeds": [tick]})
            agent.begin(env)
        assert agent.runtime is not None
        actors = agent.runtime.actors
        seconds.append(_timed(lambda actors=actors: policy.act(observe(actors))))  # type: ignore[misc]
        observation, *_ = env.step(agent.act(observation))
    env.close()
    return _row("System 1, two arms", "Handover", seconds[_WARM_UP:])


def _system2(task: str, objects: int | None, layouts: int) -> list[dict[str, Any]]:
    """Plans from every tick of episodes with the scripted System 1: searched anew, remembered, and the memory alone."""
    env = DuetVectorEnv(layouts, task=task, num_objects=objects, threads=1, autoreset=False)
    planner, agent = SymbolicPlanner(), DualAgent(SymbolicPlanner())
    observation, _ = env.reset(options={"layout_seeds": np.arange(layouts)})
    agent.begin(env)
    anew, again, known = [], [], []
    for tick in range(env.max_ticks):
        for seen in estimates(env.scene, env.task, env.world(), range(layouts))[tick % layouts : tick % layouts + 1]:
            forget()
            anew.append(_timed(lambda seen=seen: planner.plan(*seen)))  # type: ignore[misc]
            again.append(_timed(lambda seen=seen: planner.plan(*seen)))  # type: ignore[misc]
            problem = Estimate(Ground(*seen), seen[1]).problem
            known.append(_timed(lambda problem=problem: planner.actions(problem)))  # type: ignore[misc]
        observation, *_ = env.step(agent.act(observation))
    name = f"{task} ({len(env.scene.objects)} objects)"
    env.close()
    kinds = (("a new plan", anew), ("a known plan", again), ("looking a known plan up", known))
    return [_row(f"System 2, {kind}", name, seconds) for kind, seconds in kinds]


if __name__ == "__main__":
    run_command(main)
