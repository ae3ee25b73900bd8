"""Skills: when a command is done and when its object is lost, in physics that is provoked; and what an arm sees."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from envs.layout import Layout
from envs.objects import grip_offset
from envs.scene import BASES
from envs.task import GRIP_FORCE, TOUCH_FORCE
from envs.vector import DuetVectorEnv
from envs.world import World
from policies.commands import (
    _CARRIED,
    _CLEAR,
    CARRY,
    FIRM,
    HOLD,
    NOTHING,
    PICK,
    PLACE,
    REACH,
    RELEASE,
    Actors,
    Commands,
    to_base,
)
from policies.dual import DualRuntime
from policies.scripted import scripted_actions
from policies.system1.commanded import observe, progress
from policies.system2.symbolic import SymbolicPlanner

STILL, OPENING = np.zeros(5), np.array((0.0, 0.0, 0.0, 0.0, 1.0))
Act = Callable[[Actors], np.ndarray]


class Told:
    """One world whose arms do what a test tells them. The scripted System 1 acts, unless the test does."""

    def __init__(self, task: str, seed: int = 0, num_objects: int | None = None) -> None:
        self.env = DuetVectorEnv(1, task=task, num_objects=num_objects, autoreset=False, threads=1)
        self.env.reset(options={"layout_seeds": [seed]})
        self.arms = len(self.env.scene.arms)
        self.commands = Commands.holding(1, self.arms)
        for arm in range(self.arms):
            self.wait(arm)

    @property
    def actors(self) -> Actors:
        return Actors(self.env.scene, self.env.world(), self.commands)

    def tell(
        self,
        arm: int,
        skill: int,
        thing: int = NOTHING,
        to: np.ndarray | None = None,
        turned: bool = False,
        grip: float = 0.0,
    ) -> None:
        """Command an arm; `to` is a place and heading, world frame."""
        c = self.commands
        c.skill[0, arm], c.thing[0, arm], c.grip[0, arm], c.turned[0, arm] = skill, thing, grip, turned
        if to is not None:
            c.target[0, arm] = to_base(self.env.scene, arm, np.asarray(to, dtype=float))
        if skill == PICK:
            # of a bar's two headings the one away from the arm
            c.heading[0, arm] = math.remainder(self.yaw(thing) - self.env.scene.arms[arm].base.yaw, math.pi)

    def wait(self, arm: int) -> None:
        """The arm stays where it is."""
        world = self.env.world()
        self.commands.skill[0, arm], self.commands.thing[0, arm] = HOLD, NOTHING
        self.commands.target[0, arm] = (*world.tool_base_position(arm)[0], world.tool_base_yaw(arm)[0])

    def step(self, act: Act | None = None) -> Actors:
        """One tick; what the arms see after it."""
        actions = (act or scripted_actions)(self.actors)
        self.env.step(np.broadcast_to(actions, (1, self.arms, 5)).reshape(1, -1))
        return self.actors

    def until(self, reached: Callable[[Actors], bool], act: Act | None = None, ticks: int = 150) -> bool:
        """Whether something is the case within so many ticks."""
        return any(reached(self.step(act)) for _ in range(ticks))

    def carry_out(self, arm: int = 0) -> None:
        assert self.until(lambda actors: bool(actors.done()[0, arm]))

    def position(self, thing: int = 0) -> np.ndarray:
        return self.env.world().object_position(thing)[0].copy()

    def yaw(self, thing: int = 0) -> float:
        return float(self.env.world().object_yaw(thing)[0])

    def pull(self, force: tuple[float, float, float], thing: int = 0) -> None:
        """(N) on an object from now on."""
        self.env.physics.arrays["xfrc_applied"][0, self.env.scene.objects[thing].body, :3] = force

    def loosen(self, arm: int, squeeze: float) -> None:
        """(m) the gripper's servo is ahead of the fingers by so much."""
        opening = self.env.world().gripper_opening(arm)
        self.env.physics.arrays["ctrl"][:, self.env.scene.arms[arm].gripper] = opening - squeeze


@pytest.fixture
def picked() -> Told:
    """A cube in the hand, 12 cm over the table."""
    told = Told("PickPlace", seed=1)
    told.tell(0, PICK, 0)
    told.carry_out()
    told.tell(0, CARRY, 0, to=np.array((*told.position()[:2], 0.12, 0.0)))
    told.carry_out()
    return told


def bar_in_hand(grip_from_middle: float | None = None) -> tuple[Told, int, float]:
    """A bar gripped by the arm that reaches it, lifted; the arm, and how far from the middle it grips (m)."""
    told = Told("Handover", seed=0)
    arm = int(told.position()[0] > 0)
    half = told.env.world().object_half_size(0)[0, 0]
    grip = float(grip_offset(half)) if grip_from_middle is None else grip_from_middle
    told.tell(arm, PICK, 0, grip=grip)
    told.carry_out(arm)
    return told, arm, grip


# Reach


def test_a_reach_is_done_where_the_tool_must_be_and_as_it_must_be_turned() -> None:
    told = Told("Reach")
    goal = np.array((-0.15, 0.1, 0.2, 1.0))
    told.tell(0, REACH, to=goal)
    assert not told.actors.done()[0, 0]
    told.carry_out()
    assert np.linalg.norm(told.env.world().tool_position(0)[0] - goal[:3]) < 0.02
    told.tell(0, REACH, to=goal, turned=True)
    assert not told.actors.done()[0, 0], "the heading counts now"
    told.carry_out()
    assert abs(told.env.world().tool_base_yaw(0)[0] - 1.0) < 0.15


def test_a_hold_is_never_done(picked: Told) -> None:
    picked.tell(0, HOLD, 0, to=np.array((*picked.position(), 0.0)))
    assert not picked.until(lambda actors: bool(actors.done()[0, 0]), ticks=20)
    assert not picked.actors.lost()[0, 0]


# Pick


def test_a_pick_is_done_with_both_fingers_firmly_on_the_object_and_not_before() -> None:
    told = Told("PickPlace", seed=1)
    told.tell(0, PICK, 0)
    assert not told.actors.done()[0, 0]
    stages = {"around": 0, "touching": 0}
    for _ in range(60):
        actors = told.step()
        force, done = actors.grip_force[0, 0], actors.done()[0, 0]
        assert done == (force > FIRM)
        stages["around"] += actors.away[0, 0] < 0.015 and force == 0
        stages["touching"] += 0 < force <= FIRM
        if done:
            break
    assert done
    assert stages["around"] > 0, "open fingers around the cube were never seen"


@pytest.mark.parametrize(("squeeze", "firm"), [(0.0006, False), (0.0025, True)])
def test_a_loose_grip_is_no_pick(squeeze: float, firm: bool) -> None:
    """The gripper's servo presses with 8 N a finger for each millimetre that it is ahead."""
    told = Told("PickPlace", seed=1)
    told.tell(0, PICK, 0)
    told.carry_out()
    for _ in range(15):
        told.loosen(0, squeeze)
        actors = told.step(lambda _: STILL)
    assert actors.held[0, 0], "it is in the fingers either way"
    assert actors.done()[0, 0] == firm


def test_one_finger_on_an_object_is_no_pick() -> None:
    told = Told("PickPlace", seed=1)
    told.tell(0, PICK, 0)
    assert told.until(lambda actors: bool(actors.away[0, 0] < 0.012))
    yaw = told.actors.yaw[0, 0]  # the fingers close across it
    aside = np.array((-0.6 * np.sin(yaw), 0.6 * np.cos(yaw), 0.0, 0.0, 1.0))
    assert told.until(lambda actors: bool(actors.touch_force[0, 0] > GRIP_FORCE), lambda _: aside, ticks=30)
    actors = told.actors
    assert actors.grip_force[0, 0] < TOUCH_FORCE
    assert not actors.held[0, 0]
    assert not actors.done()[0, 0]


def test_a_bar_that_slips_along_the_fingers_is_no_pick_though_it_is_held() -> None:
    told, arm, grip = bar_in_hand()
    assert told.actors.done()[0, arm]
    told.tell(arm, CARRY, 0, to=np.array((*told.position()[:2], 0.15, told.yaw())))
    assert told.until(lambda actors: bool(actors.away[0, arm] < _CARRIED))
    told.tell(arm, PICK, 0, grip=grip)
    thing = told.env.scene.objects[0]
    to_arm = -told.actors.axis[0, arm, :2] * (1 if arm == 0 else -1)  # along the bar, world frame

    # polished, and knocked on its end again and again; its weight is borne, so that it does not tilt
    told.env.physics.arrays["geom_friction"][0, thing.geom, 0] = 0.2
    told.pull((0.0, 0.0, 9.81 * told.env.physics.arrays["body_mass"][0, thing.body]))

    def knocked(actors: Actors) -> bool:
        assert actors.held[0, arm]
        told.env.physics.arrays["qvel"][0, thing.velocity.start : thing.velocity.start + 2] = 1.5 * to_arm
        return bool(np.abs(actors.grasp[0, arm]).max() > 0.035)

    assert told.until(knocked, lambda _: STILL, ticks=30), "the bar did not slip"
    for _ in range(10):
        told.loosen(arm, 0.003)
        actors = told.step(lambda _: STILL)
    assert actors.held[0, arm]
    assert actors.grip_force[0, arm] > FIRM
    assert not actors.done()[0, arm], "gripped elsewhere than it was told to"


# Carry, hold and what is lost


@pytest.mark.parametrize("skill", [CARRY, HOLD])
def test_a_cube_pulled_out_of_the_fingers_is_lost(picked: Told, skill: int) -> None:
    picked.tell(0, skill, 0, to=np.array((*picked.position(), 0.0)))
    before = picked.actors
    assert before.held[0, 0]
    assert not before.lost()[0, 0]
    base = BASES[0]
    assert base.yaw == 0.0
    picked.pull((60.0, 0.0, 0.0))
    assert picked.until(lambda actors: bool(actors.lost()[0, 0]), ticks=25)
    picked.pull((0.0, 0.0, 0.0))
    actors = picked.step()
    assert not actors.held[0, 0]
    assert not actors.done()[0, 0]


def test_a_carry_is_done_at_its_place_and_in_the_hand_only(picked: Told) -> None:
    actors = picked.actors
    assert actors.done()[0, 0]
    picked.tell(0, CARRY, 0, to=np.array((*picked.position() + (0.0, 0.0, 1.5 * _CARRIED), 0.0)))
    assert not picked.actors.done()[0, 0]
    # where it has to be, but falling through there with the fingers open
    thing = picked.env.scene.objects[0]
    picked.env.step(OPENING[None])
    while picked.env.world().touch_force(0, 0)[0] > 0:
        picked.step(lambda _: OPENING)
    picked.tell(0, CARRY, 0, to=np.array((*picked.position(), 0.0)))
    picked.env.physics.arrays["qvel"][0, thing.velocity.start + 2] = 0.0
    actors = picked.actors
    assert actors.away[0, 0] < _CARRIED
    assert not actors.done()[0, 0]
    assert actors.lost()[0, 0]


def test_a_carried_bar_must_be_turned_as_it_was_told() -> None:
    told, arm, _ = bar_in_hand()
    x, y, z = told.position()
    told.tell(arm, CARRY, 0, to=np.array((x, y, 0.15, told.yaw())), turned=True)
    told.carry_out(arm)
    told.tell(arm, CARRY, 0, to=np.array((*told.position(), told.yaw() + 0.4)), turned=True)
    assert not told.actors.done()[0, arm]
    told.tell(arm, CARRY, 0, to=np.array((*told.position(), told.yaw() + 0.4)))
    assert told.actors.done()[0, arm], "no heading was asked for"
    told.tell(arm, CARRY, 0, to=np.array((*told.position(), told.yaw() + np.pi)), turned=True)
    assert told.actors.done()[0, arm], "half a turn looks the same"


def test_what_is_not_in_the_hand_yet_is_not_lost() -> None:
    told = Told("PickPlace", seed=1)
    for skill in (REACH, PICK, RELEASE):
        told.tell(0, skill, 0, to=np.array((0.0, 0.0, 0.2, 0.0)))
        assert not told.actors.lost()[0, 0]
    told.tell(0, CARRY, NOTHING, to=np.array((0.0, 0.0, 0.2, 0.0)))
    assert not told.actors.lost()[0, 0]


# Place


def test_a_place_is_not_done_in_the_air(picked: Told) -> None:
    x, y, _ = picked.position()
    half = picked.env.world().object_half_size(0)[0, 2]
    for height in (0.08, 0.03, 0.016, 0.009):
        picked.tell(0, CARRY, 0, to=np.array((x, y, half + height, 0.0)))
        assert picked.until(lambda actors: bool(actors.away[0, 0] < 0.004))
        picked.tell(0, PLACE, 0, to=np.array((x, y, half, 0.0)))
        for _ in range(5):
            assert not picked.step(lambda _: STILL).done()[0, 0], f"{height} m over the table"
    picked.carry_out()
    assert picked.position()[2] - half < 0.005
    assert not picked.actors.lost()[0, 0]


def test_a_place_that_is_dropped_is_lost_and_not_done(picked: Told) -> None:
    x, y, _ = picked.position()
    half = picked.env.world().object_half_size(0)[0, 2]
    picked.tell(0, PLACE, 0, to=np.array((x + 0.1, y, half, 0.0)))
    actors = picked.actors
    for _ in range(20):
        actors = picked.step(lambda _: OPENING)
        assert not actors.done()[0, 0]
    assert picked.position()[2] < half + 0.01, "it should lie on the table, beside its place"
    assert actors.lost()[0, 0]


def test_a_bar_across_its_place_is_not_placed() -> None:
    told, arm, _ = bar_in_hand()
    x, y, z = told.position()
    told.tell(arm, PLACE, 0, to=np.array((x, y, z, told.yaw() + 0.3)), turned=True)
    assert told.actors.away[0, arm] < 0.012
    assert not told.actors.done()[0, arm]
    told.tell(arm, PLACE, 0, to=np.array((x, y, z, told.yaw())), turned=True)
    assert told.actors.done()[0, arm]


# Release


def test_a_release_is_not_done_while_touching_or_still_around() -> None:
    told = Told("PickPlace", seed=1)
    told.tell(0, PICK, 0)
    told.carry_out()
    x, y, _ = told.position()
    told.tell(0, RELEASE, 0, to=np.array((x, y, 0.15, 0.0)))
    actors = told.step(lambda _: STILL)
    assert actors.touch_force[0, 0] > TOUCH_FORCE
    assert not actors.done()[0, 0], "in the fingers"
    for _ in range(15):
        actors = told.step(lambda _: OPENING)
        assert not actors.done()[0, 0]
    assert actors.touch_force[0, 0] < TOUCH_FORCE, "the fingers should be open around it"
    told.carry_out()
    away = told.env.world().grasp_distance(0, 0)[0]
    assert away > _CLEAR
    assert told.actors.touch_force[0, 0] < TOUCH_FORCE
    # as if the cube hung on a finger
    told.env.physics.arrays["sensordata"][0, told.env.scene.arms[0].finger_forces[0][0]] = 0.0, 0.0, 0.5
    assert not told.actors.done()[0, 0]


def test_fingers_that_move_along_a_bar_are_still_around_it() -> None:
    told, arm, grip = bar_in_hand()
    told.tell(arm, RELEASE, 0)
    assert told.until(lambda actors: bool(actors.touch_force[0, arm] < TOUCH_FORCE), lambda _: OPENING, ticks=20)
    along = np.zeros((1, told.arms, 5))
    way = told.actors.object[0, arm]  # to the bar's middle
    along[0, arm, :2] = 0.3 * way[:2] / np.linalg.norm(way[:2])
    along[0, arm, 4] = 1.0
    start = told.env.world().tool_position(arm)[0].copy()
    for _ in range(40):
        actors = told.step(lambda _: along[0])
        assert not actors.done()[0, arm], "it never left the bar"
        moved = float(np.linalg.norm(told.env.world().tool_position(arm)[0] - start))
        if moved > grip + _CLEAR:
            break
    assert moved > grip + _CLEAR
    told.tell(arm, RELEASE, 0, to=np.array((*told.env.world().tool_position(arm)[0], 0.0)) + (0, 0, 0.11, 0))
    told.carry_out(arm)


# Two hands


@pytest.fixture
def both() -> tuple[Told, int, Commands]:
    """A bar in both hands, over the middle of the table, under the planner's commands; and who gives it."""
    told = Told("Handover", seed=0)
    runtime = DualRuntime(told.env, SymbolicPlanner())
    runtime.begin(np.arange(1))
    giver = int(told.position()[0] > 0)
    for _ in range(told.env.max_ticks):
        told.env.step(scripted_actions(runtime.actors).reshape(1, -1))
        runtime.update()
        if runtime.commands.skill[0, giver] == RELEASE:
            told.commands = runtime.commands.copy()
            return told, giver, told.commands
    raise AssertionError("no handover")


def test_two_hands_on_a_bar_have_both_picked_it(both: tuple[Told, int, Commands]) -> None:
    told, giver, _ = both
    receiver = 1 - giver
    half = told.env.world().object_half_size(0)[0, 0]
    for arm in (giver, receiver):
        told.tell(arm, PICK, 0, grip=float(grip_offset(half)))
    actors = told.actors
    assert actors.held.all()
    assert actors.done()[0, receiver], "it has just picked it"
    told.tell(giver, HOLD, 0, to=np.array((*told.position(), 0.0)))
    told.tell(receiver, HOLD, 0, to=np.array((*told.position(), 0.0)))
    assert not told.until(lambda actors: bool(actors.lost().any()), ticks=15)


def test_the_giver_has_let_go_only_when_it_is_away_and_the_receiver_keeps_it(both: tuple[Told, int, Commands]) -> None:
    told, giver, _ = both
    receiver = 1 - giver
    assert not told.actors.done()[0, giver], "both hold it"
    for _ in range(60):
        actors = told.step()
        touching = actors.touch_force[0, giver] >= TOUCH_FORCE
        assert not (actors.done()[0, giver] and touching)
        assert not actors.lost()[0, receiver]
        if actors.done()[0, giver]:
            break
    assert actors.done()[0, giver]
    assert actors.held[0].tolist() == [arm == receiver for arm in (0, 1)]
    # and while it is on its way, the giver has nothing to lose
    told.tell(giver, HOLD, NOTHING)
    assert not told.actors.lost().any()


def test_a_bar_that_neither_hand_holds_is_lost_to_both(both: tuple[Told, int, Commands]) -> None:
    told, giver, _ = both
    for arm in (0, 1):
        told.tell(arm, HOLD, 0, to=np.array((*told.position(), 0.0)))
    for _ in range(12):
        actors = told.step(lambda _: OPENING)
    assert not actors.held.any()
    assert actors.lost().all()
    told.tell(1 - giver, PICK, 0, to=np.array((*told.position(), 0.0)))
    assert not told.actors.done().any()


# What an arm sees


def mirrored(layout: Layout) -> Layout:
    """The same scene turned by half a turn about the middle of the table, so that the arms change places."""
    poses = layout.poses.copy()
    poses[..., :2] *= -1
    w, x, y, z = (layout.poses[..., 3 + i] for i in range(4))
    poses[..., 3:] = np.stack((-z, -y, x, w), axis=-1)  # (0, 0, 0, 1) times the quaternion
    return Layout(
        layout.joints[:, ::-1], poses, layout.half_sizes, layout.masses, layout.frictions, np.zeros_like(layout.goal)
    )


@pytest.mark.parametrize("task", ["Handover", "Relay"])
def test_turned_by_half_a_turn_the_two_arms_see_what_the_other_saw(task: str) -> None:
    """So one System 1 serves both: here the scripted one acts, with the same commands for the arms that swap."""
    env = DuetVectorEnv(2, task=task, autoreset=False, threads=1)
    env.reset(options={"layout_seeds": [4, 4]})
    layout = env.layout([4])
    for world, turned in enumerate((layout, mirrored(layout))):
        where = np.array([world])
        env.physics.reset(where, turned)
        env.controller.reset(where, env.world().take(where))
    commands, random = Commands.holding(2, 2), np.random.default_rng(0)
    things = len(env.scene.objects)
    picked = np.zeros(2, dtype=bool)
    for tick in range(120):
        if tick % 40 == 0:  # other commands, at random but for what they lead to
            for arm in (0, 1):
                pick = arm == int(env.world().object_position(0)[0, 0] > 0)
                thing = 0 if pick else int(random.integers(NOTHING, things))
                target = random.uniform((0.35, -0.2, 0.1, -1.0), (0.6, 0.2, 0.3, 1.0))
                for world, hand in ((0, arm), (1, 1 - arm)):
                    commands.skill[world, hand] = PICK if pick else (REACH, HOLD)[tick // 40 % 2]
                    commands.thing[world, hand] = thing
                    commands.target[world, hand] = target
                    commands.turned[world, hand] = True
        actors = Actors(env.scene, env.world(), commands)
        seen = observe(actors).reshape(2, 2, -1)
        # contacts amplify rounding, and forces most of all
        np.testing.assert_allclose(seen[0], seen[1, ::-1], rtol=2e-3, atol=2e-3, err_msg=f"at tick {tick}")
        np.testing.assert_array_equal(actors.done()[0], actors.done()[1, ::-1])
        np.testing.assert_allclose(progress(actors)[0], progress(actors)[1, ::-1], atol=1e-3)
        assert not np.allclose(seen[0, 0], seen[0, 1], atol=1e-2), "the two arms are to see different things"
        picked |= actors.held.any(axis=1)
        env.step(scripted_actions(actors).reshape(2, -1))
    assert picked.all(), "nothing was touched"


@pytest.mark.parametrize("skill", [REACH, HOLD])
def test_without_an_object_in_its_command_an_arm_sees_no_object(skill: int) -> None:
    """Also not that it touches one."""
    told = Told("Relay", seed=3)
    arm = int(told.position(1)[0] > 0)
    told.tell(arm, PICK, 1)
    told.carry_out(arm)
    told.tell(arm, skill, NOTHING, to=np.array((0.0, 0.0, 0.2, 0.3)), turned=True)
    seen, reward = observe(told.actors), progress(told.actors)
    assert told.env.world().grip_force(arm, 1)[0] > GRIP_FORCE
    # the same arms with everything else about the objects
    arrays = {name: values.copy() for name, values in told.env.world().arrays.items()}
    for thing in told.env.scene.objects:
        arrays["xpos"][0, thing.body] += 0.1
        arrays["xmat"][0, thing.body] = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
        arrays["qvel"][0, thing.velocity] += 0.3
        arrays["geom_size"][0, thing.geom] *= 1.2
    arrays["sensordata"][0, told.env.scene.arms[arm].finger_forces[1][0]] += 5.0
    other = Actors(told.env.scene, World(told.env.scene, arrays), told.commands)
    np.testing.assert_array_equal(observe(other), seen)
    np.testing.assert_array_equal(progress(other), reward)
    # with an object in the command it sees all of that
    told.tell(arm, HOLD, 1)
    other = Actors(told.env.scene, World(told.env.scene, arrays), told.commands)
    assert (observe(other)[arm] != observe(told.actors)[arm]).sum() > 10


def test_a_target_is_the_same_place_from_both_bases() -> None:
    told = Told("Handover")
    place = np.array((0.1, 0.05, 0.2, 0.4))
    for arm, base in enumerate(BASES):
        x, y, z, yaw = to_base(told.env.scene, arm, place)
        c, s = np.cos(base.yaw), np.sin(base.yaw)
        np.testing.assert_allclose(
            (base.position[0] + c * x - s * y, base.position[1] + s * x + c * y, z), place[:3], atol=1e-12
        )
        assert np.cos(yaw + base.yaw - place[3]) == pytest.approx(1.0)
