"""A window on one world, on machines with a display."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence

import mujoco
import numpy as np

from envs.rendering import Marker
from envs.scene import TICK

_SHAPES = {"sphere": mujoco.mjtGeom.mjGEOM_SPHERE, "box": mujoco.mjtGeom.mjGEOM_BOX}


class Window:
    """Shows what it is handed, no faster than a world lives.

    Raises:
        RuntimeError: there is no display.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        _check_display()
        import mujoco.viewer

        self._model, self._data = model, data
        self._viewer = mujoco.viewer.launch_passive(model, data, show_left_ui=False, show_right_ui=False)
        self._due = time.perf_counter()

    def show(self, model: mujoco.MjModel, data: mujoco.MjData, markers: Sequence[Marker] = ()) -> None:
        """Draw a state of the model that the window was opened with, and wait until its tick is over."""
        if not self._viewer.is_running():  # closed by its user
            return
        with self._viewer.lock():
            self._model.geom_size[:] = model.geom_size  # objects change size between episodes
            mujoco.mj_copyData(self._data, self._model, data)
            shapes = self._viewer.user_scn
            shapes.ngeom = len(markers)
            for geom, (shape, position, size, colour) in zip(shapes.geoms, markers, strict=False):
                mujoco.mjv_initGeom(
                    geom, _SHAPES[shape], np.array(size), np.array(position), np.eye(3).ravel(), np.float32(colour)
                )
        self._viewer.sync()
        self._due = max(self._due + TICK, time.perf_counter())
        time.sleep(self._due - time.perf_counter())

    def close(self) -> None:
        self._viewer.close()


def _check_display() -> None:
    # without one, MuJoCo's viewer waits forever for a thread that has died
    import glfw

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GLFW's reason, in terms of its own
        if not glfw.init():
            raise RuntimeError("render_mode 'human' needs a display; use 'rgb_array' where there is none")
