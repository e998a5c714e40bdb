"""What is judged, by what, on what."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from shopguide.bundle import Bundle
from shopguide.gate import models
from shopguide.gate.decision import Counts, ModelEntry, Period
from shopguide.gate.ledger import Ledger, Look
from shopguide.gate.spending import spending_terms
from shopguide.gate.test_set import TestSet
from shopguide.spec import Spec
from shopguide.spec.objective import IMPRESSIONS


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged, by what, on what.

    Args:
        challengers: at least one, all different, each with fusion weights.
        champion: None when there is none.
        champion_version: its version in the registry; None: its bundle's own.
        tried: how many candidates were compared on this test period, these included.
        ledger: earlier looks at this champion, and the history.
        latencies: p99 measured before, by checksum of the bundle; others are measured.
    """

    spec: Spec
    test: TestSet
    challengers: tuple[Bundle, ...]
    champion: Bundle | None
    champion_version: str | None
    tried: int
    ledger: Ledger
    latencies: Mapping[str, float]

    def champion_entry(self) -> ModelEntry | None:
        """Return what the decision says about the champion."""
        return models.entry(self.champion, self.champion_version) if self.champion else None

    def look(self) -> Look | None:
        """Return the ledger's entry of this run, its error open; None without a champion."""
        if self.champion is None:
            return None
        checksums = tuple(bundle.manifest.checksum for bundle in self.challengers)
        champion, test = self.champion.manifest.checksum, self.test.checksum
        gate = self.spec.gate
        spending = spending_terms(gate.alpha_spending, 1 - gate.confidence)
        return Look(champion, checksums, test, alpha=0.0, terms=self._terms(), spending=spending)

    def _terms(self) -> str:
        """Return a hash of what is asked of the data; how error is spread is no part of it."""
        asked = self.spec.model_dump(
            mode="json", include={"objective": True, "gate": True, "seed": True}
        )
        asked["gate"].pop("alpha_spending")
        text = json.dumps(asked, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def periods(self, challenger: Bundle) -> dict[str, Period]:
        """Return the test period, and what the models learnt from."""
        periods = {
            "test": Period(models.iso(self.test.first), models.iso(self.test.last)),
            "challenger": models.learnt_from(challenger),
        }
        if self.champion is not None:
            periods["champion"] = models.learnt_from(self.champion)
        return periods

    def counts(self) -> Counts:
        """Return what the test period holds."""
        requests = self.test.requests
        return Counts(
            users=requests.users,
            requests=len(requests.user),
            impressions=len(requests.request),
            events={n: self.test.events(n) for n in requests.outcomes if n != IMPRESSIONS},
        )
