"""Texts of readings → objects of MultiSpeak 3.0: meterRead, meter.

Source  reference/multispeak.md 7
"""

from collections.abc import Mapping
from typing import Any

from headend.model.endpoint import MeterEntry
from headend.model.partner import MeterIdentifier
from headend.model.utility import Utility
from multispeak.mapping import ToldMeter, ToldReading, ToldValue, entry_name, meter_status, status_text
from multispeak.reading_types import REGISTER_TYPE, interval_type
from multispeak.records import Records


class ShapeV3:
    """Makes 3.0 objects of one contract's record classes."""

    def __init__(self, records: Records) -> None:
        self._meter_read = records["meterRead"]
        self._reading_values = records["readingValues"]
        self._reading_value = records["readingValue"]
        self._tou_readings = records["TOUReadings"]
        self._tou_reading = records["TOUReading"]
        self._meter = records["meter"]
        self._meter_status_list = records["meterStatusList"]
        self._utility_info = records["utilityInfo"]
        self._extensions_list = records["extensionsList"]
        self._extensions_item = records["extensionsItem"]

    def reading(self, utility: Utility, meter: ToldMeter, reading: ToldReading) -> Any:
        """A meterRead; posKWh, negKWh and TOUReadings are whole kWh of registers, whose exact values are among the readingValues."""
        return self._meter_read(
            objectID=reading.object_id,
            utility=utility.utility_id,
            meterNo=meter.name,
            deviceID=meter.device_id,
            readingDate=reading.local,
            posKWh=reading.delivered,
            negKWh=reading.received,
            TOUReadings=self._rates(reading.rates) if reading.rates else None,
            readingValues=self._reading_values(readingValue=[self._value(value) for value in reading.values]),
        )

    def no_reading(self, utility: Utility, meter: ToldMeter, reason: str) -> Any:
        """A meterRead that says why it holds nothing."""
        return self._meter_read(
            objectID=meter.meter_no,
            utility=utility.utility_id,
            errorString=reason,
            meterNo=meter.name,
            deviceID=meter.device_id or None,
        )

    def meter(self, utility: Utility, entry: MeterEntry, identifier: MeterIdentifier, verb: str | None = None) -> Any:
        """A meter as lists of meters have it; `verb` says what became of it."""
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
            meterNo=entry_name(entry, identifier),
            serialNumber=endpoint.serial_no,
            meterType=endpoint.configuration,
            AMRType="AMI",
            AMRDeviceType=endpoint.model,
            utilityInfo=info,
            meterStatusList=self._meter_status_list(meterStatus=meter_status(endpoint)),
            meterCommAddress=endpoint.ap_title,
        )

    def _rates(self, rates: Mapping[int, str]) -> Any:
        readings = [self._tou_reading(ratePeriod=str(period), kWh=text) for period, text in sorted(rates.items())]
        return self._tou_readings(TOUReading=readings)

    def _value(self, value: ToldValue) -> Any:
        name, seconds = value.field, value.interval_seconds
        return self._reading_value(
            extensionsList=self._status(value.flags),
            units=name.unit,
            value=value.text,
            readingType=interval_type(seconds) if seconds else REGISTER_TYPE,
            readingValueType=name.value_type,
            name=name.channel,
            dateTime=value.local,
            fieldName=name.interval if seconds else name.register,
        )

    def _status(self, flags: int) -> Any:
        """3.0 has no place for a status but the extensions."""
        if not flags:
            return None
        return self._extensions_list(extensionsItem=[self._extensions_item(extName="status", extValue=status_text(flags))])
