"""What a page says of a session: task, time, stages, plan and commands, as html."""

from __future__ import annotations

from html import escape

from envs.scene import TICK
from evaluation.play.session import Session
from policies.commands import NOTHING, SKILLS

INK, FAINT, GOOD, BAD, NOW = "#eef2f6", "#93a1b0", "#46d78c", "#f5964a", "#5ab0ff"
_LONG_AGE = 2.0  # (s) at which the bar of a command's age is full
_STEPS = 7  # of a plan that are shown
_ROW = "display:flex;justify-content:space-between;align-items:baseline;gap:8px"


def status(session: Session, paused: bool, speed: float) -> str:
    """Everything, as html with its own styles."""
    parts = [_head(session, paused, speed), _ladder(session), _plan(session), _commands(session), _tally(session)]
    body = "".join(f'<div style="margin:0 0 14px">{part}</div>' for part in parts if part)
    return (
        f'<div id="status" data-tick="{session.ticks}" data-verdict="{session.verdict}" '
        f'style="padding:10px 14px 2px;color:{INK};font-size:13px;line-height:1.45;'
        f'font-variant-numeric:tabular-nums">{body}</div>'
    )


def _head(session: Session, paused: bool, speed: float) -> str:
    seconds = session.ticks * TICK
    badge = {"success": ("success", GOOD), "failed": ("failed", BAD)}.get(session.verdict)
    if badge is None and paused:
        badge = ("paused", FAINT)
    if badge is None and session.stalled > 0:
        badge = (f"System 2 stalled, {session.stalled:.1f} s left", BAD)
    shown = "" if badge is None else _badge(*badge)
    pace = "" if speed == 1 else f" · {speed:g}&times;"
    return (
        f'<div style="{_ROW}"><span style="font-size:21px;font-weight:650">{escape(session.env.task_name)}</span>'
        f'<span style="font-size:21px">{seconds:.1f} s</span></div>'
        f'<div style="{_ROW};color:{FAINT}"><span>{escape(session.role.text)}</span>'
        f'<span style="white-space:nowrap">of {session.limit:g} s{pace}</span></div>'
        f'<div style="{_ROW};color:{FAINT};min-height:26px;margin-top:2px"><span>layout seed '
        f"{session.episode.layout_seed}</span>{shown}</div>"
    )


def _badge(text: str, colour: str) -> str:
    return (
        f'<span style="background:{colour};color:#0c1016;border-radius:9px;padding:1px 10px;font-weight:650">'
        f"{escape(text)}</span>"
    )


def _ladder(session: Session) -> str:
    """The stages: done, being done, to come."""
    done = int(session.infos["stage"][0])
    chips = []
    for k, name in enumerate(session.env.task.stages):
        look = f"background:#232c37;color:{FAINT}"
        if k < done:
            look = f"background:{GOOD};color:#0b2517;font-weight:650"
        elif k == done and not session.verdict:
            look = f"background:#232c37;color:{INK};box-shadow:inset 0 0 0 1.5px {INK}"
        chips.append(f'<span style="{look};border-radius:7px;padding:1px 9px">{escape(name)}</span>')
    return f'{_title("Stages")}<div style="display:flex;flex-wrap:wrap;gap:5px">{"".join(chips)}</div>'


def _plan(session: Session) -> str:
    """The steps of the plan in force, with the one that is being done marked."""
    runtime = session.runtime
    if runtime is None:
        return f'{_title("Plan")}<span style="color:{FAINT}">one policy; nobody plans</span>'
    steps, at = runtime.plan_of(0)
    if runtime.no_plan[0]:
        return f'{_title("Plan")}<span style="color:{BAD}">{escape(runtime.no_plan[0])}</span>'
    if not steps:
        return f'{_title("Plan")}<span style="color:{FAINT}">none</span>'
    first = max(0, min(at - 2, len(steps) - _STEPS))
    rows = []
    for k, step in enumerate(steps[first : first + _STEPS], start=first):
        mark, look = ("▶", f"color:{INK};font-weight:650") if k == at else ("", f"color:{FAINT}")
        if k < at:
            mark, look = "✓", f"color:{GOOD}"
        rows.append(
            f'<div style="{look};display:flex;gap:8px"><span style="width:14px">{mark}</span>'
            f"<span>{escape(step.label)}</span></div>"
        )
    more = len(steps) - first - _STEPS
    if more > 0:
        rows.append(f'<div style="color:{FAINT};padding-left:22px">and {more} more</div>')
    return _title(f"Plan, {min(at + 1, len(steps))} of {len(steps)}") + "".join(rows)


def _commands(session: Session) -> str:
    """What each arm is told, and how old it is."""
    runtime = session.runtime
    if runtime is None:
        return ""
    rows = []
    ages, commands = runtime.command_age[0], runtime.commands
    for arm, age in enumerate(ages):
        thing = int(commands.thing[0, arm])
        name = "" if thing == NOTHING else f" {session.env.scene.objects[thing].spec.name}"
        share = min(1.0, float(age) / _LONG_AGE)
        bar = NOW if share < 1 else BAD
        rows.append(
            f'<div style="{_ROW}"><span><span style="color:{FAINT}">arm {arm}</span>&ensp;'
            f"{SKILLS[commands.skill[0, arm]]}{escape(name)}</span>"
            f'<span style="color:{FAINT}">{age:.1f} s old</span></div>'
            f'<div style="height:3px;border-radius:2px;background:#232c37;margin:2px 0 6px"><div style="height:3px;'
            f'border-radius:2px;width:{100 * share:.0f}%;background:{bar}"></div></div>'
        )
    counts = {name: int(runtime.counts[name][0]) for name in ("calls", "replans", "expired")}
    told = f"System 2 asked {counts['calls']}&times;, replanned {counts['replans']}&times;"
    if counts["expired"]:
        told += f", {counts['expired']} commands expired"
    return f'{_title("Commands")}{"".join(rows)}<div style="color:{FAINT}">{told}</div>'


def _tally(session: Session) -> str:
    """Successes and failures so far, and interventions in this episode."""
    rows = []
    for system in dict.fromkeys(system for system, _ in session.tally):
        good, bad = session.tally[system, "success"], session.tally[system, "failed"]
        rows.append(
            f'<div style="{_ROW}"><span>{escape(system)}</span><span><span style="color:{GOOD}">{good} success</span>'
            f'&ensp;<span style="color:{BAD if bad else FAINT}">{bad} failed</span></span></div>'
        )
    count = len(session.episode.interventions)
    what = "nobody has intervened in this episode"
    if count:
        kinds = dict.fromkeys(type(i).__name__ for _, i in session.episode.interventions)
        what = f"{count} intervention{'s' * (count > 1)} in this episode, last {list(kinds)[-1].lower()}"
    rows.append(f'<div style="color:{FAINT}">{what}</div>')
    return _title("Episodes") + "".join(rows)


def _title(text: str) -> str:
    return (
        f'<div style="color:{FAINT};font-size:11px;letter-spacing:.06em;text-transform:uppercase;margin-bottom:4px">'
        f"{escape(text)}</div>"
    )
