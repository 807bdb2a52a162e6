"""Outage detection devices: every electric meter is one, in a state that alarms and pings find out."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from headend.model.endpoint import EndpointId, MeterEntry
from headend.ports import Page


class OutageState(StrEnum):
    """Whether a meter has power, as far as is known."""

    RESTORED = "restored"
    OUTAGED = "outaged"
    UNKNOWN = "unknown"


class DeviceStatus(StrEnum):
    """Whether a device can detect an outage now. One that has no power, or has not been shipped, cannot."""

    IN_SERVICE = "in service"
    OUT_OF_SERVICE = "out of service"
    DEFECTIVE = "defective"


@dataclass(frozen=True, slots=True)
class OutageDevice:
    """A meter as outage detection device; `since` is None while its state is unknown."""

    entry: MeterEntry
    state: OutageState
    since: datetime | None
    status: DeviceStatus


class OutageDevices(Protocol):
    """Outage detection devices of a utility: its active electric meters."""

    def outage_device(self, meter_no: str) -> Awaitable[OutageDevice | None]:
        """A meter as device; None for one that is none."""

    def outage_devices(self, status: DeviceStatus | None, after: str, limit: int) -> Awaitable[Page[OutageDevice]]:
        """Devices in order of meter number, from the one after `after`; all, or those of a status."""

    def outaged_devices(self, after: str, limit: int) -> Awaitable[Page[OutageDevice]]:
        """Devices without power, likewise."""

    def note_outage_state(self, endpoint_ids: Sequence[EndpointId], state: OutageState, since: datetime) -> Awaitable[None]:
        """These have, or have no, power since then; older news than what is known changes nothing."""

    def say_device_status(self, meter_no: str, status: DeviceStatus | None) -> Awaitable[None]:
        """A partner says that a device cannot detect outages; None ends that. Raises UnknownMeterError."""
