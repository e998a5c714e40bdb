"""The heads: from a task's representation to its likelihood and its expected outcome.

Example:
    >>> from shopguide.models.heads import HEADS
    >>> sorted(HEADS)
    ['amount', 'binary', 'funnel']
"""

from shopguide.models.heads.amount import AmountHead, AmountOutcome
from shopguide.models.heads.binary import BinaryHead
from shopguide.models.heads.funnel import FunnelHead
from shopguide.models.heads.head import Head, LabelStatistics, Outcome

HEADS: dict[str, type[Head]] = {
    "binary": BinaryHead,
    "funnel": FunnelHead,
    "amount": AmountHead,
}

__all__ = [
    "HEADS",
    "AmountHead",
    "AmountOutcome",
    "BinaryHead",
    "FunnelHead",
    "Head",
    "LabelStatistics",
    "Outcome",
]
