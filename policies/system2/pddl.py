"""A problem in PDDL, the language of other planners: they can check our plans, or make them.

STRIPS with types and action costs. Where the domain speaks of one action, PDDL needs two if the effects differ by
where the object was: `pick` and `unstack` both are a pick.
"""

from __future__ import annotations

import re

from policies.system2.domain import COSTS, Facts, Problem

_HEAD = """\
(define (domain duet)
  (:requirements :strips :typing :action-costs)
  (:types arm thing spot - object table-spot air-spot - spot)
  (:predicates
    (reaches ?a - arm ?p - spot)
    (two-handed ?t - thing)
    (free ?a - arm)
    (holds ?a - arm ?t - thing)  ; alone
    (share ?a ?b - arm ?t - thing)  ; both hold it
    (keeps ?t - thing ?p - air-spot)  ; in a hand there, to the end
    (at ?t - thing ?p - table-spot)
    (on ?t ?below - thing)
    (over ?t - thing ?p - table-spot)  ; at it, or on something there
    (clear ?t - thing)  ; at rest with nothing on it
    (vacant ?p - spot))
  (:functions (total-cost) - number)
"""

_ACTIONS = {
    "pick": (
        "pick",
        "?a - arm ?t - thing ?p - table-spot",
        "(free ?a) (at ?t ?p) (clear ?t) (reaches ?a ?p)",
        "(holds ?a ?t) (vacant ?p) (not (free ?a)) (not (at ?t ?p)) (not (over ?t ?p)) (not (clear ?t))",
    ),
    "unstack": (
        "pick",
        "?a - arm ?t ?below - thing ?p - table-spot",
        "(free ?a) (on ?t ?below) (over ?t ?p) (clear ?t) (reaches ?a ?p)",
        "(holds ?a ?t) (clear ?below) (not (free ?a)) (not (on ?t ?below)) (not (over ?t ?p)) (not (clear ?t))",
    ),
    "place": (
        "place",
        "?a - arm ?t - thing ?p - table-spot",
        "(holds ?a ?t) (reaches ?a ?p) (vacant ?p)",
        "(at ?t ?p) (over ?t ?p) (clear ?t) (free ?a) (not (holds ?a ?t)) (not (vacant ?p))",
    ),
    "stack": (
        "stack",
        "?a - arm ?t ?below - thing ?p - table-spot",
        "(holds ?a ?t) (clear ?below) (over ?below ?p) (reaches ?a ?p)",
        "(on ?t ?below) (over ?t ?p) (clear ?t) (free ?a) (not (holds ?a ?t)) (not (clear ?below))",
    ),
    "handover": (
        "handover",
        "?a ?b - arm ?t - thing",
        "(holds ?a ?t) (free ?b) (two-handed ?t)",
        "(holds ?b ?t) (free ?a) (not (holds ?a ?t)) (not (free ?b))",
    ),
    "present": (
        "present",
        "?a - arm ?t - thing ?p - air-spot",
        "(holds ?a ?t) (reaches ?a ?p) (vacant ?p)",
        "(keeps ?t ?p) (not (holds ?a ?t)) (not (vacant ?p))",
    ),
    "let-go": (
        "let_go",
        "?a ?b - arm ?t - thing",
        "(share ?a ?b ?t)",
        "(holds ?b ?t) (free ?a) (not (share ?a ?b ?t)) (not (share ?b ?a ?t))",
    ),
}
"""PDDL name -> name in `COSTS`, parameters, preconditions, effects."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def domain_pddl() -> str:
    """The actions: the same for every problem."""
    actions = "".join(
        f"  (:action {name}\n"
        f"    :parameters ({parameters})\n"
        f"    :precondition (and {before})\n"
        f"    :effect (and {after} (increase (total-cost) {COSTS[cost]})))\n"
        for name, (cost, parameters, before, after) in _ACTIONS.items()
    )
    return f"{_HEAD}{actions})\n"


def problem_pddl(problem: Problem) -> str:
    """One problem. Arms are called `arm0`, `arm1` and so on.

    Raises:
        ValueError: a name is none in PDDL, or two names are the same but for upper and lower case.
    """
    arms = [f"arm{arm}" for arm in range(problem.arms)]
    air = [place for place in problem.places if place in problem.in_air]
    table = [place for place in problem.places if place not in problem.in_air]
    names = [*arms, *problem.objects, *problem.places]
    lowered = [name.lower() for name in names]
    for name in names:
        if not _NAME.fullmatch(name) or lowered.count(name.lower()) > 1:
            raise ValueError(f"{name!r} cannot be a name in PDDL, or is the name of two things there")
    predicate = {"at": "at", "on": "on", "held": "keeps"}
    goals = [f"({predicate[goal.kind]} {goal.object} {goal.target})" for goal in problem.goals]
    kinds = (("arm", arms), ("thing", problem.objects), ("table-spot", table), ("air-spot", air))
    objects = "".join(f"    {' '.join(of_kind)} - {kind}\n" for kind, of_kind in kinds if of_kind)
    facts = "".join(f"    {fact}\n" for fact in _initial(problem))
    return (
        "(define (problem scene)\n"
        "  (:domain duet)\n"
        f"  (:objects\n{objects}  )\n"
        f"  (:init\n{facts}    (= (total-cost) 0))\n"
        f"  (:goal (and {' '.join(goals)}))\n"
        "  (:metric minimize (total-cost)))\n"
    )


def _initial(problem: Problem) -> list[str]:
    """What is true at the start."""
    facts = Facts(problem, problem.state)
    true = [f"(reaches arm{arm} {place})" for arm, place in sorted(problem.reach)]
    true += [f"(two-handed {thing})" for thing in sorted(problem.two_handed)]
    true += [f"(free arm{arm})" for arm in range(problem.arms) if arm not in facts.in_hand]
    true += [f"(vacant {place})" for place in problem.places if place not in facts.taken]
    for thing, (place, below, arms) in facts.where.items():
        if len(arms) == 2:
            true += [f"(share arm{a} arm{b} {thing})" for a, b in (arms, arms[::-1])]
        elif arms:
            true.append(f"(holds arm{arms[0]} {thing})" if place is None else f"(keeps {thing} {place})")
        else:
            true.append(f"(at {thing} {place})" if below is None else f"(on {thing} {below})")
            true.append(f"(over {thing} {facts.base(thing)})")
            if thing not in facts.on_top:
                true.append(f"(clear {thing})")
    return true
