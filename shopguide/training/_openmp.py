"""Threads that wait for work sleep instead of spinning; this must be said before torch is loaded.

On two cores that other processes use too, spinning cost 2.4 times the wall time and 2.8 times the
processor time of an epoch.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
