"""The exported PDDL, as another program reads it. Plans are compared in `test_search.py`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unified_planning.io import PDDLReader

from policies.system2.domain import COSTS, Goal, Problem, State, Where
from policies.system2.pddl import domain_pddl, problem_pddl

PROBLEM = Problem(
    arms=2,
    objects=("bar", "cube", "top", "rod"),
    places=("left", "right", "sky"),
    reach=frozenset({(0, "left"), (1, "right"), (1, "sky")}),
    two_handed=frozenset({"bar"}),
    state=State((Where(arms=(0, 1)), Where(place="left"), Where(below="cube"), Where(place="right"))),
    goals=(Goal("held", "bar", "sky"), Goal("on", "rod", "top"), Goal("at", "cube", "left")),
)


def parse(problem):
    return PDDLReader().parse_problem_string(domain_pddl(), problem_pddl(problem))


def true_at_the_start(problem):
    """Facts as text, such as "at(cube, left)"."""
    return {str(fact) for fact, value in parse(problem).initial_values.items() if value.is_true()}


def test_every_action_is_there_with_its_cost():
    parsed = parse(PROBLEM)
    metric = parsed.quality_metrics[0]
    costs = {action.name: metric.get_action_cost(action).constant_value() for action in parsed.actions}
    ours = {name.replace("_", "-"): cost for name, cost in COSTS.items()}
    assert costs == ours | {"unstack": COSTS["pick"]}  # a pick from another object, which has other effects


def test_what_is_true_at_the_start():
    assert true_at_the_start(PROBLEM) == {
        "reaches(arm0, left)", "reaches(arm1, right)", "reaches(arm1, sky)", "two-handed(bar)",
        "share(arm0, arm1, bar)", "share(arm1, arm0, bar)",
        "at(cube, left)", "over(cube, left)", "on(top, cube)", "over(top, left)", "clear(top)",
        "at(rod, right)", "over(rod, right)", "clear(rod)", "vacant(sky)",
    }  # fmt: skip


def test_hands_at_the_start():
    where = (Where(place="sky", arms=(1,)), *PROBLEM.state.where[1:])
    kept = true_at_the_start(replace(PROBLEM, state=State(where)))
    assert {"keeps(bar, sky)", "free(arm0)"} <= kept
    assert not {"free(arm1)", "vacant(sky)"} & kept
    held = true_at_the_start(replace(PROBLEM, state=State((Where(arms=(0,)), *where[1:]))))
    assert {"holds(arm0, bar)", "free(arm1)", "vacant(sky)"} <= held


def test_goals():
    assert str(parse(PROBLEM).goals) == "[(keeps(bar, sky) and on(rod, top) and at(cube, left))]"


def test_nothing_rests_in_the_air():
    parsed = parse(PROBLEM)
    assert {thing.name: thing.type.name for thing in parsed.all_objects if "spot" in thing.type.name} == {
        "left": "table-spot", "right": "table-spot", "sky": "air-spot",
    }  # fmt: skip


@pytest.mark.parametrize("places", [("left", "right", "the sky"), ("left", "right", "Bar"), ("left", "right", "arm0")])
def test_a_name_that_pddl_cannot_hold_is_refused(places):
    goals = (Goal("held", "bar", places[2]),)
    reach = frozenset({(0, "left")})
    with pytest.raises(ValueError, match="cannot be a name in PDDL"):
        problem_pddl(replace(PROBLEM, places=places, goals=goals, reach=reach))
