"""The worlds: robots, scenes, tasks and their batched environments."""

import os
from ctypes.util import find_library

ASKED_BACKEND = os.environ.get("MUJOCO_GL", "").lower().strip()
"""The graphics backend that the user asked for; `envs.rendering` tries it when something is drawn."""

# MuJoCo loads the backend that MUJOCO_GL names while it is imported, and cannot be imported where that fails.
# Training draws nothing, and must not fail for it.
_LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}
_LOADS = (
    "",
    "enable",
    "enabled",
    "on",
    "true",
    "1",
    "disable",
    "disabled",
    "off",
    "false",
    "0",
    "glfw",
    "glx",
    "wgl",
    "cgl",
)
if ASKED_BACKEND not in _LOADS and not find_library(_LIBRARIES.get(ASKED_BACKEND, "none")):
    os.environ["MUJOCO_GL"] = "disable"
