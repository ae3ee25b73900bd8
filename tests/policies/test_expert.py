"""The scripted expert: the yardstick must itself be reliable."""

import numpy as np
import pytest

from envs.vector import DuetVectorEnv
from policies.expert import Expert

TASKS = ("Reach", "Lift", "PickPlace")  # where it has no memory
COMMANDED = (("Stack", None), ("Tidy", 2), ("Handover", None), ("HandoverPlace", None), ("Relay", 2))
every_task = pytest.mark.parametrize("task", TASKS)


def success(env, shove=None):
    """(num_worlds,) bool after one episode. `shove(env, tick)` may disturb it."""
    expert = Expert(env)
    done = np.zeros(env.num_envs, dtype=bool)
    going = ~done
    for tick in range(env.max_ticks):
        if shove is not None:
            shove(env, tick)
        _, _, terminated, truncated, _ = env.step(expert.act())
        done |= terminated & going
        going &= ~(terminated | truncated)
        if not going.any():
            break
    return done


def begin(task, num_worlds, **kwargs):
    env = DuetVectorEnv(num_worlds, task=task, autoreset=False, **kwargs)
    env.reset(options={"layout_seeds": range(num_worlds)})
    return env


@every_task
def test_it_solves_99_of_100_layouts(task):
    done = success(begin(task, 300))
    assert done.mean() >= 0.99, f"fails on layouts {np.flatnonzero(~done).tolist()}"


@pytest.mark.parametrize(("task", "objects"), COMMANDED)
def test_it_solves_the_tasks_that_need_a_plan(task, objects):
    done = success(begin(task, 40, num_objects=objects))
    assert done.mean() >= 0.97, f"fails on layouts {np.flatnonzero(~done).tolist()}"


@pytest.mark.parametrize("task", ["Lift", "Handover"])
def test_it_takes_over_anywhere(task):
    """Also in worlds that reset by themselves, and after another has acted."""
    env = DuetVectorEnv(6, task=task, threads=1)
    env.reset(seed=3)
    random = np.random.default_rng(0)
    for _ in range(25):
        env.step(random.uniform(-0.5, 0.5, env.action_space.shape))
    expert, solved, ended = Expert(env), 0, 0
    for _ in range(2 * env.max_ticks):
        _, _, terminated, truncated, _ = env.step(expert.act())
        solved, ended = solved + terminated.sum(), ended + (terminated | truncated).sum()
    assert ended >= 12
    assert solved >= 0.8 * ended


@every_task
def test_it_carries_on_after_shoves(task):
    """Half the weight more than friction holds, or 30 N on the hand, in two moments of the approach and the grasp."""
    env, undisturbed = begin(task, 100), begin(task, 100)
    random = np.random.default_rng(0)
    if env.scene.objects:
        body = env.scene.objects[0].body
        layout = env.layout(range(100))
        size = 9.81 * layout.masses[:, 0] * (layout.frictions[:, 0] + 0.5)
    else:
        body, size = env.scene.model.body("arm0/hand").id, np.full(100, 30.0)

    def shove(env, tick):
        force = env.physics.arrays["xfrc_applied"]
        if tick in (12, 22):
            angle = random.uniform(0, 2 * np.pi, 100)
            force[:, body, :2] = size[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=-1)
        elif tick in (15, 25):
            force[:] = 0.0

    env.max_ticks *= 2  # time to start again
    done = success(env, shove)
    success(undisturbed)
    moved = undisturbed.physics.arrays["qpos"] != env.physics.arrays["qpos"]
    assert moved.any(axis=1).all(), "the shove did nothing"
    if env.scene.objects:
        at, robot = env.world().in_base(0, env.world().object_position(0)), env.task.robot
        lost = ((at < robot.workspace_low) | (at > robot.workspace_high)).any(axis=1)
        assert lost.mean() < 0.05
        done |= lost  # shoved out of reach
    assert done.mean() >= 0.99, f"fails on layouts {np.flatnonzero(~done).tolist()}"


@pytest.mark.parametrize("task", ["Lift", "PickPlace"])
def test_it_picks_up_again_what_it_loses(task):
    """The cube is knocked out of the gripper, by opening it in mid-air."""
    env = begin(task, 50)
    env.max_ticks *= 2
    expert = Expert(env)
    lost, done = np.zeros(50, dtype=bool), np.zeros(50, dtype=bool)
    opening = np.zeros(50, dtype=int)
    for _ in range(env.max_ticks):
        actions = expert.act()
        in_hand = (env.world().grip_force(0, 0) > 1.0) & (env.world().object_position(0)[:, 2] > 0.06)
        opening = np.where(in_hand & ~lost, 8, opening)
        lost |= in_hand
        actions[opening > 0, 4] = 1.0
        opening = np.maximum(opening - 1, 0)
        _, _, terminated, _, _ = env.step(actions)
        done |= terminated & lost
    assert lost.mean() > 0.9
    assert done[lost].mean() >= 0.9, f"fails on layouts {np.flatnonzero(lost & ~done).tolist()}"


@every_task
def test_its_actions_are_within_bounds_and_follow_from_the_state_alone(task):
    env = begin(task, 8)
    expert, other = Expert(env), Expert(env)
    for _ in range(50):
        actions = expert.act()
        assert actions.shape == (8, 5)
        assert (np.abs(actions) <= 1).all()
        np.testing.assert_array_equal(actions, other.act())
        env.step(actions)
    expert.act()
    np.testing.assert_array_equal(expert.act(), Expert(env).act())


def test_it_does_not_act_with_joints():
    with pytest.raises(ValueError, match="acts in Cartesian control"):
        Expert(DuetVectorEnv(1, task="Reach", control="joints"))
