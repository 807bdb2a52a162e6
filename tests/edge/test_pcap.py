"""Captures: what a link recorded is what is read back, and tshark verifies it."""

import io
import random
from pathlib import Path
from struct import unpack

import pytest

from adapters.pcap import PcapWriter
from headend.c1222.association import Association
from headend.c1222.message import ApTitle, Cipher, Message, ResponseControl, SecurityMode, encode_message
from headend.c1222.segmentation import split
from headend.c1222.services import FullRead, FullWrite, PartialReadOffset, Service, encode_request
from headend.c1222.table_data import encode_table_data
from tests.edge.capture import read_capture
from tests.edge.tshark import decode, needs_tshark, of_device, tally

KEY = bytes(range(16))
HEAD_END = ApTitle.parse(".1.4")
METER = ApTitle.parse(".100.8437")
ENDS = {4: (("127.0.0.1", 1153), ("10.9.8.7", 40_000)), 6: (("fd00:cafe::1", 1153), ("fd00:cafe:1::84:37", 1153))}


def ones_complement_sum(octets: bytes) -> int:
    total: int = sum(unpack(f">{len(octets) // 2}H", octets))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("octets", [b"", b"\x60", b"\x60\x00", bytes(1200), bytes(range(256)) * 5 + b"!"])
def test_a_datagram_is_read_back(tmp_path: Path, version: int, octets: bytes) -> None:
    local, remote = ENDS[version]
    path = tmp_path / "link.pcap"
    with path.open("wb") as stream:
        record = PcapWriter(stream)
        record("sent", octets, local, remote, 1753056000.25)
        record("received", octets, local, remote, 1753056001.5)
    sent, received = read_capture(path)
    assert sent == (1753056000.25, local, remote, octets, False)
    assert received == (1753056001.5, remote, local, octets, False)
    packet = path.read_bytes()[40 : 40 + unpack("<I", path.read_bytes()[32:36])[0]]
    addresses, udp = (packet[12:20], packet[20:]) if version == 4 else (packet[8:40], packet[40:])
    pseudo = addresses + len(udp).to_bytes(4) + (17).to_bytes(4)
    assert ones_complement_sum(pseudo + udp + bytes(len(udp) % 2)) == 0xFFFF
    assert version == 6 or ones_complement_sum(packet[:20]) == 0xFFFF


@pytest.mark.parametrize(("host", "written"), [("", "0.0.0.0"), ("router.example", "0.0.0.0"), ("fe80::1%eth0", "fe80::1")])
def test_an_address_that_is_none_is_written_as_unspecified(tmp_path: Path, host: str, written: str) -> None:
    path = tmp_path / "link.pcap"
    with path.open("wb") as stream:
        PcapWriter(stream).write(b"x", (host, 5), (host, 6), 0)
    assert read_capture(path)[0].source == (written, 5)


def test_ends_of_different_families_are_written_as_ipv6() -> None:
    stream = io.BytesIO()
    PcapWriter(stream).write(b"x", ("::", 1), ("127.0.0.1", 2), 0)
    assert stream.getvalue()[40:][24:40].hex() == "00000000000000000000ffff7f000001"


def generated(chance: random.Random, count: int) -> list[bytes]:
    """Requests and replies of all modes and many sizes, and some in segments."""
    cipher = Cipher(KEY)
    datagrams: list[bytes] = []
    for number in range(1, count + 1):
        mode = chance.choice(list(SecurityMode))
        iv = 1_753_056_000 + number
        meter = ApTitle.parse(f".{chance.randrange(1, 200)}.{chance.randrange(1, 1 << 30)}")
        there = Association(HEAD_END, meter, mode, 2, cipher)
        back = Association(meter, HEAD_END, mode, 2, cipher)
        # Not a write to table 7: tshark looks for a procedure in it.
        requests: list[Service] = [FullRead(64), PartialReadOffset(64, 70_000, 124), FullWrite(76, chance.randbytes(chance.randrange(40)))]
        datagrams.append(there.encode([encode_request(chance.choice(requests))] * chance.randrange(1, 4), number, iv))
        data = [b"\x00" + encode_table_data(chance.randbytes(chance.randrange(300))) for _ in range(chance.randrange(1, 4))]
        reply = back.encode(data, 32_768 - number, iv, reply_to=number, response_control=ResponseControl.NEVER)
        datagrams += split(reply, 700)
    return datagrams


@needs_tshark
def test_tshark_verifies_what_we_send_in_every_mode(tmp_path: Path) -> None:
    datagrams = generated(random.Random(20), 250)
    path = tmp_path / "generated.pcap"
    with path.open("wb") as stream:
        record = PcapWriter(stream)
        for number, octets in enumerate(datagrams):
            record.write(octets, *ENDS[6], number / 100)
    counts = tally(decode(path, {2: KEY}, tmp_path))
    assert counts.failed == []
    assert len(counts.verified) > 250
    assert len(counts.clear) > 100
    assert counts.segments
    assert len(counts.unverifiable) < 30
    assert sum(map(len, (counts.verified, counts.clear, counts.segments, counts.unverifiable))) == len(datagrams)


@needs_tshark
def test_tshark_reads_the_services_we_wrote(tmp_path: Path) -> None:
    path = tmp_path / "one.pcap"
    forms = Message(
        METER, HEAD_END, 7, (encode_request(FullRead(1)), encode_request(PartialReadOffset(64, 1, 2))), mode=SecurityMode.ENCRYPTED,
        key_id=9, iv=1_753_056_000, ed_class=b"HEUT",
    )  # fmt: skip
    with path.open("wb") as stream:
        PcapWriter(stream).write(encode_message(forms, Cipher(KEY)), *ENDS[4], 0)
    [frame] = decode(path, {2: bytes(16), 9: KEY}, tmp_path)
    assert frame.good
    assert not frame.bad
    assert frame.commands == (0x30, 0x3F)


@needs_tshark
def test_a_wrong_key_fails_and_one_device_can_be_taken_out(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.pcap", tmp_path / "part.pcap"
    other = ApTitle.parse(".100.9")
    with whole.open("wb") as stream:
        record = PcapWriter(stream)
        for title, key in ((METER, KEY), (other, bytes(16)), (METER, KEY)):
            octets = Association(HEAD_END, title, SecurityMode.ENCRYPTED, 2, Cipher(key)).encode([b"\x30\x00\x01"], 5, 1_753_056_000)
            record.write(octets, ("127.0.0.1", 5_000), ("127.0.0.1", 20_153), 0)
    assert [number for number, _ in tally(decode(whole, {2: KEY}, tmp_path, [20_153])).failed] == [2]
    assert of_device(whole, METER.absolute, part) == 2
    assert tally(decode(part, {2: KEY}, tmp_path, [20_153])).verified == [1, 2]
