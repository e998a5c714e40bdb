"""When a recurring run starts: five or six fields of cron, or a pause between two."""

import re
from datetime import datetime

from kfp_server_api import V2beta1CronSchedule, V2beta1PeriodicSchedule, V2beta1Trigger

from shopguide.errors import ShopguideError

_FIVE, _SIX = 5, 6
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_FIELD = re.compile(r"[0-9A-Za-z*/,\-?]+")


def make_trigger(
    cron: str | None,
    every: str | None,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> V2beta1Trigger:
    """Return the trigger of a recurring run.

    Args:
        cron: five fields as crontab has them, or six with seconds first, or @daily and the like.
        every: pause from start to start, such as 90s, 15m, 6h, 1d.
        start: first time; None: from now on.
        end: last time; None: for ever.

    Raises:
        ShopguideError: neither or both are given, or one cannot be read.
    """
    if (cron is None) == (every is None):
        raise ShopguideError(
            "--cron, --every", "one of the two is wanted", 'Write --cron "30 3 * * *" or --every 6h'
        )
    if start is not None and end is not None and end <= start:
        raise ShopguideError("--end", "is not after --start", "Write a later time")
    if cron is not None:
        times = V2beta1CronSchedule(cron=cron_of_six(cron), start_time=start, end_time=end)
        return V2beta1Trigger(cron_schedule=times)
    assert every is not None
    pause = V2beta1PeriodicSchedule(
        interval_second=str(seconds_of(every)), start_time=start, end_time=end
    )
    return V2beta1Trigger(periodic_schedule=pause)


def cron_of_six(text: str) -> str:
    """Return a cron expression as Kubeflow reads it, with the seconds first.

    Kubeflow takes five fields too, and reads `0 3 * * *` as three minutes past every hour, since
    it counts from the seconds. Five fields are crontab's here: a second of 0 is put before them.

    Args:
        text: five or six fields, or a word such as @daily.

    Raises:
        ShopguideError: it is none of these.
    """
    fields = text.split()
    if len(fields) == 1 and re.fullmatch(r"@(yearly|annually|monthly|weekly|daily|hourly)", text):
        return text
    if len(fields) not in (_FIVE, _SIX) or not all(map(_FIELD.fullmatch, fields)):
        raise ShopguideError(
            f"--cron {text!r}",
            "is no time table",
            "Write minute hour day month weekday, such as 30 3 * * *; or six fields, seconds first",
        )
    return " ".join(fields if len(fields) == _SIX else ["0", *fields])


def seconds_of(text: str, option: str = "--every") -> int:
    """Return a pause in seconds.

    Args:
        text: a whole number with s, m, h or d.
        option: that it was given to, for messages.

    Raises:
        ShopguideError: it is none, or no pause at all.
    """
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", text.strip())
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if seconds < 1:
        what, fix = "is no length of time", "Write such as 90s, 15m, 6h or 1d"
        raise ShopguideError(f"{option} {text!r}", what, fix)
    return seconds
