"""Lists side by side: the rows of requests of alike length in one matrix, so that numpy sorts them.

Sorting each short list beats sorting all rows at once by request and score, and only the first k
ranks are ever worth anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_CELLS = 1 << 18  # of one matrix: it and its sort stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Block:
    """Requests of alike length.

    Args:
        requests: their indices [B].
        rows: index of each one's rows [B, L], in the order that breaks ties; N beyond its end.
    """

    requests: Indices
    rows: Indices


@dataclass(frozen=True, slots=True)
class Lists:
    """N rows in blocks; every row lies in one of them.

    Args:
        length: N.
        blocks: by length of the lists, shortest first.
    """

    length: int
    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, request: Indices, tie: NDArray[np.uint64], number: int) -> Self:
        """Lay the rows out.

        Args:
            request: index of each row's request [N].
            tie: order of a request's rows that are scored alike [N].
            number: of requests R.
        """
        order = np.lexsort((tie, request))
        sizes = np.bincount(request, minlength=number)
        starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        widths = 1 << np.ceil(np.log2(np.maximum(sizes, 1))).astype(np.int64)
        padded = np.append(order, len(order))
        blocks = []
        for width in np.unique(widths[sizes > 0]):
            inside = np.flatnonzero((widths == width) & (sizes > 0))
            column = np.arange(min(width, sizes[inside].max()))
            for part in np.array_split(inside, max(1, len(inside) * len(column) // _CELLS)):
                at = starts[part, None] + column
                at[column >= sizes[part, None]] = len(order)
                blocks.append(Block(part, padded[at]))
        return cls(len(request), tuple(blocks))

    def best(self, scores: Floats, k: int | None = None) -> Iterator[Block]:
        """Yield each block with its rows by score, best first, and no more than k of them.

        Args:
            scores: finite [N].
            k: ranks asked for; None: all.
        """
        falling = np.append(-scores, np.inf)
        for block in self.blocks:
            order = falling[block.rows].argsort(axis=1, kind="stable")[:, :k]
            yield Block(block.requests, np.take_along_axis(block.rows, order, axis=1))
