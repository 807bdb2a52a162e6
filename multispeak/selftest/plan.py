"""Which operations a self-test calls, in which order, and with what: what makes something comes before what needs it. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from multispeak.example_values import (
    ACCOUNT,
    AHEAD,
    CONFIGURATION,
    CUSTOMER,
    DEVICE,
    END,
    EVENT,
    GROUP,
    METER,
    METHOD,
    MONITORING,
    NEW_METER,
    PLACE,
    READING_SCHEDULE,
    SCHEDULE,
    START,
    TRANSACTION,
)

_FIRST = ("PingURL", "GetMethods", "RequestRegistrationID", "RegisterForService")
_DISCOVERIES = (
    *("GetAMRSupportedMeters", "GetCDSupportedMeters", "GetAllOutageDetectionDevices", "GetSupportedFieldNames"),
    *("GetSupportedReadingTypes", "GetMeterGroups", "GetMeterGroupNames", "GetDomainNames"),
    *("GetSchedules", "GetReadingSchedules", "GetPublishMethods"),
)
_MAKE = ("Add", "Establish", "Insert", "Shipment", "Enable", "ChangedNotification", "Opened")
_END = ("Disable", "Cancel", "Remove", "Retire", "Closed", "Delete")

PUBLISHED: Mapping[str, str] = {
    "MR_Server": "ReadingChangedNotification",
    "CD_Server": "CDStateChangedNotification",
    "OD_Server": "ODEventNotification",
}
"""Server → a notification of its own that one can register for."""

MADE_UP: Mapping[str, str] = {
    METER: "SELFTEST-1",
    NEW_METER: "SELFTEST-2",
    PLACE: "SELFTEST-SL",
    ACCOUNT: "SELFTEST-AC",
    CUSTOMER: "SELFTEST-CU",
    DEVICE: "SELFTEST-CD",
}
"""What notifications of master data are about: nothing that a utility has."""

OWN: Mapping[str, str] = {
    GROUP: "SELFTEST-GROUP",
    READING_SCHEDULE: "SELFTEST-READS",
    SCHEDULE: "SELFTEST-TIMES",
    MONITORING: "SELFTEST-ITEM",
    CONFIGURATION: "SELFTEST-CONFIGURATION",
}
"""Names of groups, schedules and monitorings that a self-test makes and forgets again."""

SHORT_EXPIRATION = timedelta(hours=1)
"""How long a deferred request of a self-test may stay open."""


def acts(operation: str) -> bool:
    """Whether an operation has an effect beyond its answer."""
    return operation != "PingURL" and not operation.startswith(("Get", "Is", "Display"))


def calling_order(operations: Iterable[str]) -> list[str]:
    """The operations as they are called: what is made first, then asked, then ended."""
    return sorted(operations, key=lambda name: (_stage(name), name))


def _stage(name: str) -> tuple[int, int]:
    if name in _FIRST:
        return 0, _FIRST.index(name)
    if name in _DISCOVERIES:
        return 1, _DISCOVERIES.index(name)
    if not acts(name):
        return 4, 0
    if name == "UnregisterForService":
        return 6, 0
    if name == "MeterAddNotification":
        return 2, -1
    for place, word in enumerate(_END):
        if name.startswith(word) or f"{word}Notification" in name:
            return 5, place
    for place, word in enumerate(_MAKE):
        if word in name and not name.startswith("Initiate"):
            return 2, place
    return 3, int(not name.startswith("Initiate"))


def subjects_for(operation: str, service: str, version: str, known: Mapping[str, str], transaction: str) -> dict[str, str]:
    """What an operation's example is about: what is known, and what this operation alone wants otherwise."""
    own = {TRANSACTION: transaction, METHOD: PUBLISHED.get(service, "")}
    if version == "3.0":
        # 3.0 names events by phrases of an enumeration, not by codes.
        own[EVENT] = ""
    if operation == "InitiatePlannedOutage":
        own[END] = known.get(AHEAD, "")
    if operation.endswith("Notification"):
        own.update(MADE_UP)
    if operation in {"EndDeviceShipmentNotification", "MeterRemoveNotification"}:
        # The meter that comes by exchange has been shipped before, and is removed after it.
        own[METER] = MADE_UP[NEW_METER]
    return {**known, **{subject: text for subject, text in own.items() if text}}


def period(now: datetime, days: int) -> dict[str, str]:
    """The subjects of time: the last `days` days, and an hour from now."""
    return {START: (now - timedelta(days=days)).isoformat(), END: now.isoformat(), AHEAD: (now + SHORT_EXPIRATION).isoformat()}
