"""The tasks: strict success, layouts, goals, and the same numbers from another array library."""

import numpy as np
import pytest
import torch

from envs.registration import TASK_NAMES
from envs.scene import BASES
from envs.task import HOLD_TICKS
from envs.tasks import task_class
from envs.tasks.pick_place import CUBE_X, CUBE_Y
from envs.vector import DuetVectorEnv
from envs.world import World
from policies.expert import Expert

every_task = pytest.mark.parametrize("task", TASK_NAMES)


def every_count():
    """Every task with every number of objects that it comes with; None where there is no choice."""
    return [(task, count) for task in TASK_NAMES for count in task_class(task).object_counts or (None,)]


def begin(task, num_worlds=1, first=0, **kwargs):
    env = DuetVectorEnv(num_worlds, task=task, autoreset=False, **kwargs)
    env.reset(options={"layout_seeds": range(first, first + num_worlds)})
    return env


def until(env, condition, act, ticks=120):
    """Step until `condition(world)` is true in the first world; then return True."""
    for _ in range(ticks):
        if condition(env.world())[0]:
            return True
        env.step(act())
    return False


def seeds_of(task, where):
    """Layout seeds of a task whose goal fulfils a condition."""
    goals = DuetVectorEnv(1, task=task).layout(range(100)).goal
    return [seed for seed in range(100) if where(goals[seed])]


ON_TABLE = seeds_of("PickPlace", lambda goal: goal[3] < 0.5)
IN_AIR = seeds_of("PickPlace", lambda goal: goal[3] > 0.5)


def move_goal(env, position):
    env.world().goal[:, :3] = position


# Strict success


def test_success_must_last():
    env = begin("Reach")
    env.world().goal[:] = env.world().tool_position(0)
    ticks = [env.step(np.zeros((1, 5)))[2][0] for _ in range(HOLD_TICKS + 1)]
    assert ticks == [False] * (HOLD_TICKS - 1) + [True, True]


def test_a_moment_elsewhere_starts_the_count_again():
    env = begin("Reach")
    here = env.world().tool_position(0).copy()
    still = np.zeros((1, 5))
    env.world().goal[:] = here
    for _ in range(HOLD_TICKS - 1):
        assert not env.step(still)[2][0]
    env.world().goal[:] = here + 0.1
    assert not env.step(still)[2][0]
    env.world().goal[:] = here
    assert [env.step(still)[2][0] for _ in range(HOLD_TICKS)] == [False] * (HOLD_TICKS - 1) + [True]


def test_a_tool_that_flies_past_the_point_has_not_reached_it():
    env = begin("Reach")
    for _ in range(10):
        env.step(np.array([[0.0, 1.0, 0.0, 0.0, 0.0]]))
    assert env.world().tool_speed(0)[0] > 0.1
    env.world().goal[:] = env.world().tool_position(0)
    assert not env.task.settled(env.world())[0]


def test_a_cube_on_its_goal_that_is_still_gripped_is_not_placed():
    env = begin("PickPlace", first=ON_TABLE[0])
    expert = Expert(env)
    assert until(env, lambda world: world.grip_force(0, 0) > 10, expert.act)
    for _ in range(10):
        move_goal(env, env.world().object_position(0))
        *_, infos = env.step(np.array([[0.0, 0.0, 0.0, 0.0, -1.0]]))
        assert not infos["is_success"][0]
    # let go, the same cube on the same place counts
    move_goal(env, env.world().object_position(0))
    done = [env.step(np.array([[0.0, 0.0, 0.0, 0.0, 1.0]]))[2][0] for _ in range(20)]
    assert any(done)


def test_a_cube_that_is_merely_touched_is_not_placed():
    env = begin("PickPlace", first=ON_TABLE[0])
    move_goal(env, env.world().object_position(0))
    env.step(np.zeros((1, 5)))
    assert env.task.settled(env.world())[0]
    # as if the left finger leaned on it
    sensors = env.physics.arrays["sensordata"]
    sensors[0, env.scene.arms[0].finger_forces[0][0]] = 0.0, 0.0, 0.5
    assert not env.task.settled(env.world())[0]


def test_a_cube_thrown_through_its_goal_has_not_arrived():
    env = begin("PickPlace", first=IN_AIR[0])
    thing = env.scene.objects[0]
    goal = env.world().goal[0, :3].copy()
    env.physics.arrays["qpos"][0, thing.pose.start : thing.pose.start + 3] = goal - [0.0, 0.0, 0.08]
    env.physics.arrays["qvel"][0, thing.velocity.start + 2] = 1.3  # comes to rest about the goal for a moment
    nearest = np.inf
    for _ in range(15):
        _, _, terminated, _, infos = env.step(np.zeros((1, 5)))
        nearest = min(nearest, float(np.linalg.norm(env.world().object_position(0)[0] - goal)))
        assert not terminated[0]
        assert infos["stage"][0] < len(env.task.stages)
    assert nearest < 0.02, "the throw missed"


def test_a_cube_lying_still_in_the_air_but_not_held_has_not_arrived():
    env = begin("PickPlace", first=IN_AIR[0])
    move_goal(env, env.world().object_position(0))
    for _ in range(2 * HOLD_TICKS):
        assert not env.step(np.zeros((1, 5)))[2][0]


def test_a_cube_thrown_to_its_height_is_not_lifted():
    env = begin("Lift")
    thing = env.scene.objects[0]
    env.physics.arrays["qpos"][0, thing.pose.start + 2] = env.world().goal[0, 0]
    for _ in range(4):
        _, _, terminated, _, infos = env.step(np.zeros((1, 5)))
        assert not terminated[0]
        assert infos["stage"][0] == 0


def test_a_cube_lying_at_its_height_is_not_lifted():
    env = begin("Lift")
    env.world().goal[:] = env.world().object_position(0)[:, 2:]
    for _ in range(2 * HOLD_TICKS):
        assert not env.step(np.zeros((1, 5)))[2][0]


# Layouts


@pytest.mark.parametrize(("task", "count"), every_count())
def test_layouts_depend_on_the_task_and_the_seed_alone(task, count):
    env = begin(task, num_objects=count)
    together, alone = env.layout(range(20)), env.layout([13])
    for name, values in vars(alone).items():
        np.testing.assert_array_equal(getattr(together, name)[13], values[0], err_msg=name)
    assert len(np.unique(together.goal, axis=0)) == 20


@pytest.mark.parametrize("task", ["Lift", "PickPlace"])
def test_cubes_start_on_the_table_within_reach(task):
    layout = begin(task).layout(range(1000))
    x, y, z = layout.poses[:, 0, :3].T - np.array(BASES[0].position)[:, None]
    for values, (low, high) in ((x, CUBE_X), (y, CUBE_Y)):
        assert values.min() >= low
        assert values.max() <= high
        assert np.ptp(values) > 0.95 * (high - low)
    np.testing.assert_allclose(z, layout.half_sizes[:, 0, 2])
    np.testing.assert_allclose(np.linalg.norm(layout.poses[:, 0, 3:], axis=1), 1.0)


def test_half_the_goals_of_pick_and_place_are_in_the_air_and_all_are_apart_from_the_cube():
    env = begin("PickPlace")
    layout = env.layout(range(2000))
    in_air = layout.goal[:, 3] > 0.5
    assert 0.45 < in_air.mean() < 0.55
    np.testing.assert_array_equal(layout.goal[~in_air, 2], layout.half_sizes[~in_air, 0, 2])
    assert layout.goal[in_air, 2].min() > 0.08
    apart = np.linalg.norm(layout.goal[:, :2] - layout.poses[:, 0, :2], axis=1)
    assert (apart < 0.1).mean() < 0.002


@every_task
def test_goals_are_in_the_workspace_of_the_nearer_arm(task):
    env = begin(task, 300)
    targets = env.task.targets(env.world())
    robot = env.task.robot
    for position in targets.positions.swapaxes(0, 1) if targets.tool is None else [targets.tool]:
        seen = np.stack([env.world().in_base(arm, position) for arm in range(env.task.num_arms)])
        at = seen[np.argmin(np.linalg.norm(seen, axis=-1), axis=0), np.arange(300)]
        assert (at >= np.array(robot.workspace_low) - 1e-9).all()
        assert (at <= np.array(robot.workspace_high) + 1e-9).all()


@pytest.mark.parametrize(("task", "count"), every_count())
def test_nothing_is_solved_at_the_start(task, count):
    env = begin(task, 300, num_objects=count)
    assert not env.task.settled(env.world()).any()
    assert (env.task.progress(env.world(), np.zeros(300, dtype=bool)).reached == 0).all()


# Progress


@every_task
def test_progress_climbs_to_success(task):
    """All the way up an expert's episode, stage by stage, with small steps back at most."""
    env = begin(task, 6)
    expert, count = Expert(env), len(env.task.stages)
    best, done = np.zeros(6), np.zeros(6, dtype=bool)
    for _ in range(env.max_ticks):
        *_, infos = env.step(expert.act())
        success = infos["is_success"]
        progress = env.task.progress(env.world(), success)
        assert tuple(progress.terms) == env.task.stages
        terms = np.stack(list(progress.terms.values()))
        assert (terms >= 0.0).all()
        assert (terms <= 1.0).all()
        np.testing.assert_array_equal(infos["stage"], progress.reached)
        np.testing.assert_array_equal(success, progress.reached == count)
        np.testing.assert_array_equal(terms.sum(axis=0) >= count, success)
        now = terms.sum(axis=0)
        assert (now >= best - 0.35)[~done].all(), (best - now).max()
        best, done = np.maximum(best, now), done | success
        if done.all():
            break
    assert done.all()


# Goals


@every_task
def test_the_goal_that_planners_are_told_is_the_one_that_is_asked_for(task):
    env = begin(task, 20)
    world, targets = env.world(), env.task.targets(env.world())
    desired = env.task.desired_goal(world)
    if targets.tool is not None:
        np.testing.assert_allclose(world.in_base(0, targets.tool), desired, atol=1e-12)
        return
    count = targets.positions.shape[1]
    assert targets.yaws.shape == targets.in_air.shape == (20, count)
    assert len(targets.turned) == len(targets.below) == count <= len(env.task.objects)
    told = []
    for k in range(count):
        yaw = env.task.objects[k].symmetry * targets.yaws[:, k]
        told.append(world.in_base(0, targets.positions[:, k]))
        told.append(np.column_stack((np.cos(yaw), np.sin(yaw)))[:, : 2 * targets.turned[k]])
        told.append(targets.in_air[:, k : k + 1] if task == "PickPlace" else np.zeros((20, 1)))
    rows = np.concatenate(told, axis=1)
    # Lift asks for a height alone
    np.testing.assert_allclose(rows[:, 2:3] if task == "Lift" else rows, desired, atol=1e-12)


@every_task
@pytest.mark.parametrize("reward", ["dense", "sparse"])
def test_the_reward_can_be_computed_from_goals(task, reward):
    env = begin(task, 16, reward=reward, observation="goal")
    expert = Expert(env)
    achieved, rewards = [], []
    for _ in range(60):
        seen, reward_now, *_ = env.step(expert.act())
        again = env.compute_reward(seen["achieved_goal"], seen["desired_goal"], {})
        np.testing.assert_array_equal(again, reward_now)
        achieved.append(seen["achieved_goal"])
        rewards.append(reward_now)
    # relabelled, in any shape: (k, G), (a, b, G) and (G,)
    k = np.concatenate(achieved)
    wanted = np.roll(k, 16, axis=0)
    flat = env.compute_reward(k, wanted, [{}] * len(k))
    assert flat.shape == (len(k),)
    stacked = env.compute_reward(k.reshape(60, 16, -1), wanted.reshape(60, 16, -1), None)
    np.testing.assert_array_equal(stacked.ravel(), flat)
    assert env.compute_reward(k[5], wanted[5], {}) == flat[5]
    np.testing.assert_array_equal(env.compute_reward(k, k, None), 0.0)
    if reward == "sparse":
        assert set(np.unique(flat)) == {-1.0, 0.0}


@every_task
def test_success_means_that_the_goals_agree(task):
    env = begin(task, 8, reward="sparse", observation="goal")
    expert = Expert(env)
    successes = 0
    for _ in range(env.max_ticks):
        _, rewards, terminated, *_ = env.step(expert.act())
        assert (rewards[terminated] == 0.0).all()
        successes += terminated.sum()
        if successes > 20:
            break
    assert successes


# Arrays of another library


@every_task
def test_a_task_computes_the_same_on_torch_tensors(task):
    env = begin(task, 16)
    expert = Expert(env)
    for tick in range(70):
        env.step(expert.act())
        if tick % 10:
            continue
        ours = env.world()
        theirs = World(env.scene, {name: torch.from_numpy(values.copy()) for name, values in ours.arrays.items()})
        settled = env.task.settled(ours)
        np.testing.assert_array_equal(env.task.settled(theirs).numpy(), settled)
        success = settled & (np.arange(16) % 2 == 0)
        expected = env.task.progress(ours, success)
        found = env.task.progress(theirs, torch.from_numpy(success))
        np.testing.assert_array_equal(found.reached.numpy(), expected.reached)
        for name, values in expected.terms.items():
            assert isinstance(found.terms[name], torch.Tensor)
            np.testing.assert_allclose(found.terms[name].numpy(), values, atol=1e-12, err_msg=name)
        achieved, desired = env.task.achieved_goal(theirs), env.task.desired_goal(theirs)
        np.testing.assert_allclose(achieved.numpy(), env.task.achieved_goal(ours), atol=1e-12)
        np.testing.assert_allclose(desired.numpy(), env.task.desired_goal(ours), atol=1e-12)
        distance = env.task.goal_distance(env.task.achieved_goal(ours), env.task.desired_goal(ours))
        np.testing.assert_allclose(env.task.goal_distance(achieved, desired).numpy(), distance, atol=1e-12)
        assert env.task.goal_reached(achieved, desired).dtype == torch.bool
        for part in env.parts:
            read = part.read(theirs)
            assert isinstance(read, torch.Tensor), part.name
            np.testing.assert_allclose(read.numpy(), part.read(ours), atol=1e-12, err_msg=part.name)
