"""Tasks that ask where objects must be: what is success and what is not, who reaches what, and the half-turn symmetry.

States are built by putting objects somewhere, or by driving arms there; what follows is physics.
"""

from dataclasses import replace

import numpy as np
import pytest

from envs.control import MAX_STEP, MAX_TURN
from envs.geometry import wrap
from envs.object_task import holds
from envs.objects import grip_offset
from envs.scene import BASES
from envs.task import HOLD_TICKS, STILL_SPEED, TOUCH_FORCE
from envs.tasks import task_class
from envs.vector import DuetVectorEnv
from policies.expert import Expert

OPEN, CLOSE, KEEP = 1.0, -1.0, 0.0
ON_TABLE = [
    (task, count)
    for task in ("Stack", "Tidy", "HandoverPlace", "Relay")
    for count in task_class(task).object_counts or (None,)
]
every_table_task = pytest.mark.parametrize(("task", "count"), ON_TABLE)


def begin(task, num_worlds=1, first=0, **kwargs):
    env = DuetVectorEnv(num_worlds, task=task, autoreset=False, **kwargs)
    env.reset(options={"layout_seeds": range(first, first + num_worlds)})
    return env


def put(env, thing, position, yaw=0.0):
    """An object upright at (3,) or (N, 3) m and a heading (rad), world frame, at rest."""
    index, arrays = env.scene.objects[thing], env.physics.arrays
    half = np.broadcast_to(np.asarray(yaw) / 2, (env.num_envs,))
    zero = np.zeros(env.num_envs)
    pose = (np.broadcast_to(position, (env.num_envs, 3)), np.stack((np.cos(half), zero, zero, np.sin(half)), axis=1))
    arrays["qpos"][:, index.pose] = np.concatenate(pose, axis=1)
    arrays["qvel"][:, index.velocity] = 0.0


def put_where_asked(env, but=()):
    """All objects, but some, where and how the goal asks."""
    env.step(np.zeros((env.num_envs, len(env.action_names))))  # what stands on another goes by where that one is
    targets = env.task.targets(env.world())
    for k in range(targets.positions.shape[1]):
        if k not in but:
            put(env, k, targets.positions[:, k].copy(), targets.yaws[:, k].copy())


def rest(env, ticks=HOLD_TICKS + 8):
    """Do nothing for some ticks. Returns (N,) whether it is a success in the end."""
    for _ in range(ticks):
        *_, infos = env.step(np.zeros((env.num_envs, len(env.action_names))))
    return infos["is_success"]


def drive(env, targets, ticks, openings=(OPEN, OPEN), after=None):
    """Bring tools to (position (N, 3) m in the world frame, heading (N,) rad in the base frame), one for each arm that
    moves; call `after` after every tick.
    """
    for _ in range(ticks):
        world, actions = env.world(), np.zeros((env.num_envs, env.task.num_arms, 5))
        for arm in range(env.task.num_arms):
            actions[:, arm, 4] = openings[arm]
            if arm in targets:
                position, yaw = targets[arm]  # and slowly, since the servos lag two ticks behind
                way = 0.6 * world.turned_to_base(arm, position - world.tool_position(arm))
                lead = world.arrays["target_position"][:, arm] - world.tool_base_position(arm)
                actions[:, arm, :3] = np.clip((way - lead) / MAX_STEP, -1, 1)
                actions[:, arm, 3] = np.clip((yaw - world.tool_base_yaw(arm)) / MAX_TURN, -1, 1)
        env.step(actions.reshape(env.num_envs, -1))
        if after is not None:
            after(env.world())


# On the table: standing, let go


@every_table_task
def test_what_stands_where_it_must_and_is_let_go_is_a_success(task, count):
    env = begin(task, 4, num_objects=count)
    put_where_asked(env)
    assert rest(env).all()
    assert (env.task.progress(env.world(), np.ones(4, dtype=bool)).reached == len(env.task.stages)).all()


@every_table_task
def test_success_takes_a_fifth_of_a_second(task, count):
    env = begin(task, 4, num_objects=count)
    put_where_asked(env)
    assert not rest(env, HOLD_TICKS - 1).any()


@every_table_task
def test_one_object_that_is_elsewhere_is_enough_to_fail(task, count):
    env = begin(task, 4, num_objects=count)
    asked = len(env.task.asked)
    for missing in range(asked):
        env.reset(options={"layout_seeds": range(4)})
        put_where_asked(env, but=(missing,))
        assert not rest(env).any()
        reached = env.task.progress(env.world(), np.zeros(4, dtype=bool)).reached
        if asked > 1:
            np.testing.assert_array_equal(reached, asked - 1)


@pytest.mark.parametrize("task", ["Stack", "Tidy", "HandoverPlace"])
def test_what_a_hand_still_holds_where_it_must_be_is_not_placed(task):
    env = begin(task, num_objects=1 if task == "Tidy" else None)
    expert, held_there = Expert(env), 0
    for _ in range(env.max_ticks):
        *_, infos = env.step(expert.act())
        world = env.world()
        touched = max(world.touch_force(arm, 0)[0] for arm in range(env.task.num_arms)) >= TOUCH_FORCE
        if touched and env.task.in_place(world, 0)[0]:
            held_there += 1
            assert not env.task.settled(world)[0]
        if held_there == 2:  # from here on, go nowhere and keep the grip
            assert not rest(env, 3 * HOLD_TICKS)[0]
            assert env.task.in_place(env.world(), 0)[0]
            assert env.world().object_speed(0)[0] < STILL_SPEED
            break
    let_go = np.zeros((env.num_envs, len(env.action_names)))
    let_go[:, [name.endswith("opening") for name in env.action_names]] = OPEN
    assert any(env.step(let_go)[2][0] for _ in range(3 * HOLD_TICKS))


def test_a_finger_that_leans_on_what_lies_at_its_place_is_no_success():
    env = begin("HandoverPlace")
    lay = np.array([-0.2, 0.0, env.world().object_half_size(0)[0, 2]])
    put(env, 0, lay)
    around = {0: (lay + [0.0, 0.0, 0.005], np.zeros(1))}
    drive(env, {0: (lay + [0.0, 0.0, 0.1], np.zeros(1))}, 30)
    drive(env, around, 20)
    leaned = 0
    for _ in range(60):
        world = env.world()
        world.goal[:, :3], world.goal[:, 3] = world.object_position(0), world.object_yaw(0)
        env.step(np.array([[0.0, 0.1, *[0.0] * 8]]))  # the open hand moves sideways
        world = env.world()
        if world.touch_force(0, 0)[0] >= TOUCH_FORCE and world.object_speed(0)[0] < STILL_SPEED:
            leaned += 1
            assert world.grip_force(0, 0)[0] == 0.0
            assert env.task.in_place(world, 0)[0]
            assert not env.task.settled(world)[0]
    assert leaned > 5


# Stack


def on_the_base(env, aside=0.0, above=0.0):
    """The place on top of the blue cube, or beside and above that."""
    return env.task.goal_position(env.world(), 0) + [aside, 0.0, above]


@pytest.mark.parametrize(("aside", "stands"), [(0.0, True), (0.012, True), (0.03, False), (0.045, False)])
def test_a_cube_that_falls_off_is_not_stacked(aside, stands):
    env = begin("Stack", 4)
    put(env, 0, on_the_base(env, aside, 0.002))
    succeeded = np.zeros(4, dtype=bool)
    for _ in range(40):
        succeeded |= env.step(np.zeros((4, 5)))[2]
    assert (succeeded == stands).all()
    assert (env.world().object_position(0)[:, 2] > 0.05).all() == stands


def test_a_cube_beside_the_other_is_not_stacked():
    env = begin("Stack", 4)
    base = env.world().object_position(1)
    half = env.world().object_half_size(0)[:, 2]
    beside = np.column_stack((base[:, 0] + 0.055, base[:, 1], half))
    put(env, 0, beside)
    assert not rest(env).any()


def test_the_wrong_cube_on_top_is_not_stacked():
    env = begin("Stack", 4)
    below, above = env.world().object_position(0), env.world().object_half_size(1)[:, 2:]
    put(env, 1, below + np.concatenate((0 * above, 0 * above, above + env.world().object_half_size(0)[:, 2:]), axis=1))
    assert not rest(env).any()
    assert (env.world().object_position(1)[:, 2] > 0.05).all(), "it stands there"


def test_a_stack_moves_with_its_base():
    env = begin("Stack", 4)
    put(env, 1, [-0.25, 0.3, 0.0] + env.world().object_half_size(1) * [0, 0, 1])
    put_where_asked(env)
    assert rest(env).all()


# Tidy


def squares(env):
    """(N, K, 3) m middles of the cubes' squares."""
    return env.task.targets(env.world()).positions.copy()


def test_a_cube_in_the_zone_of_another_colour_is_not_tidy():
    env = begin("Tidy", 4, num_objects=3)
    put_where_asked(env)
    places = squares(env)
    put(env, 0, places[:, 1])
    put(env, 1, places[:, 0])
    assert not rest(env).any()
    assert (env.task.progress(env.world(), np.zeros(4, dtype=bool)).reached == 1).all()


def test_both_squares_of_a_zone_of_two_cubes_count_for_both():
    env = begin("Tidy", 4, num_objects=5)
    assert env.task.objects[0].colour == env.task.objects[4].colour
    places = squares(env)
    np.testing.assert_allclose(np.linalg.norm(places[:, 0] - places[:, 4], axis=1), 0.09, atol=0.01)
    for own, other in ((0, 4), (4, 0)):
        env.reset(options={"layout_seeds": range(4)})
        put_where_asked(env)
        put(env, own, squares(env)[:, other])
        put(env, other, squares(env)[:, own])
        assert rest(env).all()


def test_a_zone_of_one_cube_ends_at_its_square():
    env = begin("Tidy", 4, num_objects=5)
    for aside, inside in ((0.035, True), (0.055, False), (-0.055, False)):
        for axis in (0, 1):
            env.reset(options={"layout_seeds": range(4)})
            put_where_asked(env)
            put(env, 1, squares(env)[:, 1] + aside * np.eye(3)[axis])
            assert (rest(env) == inside).all(), (aside, axis)


def test_a_cube_on_another_in_their_zone_is_not_tidy():
    env = begin("Tidy", 4, num_objects=5)
    put_where_asked(env)
    sizes = env.world().object_half_size(0) + env.world().object_half_size(4)
    put(env, 4, squares(env)[:, 0] + sizes * [0, 0, 1])
    assert not rest(env).any()
    assert (env.world().object_position(4)[:, 2] > 0.05).all(), "it stands there"


def test_the_expert_tidies_zones_of_two_cubes():
    env = begin("Tidy", num_objects=6)
    assert len({thing.colour for thing in env.task.objects}) == 4
    expert = Expert(env)
    assert any(env.step(expert.act())[2][0] for _ in range(env.max_ticks))


# Handover


def both_on_the_bar(height=0.2):
    """A Handover whose goal is in the middle of the table, just on arm 1's side, where both hands hold the bar."""
    env = begin("Handover")
    env.max_ticks = 1000
    offset = grip_offset(env.world().object_half_size(0)[:, 0])[0]
    middle, ahead = np.array([0.006, 0.0, height]), np.array([offset, 0.0, 0.0])
    tools = {0: (middle - ahead, np.zeros(1)), 1: (middle + ahead, np.zeros(1))}
    drive(env, tools, 60)
    drive(env, tools, 25, (CLOSE, CLOSE), lambda world: put(env, 0, middle))  # somebody holds it until the hands do
    drive(env, {}, 10, (KEEP, KEEP))
    world = env.world()
    assert (world.grip_force(0, 0) > 10).all()
    assert (world.grip_force(1, 0) > 10).all()
    env.world().goal[:, :3] = env.world().object_position(0)
    assert env.world().goal[0, 0] > 0.0
    return env


def test_a_bar_in_both_hands_is_not_handed_over():
    env = both_on_the_bar()
    assert not rest(env)[0]
    assert env.task.in_place(env.world(), 0)[0]
    assert env.world().object_speed(0)[0] < STILL_SPEED
    progress = env.task.progress(env.world(), np.zeros(1, dtype=bool))
    assert progress.reached[0] == env.task.stages.index("both") + 1


def test_the_receiver_alone_for_a_fifth_of_a_second_is_success():
    env = both_on_the_bar()
    alone = 0
    for _ in range(40):
        env.world().goal[:, :3] = env.world().object_position(0)  # it sags a little in one hand
        actions = np.zeros((1, 10))
        actions[0, 4] = OPEN
        _, _, terminated, _, _ = env.step(actions)
        world = env.world()
        free = world.touch_force(0, 0)[0] < TOUCH_FORCE
        assert env.task.settled(world)[0] == (free and world.object_speed(0)[0] < STILL_SPEED)
        # while the giver lets go, no stage is lost
        assert env.task.progress(world, terminated).reached[0] > env.task.stages.index("both")
        alone = (alone + 1) * env.task.settled(world)[0]
        assert terminated[0] == (alone >= HOLD_TICKS)
        if terminated[0]:
            break
    assert terminated[0]
    assert world.grip_force(1, 0)[0] > 10
    assert world.object_position(0)[0, 2] > 0.15


def test_no_stage_is_lost_while_the_giver_lets_go():
    env = both_on_the_bar()
    lingers = 0
    for _ in range(12):
        actions = np.zeros((1, 10))
        actions[0, 1], actions[0, 4] = 0.3, OPEN  # sideways too, so that one finger leaves before the other
        env.step(actions)
        world = env.world()
        lingers += not holds(world, 0, 0)[0] and world.touch_force(0, 0)[0] >= TOUCH_FORCE
        reached = env.task.progress(world, np.zeros(1, dtype=bool)).reached[0]
        assert reached > env.task.stages.index("both")
    assert lingers


def test_the_giver_alone_at_the_goal_is_no_handover():
    env = both_on_the_bar()
    for _ in range(40):
        env.world().goal[:, :3] = env.world().object_position(0)
        actions = np.zeros((1, 10))
        actions[0, 9] = OPEN
        assert not env.step(actions)[2][0]
    world = env.world()
    assert env.task.in_place(world, 0)[0]
    assert world.goal[0, 0] > 0.0
    assert world.grip_force(0, 0)[0] > 10
    assert world.touch_force(1, 0)[0] == 0.0
    assert world.object_speed(0)[0] < STILL_SPEED


def test_a_touch_by_the_giver_is_no_success():
    env = both_on_the_bar()
    drive(env, {}, 15, (OPEN, KEEP))
    assert env.world().touch_force(0, 0)[0] == 0.0
    touched = 0
    for _ in range(60):  # the open hand moves sideways until a finger leans on the bar
        env.world().goal[:, :3] = env.world().object_position(0)
        actions = np.zeros((1, 10))
        actions[0, 1] = 0.2
        env.step(actions)
        world = env.world()
        if world.touch_force(0, 0)[0] >= TOUCH_FORCE:
            touched += 1
            assert world.grip_force(0, 0)[0] == 0.0
            assert holds(world, 1, 0)[0]
            assert env.task.in_place(world, 0)[0]
            assert not env.task.settled(world)[0]
    assert touched > 5


def test_a_bar_that_passes_the_goal_in_the_receivers_hand_has_not_arrived():
    env = both_on_the_bar()
    drive(env, {}, 15, (OPEN, KEEP))
    fast = 0
    for _ in range(12):
        actions = np.zeros((1, 10))
        actions[0, 7] = 1.0  # up
        env.step(actions)
        env.world().goal[:, :3] = env.world().object_position(0)
        if env.world().object_speed(0)[0] >= STILL_SPEED:
            fast += 1
            assert not env.task.settled(env.world())[0]
    assert fast > 5
    assert holds(env.world(), 1, 0)[0]


def test_a_bar_that_nobody_holds_is_not_handed_over():
    env = begin("Handover", 4)
    put(env, 0, [0.3, 0.0, 0.018])
    env.world().goal[:, :3] = env.world().object_position(0)
    assert not rest(env).any()


# HandoverPlace and Relay: headings


@pytest.mark.parametrize(
    ("turn", "aside", "lies"),
    [
        (0.0, 0.0, True),
        (np.pi, 0.0, True),  # a bar looks the same after half a turn
        (0.15, 0.0, True),
        (-0.15, 0.0, True),
        (0.25, 0.0, False),
        (np.pi - 0.25, 0.0, False),
        (np.pi / 2, 0.0, False),
        (0.0, 0.015, True),
        (0.0, 0.025, False),
    ],
)
@pytest.mark.parametrize("task", ["HandoverPlace", "Relay"])
def test_a_bar_lies_at_its_place_and_heading(task, turn, aside, lies):
    env = begin(task, 4, num_objects=2 if task == "Relay" else None)
    put_where_asked(env)
    targets = env.task.targets(env.world())
    assert targets.turned[0]
    put(env, 0, targets.positions[:, 0] + [0.0, aside, 0.0], targets.yaws[:, 0] + turn)
    assert (rest(env) == lies).all()


def test_the_heading_of_cubes_and_cylinders_does_not_count():
    env = begin("Relay", 4, num_objects=4)
    put_where_asked(env)
    targets = env.task.targets(env.world())
    assert targets.turned == (True, False, False, False)
    for k in (1, 2, 3):
        put(env, k, targets.positions[:, k].copy(), targets.yaws[:, k] + 0.4)
    assert rest(env).all()


# Who reaches what


def far_ones(env, thing, count):
    """Layout seeds in which an object reaches nearest to the middle of the table, and (count,) whose side it is on."""
    seeds = np.arange(1000)
    layout = env.layout(seeds)
    x, half = layout.poses[:, thing, 0], layout.half_sizes[:, thing, 0]
    yaw = 2 * np.arctan2(layout.poses[:, thing, 6], layout.poses[:, thing, 3])
    off = np.abs(x) - half * np.abs(np.cos(yaw))
    chosen = np.sort(np.argsort(off)[:count])
    return seeds[chosen], (x[chosen] > 0).astype(int)


def grips_of(world, arm, thing, share):
    """(N, 3) m, world frame: the point at `share` of the way from an object's middle to its grip on an arm's side."""
    spec = world.scene.objects[thing].spec
    middle = world.object_position(thing).copy()
    if spec.symmetry != 2:
        return middle
    away = world.bar_axis(arm, thing) * np.cos(BASES[arm].yaw)
    return middle - share * grip_offset(world.object_half_size(thing)[:, :1]) * away


def heading_of(world, arm, thing):
    """(N,) rad, base frame: a heading in which an arm can close on an object."""
    symmetry = world.scene.objects[thing].spec.symmetry
    yaw = world.object_yaw(thing) - BASES[arm].yaw
    return wrap(yaw, 2 * np.pi / symmetry) if symmetry else 0.0 * yaw


@pytest.mark.parametrize(("task", "thing"), [("Handover", 0), ("Relay", 0), ("Relay", 1), ("Relay", 2)])
def test_only_the_nearer_arm_grips_an_object_where_it_starts(task, thing):
    env = begin(task)
    seeds, side = far_ones(env, thing, 12)
    env = DuetVectorEnv(12, task=task, autoreset=False)
    long = env.task.objects[thing].symmetry == 2
    for arm in (0, 1):
        near = side == arm
        # the nearest that an arm has of a bar is its very end
        for share in (1.3, 1.0) if long else (0.0,):
            env.reset(options={"layout_seeds": seeds})
            world = env.world()
            start, height = world.object_position(thing).copy(), np.array([0.0, 0.0, 0.1])
            grip, heading = grips_of(world, arm, thing, share), heading_of(world, arm, thing)
            tools: list[np.ndarray] = []

            def look(world, arm=arm, tools=tools):
                tools.append(world.tool_position(arm).copy())

            drive(env, {arm: (grip + height, heading)}, 40, after=look)
            drive(env, {arm: (grip, heading)}, 25, after=look)
            drive(env, {arm: (grip, heading)}, 20, (CLOSE, CLOSE), after=look)
            world = env.world()
            away = np.linalg.norm(np.array(tools) - grip, axis=-1).min(axis=0)
            assert (world.touch_force(arm, thing)[~near] == 0.0).all(), "the other arm touches it"
            assert (away[~near] > (0.02 if share <= 1.0 else 0.005)).all()
            if share > 1.0:
                continue
            assert (away[near] < 0.012).all()
            assert holds(world, arm, thing)[near].all(), "the nearer arm does not get it"
            drive(env, {arm: (grip + height, heading)}, 25, (KEEP, KEEP))
            lifted = env.world().object_position(thing)[:, 2] - start[:, 2]
            assert (lifted[near] > 0.05).all()


@pytest.mark.parametrize(
    ("task", "thing"), [("Handover", 0), ("HandoverPlace", 0), ("Relay", 0), ("Relay", 1), ("Relay", 2)]
)
def test_goals_are_on_the_side_that_one_arm_reaches(task, thing):
    env = begin(task, 200)
    targets = env.task.targets(env.world())
    goal, start = targets.positions[:, thing], env.world().object_position(thing)
    robot = env.task.robot
    for arm in (0, 1):
        mine = (goal[:, 0] > 0) == (BASES[arm].position[0] > 0)
        nearest = env.world().in_base(1 - arm, goal)[:, 0]
        if targets.turned[thing]:  # the end of a bar that points at the other arm
            nearest = nearest - env.world().object_half_size(thing)[:, 0] * np.abs(np.cos(targets.yaws[:, thing]))
        assert (nearest[mine] > robot.workspace_high[0] + 0.02).all()
    if thing == 0:  # bars always cross
        assert (goal[:, 0] * start[:, 0] < 0).all()
    else:
        crosses = goal[:, 0] * start[:, 0] < 0
        assert 0.35 < crosses.mean() < 0.65


# Symmetry


def half_turn(poses):
    """(n, K, 7) poses after half a turn about the world's vertical."""
    x, y, z, w, i, j, k = np.moveaxis(poses, -1, 0)
    return np.stack((-x, -y, z, -k, -j, i, w), axis=-1)


@pytest.mark.parametrize("task", ["Handover", "HandoverPlace", "Relay"])
def test_the_world_turned_by_half_with_the_arms_swapped_is_the_same_to_each_arm(task):
    n = 4
    env, turned = begin(task, n), begin(task, n)
    layout = env.layout(range(n))
    goal = layout.goal.reshape(n, -1, 4) * [-1, -1, 1, 1] + [0, 0, 0, np.pi]
    other = replace(
        layout, joints=layout.joints[:, ::-1], poses=half_turn(layout.poses), goal=goal.reshape(layout.goal.shape)
    )
    turned.physics.reset(np.arange(n), other)
    turned.world().goal[:] = other.goal
    turned.controller.reset(np.arange(n), turned.world())
    expert, gripped = Expert(env), 0
    for _ in range(90):
        actions = expert.act()
        success = env.step(actions)[-1]["is_success"]
        success_turned = turned.step(actions.reshape(n, 2, 5)[:, ::-1].reshape(n, 10))[-1]["is_success"]
        a, b = env.world(), turned.world()
        np.testing.assert_array_equal(success, success_turned)
        for arm in (0, 1):
            for name in ("tool_base_position", "tool_base_yaw", "gripper_opening"):
                np.testing.assert_allclose(getattr(a, name)(arm), getattr(b, name)(1 - arm), atol=1e-4, err_msg=name)
            for thing in range(len(env.task.objects)):
                for name in ("object_from_tool", "bar_axis", "grasp_distance"):
                    here, there = getattr(a, name)(arm, thing), getattr(b, name)(1 - arm, thing)
                    np.testing.assert_allclose(here, there, atol=1e-4, err_msg=name)
                turn = wrap(a.object_turn(arm, thing) - b.object_turn(1 - arm, thing))
                np.testing.assert_allclose(turn, 0.0, atol=1e-4)
                forces = a.finger_forces(arm, thing), b.finger_forces(1 - arm, thing)
                np.testing.assert_allclose(*forces, atol=0.5)
                gripped += (forces[0] > 1.0).sum()
        for name, term in env.task.progress(a, success).terms.items():
            np.testing.assert_allclose(term, turned.task.progress(b, success).terms[name], atol=0.02, err_msg=name)
    assert gripped, "nothing was in a hand"
