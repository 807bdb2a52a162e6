"""Generated values survive encode and decode: messages in all modes, services, titles, table data, segments, streams."""

import random
from dataclasses import fields
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.c1222 import services
from headend.c1222.association import Association
from headend.c1222.errors import ApTitleError, BoundError, WeakerModeError
from headend.c1222.limits import AP_TITLE_OCTETS_MAX, SERVICES_MAX
from headend.c1222.message import (
    ApTitle,
    Cipher,
    Form,
    Message,
    ResponseControl,
    SecurityMode,
    encode_message,
    open_apdu,
    parse_apdu,
)
from headend.c1222.segmentation import Reassembler, split
from headend.c1222.stream import ApduStream
from headend.c1222.table_data import decode_table_data, decode_table_data_list, encode_table_data
from headend.errors import ChecksumError, RequestError, SecurityError, WireError
from tests.codec.c1222_vectors import VECTORS

NOW = datetime(2025, 7, 21, tzinfo=UTC)
KEY = bytes(range(16))
CIPHER = Cipher(KEY)

ARCS = st.lists(st.integers(0, 1 << 32), min_size=1, max_size=4)
RELATIVE = ARCS.map(lambda arcs: ApTitle.parse("".join(f".{arc}" for arc in arcs)))
ABSOLUTE_TEXTS = ["1.3.6.1.4.1.8072", "2.999.7", "0.0", "0.39.5", "2.16.124.113620.1.22", "2.16.124.113620.1.22.0"]
ABSOLUTE = st.sampled_from(ABSOLUTE_TEXTS).map(ApTitle.parse)
TITLES = RELATIVE | ABSOLUTE
BODIES = st.lists(st.binary(min_size=1, max_size=300), max_size=4).map(tuple)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    mode = draw(st.sampled_from(SecurityMode))
    authenticated = bool(mode) or draw(st.booleans())
    return Message(
        called=draw(TITLES),
        calling=draw(TITLES),
        invocation_id=draw(st.integers(0, 65_535)),
        services=draw(BODIES),
        reply_to=draw(st.none() | st.integers(0, 65_535)),
        qualifier=draw(st.none() | st.integers(0, 255)),
        mode=mode,
        response_control=draw(st.sampled_from(ResponseControl)),
        key_id=draw(st.integers(0, 255)) if authenticated else None,
        iv=draw(st.integers(0, (1 << 32) - 1)) if authenticated else None,
        ed_class=draw(st.none() | st.binary(min_size=4, max_size=4)),
        recovery=draw(st.booleans()),
        proxy=draw(st.booleans()),
        form=draw(st.builds(Form, *[st.booleans()] * 4, st.booleans() if authenticated else st.just(False))),
    )


def as_sent(message: Message) -> Message:
    """A title that is not below the root goes absolute whatever the form says."""
    form = Form(
        message.form.context,
        message.form.called_absolute or message.called.relative is None,
        message.form.calling_absolute or message.calling.relative is None,
        message.form.mechanism,
        message.form.reference,
    )
    return Message(**{f.name: getattr(message, f.name) for f in fields(Message)} | {"form": form})


@given(messages())
def test_a_message_survives(message: Message) -> None:
    octets = encode_message(message, CIPHER)
    assert open_apdu(parse_apdu(octets), CIPHER) == as_sent(message)
    assert ApduStream().feed(octets + octets[:9]) == [octets]
    assert encode_message(as_sent(message), CIPHER) == octets


@given(messages(), st.integers(80, 400), st.randoms(use_true_random=False))
def test_segments_of_any_size_and_order_make_the_message(message: Message, size: int, chance: random.Random) -> None:
    octets = encode_message(message, CIPHER)
    pieces = split(octets, max(size, 140))
    assert all(len(piece) <= max(size, 140) for piece in pieces)
    if len(pieces) == 1:
        assert pieces == [octets]
        return
    chance.shuffle(pieces)
    pieces.insert(1, pieces[0])  # a duplicate
    reassembler = Reassembler()
    results = [reassembler.add(parse_apdu(piece), NOW) for piece in pieces]
    assert [r for r in results if r is not None] == [octets]
    assert len(reassembler) == 0


@given(RELATIVE, RELATIVE, BODIES, st.sampled_from(SecurityMode), st.integers(1, 32_767), st.none() | st.integers(1, 32_767))
def test_an_association_sends_what_a_message_would(
    near: ApTitle, far: ApTitle, bodies: tuple[bytes, ...], mode: SecurityMode, number: int, reply_to: int | None
) -> None:
    there = Association(near, far, mode, 7, CIPHER)
    octets = there.encode(bodies, number, 1_753_056_000, reply_to=reply_to, qualifier=4, response_control=ResponseControl.NEVER)
    secured = {"key_id": 7, "iv": 1_753_056_000} if mode else {}
    message = Message(far, near, number, bodies, reply_to, 4, mode, ResponseControl.NEVER, **secured)  # type: ignore[arg-type]
    assert octets == encode_message(message, CIPHER)
    assert Association(far, near, mode, 7, CIPHER).open(parse_apdu(octets)) == bodies


def test_an_association_takes_nothing_weaker_or_from_elsewhere() -> None:
    near, far, other = (ApTitle.parse(t) for t in (".1.4", ".100.1", ".100.2"))
    secured = Association(near, far, SecurityMode.ENCRYPTED, 2, CIPHER)
    clear = Association(far, near, SecurityMode.CLEAR).encode([b"\x0b"], 5, 0, reply_to=1)
    with pytest.raises(WeakerModeError) as weaker:
        secured.open(parse_apdu(clear))
    assert weaker.value.services == (b"\x0b",)
    authenticated = Association(far, near, SecurityMode.AUTHENTICATED, 2, CIPHER).encode([b"\x00"], 5, 9)
    with pytest.raises(WeakerModeError) as weaker:
        secured.open(parse_apdu(authenticated))
    assert weaker.value.services == ()
    with pytest.raises(SecurityError, match=r"\.100\.2"):
        secured.open(parse_apdu(Association(other, near, SecurityMode.ENCRYPTED, 2, CIPHER).encode([b"\x00"], 5, 9)))
    with pytest.raises(SecurityError, match="key id 3"):
        secured.open(parse_apdu(Association(far, near, SecurityMode.ENCRYPTED, 3, CIPHER).encode([b"\x00"], 5, 9)))
    assert secured.open(parse_apdu(Association(far, near, SecurityMode.ENCRYPTED, 2, CIPHER).encode([b"\x00"], 5, 9))) == (b"\x00",)


def test_what_cannot_be_sent_says_why() -> None:
    title = ApTitle.parse(".1")
    with pytest.raises(SecurityError, match="key"):
        encode_message(Message(title, title, 1, (), mode=SecurityMode.ENCRYPTED), CIPHER)
    with pytest.raises(SecurityError, match="key"):
        Association(title, title, SecurityMode.ENCRYPTED)
    with pytest.raises(BoundError, match="services"):
        encode_message(Message(title, title, 1, (b"\x20",) * (SERVICES_MAX + 1)), None)
    with pytest.raises(BoundError, match="APDU"):
        encode_message(Message(title, title, 1, (bytes(20_000),)), None)
    with pytest.raises(BoundError):
        encode_message(Message(title, title, 1, (bytes(70_000),)), None)


@given(TITLES)
def test_a_title_survives_as_text_and_octets(title: ApTitle) -> None:
    assert ApTitle.parse(str(title)) == title
    assert ApTitle.from_absolute(title.absolute) == title
    if title.relative is not None:
        assert str(title).startswith(".")
        assert ApTitle.from_relative(title.relative) == title
        assert len({title, ApTitle.from_relative(title.relative)}) == 1


NO_TITLES = ["", ".", "..1", ".1.", "1", "3.1", "1.40", ".1.-2", ".a", ".1 .2", ".٣", "." + "9" * 400, ".1" * 25, "2.1" + ".7" * 40]


@pytest.mark.parametrize("text", NO_TITLES)
def test_a_text_that_is_no_title_says_so(text: str) -> None:
    with pytest.raises(ApTitleError, match="is not an ApTitle"):
        ApTitle.parse(text)
    assert issubclass(ApTitleError, RequestError)


def test_titles_are_ordered_and_named() -> None:
    first, second = ApTitle.parse(".100.1"), ApTitle.parse(".100.2")
    assert sorted([second, first]) == [first, second]
    assert str(ApTitle.parse("2.16.124.113620.1.22.0.123.8437")) == ".123.8437"
    assert ApTitle.parse(".123.8437").absolute.hex() == "607c86f75401160" + "07bc175"
    assert ApTitle.parse("1.2.840.113549").absolute.hex() == "2a864886f70d"
    assert str(ApTitle.parse("1.2.840.113549")) == "1.2.840.113549"
    assert len(ApTitle.parse("." + ".".join(["1"] * 24)).absolute) == AP_TITLE_OCTETS_MAX


UINT8, UINT16, UINT24 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 24))
DATA = st.binary(max_size=600)
INDICES = st.lists(UINT16, min_size=1, max_size=9).map(tuple)
TEXT = st.binary(max_size=10).map(lambda octets: octets.rstrip(b" "))
SERVICES = st.one_of(
    st.sampled_from([services.Identify(), services.Terminate(), services.Disconnect(), services.Logoff(), services.DefaultRead()]),
    st.builds(services.Deregister, TITLES),
    st.builds(services.Resolve, TITLES),
    st.builds(services.Trace, st.lists(TITLES, max_size=5).map(tuple)),
    st.builds(
        services.Register, st.integers(0, 127), UINT8, st.binary(min_size=4, max_size=4), TITLES, st.binary(max_size=30),
        st.binary(max_size=18), UINT24,
    ),
    st.builds(
        services.Register, st.integers(128, 255), UINT8, st.binary(min_size=4, max_size=4), TITLES, st.binary(max_size=30),
        st.binary(max_size=18), UINT24, st.binary(max_size=30), st.sampled_from([0x06, 0x0D, 0x80]),
    ),
    st.builds(services.FullRead, UINT16),
    st.builds(services.PartialReadIndex, UINT16, INDICES, UINT16),
    st.builds(services.PartialReadOffset, UINT16, UINT24, UINT16),
    st.builds(services.FullWrite, UINT16, DATA),
    st.builds(services.PartialWriteIndex, UINT16, INDICES, DATA),
    st.builds(services.DefaultWrite, DATA),
    st.builds(services.PartialWriteOffset, UINT16, UINT24, DATA),
    st.builds(services.Logon, UINT16, TEXT, UINT16),
    st.builds(services.Security, TEXT, st.none() | UINT16),
    st.builds(services.Authenticate, st.binary(max_size=255)),
    st.builds(services.Wait, UINT8),
    st.builds(services.RawService, st.sampled_from([0x23, 0x28, 0x3A, 0x54, 0x60, 0x6B, 0x71, 0xFF]), st.binary(max_size=20)),
)  # fmt: skip


@given(SERVICES)
def test_a_service_survives(service: services.Service) -> None:
    octets = services.encode_request(service)
    assert services.decode_request(octets) == service
    assert services.service_name(octets[0])


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_the_services_of_a_vector_survive(name: str) -> None:
    for body in map(bytes.fromhex, VECTORS[name].decoded.get("services", ())):
        if body[0] < 0x20:
            assert services.encode_response(services.decode_response(body)) == body
        else:
            assert services.encode_request(services.decode_request(body)) == body


def test_services_of_vectors_mean_what_they_say() -> None:
    def decoded(name: str) -> list[services.Service]:
        return [services.decode_request(bytes.fromhex(body)) for body in VECTORS[name].decoded["services"]]

    meter = ApTitle.parse(".100.8437")
    assert decoded("c1222_std_example8_request") == [services.Security(b"PASSWORD", 2), services.PartialReadOffset(1, 16, 16)]
    assert decoded("partial_read_index_st64_request") == [services.PartialReadIndex(64, (0, 3, 0), 24)]
    assert decoded("session_logon_security_read_request")[0] == services.Logon(2, b"headend", 60)
    assert decoded("deregister_request") == [services.Deregister(meter)]
    [register] = decoded("register_request")
    assert isinstance(register, services.Register)
    assert (register.ap_title, register.period_seconds, register.node_type, register.device_class) == (meter, 86_400, 0x20, b"HEUT")
    assert register.native_address.hex() == "fd00cafe0001000000000000008400370481"
    write, read = decoded("write_st7_proc10_settime_and_read_st8_request")
    assert write == services.FullWrite(7, bytes.fromhex("0a00090700837d6811"))
    assert read == services.FullRead(8)


def test_replies_of_vectors_mean_what_they_say() -> None:
    def parameters(name: str, at: int = 0) -> bytes:
        response = services.decode_response(bytes.fromhex(VECTORS[name].decoded["services"][at]))
        assert response.ok
        return response.parameters

    identification = services.IdentifyReply.decode(parameters("ident_reply"))
    assert identification.encode() == parameters("ident_reply")
    assert (identification.standard, identification.session_control) == (3, 0x80)
    assert identification.identity == b"MTR-00008437        "
    registration = services.RegisterReply.decode(parameters("register_reply"))
    assert registration == services.RegisterReply(ApTitle.parse(".100.8437"), 30, 86_400, 1)
    assert registration.encode() == parameters("register_reply")
    assert services.decode_logon_reply(parameters("session_reply")) == 60
    assert decode_table_data(parameters("c1222_std_example8_reply")) == b"MANUFACTURER SN "
    assert services.decode_resolve_reply(bytes.fromhex("0601020304" + "0481")) == bytes.fromhex("010203040481")
    assert services.decode_trace_reply(ApTitle.parse(".1").element * 2) == (ApTitle.parse(".1"),) * 2


@given(TITLES, UINT8, st.binary(max_size=30))
def test_an_identification_survives(title: ApTitle, octet: int, identity: bytes) -> None:
    reply = services.IdentifyReply(3, octet, 0, title.absolute, octet, identity, identity, octet)
    assert services.IdentifyReply.decode(reply.encode()) == reply
    assert services.IdentifyReply.decode(bytes.fromhex("03010000")) == services.IdentifyReply(3, 1, 0)


def test_every_response_code_has_a_name_and_a_meaning() -> None:
    assert [code.value for code in services.ResponseCode] == list(range(19))
    assert {len(code.meaning) > 3 for code in services.ResponseCode} == {True}
    assert services.Response(0x10, bytes.fromhex("000001ff")).octets_max == 511
    assert services.Response(0x10).octets_max is None
    assert services.Response(0).octets_max is None
    assert (services.Response(0x0A).name, services.Response(0x1F).name) == ("isss", "0x1f")


def test_a_secret_shows_in_no_representation() -> None:
    assert "PASS" not in repr(services.Security(b"PASSWORD"))
    assert "PASS" not in repr(services.Authenticate(b"PASSWORD"))
    assert KEY.hex() not in repr(CIPHER)
    assert repr(CIPHER) == "Cipher()"


@pytest.mark.parametrize("make", [
    lambda: services.PartialReadIndex(1, (), 1), lambda: services.PartialWriteIndex(1, (1,) * 10, b""),
    lambda: services.Logon(1, b"x" * 11, 1), lambda: services.Security(b"x" * 21),
])  # fmt: skip
def test_a_service_that_cannot_be_sent_says_why(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RequestError):
        services.encode_request(make())


@pytest.mark.parametrize("length", [0, 1, 255, 256, 257, 1092, 65_534, 65_535, 65_536, 140_000])
@pytest.mark.parametrize("octet", [0x00, 0xFF])
def test_table_data_survives_at_every_length(length: int, octet: int) -> None:
    data = bytes((octet,)) * length
    encoded = encode_table_data(data)
    assert decode_table_data(encoded) == data
    assert encoded[-1] == -sum(data[65_535 * (length // 65_535) :]) & 0xFF
    assert decode_table_data_list(encoded * 2) == [data, data]


@given(DATA, st.integers(0, 599), st.integers(1, 255))
def test_a_changed_octet_of_table_data_is_noticed(data: bytes, at: int, change: int) -> None:
    encoded = bytearray(encode_table_data(data))
    encoded[max(2, at % len(encoded))] ^= change
    with pytest.raises(ChecksumError):
        decode_table_data(bytes(encoded))


@given(st.lists(messages(), max_size=4), st.lists(st.integers(1, 50), min_size=1))
def test_a_stream_cut_anywhere_gives_the_same_messages(sent: list[Message], cuts: list[int]) -> None:
    apdus = [encode_message(m, CIPHER) for m in sent]
    octets = b"".join(apdus)
    stream, got, at = ApduStream(), [], 0
    for turn in range(len(octets)):
        step = cuts[turn % len(cuts)]
        got += stream.feed(octets[at : at + step])
        at += step
    assert got == apdus
    assert stream.pending == 0


def test_a_stream_of_something_else_gives_what_came_before_and_breaks() -> None:
    apdu = VECTORS["reply_err"].octets
    stream = ApduStream()
    assert stream.feed(apdu + b"GET /") == [apdu]
    assert isinstance(stream.broken, WireError)
    with pytest.raises(WireError, match="47 does not begin"):
        stream.feed(apdu)
    with pytest.raises(WireError, match="47 does not begin"):
        ApduStream().feed(b"GET")
    with pytest.raises(BoundError, match="APDU"):
        ApduStream().feed(b"\x60\x82\xff\xff")
    with pytest.raises(BoundError):
        ApduStream(octets_max=30).feed(apdu[:5])
