"""headend.model → objects of MultiSpeak 4.1.6: meterReading, meters.

Source  reference/multispeak.md 7
"""

from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from headend.model.channels import ChannelId
from headend.model.endpoint import Commodity, MeterEntry
from headend.model.readings import IntervalValue, RegisterRead
from headend.model.utility import Utility
from multispeak.field_names import FIELD_NAMES
from multispeak.mapping import REGISTER_TYPE, ReadingGroup, interval_type, local_time, meter_status, object_id, status_text
from multispeak.records import Records

SERVICE_TYPES = {Commodity.ELECTRIC: "Electric", Commodity.GAS: "Gas", Commodity.WATER: "Water"}


class ShapeV4:
    """Makes 4.1.6 objects of one contract's record classes."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._meter_reading = records["meterReading"]
        self._meter_id = records["meterID"]
        self._reading_values = records["ArrayOfReadingValue"]
        self._reading_value = records["readingValue"]
        self._status_code = records["readingStatusCode"]
        self._type_code = records["readingTypeCode"]
        self._type_codes: dict[tuple[ChannelId, int], Any] = {}

    def reading(self, utility: Utility, entry: MeterEntry, group: ReadingGroup) -> Any:
        """A meterReading: every value with its own time."""
        zone = utility.time_zone
        values = [self._register(r, zone) for r in group.registers]
        values += [self._interval(v, zone) for v in group.intervals]
        return self._meter_reading(
            objectID=object_id(entry.endpoint.meter_no, group.instant),
            utility=utility.utility_id,
            meterID=self._id(utility, entry),
            deviceID=entry.endpoint.serial_no,
            readingValues=self._reading_values(readingValue=values),
        )

    def no_reading(self, utility: Utility, entry: MeterEntry, reason: str) -> Any:
        """A meterReading that says why it holds nothing."""
        return self._meter_reading(
            objectID=entry.endpoint.meter_no,
            utility=utility.utility_id,
            errorString=reason,
            meterID=self._id(utility, entry),
            deviceID=entry.endpoint.serial_no,
        )

    def meter_no(self, request: Any) -> str:
        """The parameter meterID: its attribute meterNo where given, else its content."""
        if request.meterID is None:
            return ""
        return str(request.meterID.meterNo or request.meterID.text or "").strip()

    def meters(self, utility: Utility, entries: Iterable[MeterEntry], verbs: Mapping[str, str] | None = None) -> Any:
        """The `meters` object, its lists by commodity; `verbs` say, by meter number, what became of meters."""
        lists: dict[Commodity, list[Any]] = {}
        for entry in entries:
            verb = None if verbs is None else verbs.get(entry.endpoint.meter_no)
            lists.setdefault(entry.endpoint.commodity, []).append(self._meter(utility, entry, verb))
        return self._records["meters"](
            electricMeters=self._list("ArrayOfElectricMeter", "electricMeter", lists.get(Commodity.ELECTRIC)),
            waterMeters=self._list("ArrayOfWaterMeter", "waterMeter", lists.get(Commodity.WATER)),
            gasMeters=self._list("ArrayOfGasMeter", "gasMeter", lists.get(Commodity.GAS)),
        )

    def _list(self, type_name: str, item_name: str, items: list[Any] | None) -> Any:
        return self._records[type_name](**{item_name: items}) if items else None

    def _meter(self, utility: Utility, entry: MeterEntry, verb: str | None) -> Any:
        endpoint, point = entry.endpoint, entry.service_point
        info = None
        if point is not None:
            customer_id = entry.customer.customer_id if entry.customer else ""
            info = self._records["utilityInfo"](
                serviceLocationID=point.service_location, accountNumber=point.account_no or None, customerID=customer_id or None
            )
        return self._records[endpoint.commodity.value + "Meter"](
            objectID=endpoint.meter_no,
            verb=verb,
            utility=utility.utility_id,
            meterNo=endpoint.meter_no,
            serialNumber=endpoint.serial_no,
            meterType=endpoint.configuration,
            AMRDeviceType=endpoint.model,
            billingCycle=(point.bill_cycle or None) if point else None,
            meterStatusList=self._records["ArrayOfString.meterStatus"](meterStatus=meter_status(endpoint)),
            utilityInfo=info,
            meterCommAddress=endpoint.ap_title,
        )

    def _id(self, utility: Utility, entry: MeterEntry) -> Any:
        meter_no = entry.endpoint.meter_no
        return self._meter_id(
            text=meter_no, meterNo=meter_no, serviceType=SERVICE_TYPES[entry.endpoint.commodity], utility=utility.utility_id
        )

    def _register(self, read: RegisterRead, zone: ZoneInfo) -> Any:
        name = FIELD_NAMES[read.channel_id]
        return self._reading_value(
            units=name.unit,
            value=name.scaled_text(read.value, read.exponent),
            readingType=REGISTER_TYPE,
            fieldName=name.register,
            name=name.channel,
            timeStamp=local_time(read.instant, zone),
            readingStatusCode=self._status(read.flags),
            readingTypeCode=self._code(read.channel_id, 0),
        )

    def _interval(self, interval: IntervalValue, zone: ZoneInfo) -> Any:
        name = FIELD_NAMES[interval.channel_id]
        return self._reading_value(
            units=name.unit,
            value=None if interval.quantity is None else name.text(interval.quantity),
            readingType=interval_type(interval.interval_seconds),
            fieldName=name.interval,
            name=name.channel,
            timeStamp=local_time(interval.end, zone),
            readingStatusCode=self._status(interval.flags),
            readingTypeCode=self._code(interval.channel_id, interval.interval_seconds),
        )

    def _status(self, flags: int) -> Any:
        if not flags:
            return None
        return self._status_code(text=status_text(flags), originatingSystemID="AMI", codeCategory="interval", codeIndex=str(flags))

    def _code(self, channel_id: ChannelId, interval_seconds: int) -> Any:
        """The readingTypeCode of a channel, made once; an interval length of 0 means a register."""
        found = self._type_codes.get((channel_id, interval_seconds))
        if found is None:
            name = FIELD_NAMES[channel_id]
            found = self._type_codes[channel_id, interval_seconds] = self._type_code(
                name=name.channel,
                timeAttribute=f"{interval_seconds // 60}-minute" if interval_seconds else "none",
                accumulationBehavior="deltaData" if interval_seconds else "cumulative",
                flowDirection=name.flow,
                UOMCategory=name.category,
                phaseIndex=name.phase or None,
                displayableUOM=name.unit,
            )
        return found
