"""History logs: the events of one meter, or of all that had any in a period, of one kind or of all.

A log is one meter's whole period; its objectID, and so a place in the list, is the meter number.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from headend.event_queries import EventRow, MeterLog
from headend.limits import EVENTS_PER_LOG_MAX
from headend.model.endpoint import EndpointId
from headend.model.partner import MeterIdentifier
from headend.model.selections import Period
from headend.read_ahead import read_ahead
from multispeak.calls import Answer, Call, Handler, ListAnswer
from multispeak.mapping import ToldMeter, local_time_of_us, told_meter
from multispeak.mapping_v4 import ShapeV4
from multispeak.message_header import Paging
from multispeak.meter_events import codes_of_meter_event, codes_of_phrase, meter_event
from multispeak.meter_names import one_meter
from multispeak.paging import last_received, no_place, page_size
from multispeak.read_selection import between_dates
from multispeak.streaming import one_batch

Codes = frozenset[int] | None
_PARAMETERS = {"3.0": "meterNo", "4.1.6": "meterID"}


def history_log_handlers(version: str) -> dict[str, Handler]:
    """The operations of history logs in one version, on the catalogue of events that the utility has."""
    operations = HistoryLogs()
    by = {"3.0": "ByMeterNo", "4.1.6": "ByMeterID"}[version]
    handlers: dict[str, Handler] = {
        "GetHistoryLog" + by: operations.of_meter,
        f"GetHistoryLogs{by}AndEventCode": operations.of_meter_and_code,
        "GetHistoryLogsByDate": operations.by_date,
        "GetHistoryLogsByDateAndEventCode": operations.by_date_and_code,
    }
    if version == "4.1.6":
        handlers["GetSupportedMeterEventCodes"] = operations.supported_codes
    return handlers


class HistoryLogs:
    """The operations."""

    async def of_meter(self, call: Call) -> Answer:
        """The events of one meter in a period, in time order."""
        return await self._of_meter(call, None)

    async def of_meter_and_code(self, call: Call) -> Answer:
        """The events of one kind of one meter in a period, in time order."""
        return await self._of_meter(call, self._codes(call))

    async def by_date(self, call: Call) -> ListAnswer:
        """The events of every meter that had any in a period, a log for each meter."""
        return await self._by_date(call, None)

    async def by_date_and_code(self, call: Call) -> ListAnswer:
        """The events of one kind of every meter that had any in a period, a log for each meter."""
        return await self._by_date(call, self._codes(call))

    async def supported_codes(self, call: Call) -> Answer:
        """Every kind of event that the head-end knows, for each kind of meter that has it."""
        events = [
            meter_event(call.records, kind.code, kind, commodity)
            for kind in call.utility.events.kinds.values()
            for commodity in sorted(kind.commodities)
        ]
        return Answer(call.records["ArrayOfMeterEvent1"](meterEvent=events))

    def _codes(self, call: Call) -> frozenset[int]:
        asked = call.request.eventCode
        return codes_of_phrase(call.utility.events, asked) if call.version == "3.0" else codes_of_meter_event(call.utility.events, asked)

    async def _of_meter(self, call: Call, codes: Codes) -> Answer:
        period = between_dates(call)
        meter = await one_meter(call, _PARAMETERS[call.version])
        log = await call.store.log_of(meter, period, codes, EVENTS_PER_LOG_MAX)
        told = [LogShape(call).log(log)]
        return Answer(call.records["ArrayOfHistoryLog"](historyLog=told))

    async def _by_date(self, call: Call, codes: Codes) -> ListAnswer:
        period, after = between_dates(call), await _position(call)
        page = await call.store.log_page(period, codes, after, page_size(call))
        if page.last is None:
            return ListAnswer(one_batch([]), Paging(page.remaining))
        shape = LogShape(call)
        logs = read_ahead(_logs(call, period, codes, after, page.last.endpoint_id, shape.log))
        return ListAnswer(logs, Paging(page.remaining, page.last.meter_no))


async def _position(call: Call) -> EndpointId:
    token = last_received(call)
    if not token:
        return EndpointId(0)
    found = await call.store.meters_named(MeterIdentifier.METER_NO, [token])
    if not found:
        raise no_place(token)
    return found[0].endpoint_id


async def _logs(
    call: Call, period: Period, codes: Codes, after: EndpointId, last: EndpointId, shape: Callable[[MeterLog], Any]
) -> AsyncGenerator[Sequence[Any], None]:
    while after < last:
        logs = await call.store.logs(period, codes, after, last, EVENTS_PER_LOG_MAX)
        if not logs:
            return
        for log in logs:
            yield [shape(log)]
        after = logs[-1].meter.endpoint_id


class LogShape:
    """Makes historyLog records for one call."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._catalogue = call.utility.events
        self._zone = call.utility.time_zone

    def log(self, log: MeterLog) -> Any:
        """One historyLog."""
        meter = told_meter(log.meter, self._call.partner.identifier)
        too_many = f"the first {len(log.events)} events are told, and there are more; ask for a shorter period"
        return self._call.records["historyLog"](
            objectID=meter.meter_no,
            utility=self._call.utility.utility_id,
            errorString=too_many if log.more else None,
            meterID=self._identity(meter),
            eventList=self._call.records["ArrayOfEvent"](event=[self._event(meter, event) for event in log.events]),
        )

    def _identity(self, meter: ToldMeter) -> Any:
        if self._call.version == "3.0":
            return meter.name
        return ShapeV4(self._call.records).meter_id(self._call.utility, meter)

    def _event(self, meter: ToldMeter, event: EventRow) -> Any:
        kind = self._catalogue.kinds.get(event.code)
        said = event.argument.hex() if any(event.argument) else ""
        told: dict[str, Any]
        if self._call.version == "3.0":
            phrase = kind.phrase if kind is not None else ""
            # 3.0 has no phrase for many events; what they are stands before their argument then.
            name = "" if phrase else kind.name if kind is not None else f"event {event.code}"
            told = {"eventCode": phrase or None, "argument": " ".join(part for part in (name, said) if part) or None}
        else:
            assert meter.commodity is not None, "events are those of meters"
            told = {"meterEvent": meter_event(self._call.records, event.code, kind, meter.commodity), "argument": said or None}
        local = local_time_of_us(event.occurred_us, self._zone)
        return self._call.records["event"](sequenceNumber=event.sequence & 0xFFFFFFFF, dateTime=local, **told)
