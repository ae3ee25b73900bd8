"""The page of a report, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib.figure import Figure

from evaluation.figures import curves, episodes, success
from evaluation.figures.phase import Phase, phase_diagram
from evaluation.figures.shares import Results, conditions_of, contenders_of, share_of
from evaluation.figures.style import inline_svg, save, words
from evaluation.report import ReportError, prose, tables
from evaluation.report.films import groups_of
from evaluation.report.folder import ComparisonFiles, read_comparison
from policies.files import written_whole

_HERE = Path(__file__).parent
_CONTENTS = {
    "ledger": "What each side was given",
    "phase": "When System 2 is late or wrong",
    "success": "Success under every condition",
    "verdicts": "Differences",
    "episodes": "In the episodes",
    "planner": "What System 2 did",
    "blame": "Whose fault, and does System 1 listen?",
    "learning": "Learning",
    "films": "Films",
    "again": "To do it again",
    "limits": "What this cannot show",
}


@dataclass(frozen=True)
class Shown:
    """A figure of the page."""

    name: str
    """Of its file."""
    svg: str
    caption: str


def write_page(folder: Path) -> Path:
    """`write_report`, where all packages are there."""
    files = read_comparison(folder)
    (folder / "figures").mkdir(exist_ok=True)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    try:
        context = _context(files)
    except (KeyError, IndexError, TypeError) as error:
        raise ReportError(
            f"{folder / 'results.json'} or a file beside it is damaged ({type(error).__name__}: {error}); delete it "
            "and give compare.py the same command again, which keeps what is finished"
        ) from error
    path = folder / "report.html"
    with written_whole(path) as aside:
        aside.write_text(environment.get_template("report.html").render(**context), encoding="utf-8")
    return path


def _context(files: ComparisonFiles) -> dict[str, Any]:
    """Everything that the template names."""
    results = files.results
    phase = _phase(results)
    figures = _figures(files, phase)
    of_tables = _tables(files)
    films, gap_of_films = groups_of(files.films, files.folder)
    present = {
        "phase": phase,
        "films": films,
        "planner": of_tables["planning"] or of_tables["timings"].rows,
        "blame": figures["blame"] or of_tables["listening"].rows,
        "learning": figures["curves"],
    }
    return {
        "title": f"Duet: one system or two, on {_listed(results['tasks'])}",
        "style": (_HERE / "report.css").read_text(),
        "script": (_HERE / "report.js").read_text(),
        "tasks": _listed(results["tasks"]),
        "answers": prose.answers(results),
        "facts": _facts(results),
        "systems": len(contenders_of(results, "system")),
        "ledger_differences": _unmarked(results["ledger_differences"], of_tables["ledger"]),
        "differing": bool(results["ledger_differences"]),
        "contents": [(name, text) for name, text in _CONTENTS.items() if present.get(name, True)],
        "phase": phase.sentence if phase else "",
        "cannot_act": tables.cannot_act(results),
        "contenders": prose.contenders(results),
        "conditions": prose.conditions(results),
        "margin": f"{100 * results['same_within']:g}",
        "first": words(prose.first_condition(results)),
        "figures": figures,
        "tables": of_tables,
        "films": films,
        "command": files.command,
        "limits": prose.limits(results),
        "gaps": _gaps(files, figures, gap_of_films),
    }


def _gaps(files: ComparisonFiles, figures: dict[str, Any], films: str) -> dict[str, str]:
    """What is missing, in a sentence each; empty where nothing is."""
    texts = {
        "ledger": (files.ledger, "There is no ledger.json beside results.json, so what trainings cost is not known."),
        "phase": (files.results.get("phase"), "No phase diagram was made; compare.py draws one with --phase."),
        "verdicts": (files.results["verdicts"], "There is no verdict: that takes two systems."),
        "time": (
            figures["time"],
            "There is no episodes.parquet beside results.json, so times to success cannot be drawn; the table below "
            "has their means. compare.py writes it again when given the same command.",
        ),
        "timings": (
            files.timings,
            "There is no timings.json beside results.json, so decisions were not timed.",
        ),
        "command": (files.command, "The command is not known: there is no summary.md, which names it."),
    }
    return {name: "" if there else text for name, (there, text) in texts.items()} | {"films": films}


def _unmarked(lines: list[str], ledger: tables.Table) -> list[str]:
    """Differences that no marked row of the table says."""
    marked = {row[0].text for row in ledger.rows if row[0].mark}
    return [line for line in lines if line.partition(":")[0] not in marked]


def _phase(results: Results) -> Phase | None:
    found = results.get("phase")
    if not found:
        return None
    grid = np.array(found["success"], dtype=float)
    latencies, wrong = tuple(found["latencies"]), tuple(found["wrong"])
    if grid.shape != (len(latencies), len(wrong)):
        raise ReportError(
            f"results.json is damaged: its phase diagram has {grid.shape} cells for {len(latencies)} latencies and "
            f"{len(wrong)} shares of wrong plans; delete it and give compare.py the same command again"
        )
    return Phase(latencies, wrong, grid.T, found["single"])


def _figures(files: ComparisonFiles, phase: Phase | None) -> dict[str, Any]:
    """All figures, drawn and saved; None, or an empty list, for those that there is nothing to draw of."""
    results, first = files.results, prose.first_condition(files.results)
    tasks: list[str] = results["tasks"]

    def show(name: str, figure: Figure | None, caption: str, title: str = "") -> Shown | None:
        if figure is None:
            return None
        save(figure, files.folder / "figures" / f"{name}.png")
        return Shown(name, inline_svg(figure, name, title or caption), caption)

    def each(name: str, draw: Callable[[str], Figure | None], caption: str) -> list[Shown]:
        shown = (show(f"{name}-{task}", draw(task), caption.format(task)) for task in tasks)
        return [one for one in shown if one]

    several_conditions = any(len(conditions_of(results, task)) > 1 for task in tasks)
    key = "Large marks: mean; bars: Wilson's 95 % interval; small strokes: each training seed. "
    of_success: list[Shown] = []
    if not several_conditions and len(contenders_of(results)) == len(contenders_of(results, "system")):
        pass  # the headline shows all of it
    elif several_conditions or len(tasks) == 1:
        of_success = each("success", lambda task: success.success_by_condition(results, task), "{}: success of every "
                          "contender under every condition. " + key + "Placebos are hollow, bounds dark.")  # fmt: skip
    else:
        one = show(
            "success", success.success_by_task(results, first), f"Success of every contender, {words(first)}. {key}"
        )
        of_success = [one] if one else []
    lines = [*results["curves"], *files.timings.get("curves", [])]
    time = None
    if files.episodes is not None:
        time = episodes.time_to_success(results, files.episodes, first, tasks)
    return {
        "headline": show("headline", success.headline(results), "", "Success of each system"),
        "success": of_success,
        "differences": show("differences", success.differences(results), "Difference of success with its 95 % "
                            "interval, in points. Filled: better or worse; hollow: neither. Grey: counts as the same."),
        "funnel": each("funnel", lambda task: episodes.funnel(results, task, first), f"{{}}, {words(first)}: share "
                       "of episodes that reached each stage, all training seeds together."),
        "time": show("time", time, f"Share of episodes solved within a time, {words(first)}. What is not solved at the "
                     "limit, where the curves end, is not solved."),
        "blame": show("blame", episodes.blame(results), "Failures of the dual system, in episodes."),
        "phase": show("phase", phase_diagram(phase, _where(results)), _of_phase(results, phase))
        if phase else None,
        "curves": [one for task in dict.fromkeys(line["task"] for line in lines) if (one := show(
            f"curves-{task}", curves.learning_curves(results, lines, task), f"{task}: success in training. Thin: one "
            "training; thick: their mean, as far as all of them go."))],
    }  # fmt: skip


def _where(results: Results) -> str:
    """What the phase diagram is of."""
    return f"{results['phase']['task']}, {words(results['phase']['condition'])}"


def _of_phase(results: Results, phase: Phase) -> str:
    found, layouts, level = results["phase"], results["phase"]["episodes"], phase.single
    seeds = found.get("seeds") or []
    over = f" and training seeds {', '.join(map(str, seeds))}" if seeds else ""
    text = f"{_where(results)}: each cell is the mean over {layouts} layouts{over}."
    if level is None:
        return text
    chance = 100 * 1.96 * sqrt(2 * max(level * (1 - level), 1 / layouts) / layouts)
    return (
        f"{text} The line, straight between the centres of cells, is where both solve as much; with so many layouts, "
        f"less than {chance:.0f} points above or below it may be chance."
    )


def _tables(files: ComparisonFiles) -> dict[str, Any]:
    results, first = files.results, prose.first_condition(files.results)
    tasks: list[str] = results["tasks"]
    more = {task: conditions for task in tasks if len(conditions := conditions_of(results, task)) > 1}

    def titled(make: Callable[..., tables.Table], of: dict[str, list[str]]) -> list[tables.Table]:
        made = ((task, make(results, task, conditions)) for task, conditions in of.items())
        return [tables.Table(t.head, t.rows, task, t.names) for task, t in made if t.rows]

    once = {task: [first] for task in tasks}
    return {
        "ledger": tables.ledger(files),
        "success": [tables.success(results, task) for task in tasks],
        "verdicts": tables.verdicts(results),
        "aggregates": tables.aggregates(results, first),
        "motion": titled(tables.motion, once),
        "motion_all": titled(tables.motion, more),
        "planning": titled(tables.planning, once),
        "planning_all": titled(tables.planning, more),
        "timings": tables.timings(files),
        "listening": tables.listening(results),
        "learning": tables.learning(files),
    }


def _facts(results: Results) -> list[dict[str, str]]:
    """The numbers that one wants first."""
    first, tasks = prose.first_condition(results), results["tasks"]
    systems = [one for one in results["contenders"] if one["kind"] == "system"]
    facts = []
    for one in systems if len(tasks) == 1 else ():
        share = share_of(results, one["name"], tasks[0], first)
        if share:
            facts.append({
                "kind": one["system"], "what": f"{one['name']} solves", "value": tables.percent(share.rate),
                "note": f"{100 * share.low:.1f} to {100 * share.high:.1f} %, {share.successes} of {share.episodes} "
                        f"episodes, {words(first)}",
            })  # fmt: skip
    layouts = max(cell["episodes"] for cell in results["cells"])
    seeds = ", ".join(f"{one['name']} {', '.join(map(str, one['seeds']))}" for one in systems)
    count = sorted({len(one["seeds"]) for one in systems})
    facts.append({"kind": "", "what": "layouts, the same for all", "value": f"{layouts:,}",
                  "note": f"{results['layout_seeds']}" + (", of each task" if len(tasks) > 1 else "")})  # fmt: skip
    facts.append({"kind": "", "what": "training seeds", "value": " or ".join(map(str, count)), "note": seeds})
    more = len(results["conditions"]) - 1
    note = f"{words(first)}, and {more} more" if more else "nothing disturbs"
    facts.append({"kind": "", "what": "conditions", "value": str(more + 1), "note": note})
    return facts


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
