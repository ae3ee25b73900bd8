"""Pictures: a backend that picks itself, cameras that see, and clear words where nothing can draw."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest

from envs.pictures import VIDEO_SIZE
from envs.registration import TASK_NAMES
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


@pytest.mark.parametrize("task", TASK_NAMES)
def test_every_task_is_drawn_with_its_goal(task: str) -> None:
    env = DuetVectorEnv(1, task=task)
    env.reset(options={"layout_seeds": [1]})
    goals = env.task.goals_to_draw(env.world().goal[0])
    assert len(env.pictures.markers(0)) == len(goals) == (0 if task == "Stack" else max(1, len(env.task.objects)))
    cameras = ["front", *(f"arm{arm}/wrist" for arm in range(env.task.num_arms))]
    pictures = [env.render_world(0, camera, (90, 160)).astype(int) for camera in cameras]
    assert all(picture.std() > 10 for picture in pictures)
    env.task.goals_to_draw = lambda goal: ()  # type: ignore[method-assign]
    without = env.render_world(0, "front", (90, 160)).astype(int)
    assert (np.abs(pictures[0] - without).sum(axis=-1) > 40).any() == bool(goals)
    env.close()


@pytest.mark.parametrize(("task", "count"), [("Stack", None), ("Tidy", 8), ("Handover", None), ("Relay", 4)])
def test_the_front_camera_sees_all_objects_and_goals_and_the_bases(task: str, count: int | None) -> None:
    env = DuetVectorEnv(100, task=task, num_objects=count)
    env.reset(options={"layout_seeds": range(100)})
    world, model = env.world(), env.scene.picture_model
    points = [world.object_position(thing) for thing in range(len(env.task.objects))]
    points += [env.task.targets(world).positions.reshape(-1, 3)]
    points += [np.array([arm.base.position]) for arm in env.scene.arms]
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = model.camera("front").id
    seen = (np.concatenate(points) - data.cam_xpos[camera]) @ data.cam_xmat[camera].reshape(3, 3)
    half = np.tan(np.deg2rad(model.cam_fovy[camera]) / 2) * -seen[:, 2]
    height, width = VIDEO_SIZE
    assert (np.abs(seen[:, 1]) < 0.97 * half).all()
    assert (np.abs(seen[:, 0]) < 0.97 * half * width / height).all()


def test_places_on_the_table_are_marked_flat_and_places_in_the_air_by_a_ball() -> None:
    for task, shapes in (
        ("Tidy", ["box"] * 3),
        ("HandoverPlace", ["box"]),
        ("Relay", ["box", "cylinder", "cylinder"]),
        ("Handover", ["sphere"]),
    ):
        env = DuetVectorEnv(1, task=task)
        env.reset(seed=0)
        goals = env.task.goals_to_draw(env.world().goal[0])
        assert [goal.shape for goal in goals] == shapes
        assert [goal.colour for goal in goals] == [thing.colour for thing in env.task.objects]
        for goal, thing in zip(goals, env.task.objects, strict=True):
            at = env.task.targets(env.world()).positions[0, env.task.objects.index(thing)]
            np.testing.assert_allclose(goal.position[:2], at[:2])
            if goal.shape == "sphere":
                np.testing.assert_allclose(goal.position, at)
            else:
                assert goal.position[2] < 0.002
                # the object does not hide it
                assert goal.half_size[0] > thing.max_half_size[0]


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
