"""Pages: how large one may be, where it begins, and the objectIDs that say so.

An objectID is our own, whatever a partner calls a meter: the meter number, and for readings the instant in UTC behind it.
"""

from datetime import UTC, datetime
from functools import lru_cache

from headend.model.instants import to_us
from headend.model.partner import MeterIdentifier
from headend.reading_engine import MeterSource, TargetPage, UnknownPositionError
from headend.reading_queries import Position
from multispeak.calls import Call
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import UNSTREAMED_OBJECTS_MAX


def page_size(call: Call, most: int = UNSTREAMED_OBJECTS_MAX) -> int:
    """Objects of a page: as many as the partner takes, at least one, at most `most`."""
    return max(1, min(call.partner.page_size, most))


def last_received(call: Call) -> str:
    """The parameter lastReceived; empty where the operation has none or the client begins."""
    return (getattr(call.request, "lastReceived", None) or "").strip()


def no_place(token: str) -> RefusedCallError:
    """What is told of a lastReceived that is none."""
    sentence = f"lastReceived is {token[:80]!r}; send LastSent of the answer before, or nothing to begin anew"
    return RefusedCallError(FaultCode.INVALID_LAST_RECEIVED, sentence)


async def known_place(call: Call) -> str:
    """The meter number after which a page of a list of meters begins; empty for the first page.

    Raises  RefusedCallError for a lastReceived that is none
    """
    token = last_received(call)
    if token and await call.store.meter(token) is None:
        raise no_place(token)
    return token


async def meter_page(call: Call, source: MeterSource) -> TargetPage:
    """The page of a list over meters that a call asks for. Raises RefusedCallError for a place that is none."""
    token = last_received(call)
    try:
        return await source.page(token, page_size(call))
    except UnknownPositionError:
        raise no_place(token) from None


async def reading_position(call: Call) -> Position | None:
    """The place of a list over readings that a call goes on from. Raises RefusedCallError for a place that is none."""
    token = last_received(call)
    if not token:
        return None
    try:
        meter_no, instant = split_object_id(token)
    except ValueError:
        raise no_place(token) from None
    found = await call.store.meters_named(MeterIdentifier.METER_NO, [meter_no])
    if not found:
        raise no_place(token)
    return Position(found[0].endpoint_id, to_us(instant))


def object_id(meter_no: str, utc: str) -> str:
    """Of a reading: the meter number and the instant, e.g. `E100@2026-03-01T06:00:00Z`."""
    return f"{meter_no}@{utc}"


def split_object_id(token: str) -> tuple[str, datetime]:
    """The meter number and the instant of an objectID of a reading.

    Raises  ValueError for text that is none
    """
    meter_no, separator, instant = token.rpartition("@")
    if not separator or not meter_no:
        raise ValueError(f"{token[:80]!r} is no objectID of a reading")
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in instant else "%Y-%m-%dT%H:%M:%SZ"
    return meter_no, datetime.strptime(instant, form).replace(tzinfo=UTC)


@lru_cache(maxsize=4096)
def utc_text(instant: datetime) -> str:
    """An instant in an objectID, exactly: microseconds only where it has some."""
    return instant.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
