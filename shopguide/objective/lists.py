"""Lists side by side: the rows of requests of alike length in one matrix, so that numpy ranks them.

Ranking each short list beats sorting all rows at once by request and score, and only the first k
ranks are ever worth anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_CELLS = 1 << 16  # of one matrix: it stays in the processor's cache
_FEW = 8  # so many best are found faster one by one than by sorting


@dataclass(frozen=True, slots=True)
class Block:
    """Requests of alike length: each is longer than half of the longest.

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
            tie: order of a request's rows that are scored alike [N]; then by row.
            number: of requests R; some may have no row.
        """
        length = len(request)
        order = np.append(np.argsort(request, kind="stable"), length)
        last = np.append(tie, np.iinfo(np.uint64).max)
        sizes = np.bincount(request, minlength=number)
        starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        widths = 1 << np.ceil(np.log2(np.maximum(sizes, 1))).astype(np.int64)
        blocks = []
        for width in np.unique(widths[sizes > 0]):
            inside = np.flatnonzero((widths == width) & (sizes > 0))
            column = np.arange(sizes[inside].max())
            for part in np.array_split(inside, -(-len(inside) * len(column) // _CELLS)):
                at = starts[part, None] + column
                at[column >= sizes[part, None]] = length
                rows = order[at]
                by_tie = last[rows].argsort(axis=1, kind="stable")
                blocks.append(Block(part, np.take_along_axis(rows, by_tie, axis=1)))
        return cls(length, tuple(blocks))

    def best(self, scores: Floats, k: int | None = None) -> Iterator[Block]:
        """Yield each block with its rows by score, best first, and no more than k of them.

        Args:
            scores: finite [N].
            k: ranks asked for; None: all.
        """
        padded = np.append(scores, -np.inf)
        for block in self.blocks:
            yield Block(block.requests, best_rows(block.rows, padded[block.rows], k))


def best_rows(rows: Indices, scores: Floats, k: int | None) -> Indices:
    """Return each list's rows by score, best first [B, min(k, L)]; the earlier column on a tie.

    Args:
        rows: of a block [B, L].
        scores: of the rows [B, L], −∞ beyond a list's end; overwritten.
        k: ranks asked for; None: all.
    """
    width = rows.shape[1]
    if k is None or k > _FEW or 2 * k > width:
        order = (-scores).argsort(axis=1, kind="stable")[:, :k]
        return np.take_along_axis(rows, order, axis=1)
    found = np.empty((len(rows), k), dtype=np.int64)
    each = np.arange(len(rows))
    for rank in range(k):  # every list of a block is longer than half its width, so has k rows
        at = scores.argmax(axis=1)  # the first of the largest
        found[:, rank] = rows[each, at]
        scores[each, at] = -np.inf
    return found
