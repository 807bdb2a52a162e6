"""The ACSE PDU that every C12.22 message travels in.

Layout  60 L | A1 context? | A2 called title | A3 APDU size (segments) | A4 id replied to? | A6 calling title | A7 qualifier? |
        A8 invocation id | 8B mechanism? | AC authentication value? | BE 28 [02 segment offset] 81 octets
        The 81 octets are EPSEM (control octet, services, MAC), or a segment's slice of the whole APDU.
        Canonical cleartext N: A1 A2 A4 A7 A8 8B AC BE…control A6 key-id iv, titles absolute.
Source  reference/field-protocol-c1222.md 1.1, 1.3, 2
"""

from headend.c1222 import ordinary_apdu
from headend.c1222.apdu import Apdu, Form, SegmentPlace
from headend.c1222.ber import content_bounds, read_unsigned
from headend.c1222.elements import APDU_TAG, CONTEXT, MECHANISM, authentication_element, title_element
from headend.c1222.epsem import SECURITY_MODE_MASK, check_control
from headend.c1222.errors import BoundError, ElementError, LengthError, MissingElementError, SegmentError, TrailingOctetsError
from headend.c1222.identifiers import ABSOLUTE_TAG, RELATIVE_TAG, ApTitle
from headend.c1222.limits import APDU_OCTETS_MAX, INVOCATION_ID_RECEIVED_MAX
from headend.errors import TruncatedError, WireError

_ORDER = {tag: rank for rank, tag in enumerate((0xA1, 0xA2, 0xA3, 0xA4, 0xA6, 0xA7, 0xA8, 0x8B, 0xAC, 0xBE), 1)}


def parse_apdu(octets: bytes) -> Apdu:
    """Take apart one whole APDU. Raises WireError, naming what and where."""
    return ordinary_apdu.parse(octets) or parse_any_apdu(octets)


def parse_any_apdu(octets: bytes) -> Apdu:
    """Take apart one whole APDU of any form, element by element; means the same as `parse_apdu`. Raises WireError."""
    found = _Elements(octets)
    segment = found.segment_place()
    start, stop = found.information(segment)
    key_id, iv, reference = found.authentication()
    control = 0
    head_stop = start
    if segment is None:
        if start == stop:
            raise TruncatedError(start, 1, 0)
        control = octets[start]
        check_control(control, start)
        head_stop = start + 1
    called, called_absolute = found.title(0xA2, "called AP title")
    calling, calling_absolute = found.title(0xA6, "calling AP title")
    invocation_id = found.unsigned(0xA8, INVOCATION_ID_RECEIVED_MAX)
    if invocation_id is None:
        raise MissingElementError("calling AP invocation id")
    secured = segment is None and control & SECURITY_MODE_MASK
    cleartext_n = found.cleartext_n(called, calling, head_stop, key_id, iv) if secured else b""
    form = Form(found.fixed(0xA1, CONTEXT), called_absolute, calling_absolute, found.fixed(0x8B, MECHANISM), reference)
    reply_to = found.unsigned(0xA4, INVOCATION_ID_RECEIVED_MAX)
    qualifier = found.unsigned(0xA7, 0xFF)
    payload = octets[head_stop:stop]
    return Apdu(called, calling, invocation_id, reply_to, qualifier, key_id, iv, control, payload, cleartext_n, segment, form)


class _Elements:
    """Where each element of an APDU stands; the order is checked on the way. Raises WireError."""

    __slots__ = ("_found", "_octets")

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._found: dict[int, tuple[int, int, int]] = {}
        if not octets:
            raise TruncatedError(0, 1, 0)
        if octets[0] != APDU_TAG:
            raise WireError(f"octet 0: {octets[0]:02X} does not begin an APDU")
        offset, end = content_bounds(octets, 0, len(octets))
        if end < len(octets):
            raise TrailingOctetsError(end, len(octets) - end)
        if end > APDU_OCTETS_MAX:
            raise BoundError("octets of APDU", end, APDU_OCTETS_MAX)
        rank = 0
        while offset < end:
            tag = octets[offset]
            place = _ORDER.get(tag, 0)
            if place <= rank:
                raise ElementError(offset, tag, "twice or out of order" if place else "unknown")
            rank = place
            start, stop = content_bounds(octets, offset, end)
            self._found[tag] = (offset, start, stop)
            offset = stop

    def raw(self, tag: int) -> bytes:
        """The whole element, or nothing."""
        offset, _, stop = self._found.get(tag, (0, 0, 0))
        return self._octets[offset:stop]

    def fixed(self, tag: int, expected: bytes) -> bool:
        """Whether an element that can only be `expected` is there."""
        raw = self.raw(tag)
        if raw and raw != expected:
            raise ElementError(self._found[tag][0], tag, "not the object identifier of C12.22")
        return bool(raw)

    def unsigned(self, tag: int, limit: int) -> int | None:
        place = self._found.get(tag)
        return None if place is None else read_unsigned(self._octets, *place, limit)

    def title(self, tag: int, name: str) -> tuple[ApTitle, bool]:
        """The title, and whether it is absolute."""
        if tag not in self._found:
            raise MissingElementError(name)
        offset, start, stop = self._found[tag]
        content_start, content_stop = content_bounds(self._octets, start, stop)
        content = self._octets[content_start:content_stop]
        kind = self._octets[start]
        if content_stop != stop or kind not in {ABSOLUTE_TAG, RELATIVE_TAG}:
            raise ElementError(offset, tag, "content is not one object identifier")
        if kind == ABSOLUTE_TAG:
            return ApTitle.from_absolute(content), True
        return ApTitle.from_relative(content), False

    def segment_place(self) -> SegmentPlace | None:
        size = self.unsigned(0xA3, APDU_OCTETS_MAX)
        if size is None:
            return None
        for tag in (0xA4, 0x8B, 0xAC):
            if tag in self._found:
                raise ElementError(self._found[tag][0], tag, "in a segment")
        offset, start, stop = self._information_content()
        if self._octets[start : start + 1] != b"\x02":
            raise SegmentError(f"octet {start}: a segment without its offset")
        _, integer_stop = content_bounds(self._octets, start, stop)
        return SegmentPlace(size, read_unsigned(self._octets, offset, start, integer_stop))

    def information(self, segment: SegmentPlace | None) -> tuple[int, int]:
        """Where the octets inside user information begin and end."""
        offset, start, stop = self._information_content()
        if segment is not None:
            _, start = content_bounds(self._octets, start, stop)
        if start >= stop or self._octets[start] != 0x81:
            raise ElementError(offset, 0xBE, "no element 81 where it belongs")
        return self._filled(start, stop)

    def _information_content(self) -> tuple[int, int, int]:
        if 0xBE not in self._found:
            raise MissingElementError("user information")
        offset, start, stop = self._found[0xBE]
        if start >= stop or self._octets[start] != 0x28:
            raise ElementError(offset, 0xBE, "content is not one EXTERNAL")
        return offset, *self._filled(start, stop)

    def _filled(self, offset: int, end: int) -> tuple[int, int]:
        start, stop = content_bounds(self._octets, offset, end)
        if stop != end:
            raise LengthError(offset + 1, f"content ends {end - stop} octets before its enclosure")
        return start, stop

    def authentication(self) -> tuple[int | None, int | None, bool]:
        """Key id, initialization vector, and whether the needless reference is there."""
        raw = self.raw(0xAC)
        if not raw:
            return None, None, False
        iv = int.from_bytes(raw[-4:])
        for key_id in (None, *raw[-7:-6]):
            for reference in (False, True):
                if raw == authentication_element(key_id, iv, reference):
                    return key_id, iv, reference
        raise ElementError(self._found[0xAC][0], 0xAC, "not a C12.22 key id and initialization vector")

    def cleartext_n(self, called: ApTitle, calling: ApTitle, head_stop: int, key_id: int | None, iv: int | None) -> bytes:
        if iv is None:
            raise MissingElementError("calling authentication value")
        if key_id is None:
            raise MissingElementError("key id")
        before = self.raw(0xA1) + title_element(0xA2, called, absolute=True) + self.raw(0xA4)
        after = b"".join(map(self.raw, (0xA7, 0xA8, 0x8B, 0xAC)))
        head = self._octets[self._found[0xBE][0] : head_stop]
        return before + after + head + title_element(0xA6, calling, absolute=True) + bytes((key_id,)) + iv.to_bytes(4)
