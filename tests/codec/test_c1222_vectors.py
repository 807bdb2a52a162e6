"""Every C12.22 vector holds octet for octet in both directions: whole, octet by octet, and in a stream with octets after it."""

from datetime import UTC, datetime
from itertools import permutations

import pytest

from headend.c1222.acse import parse_any_apdu
from headend.c1222.association import Association
from headend.c1222.errors import MacError, TrailingOctetsError
from headend.c1222.message import ApTitle, Cipher, SecurityMode, encode_message, open_apdu, open_services, parse_apdu
from headend.c1222.segmentation import Reassembler, split
from headend.c1222.stream import ApduStream
from headend.errors import WireError
from tests.codec.c1222_vectors import DIRECTORY, MESSAGES, PRIMITIVES, SEGMENTS, VECTORS, Vector
from tests.edge.capture import read_capture

NOW = datetime(2025, 7, 21, tzinfo=UTC)


def test_no_vector_is_left_out() -> None:
    assert len(MESSAGES) == 32
    assert len(SEGMENTS) == 3
    assert len(PRIMITIVES) == 5
    assert len(VECTORS) == len(MESSAGES) + len(SEGMENTS) + len(PRIMITIVES) + 1
    assert "tables_minimal_meter" in VECTORS


@pytest.mark.parametrize("vector", MESSAGES, ids=repr)
def test_a_message_means_what_its_vector_says(vector: Vector) -> None:
    apdu = parse_apdu(vector.octets)
    message = open_apdu(apdu, vector.cipher)
    decoded = vector.decoded
    assert message.called == ApTitle.parse(decoded["called"])
    assert str(message.calling) == decoded["calling"]
    assert message.invocation_id == decoded["calling_inv"]
    assert message.reply_to == decoded.get("called_inv")
    assert message.qualifier == decoded.get("ae_qual")
    assert message.mode == decoded["mode"]
    assert message.response_control == decoded["resp"]
    assert message.control == int(decoded["epsem_control"], 16)
    assert message.key_id == decoded.get("key_id")
    assert message.iv == (int(decoded["iv"], 16) if "iv" in decoded else None)
    assert (message.ed_class or b"").hex() == decoded.get("ed_class", "")
    assert [body.hex() for body in message.services] == decoded["services"]
    assert apdu.cleartext_n.hex() == decoded.get("cleartext_N", "")
    assert vector.octets.hex().endswith(decoded.get("mac", ""))
    assert message.is_reply == ("reply" in vector.name or vector.name == "segmented_full_message")
    assert message.is_notification == vector.name.startswith("notification")
    assert open_services(apdu, vector.cipher) == message.services


@pytest.mark.parametrize("vector", MESSAGES, ids=repr)
def test_a_message_encodes_to_its_octets(vector: Vector) -> None:
    message = open_apdu(parse_apdu(vector.octets), vector.cipher)
    assert encode_message(message, vector.cipher) == vector.octets


@pytest.mark.parametrize("vector", [v for v in MESSAGES if v.decoded["mode"]], ids=repr)
def test_an_association_makes_and_opens_the_same_octets(vector: Vector) -> None:
    apdu = parse_apdu(vector.octets)
    message = open_apdu(apdu, vector.cipher)
    assert message.key_id is not None
    assert message.iv is not None
    there = Association(message.calling, message.called, message.mode, message.key_id, vector.cipher)
    back = Association(message.called, message.calling, message.mode, message.key_id, vector.cipher)
    octets = there.encode(
        message.services,
        message.invocation_id,
        message.iv,
        reply_to=message.reply_to,
        response_control=message.response_control,
        qualifier=message.qualifier,
    )
    assert octets == vector.octets
    assert back.open(apdu) == message.services


@pytest.mark.parametrize("vector", [*MESSAGES, *SEGMENTS], ids=repr)
def test_the_quick_way_and_the_thorough_way_agree(vector: Vector) -> None:
    assert parse_apdu(vector.octets) == parse_any_apdu(vector.octets)


@pytest.mark.parametrize("vector", [*MESSAGES, *SEGMENTS], ids=repr)
def test_a_part_is_refused_and_so_are_trailing_octets(vector: Vector) -> None:
    for length in range(len(vector.octets)):
        with pytest.raises(WireError):
            parse_apdu(vector.octets[:length])
    with pytest.raises(TrailingOctetsError):
        parse_apdu(vector.octets + b"\x00")


@pytest.mark.parametrize("vector", [*MESSAGES, *SEGMENTS], ids=repr)
def test_a_stream_gives_the_message_octet_by_octet_and_keeps_what_follows(vector: Vector) -> None:
    stream = ApduStream()
    for octet in vector.octets[:-1]:
        assert stream.feed(bytes((octet,))) == []
    assert stream.feed(vector.octets[-1:] + b"\x60\x81") == [vector.octets]
    assert stream.pending == 2
    whole = ApduStream()
    assert whole.feed(vector.octets * 3 + b"\x60") == [vector.octets] * 3
    assert whole.pending == 1


@pytest.mark.parametrize("vector", [v for v in MESSAGES if v.decoded["mode"]], ids=repr)
def test_no_octet_can_be_changed_unnoticed(vector: Vector) -> None:
    cipher = vector.cipher
    for at in range(len(vector.octets)):
        forged = bytearray(vector.octets)
        forged[at] ^= 0x04
        with pytest.raises(WireError):
            open_apdu(parse_apdu(bytes(forged)), cipher)


@pytest.mark.parametrize("vector", [v for v in MESSAGES if v.decoded["mode"]], ids=repr)
def test_another_key_opens_nothing(vector: Vector) -> None:
    with pytest.raises(MacError):
        open_apdu(parse_apdu(vector.octets), Cipher(bytes(16)))


@pytest.mark.parametrize("vector", PRIMITIVES, ids=repr)
def test_eax_prime_gives_the_octets_of_its_vector(vector: Vector) -> None:
    assert vector.key is not None
    n, plaintext, ciphertext, mac = (bytes.fromhex(vector.decoded[k]) for k in ("cleartext_N", "plaintext", "ciphertext", "mac"))
    mode = SecurityMode(vector.decoded["mode"])
    cipher = Cipher(vector.key)
    for _ in range(3):  # what the contexts hold from one message must not show in the next
        assert cipher.seal(mode, n, plaintext) == (ciphertext, mac)
        assert cipher.open(mode, n, ciphertext, mac) == plaintext
        with pytest.raises(MacError):
            cipher.open(mode, n, ciphertext, bytes(4))
    assert ciphertext + mac == vector.octets


@pytest.mark.parametrize("vector", SEGMENTS, ids=repr)
def test_a_segment_says_where_it_belongs(vector: Vector) -> None:
    apdu = parse_apdu(vector.octets)
    assert apdu.segment == (vector.decoded["apdu_size"], vector.decoded["segment_offset"])
    assert apdu.invocation_id == vector.decoded["calling_inv"]
    assert (str(apdu.called), str(apdu.calling)) == (vector.decoded["called"], vector.decoded["calling"])


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_segments_in_any_order_make_the_message(order: tuple[int, ...]) -> None:
    reassembler = Reassembler()
    results = [reassembler.add(parse_apdu(SEGMENTS[at].octets), NOW) for at in order]
    assert results == [None, None, VECTORS["segmented_full_message"].octets]


def test_the_message_splits_into_its_segments() -> None:
    assert split(VECTORS["segmented_full_message"].octets, 157) == [v.octets for v in SEGMENTS]


def test_the_datagrams_of_the_capture_are_vectors() -> None:
    payloads = [p.octets for p in read_capture(DIRECTORY / "c1222_udp.pcap")]
    by_octets = {v.octets: v for v in MESSAGES}
    assert len(payloads) == 29
    for octets in payloads:
        vector = by_octets[octets]
        assert encode_message(open_apdu(parse_apdu(octets), vector.cipher), vector.cipher) == octets


def test_the_segments_of_the_capture_are_vectors() -> None:
    assert [p.octets for p in read_capture(DIRECTORY / "c1222_segments_udp.pcap")] == [v.octets for v in SEGMENTS]


def test_the_streams_of_another_capture_hold_the_same_messages() -> None:
    streams: dict[str, ApduStream] = {}
    streamed: dict[str, list[bytes]] = {}
    pieces = [p for p in read_capture(DIRECTORY / "c1222_tcp.pcap") if p.octets]
    for piece in pieces:
        stream = streams.setdefault(piece.source[0], ApduStream())
        streamed.setdefault(piece.source[0], []).extend(stream.feed(piece.octets))
    datagrams: dict[str, list[bytes]] = {}
    for datagram in read_capture(DIRECTORY / "c1222_udp.pcap"):
        datagrams.setdefault(datagram.source[0], []).append(datagram.octets)
    assert len(pieces) == 12
    assert {stream.pending for stream in streams.values()} == {0}
    assert streamed == datagrams
