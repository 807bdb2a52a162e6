"""Writes what a link sends and receives to a capture file that Wireshark reads.

Layout  pcap 2.4, little-endian, link type 101 (raw IP): per datagram an IPv4 or IPv6 header, a UDP header, the octets
Source  RFC 791, RFC 8200, RFC 768; the pcap file format of libpcap
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import BinaryIO

HostPort = tuple[str, int]

_LINK_TYPE_RAW_IP = 101
_SNAP_OCTETS = 262_144
_UDP = 17
_HOPS = 64
_ADDRESSES_MAX = 65_536

_FILE_HEADER = Struct("<IHHiIII")
_RECORD_HEADER = Struct("<IIII")
_IPV4_HEADER = Struct(">BBHHHBBH4s4s")
_IPV6_HEADER = Struct(">IHBB16s16s")
_UDP_HEADER = Struct(">HHHH")


class PcapWriter:
    """Appends datagrams to a stream of octets, which stays the caller's to flush and close.

    Itself a recorder for a link: called with what passes. Addresses that are names, or missing, are written as the unspecified one.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._addresses: dict[str, IPv4Address | IPv6Address] = {}
        self.datagrams = 0
        stream.write(_FILE_HEADER.pack(0xA1B2C3D4, 2, 4, 0, 0, _SNAP_OCTETS, _LINK_TYPE_RAW_IP))

    def __call__(self, direction: str, octets: bytes, local: HostPort, remote: HostPort, unix_seconds: float) -> None:
        """One APDU that was 'sent' to `remote` or 'received' from it."""
        source, destination = (local, remote) if direction == "sent" else (remote, local)
        self.write(octets, source, destination, unix_seconds)

    def write(self, octets: bytes, source: HostPort, destination: HostPort, unix_seconds: float) -> None:
        """One datagram."""
        packet = self._packet(octets, source, destination)
        seconds, microseconds = divmod(round(unix_seconds * 1_000_000), 1_000_000)
        self._stream.write(_RECORD_HEADER.pack(seconds, microseconds, len(packet), len(packet)) + packet)
        self.datagrams += 1

    def _packet(self, octets: bytes, source: HostPort, destination: HostPort) -> bytes:
        sender, receiver = self._address(source[0]), self._address(destination[0])
        ports = (source[1], destination[1])
        if sender.version == receiver.version == 4:
            udp = _udp(octets, ports, sender.packed + receiver.packed)
            return _ipv4_header(len(udp), sender.packed, receiver.packed) + udp
        pair = (_as_ipv6(sender), _as_ipv6(receiver))
        udp = _udp(octets, ports, b"".join(pair))
        return _IPV6_HEADER.pack(6 << 28, len(udp), _UDP, _HOPS, *pair) + udp

    def _address(self, host: str) -> IPv4Address | IPv6Address:
        address = self._addresses.get(host)
        if address is None:
            try:
                address = ip_address(host.partition("%")[0])
            except ValueError:
                address = IPv4Address(0)
            if len(self._addresses) < _ADDRESSES_MAX:
                self._addresses[host] = address
        return address


def _ipv4_header(payload_octets: int, source: bytes, destination: bytes) -> bytes:
    fields = (0x45, 0, 20 + payload_octets, 0, 0, _HOPS, _UDP)
    checksum = _internet_checksum(_IPV4_HEADER.pack(*fields, 0, source, destination))
    return _IPV4_HEADER.pack(*fields, checksum, source, destination)


def _udp(octets: bytes, ports: tuple[int, int], addresses: bytes) -> bytes:
    length = 8 + len(octets)
    pseudo_header = addresses + length.to_bytes(4) + _UDP.to_bytes(4)
    checksum = _internet_checksum(pseudo_header + _UDP_HEADER.pack(*ports, length, 0) + octets)
    return _UDP_HEADER.pack(*ports, length, checksum or 0xFFFF) + octets


def _internet_checksum(octets: bytes) -> int:
    """The one's complement of the one's complement sum of 16-bit words.

    A number is congruent to that sum modulo FFFF, since 10000 is 1 there.
    """
    value = int.from_bytes(octets + bytes(len(octets) % 2))
    return 0xFFFF - (value % 0xFFFF or (0xFFFF if value else 0))


def _as_ipv6(address: IPv4Address | IPv6Address) -> bytes:
    if isinstance(address, IPv6Address):
        return address.packed
    return bytes(10) + b"\xff\xff" + address.packed
