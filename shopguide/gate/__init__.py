"""The promotion gate: a challenger replaces the champion only when it is shown to gain.

The gate is handed two bundles and a test set; it knows no registry.

Example:
    >>> from shopguide.gate import decide
    >>> from shopguide.spec import load_spec
    >>> spec = load_spec("specs/complete_journey.yaml")
    >>> decide(spec, "b/model", "training_set", "out", champion="a/model")  # doctest: +SKIP
"""

from shopguide.gate.audit import audit
from shopguide.gate.audit_report import write_audit
from shopguide.gate.audit_result import Audit
from shopguide.gate.decide import decide
from shopguide.gate.decision import Decision
from shopguide.gate.decision_file import read_decision
from shopguide.gate.ledger import (
    Evidence,
    Ledger,
    Look,
    PastDecision,
    Shown,
    SpendingTerms,
    read_ledger,
)
from shopguide.gate.reasons import Reason, Verdict
from shopguide.gate.replay import replay

__all__ = [
    "Audit",
    "Decision",
    "Evidence",
    "Ledger",
    "Look",
    "PastDecision",
    "Reason",
    "Shown",
    "SpendingTerms",
    "Verdict",
    "audit",
    "decide",
    "read_decision",
    "read_ledger",
    "replay",
    "write_audit",
]
