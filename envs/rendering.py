"""Off-screen pictures of a scene, with a graphics backend that picks itself.

MuJoCo's Python binds a backend when it is first imported, by MUJOCO_GL alone. Here the context is made directly, so
that the order of imports does not matter, and what fails is told apart from what was asked for.
"""

from __future__ import annotations

import atexit
import os
import platform
import sys
import textwrap
import warnings
from collections.abc import Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

import mujoco
import numpy as np

from envs import ASKED_BACKEND, BACKEND_LIBRARIES, BACKENDS, BACKENDS_ANY

_SHAPES = {
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
}
_HIDDEN_GROUP = 3  # collision geoms
_EXTRA_GEOMS = 100  # room for markers
_INSTALL = "install Mesa's EGL (Debian: apt-get install libegl1 libgl1-mesa-dri) or OSMesa (libosmesa6)"


class RenderingUnavailable(RuntimeError):
    """Nothing on this machine can draw; the message says what was tried and what to install."""


@dataclass(frozen=True)
class Marker:
    """A shape that is drawn but not there."""

    shape: str
    """sphere, box or cylinder."""
    position: tuple[float, ...]
    """(x, y, z) m, world frame."""
    half_size: tuple[float, ...]
    """(x, y, z) m; a sphere's radius is the first, a cylinder's radius and half-height the first and second."""
    rgba: tuple[float, float, float, float]
    yaw: float = 0.0
    """(rad)"""


def _candidates() -> tuple[str, ...]:
    """Backends in the order in which they are tried: the one that MUJOCO_GL names, or all that could work."""
    if ASKED_BACKEND in ("egl", "osmesa", "glfw", "cgl"):
        return (ASKED_BACKEND,)
    if ASKED_BACKEND not in BACKENDS_ANY:
        return ()
    if platform.system() == "Darwin":
        return ("cgl", "glfw")
    if platform.system() == "Windows":
        return ("glfw",)
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return ("egl", "osmesa", "glfw") if screen else ("egl", "osmesa")


@lru_cache(maxsize=1)
def choose_backend() -> str:
    """The name of the first backend that works; MUJOCO_GL says so from then on.

    Raises:
        RenderingUnavailable: none does.
    """
    reasons = []
    if ASKED_BACKEND not in BACKENDS:
        reasons.append(f"MUJOCO_GL names {ASKED_BACKEND!r}, which is none of {', '.join(filter(None, BACKENDS))}")
    for name in _candidates():
        try:
            _check(name)
        except Exception as error:
            reasons.append(f"{name}: {_reason(name, error)}")
        else:
            return name
    tried = "; ".join(reasons) or "MUJOCO_GL turns it off"
    raise RenderingUnavailable(f"nothing here can draw ({tried}); {_INSTALL}, or unset MUJOCO_GL")


def _check(backend: str) -> None:
    """Open a backend and close it again; where that fails, leave no trace that would hinder the next one."""
    loaded, variables = set(sys.modules), {name: os.environ.get(name) for name in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    # MuJoCo's library reads it too: without it, it asks EGL for functions once any EGL library has been loaded
    os.environ["MUJOCO_GL"] = backend
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # GLFW's reason, in terms of its own
            gl = _context(backend, 16, 16)
            gl.make_current()
            # GLFW without a display fails only here
            mujoco.MjrContext(mujoco.MjModel.from_xml_string("<mujoco/>"), mujoco.mjtFontScale.mjFONTSCALE_50).free()
            gl.free()
    except Exception:
        for name, value in variables.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        for module in set(sys.modules) - loaded:
            if module.startswith(("OpenGL", f"mujoco.{backend}")):
                del sys.modules[module]
        raise


def _reason(backend: str, error: Exception) -> str:
    library = BACKEND_LIBRARIES.get(backend)
    if library and not find_library(library):
        return f"there is no lib{library}"
    return textwrap.shorten(str(error), 80, placeholder=" ...") or type(error).__name__


def _context(backend: str, width: int, height: int) -> Any:
    # PyOpenGL fixes its platform when it is first imported
    if backend in BACKEND_LIBRARIES:
        os.environ.setdefault("PYOPENGL_PLATFORM", backend)
    return import_module(f"mujoco.{backend}").GLContext(width, height)


class SceneRenderer:
    """Draws worlds of one scene at one size. Opens its graphics context when it first draws."""

    def __init__(self, model: mujoco.MjModel, height: int, width: int, beauty: bool = True) -> None:
        """`model` of any world of the scene: they share what is loaded into graphics memory.

        Args:
            model: of the scene.
            height: (px)
            width: (px)
            beauty: shadows, reflections and smooth edges; small pictures for a policy go without.
        """
        self.height, self.width = height, width
        self._model = model
        self._beauty = beauty
        self._gl: Any = None
        self._context: mujoco.MjrContext | None = None
        self._scene = mujoco.MjvScene(model, maxgeom=model.ngeom + _EXTRA_GEOMS)
        self._option = mujoco.MjvOption()
        self._option.geomgroup[_HIDDEN_GROUP] = 0
        self._option.sitegroup[:] = 0
        self._option.flags[mujoco.mjtVisFlag.mjVIS_TENDON] = 0
        self._rect = mujoco.MjrRect(0, 0, width, height)

    def render(
        self, model: mujoco.MjModel, data: mujoco.MjData, camera: str, markers: Sequence[Marker] = ()
    ) -> np.ndarray:
        """(height, width, 3) uint8 picture from a camera of the scene.

        Raises:
            RenderingUnavailable: nothing on this machine can draw.
            ValueError: the scene has no such camera.
        """
        view = mujoco.MjvCamera()
        view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        view.fixedcamid = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
        if view.fixedcamid < 0:
            known = ", ".join(model.camera(i).name for i in range(model.ncam))
            raise ValueError(f"no camera {camera!r}; known: {known}")
        context = self._opened()
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(model, data, self._option, mujoco.MjvPerturb(), view, everything, self._scene)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._scene.flags[flag] = self._beauty
        add_markers(self._scene, markers)
        mujoco.mjr_render(self._rect, self._scene, context)
        picture = np.empty((self.height, self.width, 3), dtype=np.uint8)
        mujoco.mjr_readPixels(picture, None, self._rect, context)
        return picture[::-1]

    def _opened(self) -> mujoco.MjrContext:
        if self._context is None:
            self._gl = _context(choose_backend(), self.width, self.height)
            self._gl.make_current()
            quality = self._model.vis.quality
            samples, quality.offsamples = quality.offsamples, self._beauty * quality.offsamples
            self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_150)
            quality.offsamples = samples
            mujoco.mjr_resizeOffscreen(self.width, self.height, self._context)
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
            # drivers complain when a context outlives the libraries that made it
            atexit.register(self.close)
        else:
            self._gl.make_current()  # several renderers may take turns
        return self._context

    def close(self) -> None:
        """Free the graphics context; drawing again opens a new one."""
        if self._context is not None:
            self._gl.make_current()
            self._context.free()
            self._gl.free()
            self._context = self._gl = None
            atexit.unregister(self.close)


def add_markers(scene: mujoco.MjvScene, markers: Sequence[Marker]) -> None:
    """Append markers to what a scene draws, as far as there is room."""
    for marker in markers:
        if scene.ngeom >= scene.maxgeom:
            return
        size, position = np.array(marker.half_size, dtype=float), np.array(marker.position, dtype=float)
        geom = scene.geoms[scene.ngeom]
        rgba = np.array(marker.rgba, dtype=np.float32)
        c, s = np.cos(marker.yaw), np.sin(marker.yaw)
        turned = np.array([c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0])
        mujoco.mjv_initGeom(geom, _SHAPES[marker.shape], size, position, turned, rgba)
        geom.category = mujoco.mjtCatBit.mjCAT_DECOR  # casts no shadow
        scene.ngeom += 1
