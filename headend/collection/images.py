"""What is known of a meter's tables: octets by where they stand, as they were read or pushed."""

from collections.abc import Iterable
from typing import NamedTuple


class Span(NamedTuple):
    """Octets `offset` … `offset` + `length` - 1 of a table; a length of 0 is the whole table, whatever its length."""

    table: int
    offset: int
    length: int


class Piece(NamedTuple):
    """Octets of a table from `offset` on; `whole` when they are all of it."""

    table: int
    offset: int
    octets: bytes
    whole: bool = False


class TableImages:
    """Pieces of tables, the newest first to be believed; never changed, only made anew."""

    __slots__ = ("_pieces",)

    def __init__(self, pieces: dict[int, tuple[Piece, ...]] | None = None) -> None:
        self._pieces = pieces or {}

    def __repr__(self) -> str:
        return f"TableImages({sorted(self._pieces)})"

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def with_pieces(self, pieces: Iterable[Piece]) -> "TableImages":
        """These and those before, `pieces` being newer."""
        merged = dict(self._pieces)
        for piece in pieces:
            before = merged.get(piece[0])
            merged[piece[0]] = (piece,) if before is None else (piece, *before)
        return TableImages(merged)

    def without(self, span: Span) -> "TableImages":
        """Without the octets of `span`."""
        merged = dict(self._pieces)
        merged[span.table] = tuple(rest for piece in merged.get(span.table, ()) for rest in _outside(piece, span))
        return TableImages(merged)

    def pieces(self, table: int) -> tuple[Piece, ...]:
        """All that is known of a table, newest first."""
        return self._pieces.get(table, ())

    def whole(self, table: int) -> bytes | None:
        """A table that is known from end to end."""
        for piece in self._pieces.get(table, ()):
            if piece[3]:
                return piece[2]
        return None

    def get(self, span: Span) -> bytes | None:
        """The octets of `span`; None unless all of them are known."""
        table, offset, length = span
        pieces = self._pieces.get(table)
        if pieces is None:
            return None
        if not length:
            return self.whole(table)
        for _, begins, octets, _ in pieces:
            start = offset - begins
            if start >= 0 and start + length <= len(octets):
                return octets[start : start + length]
        return _joined(pieces, offset, offset + length)

    def known(self, spans: Iterable[Span]) -> tuple[bytes, ...]:
        """The octets of `spans`, one after another, up to the first that is not known."""
        found = []
        for span in spans:
            octets = self.get(span)
            if octets is None:
                break
            found.append(octets)
        return tuple(found)

    def has(self, span: Span) -> bool:
        """Whether all octets of `span` are known."""
        return self.get(span) is not None


def _outside(piece: Piece, span: Span) -> list[Piece]:
    """What of a piece is not in a span."""
    table, begins, octets, _ = piece
    start, end = span.offset - begins, span.offset + span.length - begins
    if start >= len(octets) or end <= 0:
        return [piece]
    rests = (Piece(table, begins, octets[: max(start, 0)]), Piece(table, begins + end, octets[end:]))
    return [rest for rest in rests if rest.octets]


def _joined(pieces: tuple[Piece, ...], offset: int, end: int) -> bytes | None:
    parts = []
    while offset < end:
        for _, begins, octets, _ in pieces:
            if begins <= offset < begins + len(octets):
                part = octets[offset - begins : end - begins]
                break
        else:
            return None
        parts.append(part)
        offset += len(part)
    return b"".join(parts)
