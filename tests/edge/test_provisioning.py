"""Shipment and customer files: what is read, and what is said of rows that are not."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headend.model.endpoint import Commodity, NativeAddress, Transport
from headend.provisioning import ImportRefusedError, read_customers, read_shipment
from headend.provisioning_rows import FileFormat, ProvisioningFileError

KEY = "000102030405060708090a0b0c0d0e0f"
HEADER = "meter_no,serial_no,model,configuration,ap_title,key_id,key,router,transport,host,port"
GOOD = f"E0001,S1,alpha,residential,.100.1,2,{KEY},north,udp,127.0.0.1,1153"
CUSTOMERS = (
    "account_no,name,phone,email,service_point_no,commodity,address_line,city,state,postal_code,bill_cycle,"
    "latitude,longitude,meter_no,started,ended"
)
CUSTOMER = 'A1,"Doe, Jane",555-0100,j@example.org,SP1,electric,1 Main,Springfield,IL,62701,C01,39.8,-89.6,E0001,2026-01-01T00:00:00-06:00,'


def shipment(*lines: str, header: str = HEADER):
    return read_shipment("\n".join((header, *lines)).encode(), FileFormat.CSV)


def reasons(file) -> list[str]:
    assert file.bad_rows == len(file.problems)
    return [str(problem) for problem in file.problems]


def test_a_shipment_line_is_an_item():
    (item,) = shipment(GOOD).items
    assert (item.meter_no, item.serial_no, item.model) == ("E0001", "S1", "alpha")
    assert (item.configuration, item.ap_title) == ("residential", ".100.1")
    assert (item.key_id, item.key, item.router) == (2, bytes(range(16)), "north")
    assert item.address == NativeAddress(Transport.UDP, "127.0.0.1", 1153)


def test_one_that_will_register_has_no_address():
    (item,) = shipment(GOOD.replace("127.0.0.1,1153", ",")).items
    assert item.address is None
    (problem,) = reasons(shipment(GOOD.replace("127.0.0.1,1153", ",1153")))
    assert "host is missing" in problem


def test_json_and_csv_say_the_same():
    row = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | {"key_id": 2, "port": 1153}
    text = json.dumps([row], indent=1).encode()
    assert read_shipment(text, FileFormat.JSON).items == shipment(GOOD).items
    assert read_shipment(b"\xef\xbb\xbf" + text, FileFormat.JSON).items == shipment(GOOD).items


def test_column_names_are_read_leniently_and_unknown_ones_passed_over():
    header = HEADER.replace("meter_no", "Meter No").replace("ap_title", "AP-Title") + ",colour"
    assert shipment(GOOD + ",red", header=header).items == shipment(GOOD).items


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (0, "", "meter_no is missing"),
        (3, "toaster", "configuration 'toaster' is none of"),
        (4, "", "ap_title is missing"),
        (4, "100..x", "ap_title '100..x':"),
        (5, "256", "key_id '256' is not a number from 0 to 255"),
        (5, "²", "key_id '²' is not a number"),
        (6, "", "key is missing"),
        (6, "00010203", "key is not 32 hexadecimal digits"),
        (8, "pigeon", "transport 'pigeon' is none of udp, tcp"),
        (9, "", "host is missing"),
        (10, "0", "port '0' is not a number from 1 to 65535"),
        (10, "65536", "port '65536' is not a number"),
        (2, "x" * 300, "model has 300 characters"),
        (2, "a\x07b", "model has control characters"),
    ],
)
def test_a_bad_field_is_named_with_its_line_and_the_others_are_kept(field, value, reason):
    cells = GOOD.split(",")
    cells[field] = value
    other = GOOD.replace("E0001", "E0002").replace(".100.1,", ".100.2,")
    file = shipment(",".join(cells), other)
    assert [item.meter_no for item in file.items] == ["E0002"]
    (problem,) = reasons(file)
    assert problem.startswith("line 2: ")
    assert reason in problem


def test_a_key_is_never_shown():
    wrong = "zz" + KEY[2:]
    file = shipment(GOOD.replace(KEY, wrong))
    assert wrong not in "".join(reasons(file))
    with pytest.raises(ImportRefusedError) as refused:
        file.accepted(all_or_nothing=True)
    assert KEY[2:] not in str(refused.value)
    assert KEY not in repr(shipment(GOOD))


def test_all_or_nothing_refuses_and_good_ones_are_accepted():
    file = shipment(GOOD, "short,line")
    assert len(file.accepted(all_or_nothing=False)) == 1
    with pytest.raises(ImportRefusedError, match="line 3: has 2 fields where the header has 11"):
        file.accepted(all_or_nothing=True)
    assert shipment(GOOD).accepted(all_or_nothing=True)


def test_doubles_are_named_with_the_first_line():
    file = shipment(GOOD, GOOD, GOOD.replace("E0001", "E0002"))
    assert reasons(file) == [
        "line 3: meter_no 'E0001' is on line 2 already",
        "line 4: ap_title '.100.1' is on line 2 already",
    ]


def test_a_line_with_broken_octets_or_quotes_does_not_take_the_others():
    text = "\n".join((HEADER, GOOD, GOOD.replace("E0001", "E0\xff02"), 'E0003,"x"y,')).encode("latin-1")
    file = read_shipment(text, FileFormat.CSV)
    assert [item.meter_no for item in file.items] == ["E0001"]
    assert [problem.line for problem in file.problems] == [3, 4]
    assert "not UTF-8" in file.problems[0].reason
    assert "is not CSV" in file.problems[1].reason


def test_a_quoted_line_break_does_not_shift_line_numbers():
    file = shipment(GOOD.replace("S1", '"S\n1"'), "short", GOOD)
    assert [problem.line for problem in file.problems] == [2, 4]
    assert len(file.items) == 1


@pytest.mark.parametrize(
    ("octets", "file_format", "reason"),
    [
        (b"", FileFormat.CSV, "the file is empty"),
        (b"a,b\n1,2\n", FileFormat.CSV, "line 1: the first line names none of the columns"),
        (b"meter_no,Meter No\n", FileFormat.CSV, "line 1: columns named twice: meter_no"),
        (b"", FileFormat.JSON, "line 1: JSON is to be one list"),
        (b'\n{"meter_no": "E1"}', FileFormat.JSON, "line 2: JSON is to be one list"),
    ],
)
def test_a_file_of_which_nothing_can_be_used_says_why(octets, file_format, reason):
    with pytest.raises(ProvisioningFileError, match=reason):
        read_shipment(octets, file_format)


def test_json_rows_are_named_by_the_line_they_begin_on():
    row = json.dumps(dict(zip(HEADER.split(","), GOOD.split(","), strict=True)))
    file = read_shipment(f'[{row},\n\n 7,\n{{"meter_no": {{}}}}, {{"meter_no" 1'.encode(), FileFormat.JSON)
    assert len(file.items) == 1
    assert reasons(file) == [
        "line 3: is not an object",
        "line 4: meter_no is neither text nor a number",
        "line 4: is not JSON: Expecting ':' delimiter; nothing after it is read",
    ]


def test_json_nested_past_all_depth_is_a_problem():
    file = read_shipment(b"[" + b"[" * 200_000, FileFormat.JSON)
    assert reasons(file) == ["line 1: is nested too deeply; nothing after it is read"]


def test_a_customer_line_is_account_service_point_and_installation():
    (item,) = read_customers(f"{CUSTOMERS}\n{CUSTOMER}\n".encode(), FileFormat.CSV).items
    assert (item.customer.account_no, item.customer.name) == ("A1", "Doe, Jane")
    assert item.service_point.commodity is Commodity.ELECTRIC
    assert (item.service_point.latitude, item.service_point.bill_cycle) == (39.8, "C01")
    assert item.installation is not None
    assert item.installation.started == datetime(2026, 1, 1, 6, tzinfo=UTC)
    assert item.installation.ended is None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("electric", "steam", "commodity 'steam' is none of"),
        ("39.8", "139.8", "latitude '139.8' is not a number of degrees from -90 to 90"),
        ("39.8", "nan", "latitude 'nan' is not"),
        ("2026-01-01T00:00:00-06:00", "2026-01-01", "has no offset from UTC"),
        ("2026-01-01T00:00:00-06:00", "soon", "started 'soon' is not an ISO 8601"),
        ("2026-01-01T00:00:00-06:00", "9999-12-31T23:59:59-06:00", "is out of range"),
        ("2026-01-01T00:00:00-06:00,", "2026-01-01T00:00:00-06:00,2025-01-01T00:00:00Z", "ended is not after started"),
        ("A1", "", "account_no is missing"),
        ("SP1", "", "service_point_no is missing"),
    ],
)
def test_what_is_wrong_with_a_customer_line_is_said(old, new, reason):
    file = read_customers(f"{CUSTOMERS}\n{CUSTOMER.replace(old, new, 1)}\n".encode(), FileFormat.CSV)
    assert not file.items
    (problem,) = reasons(file)
    assert reason in problem


def test_a_service_point_without_a_meter_and_one_with_two_accounts():
    bare = CUSTOMER.replace("E0001,2026-01-01T00:00:00-06:00", ",")
    file = read_customers(f"{CUSTOMERS}\n{bare}\n{bare.replace('A1', 'A2')}\n".encode(), FileFormat.CSV)
    assert [item.installation for item in file.items] == [None]
    assert reasons(file) == ["line 3: service_point_no 'SP1' has account 'A1' on line 2"]


@pytest.mark.parametrize(
    ("name", "octets", "found"), [("a.JSON", b"", "json"), ("a.csv", b"[", "csv"), ("a", b" [", "json"), ("a", b"meter", "csv")]
)
def test_the_format_is_told_by_name_else_by_content(name, octets, found):
    assert FileFormat.of(name, octets) == found


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(FileFormat), st.booleans())
def test_any_octets_are_items_and_problems_or_one_clear_error(octets, file_format, with_header):
    text = HEADER.encode() + b"\n" + octets if with_header and file_format is FileFormat.CSV else octets
    for read in (read_shipment, read_customers):
        try:
            file = read(text, file_format)
        except ProvisioningFileError as error:
            assert str(error)  # noqa: PT017
        else:
            assert file.bad_rows >= len(file.problems)
