"""A window on one world, on machines with a display."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence

import mujoco

from envs.rendering import Marker, add_markers
from envs.scene import TICK


class Window:
    """Shows what it is handed, no faster than a world lives.

    Raises:
        RuntimeError: there is no display.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        check_display()
        import mujoco.viewer

        self._viewer = mujoco.viewer.launch_passive(model, data, show_left_ui=False, show_right_ui=False)
        self._due = time.perf_counter()

    def show(self, pose: Callable[[], None], markers: Sequence[Marker] = ()) -> None:
        """Draw the state that `pose` puts the window's model and data into, and wait until its tick is over."""
        if not self._viewer.is_running():  # closed by its user
            return
        with self._viewer.lock():
            pose()
            self._viewer.user_scn.ngeom = 0
            add_markers(self._viewer.user_scn, markers)
        self._viewer.sync()
        self._due = max(self._due + TICK, time.perf_counter())
        time.sleep(self._due - time.perf_counter())

    def close(self) -> None:
        self._viewer.close()


def check_display() -> None:
    # without one, MuJoCo's viewer waits forever for a thread that has died
    import glfw

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GLFW's reason, in terms of its own
        if not glfw.init():
            raise RuntimeError("render_mode 'human' needs a display; use 'rgb_array' where there is none")
