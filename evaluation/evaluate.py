"""The evaluation of a run: success on layouts that training never sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.layout import EVALUATION_SEEDS
from evaluation.rollout import roll_out
from evaluation.run import Run
from policies.system1.policy import LearnedPolicy

FIRST_SEED = 0  # the evaluation at the end of a training names the layouts from here on
_MOST_SEEDS = 10**6
_LARGEST_BATCH = 512  # worlds at once


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


def evaluate(run: Run, layout_seeds: np.ndarray, policy: LearnedPolicy | None = None) -> dict[str, Any]:
    """Roll the run's last policy out, without exploration, on the layouts of these seeds.

    Returns:
        What `evaluation.json` holds.
    """
    policy = policy or run.policy()
    parts = []
    for batch in np.array_split(layout_seeds, -(-len(layout_seeds) // _LARGEST_BATCH)):
        env = run.make_env(num_envs=len(batch), autoreset=False)
        parts.append(roll_out(env, policy.act, batch))
        env.close()
    episodes = parts[0].joined(parts[1:])
    return {
        "task": run.config.task,
        "system": "single",
        "algorithm": run.config.algorithm,
        "seed": run.config.seed,
        **episodes.summary(),
        "layout_seeds": f"{int(layout_seeds[0])}:{int(layout_seeds[-1]) + 1}",
        "failed_layout_seeds": episodes.layout_seeds[~episodes.success].tolist(),
        "train_seconds": round(policy.seconds, 1),
        "train_steps": policy.steps,
    }


def text(result: dict[str, Any]) -> str:
    """An evaluation in a few lines."""
    lines = [
        f"{result['task']}: {result['successes']} of {result['episodes']} unseen layouts solved, "
        f"{result['success_rate']:.1%} (95 % interval {result['wilson_low']:.1%} to {result['wilson_high']:.1%})"
    ]
    reached = ", ".join(f"{name} {count}" for name, count in result["stage_counts"].items())
    lines.append(f"stages reached: {reached}")
    if result["mean_seconds_to_success"] is not None:
        lines.append(f"mean time to success: {result['mean_seconds_to_success']:.1f} s")
    return "\n".join(lines)
