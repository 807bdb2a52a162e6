"""Bad habits: each is put right where a partner is tolerated it, and refused where it is not."""

from datetime import UTC, datetime

import pytest
from lxml import etree

from headend.model.habits import COMMON_HABITS, Habit
from multispeak.contract import load_contract
from multispeak.faults import RefusedCallError
from multispeak.odd_values import nearest_value, plain_timestamp
from multispeak.schema import MessageCheck

NOW = datetime(2026, 3, 3, 15, tzinfo=UTC)
CONTRACTS = {version: load_contract(version) for version in ("3.0", "4.1.6")}
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
CHECKS: dict[tuple[str, str], MessageCheck] = {}

PERIOD = "<startDate>2026-03-01T00:00:00Z</startDate><endDate>2026-03-02T00:00:00Z</endDate>"
TURNED = "<endDate>2026-03-02T00:00:00Z</endDate><startDate>2026-03-01T00:00:00Z</startDate>"
OD_REQUEST = "<meterNos><string>E1</string></meterNos>{}<transactionID>t</transactionID><expirationTime>60</expirationTime>"
OUTAGE = "<oEvents><outageEvent><{0}>x</{0}></outageEvent></oEvents>"
LOCATION = "<GMLLocation><g:coordinates>1,2</g:coordinates><g:coord><g:X>1</g:X></g:coord></GMLLocation>"
POINT = '<changedServiceLocations xmlns:g="gml_V4.1_Release"><serviceLocation>' + LOCATION + "</serviceLocation></changedServiceLocations>"

CASES = [
    (Habit.FOREIGN_ATTRIBUTES, "3.0", "MR_Server", "IsAMRMeter", '<meterNo colour="red">E1</meterNo>'),
    (Habit.FOREIGN_ELEMENTS, "3.0", "MR_Server", "IsAMRMeter", '<q:trace xmlns:q="urn:q"/><meterNo>E1</meterNo>'),
    (Habit.NIL, "3.0", "MR_Server", "GetLatestReadings", f'<lastReceived {XSI} xsi:nil="true"/>'),
    (Habit.LETTER_CASE, "3.0", "MR_Server", "IsAMRMeter", "<MeterNO>E1</MeterNO>"),
    (Habit.LETTER_CASE, "4.1.6", "MR_Server", "IsAMRMeter", '<meterID serviceType="ELECTRIC">E1</meterID>'),
    (Habit.LETTER_CASE, "4.1.6", "MR_Server", "IsAMRMeter", '<meterID MeterNo="E1">E1</meterID>'),
    (
        Habit.LETTER_CASE,
        "3.0",
        "MR_Server",
        "InitiateMeterReadByMeterNumber",
        "<meterNos><string>E1</string></meterNos><transactionId>t</transactionId><expirationTime>60</expirationTime>",
    ),
    (Habit.PLURAL, "3.0", "OD_Server", "OutageEventChangedNotification", OUTAGE.format("comment")),
    (Habit.ORDER, "3.0", "MR_Server", "GetReadingsByDate", TURNED),
    (Habit.BOTH_CHOICES, "4.1.6", "MR_Server", "ServiceLocationChangedNotification", POINT),
    (Habit.TIMESTAMPS, "3.0", "MR_Server", "GetReadingsByDate", PERIOD.replace("2026-03-02T00:00:00Z", "2026-03-09T053947PM-5")),
    (Habit.MISSING_PARAMETERS, "3.0", "OD_Server", "InitiateOutageDetectionEventRequest", OD_REQUEST.format("")),
    (Habit.MISSING_PARAMETERS, "3.0", "OD_Server", "InitiateOutageDetectionEventRequest", OD_REQUEST.format("<requestDate/>")),
    (
        Habit.MISSING_PARAMETERS,
        "3.0",
        "MR_Server",
        "InitiateMeterReadByObject",
        "<objectName>SP1</objectName><nounType>serviceLocation</nounType>",
    ),
    (Habit.MISSPELT_VALUES, "4.1.6", "MR_Server", "IsAMRMeter", '<meterID serviceType="ELECTIC">E1</meterID>'),
]


def check(version: str, service: str, operation: str, inside: str, habits: frozenset[Habit]) -> etree._Element:
    contract = CONTRACTS[version]
    if (version, service) not in CHECKS:
        CHECKS[version, service] = MessageCheck(contract, contract.services[service])
    message = etree.fromstring(f'<{operation} xmlns="{contract.namespace}">{inside}</{operation}>')
    CHECKS[version, service].require_valid(message, habits, lambda: NOW)
    return message


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[1]}-{c[3]}")
def test_each_habit_is_a_switch_of_its_own(case: tuple[Habit, str, str, str, str]) -> None:
    habit, version, service, operation, inside = case
    check(version, service, operation, inside, COMMON_HABITS | {habit})
    check(version, service, operation, inside, frozenset({habit}))
    # A name that is not recognized would go as a foreign one.
    others = frozenset(Habit) - {habit, Habit.FOREIGN_ATTRIBUTES, Habit.FOREIGN_ELEMENTS}
    for habits in (frozenset(), others):
        with pytest.raises(RefusedCallError):
            check(version, service, operation, inside, habits)


def test_all_of_them_are_tolerated_but_for_guesses() -> None:
    assert set(Habit) - COMMON_HABITS == {Habit.MISSPELT_VALUES}
    tested = {case[0] for case in CASES}
    # Those two are looked at elsewhere: SOAPAction is no part of the message, and an OLE date is a valid number.
    assert set(Habit) - tested == {Habit.SOAP_ACTION, Habit.OLE_EXPIRATION}


def test_what_was_left_out_is_filled_in_at_its_place() -> None:
    message = check("3.0", "OD_Server", "InitiateOutageDetectionEventRequest", OD_REQUEST.format(""), COMMON_HABITS)
    assert [(etree.QName(e).localname, e.text) for e in message[1:2]] == [("requestDate", "2026-03-03T15:00:00+00:00")]
    inside = "<objectName>SP1</objectName>"
    message = check("3.0", "MR_Server", "InitiateMeterReadByObject", inside, COMMON_HABITS)
    assert [(etree.QName(e).localname, e.text) for e in message] == [
        ("objectName", "SP1"),
        ("PhaseCode", "Unknown"),
        ("expirationTime", "0"),
    ]


def test_the_first_branch_of_a_choice_counts() -> None:
    message = check("4.1.6", "MR_Server", "ServiceLocationChangedNotification", POINT, COMMON_HABITS)
    assert [etree.QName(e).localname for e in message.iter("{gml_V4.1_Release}*")] == ["coordinates"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2017-10-09T053947PM-5", "2017-10-09T17:39:47-05:00"),
        ("2017-10-09T120000AM+0530", "2017-10-09T00:00:00+05:30"),
        ("2017-10-09 12:00 pm", "2017-10-09T12:00:00"),
        ("2017-10-09T17:39:47.25-0500", "2017-10-09T17:39:47.25-05:00"),
        ("2017-10-09 17:39:47z", "2017-10-09T17:39:47Z"),
        ("2017-10-09T173947PM", "2017-10-09T173947PM"),
        ("10/09/2017 5:39 PM", "10/09/2017 5:39 PM"),
        ("soon", "soon"),
        ("", ""),
    ],
)
def test_timestamps_whose_meaning_is_plain(text: str, meant: str) -> None:
    assert plain_timestamp(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [("Electic", "Electric"), ("Elecctric", "Electric"), ("Gaz", "Gas"), ("Ga", "Ga"), ("Electrics", "Electric"), ("Xyz", "Xyz")],
)
def test_the_only_value_one_letter_away(text: str, meant: str) -> None:
    assert nearest_value(text, ("Electric", "Gas", "Water")) == meant


def test_two_values_one_letter_away_are_a_guess() -> None:
    assert nearest_value("Enabe", ("Enable", "Enabel")) == "Enabe"
