"""Values of example messages: what stands in a member by its name, so that an example reads like a message of a real utility.

Members that mean the same thing have one subject, whose value whoever makes examples may replace: a meter that there is, a period.
"""

from collections.abc import Mapping

METER, NEW_METER, GROUP = "meter", "new meter", "meter group"
PLACE, ACCOUNT, CUSTOMER, CYCLE = "service location", "account", "customer", "bill cycle"
START, END, AHEAD = "start", "end", "ahead"
DEVICE, METHOD = "device", "method"
FIELD_NAME, READING_TYPE, EVENT, DOMAIN = "field name", "reading type", "event", "domain"
TRANSACTION, RESPONSE_URL, REGISTRATION, SESSION = "transaction", "response URL", "registration", "session"
READING_SCHEDULE, SCHEDULE, MONITORING, CONFIGURATION = "reading schedule", "schedule", "monitoring item", "configuration group"

SUBJECTS: Mapping[str, str] = {
    METER: "100200300",
    NEW_METER: "100200399",
    GROUP: "north-feeder",
    PLACE: "SL-1001",
    ACCOUNT: "AC-1001",
    CUSTOMER: "CU-1001",
    CYCLE: "07",
    START: "2026-03-01T00:00:00-06:00",
    END: "2026-03-02T00:00:00-06:00",
    AHEAD: "2026-03-02T18:00:00-06:00",
    FIELD_NAME: "posKWh",
    READING_TYPE: "Register",
    EVENT: "3.26.0.47",
    DOMAIN: "serviceType",
    DEVICE: "CD-1001",
    METHOD: "ReadingChangedNotification",
    TRANSACTION: "T-2026-0042",
    RESPONSE_URL: "https://cis.example/multispeak/callback",
    REGISTRATION: "6f1f6a0e-7d0c-4f0e-9d55-2f7f0b6f3a11",
    SESSION: "",
    READING_SCHEDULE: "daily-0600",
    SCHEDULE: "daily",
    MONITORING: "MI-1",
    CONFIGURATION: "time-of-use",
}
"""Subject → value, where nothing else is said."""

_NAMES: Mapping[str, tuple[str, ...]] = {
    METER: (
        *("meterNo", "meterNos", "meterNumber", "meterNumbers", "meterID", "electricMeterID", "gasMeterID", "waterMeterID"),
        *("deviceID", "outageDetectDeviceID", "outageDetectionDeviceID"),
    ),
    GROUP: ("meterGroupID", "meterGroupName", "groupName"),
    PLACE: ("servLoc", "servLocID", "serviceLocationID", "facilityName"),
    ACCOUNT: ("accountNumber",),
    CUSTOMER: ("custID", "customerID"),
    CYCLE: ("billingCycle",),
    START: ("startDate", "profileStartDate", "profileDate", "startTime", "intervalStart", "effectiveDate", "date"),
    END: ("endDate", "profileEndDate", "billingDate", "endTime", "requestDate", "timeStamp", "dateTime", "readingDate", "eventTime"),
    AHEAD: ("timeToRead",),
    FIELD_NAME: ("fieldName", "fieldNames"),
    READING_TYPE: ("readingType",),
    EVENT: ("meterEvent", "eventCode", "codeString"),
    DOMAIN: ("domainName",),
    METHOD: ("methodName",),
    TRANSACTION: ("transactionID",),
    RESPONSE_URL: ("responseURL",),
    REGISTRATION: ("registrationID",),
    SESSION: ("previousSessionID",),
    READING_SCHEDULE: ("readingScheduleID",),
    SCHEDULE: ("scheduleID",),
    MONITORING: ("monitoringItemObjectID",),
    CONFIGURATION: ("configurationGroupID",),
}

SUBJECT_OF: Mapping[str, str] = {name: subject for subject, names in _NAMES.items() for name in names} | {"objectName": METER}
"""Member → what its value is of."""

OBJECT_SUBJECTS: Mapping[str, str] = {
    "meter": METER,
    "electricMeter": METER,
    "gasMeter": METER,
    "waterMeter": METER,
    "CDDevice": DEVICE,
    "CDDeviceExchange": DEVICE,
    "objectRef": METER,
    "outageDetectionDevice": METER,
    "serviceLocation": PLACE,
    "account": ACCOUNT,
    "customer": CUSTOMER,
    "meterGroup": GROUP,
    "readingSchedule": READING_SCHEDULE,
    "schedule": SCHEDULE,
    "eventMonitoringItem": MONITORING,
    "thresholdMonitoringItem": MONITORING,
}
"""Type of an object → what its objectID is of."""

TEXTS: Mapping[str, str] = {
    "lastReceived": "",
    "formattedBlockTemplateName": "",
    "nounType": "meter",
    "periodicity": "60",
    "kWhLookBack": "3",
    "kWLookBack": "30",
    "kWLookForward": "0",
    "expirationTime": "3600",
    "expTime": "60",
    "uomData": "kWh",
    "manufacturer": "Example Meters",
    "serialNumber": "S-100200300",
    "meterType": "Electric",
    "meterCommAddress": ".100.17",
    "lastName": "Nguyen",
    "firstName": "Ann",
    "servAddr1": "12 Elm St",
    "servCity": "Ames",
    "servState": "IA",
    "servZip": "50010",
    "address1": "12 Elm St",
    "city": "Ames",
    "state": "IA",
    "postalCode": "50010",
    "readingTypeCode": "posKWh",
    "posKWh": "12345",
    "negKWh": "0",
    "value": "12345.678",
    "name": "delivered energy",
    "separator": ",",
    "contentNounType": "meterReading",
    "statusDelimiter": ",",
    "intervalDelimiter": ",",
    "intervalLength": "60",
    "channelIndex": "1",
    "index": "1",
    "idx": "1",
    "d": "0.512,0.498,,0.731",
    "cS": "0,0,NOT_COLLECTED,0",
    "profileID": "1",
    "reading": "12345.678",
    "logTime": "2026-03-02T00:00:00-06:00",
    "responseUserID": "headend",
    "responsePwd": "the-word-you-expect",
    "MSFunction": "CB_Server",
    "maximumRuntime": "3600",
    "offset": "0",
    "period": "86400",
    "loadActionCode": "Connect",
    "feeder": "F-12",
    "substationCode": "SUB-3",
    "comment": "",
    "meterStatus": "Active",
    "units": "kWh",
}
"""Member → text, where it has no subject."""

PARTS = {
    *("meterList", "meterRefList", "meterGroupList", "absoluteTimeSchedule", "readingValues", "methodsList", "valSyntax", "valueList"),
    *("meterID", "meterIdentifier", "stateChange", "eventList", "eventInstances", "eventinstances", "profiles", "blocks", "channels", "dB"),
    *("chs", "endReadingList", "serviceAddress", "electricServiceList", "electricMeterID", "utilityInfo", "meterLocation"),
    *("electricLocationFields", "receivedMeters", "receivedElectricMeters", "associatedMetersList", "electricMeters"),
    *("electricMeterExchanges", "outMeterReading", "inMeterReading", "oldMeter", "newMeter", "outageLocation", "meterStatusList"),
    *("originalMeter", "replacementMeter", "messageList", "area", "problemLocation", "effectiveWindow", "isEnabled"),
}
"""Members that are objects or lists and worth showing among many others."""

COMES_IN = {"inMeterRead", "inMeterReading"}
"""Members of an exchange that are of the meter that comes."""

PREFERRED_VALUES = {
    *("Electric", "kWh", "Meter", "InService", "Connect", "Closed", "Restoration", "Primary power down", "Current", "Minutes", "A"),
    *("Register", "Release", "feet", "delivered", "Active"),
}
"""Values of enumerations that examples take where they may; else the contract's first."""

ROWS: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "syntaxItem": (
        {"fieldName": "meterNo", "position": "0", "uom": ""},
        {"fieldName": "posKWh", "position": "1", "uom": "kWh"},
        {"fieldName": "posKWhDateTime", "position": "2", "uom": "Date time"},
    ),
}
"""Item of a list → its objects, where one alone would make no sense."""

ROW_TEXT = "{meter},12345.678,{end}"
"""A row of a formattedBlock, as the syntax items above announce it."""
