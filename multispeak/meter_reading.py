"""MR_Server: which meters there are, and what they read."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from headend.errors import UnknownMeterError
from headend.limits import READINGS_MAX
from headend.ports import MeterReadings, Page, ReadingKey
from multispeak.calls import Answer, Call, Handler, ListAnswer
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import FETCH_OBJECTS, PAGE_OBJECTS_MAX, RECORDS_PER_STEP, UNSTREAMED_OBJECTS_MAX, YEAR_MAX, YEAR_MIN
from multispeak.mapping import Shape, object_id, reading_groups, reading_key
from multispeak.mapping_v3 import ShapeV3
from multispeak.mapping_v4 import ShapeV4
from multispeak.message_header import Paging


def meter_reading_handlers(version: str) -> dict[str, Handler]:
    """The operations of MR_Server that read, in one version."""
    operations = _OPERATIONS[version]()
    by = {"3.0": "ByMeterNo", "4.1.6": "ByMeterID"}[version]
    return {
        "GetAMRSupportedMeters": operations.supported_meters,
        "IsAMRMeter": operations.is_amr_meter,
        "GetLatestReading" + by: operations.latest_reading,
        "GetReadings" + by: operations.readings_of_meter,
        "GetReadingsByDate": operations.readings_by_date,
        "GetLatestReadings": operations.latest_readings,
    }


class MeterReading:
    """Operations in terms of both versions; a subclass knows the objects of one."""

    def shape(self, call: Call) -> Shape:
        """The maker of this version's objects."""
        raise NotImplementedError

    async def is_amr_meter(self, call: Call) -> Answer:
        """Whether a meter is read by this head-end."""
        entry = await call.store.meter(self._meter_no(call))
        return Answer(entry is not None and entry.endpoint.active)

    async def latest_reading(self, call: Call) -> Answer:
        """The registers of the newest instant of one meter; for a meter never read, an object that says so."""
        meter_no = self._meter_no(call)
        readings = await call.store.latest(meter_no)
        if readings is None:
            raise UnknownMeterError(meter_no)
        last = None
        for last in reading_groups(readings):  # noqa: B007 - the last one is wanted
            pass
        shape, utility = self.shape(call), call.utility
        if last is None:
            return Answer(shape.no_reading(utility, readings.entry, "no reading of this meter has been collected yet"))
        return Answer(shape.reading(utility, readings.entry, last))

    async def readings_of_meter(self, call: Call) -> ListAnswer:
        """Registers and intervals of one meter in a period, both ends included."""
        meter_no = self._meter_no(call)
        start, end = _period(call)
        readings = await call.store.readings(meter_no, start, end, READINGS_MAX + 1)
        if readings is None:
            raise UnknownMeterError(meter_no)
        if len(readings.registers) + len(readings.intervals) > READINGS_MAX:
            sentence = f"meter {meter_no} has more than {READINGS_MAX} values in this period; ask for a shorter one"
            raise RefusedCallError(FaultCode.INVALID_PERIOD, sentence)
        return ListAnswer(_batches(self._objects(call, [readings]), 1))

    async def readings_by_date(self, call: Call) -> ListAnswer:
        """Registers of all meters in a period, both ends included, by meter number and instant."""
        start, end = _period(call)
        after = _last_reading(call)
        page = await call.store.readings_page_end(start, end, after, _page_size(call, PAGE_OBJECTS_MAX))
        last = object_id(page.last.meter_no, page.last.instant) if page.last else ""
        return ListAnswer(self._stream(call, (start, end), after, page.last), Paging(page.remaining, last))

    async def latest_readings(self, call: Call) -> ListAnswer:
        """The newest registers of every meter that has any, by meter number."""
        after = _last_reading(call)
        limit = _page_size(call, UNSTREAMED_OBJECTS_MAX)
        page = await call.store.latest_page(after.meter_no if after else None, limit)
        last = ""
        if page.items:
            newest = page.items[-1]
            last = object_id(newest.entry.endpoint.meter_no, newest.registers[-1].instant)
        return ListAnswer(_batches(self._objects(call, page.items), RECORDS_PER_STEP), Paging(page.remaining, last))

    async def supported_meters(self, call: Call) -> Answer | ListAnswer:
        """The active endpoints, by meter number."""
        after = call.request.lastReceived or None
        if after is not None and await call.store.meter(after) is None:
            raise _invalid_last_received(after)
        page = await call.store.meters(after, _page_size(call, UNSTREAMED_OBJECTS_MAX))
        last = page.items[-1].endpoint.meter_no if page.items else ""
        return self._meter_list(call, page, Paging(page.remaining, last))

    def _meter_list(self, call: Call, page: Page[Any], paging: Paging) -> Answer | ListAnswer:
        raise NotImplementedError

    async def _stream(
        self, call: Call, period: tuple[datetime, datetime], after: ReadingKey | None, last: ReadingKey | None
    ) -> AsyncIterator[Sequence[Any]]:
        """The objects after `after`, up to and with `last`; one that arrives in between is told if its place is in between."""
        shape, utility = self.shape(call), call.utility
        if last is None:
            return
        done = False
        while not done:
            page = await call.store.readings_page(*period, after, FETCH_OBJECTS, counted=False)
            objects = []
            for readings in page.items:
                is_last_meter = readings.entry.endpoint.meter_no == last.meter_no
                for group in reading_groups(readings):
                    if done:
                        break
                    objects.append(shape.reading(utility, readings.entry, group))
                    done = is_last_meter and group.instant == last.instant
            if not objects:
                return
            after = ReadingKey(page.items[-1].entry.endpoint.meter_no, page.items[-1].registers[-1].instant)
            yield objects

    def _objects(self, call: Call, items: Iterable[MeterReadings]) -> Iterator[Any]:
        shape, utility = self.shape(call), call.utility
        for readings in items:
            for group in reading_groups(readings):
                yield shape.reading(utility, readings.entry, group)

    def _meter_no(self, call: Call) -> str:
        meter_no = self.shape(call).meter_no(call.request)
        if not meter_no:
            raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names no meter")
        return meter_no


class MeterReadingV3(MeterReading):
    """The operations with 3.0 objects."""

    _shape: ShapeV3 | None = None

    def shape(self, call: Call) -> ShapeV3:
        self._shape = self._shape or ShapeV3(call.records)
        return self._shape

    def _meter_list(self, call: Call, page: Page[Any], paging: Paging) -> ListAnswer:
        shape, utility = self.shape(call), call.utility
        return ListAnswer(_batches((shape.meter(utility, entry) for entry in page.items), RECORDS_PER_STEP), paging)


class MeterReadingV4(MeterReading):
    """The operations with 4.1.6 objects."""

    _shape: ShapeV4 | None = None

    def shape(self, call: Call) -> ShapeV4:
        self._shape = self._shape or ShapeV4(call.records)
        return self._shape

    def _meter_list(self, call: Call, page: Page[Any], paging: Paging) -> Answer:
        return Answer(self.shape(call).meters(call.utility, page.items), paging)


_OPERATIONS: dict[str, type[MeterReading]] = {"3.0": MeterReadingV3, "4.1.6": MeterReadingV4}


async def _batches(objects: Iterator[Any], size: int) -> AsyncIterator[Sequence[Any]]:
    while batch := list(islice(objects, size)):
        yield batch


def _page_size(call: Call, most: int) -> int:
    return max(1, min(call.partner.page_size, most))


def _last_reading(call: Call) -> ReadingKey | None:
    token = call.request.lastReceived
    if not token:
        return None
    try:
        return reading_key(token)
    except ValueError:
        raise _invalid_last_received(token) from None


def _invalid_last_received(token: str) -> RefusedCallError:
    sentence = f"lastReceived is {token[:80]!r}; send LastSent of the answer before, or nothing to begin anew"
    return RefusedCallError(FaultCode.INVALID_LAST_RECEIVED, sentence)


def _period(call: Call) -> tuple[datetime, datetime]:
    """startDate and endDate in UTC.

    Raises  RefusedCallError for dates reversed or far from any meter's life
    """
    for name in ("startDate", "endDate"):
        value: datetime = getattr(call.request, name)
        if not YEAR_MIN <= value.year <= YEAR_MAX:
            sentence = f"{name} is {value.isoformat()}; years {YEAR_MIN} to {YEAR_MAX} are taken"
            raise RefusedCallError(FaultCode.INVALID_PERIOD, sentence)
    start, end = call.instant(call.request.startDate), call.instant(call.request.endDate)
    if end < start:
        sentence = f"endDate {call.request.endDate.isoformat()} is before startDate {call.request.startDate.isoformat()}"
        raise RefusedCallError(FaultCode.INVALID_PERIOD, sentence)
    return start, end
