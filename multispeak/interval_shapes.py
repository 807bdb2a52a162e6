"""Records of intervalData in both versions.

3.0 gives an interval's length as a bare float, which is minutes; 4.1.6 with its unit. A profile without intervals has no length.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from headend.model.channels import ChannelId
from headend.model.utility import Utility
from multispeak.mapping import ToldMeter
from multispeak.mapping_v4 import ShapeV4
from multispeak.records import Records
from multispeak.said_values import SERVICE_TYPES

ProfileKey = tuple[int, tuple[ChannelId, ...]]
"""Interval length in seconds, 0 for registers alone; channels in order."""


class IntervalShape(ABC):
    """Makes records of one version; a subclass knows what differs."""

    def __init__(self, records: Records) -> None:
        self.records = records

    @abstractmethod
    def length(self, minutes: float) -> Any:
        """An interval length."""

    @abstractmethod
    def identity(self, utility: Utility, meter: ToldMeter) -> dict[str, Any]:
        """The slots of a block that say whose it is."""

    def data(self, delimiter: str, comment: str, profiles: Sequence[Any], blocks: Sequence[Any]) -> Any:
        """One intervalData."""
        return self.records["intervalData"](
            statusDelimiter=delimiter,
            intervalDelimiter=delimiter,
            comment=comment or None,
            profiles=self.records["ArrayOfIntervalProfile"](profile=profiles),
            blocks=self.records["ArrayOfIntervalBlock"](block=blocks),
        )

    def profile(self, profile_id: str, interval_seconds: int, channels: Iterable[tuple[str, str, str]]) -> Any:
        """One profile; `channels` are (fieldName, description, unit)."""
        channel = self.records["intervalChannel"]
        told = [
            channel(index=index, fieldName=name, fieldDescription=description, units=unit)
            for index, (name, description, unit) in enumerate(channels, 1)
        ]
        minutes = interval_seconds / 60
        return self.records["intervalProfile"](
            profileID=profile_id,
            name=f"{minutes:g} minutes" if interval_seconds else "registers",
            intervalLength=self.length(minutes) if interval_seconds else None,
            channels=self.records["ArrayOfIntervalChannel"](channel=told),
        )

    def block(
        self,
        utility: Utility,
        meter: ToldMeter,
        profile_id: str | None,
        *,
        end_readings: Sequence[Any] = (),
        log_time: str | None = None,
        interval_start: str | None = None,
        values: Sequence[str] = (),
        statuses: str | None = None,
    ) -> Any:
        """One block; without a profile it only says whose it is."""
        return self.records["intervalBlock"](
            profileID=profile_id,
            **self.identity(utility, meter),
            endReadingList=self.records["ArrayOfEndReading"](endReading=list(end_readings)) if end_readings else None,
            logTime=log_time,
            intervalStart=interval_start,
            dB=self._intervals(values, statuses) if values else None,
        )

    def end_reading(self, index: int, reading: float, local: str) -> Any:
        """A register at a block's end."""
        return self.records["endReading"](channelIndex=index, reading=reading, readingDate=local)

    def _intervals(self, values: Sequence[str], statuses: str | None) -> Any:
        channel = self.records["ch"]
        channels = [channel(idx=index, d=text) for index, text in enumerate(values, 1)]
        return self.records["dB"](chs=self.records["ArrayOfCH"](ch=channels), cS=statuses)


class IntervalShapeV3(IntervalShape):
    """3.0: identities are plain strings."""

    def length(self, minutes: float) -> Any:
        return minutes

    def identity(self, utility: Utility, meter: ToldMeter) -> dict[str, Any]:
        service = None if meter.commodity is None else SERVICE_TYPES[meter.commodity]
        return {"meterID": meter.meter_no, "meterNo": meter.name, "serviceType": service, "utility": utility.utility_id}


class IntervalShapeV4(IntervalShape):
    """4.1.6: a meterID, and a length with its unit."""

    def length(self, minutes: float) -> Any:
        return self.records["duration"](text=minutes, units="Minutes")

    def identity(self, utility: Utility, meter: ToldMeter) -> dict[str, Any]:
        return {"meterID": ShapeV4(self.records).meter_id(utility, meter)}


def interval_shape(version: str, records: Records) -> IntervalShape:
    """That of a version."""
    return {"3.0": IntervalShapeV3, "4.1.6": IntervalShapeV4}[version](records)
