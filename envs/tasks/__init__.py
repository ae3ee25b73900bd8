"""The tasks: one file each, named after the task. A new file here is a new task, with its ids."""

from __future__ import annotations

import re
from importlib import import_module

from envs.names import check_name
from envs.registration import TASK_NAMES
from envs.task import Task


def task_class(name: str) -> type[Task]:
    """The class of a task: `PickPlace` stands in `envs/tasks/pick_place.py`.

    Raises:
        UnknownName: there is no such task.
    """
    check_name("task", name, TASK_NAMES)
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return getattr(import_module(f"envs.tasks.{module}"), name)
