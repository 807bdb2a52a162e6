"""headend.model → objects of MultiSpeak 3.0: meterRead, meter.

Source  reference/multispeak.md 7
"""

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from headend.model.channels import CHANNEL_BY_NAME
from headend.model.endpoint import MeterEntry
from headend.model.readings import IntervalValue, RegisterRead
from headend.model.utility import Utility
from multispeak.field_names import FIELD_NAMES
from multispeak.mapping import REGISTER_TYPE, ReadingGroup, interval_type, local_time, meter_status, object_id, status_text
from multispeak.records import Records

_DELIVERED = CHANNEL_BY_NAME["energy_delivered"].channel_id
_RECEIVED = CHANNEL_BY_NAME["energy_received"].channel_id


def whole_kwh(read: RegisterRead) -> int:
    """The whole kWh of a register in Wh, towards zero as a display cuts them."""
    power = read.exponent - 3
    if power >= 0:
        return read.value * int(10**power)
    whole = abs(read.value) // int(10**-power)
    return whole if read.value >= 0 else -whole


class ShapeV3:
    """Makes 3.0 objects of one contract's record classes."""

    def __init__(self, records: Records) -> None:
        self._meter_read = records["meterRead"]
        self._reading_values = records["readingValues"]
        self._reading_value = records["readingValue"]
        self._meter = records["meter"]
        self._meter_status_list = records["meterStatusList"]
        self._utility_info = records["utilityInfo"]
        self._extensions_list = records["extensionsList"]
        self._extensions_item = records["extensionsItem"]

    def reading(self, utility: Utility, entry: MeterEntry, group: ReadingGroup) -> Any:
        """A meterRead; posKWh and negKWh are the whole kWh of the registers, whose exact values are among the readingValues."""
        endpoint, zone = entry.endpoint, utility.time_zone
        delivered = received = None
        for read in group.registers:
            if read.channel_id == _DELIVERED:
                delivered = whole_kwh(read)
            elif read.channel_id == _RECEIVED:
                received = whole_kwh(read)
        values = [self._register(r, zone) for r in group.registers]
        values += [self._interval(v, zone) for v in group.intervals]
        return self._meter_read(
            objectID=object_id(endpoint.meter_no, group.instant),
            utility=utility.utility_id,
            meterNo=endpoint.meter_no,
            deviceID=endpoint.serial_no,
            readingDate=local_time(group.instant, zone),
            posKWh=delivered,
            negKWh=received,
            readingValues=self._reading_values(readingValue=values),
        )

    def no_reading(self, utility: Utility, entry: MeterEntry, reason: str) -> Any:
        """A meterRead that says why it holds nothing."""
        endpoint = entry.endpoint
        return self._meter_read(
            objectID=endpoint.meter_no,
            utility=utility.utility_id,
            errorString=reason,
            meterNo=endpoint.meter_no,
            deviceID=endpoint.serial_no,
        )

    def meter_no(self, request: Any) -> str:
        """The parameter meterNo."""
        return (request.meterNo or "").strip()

    def meter(self, utility: Utility, entry: MeterEntry, verb: str | None = None) -> Any:
        """A meter as GetAMRSupportedMeters lists it; `verb` says what became of it."""
        endpoint, point = entry.endpoint, entry.service_point
        info = None
        if point is not None:
            customer_id = entry.customer.customer_id if entry.customer else ""
            info = self._utility_info(servLoc=point.service_location, accountNumber=point.account_no or None, custID=customer_id or None)
        return self._meter(
            objectID=endpoint.meter_no,
            verb=verb,
            utility=utility.utility_id,
            deviceClass=endpoint.commodity.value.capitalize(),
            meterNo=endpoint.meter_no,
            serialNumber=endpoint.serial_no,
            meterType=endpoint.configuration,
            AMRType="AMI",
            AMRDeviceType=endpoint.model,
            utilityInfo=info,
            meterStatusList=self._meter_status_list(meterStatus=meter_status(endpoint)),
            meterCommAddress=endpoint.ap_title,
        )

    def _register(self, read: RegisterRead, zone: ZoneInfo) -> Any:
        name = FIELD_NAMES[read.channel_id]
        return self._reading_value(
            extensionsList=self._status(read.flags),
            units=name.unit,
            value=name.scaled_text(read.value, read.exponent),
            readingType=REGISTER_TYPE,
            readingValueType=name.value_type,
            name=name.channel,
            dateTime=local_time(read.instant, zone),
            fieldName=name.register,
        )

    def _interval(self, interval: IntervalValue, zone: ZoneInfo) -> Any:
        name = FIELD_NAMES[interval.channel_id]
        quantity: Decimal | None = interval.quantity
        return self._reading_value(
            extensionsList=self._status(interval.flags),
            units=name.unit,
            value=None if quantity is None else name.text(quantity),
            readingType=interval_type(interval.interval_seconds),
            readingValueType=name.value_type,
            name=name.channel,
            dateTime=local_time(interval.end, zone),
            fieldName=name.interval,
        )

    def _status(self, flags: int) -> Any:
        """3.0 has no place for a status but the extensions."""
        if not flags:
            return None
        return self._extensions_list(extensionsItem=[self._extensions_item(extName="status", extValue=status_text(flags))])
