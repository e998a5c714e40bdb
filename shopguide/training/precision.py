"""Which precision the shared layers' products have."""

import time
from collections.abc import Callable

import torch

from shopguide.spec.model import Training

_ROWS, _IN, _OUT = 2048, 256, 512
_REPEATS = 5
_WORTHWHILE = 1.2


def use_bfloat16(training: Training) -> bool:
    """Say whether to compute in bfloat16; `auto` tries a product both ways on this processor."""
    if training.precision != "auto":
        return training.precision == "bfloat16"
    return _seconds(torch.float32) > _WORTHWHILE * _seconds(torch.bfloat16)


def _seconds(dtype: torch.dtype) -> float:
    left = torch.ones(_ROWS, _IN, dtype=dtype)
    right = torch.ones(_IN, _OUT, dtype=dtype)
    return min(_timed(lambda: left @ right) for _ in range(_REPEATS))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
