"""A comparison on a page: the verdict first, then the numbers behind it, and how to get them again."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any

from evaluation.archive import Asked
from evaluation.comparison import Comparison
from evaluation.conditions import UNDISTURBED
from evaluation.run import Run
from policies.system1.config import TrainConfig

_UNFAIR = "no fair comparison"
_SMALL = 0.0001  # p-values below it are all the same to a reader
_KINDS = {"better": "better", "worse": "worse", "same": "the same", "unclear": "cannot tell"}


def summary_of(comparison: Comparison, results: dict[str, Any], asked: Asked) -> str:
    """What `summary.md` holds."""
    names = " and ".join(one.name for one in comparison.systems)
    lines = [f"# {names} on {', '.join(comparison.tasks)}", ""]
    lines += headline(comparison, results) + _verdicts(results) + _listening(results)
    lines += _table(comparison, results) + _blame(results)
    lines += ["## Where the ledgers differ", ""]
    lines += [f"- {line}" for line in results["ledger_differences"]] or ["They agree, but for times."]
    return "\n".join(lines + _commands(comparison, asked)) + "\n"


def headline(comparison: Comparison, results: dict[str, Any]) -> list[str]:
    """What a reader must know before any number."""
    lines = []
    few = [
        f"{one.name} on {task}" for one in comparison.systems for task in comparison.tasks if len(one.seeds(task)) < 2
    ]
    if few:
        lines += [
            f"**Nothing can be said about the methods:** that takes two training seeds or more of each, and there "
            f"is one of {', '.join(few)}. What follows is about these policies on other layouts.",
            "",
        ]
    unfair = [line for line in results["ledger_differences"] if _UNFAIR in line]
    return lines + [line for text in unfair for line in (f"**{text[0].upper()}{text[1:]}.**", "")]


def plain_verdicts(results: dict[str, Any]) -> list[str]:
    """The sentences about what happens undisturbed, with the task before them."""
    return [
        f"{one['task'] or 'All tasks'}, {one['condition']}: {one['sentence']}"
        for one in results["verdicts"]
        if one["condition"] == UNDISTURBED.name
    ]


def _verdicts(results: dict[str, Any]) -> list[str]:
    """In sentences where nothing happens, else in a table."""
    lines = ["## Verdict", ""]
    lines += [f"- **{where}:**{what}" for where, _, what in (s.partition(":") for s in plain_verdicts(results))]
    if not results["verdicts"]:
        lines.append("No two systems are compared here; what follows is about one and its controls.")
    disturbed = [one for one in results["verdicts"] if one["condition"] != UNDISTURBED.name]
    if disturbed:
        head = "| task | condition | difference | points of success (95 % interval) | p after Holm | verdict |"
        lines += ["", head, "|---|---|---|---|---|---|"]
    for one in disturbed:
        value, low, high = (f"{100 * one[name]:.1f}" for name in ("value", "low", "high"))
        cells = (one["task"] or "all", one["condition"], f"{one['a']} minus {one['b']}", f"{value} ({low} to {high})")
        p = f"{one['p_holm']:.2g}" if one["p_holm"] >= _SMALL else f"< {_SMALL:g}"
        lines.append(f"| {' | '.join(cells)} | {p} | {_KINDS[one['kind']]} |")
    counts = (len(results["verdicts"]) - len(disturbed), len(disturbed))
    families = " and ".join(
        f"{count} where {what}" for count, what in zip(counts, ("nothing", "something"), strict=True) if count
    )
    note = f"Better and worse hold after Holm's correction for the number of verdicts: {families} happens."
    return [*lines, "", *([note, ""] if max(counts) > 1 else [])]


def _listening(results: dict[str, Any]) -> list[str]:
    if not results["listening"]:
        return []
    lines = [
        "## Does System 1 listen?",
        "",
        "Success under the real planner minus success under a placebo, in points:",
        "",
    ]
    for one in results["listening"]:
        value, low, high = (f"{100 * one[name]:.1f}" for name in ("value", "low", "high"))
        lines.append(f"- {one['task']}, {one['placebo']}: {value} ({low} to {high})")
    return [*lines, ""]


def _table(comparison: Comparison, results: dict[str, Any]) -> list[str]:
    """Success by task, condition and contender; with several training seeds, that of each behind the mean."""
    names = [one.name for one in comparison.contenders]
    lines = ["## Success", "", f"| task | condition | {' | '.join(names)} |", f"|---|---|{'---|' * len(names)}"]
    cells: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for cell in results["cells"]:
        cells.setdefault((cell["task"], cell["condition"], cell["contender"]), []).append(cell)
    rows = dict.fromkeys((task, condition) for task, condition, _ in cells)
    for task, condition in rows:
        shown = [_rates(cells[task, condition, name]) for name in names]
        lines.append(f"| {task} | {condition} | {' | '.join(shown)} |")
    reasons = dict.fromkeys(
        f"{cell['contender']} cannot act with {cell['condition']}: {cell['cannot_act']}."
        for cell in results["cells"]
        if cell["cannot_act"]
    )
    layouts = results["layout_seeds"]
    return [*lines, "", f"On layouts {layouts}, which no training has seen.", *(["", *reasons] if reasons else []), ""]


def _rates(cells: list[dict[str, Any]]) -> str:
    if any(cell["cannot_act"] for cell in cells):
        return "cannot act"
    rates = [100 * cell["success_rate"] for cell in cells]
    each = f" ({', '.join(f'{rate:.1f}' for rate in rates)})" if len(rates) > 1 else ""
    return f"{sum(rates) / len(rates):.1f} %{each}"


def _blame(results: dict[str, Any]) -> list[str]:
    rows = [one for one in results["blame"] if one["failures"]]
    if not rows:
        return []
    lines = [
        "## Whose the failures of the dual system are",
        "",
        "| task | condition | failures | System 1's | System 2's | what passes between them | neither alone |",
        "|---|---|---|---|---|---|---|",
    ]
    keys = ("task", "condition", "failures", "system1", "system2", "interface", "neither_alone")
    return [*lines, *(f"| {' | '.join(str(one[key]) for key in keys)} |" for one in rows), ""]


def _commands(comparison: Comparison, asked: Asked) -> list[str]:
    runs = {run.folder: run for one in comparison.systems for run in one.runs}
    lines = ["", "## To do it again", "", "```sh"]
    return [*lines, *(train_command(run) for run in runs.values()), asked.line, "```"]


def train_command(run: Run) -> str:
    """The command that a run was trained with."""
    usual = TrainConfig(task=run.config.task, system=run.config.system, algorithm=run.config.algorithm).resolved()
    words = ["python", "train.py", "--task", run.config.task, "--system", run.config.system]
    for field in dataclasses.fields(TrainConfig):
        value, name = getattr(run.config, field.name), field.name.replace("_", "-")
        if field.name in ("seed", "steps") or (
            field.name not in ("task", "system") and value != getattr(usual, field.name)
        ):
            if isinstance(value, bool):
                words.append(f"--{name}" if value else f"--no-{name}")
            else:
                words += [f"--{name}", str(value)]
    return shlex.join([*words, "--out", str(run.folder)])
