"""What valid answers of a server tell of it: a meter that it has, its field names, the id it gave, for the requests that follow. Pure."""

from collections.abc import Mapping

from lxml import etree

from multispeak.example_values import (
    ACCOUNT,
    CONFIGURATION,
    CYCLE,
    DOMAIN,
    EVENT,
    FIELD_NAME,
    METER,
    PLACE,
    READING_SCHEDULE,
    READING_TYPE,
    REGISTRATION,
    SCHEDULE,
    SUBJECTS,
)

_ELEMENTS: Mapping[str, tuple[str, ...]] = {
    METER: ("meterNo", "meterID"),
    PLACE: ("servLoc", "serviceLocationID"),
    ACCOUNT: ("accountNumber",),
    CYCLE: ("billingCycle",),
}
"""Subject → elements whose text names one, in lists of meters."""

_LISTS: Mapping[str, str] = {
    "GetSupportedFieldNames": FIELD_NAME,
    "GetSupportedReadingTypes": READING_TYPE,
    "GetDomainNames": DOMAIN,
    "GetConfigurationGroupNames": CONFIGURATION,
}
_OBJECT_IDS: Mapping[str, str] = {"GetSchedules": SCHEDULE, "GetReadingSchedules": READING_SCHEDULE}
_METERS = {"GetAMRSupportedMeters", "GetCDSupportedMeters", "GetAllOutageDetectionDevices", "GetLatestReadings"}


def learned(operation: str, body: etree._Element, known: Mapping[str, str]) -> dict[str, str]:
    """Subjects that the answer to an operation tells, beyond what is known."""
    found: dict[str, str] = {}
    if operation in _METERS:
        found = {subject: text for subject, names in _ELEMENTS.items() if (text := _first_text(body, names))}
    elif operation == "RequestRegistrationID":
        return {REGISTRATION: text} if (text := _first_text(body, ("RequestRegistrationIDResult",))) else {}
    elif operation in _LISTS:
        names = [e.text or "" for e in body.iter("{*}string")]
        usual = SUBJECTS[_LISTS[operation]]
        found = {_LISTS[operation]: usual if usual in names else names[0]} if names else {}
    elif operation in _OBJECT_IDS and len(body):
        found = {_OBJECT_IDS[operation]: body[0][0].get("objectID", "")} if len(body[0]) else {}
    elif operation == "GetSupportedMeterEventCodes":
        found = {EVENT: code} if (code := next((c for e in body.iter("{*}meterEvent") if (c := e.get("codeString"))), "")) else {}
    return {subject: text for subject, text in found.items() if text and subject not in known}


def advertised(body: etree._Element) -> frozenset[str]:
    """The names that an answer to GetMethods lists."""
    return frozenset((e.text or "").strip() for e in body.iter("{*}string"))


def _first_text(body: etree._Element, names: tuple[str, ...]) -> str:
    for name in names:
        for element in body.iter("{*}" + name):
            text = (element.get("meterNo") or element.text or "").strip()
            if text:
                return text
    return ""
