"""Periods: whole hours, days or Monday weeks of local time, counted from 1970.

Snapshots are computed on the whole numbers that count periods, so windows are exact across a
change of the clocks, and the same arithmetic runs on every engine.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from shopguide.features.instants import micros

_SECONDS = {"hour": 3_600, "day": 86_400, "week": 7 * 86_400}
_MONDAY = 3 * 86_400  # 1970-01-01 was a Thursday: three days into its week
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local time without a zone, on purpose


@dataclass(frozen=True, slots=True)
class Periods:
    """The periods of one zone.

    Args:
        unit: hour, day or week. Hours are those of UTC: a local one comes twice in autumn.
        zone: IANA name.
    """

    unit: Literal["hour", "day", "week"]
    zone: str

    def index(self, at: datetime) -> int:
        """Return the number of the period that an instant lies in."""
        local = at.astimezone(self._zone()).replace(tzinfo=None)
        seconds = int((local - _EPOCH).total_seconds()) + self._shift()
        return seconds // _SECONDS[self.unit]

    def start(self, index: int) -> datetime:
        """Return the instant at which a period begins, in UTC."""
        local = _EPOCH + timedelta(seconds=index * _SECONDS[self.unit] - self._shift())
        return local.replace(tzinfo=self._zone()).astimezone(UTC)

    def expression(self, at: ir.TimestampValue, start: datetime, end: datetime) -> ir.IntegerValue:
        """Return the Ibis expression of `index` for times between two instants.

        Args:
            at: column with the zone UTC, on an engine whose session is in UTC.
            start: no time is earlier.
            end: no time is later.
        """
        seconds = micros(at) // 1_000_000
        offset = self._offset_expression(seconds, start, end)
        return ((seconds + offset + self._shift()) // _SECONDS[self.unit]).cast("int64")

    def _offset_expression(
        self, seconds: ir.IntegerValue, start: datetime, end: datetime
    ) -> ir.IntegerValue:
        """UTC offset in seconds: constant between the zone's transitions, found by bisection."""
        changes = self._transitions(start, end)
        offset = ibis.literal(self._offset(start), type="int64")
        for at, after in changes:
            offset = ibis.ifelse(seconds >= at, ibis.literal(after, type="int64"), offset)
        return offset

    def _transitions(self, start: datetime, end: datetime) -> list[tuple[int, int]]:
        changes: list[tuple[int, int]] = []
        at, last = start, end + timedelta(days=1)
        while at < last:
            later = min(at + timedelta(days=7), last)
            if self._offset(at) != self._offset(later):
                changes.append((self._bisect(at, later), self._offset(later)))
            at = later
        return changes

    def _bisect(self, before: datetime, after: datetime) -> int:
        low, high = int(before.timestamp()), int(after.timestamp())
        old = self._offset(before)
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(datetime.fromtimestamp(middle, UTC)) == old:
                low = middle
            else:
                high = middle
        return high

    def _offset(self, at: datetime) -> int:
        offset = at.astimezone(self._zone()).utcoffset()
        assert offset is not None, "a zone gives an offset"
        return int(offset.total_seconds())

    def _shift(self) -> int:
        return _MONDAY if self.unit == "week" else 0

    def _zone(self) -> ZoneInfo:
        return ZoneInfo("UTC" if self.unit == "hour" else self.zone)
