"""Every planner by name: valid plans on every task, placebos that are placebos, and no more seen than the single
system sees.
"""

from __future__ import annotations

import dataclasses
import math
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from envs.layout import EVALUATION_SEEDS
from envs.names import UnknownName
from envs.registration import TASK_NAMES
from envs.task import GRIP_FORCE, TOUCH_FORCE
from envs.vector import DuetVectorEnv
from envs.world import World
from policies.commands import NOTHING, SKILLS
from policies.dual import DualRuntime
from policies.scripted import scripted_actions
from policies.system2.grounding import Ground
from policies.system2.learned import LearnedPlanner, Network
from policies.system2.placebo import FrozenPlanner, NonePlanner, RandomPlanner, ShuffledPlanner, other_layout
from policies.system2.plan import Plan, estimates
from policies.system2.planners import PLANNERS, make_planner
from policies.system2.scripted import ScriptedPlanner
from policies.system2.symbolic import SymbolicPlanner

every_task = pytest.mark.parametrize("task", TASK_NAMES)
every_planner = pytest.mark.parametrize("name", PLANNERS)


def begin(task, layout_seeds, **options):
    env = DuetVectorEnv(len(layout_seeds), task=task, threads=1, autoreset=False, **options)
    env.reset(options={"layout_seeds": layout_seeds})
    return env


def seen(env):
    """What planners see of every world."""
    return estimates(env.scene, env.task, env.world(), range(env.num_envs))


def plans(env, planner):
    """The plans of all worlds at their beginning."""
    if hasattr(planner, "begin"):
        planner.begin(env, np.arange(env.num_envs), env.layout_seeds)
    return [planner.plan(scene, goals) for scene, goals in seen(env)]


def act(env, runtime, ticks):
    """Let the scripted System 1 act; returns (num_envs,) where it succeeded."""
    done = np.zeros(env.num_envs, dtype=bool)
    for _ in range(ticks):
        _, _, success, _, _ = env.step(scripted_actions(runtime.actors).reshape(env.num_envs, -1))
        runtime.update()
        done |= success
        if done.all():
            break
    return done


@lru_cache
def some(task):
    """Six layouts of a task, left as they begin."""
    return begin(task, range(6))


@lru_cache
def in_action(task):
    """Four layouts of a task two seconds later, left as they are then."""
    env = begin(task, range(4))
    runtime = DualRuntime(env, SymbolicPlanner())
    runtime.begin(np.arange(4))
    act(env, runtime, 50)
    return env


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A planner that has learned nothing yet."""
    path = tmp_path_factory.mktemp("planner") / "planner.pt"
    LearnedPlanner(Network(8, 1)).save(path)
    return path


# All planners


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="no planner 'symbolik'; did you mean 'symbolic'.*known: .*shuffled"):
        make_planner("symbolik")
    with pytest.raises(UnknownName, match="no planner 'scriptet'; did you mean 'scripted'"):
        make_planner("frozen", inner="scriptet")


def test_what_is_learned_has_to_come_from_somewhere():
    with pytest.raises(ValueError, match="comes from a file; make one with `python -m policies.system2.learned"):
        make_planner("learned")


def complaints(ground, plan):
    """What is wrong with a plan."""
    moved = {NOTHING}  # what is picked up later lies elsewhere by then
    for step in plan.steps:
        if len(step.commands) != len(ground.arms):
            yield f"{len(step.commands)} commands"
        for arm, command in enumerate(step.commands):
            skill, thing, target = command.skill, command.thing, command.target
            if skill not in SKILLS or not NOTHING <= thing < len(ground.symmetry):
                yield f"{command} names what there is not"
            if not all(map(math.isfinite, (*target, command.grip, command.heading))):
                yield f"{command} is not finite"
            if thing == NOTHING:
                reached = ground.reaches(arm, *target[:3])
            else:
                reached = ground.grips(arm, thing, target) or (skill == "pick" and thing in moved)
            if not reached:
                yield f"arm {arm} does not reach {command}"
        moved |= {command.thing for command in step.commands}


@every_planner
@every_task
def test_plans_are_valid(task, name, file):
    env = some(task)
    for (scene, goals), plan in zip(seen(env), plans(env, make_planner(name, file=file)), strict=True):
        assert isinstance(plan, Plan)
        assert not list(complaints(Ground(scene, goals), plan))
        if name == "none":
            assert not plan.steps
        elif name != "learned":  # which may still fail
            assert plan.steps
            assert not plan.no_plan


@every_planner
def test_plans_do_not_depend_on_the_batch(name, file):
    among = plans(begin("Relay", range(5)), make_planner(name, file=file))
    turned_around = plans(begin("Relay", [4, 3, 2, 1, 0]), make_planner(name, file=file))
    assert among == turned_around[::-1]
    for seed in (0, 4):
        assert plans(begin("Relay", [seed]), make_planner(name, file=file)) == [among[seed]]


@every_planner
def test_plans_do_not_depend_on_what_was_planned_before(name, file):
    env, planner = begin("Tidy", range(3)), make_planner(name, file=file)
    first = plans(env, planner)
    plans(begin("Stack", range(3)), planner)
    assert plans(env, planner) == first


@pytest.mark.parametrize(("planner", "layouts"), [(SymbolicPlanner, 20), (ScriptedPlanner, 10)])
@every_task
def test_they_solve_the_tasks(task, planner, layouts):
    """Layouts of the training's range, besides those that evaluations name."""
    env = begin(task, range(EVALUATION_SEEDS, EVALUATION_SEEDS + layouts))
    runtime = DualRuntime(env, planner())
    runtime.begin(np.arange(layouts))
    done = act(env, runtime, env.max_ticks)
    assert done.sum() >= layouts - 1, f"fails on worlds {np.flatnonzero(~done).tolist()}"
    assert not runtime.counts["faults"].any()


# Placebos


def test_none_leaves_the_arms_where_they_are():
    env = begin("Handover", range(4))
    runtime = DualRuntime(env, NonePlanner())
    runtime.begin(np.arange(4))
    before = np.stack([env.world().tool_position(arm) for arm in range(2)]).copy()
    act(env, runtime, 50)
    assert not any(any(plan.steps) for plan in plans(env, NonePlanner()))
    assert np.abs(np.stack([env.world().tool_position(arm) for arm in range(2)]) - before).max() < 0.01


def test_random_commands_everything_that_there_is():
    env = begin("Relay", range(60))
    commands = [c for plan in plans(env, RandomPlanner()) for step in plan.steps for c in step.commands]
    assert {command.skill for command in commands} == set(SKILLS)
    assert {command.thing for command in commands} == {NOTHING, 0, 1, 2}


def test_random_follows_from_the_scene_alone():
    (scene, goals), (other, _) = seen(some("Stack"))[:2]
    plan = RandomPlanner().plan(scene, goals)
    assert RandomPlanner().plan(dataclasses.replace(scene, world=77), goals) == plan
    assert RandomPlanner().plan(other, goals) != plan
    moved = dataclasses.replace(scene, tools=np.nextafter(scene.tools, np.inf))
    assert RandomPlanner().plan(moved, goals) != plan


class Counted:
    """Counts what it is asked."""

    def __init__(self):
        self.calls, self.begun = 0, []

    def begin(self, env, worlds, layout_seeds):
        self.begun += layout_seeds.tolist()

    def plan(self, scene, goals):
        self.calls += 1
        return SymbolicPlanner().plan(scene, goals)


def test_frozen_plans_once_an_episode():
    env, inner = begin("PickPlace", range(3)), Counted()
    runtime = DualRuntime(env, FrozenPlanner(inner))
    runtime.begin(np.arange(3))
    act(env, runtime, 60)
    assert (inner.calls, inner.begun) == (3, [0, 1, 2])
    env.reset(options={"reset_mask": np.array([False, True, False]), "layout_seeds": [9]})
    runtime.begin(np.array([1]))
    act(env, runtime, 60)
    assert (inner.calls, inner.begun) == (4, [0, 1, 2, 9])


@every_task
def test_shuffled_gives_the_plan_of_another_layout(task):
    others = begin(task, [other_layout(seed) for seed in range(6)])
    shuffled = plans(some(task), make_planner("shuffled", inner="symbolic"))
    assert shuffled == plans(others, SymbolicPlanner())
    assert shuffled != plans(some(task), SymbolicPlanner())


def test_shuffled_when_some_worlds_begin_anew():
    env = begin("Stack", range(20))  # more than are planned for at once
    planner = ShuffledPlanner(SymbolicPlanner())
    first = plans(env, planner)
    env.reset(options={"reset_mask": np.arange(20) == 3, "layout_seeds": [99]})
    planner.begin(env, np.array([3]), np.array([99]))
    second = [planner.plan(scene, goals) for scene, goals in seen(env)]
    assert [a == b for a, b in zip(first, second, strict=True)] == [k != 3 for k in range(20)]
    assert second[3] == plans(begin("Stack", [other_layout(99)]), SymbolicPlanner())[0]


def test_shuffled_goes_on_from_a_saved_state():
    saved = begin("Stack", [5, 6]).get_state()
    env, planner = begin("Stack", [0, 1]), ShuffledPlanner(SymbolicPlanner())
    plans(env, planner)
    env.set_state(saved)
    again = [planner.plan(scene, goals) for scene, goals in seen(env)]
    assert again == plans(begin("Stack", [5, 6]), ShuffledPlanner(SymbolicPlanner()))


@pytest.mark.parametrize("seed", [0, 7, EVALUATION_SEEDS - 1, EVALUATION_SEEDS, 2**63 - 1])
def test_the_other_layout_is_another_one_of_the_same_range(seed):
    other = other_layout(seed)
    assert abs(other - seed) > 1000
    assert other_layout(other) == seed
    assert (other < EVALUATION_SEEDS) == (seed < EVALUATION_SEEDS)
    assert 0 <= other < 2**63


# Fairness: System 2 sees what the single system observes


def rebuilt(env, world):
    """`SceneEstimate` and `Goals` of a world, from its state observation alone."""
    vector = env._senses.read(env.world(), range(env.num_envs))[world].astype(float)
    parts, at = {}, 0
    for part in env.parts:
        parts[part.name] = vector[at : at + part.size] if part.size > 1 else vector[at]
        at += part.size
    assert at == len(vector)
    arms = env.scene.arms
    prefixes = [f"arm{k}_" if len(arms) > 1 else "" for k in range(len(arms))]

    def to_world(arm, way):
        c, s = math.cos(arms[arm].base.yaw), math.sin(arms[arm].base.yaw)
        return np.array((c * way[0] - s * way[1], s * way[0] + c * way[1], way[2]))

    def angle(cos_sin):
        return math.atan2(cos_sin[1], cos_sin[0])

    found = {
        "tools": [arms[k].base.position + to_world(k, parts[f"{p}tool_position"]) for k, p in enumerate(prefixes)],
        "tool_yaws": [angle(parts[f"{p}tool_heading"]) for p in prefixes],
    }
    things = [thing.spec for thing in env.scene.objects]
    forces = np.array([[parts[f"{p}{thing.name}_finger_forces"] for thing in things] for p in prefixes])
    forces = forces.reshape(len(arms), len(things), 2)
    found["holds"], found["touches"] = forces.min(axis=-1) > GRIP_FORCE, forces.max(axis=-1) >= TOUCH_FORCE
    first = prefixes[0]
    base_yaw = arms[0].base.yaw
    found["positions"] = [found["tools"][0] + to_world(0, parts[f"{first}{t.name}_from_tool"]) for t in things]
    found["half_sizes"] = [np.broadcast_to(parts[f"{t.name}_half_size"], 3) for t in things]
    found["yaws"] = [
        angle(parts[f"{first}{t.name}_heading"]) / t.symmetry + found["tool_yaws"][0] + base_yaw if t.symmetry else None
        for t in things
    ]
    goals: dict[str, Any] = {"positions": [], "yaws": [], "tool": None}
    if "goal_from_tool" in parts:
        goals["tool"] = found["tools"][0] + to_world(0, parts["goal_from_tool"])
    for k, thing in enumerate(things):
        if "goal_over_cube" in parts:
            goals["positions"].append(found["positions"][k] + (0.0, 0.0, parts["goal_over_cube"]))
        elif f"goal_from_{thing.name}" in parts:
            goals["positions"].append(found["positions"][k] + to_world(0, parts[f"goal_from_{thing.name}"]))
        else:
            continue
        turn = parts.get(f"{thing.name}_goal_turn")
        goals["yaws"].append(None if turn is None else angle(turn) / thing.symmetry + found["yaws"][k])
    goals["in_air"] = [parts["goal_in_air"] > 0.5] if "goal_in_air" in parts else None
    return found, goals


def turn(angle, symmetry):
    """The least turn that looks the same."""
    return math.remainder(angle, 2 * math.pi / symmetry)


@pytest.mark.parametrize("moment", [some, in_action])
@every_task
def test_a_planner_sees_nothing_that_the_single_system_does_not_observe(task, moment):
    env = moment(task)
    symmetry = [thing.spec.symmetry for thing in env.scene.objects]
    for world, (scene, goals) in enumerate(seen(env)):
        found, asked = rebuilt(env, world)
        rebuilt_fields = {*found, "world", "scene"}  # the index in the batch, and what is the same in every episode
        assert rebuilt_fields == {field.name for field in dataclasses.fields(scene)}
        assert scene.scene is env.scene
        for name in ("tools", "tool_yaws", "positions", "half_sizes"):
            np.testing.assert_allclose(
                getattr(scene, name), np.reshape(found[name], getattr(scene, name).shape), atol=1e-5
            )
        for name in ("holds", "touches"):
            np.testing.assert_array_equal(getattr(scene, name), found[name])
        for k, yaw in enumerate(found["yaws"]):  # of a cylinder there is none, and no plan depends on it: see below
            assert yaw is None or abs(turn(yaw - scene.yaws[k], symmetry[k])) < 1e-5
        np.testing.assert_allclose(goals.positions, np.reshape(asked["positions"], goals.positions.shape), atol=1e-5)
        for k, yaw in enumerate(asked["yaws"]):
            assert (yaw is not None) == goals.turned[k]
            assert yaw is None or abs(turn(yaw - goals.yaws[k], symmetry[k])) < 1e-5
        if asked["in_air"] is not None:
            assert goals.in_air.tolist() == asked["in_air"]
        assert (goals.tool is None) == (asked["tool"] is None)
        if goals.tool is not None:
            np.testing.assert_allclose(goals.tool, asked["tool"], atol=1e-5)


@every_task
def test_what_the_observation_leaves_out_is_the_same_in_every_episode(task):
    """The rest of the goals: where it is not observed, it follows from the task."""
    env = some(task)
    goals = [goals for _, goals in seen(env)]
    assert len({(one.turned, one.below) for one in goals}) == 1
    if not any(part.name == "goal_in_air" for part in env.parts):
        assert len({tuple(one.in_air.tolist()) for one in goals}) == 1


def meaning(ground, plan):
    """A plan without the numbers that no arm acts on: the target of a pick, headings that do not count, and which of
    the turns that look the same is meant.
    """

    def target(command):
        x, y, z, yaw = command.target
        symmetry = 1 if command.thing == NOTHING else ground.symmetry[command.thing]
        if command.skill == "pick":
            return ()
        return (x, y, z, turn(yaw, symmetry)) if command.turned and symmetry else (x, y, z)

    return [
        (command.skill, command.thing, command.grip, command.heading, *target(command))
        for step in plan.steps
        for command in step.commands
    ]


def assert_same_meaning(ground, plan, other):
    ours, theirs = meaning(ground, plan), meaning(ground, other)
    assert len(ours) == len(theirs)
    for mine, its in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(its, abs=1e-6)


@pytest.mark.parametrize("name", ["symbolic", "scripted", "learned"])
@pytest.mark.parametrize("moment", [some, in_action])
@every_task
def test_headings_that_look_the_same_make_no_difference(task, moment, name, file):
    planner, random = make_planner(name, file=file), np.random.default_rng(0)
    env = moment(task)
    every = seen(env)
    for scene, goals in every:
        turns, aims = scene.yaws.copy(), goals.yaws.copy()
        for k, thing in enumerate(env.scene.objects):
            if thing.spec.symmetry:
                turns[k] += 2 * math.pi / thing.spec.symmetry * random.integers(1, 4)
            else:
                turns[k] = random.uniform(-3.0, 3.0)
        for k in range(len(aims)):
            known = len({float(other.yaws[k]) for _, other in every}) == 1  # the same in every episode
            if not goals.turned[k] and not known:
                aims[k] = random.uniform(-3.0, 3.0)
        other = planner.plan(dataclasses.replace(scene, yaws=turns), dataclasses.replace(goals, yaws=aims))
        assert_same_meaning(Ground(scene, goals), planner.plan(scene, goals), other)


@every_planner
@every_task
def test_what_is_not_observed_makes_no_difference(task, name, file):
    """Masses, frictions, joints behind the same tool pose, and what is still to come of the layout."""
    env = in_action(task)
    planner = make_planner(name, file=file)
    if hasattr(planner, "begin"):
        planner.begin(env, np.arange(env.num_envs), env.layout_seeds)
    world, random = env.world(), np.random.default_rng(0)
    arrays = {key: values.copy() for key, values in world.arrays.items()}
    for key in ("body_mass", "geom_friction", "body_inertia", "xfrc_applied", "xanchor", "xaxis"):
        arrays[key] += random.uniform(0.1, 1.0, arrays[key].shape)
    for arm in env.scene.arms:
        arrays["qpos"][:, arm.joints] += 0.3
        arrays["qvel"][:, arm.joints] += 0.3
    numbers = range(env.num_envs)
    changed = estimates(env.scene, env.task, World(env.scene, arrays), numbers)
    for ours, theirs in zip(seen(env), changed, strict=True):
        assert planner.plan(*ours) == planner.plan(*theirs)
