"""Numbers and sentences as a person reads them, the same in every report."""

from shopguide.gate.decision import Decision, Guard
from shopguide.gate.sequence import GainSequence
from shopguide.gate.spending import Spending
from shopguide.gate.trade_off import Optimism

_FINE = 0.0005  # below 0.05 % two decimals would hide the sign

SPACE = "\u00a0"  # keeps a number and its unit on one line


def percent(share: float | None) -> str:
    """Return a relative change: "+1.23 %"; a dash where there is none."""
    if share is None:
        return "–"
    if share == 0:
        return f"0{SPACE}%"
    digits = 2 if abs(share) >= _FINE else 4
    return f"{100 * share:+.{digits}f}{SPACE}%".replace("-", "−")


def number(value: float | None) -> str:
    """Return a value to four significant digits; a dash where there is none."""
    return "–" if value is None else f"{value:.4g}".replace("-", "−")


def count(value: float) -> str:
    """Return a whole number with its thousands apart: "93,408"."""
    return f"{value:,.0f}"


def tick(value: float) -> str:
    """Return a round relative change for an axis: "+2.5 %"."""
    return "0" if value == 0 else f"{100 * value:+g}{SPACE}%".replace("-", "−")


def share(value: float) -> str:
    """Return a share of runs: "4.2 %"."""
    return f"{100 * value:.1f}{SPACE}%"


def days(value: float) -> str:
    """Return a number of days, to a tenth below ten."""
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def p_value(value: float | None) -> str:
    """Return a p-value: three decimals, or that it is below them."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def moment(iso: str) -> str:
    """Return an instant of decision.json: "2024-03-01 00:00 UTC"."""
    return f"{iso[:10]} {iso[11:16]} UTC"


def level(confidence: float) -> str:
    """Return a confidence or an error: "95 %", "99.83 %"."""
    return f"{100 * confidence:.4g}{SPACE}%"


def headline(decision: Decision) -> str:
    """Return the verdict in one word or two."""
    return {"promote": "Promote", "refuse": "Do not promote", "invalid": "No fair comparison"}[
        decision.verdict
    ]


def popularity(feature: str) -> str:
    """Return what a reader calls the ranking by `gate.baseline`: one word, and the feature."""
    return feature if feature == "popularity" else f"popularity ({feature})"


def without_comparison(decision: Decision) -> str:
    """Return why there is no J: nothing to compare with, or a goal that is zero there."""
    code = "undefined_goal:"
    zero = [r.removeprefix(code) for r in decision.reasons if r.startswith(code)]
    titles = ", ".join(decision.goals[name].title for name in zero if name in decision.goals)
    if not titles:
        return "There is nothing to compare the challenger with."
    who = "champion" if decision.champion else "baseline"
    return f"The {who} earned nothing, or next to it, on {titles}, so no change has a value."


def verdict_sentence(decision: Decision) -> str:
    """Return the verdict in one sentence, with the number or the reason that decided."""
    if decision.verdict == "promote":
        return _promotion(decision)
    first, more = decision.because[0], len(decision.because) - 1
    others = f" There {'is one more reason' if more == 1 else f'are {more} more reasons'}."
    number_of = len(decision.candidates)
    who = "the challenger is not" if number_of == 1 else f"none of the {number_of} challengers is"
    opening = {
        "refuse": f"{who[0].upper()}{who[1:]} promoted",
        "invalid": f"The comparison cannot be trusted, so {who} promoted",
    }[decision.verdict]
    if number_of > 1:
        opening = f"{opening}. Against the best, {decision.challenger.version}"
    return f"{opening}: {first}.{others if more else ''}"


def guard_name(guard: Guard, decision: Decision) -> str:
    """Return what a guard guards, in words."""
    kind, _, subject = guard.name.partition(":")
    if kind in ("feature_leak", "feature_is_label"):
        feature, _, task = subject.rpartition(".")
        return _GUARD_NAMES[kind].format(feature, title=outcome_title(task, decision))
    task, _, metric = subject.partition(".")
    title = decision.tasks[task].title if task in decision.tasks else subject
    return _GUARD_NAMES[kind].format(title, metric=metric.upper())


KINDS = {
    "promoted": "✓ promoted",
    "refused": "✗ refused",
    "invalid": "⚠ no fair comparison",
    "failed": "! failed",
    "rollback": "↩ rolled back",
}
"""What came of a run, with a sign for a reader who sees no colours."""


def kind(name: str) -> str:
    """Return what came of a run, in words."""
    return KINDS.get(name, name)


def budget_sentence(spending: Spending) -> str:
    """Return what this run takes of its champion's error, and why."""
    shared = f"{level(spending.budget)} of error"
    if spending.former:
        return (
            f"The terms of α-spending changed (before: {'; '.join(spending.former)}), so all that "
            f"the champion's runs spent counts: {level(spending.spent)} of {shared}. This is run "
            f"{spending.look}, by {spending.function}, and it takes {level(spending.alpha)}."
        )
    if spending.function == "none":
        return f"Every run may take {shared}: gate.alpha_spending.function is none."
    if spending.sequence is not None:
        begun = "an earlier run began it" if spending.continued else "this run begins it"
        return (
            f"A confidence sequence over all runs of one champion, without an end, holds "
            f"{level(spending.alpha)} of {shared}: this is run {spending.look}, and {begun}. "
            "The bounds of the changes above are the run's own."
        )
    over = (
        f"over {spending.horizon} runs of one champion"
        if spending.horizon
        else "over all runs of one champion"
    )
    again = ", as it did when the same comparison was made before" if spending.repeated else ""
    return (
        f"At most {shared} {over}, by {spending.function.replace('_', '-')}: this is run "
        f"{spending.look}, {level(spending.spent)} was spent before, and it takes "
        f"{level(spending.alpha)}{again}."
    )


def sequence_sentence(sequence: GainSequence) -> str:
    """Return what the champion's runs showed together."""
    runs = f"{count(sequence.runs)} run{'' if sequence.runs == 1 else 's'}"
    total = sequence.objective
    if total is None:
        return "No run brought evidence to this champion's confidence sequence yet."
    return (
        f"Together, this champion's challengers brought {percent(total.estimate)} of J on average "
        f"over {runs} and {count(sequence.users)} users (each counted in every run that saw new "
        f"impressions of it); at all times at once, with {level(1 - sequence.alpha)} confidence, "
        f"at least {percent(total.lower)}."
    )


def choice_sentences(decision: Decision) -> list[str]:
    """Return which challengers training chose among several, and what that costs their bounds."""
    return [
        f"{one.model.version} is the best of {count(one.model.chosen_from)} models that were "
        "trained, by the validation period. The others never met this test period, so the choice "
        "leaves its bounds as they are."
        for one in decision.candidates
        if one.model.chosen_from > 1
    ]


def optimism_sentence(optimism: Optimism) -> str:
    """Return J where λ was chosen beside J where it is judged."""
    return (
        f"J was {number(optimism.validation)} on the validation period, where λ was chosen, and "
        f"is {number(optimism.test)} on the test period: an optimism of "
        f"{percent(optimism.difference)}."
    )


def outcome_title(name: str, decision: Decision) -> str:
    """Return what a reader calls an outcome; one that is no task goes by its name."""
    return decision.tasks[name].title if name in decision.tasks else name


def guard_text(value: float | str | None) -> str:
    """Return a guard's value or limit: text as it is, counts whole, the rest short."""
    if isinstance(value, str):
        return value
    if value is not None and value >= 1000:
        return count(value)
    return number(value)


RULES = {
    "at_least": "at least",
    "at_most": "at most",
    "below": "below",
    "equal": "equal to",
    "after": "after",
    "waived": "waived, else below",
}

_GUARD_NAMES = {
    "tasks": "Tasks of the {}",
    "feature_service": "Feature service of the {}",
    "inputs": "Inputs of the {}",
    "period": "Test period, against what the {} learnt from",
    "golden": "Golden rows of the {}, largest difference",
    "feature_leaks": "Features that tell a label",
    "feature_leak": "AUC of the feature {} alone, for {title}",
    "feature_is_label": "Share of the rows where the feature {} is {title}",
    "classes": "Impressions with the outcome {}",
    "leak": "AUC of {} (more would be a leaked label)",
    "min_users": "Users",
    "min_events": "Outcomes of {}",
    "calibration": "|predicted / observed − 1| of {}",
    "latency_p99_ms": "p99 of scoring 200 rows, ms (measured)",
    "floor": "{metric} of {}",
}


def _promotion(decision: Decision) -> str:
    number_of = len(decision.candidates)
    best = "" if number_of == 1 else f" {decision.challenger.version}, the best of {number_of},"
    if decision.objective is not None:
        gain = decision.objective
        return (
            f"The challenger{best} improves the weighted objective by {percent(gain.estimate)}, "
            f"with {level(decision.confidence)} confidence by at least {percent(gain.lower)}, and "
            "no goal, slice or guard stands against it."
        )
    first = decision.baseline
    assert first is not None, "a first champion has beaten a baseline"
    return (
        f"The challenger{best} becomes the first champion: it beats the ranking by "
        f"{popularity(first.feature)} by {percent(first.estimate)}, with "
        f"{level(decision.confidence)} confidence by at least {percent(first.lower)}, "
        "and it reaches every floor."
    )
