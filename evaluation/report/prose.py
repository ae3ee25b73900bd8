"""What a report says in words that no number decides."""

from __future__ import annotations

from typing import Any

from evaluation.figures.shares import Results, conditions_of, contenders_of, main_verdicts, system_pairs
from evaluation.figures.style import points, words

_CONTENDERS = {
    "single": "one flat policy, trained for the task",
    "dual": "a planner, System 2, over a learned policy that all arms share, System 1",
    "dual, frozen plan": "the same System 1, but System 2 plans only once, when the episode begins: what looking again "
    "is worth",
    "dual, shuffled plan": "the same System 1 under the plan for another layout: what it is worth that a plan fits",
    "dual, random commands": "the same System 1 under valid commands at random: whether it does what it is told, even "
    "this",
    "dual, no command": "the same System 1 without any command: what its wider input is worth without a planner",
    "scripted System 1": "a bound: a scripted System 1 under the symbolic planner",
    "oracle planner": "a bound: the learned System 1 under the symbolic planner, asked at every tick, with true poses, "
    "never late and never wrong",
}
_LIMITS = (
    "Not that hierarchy as such is better or worse. The dual system is given much: typed symbols, skills whose "
    "completion is tested by hand, a reward for each command, demonstrations that are labelled with commands. What is "
    "compared is two ways of spending the same environment steps, and the ledger says what else differs.",
    "Not that the single system could not do better. Longer training, action chunks or another network may close a "
    "gap; the learning curves show whether it was still rising.",
    "Not what happens on a robot. Poses are known, physics is rigid, contact is simple.",
    "Nothing about tasks, disturbances and budgets that are not in it.",
)
_FEW_SEEDS = (
    "Nothing about the methods: with one training seed of a system, the numbers speak of these policies alone, and "
    "another training may come out differently."
)
_MOST_CHIPS = 16
_HERE_ONLY = "In these trainings, "


def limits(results: Results) -> list[str]:
    """What the comparison cannot show."""
    seeds = [len(one["seeds"]) for one in results["contenders"] if one["kind"] == "system"]
    return [*([_FEW_SEEDS] if min(seeds, default=0) < 2 else []), *_LIMITS]


def contenders(results: Results) -> list[tuple[str, str]]:
    """Every contender and what it is."""
    found = []
    for one in results["contenders"]:
        text = _CONTENDERS.get(one["name"]) or _CONTENDERS["single" if one["system"] == "single" else "dual"]
        if one["kind"] == "system" and one.get("planner"):
            text += f"; the planner is {words(one['planner'])}"
        seeds = one["seeds"]
        if one["name"] != "scripted System 1":
            text += f"; training seed{'s' if len(seeds) != 1 else ''} {', '.join(map(str, seeds))}"
        found.append((one["name"], f"{text[0].upper()}{text[1:]}."))
    return found


def conditions(results: Results) -> list[tuple[str, str]]:
    """Every condition and what happens in it."""
    return [
        (words(one["name"]), f"{one['text'][:1].upper()}{one['text'][1:].rstrip('.')}.")
        for one in results["conditions"]
    ]


def answers(results: Results) -> list[dict[str, Any]]:
    """The verdicts for the first page: each with a few large words, the sentence, what it covers, and the others."""
    main = list(main_verdicts(results))
    pairs = system_pairs(results)
    found = []
    for verdict in main:
        sentence, _, scope = verdict["sentence"].partition(". ")
        pair = (verdict["a"], verdict["b"])
        first = [one for one in main if (one["a"], one["b"]) == pair][0] is verdict
        others = [one for one in results["verdicts"] if (one["a"], one["b"]) == pair and one not in main]
        if len(others) > _MOST_CHIPS:  # those of single tasks under a disturbance are in the table
            others = [one for one in others if one["task"] is None or one["condition"] == verdict["condition"]]
        found.append(
            {
                "kind": verdict["kind"],
                "answer": _answer(results, verdict, several=len(main) > 1, several_pairs=len(pairs) > 1),
                "sentence": f"{sentence[:1].upper()}{sentence[1:].rstrip('.')}.",
                "scope": scope,
                "chips": [_chip(results, one) for one in others] if first else [],
            }
        )
    return found or [_nothing(results)]


def _nothing(results: Results) -> dict[str, Any]:
    systems = contenders_of(results, "system")
    who = f"only {systems[0]}" if len(systems) == 1 else " and ".join(systems)
    return {
        "kind": "unclear",
        "answer": "Nothing to compare with.",
        "sentence": f"There is {who} in this comparison, and no verdict on one system against two. Give compare.py "
        "runs of both to get one.",
        "scope": "",
        "chips": [],
    }


def _answer(results: Results, verdict: dict[str, Any], several: bool, several_pairs: bool) -> str:
    systems = {one["name"]: one["system"] for one in results["contenders"]}
    seeds = {one["name"]: len(one["seeds"]) for one in results["contenders"]}
    a, b = verdict["a"], verdict["b"]
    if verdict["kind"] == "same":
        answer = f"The same within {100 * results['same_within']:g} points."
    elif verdict["kind"] == "unclear":
        answer = "Cannot tell."
    else:
        winner, loser = (a, b) if verdict["kind"] == "better" else (b, a)
        if systems[winner] == systems[loser]:
            answer = f"{winner} is better than {loser}."
        elif systems[winner] == "single":
            answer = "One system is better."
        else:
            answer = "Two systems are better."
    if verdict["kind"] != "unclear" and min(seeds[a], seeds[b]) < 2:
        answer = _HERE_ONLY + (answer if answer.startswith((a, b)) else f"{answer[0].lower()}{answer[1:]}")
    if several_pairs:
        answer = f"{a}, {b}: {answer[0].lower()}{answer[1:]}"
    if several and verdict["task"] and len(results["tasks"]) > 1:
        answer = f"{verdict['task']}: {answer[0].lower()}{answer[1:]}"
    return answer


def _chip(results: Results, verdict: dict[str, Any]) -> dict[str, str]:
    where = [verdict["task"] or "all tasks"] if len(results["tasks"]) > 1 else []
    if len({one["condition"] for one in results["verdicts"]}) > 1:
        where.append(words(verdict["condition"]))
    said = {"better": "better", "worse": "worse", "same": "the same", "unclear": "cannot tell"}[verdict["kind"]]
    return {"kind": verdict["kind"], "where": ", ".join(where), "said": f"{points(verdict['value'])} {said}"}


def first_condition(results: Results) -> str:
    """Name of the condition that single figures are about."""
    return (
        str(results["conditions"][0]["name"])
        if results["conditions"]
        else conditions_of(results, results["tasks"][0])[0]
    )
