"""What the gate is told of earlier runs: the looks at each champion, and what came of them.

The gate knows no registry. Whoever runs it hands the ledger in, and keeps the look it returns.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from shopguide.errors import ShopguideError
from shopguide.files import write_json
from shopguide.spec.gate import SpendingFunction

LEDGER_SCHEMA = "shopguide.ledger/1"


@dataclass(frozen=True, slots=True)
class SpendingTerms:
    """How a run shares the error of its champion with others.

    Args:
        function: of `gate.alpha_spending`.
        horizon: runs that share the error; None where it has no horizon.
        budget: error that they share, one-sided: 1 − `gate.confidence`.
    """

    function: SpendingFunction
    horizon: int | None
    budget: float

    @property
    def text(self) -> str:
        """The terms as a person reads them: "5 % by bonferroni over 30 runs"."""
        endless = self.function == "confidence_sequence"
        words = f" tightest at run {self.horizon}" if endless else f" over {self.horizon} runs"
        over = words if self.horizon else ""
        return f"{100 * self.budget:.4g}\u00a0% by {self.function}{over}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A relative change on the scale of logarithms: log(F_challenger / F_champion).

    Args:
        change: the estimate.
        error: its standard error, over users.
    """

    change: float
    error: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one look adds to its champion's confidence sequence: impressions no look had before.

    Args:
        users: that they are of.
        until: time of the last of them, ISO 8601 with a zone.
        objective: Σ_k ω_k · log(F_k / F_k(champion)): at most log J.
        goals: those that have a value.
    """

    users: int
    until: str
    objective: Shown
    goals: Mapping[str, Shown]


@dataclass(frozen=True, slots=True)
class Look:
    """One time that challengers were compared with a champion.

    Args:
        champion: checksum of the champion's bundle.
        challengers: checksums of the challengers' bundles.
        test_set: SHA-256 of the test set.
        alpha: error that it spent, one-sided.
        run: id of the run that it belongs to; None where nobody recorded it.
        at: when it was recorded, ISO 8601 in UTC; likewise.
        terms: hash of the objective, the gate's terms and the seed that it was judged by.
        spending: terms by which it took its error; None where nobody recorded them.
        evidence: that it adds to a confidence sequence; None: it adds nothing.
    """

    champion: str
    challengers: tuple[str, ...]
    test_set: str
    alpha: float
    run: str | None = None
    at: str | None = None
    terms: str = ""
    spending: SpendingTerms | None = None
    evidence: Evidence | None = None

    def repeats(self, other: "Look") -> bool:
        """Return whether this is another look's comparison: it teaches nothing new.

        By other terms it is another hypothesis: whoever changes weights, margins or the seed until
        a challenger passes spends error each time.
        """
        mine = (self.champion, set(self.challengers), self.test_set, self.terms)
        return mine == (other.champion, set(other.challengers), other.test_set, other.terms)


@dataclass(frozen=True, slots=True)
class PastDecision:
    """What came of an earlier run, for the report.

    Args:
        at: when, ISO 8601 in UTC.
        kind: promoted, refused, invalid, failed or rollback.
        version: of the champion that it made, if any.
        gain: estimate of J − 1; None where nothing was compared.
        lower: its lower bound.
        reasons: codes, or what was said.
        against: what `gain` is measured against: champion, or popularity where there was none yet.
    """

    at: str
    kind: str
    version: str | None
    gain: float | None
    lower: float | None
    reasons: tuple[str, ...]
    against: str = "champion"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known of earlier runs.

    Args:
        looks: at any champion, the earliest first.
        history: the newest first.
    """

    looks: tuple[Look, ...] = ()
    history: tuple[PastDecision, ...] = ()
    schema: str = LEDGER_SCHEMA

    def of(self, champion: str | None) -> "Ledger":
        """Return the ledger with the looks at one champion alone, each comparison once."""
        found: list[Look] = []
        for look in self.looks:
            if look.champion == champion and not any(look.repeats(other) for other in found):
                found.append(look)
        return replace(self, looks=tuple(found))

    def with_look(self, look: Look | None) -> "Ledger":
        """Return the ledger with one more look; a repeated one changes nothing."""
        if look is None or any(look.repeats(other) for other in self.looks):
            return self
        return replace(self, looks=(*self.looks, look))

    def write(self, path: str | Path) -> None:
        """Write the ledger as JSON, whole or not at all."""
        write_json(path, json.loads(json.dumps(asdict(self))))


def read_ledger(path: str | Path) -> Ledger:
    """Read a ledger.

    Raises:
        ShopguideError: there is no such file, or it is not a ledger.
    """
    fix = "Give a ledger.json that `shopguide gate decide --ledger` wrote"
    try:
        found = TypeAdapter(Ledger).validate_json(Path(path).read_bytes())
    except OSError as error:
        raise ShopguideError(str(path), f"cannot be read: {error.strerror}", fix) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ShopguideError(
            f"{path} {place}".rstrip(), f"not a ledger: {first['msg'].lower()}", fix
        ) from None
    if found.schema != LEDGER_SCHEMA:
        what = f"its schema is {found.schema!r}, this version reads {LEDGER_SCHEMA!r}"
        raise ShopguideError(f"{path} schema", what, fix)
    _check(found.looks, str(path))
    return found


def _check(looks: Sequence[Look], path: str) -> None:
    for number, look in enumerate(looks):
        if not 0 <= look.alpha < 1:  # true for NaN too
            raise ShopguideError(
                f"{path} looks.{number}.alpha",
                f"is {look.alpha:g}, must be at least 0 and below 1",
                "Take the ledger as the gate wrote it",
            )
        if look.evidence is not None:
            _check_evidence(look.evidence, f"{path} looks.{number}.evidence")


def _check_evidence(evidence: Evidence, where: str) -> None:
    """Refuse numbers that no look can have: they would be summed into every later bound."""
    fix = "Take the ledger as the gate wrote it"
    if evidence.users < 1:
        raise ShopguideError(f"{where}.users", f"is {evidence.users}, must be at least 1", fix)
    try:
        zone = datetime.fromisoformat(evidence.until).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        what = f"is {evidence.until!r}, must be an instant of ISO 8601 with a zone"
        raise ShopguideError(f"{where}.until", what, fix)
    for name, shown in {"objective": evidence.objective, **evidence.goals}.items():
        if not (math.isfinite(shown.change) and 0 <= shown.error < math.inf):
            what = f"is {shown.change:g} ± {shown.error:g}, must be finite, and the error ≥ 0"
            raise ShopguideError(f"{where} {name}", what, fix)
