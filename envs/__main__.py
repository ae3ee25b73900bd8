"""Print the reference of all tasks as Markdown: `python -m envs`. docs/tasks.md is what it prints."""

from __future__ import annotations

import inspect

from envs.observation import table
from envs.registration import OBSERVATIONS, TASK_NAMES
from envs.scene import TICK
from envs.vector import DuetVectorEnv

_HEAD = f"""# Tasks

Made by `python -m envs > docs/tasks.md` from what the code declares; do not edit.

One tick is {TICK:g} s. "Base" is the frame of the acting arm's base, z up, x towards the middle of the table.
Ids are `duet/` + task + `Sparse` (rewards of 0 and -1) or nothing + `Goal`, `Pixels` or nothing + `-v0`."""


def _overview() -> str:
    """A table of all tasks."""
    rows = ["| task | arms | objects | actions | observation | time limit |", "|---|---|---|---|---|---|"]
    for name in TASK_NAMES:
        env = DuetVectorEnv(1, task=name)
        counts = env.task.object_counts
        objects = f"{min(counts)} to {max(counts)}, usually {counts[0]}" if counts else len(env.task.objects)
        observed = sum(part.size for part in env.parts)
        time = f"{env.task.time_limit:g} s"
        cells = (f"[{name}](#{name.lower()})", env.task.num_arms, objects, len(env.action_names), observed, time)
        rows.append(f"| {' | '.join(map(str, cells))} |")
        env.close()
    return "\n".join(rows)


def reference() -> str:
    """The Markdown text."""
    pages = [_HEAD, _overview()]
    for name in TASK_NAMES:
        for observation in OBSERVATIONS:
            env = DuetVectorEnv(1, task=name, observation=observation)
            if observation == "state":
                task = env.task
                pages.append(f"## {name}\n\n{inspect.getdoc(task)}")
                if len(task.object_counts) > 1:
                    usual, low, high = task.object_counts[0], min(task.object_counts), max(task.object_counts)
                    pages.append(f"`num_objects`: {low} to {high}. What follows holds for the usual {usual}.")
                pages.append(f"Stages: {', '.join(task.stages)}. Time limit: {task.time_limit:g} s.")
                pages.append(f"Actions, each in [-1, 1]: {', '.join(f'`{a}`' for a in env.action_names)}.")
            title = {
                "state": "Observation",
                "goal": "`observation` in goal mode",
                "pixels": "`proprioception` in pixels mode",
            }
            pages.append(f"### {name}: {title[observation]}\n\n{table(env.parts)}")
            env.close()
    return "\n\n".join(pages) + "\n"


if __name__ == "__main__":
    print(reference(), end="")
