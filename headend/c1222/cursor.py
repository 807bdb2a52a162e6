"""Takes fields off octets and remembers the offset."""

from headend.c1222.ber import read_length
from headend.c1222.errors import TrailingOctetsError
from headend.errors import TruncatedError


class Cursor:
    """A position in octets; every field taken moves it, a field past the end raises TruncatedError and leaves it.

    Integers are big-endian, as in the C12.22 layer.
    """

    __slots__ = ("end", "octets", "offset")

    def __init__(self, octets: bytes, offset: int = 0, end: int | None = None) -> None:
        self.octets = octets
        self.offset = offset
        self.end = len(octets) if end is None else end

    @property
    def remaining(self) -> int:
        return self.end - self.offset

    def take(self, count: int) -> bytes:
        """The next `count` octets."""
        start = self.offset
        if start + count > self.end:
            raise TruncatedError(start, count, self.end - start)
        self.offset = start + count
        return self.octets[start : start + count]

    def rest(self) -> bytes:
        """All octets that are left."""
        return self.take(self.remaining)

    def uint8(self) -> int:
        start = self.offset
        if start >= self.end:
            raise TruncatedError(start, 1, 0)
        self.offset = start + 1
        return self.octets[start]

    def uint16(self) -> int:
        return int.from_bytes(self.take(2))

    def uint24(self) -> int:
        return int.from_bytes(self.take(3))

    def uint32(self) -> int:
        return int.from_bytes(self.take(4))

    def length(self) -> int:
        """A BER length field. Raises LengthError too."""
        length, self.offset = read_length(self.octets, self.offset, self.end)
        return length

    def finish(self) -> None:
        """Raises TrailingOctetsError when octets are left."""
        if self.offset != self.end:
            raise TrailingOctetsError(self.offset, self.end - self.offset)
