"""Why the gate says no: every code of `decision.json`, and the sentence a person reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["promote", "refuse", "invalid"]

NO_TRUST: dict[str, str] = {
    "artifact": "the bundle of the {} does not predict what it predicted when it was written",
    "incompatible_tasks": "the {} predicts other tasks",
    "incompatible_feature_service": "the {} reads other features",
    "period_overlap": "the test period does not lie after what the {} learnt from",
    "feature_leak": "the feature {} tells the label",
    "label_leak": "{} is predicted so well that a feature must hold the label",
    "one_class": "every impression of the test period has the outcome {}, so no list is better",
    "too_few_users": "the test period has too few users",
    "too_few_events": "the test period has too few outcomes of {}",
    "undefined_goal": "{} is zero, or next to it, for what the challenger is compared with",
}
"""Codes of the verdict `invalid`: the comparison cannot be trusted, whatever it says."""

NO: dict[str, str] = {
    "no_min_gain": "the spec sets no gate.min_gain, and without thresholds nothing is promoted",
    "no_floors": "there is no champion, and the spec sets no gate.floors for a first one",
    "no_baseline": "there is no champion, and the spec names no gate.baseline to beat",
    "no_error_left": "the champion's error budget allows this run nothing",
    "error_too_small": "the error left for each bound is too small for the replicates to show",
    "nothing_new": "this run adds nothing to the champion's confidence sequence",
    "sequence_gain_not_shown": (
        "over this champion's runs together, the gain in J is not shown to exceed what is asked for"
    ),
    "sequence_goal_may_lose": (
        "over this champion's runs together, a loss of {} beyond its margin cannot be ruled out"
    ),
    "identical": "the challenger is the champion itself, file by file",
    "gain_not_shown": "the gain in J is not shown to exceed what is asked for",
    "baseline_not_beaten": "J is not shown to exceed that of the baseline",
    "goal_may_lose": "a loss of {} beyond its margin cannot be ruled out",
    "slice_may_lose": "a loss beyond the margin cannot be ruled out for {}",
    "below_floor": "{} is below its floor",
    "calibration": "the predictions of {} are too far from what happened",
    "latency": "scoring takes too long",
}
"""Codes of the verdict `refuse`: the comparison is sound, and a criterion does not hold."""

SENTENCES = NO_TRUST | NO


@dataclass(frozen=True, slots=True)
class Reason:
    """One criterion that does not hold.

    Args:
        code: one of `SENTENCES`.
        subject: the goal, task, slice or model it is about, where there can be several.
        detail: the numbers, as a reader wants them.
        title: what a reader calls the subject; None: as it is.
    """

    code: str
    subject: str | None = None
    detail: str | None = None
    title: str | None = None

    def __post_init__(self) -> None:
        assert self.code in SENTENCES, self.code
        assert (self.subject is None) == ("{}" not in SENTENCES[self.code]), self.code

    @property
    def text(self) -> str:
        """The reason as `decision.json` holds it: `goal_may_lose:ctr`."""
        return self.code if self.subject is None else f"{self.code}:{self.subject}"

    @property
    def sentence(self) -> str:
        """The reason in words, to follow "because"."""
        words = SENTENCES[self.code].format(self.title or self.subject)
        return words if self.detail is None else f"{words} ({self.detail})"


def verdict_of(reasons: Iterable[Reason]) -> Verdict:
    """Return the verdict that follows from the reasons: without any, promote."""
    codes = {reason.code for reason in reasons}
    if not codes:
        return "promote"
    return "refuse" if codes.isdisjoint(NO_TRUST) else "invalid"
