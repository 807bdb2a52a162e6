"""TM_FORMAT: LTIME and STIME fields as device seconds.

Device seconds count from 1970-01-01 00:00 on the device's own clock, whatever zone that keeps; `clock.TimeBase` makes UTC of them.
None is the time that was never set: every octet zero. A BCD or calendar year 00-89 is 20xx, 90-99 is 19xx.
"""

from calendar import monthrange, timegm
from functools import cache
from struct import Struct
from time import gmtime
from typing import Final

from headend.c1219.numbers import bcd_integer
from headend.errors import TruncatedError, WireError

NO_CLOCK, BCD, CALENDAR, MINUTES, SECONDS = range(5)

SECONDS_END: Final = 2**32
"""First device second that a 32-bit count cannot hold; BCD and calendar stamps end with 2089."""

STAMP_END: Final = 2**33
"""First device second that is not believed (year 2242): a count of minutes can pass what calendars hold."""

CALENDAR_START: Final = timegm((1990, 1, 1, 0, 0, 0))
CALENDAR_END: Final = timegm((2090, 1, 1, 0, 0, 0))


class TimeFieldError(WireError):
    """Octets that are no date and time in the meter's TM_FORMAT, or a time it cannot express."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class TimeFormat:
    """LTIME and STIME of one TM_FORMAT and data order.

    Layout  0 none | 1 BCD YY MM DD hh mm [ss] | 2 the same as UINT8 | 3 UINT32 minutes [UINT8 s] | 4 UINT32 seconds; STIME has no seconds
            field, but for 4, where both are the same
    Units   device seconds
    Raises  TimeFieldError, TruncatedError
    Source  reference/field-protocol-c1222.md 3, types
    """

    __slots__ = ("_count", "code", "ltime_size", "stime_size")

    def __init__(self, code: int, little: bool) -> None:
        if not NO_CLOCK <= code <= SECONDS:
            raise TimeFieldError(f"time format {code} does not exist")
        self.code = code
        self.ltime_size = (0, 6, 6, 5, 4)[code]
        self.stime_size = (0, 5, 5, 4, 4)[code]
        self._count = Struct("<I" if little else ">I")

    def read_stime(self, octets: bytes, offset: int = 0) -> int | None:
        return self._read(octets, offset, self.stime_size)

    def read_ltime(self, octets: bytes, offset: int = 0) -> int | None:
        return self._read(octets, offset, self.ltime_size)

    def _read(self, octets: bytes, offset: int, size: int) -> int | None:
        if len(octets) < offset + size:
            raise TruncatedError(offset, size, max(0, len(octets) - offset))
        if self.code >= MINUTES:
            (count,) = self._count.unpack_from(octets, offset)
            if self.code == SECONDS:
                return count or None
            return self._minutes(count, octets[offset + 4] if size == 5 else 0)
        return self._calendar(octets[offset : offset + size]) if size else None

    @staticmethod
    def _minutes(count: int, seconds: int) -> int | None:
        if seconds > 59:
            raise TimeFieldError(f"{seconds} is no second")
        if count * 60 >= STAMP_END:
            raise TimeFieldError(f"{count} minutes are beyond the year 2242")
        return count * 60 + seconds or None

    def _calendar(self, fields: bytes) -> int | None:
        if not any(fields):
            return None
        numbers = [bcd_integer(fields[i : i + 1]) for i in range(len(fields))] if self.code == BCD else list(fields)
        year, month, day, hour, minute, second = (-1 if n is None else n for n in (*numbers, 0)[:6])
        full_year = year + (1900 if year >= 90 else 2000)
        if not (
            0 <= year <= 99
            and 1 <= month <= 12
            and 1 <= day <= monthrange(full_year, month)[1]
            and 0 <= hour <= 23
            and 0 <= minute <= 59
            and 0 <= second <= 59
        ):
            raise TimeFieldError(f"{fields.hex()} is no date and time")
        return timegm((full_year, month, day, hour, minute, second))

    def pack_stime(self, seconds: int | None) -> bytes:
        """Seconds below the minute are cut where STIME has no field for them."""
        return self._pack(seconds, self.stime_size)

    def pack_ltime(self, seconds: int | None) -> bytes:
        return self._pack(seconds, self.ltime_size)

    def _pack(self, seconds: int | None, size: int) -> bytes:
        if seconds is None:
            return bytes(size)
        if self.code >= MINUTES:
            return self._pack_count(seconds, size)
        if not CALENDAR_START <= seconds < CALENDAR_END:
            raise TimeFieldError(f"device second {seconds} is outside of 1990-2089")
        t = gmtime(seconds)
        fields = (t.tm_year % 100, t.tm_mon, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec)[:size]
        return bytes(n // 10 * 16 + n % 10 for n in fields) if self.code == BCD else bytes(fields)

    def _pack_count(self, seconds: int, size: int) -> bytes:
        count, rest = (seconds, 0) if self.code == SECONDS else divmod(seconds, 60)
        if not 0 <= count < SECONDS_END:
            raise TimeFieldError(f"device second {seconds} does not fit time format {self.code}")
        return self._count.pack(count) + (bytes((rest,)) if size == 5 else b"")


@cache
def time_format(code: int, little: bool) -> TimeFormat:
    """The shared TimeFormat. Raises TimeFieldError."""
    return TimeFormat(code, little)
