"""A share of users or requests, chosen by a hash: the same in every run, whole lists together."""

import hashlib

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def hash_share(keys: pa.ChunkedArray, *, salt: str) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each row [N], equal for equal keys, uniform over keys.

    Args:
        keys: strings.
        salt: makes independent choices independent.
    """
    encoded = keys.combine_chunks().dictionary_encode()
    shares = np.array([_share(f"{salt}:{key}") for key in encoded.dictionary.to_pylist()])
    result: NDArray[np.float64] = shares[encoded.indices.to_numpy()]
    return result


def _share(text: str) -> float:
    digest = hashlib.blake2b(text.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
