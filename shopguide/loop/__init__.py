"""Night after night: land what was delivered, train, decide, and keep the champion or replace it.

Example:
    >>> from datetime import date
    >>> from shopguide.loop import run_night
    >>> run_night(spec, "days", date(2024, 3, 1), "nights").verdict  # doctest: +SKIP
    'refuse'
"""

from shopguide.loop.night import Night, nights_of, run_night
from shopguide.loop.periods import first_night, night_spec

__all__ = ["Night", "first_night", "night_spec", "nights_of", "run_night"]
