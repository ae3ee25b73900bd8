"""What happens from outside: once, at its moment, the same in any batch; and what becomes of the episode then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.object_task import holds
from envs.objects import CUBE, FRICTION
from envs.registration import TASK_NAMES
from envs.scene import TICK
from envs.tasks import task_class
from envs.vector import DuetVectorEnv
from evaluation.perturbations import PERTURBATIONS, Perturbation, make_perturbation, perturbations_of
from evaluation.rollout import Episodes, roll_out
from policies.agents import Agent, DualAgent, ExpertAgent, SingleAgent
from policies.system2.plan import estimates
from policies.system2.planners import make_planner
from policies.system2.symbolic import SymbolicPlanner

EVENTS = ("push", "knock", "goal_moves", "goal_changes")


def make(task: str, num_worlds: int, perturbation: Perturbation | None = None, **options: Any) -> DuetVectorEnv:
    """Worlds of a task with two objects, where there is a choice, and time to start again."""
    options = {"num_objects": 2 if task_class(task).object_counts else None} | options
    changes = {} if perturbation is None else perturbation.world_changes
    env = DuetVectorEnv(num_worlds, task=task, autoreset=False, threads=1, **changes, **options)
    env.max_ticks *= 2
    return env


def begin(name: str, task: str, seeds: Any, **options: Any) -> tuple[DuetVectorEnv, Perturbation]:
    """Worlds on these layouts whose episodes have begun."""
    perturbation = make_perturbation(name, task)
    env = make(task, len(seeds), perturbation, **options)
    env.reset(options={"layout_seeds": seeds})
    perturbation.begin(env)
    return env, perturbation


def disturbed(name: str, agent: Agent, task: str, seeds: Any) -> Episodes:
    perturbation = make_perturbation(name, task)
    return roll_out(make(task, len(seeds), perturbation), agent, np.asarray(seeds), perturbation)


def in_hand(env: DuetVectorEnv) -> np.ndarray:
    """(N,) bool: whether the first arm holds the first object."""
    return holds(env.world(), 0, 0)


# Which there are


def test_a_task_has_those_that_can_happen_to_it() -> None:
    state = set(PERTURBATIONS) - {"camera_noise"}
    goals = {"goal_moves", "goal_drifts", "goal_changes"}
    assert set(perturbations_of("Reach")) == goals | {"distractor"}
    assert set(perturbations_of("Stack")) == state - goals
    for task in set(TASK_NAMES) - {"Reach", "Stack"}:
        assert set(perturbations_of(task)) == state
        assert set(perturbations_of(task, "pixels")) == set(PERTURBATIONS)


@pytest.mark.parametrize(
    ("name", "task", "says"),
    [
        ("knock", "Reach", "Reach has no perturbation 'knock'; it has goal_moves, goal_drifts, goal_changes, dist"),
        ("goal_moves", "Stack", "Stack has no perturbation 'goal_moves'; it has push, knock, distractor, heavy"),
        ("camera_noise", "Lift", "Lift has no perturbation 'camera_noise'; it has push"),
        ("knok", "Lift", "no perturbation 'knok'; did you mean 'knock'"),
        ("knock", "Lfit", "did you mean 'Lift'"),
    ],
)
def test_one_that_a_task_does_not_have_is_refused_with_those_it_has(name: str, task: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as error:
        make_perturbation(name, task)
    assert "\n" not in str(error.value)


def test_each_says_what_it_does_and_draws_for_itself() -> None:
    assert all((kind.__doc__ or "").strip().endswith(".") for kind in PERTURBATIONS.values())
    assert len({kind.salt for kind in PERTURBATIONS.values()}) == len(PERTURBATIONS)


# When


@pytest.mark.parametrize("name", perturbations_of("PickPlace"))
def test_an_episode_is_the_same_to_the_last_bit_in_any_batch(name: str) -> None:
    one, several = (disturbed(name, DualAgent(SymbolicPlanner()), "PickPlace", seeds) for seeds in ([5], [2, 5]))
    assert several.disturbed.all()
    for column, values in several.columns().items():
        np.testing.assert_array_equal(one.columns()[column], values[1:], err_msg=column)


@pytest.mark.parametrize("name", EVENTS)
def test_nothing_happens_before_its_moment_and_something_then(name: str) -> None:
    agents = [DualAgent(SymbolicPlanner()), DualAgent(SymbolicPlanner())]
    (env, perturbation), (other, never) = (begin(name, "PickPlace", [4, 7]) for _ in agents)
    for agent, worlds in zip(agents, (env, other), strict=True):
        agent.begin(worlds)
    parts, apart = ("qpos", "qvel", "ctrl", "goal"), np.zeros(2)
    for _ in range(60):
        actions = [agent.act(None) for agent in agents]
        perturbation.apply(env)
        env.step(actions[0])
        other.step(actions[1])
        apart = np.maximum(apart, np.abs(env.world().object_position(0) - other.world().object_position(0)).max(axis=1))
        for i in np.flatnonzero(~perturbation.happened):
            for part in parts:
                np.testing.assert_array_equal(env.world().arrays[part][i], other.world().arrays[part][i])
    assert perturbation.happened.all()
    assert ((perturbation.at > 5) & (perturbation.at < 60)).all()
    assert not never.happened.any()
    assert (never.at == -1).all()
    assert (apart > 0.02).all()


def test_the_knock_comes_once_0_3_s_after_the_lift_and_the_object_falls() -> None:
    env, knock = begin("knock", "PickPlace", range(4))
    agent = DualAgent(SymbolicPlanner())
    agent.begin(env)
    rest = env.world().object_position(0)[:, 2].copy()
    ticks = 75
    raised, low, held = np.full(4, -1), np.full(4, np.inf), np.zeros((ticks, 4), dtype=bool)
    for tick in range(ticks):
        actions = agent.act(None)
        height = env.world().object_position(0)[:, 2] - rest
        raised = np.where((raised < 0) & in_hand(env) & (height > 0.01), tick, raised)
        knock.apply(env)
        env.step(actions)
        held[tick] = in_hand(env)
        low = np.where(knock.happened & (tick < knock.at + 12), np.minimum(low, height), low)
    np.testing.assert_allclose((knock.at - raised + 1) * TICK, 0.3, atol=TICK)
    for world, tick in enumerate(knock.at):
        assert held[tick - 1, world]
        assert not held[tick + 1 : tick + 5, world].any(), "it stayed in the hand"
    assert (low < 0.03).all(), "it did not fall"


def test_the_direction_follows_from_the_layout_and_differs_between_layouts() -> None:
    many = begin("knock", "PickPlace", [3, 4, 5, 6])[1]._aside  # type: ignore[attr-defined]
    np.testing.assert_array_equal(begin("knock", "PickPlace", [5])[1]._aside[0], many[2])  # type: ignore[attr-defined]
    np.testing.assert_allclose(np.linalg.norm(many, axis=1), 0.4)
    assert len(np.unique(many.round(3), axis=0)) == 4


@pytest.mark.parametrize("name", EVENTS)
def test_it_never_happens_to_who_does_nothing(name: str) -> None:
    env = make("PickPlace", 2)
    env.max_ticks = 30
    episodes = roll_out(
        env, SingleAgent(lambda _: np.zeros((2, 5))), np.arange(2), make_perturbation(name, "PickPlace")
    )
    assert not episodes.disturbed.any()
    assert np.isnan(episodes.recovery_seconds).all()
    assert episodes.recovery()["recovery_rate"] is None


# What becomes of it


@pytest.mark.parametrize("task", ["PickPlace", "Stack", "Handover"])
def test_what_was_knocked_away_is_picked_up_again(task: str) -> None:
    episodes = disturbed("knock", DualAgent(SymbolicPlanner(), latency=(0, 10)), task, range(3))
    assert episodes.disturbed.all()
    assert episodes.success.all(), f"not from layouts {episodes.layout_seeds[~episodes.success].tolist()}"
    assert (episodes.faults == 0).all()
    assert (episodes.replans >= 1).sum() >= 2  # a cube may fall where it was going
    assert (episodes.recovery_seconds > 0.3).all()
    assert (episodes.recovery_seconds < episodes.ticks * TICK).all()


def test_a_plan_that_is_never_made_again_does_not_recover() -> None:
    episodes = disturbed("knock", DualAgent(make_planner("frozen")), "Lift", range(3))
    assert episodes.disturbed.all()
    assert not episodes.success.any()
    assert episodes.recovery()["recovery_rate"] == 0.0


def test_the_expert_recovers_too() -> None:
    episodes = disturbed("knock", ExpertAgent(), "PickPlace", range(3))
    assert episodes.disturbed.all()
    assert episodes.success.all()


@pytest.mark.parametrize("task", ["Tidy", "Handover", "Lift"])
def test_a_push_slides_the_object_by_about_7_cm_and_it_stays_upright(task: str) -> None:
    env, push = begin("push", task, range(4))
    agent = DualAgent(SymbolicPlanner())
    agent.begin(env)
    start = env.world().object_position(0).copy()
    pushed = np.zeros(4)
    for _ in range(50):
        actions = agent.act(None)
        push.apply(env)
        env.step(actions * ~push.happened[:, None])  # the hands wait while it slides
        pushed = np.where(push.happened & (env.ticks == push.at + 15), _moved(env, push), pushed)
    assert push.happened.all()
    assert ((pushed > 0.045) & (pushed < 0.10)).all(), pushed
    view = env.world()
    first = np.array([push._thing == k for k in range(len(env.scene.objects))])  # type: ignore[attr-defined]
    for k, mine in enumerate(first):
        flat = np.abs(view.object_position(k)[:, 2] - view.object_half_size(k)[:, 2])
        assert (flat[mine] < 2e-3).all(), "it fell over"
    assert start.shape == (4, 3)


def _moved(env: DuetVectorEnv, push: Perturbation) -> np.ndarray:
    layout = env.layout(env.layout_seeds)
    things = push._thing  # type: ignore[attr-defined]
    places = np.stack([env.world().object_position(k) for k in range(len(env.scene.objects))], axis=1)
    rows = np.arange(env.num_envs)
    return np.linalg.norm(places[rows, things, :2] - layout.poses[rows, things, :2], axis=-1)


# Goals


def _changed(name: str, task: str, count: int = 24) -> tuple[DuetVectorEnv, np.ndarray]:
    """Worlds whose goals have been changed as if the first object were in a hand, and what the goals were."""
    env, perturbation = begin(name, task, range(count))
    before = env.world().goal.copy()
    for i, random in enumerate(perturbation.draws(env)):
        perturbation.change(env, i, 0, random)  # type: ignore[attr-defined]
    return env, before


@pytest.mark.parametrize("task", sorted(set(TASK_NAMES) - {"Stack"}))
def test_a_goal_moves_by_9_cm_to_where_it_can_be_met(task: str) -> None:
    env, before = _changed("goal_moves", task)
    after = env.world().goal
    width = min(3, env.task.goal_size)
    np.testing.assert_allclose(np.linalg.norm(after[:, :width] - before[:, :width], axis=1), 0.09, atol=1e-9)
    np.testing.assert_array_equal(after[:, 3:], before[:, 3:])
    _can_be_planned(env, before)


@pytest.mark.parametrize("task", sorted(set(TASK_NAMES) - {"Stack"}))
def test_another_layouts_goal_can_be_met_too(task: str) -> None:
    env, before = _changed("goal_changes", task)
    after = env.world().goal
    width = min(3, env.task.goal_size)
    assert (np.linalg.norm(after[:, :width] - before[:, :width], axis=1) > 0.05).all()
    asked = env.task.targets(env.world())
    for k in range(asked.positions.shape[1]):
        resting = ~asked.in_air[:, k]
        height = env.world().object_half_size(k)[:, 2]
        np.testing.assert_allclose(asked.positions[resting, k, 2], height[resting], atol=1e-9)
    _can_be_planned(env, before)


def _can_be_planned(env: DuetVectorEnv, before: np.ndarray) -> None:
    planner = SymbolicPlanner()
    for scene, goals in estimates(env.scene, env.task, env.world(), range(env.num_envs)):
        assert not planner.plan(scene, goals).no_plan
    if env.task.num_arms == 2:
        assert ((env.world().goal[:, 0] > 0) == (before[:, 0] > 0)).all(), "it changed sides"
    if len(env.scene.objects) > 1:
        room = [
            np.linalg.norm(env.world().goal[:, :2] - env.world().object_position(k)[:, :2], axis=1)
            for k in range(1, len(env.scene.objects))
        ]
        assert (np.min(room, axis=0) > 0.05).all(), "a goal lies on another object"


def test_goals_drift_slowly_to_and_fro_and_stand_still_where_they_are_met() -> None:
    env, drift = begin("goal_drifts", "Tidy", range(4))
    env.max_ticks = 1000
    goals = [env.world().goal.copy()]
    for _ in range(200):
        drift.apply(env)
        goals.append(env.world().goal.copy())
    way = np.stack(goals).reshape(len(goals), 4, -1, 4)[..., :3]
    speed = np.linalg.norm(np.diff(way, axis=0), axis=-1) / TICK
    np.testing.assert_allclose(speed, 0.02, atol=1e-9)
    gone = np.linalg.norm(way - way[0], axis=-1)
    assert gone.max() <= 0.06 + 1e-9
    assert (gone.max(axis=0) > 0.055).all()
    assert (gone[140:160].min(axis=0) < 0.01).all(), "they come back"
    thing = env.scene.objects[0]
    env.physics.arrays["qpos"][:, thing.pose.start : thing.pose.start + 2] = env.world().goal[:, :2]
    env.physics.refresh(np.arange(4))
    before = env.world().goal.copy()
    drift.apply(env)
    np.testing.assert_array_equal(env.world().goal[:, :4], before[:, :4])
    assert (env.world().goal[:, 4:] != before[:, 4:]).any()


# Objects


def test_a_distractor_stands_clear_of_everything_and_no_policy_sees_it() -> None:
    env, _ = begin("distractor", "Tidy", range(12), num_objects=4)
    (thing,) = env.scene.distractors
    place = env.physics.arrays["xpos"][:, thing.body].copy()
    view = env.world()
    others = [view.object_position(k) for k in range(4)] + [view.goal[:, 4 * k : 4 * k + 3] for k in range(4)]
    room = np.min([np.linalg.norm(other[:, :2] - place[:, :2], axis=1) for other in others], axis=0)
    assert (room > 0.07).all()
    assert np.median(room) > 0.12
    assert np.ptp(place[:, 1]) > 0.2, "it is not always at the same place"
    without = make("Tidy", 12, num_objects=4)
    seen, _ = without.reset(options={"layout_seeds": range(12)})
    np.testing.assert_array_equal(env.observe(), seen)
    for _ in range(10):
        env.step(np.zeros((12, 5)))
    np.testing.assert_allclose(env.physics.arrays["xpos"][:, thing.body], place, atol=1e-3)


def test_worlds_without_a_distractor_say_how_to_have_one() -> None:
    env = make("Lift", 1)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="make the environment with distractors=1"):
        make_perturbation("distractor", "Lift").begin(env)


def test_objects_are_heavier_or_more_slippery_than_any_in_training() -> None:
    heavy, _ = begin("heavy", "Relay", range(3), num_objects=3)
    for k, thing in enumerate(heavy.scene.objects):
        mass = heavy.physics.arrays["body_mass"][:, thing.body]
        np.testing.assert_allclose(mass, (0.45, 0.90, 0.75)[k])
        view = heavy.world()
        inertia = thing.inertia(view.object_half_size(k), mass)
        np.testing.assert_allclose(heavy.physics.arrays["body_inertia"][:, thing.body], inertia)
    slippery, _ = begin("slippery", "Stack", range(3))
    for thing in slippery.scene.objects:
        friction = slippery.physics.arrays["geom_friction"][:, thing.geom, 0]
        np.testing.assert_allclose(friction, FRICTION[0] / 3)
    # the next episode is as it was
    heavy.reset(options={"layout_seeds": range(3)})
    assert heavy.physics.arrays["body_mass"][:, heavy.scene.objects[1].body].max() <= CUBE.mass[1]


# Sight


def test_everybody_sees_the_same_noise_and_success_keeps_to_the_truth() -> None:
    env, _ = begin("pose_noise", "PickPlace", [1, 2])
    dual, true = (DualAgent(SymbolicPlanner(), true_poses=flag) for flag in (False, True))
    for agent in (dual, true):
        agent.begin(env)
    errors = []
    for _ in range(40):
        actions = dual.act(None)
        env.step(actions)
        seen, view = env.seen(), env.world()
        errors.append((seen.object_position(0) - view.object_position(0)).copy())
        part = [p.name for p in env.parts].index("cube_from_tool")
        column = sum(p.size for p in env.parts[:part])
        observed = env.observe()[:, column : column + 3]
        np.testing.assert_allclose(observed, seen.object_from_tool(0, 0), atol=1e-6)
        assert dual.runtime is not None
        dual.runtime.update()
        dual._fresh = True
        np.testing.assert_array_equal(dual.runtime.actors.object[:, 0], seen.object_from_tool(0, 0))
        np.testing.assert_array_equal(seen.object_velocity(0), view.object_velocity(0))
    assert true.runtime is not None
    spread = np.std(errors, axis=(0, 1))
    assert ((spread > 0.002) & (spread < 0.01)).all(), spread
    np.testing.assert_array_equal(env.task.settled(env.world()), env.task.settled(view))
    turned = np.abs(env.seen().object_yaw(0) - env.world().object_yaw(0))
    assert ((turned > 0) & (turned < 0.3)).all()
    # with the next episode it is gone
    env.reset(options={"layout_seeds": [1, 2]})
    assert env.lens is None
    np.testing.assert_array_equal(env.seen().object_position(0), env.world().object_position(0))


def test_a_planner_with_true_poses_is_not_misled_by_noise() -> None:
    targets = []
    for flag in (False, True):
        env, _ = begin("pose_noise", "PickPlace", [1, 2])
        agent = DualAgent(SymbolicPlanner(), true_poses=flag)
        agent.begin(env)
        assert agent.runtime is not None
        step = agent.runtime.step_of(0)
        assert step is not None
        targets.append(step.commands[0].target[:3])
    places = [tuple(world.object_position(0)[0]) for world in (env.seen(), env.world())]
    np.testing.assert_allclose(targets, places)


def test_noise_on_pictures_follows_from_the_layout_and_the_tick() -> None:
    noise = make_perturbation("camera_noise", "Lift", "pixels")
    env = make("Lift", 3)
    env.reset(options={"layout_seeds": [1, 2, 3]})
    with pytest.raises(ValueError, match="noise on pictures needs pixels"):
        noise.begin(env)
    env.observation_mode = "pixels"  # no picture is drawn
    noise.begin(env)
    assert env.lens is not None

    def look(worlds: list[int]) -> dict[str, np.ndarray]:
        assert env.lens is not None
        grey = {name: np.full((len(worlds), 8, 8, 3), 128, dtype=np.uint8) for name in ("front", "wrist")}
        return env.lens.observation(grey, worlds)

    every = look([0, 1, 2])
    np.testing.assert_array_equal(look([1])["wrist"][0], every["wrist"][1])
    assert 15 < every["front"].astype(float).std() < 25
    assert not np.array_equal(every["front"][0], every["front"][1])
    env.lens = None  # the environment itself has no pictures to show
    env.step(np.zeros((3, 5)))
    noise.begin(env)
    assert not np.array_equal(look([0, 1, 2])["front"], every["front"])
