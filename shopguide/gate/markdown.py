"""`report.md`: the decision for the KFP page and for comments on a pull request."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from shopguide.gate.decision import BaselineChange, Decision, ObjectiveChange
from shopguide.gate.wording import (
    RULES,
    budget_sentence,
    choice_sentences,
    count,
    guard_name,
    guard_text,
    headline,
    kind,
    level,
    moment,
    number,
    optimism_sentence,
    outcome_title,
    p_value,
    percent,
    sequence_sentence,
    verdict_sentence,
)

_SHOWN = 5  # of the history; the page has more

_SIGNS = {"promote": "✅", "refuse": "⛔", "invalid": "⚠️"}
_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")


def markdown(decision: Decision) -> str:
    """Return the decision as GitHub-flavoured Markdown."""
    sign = _SIGNS[decision.verdict]
    parts = [
        f"## {sign} {headline(decision)}: {plain(decision.title)}",
        plain(verdict_sentence(decision)),
        _listed("Why", decision.because),
        _changes(decision),
        _candidates(decision),
        _slices(decision),
        _tasks(decision),
        _guards(decision),
        _period_lines(decision),
        _before(decision),
        _listed("What to keep in mind", (*decision.notes, *decision.warnings)),
        _origin(decision),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(text: str) -> str:
    """Return text that Markdown shows as it is, on one line: titles come from a file."""
    return _SPECIAL.sub(r"\\\1", escape(" ".join(text.split()), quote=False))


def _changes(decision: Decision) -> str:
    against = "champion" if decision.objective else "baseline"
    total = decision.objective or decision.baseline
    rows = []
    if total is not None:
        asked = "–" if total.min_gain is None else f"> {percent(total.min_gain)}"
        rows.append(["**J − 1**", "", "", *_interval(total), asked, _mark(total.passes)])
    for name, goal in decision.goals.items():
        first = decision.baseline.goals.get(name) if decision.baseline else None
        changed = first or goal
        reference = first.baseline if first else goal.champion
        asked = "–" if goal.passes is None else f"> {percent(-goal.margin)}"
        title = f"{plain(goal.title)} ({goal.weight:g})"
        values = [number(reference), number(goal.challenger)]
        interval = [percent(changed.change), percent(changed.lower), percent(changed.upper)]
        rows.append(
            [title, *values, *interval, asked, "" if goal.passes is None else _mark(goal.passes)]
        )
    head = ["goal (weight)", against, "challenger", "change", "lower", "upper", "must be", ""]
    return "### Objective and goals\n\n" + _table(head, rows) + "\n\n" + _bounds(decision)


def _interval(total: ObjectiveChange | BaselineChange) -> list[str]:
    return [percent(total.estimate), percent(total.lower), percent(total.upper)]


def _bounds(decision: Decision) -> str:
    inside = level(2 * decision.confidence - 1)
    return (
        f"Each bound is one-sided at {level(decision.confidence)}, so {inside} lies between them; "
        f"{count(decision.replicates)} bootstrap replicates over users. Values are per request."
    )


def _candidates(decision: Decision) -> str:
    chosen = [plain(sentence) for sentence in choice_sentences(decision)]
    if len(decision.candidates) == 1 and decision.tried == 1:
        return "\n\n".join(["### Candidates", *chosen]) if chosen else ""
    rows = []
    for candidate in decision.candidates:
        shown = candidate.objective or candidate.baseline
        figures = (shown.estimate, shown.lower, shown.upper) if shown else (None, None, None)
        name = f"**{candidate.model.version}**" if candidate.chosen else candidate.model.version
        against = plain(", ".join(candidate.reasons)) or "✓ nothing"
        rows.append([name, *map(percent, figures), against])
    head = ["candidate", "J − 1", "lower", "upper", "against it"]
    said = f"{count(decision.tried)} were compared on this test period; the bounds hold together."
    return "\n\n".join(["### Candidates", _table(head, rows), said, *chosen])


def _before(decision: Decision) -> str:
    lines = [budget_sentence(decision.spending)] if decision.spending else []
    lines += [sequence_sentence(decision.sequence)] if decision.sequence else []
    lines += [optimism_sentence(decision.optimism)] if decision.optimism else []
    for past in decision.ledger.history[:_SHOWN]:
        version = f", version {past.version}" if past.version else ""
        gain = "" if past.gain is None else f", J − 1 {percent(past.gain)}"
        gain += (
            "" if past.gain is None or past.against == "champion" else f" against {past.against}"
        )
        why = f" ({', '.join(past.reasons)})" if past.reasons else ""
        lines.append(f"{moment(past.at)}: {kind(past.kind)}{version}{gain}{why}")
    return _listed("Runs before, and the error they share", lines)


def _slices(decision: Decision) -> str:
    if not decision.slices:
        return ""
    rows = [
        [
            f"{plain(s.column)} = {plain(s.value)}",
            plain(decision.goals[s.goal].title),
            count(s.users),
            percent(s.change),
            percent(s.lower),
            f"> {percent(-s.margin)}",
            p_value(s.p_holm),
            _mark(s.passes),
        ]
        for s in decision.slices
    ]
    head = ["slice", "goal", "users", "change", "lower", "must be", "p (Holm)", ""]
    return "### Slices\n\n" + _table(head, rows)


def _tasks(decision: Decision) -> str:
    names = ("auc", "gauc", "normalised_gini", "pcoc")
    rows = []
    for task in decision.tasks.values():
        cells = []
        for name in names:
            former = task.champion.metric(name) if task.champion else None
            shown = number(task.challenger.metric(name))
            cells.append(shown if former is None else f"{number(former)} → {shown}")
        rows.append([plain(task.title), *cells])
    head = ["task", "AUC", "GAUC", "normalised Gini", "predicted / observed"]
    arrow = " (champion → challenger)" if decision.champion else ""
    return f"### Predictions{arrow}\n\n" + _table(head, rows)


def _guards(decision: Decision) -> str:
    rows = [
        [
            plain(guard_name(guard, decision)),
            plain(guard_text(guard.value)),
            f"{RULES[guard.rule]} {plain(guard_text(guard.limit))}",
            _mark(guard.passes),
        ]
        for guard in decision.guards
    ]
    return "### Guards\n\n" + _table(["guard", "found", "must be", ""], rows)


def _period_lines(decision: Decision) -> str:
    words = {name: f"{name} learnt from" for name in ("challenger", "champion")}
    lines = [
        f"- {words.get(n, n)}: {moment(p.start)} – {moment(p.end)}"
        for n, p in decision.periods.items()
    ]
    counts = decision.counts
    events = ", ".join(
        f"{count(found)} {plain(outcome_title(task, decision))}"
        for task, found in counts.events.items()
    )
    lines.append(
        f"- {count(counts.users)} users, {count(counts.requests)} requests, "
        f"{count(counts.impressions)} impressions; outcomes: {events}"
    )
    return "### Periods and counts\n\n" + "\n".join(lines)


def _origin(decision: Decision) -> str:
    models = [("challenger", decision.challenger), ("champion", decision.champion)]
    named = [f"{role} {plain(m.version)} ({m.checksum[:12]})" for role, m in models if m]
    versions = ", ".join(f"{name} {version}" for name, version in decision.versions.items())
    return (
        f"<sub>{'; '.join(named)}; test set {decision.test_set[:12]}; seed {decision.seed}; "
        f"{versions}; fingerprint {decision.fingerprint[:12]}</sub>"
    )


def _listed(title: str, sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    return f"### {title}\n\n" + "\n".join(f"- {plain(text)}" for text in sentences)


def _mark(passes: bool | None) -> str:
    return {True: "✓ holds", False: "✗ fails", None: "not judged"}[passes]


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
