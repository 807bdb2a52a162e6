"""How long each class of data is kept, and which values belong to which class."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from headend.model.channels import CHANNELS, ChannelId, Unit


class DataClass(StrEnum):
    """What is kept for a time of its own. Predecessors of changed values go with the values."""

    REGISTERS = "registers"
    INTERVALS = "intervals"
    VOLTAGE = "voltage"
    EVENTS = "events"
    EXCEPTIONS = "exceptions"
    NOTIFICATIONS = "notifications"
    WORK_ITEMS = "work_items"
    COMMANDS = "commands"
    GAS_DAYS = "gas_days"
    CHANGES = "changes"
    DELIVERIES = "deliveries"
    BILLING = "billing"


VOLTAGE_CHANNELS: frozenset[ChannelId] = frozenset(c.channel_id for c in CHANNELS.values() if c.unit is Unit.VOLT)
"""Interval channels of class VOLTAGE; all others are of class INTERVALS."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that each class is kept."""

    days: Mapping[DataClass, int]

    def before(self, data_class: DataClass, now: datetime) -> datetime:
        """What is older than this is not kept."""
        return now - timedelta(days=self.days[data_class])


@dataclass(frozen=True, slots=True)
class Overdue:
    """What is stored of a class although its time is over: rows that go, and the instant that they are older than."""

    data_class: DataClass
    before: datetime
    rows: int
