"""The heads: from a task's representation to its likelihood and its expected outcome.

Example:
    >>> from shopguide.models.heads import HEADS
    >>> HEADS["ziln"].label, HEADS["funnel"].label
    ('amount', 'binary')
"""

from shopguide.models.heads.amount import AmountHead, AmountOutcome
from shopguide.models.heads.binary import BinaryHead
from shopguide.models.heads.category import CategoryHead, CategoryOutcome
from shopguide.models.heads.funnel import FunnelHead
from shopguide.models.heads.head import EventOutcome, Head, LabelStatistics, Outcome
from shopguide.models.heads.huber_log import HuberLogHead
from shopguide.models.heads.tweedie import TweedieHead
from shopguide.models.heads.ziln import ZilnHead, ZilnOutcome
from shopguide.models.resolve import Registered
from shopguide.spec import parts

HEADS = Registered(parts.HEADS, Head)  # type: ignore[type-abstract]  # resolved, never called

__all__ = [
    "HEADS",
    "AmountHead",
    "AmountOutcome",
    "BinaryHead",
    "CategoryHead",
    "CategoryOutcome",
    "EventOutcome",
    "FunnelHead",
    "Head",
    "HuberLogHead",
    "LabelStatistics",
    "Outcome",
    "TweedieHead",
    "ZilnHead",
    "ZilnOutcome",
]
