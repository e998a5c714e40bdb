"""What every encoder of lists does."""

from abc import ABC, abstractmethod
from typing import Self

from torch import Tensor, nn


class ListEncoder(nn.Module, ABC):
    """A map from the embeddings of a list's values to one vector; an empty list gives zeros.

    B batch, L most values of a list, W units of an embedding.
    """

    @classmethod
    @abstractmethod
    def build(cls, width: int, length: int) -> Self:
        """Build for embeddings of W units and lists of at most L values."""

    @abstractmethod
    def forward(self, values: Tensor, present: Tensor, target: Tensor | None) -> Tensor:
        """Map embeddings [B, L, W] to [B, W].

        Args:
            values: newest first, if the list has an order.
            present: 1 where there is a value, 0 beyond the list's end [B, L].
            target: embedding of what the impression shows [B, W], when the list is `of` it.
        """
