"""How long what is stored is kept: days by class of data, per utility."""

from typing import Annotated

from pydantic import Field

from headend.model.retention import DataClass, Retention
from headend.settings_section import Section

DAYS_MIN, DAYS_MAX = 60, 36_600
"""Least and most days that values are kept: the least covers a bill cycle with its corrections, and the longest history a first contact
reads; the most is a hundred years."""

THIRTEEN_MONTHS = 400
"""Thirteen months and some days: the same month of the year before, whole, in any time zone."""

A_QUARTER = 92
"""Three months: what voltage studies look at; voltage is nine tenths of a residential endpoint's values."""

Days = Annotated[int, Field(ge=DAYS_MIN, le=DAYS_MAX)]


class RetentionSettings(Section):
    """Days each class is kept: register reads, interval values but voltage, voltage, events of devices, exceptions, delivered or given-up
    notifications, closed work items, requests of which every target is done, gas days with what late data changed of them, the index
    of changes by which partners ask for what is new, what became of
    delivered files and which events a file of events held, and billing requests with their answers, counted from their deadline.
    """

    registers: Days = THIRTEEN_MONTHS
    intervals: Days = THIRTEEN_MONTHS
    voltage: Days = A_QUARTER
    events: Days = THIRTEEN_MONTHS
    exceptions: Days = THIRTEEN_MONTHS
    notifications: Days = A_QUARTER
    work_items: Days = THIRTEEN_MONTHS
    commands: Days = THIRTEEN_MONTHS
    gas_days: Days = THIRTEEN_MONTHS
    changes: Days = DAYS_MIN
    deliveries: Days = THIRTEEN_MONTHS
    billing: Days = THIRTEEN_MONTHS

    @property
    def retention(self) -> Retention:
        """As the core knows it."""
        return Retention({data_class: getattr(self, data_class.value) for data_class in DataClass})
