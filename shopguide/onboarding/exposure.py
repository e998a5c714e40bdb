"""How the impressions of a log are known: its own, its views, or drawn items."""

from dataclasses import dataclass, field

from shopguide.onboarding.guess import Guess
from shopguide.onboarding.mapping import Mapping

_ORDER = (
    "impression", "view", "click", "visit", "favourite", "share", "follow", "comment", "cart",
    "purchase",
)  # fmt: skip
"""From the lightest to the weightiest."""

_NO_OUTCOMES = ("return", "remove")
_SESSION_MINUTES = 30.0


@dataclass(slots=True)
class Exposure:
    """The section `data.exposure`, the kinds that tasks can predict, and why."""

    section: dict[str, object]
    kinds: list[str]
    guesses: list[Guess] = field(default_factory=list)

    @property
    def event(self) -> str:
        """Kind of event that is an impression."""
        return str(self.section["event"])

    @property
    def logged(self) -> bool:
        """Whether every impression was logged."""
        return self.section["rule"] == "logged"


def weight(kind: str) -> int:
    """Return how much an outcome says: the least for a view."""
    return _ORDER.index(kind) if kind in _ORDER else _ORDER.index("cart")


def choose_exposure(found: Mapping) -> Exposure:
    """Choose the exposure rule that the mapping allows."""
    if found.outcomes:
        why = "a wide log: every row is an impression, and its columns say what followed"
        return _with(Exposure({"rule": "logged", "event": _fresh(found)}, _sorted(found)), why)
    kinds = _sorted(found)
    requests = {"request_id", "session_id"} & set(found.columns)
    if "user_id" not in found.columns:
        section: dict[str, object] = {"rule": "logged", "event": kinds[0]}
        why = "no users: every row of this kind is taken for an impression"
        return _with(Exposure(section, kinds[1:]), why, sure=False)
    if kinds[0] == "impression" and requests:
        why = "impressions were logged, and name their list"
        section = {"rule": "logged", "event": "impression"}
        return _with(Exposure(section, kinds[1:]), why)
    sessions: dict[str, object] = (
        {} if "session_id" in found.columns else {"session_minutes": _SESSION_MINUTES}
    )
    if kinds[0] in ("impression", "view", "click") and len(kinds) > 1:
        why = (
            f"a {kinds[0]} is the lightest thing logged: what was shown and not opened is not known"
        )
        section = {"rule": "views", "event": kinds[0], **sessions}
        return _with(Exposure(section, kinds[1:]), why, sure=kinds[0] == "impression")
    why = f"nothing but {kinds[0]} tells what was shown: items are drawn to stand for the rest"
    section = {
        "rule": "sampled",
        "event": kinds[0],
        **sessions,
        "negatives": {"among": "uniform", "per_positive": 4},
    }
    return _with(Exposure(section, kinds), why, sure=False)


def _with(exposure: Exposure, why: str, *, sure: bool = True) -> Exposure:
    rule = f"{exposure.section['rule']}, {exposure.event}"
    exposure.guesses.append(Guess("data.exposure", rule, why, sure))
    if "session_minutes" in exposure.section:
        why = "no column names a session: a pause of 30 minutes ends one"
        exposure.guesses.append(Guess("data.exposure.session_minutes", "30", why, sure=False))
    return exposure


def _fresh(found: Mapping) -> str:
    return "view" if "view" not in found.outcomes else "shown"


def _sorted(found: Mapping) -> list[str]:
    kinds = set(found.outcomes or found.kinds.values()) or {found.every_row or "interaction"}
    return sorted(kinds - set(_NO_OUTCOMES), key=lambda kind: (weight(kind), kind))
