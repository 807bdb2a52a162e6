"""APDUs off a stream: they follow one another and say how long they are.

Source  reference/field-protocol-c1222.md 1.5
"""

from headend.c1222.ber import read_length
from headend.c1222.elements import APDU_TAG
from headend.c1222.errors import BoundError
from headend.c1222.limits import APDU_OCTETS_MAX
from headend.errors import TruncatedError, WireError


class ApduStream:
    """Cuts a stream of octets into APDUs; holds at most one incomplete one.

    A stream that holds something else cannot be followed any further: `broken` says why, and every later `feed` raises it.
    """

    __slots__ = ("_buffer", "_octets_max", "_wanted", "broken")

    def __init__(self, octets_max: int = APDU_OCTETS_MAX) -> None:
        self._buffer = bytearray()
        self._octets_max = octets_max
        self._wanted = 0
        self.broken: WireError | None = None

    @property
    def pending(self) -> int:
        """Octets of an APDU that is not complete yet."""
        return len(self._buffer)

    def feed(self, octets: bytes) -> list[bytes]:
        """The APDUs that `octets` complete.

        Raises WireError on what is no APDU; where whole ones came before it in the same octets, they are returned, and `broken` is
        set for whoever must hang up.
        """
        if self.broken is not None:
            raise self.broken
        self._buffer += octets
        if len(self._buffer) < self._wanted:
            return []
        apdus: list[bytes] = []
        start = 0
        try:
            while (end := self._end(start)) is not None:
                apdus.append(bytes(self._buffer[start:end]))
                start = end
        except WireError as error:
            self.broken = error
            self._buffer.clear()
            if not apdus:
                raise
            return apdus
        del self._buffer[:start]
        return apdus

    def _end(self, start: int) -> int | None:
        """Where the APDU at `start` ends; None while not all of it is there."""
        have = len(self._buffer)
        self._wanted = 0
        if start == have:
            return None
        if self._buffer[start] != APDU_TAG:
            raise WireError(f"{self._buffer[start]:02X} does not begin an APDU")
        try:
            length, content = read_length(self._buffer, start + 1, have)
        except TruncatedError:
            return None
        end = content + length
        if end - start > self._octets_max:
            raise BoundError("octets of APDU", end - start, self._octets_max)
        if end > have:
            self._wanted = end - start
            return None
        return end
