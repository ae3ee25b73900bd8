"""The two-rate runtime: the clock, the mailbox, what planners do wrong, and what happens from outside."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from envs.object_task import holds
from envs.registration import TASK_NAMES
from envs.scene import TICK
from envs.tasks import task_class
from envs.vector import DuetVectorEnv
from evaluation.rollout import Episodes, roll_out
from policies import dual
from policies.agents import DualAgent
from policies.commands import HOLD, NOTHING, PICK, REACH, SKILLS
from policies.dual import DualRuntime
from policies.scripted import scripted_actions
from policies.system1 import checkpoint
from policies.system2.plan import Command, Goals, Plan, Planner, SceneEstimate, Step
from policies.system2.planners import make_planner
from policies.system2.symbolic import SymbolicPlanner

PERIOD = 10  # (ticks) of System 2 at its usual rate


def make(
    task: str, seeds: Sequence[int], planner: Planner | None = None, latency: int | tuple[int, int] = 0, **kwargs: Any
) -> tuple[DuetVectorEnv, DualRuntime]:
    """Worlds on these layouts, whose episodes have begun."""
    env = DuetVectorEnv(len(seeds), task=task, num_objects=fewest(task), autoreset=False, threads=1)
    env.reset(options={"layout_seeds": seeds})
    ticks = (latency, latency) if isinstance(latency, int) else latency
    runtime = DualRuntime(env, planner or SymbolicPlanner(), latency=ticks, **kwargs)
    runtime.begin(np.arange(len(seeds)))
    return env, runtime


def fewest(task: str) -> int | None:
    """Two objects, where a task leaves a choice."""
    return 2 if task_class(task).object_counts else None


def step(env: DuetVectorEnv, runtime: DualRuntime) -> dual.Events:
    """One tick of the scripted System 1."""
    env.step(scripted_actions(runtime.actors).reshape(env.num_envs, -1))
    return runtime.update()


def stand(env: DuetVectorEnv, runtime: DualRuntime) -> dual.Events:
    """One tick in which no arm does what it is told."""
    env.step(np.zeros(env.action_space.shape or ()))
    return runtime.update()


def trace(env: DuetVectorEnv, runtime: DualRuntime, world: int, ticks: int) -> list[bytes]:
    """One world's state and commands, to the last bit, at every tick."""
    found = []
    for _ in range(ticks):
        step(env, runtime)
        parts = [env.physics.arrays[name][world] for name in ("qpos", "qvel", "ctrl", "sensordata")]
        parts += [values[world] for values in vars(runtime.commands).values()]
        parts += [values[world] for values in runtime.counts.values()]
        found.append(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
    return found


class Answers:
    """A planner whose n-th call for a world is answered by `answer(n, scene)`."""

    def __init__(self, answer: Callable[[int, SceneEstimate], Any]) -> None:
        self._answer, self.calls = answer, 0

    def plan(self, scene: SceneEstimate, goals: Goals) -> Plan:
        self.calls += 1
        return self._answer(self.calls - 1, scene)


def reach(*places: tuple[float, float, float]) -> Plan:
    """The one arm's tool to places, one after the other."""
    return Plan(tuple(Step((Command("reach", target=(*place, 0.0)),), str(k)) for k, place in enumerate(places)))


# The clock


@pytest.mark.parametrize("latency", [0, 5, 25])
def test_an_episode_is_the_same_to_the_last_bit_in_any_batch(latency: int) -> None:
    one, many, again = (
        trace(*make("HandoverPlace", seeds, latency=latency), world=seeds.index(11), ticks=125)
        for seeds in ([11], list(range(16)), [11, 3])
    )
    assert one == many
    assert one == again
    assert len(set(one)) == len(one), "nothing moved"


def test_a_drawn_latency_follows_from_the_layout_and_fills_its_range() -> None:
    _, runtime = make("Reach", range(60), latency=(2, 6))
    drawn = runtime.counts["latency"].copy()
    assert set(drawn.tolist()) == {2, 3, 4, 5, 6}
    _, other = make("Reach", range(59, -1, -1), latency=(2, 6))
    np.testing.assert_array_equal(other.counts["latency"], drawn[::-1])


@pytest.mark.parametrize("latency", [0, 5, 25])
def test_the_first_plan_is_there_at_once(latency: int) -> None:
    _, runtime = make("PickPlace", range(3), latency=latency)
    assert (runtime.commands.skill == PICK).all()
    assert (runtime.commands.observed == 0).all()
    assert (runtime.counts["calls"] == 1).all()
    assert (runtime.actors.commands.skill == PICK).all()


@pytest.mark.parametrize("latency", [0, 1, 5, 25])
def test_a_plan_is_in_force_exactly_so_many_ticks_after_its_observation(latency: int) -> None:
    """Every call is answered with another place and alternating skills, so that each answer can be told apart."""
    skills = ("reach", "hold")
    planner = Answers(lambda n, _: Plan((Step((Command(skills[n % 2], target=(0.0, 0.0, 0.2 + n / 1000, 0.0)),), ""),)))
    env, runtime = make("Reach", [0], planner, latency)
    asked = [0]  # ticks of the calls
    for tick in range(1, 70):
        stand(env, runtime)
        if tick % PERIOD == 0:
            asked.append(tick)
        assert planner.calls == len(asked)
        newest = max(n for n, when in enumerate(asked) if n == 0 or when + latency <= tick)
        command = runtime.commands
        assert SKILLS[command.skill[0, 0]] == skills[newest % 2], f"at tick {tick}"
        assert command.target[0, 0, 2] == pytest.approx(0.2 + newest / 1000, abs=1e-9)
        assert command.observed[0, 0] == pytest.approx(asked[newest] * TICK)
        assert runtime.command_age[0, 0] == pytest.approx((tick - asked[newest]) * TICK)
        np.testing.assert_array_equal(runtime.actors.commands.skill, command.skill)


@pytest.mark.parametrize("rate", [1.0, 5.0, 25.0])
def test_system_2_is_called_at_its_rate(rate: float) -> None:
    env, runtime = make("PickPlace", [0], rate=rate)
    for _ in range(100):
        stand(env, runtime)  # nothing is done or lost
    assert runtime.counts["calls"][0] == 1 + 100 // round(25 / rate)


def test_a_planner_with_nothing_to_say_is_not_asked_at_every_tick() -> None:
    env, runtime = make("PickPlace", [0], make_planner("none"), rate=0.1)
    for _ in range(80):
        step(env, runtime)
    assert runtime.counts["calls"][0] == 1 + 80 // 8
    assert (runtime.commands.skill == HOLD).all()


def test_a_planner_that_plans_once_is_asked_once_and_its_commands_do_not_expire() -> None:
    env, runtime = make("Tidy", range(2), make_planner("frozen"), time_to_live=1.0)
    for _ in range(200):
        step(env, runtime)
    assert (runtime.counts["calls"] == 1).all()
    assert (runtime.counts["expired"] == 0).all()
    assert (runtime.counts["at"] > 4).all(), "it went on through its plan"


# Steps


def test_an_arm_that_is_done_keeps_its_place_until_the_others_are() -> None:
    near, far = (-0.2, 0.0, 0.22), (0.2, 0.25, 0.35)
    second = ((-0.2, -0.2, 0.3), (0.2, -0.1, 0.3))
    steps = tuple(
        Step(tuple(Command("reach", target=(*place, yaw)) for place, yaw in zip(places, (0.0, np.pi), strict=True)), "")
        for places in ((near, far), second)
    )
    env, runtime = make("Handover", [0], Answers(lambda n, _: Plan(steps)), rate=0.1)
    order: list[tuple[int, ...]] = []
    for _ in range(60):
        skills = tuple(runtime.commands.skill[0].tolist())
        if not order or order[-1] != skills:
            order.append(skills)
        if runtime.counts["at"][0] == 1:
            break
        step(env, runtime)
    else:
        raise AssertionError("the first step is never over")
    assert order == [(REACH, REACH), (HOLD, REACH), (REACH, REACH)]
    world = env.world()
    for arm, place in enumerate((near, far)):
        assert np.linalg.norm(world.tool_position(arm)[0] - place) < 0.03
    assert runtime.step_of(0) == steps[1]


def test_what_is_done_already_is_not_begun() -> None:
    env, runtime = make("Reach", [0])
    x, y, z = map(float, env.world().tool_position(0)[0])
    here, there = (x, y, z), (x + 0.1, y, z)
    runtime = DualRuntime(env, Answers(lambda n, _: reach(here, here, there)))
    runtime.begin(np.arange(1))
    steps, at = runtime.plan_of(0)
    assert (len(steps), at) == (1, 0)
    assert runtime.commands.target[0, 0, 0] == pytest.approx(there[0] + 0.65)


def test_a_plan_that_is_finished_leaves_the_arms_where_they_are() -> None:
    env, runtime = make("Reach", [0])
    x, y, z = map(float, env.world().tool_position(0)[0])
    runtime = DualRuntime(env, Answers(lambda n, _: reach((x, y + 0.05, z))))
    runtime.begin(np.arange(1))
    for _ in range(40):
        step(env, runtime)
    assert runtime.step_of(0) is None
    assert (runtime.commands.skill == HOLD).all()
    assert abs(env.world().tool_position(0)[0, 1] - (y + 0.05)) < 0.02
    assert env.world().tool_speed(0)[0] < 0.01


def test_another_plan_replaces_the_one_in_force_and_is_counted() -> None:
    commands = [Command("pick", 0, target=(0.0, 0.0, 0.0, 0.0)), Command("reach", target=(-0.2, 0.0, 0.3, 0.0))]
    planner = Answers(lambda n, _: Plan((Step((commands[min(n, 1)],), ""),)))
    env, runtime = make("PickPlace", [0], planner)
    replaced = [bool(stand(env, runtime).replaced[0, 0]) for _ in range(3 * PERIOD)]
    assert [tick for tick, flag in enumerate(replaced, 1) if flag] == [PERIOD]
    assert runtime.counts["replans"][0] == 1
    assert runtime.counts["version"][0] == 2  # the first plan, and the other one
    assert runtime.commands.skill[0, 0] == REACH


def test_an_episode_that_begins_leaves_the_other_worlds_alone() -> None:
    seeds = [5, 6]
    alone = trace(*make("PickPlace", seeds), world=0, ticks=80)
    env, runtime = make("PickPlace", seeds)
    among = trace(env, runtime, world=0, ticks=30)
    env.reset(options={"reset_mask": np.array([False, True]), "layout_seeds": [9]})
    runtime.begin(np.array([1]))
    assert runtime.counts["tick"].tolist() == [30, 0]
    assert alone == among + trace(env, runtime, world=0, ticks=50)
    fresh = trace(*make("PickPlace", [9]), world=0, ticks=50)
    env, runtime = make("PickPlace", seeds)
    trace(env, runtime, world=0, ticks=30)
    env.reset(options={"reset_mask": np.array([False, True]), "layout_seeds": [9]})
    runtime.begin(np.array([1]))
    assert fresh == trace(env, runtime, world=1, ticks=50)


# What happens from outside


@pytest.mark.parametrize("task", [name for name in TASK_NAMES if name != "Stack"])  # whose goal is a cube
def test_a_goal_that_moves_is_followed(task: str) -> None:
    """In the middle of the episode, to where another layout has it."""
    seeds = np.arange(4)
    env = DuetVectorEnv(4, task=task, num_objects=fewest(task), randomize=False, autoreset=False, threads=1)
    env.max_ticks *= 3
    env.reset(options={"layout_seeds": seeds})
    agent = DualAgent(SymbolicPlanner(), latency=(0, 6))
    agent.begin(env)
    done, first = np.zeros(4, dtype=bool), env.world().goal.copy()
    moved = env.layout(seeds + 50).goal
    for tick in range(env.max_ticks):
        if tick == 8:
            assert not done.any()
            env.world().goal[:] = moved
        _, _, terminated, _, _ = env.step(agent.act(None))
        done |= terminated
        if done.all():
            break
    assert (np.abs(moved - first).max(axis=1) > 0.02).sum() >= 3
    np.testing.assert_array_equal(env.world().goal, moved)
    assert done.all(), f"worlds {np.flatnonzero(~done).tolist()} ended elsewhere"
    assert agent.runtime is not None
    assert (agent.runtime.counts["faults"] == 0).all()


def test_late_plans_do_not_turn_the_tool_to_and_fro() -> None:
    """With the headings of grasps nearest to the tool's own, as it was a second ago, one of these never grasps."""
    env = DuetVectorEnv(2, task="Tidy", autoreset=False, threads=1)
    episodes = roll_out(env, DualAgent(SymbolicPlanner(), latency=(25, 25)), np.array([3, 23]))
    assert episodes.success.all()


def test_an_arm_that_waits_keeps_what_it_holds() -> None:
    """A bar is picked up; then its goal moves so that the other arm has to act first."""
    env, runtime = make("Relay", [2])
    moved = env.layout([52]).goal.reshape(2, 4)[:, :2]
    waited = 0
    for tick in range(150):
        if tick == 8:
            env.world().goal.reshape(2, 4)[:, :2] = moved
        step(env, runtime)
        world, commands = env.world(), runtime.commands
        for arm in (0, 1):
            if holds(world, arm, 0)[0] and commands.skill[0, arm] == HOLD:
                assert commands.thing[0, arm] == 0, f"told to hold nothing at tick {tick}"
                waited += commands.skill[0, 1 - arm] == PICK
    assert waited > 5, "no arm waited with the bar"


def test_a_plan_that_is_never_made_again_does_not_follow_a_goal_that_moves() -> None:
    env, runtime = make("PickPlace", range(4), make_planner("frozen"))
    env.world().goal[:, 1] += np.where(env.world().goal[:, 1] > 0, -0.15, 0.15)
    done = np.zeros(4, dtype=bool)
    for _ in range(env.max_ticks):
        env.step(scripted_actions(runtime.actors).reshape(4, -1))
        runtime.update()
        done |= env.task.settled(env.world())
    assert not done.any()


def test_a_loss_calls_system_2_before_its_time() -> None:
    env, runtime = make("PickPlace", [1], rate=0.1)
    while runtime.counts["at"][0] == 0:
        step(env, runtime)
    calls = runtime.counts["calls"][0]
    # too smooth to be held
    env.physics.arrays["geom_friction"][0, env.scene.objects[0].geom, 0] = 0.01
    for _ in range(20):
        events = step(env, runtime)
        if events.lost[0, 0]:
            break
    assert events.lost[0, 0]
    assert runtime.counts["calls"][0] == calls + 1
    assert runtime.commands.skill[0, 0] == PICK, "it is to be picked up again"
    assert not step(env, runtime).lost.any(), "a loss is said once"


# What a planner does wrong


def good(scene: SceneEstimate) -> Plan:
    """For one arm and one object that stands still: a command that is not done."""
    x, y, z = map(float, scene.positions[0])
    return Plan((Step((Command("pick", 0, target=(x, y, z, 0.0)),), "pick"),))


def told(*commands: Any) -> Plan:
    return Plan((Step(tuple(commands), "nonsense"),))


def fail(error: BaseException) -> Any:
    raise error


NAN, INF = math.nan, math.inf
NONSENSE: dict[str, Callable[[], Any]] = {
    "raises": lambda: fail(RuntimeError("no idea")),
    "fails an assertion": lambda: fail(AssertionError()),
    "nothing": lambda: None,
    "text": lambda: "pick the cube up",
    "a command alone": lambda: Command("hold"),
    "steps alone": lambda: [Step((Command("hold"),), "")],
    "no steps": lambda: Plan(None),  # type: ignore[arg-type]
    "steps that are none": lambda: Plan(("pick",)),  # type: ignore[arg-type]
    "commands that are none": lambda: told("pick"),
    "no commands": lambda: Plan((Step(None, ""),)),  # type: ignore[arg-type]
    "too few commands": lambda: told(),
    "too many commands": lambda: told(Command("hold"), Command("hold")),
    "an unknown skill": lambda: told(Command("grasp", 0)),
    "a skill by number": lambda: told(Command(PICK, 0)),  # type: ignore[arg-type]
    "an object that is not there": lambda: told(Command("pick", 1)),
    "an object below all": lambda: told(Command("pick", -2)),
    "an object by name": lambda: told(Command("pick", "cube")),  # type: ignore[arg-type]
    "half an object": lambda: told(Command("pick", 0.5)),  # type: ignore[arg-type]
    "a pick of nothing": lambda: told(Command("pick")),
    "a release of nothing": lambda: told(Command("release")),
    "a target that is not a number": lambda: told(Command("carry", 0, target=(0.0, NAN, 0.2, 0.0))),
    "a target at infinity": lambda: told(Command("carry", 0, target=(INF, 0.0, 0.2, 0.0))),
    "a target without a heading": lambda: told(Command("carry", 0, target=(0.0, 0.0, 0.2))),  # type: ignore[arg-type]
    "a target in words": lambda: told(Command("carry", 0, target=("left",) * 4)),  # type: ignore[arg-type]
    "no target": lambda: told(Command("carry", 0, target=None)),  # type: ignore[arg-type]
    "a heading that is not a number": lambda: told(Command("pick", 0, heading=NAN)),
    "a grip that is not a number": lambda: told(Command("pick", 0, grip=NAN)),
    "a reason that is none": lambda: Plan((), no_plan=7),  # type: ignore[arg-type]
    "a good step and a bad one": lambda: Plan((*told(Command("hold")).steps, *told(Command("juggle")).steps)),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_is_counted_and_the_old_command_stays_until_it_expires(kind: str) -> None:
    """One world's planner fails from its second call on, the other's does not."""
    planner = Answers(lambda n, scene: NONSENSE[kind]() if scene.world == 0 and n > 1 else good(scene))
    env, runtime = make("PickPlace", [1, 2], planner, time_to_live=1.0)
    before = runtime.commands.copy()
    for tick in range(1, 26):
        stand(env, runtime)
        for name, values in vars(before).items():
            np.testing.assert_array_equal(getattr(runtime.commands, name)[0], values[0], err_msg=name)
        assert runtime.counts["faults"].tolist() == [tick // PERIOD, 0]
    assert runtime.counts["expired"].tolist() == [0, 0]
    stand(env, runtime)
    place = env.world().tool_base_position(0)[0].copy()
    for _ in range(14):
        step(env, runtime)
        assert runtime.counts["expired"].tolist() == [1, 0]
        assert runtime.commands.skill[:, 0].tolist() == [HOLD, PICK]
        assert runtime.commands.thing[0, 0] == NOTHING
    np.testing.assert_allclose(env.world().tool_base_position(0)[0], place, atol=2e-3)
    assert runtime.counts["faults"].tolist() == [4, 0]


def test_a_planner_that_fails_at_first_is_asked_again_and_the_arms_wait() -> None:
    env, runtime = make("PickPlace", [1], Answers(lambda n, scene: None if n < 2 else good(scene)))
    assert (runtime.commands.skill == HOLD).all()
    for _ in range(30):
        stand(env, runtime)
    assert runtime.counts["faults"][0] == 2
    assert runtime.commands.skill[0, 0] == PICK


def test_after_its_commands_have_expired_a_planner_that_comes_to_its_senses_is_followed() -> None:
    planner = Answers(lambda n, scene: fail(ValueError()) if 1 <= n <= 4 else good(scene))
    env, runtime = make("PickPlace", [1], planner, time_to_live=1.0)
    skills = []
    for _ in range(60):
        stand(env, runtime)
        skills.append(int(runtime.commands.skill[0, 0]))
    assert skills == [PICK] * 25 + [HOLD] * 24 + [PICK] * 11
    assert (runtime.counts["faults"][0], runtime.counts["expired"][0]) == (4, 1)


def test_an_answer_that_took_too_long_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 0.0}
    monkeypatch.setattr(dual, "time", SimpleNamespace(perf_counter=lambda: clock["now"]))

    def answer(n: int, scene: SceneEstimate) -> Plan:
        clock["now"] += (1.0, 4.9, 5.1)[min(n, 2)]
        return good(scene)

    env, runtime = make("PickPlace", [1], Answers(answer))
    for _ in range(2 * PERIOD):
        stand(env, runtime)
    assert runtime.plan_seconds == pytest.approx([1.0, 4.9, 5.1])
    assert runtime.counts["faults"][0] == 1
    assert runtime.commands.observed[0, 0] == pytest.approx(PERIOD * TICK)


def test_steps_in_a_list_are_as_good_as_in_a_tuple() -> None:
    class Listing:
        def plan(self, scene: SceneEstimate, goals: Goals) -> Plan:
            plan = SymbolicPlanner().plan(scene, goals)
            return Plan(list(plan.steps), plan.no_plan)  # type: ignore[arg-type]

    listed, usual = (trace(*make("PickPlace", [3], planner), world=0, ticks=60) for planner in (Listing(), None))
    assert listed == usual


# Plans that cannot be


@pytest.mark.parametrize("planner", ["symbolic", "scripted"])
@pytest.mark.parametrize("task", [name for name in TASK_NAMES if name != "Stack"])
def test_a_goal_out_of_reach_ends_the_episode_with_a_reason(task: str, planner: str) -> None:
    """From the start in the first world, and in the middle of the episode in the second one; not in the third."""
    env = DuetVectorEnv(3, task=task, num_objects=fewest(task), autoreset=False, threads=1)
    env.max_ticks = 120
    agent = Unreachable(make_planner(planner))
    episodes = roll_out(env, agent, np.arange(3))
    assert agent.runtime is not None
    reasons = agent.runtime.no_plan
    assert episodes.no_plan.tolist() == [True, True, False]
    assert 25 <= episodes.ticks[0] <= 30
    assert 33 <= episodes.ticks[1] <= 45
    for reason in reasons[:2]:
        assert "reach" in reason
        assert (env.scene.objects[0].spec.name if env.scene.objects else "goal") in reason
    assert reasons[2] == ""


class Unreachable(DualAgent):
    """Moves the first goals out of reach: of the first world at once, of the second after 8 ticks."""

    def begin(self, env: DuetVectorEnv) -> None:
        self._env, self._ticks = env, 0
        env.world().goal[0, 0] = 3.0
        super().begin(env)

    def act(self, observation: Any) -> np.ndarray:
        self._ticks += 1
        if self._ticks == 8:
            self._env.world().goal[1, 0] = 3.0
        return super().act(observation)


def test_a_plan_that_cannot_be_for_a_while_is_no_end() -> None:
    env, runtime = make("PickPlace", [1])
    goal = env.world().goal.copy()
    env.world().goal[0, 0] = 3.0
    for _ in range(15):
        step(env, runtime)
    assert "cube" in runtime.no_plan[0]
    assert (runtime.commands.skill == HOLD).all()
    env.world().goal[:] = goal
    for _ in range(10):
        step(env, runtime)
    assert runtime.no_plan[0] == ""
    assert (runtime.commands.skill != HOLD).all()


# State


@pytest.mark.parametrize(("task", "at"), [("HandoverPlace", 70), ("Relay", 95), ("Tidy", 48)])
def test_a_saved_runtime_goes_on_to_the_last_bit(task: str, at: int, tmp_path: Path) -> None:
    """In the middle of a plan and with answers under way, through a file, in a runtime that has done other things."""
    seeds = [3, 8, 20]
    env, runtime = make(task, seeds, latency=(4, 14))
    trace(env, runtime, world=0, ticks=at)
    assert (runtime.counts["at"] > 0).any()
    assert any(runtime._mail), "no answer is under way"
    path = tmp_path / "state.pt"
    checkpoint.write(path, {"worlds": env.get_state(), "runtime": runtime.get_state()})
    other, restored = make(task, [1, 2, 4], latency=(4, 14))
    trace(other, restored, world=0, ticks=25)
    state = checkpoint.read(path)
    other.set_state(state["worlds"])
    restored.set_state(state["runtime"])
    np.testing.assert_array_equal(scripted_actions(restored.actors), scripted_actions(runtime.actors))
    for world in range(3):
        assert restored.plan_of(world) == runtime.plan_of(world)
    for world in range(3):
        assert trace(env, runtime, world, 25) == trace(other, restored, world, 25)
    assert restored.no_plan == runtime.no_plan


@pytest.mark.parametrize("planner", ["shuffled", "frozen"])
def test_a_planner_with_a_memory_goes_on_too(planner: str, tmp_path: Path) -> None:
    """A training that is resumed has a planner that has been told of no episode."""
    env, runtime = make("PickPlace", [3, 8], make_planner(planner))
    trace(env, runtime, world=0, ticks=25)
    path = tmp_path / "state.pt"
    checkpoint.write(path, {"worlds": env.get_state(), "runtime": runtime.get_state()})
    state = checkpoint.read(path)
    other = DuetVectorEnv(2, task="PickPlace", autoreset=False, threads=1)
    other.set_state(state["worlds"])
    restored = DualRuntime(other, make_planner(planner))
    restored.set_state(state["runtime"])
    assert trace(env, runtime, 0, 40) == trace(other, restored, 0, 40)
    assert (restored.counts["faults"] == 0).all()


# Our own planners


@pytest.mark.parametrize("planner", ["symbolic", "scripted", "frozen"])
@pytest.mark.parametrize("task", TASK_NAMES)
def test_our_planners_never_fail_in_whole_episodes(task: str, planner: str) -> None:
    episodes = whole_episodes(task, planner)
    assert (episodes.faults == 0).all()
    assert episodes.success.all()


@pytest.mark.parametrize("planner", ["shuffled", "random", "none"])
@pytest.mark.parametrize("task", TASK_NAMES)
def test_placebos_are_sound_too(task: str, planner: str) -> None:
    episodes = whole_episodes(task, planner, most_ticks=100)
    assert (episodes.faults == 0).all()
    assert (episodes.calls > 3).all()


def whole_episodes(task: str, planner: str, most_ticks: int | None = None) -> Episodes:
    env = DuetVectorEnv(2, task=task, num_objects=fewest(task), autoreset=False, threads=1)
    env.max_ticks = min(env.max_ticks, most_ticks or env.max_ticks)
    return roll_out(env, DualAgent(make_planner(planner), latency=(0, 5)), np.arange(2))
