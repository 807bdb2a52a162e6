"""When a deferred request expires: seconds or an OLE Automation date, with a default and a most. Pure.

Source  reference/multispeak.md 6: 3.0 documents expirationTime as seconds, and the one client seen sends an OLE Automation date
"""

from datetime import UTC, datetime, timedelta
from math import isfinite
from zoneinfo import ZoneInfo

from headend.errors import RequestError
from headend.limits import DEFERRED_DAYS_DEFAULT, DEFERRED_DAYS_MAX

_OLE_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - OLE dates have no zone; they are local to whoever reads them
_OLE_PAST_DAYS, _OLE_AHEAD_DAYS = 7, 45
"""A number is taken for an OLE date where that would be about now: as seconds it would be half a day and odd."""


class ExpirationError(RequestError):
    """An expiration that cannot be meant."""


def expiry(asked_seconds: float | None, begins: datetime, default_days: int = DEFERRED_DAYS_DEFAULT) -> datetime:
    """The instant at which a request is dropped that begins at `begins`.

    Absent and zero are no wish of the caller's (3.0 requires the element, so those who want none send 0): then `default_days` count.
    Raises  ExpirationError for what is negative, no number, or later than the most
    """
    if asked_seconds is None or asked_seconds == 0:
        return begins + timedelta(days=default_days)
    if not isfinite(asked_seconds):
        raise ExpirationError(f"the expiration is {asked_seconds}, which is no time")
    if asked_seconds < 0:
        raise ExpirationError("the request had expired when it arrived")
    if asked_seconds > DEFERRED_DAYS_MAX * 86_400:
        raise ExpirationError(f"the expiration is more than {DEFERRED_DAYS_MAX} days away")
    return begins + timedelta(seconds=asked_seconds)


def ole_seconds(number: float, now: datetime, zone: ZoneInfo) -> float | None:
    """How far ahead of `now` an OLE Automation date is, in seconds; None for a number that is none of about now.

    A whole number is seconds: a date would be a midnight.
    """
    if not isfinite(number) or number == int(number):
        return None
    today = (now.astimezone(zone).replace(tzinfo=None) - _OLE_EPOCH) / timedelta(days=1)
    if not today - _OLE_PAST_DAYS <= number <= today + _OLE_AHEAD_DAYS:
        return None
    local = (_OLE_EPOCH + timedelta(days=number)).replace(tzinfo=zone)
    seconds = (local.astimezone(UTC) - now).total_seconds()
    # Zero would be no wish at all.
    return seconds or -1.0
