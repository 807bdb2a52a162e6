"""GetLPDataByMeterID: a meter's load profile of the last days as profileObjects.

A channel's blocks are runs without gaps. `intervalPeriod` is in minutes, as interval lengths are everywhere here; an interval that the
meter says it has no value of is NaN and `invalid`, one of which nothing is known ends the run.
"""

from collections.abc import Iterator, Sequence
from math import nan
from typing import Any

from headend.interval_series import IntervalSeries, series_of
from headend.model.meters import Meter
from headend.model.readings import IntervalFlag
from headend.model.selections import LOADS, quantities
from multispeak.calls import Answer, Call, Handler
from multispeak.field_names import FIELD_NAMES
from multispeak.limits import PROFILE_DATA_DAYS
from multispeak.mapping import local_time_of_us, told_meter
from multispeak.mapping_v4 import ShapeV4
from multispeak.meter_names import one_meter
from multispeak.read_selection import up_to_now

_FLAGS = {
    "DSTinEffect": IntervalFlag.DST,
    "clockForward": IntervalFlag.CLOCK_FORWARD,
    "clockBackward": IntervalFlag.CLOCK_BACK,
    "overflow": IntervalFlag.OVERFLOW,
    "partialInterval": IntervalFlag.PARTIAL,
    "longInterval": IntervalFlag.LONG,
    "testData": IntervalFlag.TEST_MODE,
    "manuallyModified": IntervalFlag.EDITED,
    "recorderStopped": IntervalFlag.STOPPED,
    "configChanged": IntervalFlag.CONFIG_CHANGED,
}


def profile_data_handlers(version: str) -> dict[str, Handler]:
    """The operation, in the version that has it."""
    return {} if version == "3.0" else {"GetLPDataByMeterID": profile_data}


async def profile_data(call: Call) -> Answer:
    """The load profile of one meter, of the last week."""
    meter = await one_meter(call, "meterID")
    period = up_to_now(call, PROFILE_DATA_DAYS)
    values = await call.store.values_of([meter.endpoint_id], period, quantities(intervals=LOADS))
    told = _ProfileShape(call).profile_object(meter, series_of(values.blocks, period))
    return Answer(call.records["ArrayOfProfileObject"](profileObject=[told]))


class _ProfileShape:
    """Makes profileObject records for one call."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._records = call.records
        self._names = FIELD_NAMES[call.partner.energy_unit]

    def profile_object(self, meter: Meter, series: Sequence[IntervalSeries]) -> Any:
        """One meter's series; sources are numbered in their order, data sets by interval length."""
        lengths = sorted({one.interval_seconds for one in series})
        meter_id = ShapeV4(self._records).meter_id(self._call.utility, told_meter(meter, self._call.partner.identifier))
        profiles = []
        for number, length in enumerate(lengths, 1):
            channels = [self._channel(source, one) for source, one in enumerate(series, 1) if one.interval_seconds == length]
            listed = self._records["ArrayOfChannel"](channel=channels)
            profiles.append(self._records["profileType"](meterID=meter_id, dataSetNumber=number, channelList=listed))
        sources = [self._source(source, one) for source, one in enumerate(series, 1)]
        return self._records["profileObject"](
            objectID=meter.meter_no,
            utility=self._call.utility.utility_id,
            errorString=None if series else f"no load profile of the last {PROFILE_DATA_DAYS} days has been collected",
            sourceList=self._records["ArrayOfSource"](source=sources),
            loadProfileList=self._records["ArrayOfProfileType"](loadProfile=profiles),
        )

    def _source(self, number: int, series: IntervalSeries) -> Any:
        name = self._names[series.channel_id]
        return self._records["source"](sourceID=number, quantityType="consumption", uom=name.unit, multiplierApplied=True)

    def _channel(self, number: int, series: IntervalSeries) -> Any:
        blocks = self._records["ArrayOfChannelBlock"](block=[self._block(series, first, last) for first, last in _runs(series)])
        return self._records["channel"](intervalSourceID=number, channelNumber=number, blockList=blocks)

    def _block(self, series: IntervalSeries, first: int, last: int) -> Any:
        name = self._names[series.channel_id]
        intervals = []
        for number in range(first, last + 1):
            value, flags = series.values[number - series.first], series.flags[number - series.first]
            text = nan if value is None else float(name.text(value, series.exponent))
            told = {slot: True for slot, flag in _FLAGS.items() if flags & flag}
            if value is None or flags & _INVALID:
                told["invalid"] = True
            intervals.append(self._records["interval"](text=text, **told))
        end_time = local_time_of_us(series.end_us(last), self._call.utility.time_zone)
        minutes = series.interval_seconds // 60
        return self._records["channelBlock"](endTime=end_time, intervalPeriod=minutes, interval=intervals)


_INVALID = int(IntervalFlag.MISSING | IntervalFlag.SKIPPED | IntervalFlag.CHECKSUM)


def _runs(series: IntervalSeries) -> Iterator[tuple[int, int]]:
    """First and last number of each run of intervals of which something is known."""
    run: list[int] = []
    for number, _, _ in series.known():
        if run and number != run[-1] + 1:
            yield run[0], run[-1]
            run = []
        run.append(number)
    if run:
        yield run[0], run[-1]
