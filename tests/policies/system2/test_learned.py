"""The learned planner: what it is told and can do, that it learns, and its files."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from envs.vector import DuetVectorEnv
from policies.dual import DualRuntime
from policies.scripted import scripted_actions
from policies.system2.domain import Action, Goal, Problem, State, Where, outcome, satisfied
from policies.system2.learned import (
    ACTIONS,
    NUMBERS,
    OBJECTS,
    CheckpointError,
    Encoder,
    LearnedPlanner,
    Network,
)
from policies.system2.learning import (
    TASKS,
    Problems,
    SymbolicEnv,
    Trainer,
    assess,
    from_rollouts,
    mixture,
    solvable,
    train,
)
from policies.system2.search import NoPlan, search

pytest.importorskip("sb3_contrib")

_ROOT = Path(__file__).parents[3]
SMALL = (("Tidy", (2, 3)), ("Handover", (None,)))

# An arm that reaches the left and the middle, and one that reaches the right and the middle; a bar to hand over
CROSSING = Problem(
    arms=2,
    objects=("bar", "cube", "base"),
    places=("goal_bar", "goal_cube", "left", "middle", "right"),
    reach=frozenset({(0, "left"), (0, "middle"), (1, "right"), (1, "middle"), (1, "goal_bar"), (1, "goal_cube")}),
    two_handed=frozenset({"bar"}),
    state=State((Where(place="left"), Where(below="base"), Where(place="right"))),
    goals=(Goal("held", "bar", "goal_bar"), Goal("at", "cube", "goal_cube")),
)


@pytest.fixture(scope="module")
def problems():
    """Of every task, new to all that is trained here."""
    return mixture(180, seed=1000)


def walk(problem, random, steps=20):
    """States on a random way."""
    encoder, state = Encoder(problem), problem.state
    for _ in range(steps):
        yield encoder, state
        options = list(encoder.options(state).values())
        if not options:
            return
        state = outcome(problem, state, options[random.integers(len(options))])


# What it is told, and what it can do


def test_what_is_found_by_search_can_be_done(problems):
    """The cheapest plan is among what the numbered actions can do, up to places that are as good."""
    for problem in problems:
        state, encoder, cost = problem.state, Encoder(problem), 0
        for action in search(problem):
            done = encoder.options(state)[encoder.number_of(action)]
            assert (done.name, done.arm, done.object) == (action.name, action.arm, action.object)
            state, cost = outcome(problem, state, done), cost + done.cost
        assert satisfied(problem, state)


def test_numbers_of_actions_are_theirs_alone(problems):
    random = np.random.default_rng(0)
    for problem in problems[:60]:
        for encoder, state in walk(problem, random):
            for number, action in encoder.options(state).items():
                assert 0 <= number < ACTIONS
                assert encoder.number_of(action) == number


def test_the_encoding_tells_states_apart_that_differ(problems):
    random = np.random.default_rng(0)
    for problem in problems[:60]:
        told: dict[bytes, set] = {}
        for encoder, state in walk(problem, random):
            numbers = encoder.encode(state)
            assert numbers.shape == (NUMBERS,)
            assert set(np.unique(numbers)) <= {0.0, 1.0}
            told.setdefault(numbers.tobytes(), set()).add(frozenset(encoder.options(state)))
        # what looks alike allows the same
        assert all(len(options) == 1 for options in told.values())


def test_what_cannot_be_undone_is_only_done_right():
    """An object is kept in the air at its own goal alone."""
    other = replace(CROSSING, state=State((Where(place="left"), Where(arms=(1,)), Where(place="right"))))
    assert all(action.name != "present" for action in Encoder(other).options(other.state).values())
    mine = replace(CROSSING, state=State((Where(arms=(1,)), Where(below="base"), Where(place="right"))))
    present = Action("present", 1, "bar", place="goal_bar")
    assert present in Encoder(mine).options(mine.state).values()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"arms": 3}, "up to 2 arms and 8 objects"),
        ({"goals": (*CROSSING.goals, Goal("on", "bar", "base"))}, "one goal for each object"),
    ],
)
def test_a_problem_that_is_too_large_has_no_plan(change, says):
    with pytest.raises(NoPlan, match=says):
        LearnedPlanner(Network()).actions(replace(CROSSING, **change))


def test_all_objects_are_treated_alike():
    """Scores follow the objects when these change their order."""
    order = [2, 0, 1]
    turned = replace(
        CROSSING,
        objects=tuple(CROSSING.objects[k] for k in order),
        state=State(tuple(CROSSING.state.where[k] for k in order)),
    )
    scores = []
    for problem in (CROSSING, turned):
        numbers = Encoder(problem).encode(problem.state)
        torch.manual_seed(0)
        with torch.no_grad():
            found = Network()(torch.from_numpy(numbers[None]))[0].numpy()
        of_objects = found[: 6 * OBJECTS].reshape(6, OBJECTS)
        scores.append((of_objects, found[6 * OBJECTS :]))
    np.testing.assert_allclose(scores[0][0][:, order], scores[1][0][:, :3], atol=1e-5)
    np.testing.assert_allclose(scores[0][1], scores[1][1], atol=1e-5)


# Problems to learn from


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(ValueError, match="steps must be at least 1"):
        train(seed=0, steps=0)


@pytest.mark.parametrize(("task", "numbers"), TASKS)
def test_problems_are_many_and_follow_from_their_seed(task, numbers):
    first, again, other = (solvable(Problems(task, numbers[-1], seed), 40) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(set(first)) > 4
    assert len(first[0].objects) == (numbers[-1] or {"Stack": 2}.get(task, 1))


def test_rollouts_meet_what_has_gone_wrong():
    met = from_rollouts(3, seed=0, tasks=(("Tidy", (2,)),))
    assert met == from_rollouts(3, seed=0, tasks=(("Tidy", (2,)),))
    assert len(met) > 3
    assert any(where.arms for problem in met for where in problem.state.where)
    assert any(not where.arms for problem in met for where in problem.state.where)


def test_an_episode_costs_what_its_actions_cost(problems):
    env = SymbolicEnv(problems)
    random = np.random.default_rng(0)
    for seed in range(40):
        numbers, _ = env.reset(seed=seed)
        assert env.observation_space.contains(numbers)
        over, earned, cost = False, 0.0, 0
        while not over:
            legal = np.flatnonzero(env.action_masks())
            action = legal[random.integers(len(legal))]
            cost += env._options[action].cost
            numbers, reward, solved, late, _ = env.step(action)
            earned += reward
            over = solved or late
            assert env.observation_space.contains(numbers)
        if solved and env._options:
            assert earned == pytest.approx(-0.1 * cost)


# Learning


@pytest.fixture(scope="module")
def trained():
    return train(seed=0, steps=8192, tasks=SMALL, num_problems=300)


def test_a_little_training_beats_none(trained):
    fresh = [problem for task, numbers in SMALL for n in numbers for problem in solvable(Problems(task, n, 1000), 40)]
    before, _ = assess(LearnedPlanner(Network()), fresh)
    after, cost = assess(trained, fresh)
    assert before < 0.7
    assert after > 0.95
    assert 1.0 <= cost < 1.1


def test_few_objects_teach_about_many(trained):
    """Trained with up to three cubes; here there are six."""
    assert assess(trained, solvable(Problems("Tidy", 6, 1000), 20))[0] > 0.8


def test_it_commands_the_arms(trained):
    env = DuetVectorEnv(6, task="Handover", threads=1, autoreset=False)
    env.reset(options={"layout_seeds": range(6)})
    runtime = DualRuntime(env, trained)
    runtime.begin(np.arange(6))
    done = np.zeros(6, dtype=bool)
    for _ in range(env.max_ticks):
        _, _, success, _, _ = env.step(scripted_actions(runtime.actors).reshape(6, -1))
        runtime.update()
        done |= success
    assert done.all()
    assert not runtime.counts["faults"].any()


def test_the_same_seed_learns_the_same():
    def learn():
        trainer = Trainer(mixture(20, 0, SMALL), seed=3)
        trainer.practise(1)
        return trainer.planner().network.state_dict()

    first, again = learn(), learn()
    assert all(torch.equal(values, again[name]) for name, values in first.items())


def test_rollouts_are_learned_from_too():
    planner = train(seed=0, steps=2, rollouts=1, tasks=(("Stack", (None,)),), num_problems=20)
    assert isinstance(planner, LearnedPlanner)


def test_without_sb3_contrib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sb3_contrib", None)
    with pytest.raises(ValueError, match=r'pip install -e "\.\[planner\]"'):
        Trainer(mixture(20, 0, SMALL), 0)


# Files


def test_what_is_saved_plans_the_same(trained, problems, tmp_path):
    trained.save(tmp_path / "planner.pt", seed=0)
    again = LearnedPlanner.load(tmp_path / "planner.pt")
    for problem in problems:
        assert again._answer(problem) == trained._answer(problem)


def test_a_damaged_file_is_refused_in_one_sentence(trained, tmp_path):
    file = tmp_path / "planner.pt"
    trained.save(file)
    whole = file.read_bytes()
    for damaged in (b"", b"no planner", whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="planner.pt is truncated or not a checkpoint of Duet"):
            LearnedPlanner.load(file)
    with pytest.raises(CheckpointError, match="nothing.pt does not exist"):
        LearnedPlanner.load(tmp_path / "nothing.pt")


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"planner": {"width": 48, "rounds": 3}, "weights": {}},
        {"planner": {"width": 10**9, "rounds": 3}, "weights": {}},
        {"planner": {"width": 512, "rounds": 10**9}, "weights": {}},
        {"planner": {"width": "wide", "rounds": 3}, "weights": {}},
        {"planner": [1], "weights": {}},
        {"planner": {"width": 48, "rounds": 3}, "weights": 7},
    ],
)
def test_a_file_of_something_else_is_refused_in_one_sentence(state, tmp_path):
    file = tmp_path / "planner.pt"
    torch.save(state, file)
    with pytest.raises(CheckpointError, match="holds no learned planner of this version; make one with"):
        LearnedPlanner.load(file)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    file, trace = tmp_path / "planner.pt", tmp_path / "trace"

    class Malice:
        def __reduce__(self):
            return Path.touch, (trace,)

    torch.save({"planner": {"width": 48, "rounds": 3}, "weights": Malice()}, file)
    with pytest.raises(CheckpointError):
        LearnedPlanner.load(file)
    assert not trace.exists()


# The command


def test_the_command_refuses_a_place_that_is_not_there(tmp_path):
    command = [sys.executable, "-m", "policies.system2.learned", "--out", tmp_path / "nowhere" / "planner.pt"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert "there is no folder" in done.stderr
    assert "Traceback" not in done.stderr
