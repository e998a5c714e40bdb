"""Rows that can reach the first k ranks under some λ: a solver need rank no others.

For λ ≥ 0 a row whose every term is larger ranks ahead whatever λ is, so a row with k such rows in
its own list is worth nothing under any λ. What is left gives the same goals, to the bit.
"""

import numpy as np
from numpy.typing import NDArray

from shopguide.objective.lists import Block, Lists

Floats = NDArray[np.float64]

_LONGEST = 256  # comparing pairs costs L² a list; longer ones are kept whole
_CLEARLY = 1 + 1e-9  # rounding cannot make scores of such terms equal


def contenders(lists: Lists, terms: Floats, k: int) -> NDArray[np.bool_]:
    """Return which rows fewer than k rows of their list precede under every λ [N].

    Row a precedes row b if each of its terms is as large and ties are broken for it, or if each is
    clearly larger.

    Args:
        lists: of the rows.
        terms: what λ weighs [T, N], finite.
        k: ranks that count.
    """
    kept = np.zeros(lists.length + 1, dtype=np.bool_)
    padded = np.concatenate([terms, np.full((len(terms), 1), -np.inf)], axis=1)
    for block in lists.blocks:
        kept[block.rows] = _few_ahead(block, padded, k)
    return kept[:-1]


def _few_ahead(block: Block, padded: Floats, k: int) -> NDArray[np.bool_]:
    """Return which rows of a block have fewer than k rows ahead [B, L]."""
    width = block.rows.shape[1]
    if width <= k or width > _LONGEST:
        return np.ones(block.rows.shape, dtype=np.bool_)
    laid = padded[:, block.rows]  # [T, B, L]
    raised = np.where(laid >= 0, laid * _CLEARLY, laid / _CLEARLY)
    ahead = np.zeros(block.rows.shape, dtype=np.int64)
    for column in range(width):
        one = laid[:, :, column, None]  # [T, B, 1]
        ahead[:, column + 1 :] += (one >= laid[:, :, column + 1 :]).all(axis=0)
        ahead[:, :column] += (one > raised[:, :, :column]).all(axis=0)
    return np.asarray(ahead < k)
