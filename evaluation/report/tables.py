"""The tables of a report, as texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation.figures.shares import Cell, Results, cells_of, conditions_of, contenders_of, share_of
from evaluation.figures.style import points, words
from evaluation.report.folder import ComparisonFiles

NONE = "–"
VERDICTS = {"better": "better", "worse": "worse", "same": "the same", "unclear": "cannot tell"}


@dataclass(frozen=True)
class Entry:
    """One field of a table."""

    text: str
    value: float | None = None
    """To sort by; the text is sorted by otherwise."""
    note: str = ""
    """Below it, small."""
    mark: str = ""
    """Class of the style sheet."""


@dataclass(frozen=True)
class Table:
    """With a head, whose first columns name the rows."""

    head: list[str]
    rows: list[list[Entry]]
    caption: str = ""
    names: int = field(default=1)
    """Columns that name the row."""


def percent(rate: float) -> str:
    """A share in [0, 1], to a tenth."""
    return f"{100 * rate:.1f} %"


def success(results: Results, task: str) -> Table:
    """Success of every contender under every condition, with intervals."""
    names = contenders_of(results)
    rows = []
    for condition in conditions_of(results, task):
        row = [Entry(words(condition))]
        for name in names:
            share = share_of(results, name, task, condition)
            if share:
                interval = f"{100 * share.low:.1f} to {100 * share.high:.1f}"
                row.append(Entry(percent(share.rate), share.rate, interval))
            else:
                cells = cells_of(results, name, task, condition)
                row.append(Entry("cannot act" if any(cell.get("cannot_act") for cell in cells) else NONE))
        rows.append(row)
    return _without_empty(Table(["condition", *names], rows, f"{task}: success and Wilson's 95 % interval"))


def cannot_act(results: Results) -> list[str]:
    """Who could not act, under which condition and why, in a sentence each."""
    told = (
        f"{cell['contender']} cannot act with {words(cell['condition'])}: {cell['cannot_act']}."
        for cell in results["cells"]
        if cell.get("cannot_act")
    )
    return list(dict.fromkeys(told))


def verdicts(results: Results) -> Table:
    """Every verdict with its interval and p-values."""
    rows = [
        [
            Entry(v["task"] or "all tasks"),
            Entry(words(v["condition"])),
            Entry(f"{v['a']} against {v['b']}"),
            Entry(points(v["value"], 1), v["value"]),
            Entry(f"{points(v['low'], 1)} to {points(v['high'], 1)}", v["low"]),
            Entry(_p(v["p_value"]), v["p_value"]),
            Entry(_p(v["p_holm"]), v["p_holm"]),
            Entry(_p(v.get("mcnemar_p")), v.get("mcnemar_p")),
            Entry(VERDICTS[v["kind"]], mark=v["kind"]),
        ]
        for v in results["verdicts"]
    ]
    head = ["task", "condition", "who", "difference (points)", "95 % interval", "p", "p after Holm", "McNemar's p",
            "verdict"]  # fmt: skip
    return Table(head, rows, names=3)


def aggregates(results: Results, condition: str) -> Table:
    """Interquartile means under one condition, and probabilities of improvement."""
    rows = [
        [Entry(f"{one['contender']}, {words(one['condition'])}"), Entry("interquartile mean"), *_estimate(estimate)]
        for one in results["aggregates"]
        if (estimate := one["interquartile_mean"]) and one["condition"] == condition
    ]
    rows += [
        [Entry(f"{one['a']} over {one['b']}"), Entry("probability of improvement"), *_estimate(estimate)]
        for one in results["improvement"]
        if (estimate := one["probability"])
    ]
    return Table(["who", "measure", "value", "95 % interval"], rows)


def _estimate(estimate: Sequence[float]) -> list[Entry]:
    value, low, high = estimate
    return [Entry(percent(value), value), Entry(f"{100 * low:.1f} to {100 * high:.1f} %", low)]


# Field of a cell, head of its column, and its format.
_MOTION: tuple[tuple[str, str, str], ...] = (
    ("restricted_seconds", "time to success, failures at the limit (s)", ".1f"),
    ("recovery_rate", "recovered after the disturbance", "%"),
    ("recovery_seconds", "time to recover (s)", ".1f"),
    ("drops", "drops an episode", ".2f"),
    ("peak_force", "peak force (N)", ".0f"),
    ("contact_impulse", "summed force (N s)", ".0f"),
    ("jerk", "jerk (m/s³)", ".1f"),
    ("energy", "energy (J)", ".1f"),
)
_PLANNING: tuple[tuple[str, str, str], ...] = (
    ("planner_calls", "planner calls an episode", ".1f"),
    ("replans", "new plans an episode", ".2f"),
    ("planner_faults", "planner faults, in all", "sum"),
    ("no_plan", "ended without a plan, in all", "sum"),
    ("command_age_p50", "command age, median (s)", ".2f"),
    ("command_age_p99", "command age, p99 (s)", ".2f"),
)


def motion(results: Results, task: str, conditions: Iterable[str]) -> Table:
    """How contenders moved: time, recovery, drops, forces, jerk and energy, on average over seeds."""
    return _of_cells(results, task, conditions, _MOTION, contenders_of(results))


def planning(results: Results, task: str, conditions: Iterable[str]) -> Table:
    """What System 2 did, of contenders that have one."""
    dual = [one["name"] for one in results["contenders"] if one["system"] != "single"]
    return _of_cells(results, task, conditions, _PLANNING, dual)


def _of_cells(
    results: Results,
    task: str,
    conditions: Iterable[str],
    fields: tuple[tuple[str, str, str], ...],
    names: Sequence[str],
) -> Table:
    rows = []
    for condition in conditions:
        for name in names:
            cells = cells_of(results, name, task, condition)
            if any(cell["episodes"] for cell in cells):
                values = [_mean(cells, field, form) for field, _, form in fields]
                rows.append([Entry(words(condition)), Entry(name), *values])
    return _without_empty(Table(["condition", "who", *(head for _, head, _ in fields)], rows, names=2))


def _mean(cells: Sequence[Cell], field: str, form: str) -> Entry:
    """Over seeds, of those that have the number; a share of episodes counts each of them once."""
    known = [cell for cell in cells if cell.get(field) is not None]
    if not known:
        return Entry(NONE)
    if form == "sum":
        total = sum(cell[field] for cell in known)
        return Entry(str(total), total)
    weights = [cell["disturbed"] if field.startswith("recovery") else cell["episodes"] for cell in known]
    mean = sum(weight * cell[field] for weight, cell in zip(weights, known, strict=True)) / (sum(weights) or 1)
    return Entry(percent(mean) if form == "%" else format(mean, form), mean)


def listening(results: Results) -> Table:
    """What a real plan is worth to System 1."""
    rows = [
        [Entry(one["task"] or "all tasks"), Entry(one["placebo"]), Entry(points(one["value"], 1), one["value"]),
         Entry(f"{points(one['low'], 1)} to {points(one['high'], 1)}", one["low"])]
        for one in results["listening"]
    ]  # fmt: skip
    return Table(["task", "instead of the planner", "worth of the real one (points)", "95 % interval"], rows, names=2)


def learning(files: ComparisonFiles) -> Table:
    """Mean success on the way of training, against steps and wall clock: means over training seeds, and each."""
    rows = []
    curves, clocks = files.results["curves"], files.timings.get("curves", [])
    for task in dict.fromkeys(curve["task"] for curve in curves):
        for name in contenders_of(files.results):
            steps, seconds = (
                [one for one in several if one["success"] and (one["task"], one["contender"]) == (task, name)]
                for several in (curves, clocks)
            )
            if steps:
                longest = max(one["steps"][-1] for one in steps)
                row = [Entry(task), Entry(name), Entry(f"{longest:,}", longest), _area(steps)]
                minutes = max((one["seconds"][-1] / 60 for one in seconds), default=None)
                row.append(Entry(NONE) if minutes is None else Entry(f"{minutes:.1f}", minutes))
                rows.append([*row, _area(seconds)])
    head = ["trained on", "who", "environment steps", "mean success over them", "minutes", "mean success over these"]
    return _without_empty(Table(head, rows, names=2))


def _area(curves: list[dict[str, Any]]) -> Entry:
    areas = [one["area"] for one in curves if one.get("area") is not None]
    if not areas:
        return Entry(NONE)
    mean = sum(areas) / len(areas)
    each = f" ({', '.join(f'{100 * one:.0f}' for one in areas)})" if len(areas) > 1 else ""
    return Entry(f"{percent(mean)}{each}", mean)


def _without_empty(table: Table) -> Table:
    """Without columns that say nothing."""
    kept = [k for k in range(len(table.head))
            if k < table.names or any(row[k].text != NONE for row in table.rows)]  # fmt: skip
    return Table([table.head[k] for k in kept], [[row[k] for k in kept] for row in table.rows], table.caption,
                 table.names)  # fmt: skip


def _p(value: float | None) -> str:
    if value is None:
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


# Field of a ledger, its words, and whether a tenth more or less is no difference.
_LEDGER: tuple[tuple[str, str, bool], ...] = (
    ("algorithm", "algorithm", False),
    ("budget", "budget (environment steps)", False),
    ("environment_steps", "environment steps", True),
    ("actor_steps", "steps of arms that learned", False),
    ("shown_steps", "environment steps of the demonstrator", False),
    ("demonstrations", "demonstrations", False),
    ("starts", "share of episodes begun at later states", False),
    ("seconds", "training, wall clock (s)", True),
    ("cpu_seconds", "training, CPU (s)", True),
    ("parameters", "parameters", False),
    ("reward", "reward", False),
    ("observation", "observation", False),
    ("planner", "planner in training", False),
    ("planner_calls", "planner calls in training", True),
    ("latency", "latency of the planner in training (s)", False),
    ("gamma", "discount factor a tick", False),
    ("net", "widths of the layers", False),
    ("num_worlds", "worlds stepped together", False),
    ("control", "what actions mean", False),
)


def ledger(files: ComparisonFiles) -> Table:
    """What each system cost and was given; a row in which they differ is marked."""
    names = [name for name in contenders_of(files.results) if files.ledger.get(name)]
    rows = []
    for field_, head, roughly in _LEDGER:
        values = [[one.get(field_) for one in files.ledger[name]] for name in names]
        texts = [_range(several) for several in values]
        if not any(text != NONE for text in texts):
            continue
        differs = len(names) > 1 and (not _near(values) if roughly else len(set(texts)) > 1)
        mark = "differs" if differs else ""
        rows.append(
            [Entry(head, mark=mark), *(Entry(text) for text in texts), Entry("differs" if differs else "", mark=mark)]
        )
    return Table(["", *names, ""], rows)


def _near(values: list[list[Any]]) -> bool:
    """Whether the means of numbers are within a tenth of the largest."""
    known = [[v for v in several if isinstance(v, int | float)] for several in values]
    means = [sum(several) / len(several) for several in known if several]
    return len(means) == len(values) and min(means) >= 0.9 * max(means)


def _range(values: Sequence[Any]) -> str:
    """Of several trainings, as one text."""
    if not values or all(value is None for value in values):
        return NONE
    if all(isinstance(value, list) and value and isinstance(value[0], str) for value in values):
        fields = dict.fromkeys(words(str(name)) for value in values for name in value)
        return f"{len(fields)} fields: {', '.join(fields)}"
    if all(isinstance(value, int | float) for value in values) and len(set(values)) > 1:
        low, high = _shown(min(values)), _shown(max(values))
        return low if low == high else f"{low} to {high}"
    return " or ".join(dict.fromkeys(_shown(value) for value in values))


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 10 else f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return f"{value:,}" if isinstance(value, int) else NONE if value is None else str(value)


def timings(files: ComparisonFiles) -> Table:
    """Time that a tick of System 1 and a call of System 2 take, p50, p99 and maximum."""
    rows = []
    for name in contenders_of(files.results):
        own = files.timings.get(name)
        for what, times in own.items() if isinstance(own, dict) else ():
            if isinstance(times, dict) and {"p50", "p99", "max"} <= set(times):
                numbers = [Entry(f"{1000 * times[k]:.2f}", times[k]) for k in ("p50", "p99", "max")]
                rows.append([Entry(name), Entry(words(what)), *numbers])
    return Table(["who", "what", "median (ms)", "p99 (ms)", "longest (ms)"], rows, names=2)
