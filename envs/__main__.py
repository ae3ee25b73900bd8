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


def reference() -> str:
    """The Markdown text."""
    pages = [_HEAD]
    for name in TASK_NAMES:
        for observation in OBSERVATIONS:
            env = DuetVectorEnv(1, task=name, observation=observation)
            if observation == "state":
                task = env.task
                pages.append(f"## {name}\n\n{inspect.getdoc(task)}")
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
