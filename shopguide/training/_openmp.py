"""How torch's threads wait for work; this must be said before torch is loaded.

A thread that sleeps must be woken at every parallel piece of a step. One that looks again for a
moment first makes a step of 4,096 rows a quarter faster on a machine of its own, and a quarter
slower beside one other busy process (two cores); without any bound, as torch has it, 2.4 times
slower there. So the moment is given only where the machine was idle at the start.
"""

import os

import psutil

LOOKS = 1000
"""How often a waiting thread looks for work before it sleeps."""

MOST_BUSY_PERCENT = 25.0
SAMPLE_SECONDS = 0.1


def waiting(busy_percent: float) -> dict[str, str]:
    """Return the environment of libgomp for a machine that is so busy (0 to 100)."""
    looks = LOOKS if busy_percent < MOST_BUSY_PERCENT else 0
    return {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": str(looks)}


def _settle() -> None:
    if "GOMP_SPINCOUNT" in os.environ or "OMP_WAIT_POLICY" in os.environ:
        return  # the user's own, or a parent's that measured
    os.environ.update(waiting(psutil.cpu_percent(interval=SAMPLE_SECONDS)))


_settle()
