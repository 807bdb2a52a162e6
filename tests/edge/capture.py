"""Reads capture files: the datagrams and the stream segments in them."""

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from struct import unpack, unpack_from
from typing import NamedTuple

_LINK_HEADER_OCTETS = {1: 14, 101: 0}
_TCP, _UDP = 6, 17


class Payload(NamedTuple):
    """What one packet carries: UNIX seconds, (host, port) of both ends, octets, and whether it is a piece of a stream."""

    seconds: float
    source: tuple[str, int]
    destination: tuple[str, int]
    octets: bytes
    is_stream: bool


def read_capture(path: Path) -> list[Payload]:
    """Every UDP and TCP payload in a pcap file, in order."""
    octets = path.read_bytes()
    magic, link_type = unpack_from("<I16xI", octets)
    assert magic == 0xA1B2C3D4, "little-endian, microseconds"
    return [_payload(seconds, packet[_LINK_HEADER_OCTETS[link_type] :]) for seconds, packet in _packets(octets)]


def _packets(octets: bytes) -> Iterator[tuple[float, bytes]]:
    offset = 24
    while offset < len(octets):
        seconds, microseconds, captured, original = unpack_from("<IIII", octets, offset)
        assert captured == original
        yield seconds + microseconds / 1e6, octets[offset + 16 : offset + 16 + captured]
        offset += 16 + captured


def _payload(seconds: float, packet: bytes) -> Payload:
    if packet[0] >> 4 == 6:
        protocol, (source, destination), transport = packet[6], unpack("16s16s", packet[8:40]), packet[40:]
    else:
        assert packet[0] == 0x45
        protocol, (source, destination), transport = packet[9], unpack("4s4s", packet[12:20]), packet[20:]
    assert protocol in {_TCP, _UDP}
    ports = unpack_from(">HH", transport)
    header_octets = 8 if protocol == _UDP else transport[12] >> 4 << 2
    ends = [(str(ip_address(host)), port) for host, port in zip((source, destination), ports, strict=True)]
    return Payload(seconds, ends[0], ends[1], transport[header_octets:], protocol == _TCP)
