"""Texts of readings → objects of MultiSpeak 4.1.6: meterReading, meters.

Source  reference/multispeak.md 7
"""

from collections.abc import Iterable, Mapping
from typing import Any

from headend.model.endpoint import Commodity, MeterEntry
from headend.model.partner import MeterIdentifier
from headend.model.utility import Utility
from multispeak.field_names import FieldName
from multispeak.mapping import ToldMeter, ToldReading, ToldValue, entry_name, meter_status, status_text
from multispeak.reading_types import REGISTER_TYPE, interval_type
from multispeak.records import Records
from multispeak.said_values import SERVICE_TYPES


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
        self._type_codes: dict[tuple[FieldName, int], Any] = {}

    def reading(self, utility: Utility, meter: ToldMeter, reading: ToldReading) -> Any:
        """A meterReading: every value with its own time."""
        return self._meter_reading(
            objectID=reading.object_id,
            utility=utility.utility_id,
            meterID=self.meter_id(utility, meter),
            deviceID=meter.device_id,
            readingValues=self._reading_values(readingValue=[self._value(value) for value in reading.values]),
        )

    def no_reading(self, utility: Utility, meter: ToldMeter, reason: str) -> Any:
        """A meterReading that says why it holds nothing."""
        return self._meter_reading(
            objectID=meter.meter_no,
            utility=utility.utility_id,
            errorString=reason,
            meterID=self.meter_id(utility, meter),
            deviceID=meter.device_id or None,
        )

    def meter_id(self, utility: Utility, meter: ToldMeter) -> Any:
        """A meterID; a name that no meter has is of no service."""
        service = None if meter.commodity is None else SERVICE_TYPES[meter.commodity]
        return self._meter_id(text=meter.name, meterNo=meter.name, serviceType=service, utility=utility.utility_id)

    def status_code(self, flags: int) -> Any:
        """A readingStatusCode; `flags` are not 0."""
        return self._status_code(text=status_text(flags), originatingSystemID="AMI", codeCategory="interval", codeIndex=str(flags))

    def meters(self, utility: Utility, entries: Iterable[MeterEntry], identifier: MeterIdentifier, verbs: Mapping[str, str]) -> Any:
        """The `meters` object, its lists by commodity; `verbs` say, by meter number, what became of meters."""
        lists: dict[Commodity, list[Any]] = {}
        for entry in entries:
            verb = verbs.get(entry.endpoint.meter_no)
            lists.setdefault(entry.endpoint.commodity, []).append(self._meter(utility, entry, identifier, verb))
        return self._records["meters"](
            electricMeters=self._list("ArrayOfElectricMeter", "electricMeter", lists.get(Commodity.ELECTRIC)),
            waterMeters=self._list("ArrayOfWaterMeter", "waterMeter", lists.get(Commodity.WATER)),
            gasMeters=self._list("ArrayOfGasMeter", "gasMeter", lists.get(Commodity.GAS)),
        )

    def _list(self, type_name: str, item_name: str, items: list[Any] | None) -> Any:
        return self._records[type_name](**{item_name: items}) if items else None

    def _meter(self, utility: Utility, entry: MeterEntry, identifier: MeterIdentifier, verb: str | None) -> Any:
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
            meterNo=entry_name(entry, identifier),
            serialNumber=endpoint.serial_no,
            meterType=endpoint.configuration,
            AMRDeviceType=endpoint.model,
            billingCycle=(point.bill_cycle or None) if point else None,
            meterStatusList=self._records["ArrayOfString.meterStatus"](meterStatus=meter_status(endpoint)),
            utilityInfo=info,
            meterCommAddress=endpoint.ap_title,
        )

    def _value(self, value: ToldValue) -> Any:
        name, seconds = value.field, value.interval_seconds
        return self._reading_value(
            units=name.unit,
            value=value.text,
            readingType=interval_type(seconds) if seconds else REGISTER_TYPE,
            fieldName=name.interval if seconds else name.register,
            name=name.channel,
            timeStamp=value.local,
            readingStatusCode=self.status_code(value.flags) if value.flags else None,
            readingTypeCode=self._code(name, seconds),
        )

    def _code(self, name: FieldName, interval_seconds: int) -> Any:
        """The readingTypeCode of a channel, made once; an interval length of 0 means a register."""
        found = self._type_codes.get((name, interval_seconds))
        if found is None:
            found = self._type_codes[name, interval_seconds] = self._type_code(
                name=name.channel,
                timeAttribute=f"{interval_seconds // 60}-minute" if interval_seconds else "none",
                accumulationBehavior="deltaData" if interval_seconds else "cumulative",
                flowDirection=name.flow,
                UOMCategory=name.category,
                phaseIndex=name.phase or None,
                displayableUOM=name.unit,
            )
        return found
