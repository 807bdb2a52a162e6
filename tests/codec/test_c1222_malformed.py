"""Octets that break the standard: each is refused with an error that names what and where, and nothing else is ever raised."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.c1222.acse import parse_any_apdu
from headend.c1222.epsem import split_services
from headend.c1222.errors import (
    BoundError,
    ElementError,
    KeyMissingError,
    LengthError,
    MissingElementError,
    ReservedValueError,
    SegmentError,
    TrailingOctetsError,
)
from headend.c1222.limits import APDU_OCTETS_MAX
from headend.c1222.message import Cipher, open_apdu, parse_apdu
from headend.c1222.responses import IdentifyReply, RegisterReply, decode_logon_reply, decode_resolve_reply, decode_trace_reply
from headend.c1222.services import decode_request, decode_response
from headend.c1222.stream import ApduStream
from headend.c1222.table_data import decode_table_data, decode_table_data_list
from headend.errors import ChecksumError, SecurityError, TruncatedError, WireError
from tests.codec.c1222_vectors import MESSAGES, SEGMENTS, VECTORS

CALLED = "a205800364c175"
CALLING = "a60480020104"
ID = "a803020164"
AUTHENTICATION = "ac0fa20da00ba10980010281046880c0de"
READ = "be09280781058003300040"


def wrap(*elements: str) -> bytes:
    content = bytes.fromhex("".join(elements))
    assert len(content) < 0x80
    return bytes((0x60, len(content))) + content


MALFORMED: list[tuple[str, bytes, type[WireError], str]] = [
    ("nothing", b"", TruncatedError, "octet 0"),
    ("another protocol", b"GET / HTTP/1.1", WireError, "octet 0: 47"),
    ("tag alone", b"\x60", TruncatedError, "octet 1"),
    ("indefinite length", bytes.fromhex("6080a20000"), LengthError, "octet 1: indefinite"),
    ("length of three octets", bytes.fromhex("6083000001a2"), LengthError, "3 octets"),
    ("length of one octet in two", bytes.fromhex("60811d") + wrap(CALLED, CALLING, ID, READ)[2:], LengthError, "not minimal"),
    ("length of two octets in three", bytes.fromhex("6082001d") + wrap(CALLED, CALLING, ID, READ)[2:], LengthError, "not minimal"),
    ("length cut", bytes.fromhex("608201"), TruncatedError, "octet 1"),
    ("content cut", wrap(CALLED, CALLING, ID, READ)[:-1], TruncatedError, "octet 2"),
    ("octets after", wrap(CALLED, CALLING, ID, READ) + b"\x60", TrailingOctetsError, "1 octets"),
    ("too long", b"\x60\x82" + (APDU_OCTETS_MAX).to_bytes(2) + bytes(APDU_OCTETS_MAX), BoundError, "APDU"),
    ("no elements", b"\x60\x00", MissingElementError, "user information"),
    ("no called title", wrap(CALLING, ID, READ), MissingElementError, "called AP title"),
    ("no calling title", wrap(CALLED, ID, READ), MissingElementError, "calling AP title"),
    ("no invocation id", wrap(CALLED, CALLING, READ), MissingElementError, "invocation id"),
    ("no user information", wrap(CALLED, CALLING, ID), MissingElementError, "user information"),
    ("no authentication value", wrap(CALLED, CALLING, ID, "be0d280b810984033000406bcf7281"), MissingElementError, "authentication value"),
    (
        "no key id",
        wrap(CALLED, CALLING, ID, "ac0ca20aa008a10681046880c0de", "be0d280b810984033000406bcf7281"),
        MissingElementError,
        "key id",
    ),
    ("elements out of order", wrap(CALLING, CALLED, ID, READ), ElementError, "A2 at octet 8: twice or out of order"),
    ("an element twice", wrap(CALLED, CALLED, CALLING, ID, READ), ElementError, "A2 at octet 9"),
    ("an unknown element", wrap(CALLED, "a50302", "0101", CALLING, ID, READ), ElementError, "A5 at octet 9: unknown"),
    ("another context", wrap("a1080606607c86f75402", CALLED, CALLING, ID, READ), ElementError, "A1 at octet 2"),
    ("another mechanism", wrap(CALLED, CALLING, ID, "8b03607c01", READ), ElementError, "8B at octet 20"),
    ("a title that is no identifier", wrap("a205040364c175", CALLING, ID, READ), ElementError, "A2 at octet 2"),
    ("two titles in one element", wrap("a2088003" + "64c175800101", CALLING, ID, READ), WireError, "A2 at octet 2"),
    ("a title that is cut", wrap("a204800264c1", CALLING, ID, READ), WireError, "cut"),
    ("an empty title", wrap("a2028000", CALLING, ID, READ), WireError, "empty"),
    ("a title with a needless octet", wrap("a20580038064" + "01", CALLING, ID, READ), WireError, "not minimal"),
    ("a title too long", wrap("a21b8019" + "01" * 25, CALLING, ID, READ), WireError, "25 octets"),
    ("an empty id", wrap(CALLED, CALLING, "a8020200", READ), ElementError, "A8 at octet 15"),
    ("an id that is not minimal", wrap(CALLED, CALLING, "a80402020001", READ), ElementError, "not minimal"),
    ("an id of six octets", wrap(CALLED, CALLING, "a8080206010000000000", READ), ElementError, "6 octets"),
    ("an id too large", wrap(CALLED, CALLING, "a8050203010000", READ), BoundError, "A8"),
    ("an id that is no integer", wrap(CALLED, CALLING, "a803040164", READ), ElementError, "A8 at octet 15"),
    ("an empty authentication value", wrap(CALLED, CALLING, ID, "ac00", READ), ElementError, "AC at octet 20"),
    ("another authentication value", wrap(CALLED, CALLING, ID, "ac06a204a002a000", READ), ElementError, "AC at octet 20"),
    ("user information empty", wrap(CALLED, CALLING, ID, "be00"), ElementError, "BE at octet 20"),
    ("user information that is no EXTERNAL", wrap(CALLED, CALLING, ID, "be0204" + "00"), ElementError, "BE at octet 20"),
    ("EXTERNAL empty", wrap(CALLED, CALLING, ID, "be022800"), ElementError, "BE at octet 20"),
    ("EXTERNAL with an offset, unsegmented", wrap(CALLED, CALLING, ID, "be08280602010081018" + "0"), ElementError, "BE at octet 20"),
    ("EXTERNAL shorter than its enclosure", wrap(CALLED, CALLING, ID, "be0828038101800000" + "00"), LengthError, "enclosure"),
    ("no EPSEM", wrap(CALLED, CALLING, ID, "be0428028100"), TruncatedError, "octet 26"),
    ("reserved bit of the control octet", wrap(CALLED, CALLING, ID, "be052803810100"), ReservedValueError, "EPSEM control"),
    ("reserved security mode", wrap(CALLED, CALLING, ID, AUTHENTICATION, "be05280381018c"), ReservedValueError, "security mode"),
    ("reserved response control", wrap(CALLED, CALLING, ID, "be052803810183"), ReservedValueError, "response control"),
    ("a segment that replies", wrap(CALLED, "a30302017fa403020101", CALLING, ID, READ), ElementError, "A4 at octet 14: in a segment"),
    ("a segment without its offset", wrap(CALLED, "a30302017f", CALLING, ID, READ), SegmentError, "octet 29"),
]


@pytest.mark.parametrize(("octets", "error", "words"), [m[1:] for m in MALFORMED], ids=[m[0] for m in MALFORMED])
def test_a_malformed_apdu_names_its_error(octets: bytes, error: type[WireError], words: str) -> None:
    with pytest.raises(error, match=words):
        parse_apdu(octets)


def test_what_the_malformed_ones_were_made_of_is_right() -> None:
    message = open_apdu(parse_apdu(wrap(CALLED, CALLING, ID, AUTHENTICATION, READ)), None)
    assert message.services == (bytes.fromhex("300040"),)
    assert message.key_id == 2


@pytest.mark.parametrize(
    ("epsem", "error", "words"),
    [
        ("80" + "05300040", TruncatedError, "5 octets wanted, 3 left"),
        ("80" + "81", TruncatedError, "2 octets wanted"),
        ("80" + "8103300040", LengthError, "not minimal"),
        ("80" + "0330004000" + "0120", TrailingOctetsError, "2 octets"),
        ("90" + "484555", TruncatedError, "4 octets wanted"),
        ("80" + "0120" * 129, BoundError, "services"),
    ],
    ids=["service cut", "length cut", "length not minimal", "services after the end", "class cut", "too many services"],
)
def test_malformed_services_name_their_error(epsem: str, error: type[WireError], words: str) -> None:
    content = bytes.fromhex(epsem)
    if len(content) < 100:
        user = f"be{len(content) + 4:02x}28{len(content) + 2:02x}81{len(content):02x}" + epsem
        octets = wrap(CALLED, CALLING, ID, user)
        with pytest.raises(error, match=words):
            open_apdu(parse_apdu(octets), None)
    else:
        with pytest.raises(error, match=words):
            split_services(content, 1)


def test_padding_after_the_services_is_no_service() -> None:
    assert split_services(bytes.fromhex("0120" + "000000")) == (b"\x20",)
    assert split_services(b"") == ()
    assert split_services(b"\x00") == ()


def test_a_secured_message_needs_a_key_and_a_code() -> None:
    secured = parse_apdu(VECTORS["full_read_st64_request_enc"].octets)
    with pytest.raises(KeyMissingError):
        open_apdu(secured, None)
    short = parse_apdu(wrap(CALLED, CALLING, ID, AUTHENTICATION, "be08280681048811" + "2233"))
    with pytest.raises(TruncatedError):
        open_apdu(short, Cipher(bytes(16)))
    with pytest.raises(SegmentError):
        open_apdu(parse_apdu(SEGMENTS[0].octets), Cipher(bytes(16)))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", TruncatedError),
        ("00", ReservedValueError),
        ("3000", TruncatedError),
        ("30000100", TrailingOctetsError),
        ("3f00400000", TruncatedError),
        ("39" + "0001" * 10, TruncatedError),
        ("4000400003010203", TruncatedError),
        ("400040000301020300", ChecksumError),
        ("24060b607c86", TruncatedError),
        ("240401" + "00", WireError),
        ("2406820001", LengthError),
        ("5000026865", TruncatedError),
        ("5153", TruncatedError),
        ("27203048455554", TruncatedError),
        ("26" + "0d0101" * 65, BoundError),
    ],
)
def test_a_malformed_request_names_its_error(body: str, error: type[WireError]) -> None:
    with pytest.raises(error):
        decode_request(bytes.fromhex(body))


@pytest.mark.parametrize(
    ("octets", "error"),
    [("", TruncatedError), ("0003", TruncatedError), ("000301" + "0d0101", ReservedValueError), ("0301000700", TruncatedError)],
)
def test_a_malformed_identification_names_its_error(octets: str, error: type[WireError]) -> None:
    with pytest.raises(error):
        IdentifyReply.decode(bytes.fromhex(octets))


CODECS = [
    parse_apdu,
    parse_any_apdu,
    decode_request,
    decode_response,
    decode_table_data,
    decode_table_data_list,
    decode_logon_reply,
    decode_resolve_reply,
    decode_trace_reply,
    IdentifyReply.decode,
    RegisterReply.decode,
    split_services,
    lambda octets: ApduStream().feed(octets),
]


@given(st.sampled_from(CODECS), st.binary(max_size=600))
def test_any_octets_decode_or_raise_wire_error(codec, octets):  # type: ignore[no-untyped-def]
    with suppress(WireError):
        codec(octets)


BODIES = [bytes.fromhex(body) for v in MESSAGES for body in v.decoded["services"]]
CIPHER = Cipher(bytes.fromhex("01020304050607080102030405060708"))


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Right octets with some of them changed, taken away or put in."""
    octets = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(octets) - 1, 0)))
        octets[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(octets)


@given(damaged(st.sampled_from([v.octets for v in [*MESSAGES, *SEGMENTS]])))
def test_damaged_messages_open_or_raise_wire_error_both_ways_alike(octets: bytes) -> None:
    try:
        thorough = parse_any_apdu(octets)
    except WireError as error:
        with pytest.raises(type(error)):
            parse_apdu(octets)
        return
    assert parse_apdu(octets) == thorough
    with suppress(WireError):
        open_apdu(thorough, CIPHER)


@given(damaged(st.sampled_from(BODIES)))
def test_damaged_services_decode_or_raise_wire_error(octets: bytes) -> None:
    with suppress(WireError):
        decode_request(octets)
    with suppress(WireError):
        decode_response(octets)


@given(st.binary(max_size=200), st.integers(0, 2))
def test_a_cipher_opens_nothing_forged(octets: bytes, mode: int) -> None:
    with pytest.raises(SecurityError):
        CIPHER.open(mode, bytes(range(40)), octets, b"\x00\x01\x02\x03")  # type: ignore[arg-type]
