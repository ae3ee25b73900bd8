"""Pictures: a backend that picks itself, cameras that see, and clear words where nothing can draw."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from envs.rendering import Marker, SceneRenderer, choose_backend
from envs.vector import DuetVectorEnv

_DRAW = """
from envs.vector import DuetVectorEnv
env = DuetVectorEnv(1, task="Reach")
env.reset(seed=0)
env.step(env.action_space.sample())
env.render_world(size=(48, 64))
print("drawn")
"""


@pytest.fixture(scope="module")
def env():
    env = DuetVectorEnv(2, task="PickPlace")
    env.reset(options={"layout_seeds": [0, 1]})
    yield env
    env.close()


def drawn(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "PYOPENGL_PLATFORM", "DISPLAY")}
    command = [sys.executable, "-c", _DRAW]
    return subprocess.run(command, env=clean | environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_backend_is_found_without_a_display() -> None:
    done = drawn({})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "drawn"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("disable", "MUJOCO_GL turns it off"),
        ("nonsense", "MUJOCO_GL names 'nonsense', which is none of"),
        ("glfw", "glfw: "),
    ],
)
def test_what_cannot_draw_says_why_and_what_to_install(asked: str, says: str) -> None:
    done = drawn({"MUJOCO_GL": asked})
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "RenderingUnavailable: nothing here can draw" in last
    assert says in last
    assert "apt-get install libegl1" in last


def test_a_broken_backend_does_not_hinder_the_next() -> None:
    done = drawn({"__EGL_VENDOR_LIBRARY_FILENAMES": os.devnull})  # no driver behind EGL, where it is GLVND's
    words = done.stdout + done.stderr
    assert "drawn" in words or "osmesa: there is no libOSMesa" in words
    assert "PYOPENGL_PLATFORM" not in words


@pytest.mark.parametrize("camera", ["front", "side", "top", "overview", "arm0/wrist"])
def test_every_camera_sees_something(env: DuetVectorEnv, camera: str) -> None:
    picture = env.render_world(0, camera, (90, 160))
    assert picture.shape == (90, 160, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 10


def test_worlds_look_different(env: DuetVectorEnv) -> None:
    assert (env.render_world(0, size=(90, 160)) != env.render_world(1, size=(90, 160))).any()


def test_an_unknown_camera_is_named_with_the_known(env: DuetVectorEnv) -> None:
    with pytest.raises(ValueError, match="no camera 'back'; known: front, side, top, overview, arm0/wrist"):
        env.render_world(0, "back", (48, 64))


@pytest.mark.parametrize("shape", ["sphere", "box", "cylinder"])
def test_a_marker_is_drawn_and_gone_in_the_next_picture(env: DuetVectorEnv, shape: str) -> None:
    assert choose_backend()
    model, data = env.physics.view(0)
    renderer = SceneRenderer(model, 90, 160)
    marker = Marker(shape, (-0.15, 0.0, 0.3), (0.1, 0.1, 0.1), (1.0, 0.0, 1.0, 1.0))
    without, marked, again = (
        renderer.render(model, data, "front", markers).astype(int) for markers in ((), (marker,), ())
    )
    renderer.close()
    np.testing.assert_array_equal(without, again)
    changed = np.abs(marked - without).sum(axis=-1) > 60
    assert changed.mean() > 0.01
    magenta = marked[changed]
    assert (magenta[:, 0] > magenta[:, 1]).mean() > 0.9


def test_gymnasium_records_one_world() -> None:
    env = gym.make("duet/Reach-v0", render_mode="rgb_array")
    env.reset(seed=0)
    picture: Any = env.render()
    assert picture.shape == (720, 1280, 3)
    env.close()


def test_pixels_show_the_cube_to_a_policy() -> None:
    env = gym.make("duet/PickPlacePixels-v0")
    observation, _ = env.reset(options={"layout_seed": 0})
    moved, _ = env.reset(options={"layout_seed": 1})
    for camera in ("front", "wrist"):
        assert observation[camera].shape == (84, 84, 3)
    orange = (observation["front"][..., 0].astype(int) - observation["front"][..., 2]) > 120
    assert 3 < orange.sum() < 400
    assert (observation["front"] != moved["front"]).any()
    env.close()
