"""The evaluation of a run: success on layouts that training never sees."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from envs.layout import EVALUATION_SEEDS
from evaluation.perturbations import make_perturbation
from evaluation.rollout import batches, roll_out
from evaluation.run import Run
from evaluation.statistics import wilson_interval
from policies.system1.policy import LearnedPolicy
from policies.system2.faulty import System2Faults
from policies.system2.planners import make_planner

FIRST_SEED = 0  # the evaluation at the end of a training names the layouts from here on
_MOST_SEEDS = 10**6


def parse_seeds(text: str) -> np.ndarray:
    """`A:B` as the layout seeds from A to B - 1.

    Raises:
        ValueError: it is something else, or names seeds that belong to training.
    """
    first, colon, stop = text.partition(":")
    if not (colon and first.isdecimal() and stop.isdecimal() and int(first) < int(stop) <= EVALUATION_SEEDS):
        raise ValueError(f"layout seeds are A:B with 0 <= A < B <= {EVALUATION_SEEDS}, not {text!r}")
    if int(stop) - int(first) > _MOST_SEEDS:
        raise ValueError(f"{text} names more than {_MOST_SEEDS:,} layouts")
    return np.arange(int(first), int(stop))


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a run is evaluated on, where that is not what it was trained on."""

    task: str | None = None
    """Another task than it was trained on."""
    objects: int | None = None
    """Another number of objects, in tasks that leave a choice."""
    planner: str | None = None
    """Another System 2, for a dual system."""
    planner_file: Path | None = None
    """What a learned planner has learned: see policies/system2/learned.py."""
    latency: float = 0.0
    """(s) that every answer of System 2 is late."""
    jitter: float = 0.0
    """(s) that each answer of System 2 is late by up to so much more."""
    stall: float = 0.0
    """(s) that System 2 answers nothing, from when an object is first held."""
    wrong_plans: float = 0.0
    """Probability that a plan of System 2 is made for another layout's goals."""
    perturb: str | None = None
    """What happens from outside in every episode, by name: see evaluation/perturbations."""
    knock: bool = False
    """Knock an object out of the gripper once in every episode, and count the recoveries."""

    @property
    def faults(self) -> System2Faults:
        """Of System 2.

        Raises:
            ValueError: one that cannot be.
        """
        return System2Faults(self.latency, self.jitter, self.stall, self.wrong_plans)

    @property
    def perturbation(self) -> str | None:
        """The name of what happens from outside, if anything.

        Raises:
            ValueError: two things are named.
        """
        if self.knock and self.perturb not in (None, "knock"):
            raise ValueError(f"one perturbation at a time: leave out --knock or --perturb {self.perturb}")
        return "knock" if self.knock else self.perturb


def evaluate(
    run: Run, layout_seeds: np.ndarray, setting: Setting | None = None, policy: LearnedPolicy | None = None
) -> dict[str, Any]:
    """Roll the run's last policy, or the one given, out without exploration on the layouts of these seeds.

    Returns:
        What `evaluation.json` holds. For a mixture of tasks the counts are over all of them, each with these layout
        seeds, and `tasks` holds the results one by one.

    Raises:
        ValueError: the policy cannot act there.
    """
    setting = setting or Setting()
    names = run.config.tasks if setting.task is None else (setting.task,)
    # what cannot be is said before any work
    what, faults = setting.perturbation, setting.faults
    if what is not None:
        for name in names:
            make_perturbation(what, name)
    if faults and run.config.system == "single":
        raise ValueError(f"{run.folder} is a single system; it has no planner")
    policy = policy or run.policy()
    results = {name: _evaluate_task(run, policy, layout_seeds, name, setting) for name in names}
    head = {
        "task": run.config.task if setting.task is None else setting.task,
        "system": run.config.system,
        "algorithm": run.config.algorithm,
        "planner": setting.planner or run.config.planner,
        "seed": run.config.seed,
    }
    tail = {
        "layout_seeds": f"{int(layout_seeds[0])}:{int(layout_seeds[-1]) + 1}",
        "train_seconds": round(policy.seconds, 1),
        "train_steps": policy.steps,
        "actor_steps": policy.actor_steps,
    }
    if len(results) == 1:
        return head | next(iter(results.values())) | tail
    episodes, successes = (sum(r[key] for r in results.values()) for key in ("episodes", "successes"))
    low, high = wilson_interval(successes, episodes)
    counts = {"episodes": episodes, "successes": successes, "success_rate": successes / episodes}
    stages = {name: r["successes"] for name, r in results.items()}
    pooled = counts | {"wilson_low": low, "wilson_high": high, "stage_counts": stages, "tasks": results}
    return head | pooled | tail


def _evaluate_task(
    run: Run, policy: LearnedPolicy, layout_seeds: np.ndarray, task: str, setting: Setting
) -> dict[str, Any]:
    changes: dict[str, Any] = {"task": task, "autoreset": False}
    what = setting.perturbation
    if setting.objects is not None or task != run.config.task:
        changes["num_objects"] = setting.objects
    parts = []
    for batch in batches(layout_seeds):
        perturbation = None if what is None else make_perturbation(what, task)
        own = {} if perturbation is None else perturbation.world_changes
        env = run.make_env(num_envs=len(batch), **changes, **own)
        planner = None if setting.planner is None else make_planner(setting.planner, file=setting.planner_file)
        agent = run.agent(policy, env, planner, setting.faults)
        parts.append(roll_out(env, agent, batch, perturbation))
        env.close()
    episodes = parts[0].joined(parts[1:])
    result = episodes.summary() | {"objects": len(env.scene.objects)}
    result |= {"failed_layout_seeds": episodes.layout_seeds[~episodes.success].tolist()}
    if run.config.system == "dual":
        result |= episodes.planning()
    if what is not None:
        result |= episodes.recovery("knocked" if what == "knock" else "disturbed")
        result |= {} if setting.knock else {"perturbation": what}
    return result


def text(result: dict[str, Any]) -> str:
    """An evaluation in a few lines."""
    lines = [
        f"{result['task']}: {result['successes']} of {result['episodes']} unseen layouts solved, "
        f"{result['success_rate']:.1%} (95 % interval {result['wilson_low']:.1%} to {result['wilson_high']:.1%})"
    ]
    for one in result.get("tasks", {}).items():
        lines.append(f"  {one[0]}: {one[1]['successes']} of {one[1]['episodes']} "
                     f"({one[1]['wilson_low']:.1%} to {one[1]['wilson_high']:.1%})")  # fmt: skip
    if "tasks" not in result:
        reached = ", ".join(f"{name} {count}" for name, count in result["stage_counts"].items())
        lines.append(f"stages reached: {reached}")
    if result.get("mean_seconds_to_success") is not None:
        lines.append(f"mean time to success: {result['mean_seconds_to_success']:.1f} s")
    if result.get("recovery_rate") is not None:
        lines.append(
            f"succeeded in {result['recovery_rate']:.1%} of {result['disturbed']} disturbed episodes "
            if "disturbed" in result
            else f"recovered from {result['recovery_rate']:.1%} of {result['knocked']} knocks "
        )
        lines[-1] += f"({result['recovery_low']:.1%} to {result['recovery_high']:.1%})"
    if result.get("no_plan"):
        lines.append(f"ended without a plan: {result['no_plan']}")
    return "\n".join(lines)
