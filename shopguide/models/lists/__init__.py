"""Encoders of lists: from the embeddings of a row's values to one vector.

Example:
    >>> from shopguide.models.lists import LIST_ENCODERS
    >>> sorted(LIST_ENCODERS)
    ['din', 'mean', 'transformer']
"""

from shopguide.models.lists.encoder import ListEncoder
from shopguide.models.resolve import Registered
from shopguide.spec import parts

LIST_ENCODERS = Registered(parts.LIST_ENCODERS, ListEncoder)  # type: ignore[type-abstract]

__all__ = ["LIST_ENCODERS", "ListEncoder"]
