"""The worlds: robots, scenes, tasks and their batched environments."""

import os
from ctypes.util import find_library

ASKED_BACKEND = os.environ.get("MUJOCO_GL", "").lower().strip()
"""The graphics backend that the user asked for; `envs.rendering` tries it when something is drawn."""

BACKEND_LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}
"""Off-screen backends and the library that each needs."""
BACKENDS_OFF = ("disable", "disabled", "off", "false", "0")
BACKENDS_ANY = ("", "enable", "enabled", "on", "true", "1", "glx", "wgl")
BACKENDS = (*BACKENDS_ANY, *BACKENDS_OFF, *BACKEND_LIBRARIES, "glfw", "cgl")
"""All that MUJOCO_GL may say."""

# MuJoCo loads the backend that MUJOCO_GL names while it is imported, and cannot be imported where that fails.
# Training draws nothing, and must not fail for it.
_library = BACKEND_LIBRARIES.get(ASKED_BACKEND)
if ASKED_BACKEND not in BACKENDS or (_library is not None and not find_library(_library)):
    os.environ["MUJOCO_GL"] = "disable"
