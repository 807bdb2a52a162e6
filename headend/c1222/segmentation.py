"""APDU ⇄ segments: an APDU too long for one datagram travels in slices, each in an APDU of its own.

Layout  60 | [A1] A2 A3 {octets of the whole APDU} A6 [A7] A8 {the same id} | BE 28 {02 offset, 81 slice}
        No A4, 8B or AC: security is inside what is put together.
Source  reference/field-protocol-c1222.md 1.6
"""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta

from headend.c1222.acse import parse_apdu
from headend.c1222.apdu import Apdu
from headend.c1222.ber import unsigned_element
from headend.c1222.elements import APDU_TAG, CONTEXT, apdu_octets, information_element, title_element
from headend.c1222.errors import SegmentError
from headend.c1222.identifiers import ApTitle
from headend.c1222.limits import APDU_OCTETS_MAX, REASSEMBLIES_MAX, REASSEMBLY_SECONDS

_Key = tuple[ApTitle, ApTitle, int]


def split(apdu: bytes, segment_octets: int) -> list[bytes]:
    """What to send so that nothing is longer than `segment_octets`: the APDU itself where it fits, else its segments.

    Raises SegmentError when segments of that size have no room for a slice, WireError when `apdu` is none.
    """
    if len(apdu) <= segment_octets:
        return [apdu]
    return list(_segments(apdu, segment_octets))


def _segments(apdu: bytes, segment_octets: int) -> Iterator[bytes]:
    whole = parse_apdu(apdu)
    header = b"".join((
        CONTEXT if whole.form.context else b"",
        title_element(0xA2, whole.called, whole.form.called_absolute),
        unsigned_element(0xA3, len(apdu)),
        title_element(0xA6, whole.calling, whole.form.calling_absolute),
        b"" if whole.qualifier is None else unsigned_element(0xA7, whole.qualifier),
        unsigned_element(0xA8, whole.invocation_id),
    ))  # fmt: skip
    offset = 0
    while offset < len(apdu):
        place = unsigned_element(0, offset)[2:]
        # The four lengths around a slice take 4 to 12 octets, so a few steps down find the longest that fits.
        count = min(segment_octets - len(header) - len(place) - 8, len(apdu) - offset)
        while count > 0 and len(segment := _segment(header, place, apdu[offset : offset + count])) > segment_octets:
            count -= 1
        if count <= 0:
            raise SegmentError(f"segments of {segment_octets} octets leave no room for content")
        yield segment
        offset += count


def _segment(header: bytes, place: bytes, part: bytes) -> bytes:
    return apdu_octets(header + information_element(len(part), place) + part)


class Reassembler:
    """Puts segments together, in any order, with bounds on size, number and age; what does not fit together is dropped and counted.

    Counters  completed, expired (too old), evicted (too many at once), conflicting (overlaps that disagree, sizes that differ)
    """

    def __init__(self, open_max: int = REASSEMBLIES_MAX, seconds_max: float = REASSEMBLY_SECONDS) -> None:
        self._open: OrderedDict[_Key, _Partial] = OrderedDict()
        self._open_max = open_max
        self._age_max = timedelta(seconds=seconds_max)
        self.completed = 0
        self.expired = 0
        self.evicted = 0
        self.conflicting = 0

    def __len__(self) -> int:
        """How many APDUs are under way."""
        return len(self._open)

    def add(self, apdu: Apdu, now: datetime) -> bytes | None:
        """Take one segment; the whole APDU once nothing of it is missing. Raises SegmentError where nothing fits together."""
        self._expire(now)
        place = apdu.segment
        if place is None:
            raise SegmentError("a whole APDU among segments")
        if not 0 < place.apdu_octets <= APDU_OCTETS_MAX or place.offset + len(apdu.payload) > place.apdu_octets or not apdu.payload:
            raise SegmentError(f"{len(apdu.payload)} octets at {place.offset} are no part of {place.apdu_octets}")
        key = (apdu.called, apdu.calling, apdu.invocation_id)
        partial = self._open.get(key)
        if partial is None:
            if len(self._open) >= self._open_max:
                self._open.popitem(last=False)
                self.evicted += 1
            partial = self._open[key] = _Partial(place.apdu_octets, now)
        if len(partial.octets) != place.apdu_octets or not partial.put(place.offset, apdu.payload):
            del self._open[key]
            self.conflicting += 1
            raise SegmentError(f"segment at {place.offset} disagrees with those before it")
        if partial.missing:
            return None
        del self._open[key]
        self.completed += 1
        if partial.octets[0] != APDU_TAG:
            raise SegmentError("segments make no APDU")
        return bytes(partial.octets)

    def _expire(self, now: datetime) -> None:
        while self._open:
            key, oldest = next(iter(self._open.items()))
            if now - oldest.opened <= self._age_max:
                return
            del self._open[key]
            self.expired += 1


class _Partial:
    """An APDU with holes."""

    __slots__ = ("covered", "missing", "octets", "opened")

    def __init__(self, apdu_octets: int, opened: datetime) -> None:
        self.octets = bytearray(apdu_octets)
        self.covered = bytearray(apdu_octets)
        self.missing = apdu_octets
        self.opened = opened

    def put(self, offset: int, part: bytes) -> bool:
        """Whether `part` agrees with what is there already; it then is there too."""
        end = offset + len(part)
        covered = self.covered[offset:end]
        gaps = covered.count(0)
        if gaps < len(part):
            present = self.octets[offset:end]
            if any(was and old != new for was, old, new in zip(covered, present, part, strict=True)):
                return False
        self.octets[offset:end] = part
        self.covered[offset:end] = b"\x01" * len(part)
        self.missing -= gaps
        return True
