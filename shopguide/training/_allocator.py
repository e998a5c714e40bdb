"""What glibc's allocator frees it gives back to the system, and the next step faults it in again.

A step allocates the same blocks as the one before it: 3,100 page faults each at a batch of 4096,
4 ms of processor time. Kept, they cost nothing, and the peak stays what it was.
"""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_MOST_MMAP_THRESHOLD = 32 * 2**20  # glibc refuses more on 64 bits
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Ask for it; a C library without such a switch is left alone."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _MOST_MMAP_THRESHOLD)
        mallopt(_TRIM_THRESHOLD, _NEVER)
