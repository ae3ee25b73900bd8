"""The actions, and the plans made of them: right, cheapest, and explained where there is none."""

from __future__ import annotations

import heapq
import random
from dataclasses import replace

import pytest
from unified_planning.engines import PlanGenerationResultStatus, SequentialPlanValidator
from unified_planning.io import PDDLReader
from unified_planning.plans import ActionInstance, SequentialPlan
from unified_planning.shortcuts import OneshotPlanner, get_environment

from policies.system2.domain import (
    Action,
    Facts,
    Goal,
    Problem,
    State,
    Where,
    apply,
    legal_actions,
    satisfied,
    unmet,
)
from policies.system2.pddl import domain_pddl, problem_pddl
from policies.system2.search import LowerBound, NoPlan, _cheapest, search

LEFT, RIGHT = Where(place="left"), Where(place="right")


def make(where, *goals, arms=1, places="left right middle", reach=None, two_handed=()):
    """Objects by name; goals such as "cube at left"; `reach` is the places of each arm, all of them unless given."""
    names = tuple(places.split())
    reached = [set(places.split())] * arms if reach is None else [set(own.split()) for own in reach]
    return Problem(
        arms,
        tuple(where),
        names,
        frozenset((arm, place) for arm in range(arms) for place in reached[arm]),
        frozenset(two_handed),
        State(tuple(where.values())),
        tuple(Goal(kind, thing, target) for thing, kind, target in map(str.split, goals)),
    )


def cost(plan):
    return sum(action.cost for action in plan)


def told(plan):
    return [str(action) for action in plan]


def end(problem, plan):
    """The state after a plan, whose every action must be legal."""
    state = problem.state
    for action in plan:
        assert action in legal_actions(problem, state)
        state = apply(problem, state, action)
    return state


def refused(problem, action):
    """Why an action is illegal."""
    assert action not in legal_actions(problem, problem.state)
    with pytest.raises(ValueError) as error:
        apply(problem, problem.state, action)
    why = unmet(Facts(problem, problem.state), action)
    assert str(error.value) == f"{action} cannot be done: {why}"
    return why


def done(problem, action):
    """Where everything is after an action that must be legal, by name."""
    return dict(zip(problem.objects, end(problem, [action]).where, strict=True))


# Actions


def test_pick():
    problem = make({"cube": LEFT, "top": Where(below="base"), "base": RIGHT}, reach=["left"])
    pick = Action("pick", 0, "cube")
    assert done(problem, pick) == {"cube": Where(arms=(0,)), "top": Where(below="base"), "base": RIGHT}
    assert refused(problem, Action("pick", 0, "base")) == "top lies on base"
    assert refused(problem, Action("pick", 0, "top")) == "arm 0 does not reach right, where top rests"
    holding = replace(problem, state=apply(problem, problem.state, pick))
    assert refused(holding, pick) == "cube is in a hand"
    assert refused(holding, Action("pick", 0, "top")) == "arm 0 holds cube"
    reaching = replace(problem, reach=frozenset({(0, "right")}))
    assert done(reaching, Action("pick", 0, "top"))["top"] == Where(arms=(0,))


def test_place():
    problem = make(
        {"cube": Where(arms=(0,)), "bar": RIGHT}, "cube held air", places="left right far air", reach=["left right air"]
    )
    assert done(problem, Action("place", 0, "cube", place="left")) == {"cube": LEFT, "bar": RIGHT}
    assert refused(problem, Action("place", 0, "cube", place="right")) == "bar is at right"
    assert refused(problem, Action("place", 0, "cube", place="far")) == "arm 0 does not reach far"
    assert refused(problem, Action("place", 0, "cube", place="air")) == "air is in the air"
    assert refused(problem, Action("place", 0, "bar", place="left")) == "arm 0 does not hold bar"


def test_a_place_is_vacant_again_after_a_pick():
    problem = make({"cube": LEFT, "bar": Where(arms=(1,))}, arms=2)
    assert refused(problem, Action("place", 1, "bar", place="left")) == "cube is at left"
    picked = replace(problem, state=apply(problem, problem.state, Action("pick", 0, "cube")))
    assert done(picked, Action("place", 1, "bar", place="left"))["bar"] == LEFT


def test_stack():
    where = {
        "cube": Where(arms=(0,)),
        "base": LEFT,
        "top": Where(below="under"),
        "under": RIGHT,
        "bar": Where(arms=(1,)),
    }
    problem = make(where, arms=2, reach=["left right", "right"])
    assert done(problem, Action("stack", 0, "cube", below="base")) == where | {"cube": Where(below="base")}
    assert done(problem, Action("stack", 0, "cube", below="top"))["cube"] == Where(below="top")
    assert refused(problem, Action("stack", 0, "cube", below="under")) == "top lies on under"
    assert refused(problem, Action("stack", 0, "cube", below="bar")) == "bar is in a hand"
    assert refused(problem, Action("stack", 0, "cube", below="cube")) == "cube is in a hand"
    assert refused(problem, Action("stack", 1, "bar", below="base")) == "arm 1 does not reach left, where base rests"
    assert refused(problem, Action("stack", 1, "cube", below="top")) == "arm 1 does not hold cube"


def test_what_lies_on_an_object_takes_no_place():
    problem = make({"cube": Where(below="base"), "base": LEFT, "bar": Where(arms=(0,))}, places="left right")
    assert done(problem, Action("place", 0, "bar", place="right"))["bar"] == RIGHT


def test_handover():
    problem = make({"bar": Where(arms=(0,)), "cube": LEFT}, arms=3, two_handed=["bar"])
    assert done(problem, Action("handover", 0, "bar", receiver=2)) == {"bar": Where(arms=(2,)), "cube": LEFT}
    assert refused(problem, Action("handover", 1, "bar", receiver=0)) == "arm 0 holds bar"
    assert refused(problem, Action("handover", 1, "bar", receiver=2)) == "arm 1 does not hold bar"
    assert refused(problem, Action("handover", 0, "bar", receiver=3)) == "there is no arm 3"
    assert refused(replace(problem, two_handed=frozenset()), Action("handover", 0, "bar", receiver=1)) == (
        "bar has no room for two hands"
    )
    both_full = replace(problem, state=State((Where(arms=(0,)), Where(arms=(1,)))))
    assert refused(both_full, Action("handover", 0, "bar", receiver=1)) == "arm 1 holds cube"


def test_in_the_middle_of_a_handover_one_hand_can_let_go_and_nothing_else():
    problem = make({"bar": Where(arms=(0, 1)), "cube": LEFT}, arms=2, two_handed=["bar"])
    assert legal_actions(problem, problem.state) == (Action("let_go", 0, "bar"), Action("let_go", 1, "bar"))
    assert done(problem, Action("let_go", 0, "bar"))["bar"] == Where(arms=(1,))
    assert done(problem, Action("let_go", 1, "bar"))["bar"] == Where(arms=(0,))
    assert refused(problem, Action("place", 0, "bar", place="right")) == "another arm holds bar too"
    alone = replace(problem, state=State((Where(arms=(1,)), LEFT)))
    assert refused(alone, Action("let_go", 1, "bar")) == "arm 1 does not hold bar together with another arm"


def test_present():
    where = {"bar": Where(arms=(0,)), "cube": Where(arms=(1,))}
    problem = make(where, "bar held air", arms=2, places="left air", reach=["left air", "left"], two_handed=["bar"])
    assert done(problem, Action("present", 0, "bar", place="air"))["bar"] == Where(place="air", arms=(0,))
    assert refused(problem, Action("present", 1, "cube", place="air")) == "arm 1 does not reach air"
    assert refused(problem, Action("present", 0, "bar", place="left")) == "left is not in the air"
    kept = replace(problem, state=State((Where(place="air", arms=(0,)), LEFT)))
    assert satisfied(kept, kept.state)
    assert not satisfied(problem, problem.state)
    assert legal_actions(kept, kept.state) == (Action("pick", 1, "cube"),)
    gone = replace(kept, state=State((Where(place="air", arms=(0,)), Where(arms=(1,)))))
    assert refused(gone, Action("handover", 0, "bar", receiver=1)) == "arm 1 holds cube"
    assert refused(kept, Action("place", 0, "bar", place="left")) == "cube is at left"
    assert refused(kept, Action("handover", 0, "bar", receiver=1)) == "arm 0 keeps bar at air to the end"


def test_an_action_with_an_unknown_name_is_refused_with_the_nearest():
    problem = make({"cube": LEFT})
    with pytest.raises(ValueError, match="no object 'cub'; did you mean 'cube'"):
        apply(problem, problem.state, Action("pick", 0, "cub"))
    with pytest.raises(ValueError, match="no action 'grasp'.*known: pick, place"):
        apply(problem, problem.state, Action("grasp", 0, "cube"))


def test_goals_want_an_object_at_rest_and_let_go():
    at, on = make({"cube": LEFT, "base": RIGHT}, "cube at left"), make({"cube": LEFT, "base": RIGHT}, "cube on base")
    assert satisfied(at, at.state)
    assert not satisfied(at, State((Where(arms=(0,)), RIGHT)))
    assert not satisfied(on, on.state)
    assert satisfied(on, State((Where(below="base"), RIGHT)))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"cube": LEFT, "bar": LEFT}, "cube and bar are both at left"),
        ({"cube": Where(arms=(0,)), "bar": Where(arms=(0, 1))}, "cube and bar are both in the hand of arm 0"),
        ({"a": Where(below="c"), "b": Where(below="c"), "c": LEFT}, "a and b are both on c"),
        ({"a": Where(below="b"), "b": Where(below="a")}, "a lies on itself"),
        ({"a": Where(below="b"), "b": Where(arms=(0,))}, "a is on b, which is in a hand"),
        ({"cube": Where()}, "none of the five ways"),
        ({"cube": Where(arms=(1, 0))}, "none of the five ways"),
        ({"cube": Where(place="left", below="cube")}, "none of the five ways"),
        ({"cube": Where(arms=(2,))}, "cube is in the hands of .*; there are 2 arms"),
        ({"cube": Where(place="lft")}, "no place 'lft'; did you mean 'left'"),
        ({"cube": Where(place="air")}, "cube is at air, where objects are held"),
        ({"cube": Where(place="left", arms=(0,))}, "cube is in the hand of arm 0 and at left, where objects rest"),
    ],
)
def test_a_problem_that_contradicts_itself_is_refused(where, message):
    with pytest.raises(ValueError, match=message):
        make({**where, "other": RIGHT}, "other held air", arms=2, places="left right air")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objects": ("cube", "cube")}, "two objects are called cube"),
        ({"places": ("left", "left")}, "two places are called left"),
        ({"state": State(())}, "the state is of 0 objects; there are 2"),
        ({"reach": frozenset({(1, "left")})}, "there is no arm 1"),
        ({"two_handed": frozenset({"rod"})}, "no object 'rod'"),
        ({"goals": (Goal("in", "cube", "left"),)}, "no kind of goal 'in'"),
        ({"goals": (Goal("on", "cube", "left"),)}, "no object 'left'"),
    ],
)
def test_a_problem_with_unknown_names_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(make({"cube": LEFT, "bar": RIGHT}), **change)


# Plans


def test_pick_and_place():
    assert told(search(make({"cube": LEFT}, "cube at right"))) == ["arm 0: pick cube", "arm 0: place cube -> right"]


def test_nothing_to_do():
    assert search(make({"cube": LEFT}, "cube at left")) == ()


def test_what_is_in_the_hand_is_not_picked_up_again():
    assert told(search(make({"cube": Where(arms=(0,))}, "cube at right"))) == ["arm 0: place cube -> right"]


def crossing(two_handed):
    return make({"bar": LEFT}, "bar at right", arms=2, reach=["left middle", "right middle"], two_handed=two_handed)


def test_a_long_object_crosses_by_a_handover():
    assert told(search(crossing(["bar"]))) == [
        "arm 0: pick bar", "arm 0: handover bar -> arm 1", "arm 1: place bar -> right",
    ]  # fmt: skip


def test_a_short_object_crosses_through_a_place_that_both_arms_reach():
    assert told(search(crossing([]))) == [
        "arm 0: pick bar", "arm 0: place bar -> middle", "arm 1: pick bar", "arm 1: place bar -> right",
    ]  # fmt: skip


def test_a_short_object_crosses_on_top_of_another_where_both_arms_reach_only_that():
    problem = make(
        {"cube": LEFT, "base": Where(place="middle")}, "cube at right",
        arms=2, reach=["left middle", "right middle"],
    )  # fmt: skip
    assert told(search(problem)) == [
        "arm 0: pick cube", "arm 0: stack cube -> base", "arm 1: pick cube", "arm 1: place cube -> right",
    ]  # fmt: skip


def test_a_handover_that_has_begun_goes_on():
    problem = make({"bar": Where(arms=(0, 1))}, "bar at right", arms=2, reach=["left", "right"], two_handed=["bar"])
    assert told(search(problem)) == ["arm 0: let_go bar", "arm 1: place bar -> right"]


def test_what_rests_at_the_goal_is_put_aside():
    problem = make({"cube": LEFT, "bar": RIGHT}, "cube at right")
    assert told(search(problem)) == [
        "arm 0: pick bar", "arm 0: place bar -> middle", "arm 0: pick cube", "arm 0: place cube -> right",
    ]  # fmt: skip


def test_what_rests_at_the_goal_goes_to_its_own_goal_first():
    problem = make({"cube": LEFT, "bar": RIGHT}, "cube at right", "bar at middle")
    assert told(search(problem)) == [
        "arm 0: pick bar", "arm 0: place bar -> middle", "arm 0: pick cube", "arm 0: place cube -> right",
    ]  # fmt: skip


def test_one_arm_swaps_two_objects_through_a_spare_place():
    problem = make({"cube": LEFT, "bar": RIGHT}, "cube at right", "bar at left")
    plan = search(problem)
    assert cost(plan) == 12
    assert satisfied(problem, end(problem, plan))


def test_two_arms_swap_two_objects_without_one():
    problem = make({"cube": LEFT, "bar": RIGHT}, "cube at right", "bar at left", arms=2, places="left right")
    assert cost(search(problem)) == 8


def test_what_lies_on_top_moves_first():
    problem = make({"cube": LEFT, "top": Where(below="cube")}, "cube at right")
    assert told(search(problem))[:2] == ["arm 0: pick top", "arm 0: place top -> middle"]


def test_a_stack_is_built_from_below():
    where = {"a": Where(place="left"), "b": Where(place="right"), "c": Where(place="middle")}
    problem = make(where, "a on b", "b on c", "c at goal", places="left right middle goal")
    assert told(search(problem)) == [
        "arm 0: pick c", "arm 0: place c -> goal",
        "arm 0: pick b", "arm 0: stack b -> c",
        "arm 0: pick a", "arm 0: stack a -> b",
    ]  # fmt: skip


def test_a_stack_is_turned_over():
    problem = make({"a": Where(below="b"), "b": LEFT}, "b on a", "a at left")
    plan = search(problem)
    assert cost(plan) == 2 + 2 + 2 + 2 + 2 + 2 + 2 + 3
    assert satisfied(problem, end(problem, plan))


def test_an_object_is_held_in_the_air_by_the_arm_that_reaches_it():
    problem = make({"bar": LEFT}, "bar held air", arms=2, places="left air", reach=["left", "air"], two_handed=["bar"])
    assert told(search(problem)) == ["arm 0: pick bar", "arm 0: handover bar -> arm 1", "arm 1: present bar -> air"]


def test_an_arm_holds_an_object_in_the_air_after_its_other_work():
    problem = make({"bar": LEFT, "cube": RIGHT}, "bar held air", "cube at middle", places="left right middle air")
    assert [action.object for action in search(problem)] == ["cube", "cube", "bar", "bar"]


def test_the_first_of_the_places_that_do_is_used():
    problem = make({"cube": LEFT, "bar": RIGHT}, "cube at right", places="left right far near")
    assert "arm 0: place bar -> far" in told(search(problem))
    assert "arm 0: place bar -> near" in told(search(replace(problem, places=("left", "right", "near", "far"))))


def test_objects_come_in_their_order():
    where = {name: Where(place=name) for name in ("c", "a", "b")}
    problem = make(where, *(f"{name} at goal_{name}" for name in where), places="a b c goal_a goal_b goal_c")
    assert [action.object for action in search(problem)] == ["c", "c", "a", "a", "b", "b"]


# No plan


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (make({"cube": LEFT}, "cube at right", reach=["left"]), "no arm reaches right, where cube must go"),
        (make({"bar": LEFT}, "bar at right", reach=["right"]), "no arm reaches left, where bar rests"),
        (
            make({"bar": LEFT, "cube": RIGHT}, "bar on cube", reach=["left"]),
            "no arm reaches right, where bar must be put on cube",
        ),
        (
            make({"cube": LEFT, "bar": RIGHT}, "cube at middle", "bar at middle"),
            "cube and bar must both go to middle, where there is room for one",
        ),
        (
            make({"cube": LEFT}, "cube at middle", "cube at right"),
            "cube must go to middle and to right, and can only be at one of them",
        ),
        (
            make({"a": LEFT, "b": RIGHT}, "a on b", "b on a"),
            "a must go on b, which must itself end up on a",
        ),
        (
            make({"a": LEFT, "b": RIGHT}, "a on b", "b held middle"),
            "a must go on b, which must end in a hand",
        ),
        (
            make({"a": LEFT, "b": RIGHT}, "a held air", "b held middle", places="left right middle air"),
            "a and b must be held at the end, which takes more arms than there are",
        ),
        (
            make({"bar": LEFT}, "bar at right", arms=2, reach=["left", "right"]),
            "bar cannot get from left to right: no arm reaches both, "
            "and those that do share no place and cannot hand it over in the air",
        ),
        (
            make({"a": LEFT, "b": RIGHT}, "a at right", "b at left", places="left right"),
            "a would have to be put aside on the way, and no place for that is free and in reach",
        ),
        (
            make(
                {"a": LEFT, "b": RIGHT},
                "a held x",
                "b held y",
                arms=2,
                places="left right x y",
                reach=["left right x y", "left right"],
            ),
            "each object alone could get to its goal, but not all of them together",
        ),
        (
            make(
                {"a": Where(place="air", arms=(0,)), "b": LEFT},
                "a held roof",
                "b held air",
                arms=2,
                places="left air roof",
            ),
            "arm 0 keeps a at air to the end",
        ),
    ],
)
def test_no_plan_says_why(problem, message):
    for _ in range(2):  # the second answer is remembered
        with pytest.raises(NoPlan) as error:
            search(problem)
        assert str(error.value) == message


def test_eight_objects_take_few_states():
    """However they are permuted: a state takes some 25 microseconds."""
    names = [f"p{k}" for k in range(8)]
    for seed in range(20):
        goals = [f"o{k} at {place}" for k, place in enumerate(random.Random(seed).sample([*names, "spare"], 8))]
        where = {f"o{k}": Where(place=name) for k, name in enumerate(names)}
        problem = make(where, *goals, places=" ".join([*names, "spare"]))
        plan, states = _cheapest(problem, LowerBound(problem))
        assert plan is not None
        assert states < 600, seed


def test_it_gives_up_in_time():
    """Thirty objects, each where the next one has to go, and no free place."""
    names = [f"p{k}" for k in range(30)]
    where = {f"cube{k}": Where(place=name) for k, name in enumerate(names)}
    goals = [f"cube{k} at {names[k - 1]}" for k in range(30)]
    with pytest.raises(NoPlan, match=r"no plan was found among the 20[0-9]{3} states"):
        search(make(where, *goals, places=" ".join(names)))


# Random problems


def scatter(seed, most_objects=3, most_spare=2):
    """Places, piles, hands, goals of every kind, and arms that do not reach everything."""
    choose = random.Random(seed)
    arms, count = choose.choice((1, 2, 2)), choose.randint(1, most_objects)
    objects = [f"o{k}" for k in range(count)]
    places = [f"p{k}" for k in range(count + choose.randint(0, most_spare))]
    hands = choose.choice(([], [], [(0,)], [(arms - 1,)], [tuple(range(arms))]))
    free, where = choose.sample(places, len(places)), {}
    tops: list[str] = []
    goals: list[str] = []
    for name in choose.sample(objects, count):
        if hands:
            where[name] = Where(arms=hands.pop())
            continue
        where[name] = Where(below=tops.pop()) if tops and choose.random() < 0.3 else Where(place=free.pop())
        tops.append(name)
    ends, below = choose.sample(places, len(places)), choose.sample(objects, count)
    for name in choose.sample(objects, choose.randint(1, count)):
        kind = choose.choice(("at", "at", "on", "held"))
        if kind == "held" and not any("air" in goal for goal in goals):
            goals.append(f"{name} held air")
        elif kind == "on" and below[-1] != name:
            goals.append(f"{name} on {below.pop()}")
        else:
            goals.append(f"{name} at {ends.pop()}")
    reach = ["air " + " ".join(place for place in places if choose.random() < 0.8) for _ in range(arms)]
    two_handed = [name for name in objects if choose.random() < 0.5]
    return make(where, *goals, arms=arms, places=" ".join(["air", *places]), reach=reach, two_handed=two_handed)


def plan_or_none(problem):
    try:
        return search(problem)
    except NoPlan:
        return None


def cheapest_by_trying_everything(problem):
    """The least cost over all sequences of actions; None if none reaches the goals. Dijkstra's algorithm."""
    known, queue, count = {problem.state: 0}, [(0, 0, problem.state)], 0
    while queue:
        spent, _, state = heapq.heappop(queue)
        if satisfied(problem, state):
            return spent
        for action in legal_actions(problem, state):
            after, total = apply(problem, state, action), spent + action.cost
            if total < known.get(after, total + 1):
                known[after] = total
                count += 1  # so that states are not compared
                heapq.heappush(queue, (total, count, after))
    return None


@pytest.mark.parametrize("part", range(4))
def test_plans_are_valid_and_cheapest(part):
    for seed in range(200 * part, 200 * (part + 1)):
        problem = scatter(seed)
        plan = plan_or_none(problem)
        assert (None if plan is None else cost(plan)) == cheapest_by_trying_everything(problem), seed
        assert plan is None or satisfied(problem, end(problem, plan)), seed


def test_plans_of_many_objects_are_valid():
    solved = 0
    for seed in range(200):
        problem = scatter(seed, most_objects=8, most_spare=6)
        plan = plan_or_none(problem)
        if plan is not None:
            solved += 1
            assert satisfied(problem, end(problem, plan)), seed
    assert solved > 80


def test_planning_again_on_the_way_gives_the_rest_of_the_plan():
    for seed in range(200):
        problem = scatter(seed, most_objects=4)
        plan = plan_or_none(problem) or ()
        for k in range(len(plan)):
            assert search(replace(problem, state=end(problem, plan[:k]))) == plan[k:], seed


def test_the_lower_bound_is_one_in_every_state_and_exact_at_the_goals():
    for seed in range(150):
        choose = random.Random(seed)
        problem = scatter(seed)
        bound, state = LowerBound(problem), problem.state
        for _ in range(4):
            least = cheapest_by_trying_everything(replace(problem, state=state))
            assert least is None or bound(Facts(problem, state)) <= least, seed
            actions = legal_actions(problem, state)
            if not actions:
                break
            state = apply(problem, state, choose.choice(actions))
        plan = plan_or_none(problem)
        assert plan is None or bound(Facts(problem, end(problem, plan))) == 0, seed


def in_pddl(problem, plan, parsed):
    """A plan of ours as one of the exported problem."""
    steps, state = [], problem.state
    for action in plan:
        facts = Facts(problem, state)
        thing, below = action.object, facts.where[action.object].below
        name, names = {
            "pick": ("unstack", [thing, below]) if below else ("pick", [thing]),
            "place": ("place", [thing, action.place]),
            "stack": ("stack", [thing, action.below]),
            "handover": ("handover", [f"arm{action.receiver}", thing]),
            "present": ("present", [thing, action.place]),
            "let_go": ("let-go", [*(f"arm{arm}" for arm in facts.where[thing].arms if arm != action.arm), thing]),
        }[action.name]
        if action.name in ("pick", "stack"):
            names.append(facts.base(action.below or thing))
        objects = [parsed.object(name) for name in (f"arm{action.arm}", *names)]
        steps.append(
            ActionInstance(parsed.action(name), tuple(map(parsed.environment.expression_manager.ObjectExp, objects)))
        )
        state = apply(problem, state, action)
    return SequentialPlan(steps)


def test_an_independent_planner_finds_plans_of_the_same_cost_and_finds_ours_valid():
    get_environment().credits_stream = None
    reader, solved = PDDLReader(), 0
    for seed in range(36):
        problem = scatter(1000 + seed, most_objects=4, most_spare=3)
        parsed = reader.parse_problem_string(domain_pddl(), problem_pddl(problem))
        with OneshotPlanner(name="fast-downward-opt") as planner:
            theirs = planner.solve(parsed)
        ours = plan_or_none(problem)
        if ours is None:
            assert theirs.status is PlanGenerationResultStatus.UNSOLVABLE_PROVEN, seed
            continue
        solved += 1
        assert theirs.status is PlanGenerationResultStatus.SOLVED_OPTIMALLY, seed
        metric = parsed.quality_metrics[0]
        assert cost(ours) == sum(
            metric.get_action_cost(step.action).constant_value() for step in theirs.plan.actions
        ), seed
        assert SequentialPlanValidator().validate(parsed, in_pddl(problem, ours, parsed)), seed
    assert solved >= 30
