"""Readers and writers compiled from the contracts: what is written is valid, and reads back the same."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from headend.model.habits import COMMON_HABITS
from multispeak.contract import Contract, TypeDef, load_contract
from multispeak.faults import RefusedCallError
from multispeak.limits import REPAIRS_MAX
from multispeak.readers import Readers
from multispeak.records import Record, Records, fields_of
from multispeak.schema import MessageCheck, compile_schema
from multispeak.unheld_values import require_held
from multispeak.writers import Writers, escape
from multispeak.xml_values import (
    UnreadableValueError,
    read_date,
    read_date_time,
    write_boolean,
    write_date_time,
    write_decimal,
    write_float,
)
from tests.fakes.soap_world import NOW
from wsdl import VERSIONS

CONTRACTS = {version: load_contract(version) for version in VERSIONS}
RECORDS = {version: Records(contract) for version, contract in CONTRACTS.items()}
WRITERS = {version: Writers(CONTRACTS[version], RECORDS[version]) for version in VERSIONS}
READERS = {version: Readers(CONTRACTS[version], RECORDS[version]) for version in VERSIONS}

SAMPLES = {
    "string": "a & b <c> \"d\" 'e'",
    "dateTime": datetime(2026, 3, 1, 6, 30, 0, 250000, tzinfo=UTC),
    "date": read_date("2026-03-01"),
    "boolean": True,
    "float": 1.5,
    "double": -2.25,
    "decimal": Decimal("12.50"),
    "anyURI": "http://a/b",
    "QName": "xsi:type",
    "base64Binary": "AAAA",
    **dict.fromkeys(("integer", "int", "long", "unsignedInt", "unsignedByte"), 7),
}


def full(contract: Contract, records: Records, type_name: str, depth: int) -> object:
    """A value of a type with every member there, `depth` levels deep; None where none can be had."""
    kind = contract.types.get(type_name)
    if kind is None:
        return SAMPLES[type_name[3:]]
    if kind.simple:
        return kind.enum[0] if kind.enum else SAMPLES[contract.built_in(type_name)]
    if kind.abstract or depth == 0 or kind.particle:
        return None
    values = {}
    for field in fields_of(contract, type_name):
        value = full(contract, records, field.type_name, depth - 1)
        if value is not None:
            values[field.slot] = [value, value] if field.many else value
        elif field.element is not None and field.element.low:
            return None
    return records[type_name](**values)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_type_survives_writing_and_reading_full_and_empty(version: str) -> None:
    contract, records = CONTRACTS[version], RECORDS[version]
    tried = 0
    for kind in contract.types.values():
        for value in (full(contract, records, kind.name, 3), None if kind.simple else records[kind.name]()):
            if isinstance(value, Record) and "text" in value.__slots__ and contract.built_in(kind.name) != "string":
                value.text = SAMPLES[contract.built_in(kind.name)]
            if value is not None and not kind.abstract:
                text = WRITERS[version].of(kind.name)(value, "x")
                element = etree.fromstring(f"<r{WRITERS[version].namespaces}>{text}</r>")[0]
                read = READERS[version].of(kind.name)(element)
                if isinstance(value, Record) and "text" in value.__slots__ and value.text is None:
                    read.text = None
                assert read == value, kind.name
                tried += 1
    assert tried > len(contract.types)


@pytest.mark.parametrize("version", VERSIONS)
def test_messages_with_every_member_are_valid(version: str) -> None:
    contract = CONTRACTS[version]
    service = contract.services["MR_Server"]
    schema = compile_schema(contract, service)
    tried = 0
    for operation in service.operations.values():
        for name, members in ((operation.name, operation.request), (operation.name + "Response", operation.response)):
            values = [full(contract, RECORDS[version], m.type_name, 4) for m in members]
            if any(v is None and m.low for v, m in zip(values, members, strict=True)):
                continue
            text = WRITERS[version].message(TypeDef(name, simple=False, elements=members))(values)
            assert schema.validate(etree.fromstring(text)), f"{name}: {schema.error_log}"
            tried += 1
    assert tried > 1.9 * len(service.operations)


def test_a_subtype_is_written_with_its_type_and_read_back_as_such() -> None:
    contract, records, writers = CONTRACTS["3.0"], RECORDS["3.0"], WRITERS["3.0"]
    name, subtype = next(
        (n, kinds[0]) for n, kinds in contract.derived.items() if n in contract.types and n != "mspObject" and kinds[0] in contract.types
    )
    value = records[subtype]()
    text = writers.of(name)(value, "x")
    assert f'xsi:type="{subtype}"' in text
    element = etree.fromstring(f"<r{writers.namespaces}>{text}</r>")[0]
    assert type(READERS["3.0"].of(name)(element)) is records[subtype]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_carried_or_marked(content: str, attribute: str) -> None:
    record = RECORDS["4.1.6"]["meterID"](text=content, meterNo=attribute)
    text = WRITERS["4.1.6"].of("meterID")(record, "meterID")
    read = READERS["4.1.6"].of("meterID")(etree.fromstring(f"<r{WRITERS['4.1.6'].namespaces}>{text}</r>")[0])
    assert read.text == etree.fromstring(f"<a>{escape(content)}</a>").text or (read.text == "" and not content)
    for sent, received in ((content, read.text), (attribute, read.meterNo)):
        assert len(sent) == len(received)
        assert all(a == b or b == "\ufffd" for a, b in zip(sent, received, strict=True))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-03-01T06:00:00Z", datetime(2026, 3, 1, 6, tzinfo=UTC)),
        (" 2026-03-01T06:00:00.1234567-06:00 ", datetime.fromisoformat("2026-03-01T06:00:00.123456-06:00")),
        ("2026-03-01T06:00:00", datetime(2026, 3, 1, 6)),  # noqa: DTZ001 - what a client may send
        ("2026-02-28T24:00:00.00Z", datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_date_times(text: str, value: datetime) -> None:
    assert read_date_time(text) == value


@pytest.mark.parametrize("text", ["2017-10-09T053947PM-5", "", "12026-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "9999-12-31T24:00:00Z"])
def test_date_times_that_are_none(text: str) -> None:
    with pytest.raises(UnreadableValueError, match="is not an xs:dateTime"):
        read_date_time(text)


def schedules_read(*times: str, number: str = "1") -> list[Any]:
    ns = CONTRACTS["3.0"].namespace
    listed = "".join(
        f'<schedule objectID="{i}"><absoluteTimeSchedule><timePoint><absoluteTime>{time}</absoluteTime>'
        f"<sequenceNumber>{number}</sequenceNumber></timePoint></absoluteTimeSchedule></schedule>"
        for i, time in enumerate(times)
    )
    read: list[Any] = READERS["3.0"].of("ArrayOfSchedule")(etree.fromstring(f'<a xmlns="{ns}">{listed}</a>')).schedule
    return read


def test_a_value_that_cannot_be_held_stays_in_its_object() -> None:
    good, bad, last = schedules_read("2026-03-01T06:00:00Z", "12026-03-01T06:00:00Z", "2026-03-02T06:00:00Z")
    require_held([good, last])
    with pytest.raises(UnreadableValueError, match="'12026-03-01T06:00:00Z' is not an xs:dateTime"):
        require_held(bad)
    value = bad.absoluteTimeSchedule.timePoint[0].absoluteTime
    assert repr(value) == "Unheld('12026-03-01T06:00:00Z')"
    for use in (bool, str, int, hash, list, lambda v: v.year, lambda v: v < 3, lambda v: v > 3, lambda v: v == 3, lambda v: f"{v}"):
        with pytest.raises(UnreadableValueError):
            use(value)
    (endless,) = schedules_read("2026-03-01T06:00:00Z", number="9" * 5_000)
    with pytest.raises(UnreadableValueError, match="is not an xs:"):
        require_held(endless)


def test_values_as_written() -> None:
    assert [write_float(v) for v in (1.5, float("inf"), float("-inf"), float("nan"))] == ["1.5", "INF", "-INF", "NaN"]
    assert [write_boolean(True), write_boolean(False)] == ["true", "false"]
    assert write_decimal(Decimal("1E+3")) == "1000"
    assert write_date_time(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00+00:00"


def test_records_hide_passwords_and_compare_by_value() -> None:
    details = RECORDS["3.0"]["registrationInfo"]
    assert "hush" not in repr(details(responseUserID="me", responsePwd="hush"))
    assert details(responseUserID="me") == details(responseUserID="me")
    assert details(responseUserID="me") != details(responseUserID="you")
    with pytest.raises(LookupError, match="no type nonsense"):
        RECORDS["3.0"]["nonsense"]


@pytest.mark.parametrize("hidden", ["<a>{}</a>", "<lastReceived>{}</lastReceived>"])
def test_an_invalid_message_of_many_elements_is_refused_as_it_came(hidden: str) -> None:
    contract = CONTRACTS["3.0"]
    check = MessageCheck(contract, contract.services["MR_Server"])
    body = hidden.format("<b/>" * REPAIRS_MAX)
    message = etree.fromstring(f'<GetLatestReadings xmlns="{contract.namespace}">{body}</GetLatestReadings>')
    with pytest.raises(RefusedCallError, match=r"line 1: Element"):
        check.require_valid(message, COMMON_HABITS, lambda: NOW)
    assert len(message[0]) == REPAIRS_MAX


def test_a_foreign_element_in_a_message_of_few_elements_is_dropped() -> None:
    contract = CONTRACTS["3.0"]
    check = MessageCheck(contract, contract.services["MR_Server"])
    message = etree.fromstring(f'<GetLatestReadings xmlns="{contract.namespace}"><a><b/></a></GetLatestReadings>')
    check.require_valid(message, COMMON_HABITS, lambda: NOW)
    assert len(message) == 0
