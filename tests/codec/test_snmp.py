"""SNMP on both sides: the emulators' own octets and pysnmp's mean the same, vectors of the RFCs hold, and nothing forged is believed."""

from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import snmp_message as ours
from adapters.snmp_authority import Authority, Inform, engine_id_of
from adapters.snmp_message import PduKind, decode_message
from adapters.snmp_security import LocalUser
from adapters.snmp_session import Answered, Request, SayAgain, SnmpSession
from emulators import snmp_pdu as pdus
from emulators.router_agent import RouterAgent
from emulators.router_device import RouterDevice
from emulators.snmp_ber import Element, Reader, Tag, integer, oid_content, parse_oid
from emulators.snmp_message import (
    AUTH,
    PRIVACY,
    REPORTABLE,
    CommunityMessage,
    ScopedPdu,
    SecureMessage,
    parse_message,
)
from emulators.snmp_pdu import Pdu, VarBind
from emulators.snmp_usm import LocalUser as EmulatedUser
from emulators.snmp_usm import localized, master_key
from headend.errors import SecurityError, TruncatedError, WireError
from headend.model.router import AuthProtocol, CommunityAccess, PrivacyProtocol, UserAccess

ENGINE = bytes.fromhex("000000000000000000000002")
USER = UserAccess("ops", AuthProtocol.SHA256, "maplesyrup", PrivacyProtocol.AES128, "plumsyrup")
SYS_NAME = (1, 3, 6, 1, 2, 1, 1, 5, 0)
NOW = 1_800_000_000.0

OIDS = st.tuples(st.integers(0, 2), st.integers(0, 39)).flatmap(
    lambda head: st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20).map(lambda rest: (*head, *rest))
)
VALUES = st.one_of(
    st.integers(-(2**31), 2**31 - 1).map(pdus.number),
    st.binary(max_size=60).map(pdus.text),
    st.integers(0, 2**32 - 1).map(pdus.gauge),
    st.integers(0, 2**64 - 1).map(pdus.counter64),
    st.integers(0, 2**32 - 1).map(pdus.ticks),
    OIDS.map(pdus.name),
    st.sampled_from([pdus.NO_SUCH_INSTANCE, pdus.NO_SUCH_OBJECT, pdus.END_OF_MIB_VIEW]),
)
VARIABLES = st.lists(st.tuples(OIDS, VALUES), max_size=12).map(tuple)


def plain(value: Element) -> object:
    """An element as the head-end's side has values."""
    match value.tag:
        case Tag.OCTETS:
            return value.content
        case Tag.OID:
            return parse_oid(value.content)
        case Tag.NO_SUCH_INSTANCE | Tag.NO_SUCH_OBJECT | Tag.END_OF_MIB_VIEW:
            return None
        case Tag.INTEGER:
            return int.from_bytes(value.content, signed=True)
    return int.from_bytes(value.content)


@pytest.mark.parametrize(
    ("protocol", "password", "key"),
    [
        (AuthProtocol.SHA1, "maplesyrup", "6695febc9288e36282235fc7151f128497b38f3f"),  # RFC 3414 A.3.2
        # RFC 7860 gives none; these are what net-snmp's snmpwalk and pysnmp agree on with us.
        (AuthProtocol.SHA256, "maplesyrup", "8982e0e549e866db361a6b625d84cccc11162d453ee8ce3a6445c2d6776f0f8b"),
    ],
)
def test_a_password_becomes_the_key_of_an_engine(protocol: AuthProtocol, password: str, key: str) -> None:
    assert localized(protocol, master_key(protocol, password), ENGINE).hex() == key
    access = replace(USER, auth=protocol, auth_password=password)
    assert LocalUser.at(access, ENGINE).auth_key.asOctets().hex() == key


@pytest.mark.parametrize("auth", AuthProtocol)
@pytest.mark.parametrize("privacy", PrivacyProtocol)
def test_both_sides_make_the_same_keys(auth: AuthProtocol, privacy: PrivacyProtocol) -> None:
    access = replace(USER, auth=auth, privacy=privacy)
    ours_, theirs = LocalUser.at(access, ENGINE), EmulatedUser.at(access, ENGINE)
    assert (ours_.auth_key.asOctets(), ours_.privacy_key.asOctets()) == (theirs.auth_key, theirs.privacy_key)


@given(st.integers(0, 2**31 - 1), VARIABLES)
def test_what_an_agent_writes_is_read_as_it_was_meant(number: int, variables: tuple[VarBind, ...]) -> None:
    octets = CommunityMessage(b"public", Pdu(Tag.RESPONSE, number, variables)).encode()
    message = decode_message(octets)
    assert isinstance(message, ours.CommunityMessage)
    assert (message.community, message.pdu.kind, message.pdu.request_id) == (b"public", PduKind.RESPONSE, number)
    assert message.pdu.variables == tuple((oid, plain(value)) for oid, value in variables)
    assert parse_message(octets) == CommunityMessage(b"public", Pdu(Tag.RESPONSE, number, variables))


@given(OIDS)
def test_an_oid_survives(oid: tuple[int, ...]) -> None:
    assert parse_oid(oid_content(oid)) == oid


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_survives(number: int) -> None:
    assert Reader(integer(number)).integer() == number


@pytest.mark.parametrize("octets", [b"", b"\x80", b"\x81\x80\x80\x80\x80\x00", b"\x90\x80\x80\x80\x00"])
def test_an_oid_that_is_none_is_refused(octets: bytes) -> None:
    with pytest.raises(WireError):
        parse_oid(octets)


@given(st.binary(max_size=200))
def test_any_octets_are_a_message_or_a_wire_error(octets: bytes) -> None:
    with suppress(WireError):
        parse_message(octets)
    with suppress(WireError):
        decode_message(octets)


def good_message() -> bytes:
    pdu = Pdu(Tag.RESPONSE, 7, ((SYS_NAME, pdus.text("r")),))
    user = EmulatedUser.at(USER, ENGINE)
    message = SecureMessage(7, AUTH | PRIVACY, ENGINE, 3, 100, b"", ScopedPdu(ENGINE, b"", pdu).encode())
    return message.sealed(user, b"\0" * 7 + b"\x01")


@given(st.integers(0, 10_000), st.integers(0, 7), st.integers(0, 400))
def test_a_damaged_message_is_a_message_or_a_wire_error(place: int, bit: int, cut: int) -> None:
    octets = bytearray(good_message())
    octets[place % len(octets)] ^= 1 << bit
    for damaged in (bytes(octets), bytes(octets)[:cut]):
        with suppress(WireError):
            parse_message(damaged)
        with suppress(WireError):
            decode_message(damaged)


def test_a_message_cut_anywhere_is_truncated() -> None:
    octets = good_message()
    for end in range(len(octets)):
        with pytest.raises((TruncatedError, WireError)):
            parse_message(octets[:end])
        with pytest.raises(WireError):
            decode_message(octets[:end])
    with pytest.raises(WireError, match="octets follow"):
        decode_message(octets + b"\0")


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_no_bit_of_a_signed_message_can_be_turned(place: int, bit: int) -> None:
    octets = bytearray(good_message())
    octets[place % len(octets)] ^= 1 << bit
    user = LocalUser.at(USER, ENGINE)
    try:
        message = decode_message(bytes(octets))
    except WireError:
        return
    if isinstance(message, ours.SecureMessage):
        with pytest.raises(WireError):
            user.opened(message)


class Conversation:
    """A session and the agent of emulated router `number`, without a wire."""

    def __init__(self, number: int) -> None:
        self.seconds = NOW
        self.device = RouterDevice(1, number, "r", 100, lambda: self.seconds)
        self.agent = RouterAgent(self.device, lambda: (1, 2))
        self.session = SnmpSession(self.device.access, Random(1), lambda: self.seconds - NOW)
        self.lessons = 0

    def ask(self, kind: PduKind = PduKind.GET, variables: tuple = ((SYS_NAME, None),), repetitions: int = 0) -> ours.Pdu:
        request = Request(kind, variables, repetitions)
        while True:
            answer = self.agent.receive(self.session.octets(request))
            assert answer is not None
            match self.session.received(request, decode_message(answer)):
                case Answered(pdu):
                    return pdu
                case SayAgain():
                    self.lessons += 1
                case None:
                    raise AssertionError(request.hint)


@pytest.mark.parametrize("number", range(4))
def test_a_session_learns_the_engine_once_and_then_asks_at_once(number: int) -> None:
    talk = Conversation(number)
    assert talk.ask().variables == ((SYS_NAME, b"r"),)
    assert talk.lessons == (0 if number % 2 else 1)
    talk.seconds += 100_000
    talk.ask()
    assert talk.lessons == (0 if number % 2 else 1), "its time goes on without being asked"


@pytest.mark.parametrize("number", [0, 2])
def test_a_router_that_rebooted_tells_its_new_time_signed(number: int) -> None:
    talk = Conversation(number)
    talk.ask()
    talk.device.reboot(0)
    talk.seconds += 30
    assert talk.ask().variables == ((SYS_NAME, b"r"),)
    assert talk.lessons == 2


def test_an_unsigned_lie_about_the_time_is_put_right() -> None:
    talk = Conversation(0)
    request = Request(PduKind.GET, ((SYS_NAME, None),))
    discovery = decode_message(talk.agent.receive(talk.session.octets(request)) or b"")
    assert isinstance(discovery, ours.SecureMessage)
    assert isinstance(talk.session.received(request, replace(discovery, boots=2**31 - 1, seconds=5)), SayAgain)
    assert talk.ask().variables == ((SYS_NAME, b"r"),)


def test_an_answer_of_long_ago_is_not_believed() -> None:
    talk = Conversation(0)
    talk.ask()
    request = Request(PduKind.GET, ((SYS_NAME, None),))
    recorded = talk.agent.receive(talk.session.octets(request))
    talk.seconds += 1_000
    talk.ask()
    with pytest.raises(SecurityError, match="older than the time window"):
        talk.session.received(request, decode_message(recorded or b""))


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"auth_password": "wrong wrong"}, "another password"),
        ({"user": "nobody"}, "does not know the user"),
    ],
)
def test_what_a_router_complains_of_is_a_hint_and_no_answer(change: dict[str, str], hint: str) -> None:
    talk = Conversation(0)
    assert isinstance(talk.device.access, UserAccess)
    session = SnmpSession(replace(talk.device.access, **change), Random(1), lambda: 0.0)
    request = Request(PduKind.GET, ((SYS_NAME, None),))
    for _ in range(2):
        answer = talk.agent.receive(session.octets(request))
        step = session.received(request, decode_message(answer or b""))
    assert step is None
    assert hint in request.hint


def test_an_answer_under_another_number_or_community_is_none() -> None:
    talk = Conversation(1)
    request = Request(PduKind.GET, ((SYS_NAME, None),))
    message = decode_message(talk.agent.receive(talk.session.octets(request)) or b"")
    assert isinstance(message, ours.CommunityMessage)
    assert talk.session.received(request, replace(message, community=b"other")) is None
    with pytest.raises(SecurityError, match="no write community"):
        SnmpSession(CommunityAccess("read"), Random(1), lambda: 0.0).octets(Request(PduKind.SET, ()))


@pytest.mark.parametrize("number", range(4))
def test_a_reload_is_asked_by_set_and_nothing_else_can_be_set(number: int) -> None:
    talk = Conversation(number)
    reload_ = (1, 3, 6, 1, 4, 1, 9, 2, 9, 9, 0)
    assert talk.ask(PduKind.SET, ((SYS_NAME, b"mine"),)).error_status == 17
    assert talk.ask(PduKind.SET, ((reload_, 7),)).error_status == 10
    assert talk.device.is_running
    assert talk.ask(PduKind.SET, ((reload_, 2),)).error_status == 0
    assert not talk.device.is_running
    talk.seconds += 61
    assert talk.device.is_running
    assert talk.device.uptime_seconds == 1


@pytest.mark.parametrize("number", range(4))
def test_getbulk_is_bounded_by_the_datagram_and_ends_with_the_view(number: int) -> None:
    talk = Conversation(number)
    everything = talk.ask(PduKind.GET_BULK, (((1, 3), None),), 1_000_000)
    assert 30 < len(everything.variables) < 120
    last = talk.ask(PduKind.GET_BULK, (((1, 3, 7), None),), 5)
    assert last.variables == (((1, 3, 7), None),)
    too_much = talk.ask(PduKind.GET, tuple(((1, 3, 6, 1, 2, 1, 1, 1, 0), None) for _ in range(100)))
    assert (too_much.error_status, too_much.variables) == (1, ())


def inform(user: EmulatedUser, message: ours.SecureMessage, flags: int = AUTH | PRIVACY | REPORTABLE) -> bytes:
    """An inform of `user`, by the engine time that `message` told."""
    pdu = Pdu(Tag.INFORM, 9, ((SYS_NAME, pdus.text("r")),))
    scoped = ScopedPdu(b"context", b"", pdu).encode()
    return SecureMessage(9, flags, message.engine_id, message.boots, message.seconds, b"", scoped).sealed(user, b"\0" * 8)


def test_an_inform_is_taken_once_its_sender_knows_our_time() -> None:
    seconds = NOW
    authority = Authority(engine_id_of("head-end"), lambda: seconds)
    discovery = SecureMessage(1, REPORTABLE, b"", 0, 0, b"", ScopedPdu(b"", b"", Pdu(Tag.GET, 1, ())).encode()).encode()
    report = authority.taken(decode_message(discovery), [])
    assert isinstance(report, bytes)
    told = decode_message(report)
    assert isinstance(told, ours.SecureMessage)
    assert told.engine_id == authority.engine_id
    user = EmulatedUser.at(USER, authority.engine_id)
    taken = authority.taken(decode_message(inform(user, told)), [("other", replace(USER, user="x")), ("me", USER)])
    assert isinstance(taken, tuple)
    whose, found = taken
    assert whose == "me"
    assert isinstance(found, Inform)
    assert found.pdu.variables == ((SYS_NAME, b"r"),)
    acknowledgement = parse_message(found.acknowledgement)
    assert isinstance(acknowledgement, SecureMessage)
    acknowledgement.verify(user)
    assert acknowledgement.opened(user).pdu.tag is Tag.RESPONSE
    seconds += 1_000
    late = authority.taken(decode_message(inform(user, told)), [("me", USER)])
    assert isinstance(late, bytes), "too old: it is told the time, signed"
    signed = parse_message(late)
    assert isinstance(signed, SecureMessage)
    signed.verify(user)
    with pytest.raises(SecurityError, match="not authentic"):
        authority.taken(decode_message(inform(user, told)), [("me", replace(USER, auth_password="another word"))])
    readable = inform(user, replace(told, seconds=signed.seconds), AUTH | REPORTABLE)
    with pytest.raises(SecurityError, match="no encrypted inform"):
        authority.taken(decode_message(readable), [("me", USER)])
