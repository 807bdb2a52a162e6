"""AP titles as absolute and relative object identifiers.

Layout  arcs in base 128, most significant first, high bit = more follows; an absolute one begins with 40 a + b; a relative one
        counts from 2.16.124.113620.1.22.0
Source  reference/field-protocol-c1222.md 1.1
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from headend.c1222.ber import element
from headend.c1222.cursor import Cursor
from headend.c1222.errors import ApTitleError
from headend.c1222.limits import AP_TITLE_OCTETS_MAX
from headend.errors import WireError

C1222_CONTEXT = bytes.fromhex("607c86f7540116")
TITLE_ROOT = C1222_CONTEXT + b"\x00"
C1222_MECHANISM = C1222_CONTEXT + b"\x02\x01"

ABSOLUTE_TAG = 0x06
RELATIVE_TAG = 0x80
"""A relative title inside an ACSE element."""
RELATIVE_SERVICE_TAG = 0x0D
"""A relative title inside a service or a table."""


@dataclass(frozen=True, slots=True, order=True)
class ApTitle:
    """The name of a C12.22 node; `absolute`, the content octets of its absolute identifier, is its identity and order."""

    absolute: bytes

    def __hash__(self) -> int:
        return hash(self.absolute)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `.100.8437` (below the C12.22 root) or `2.16.124…`. Raises ApTitleError."""
        relative = text.startswith(".")
        parts = text[1:].split(".") if relative else text.split(".")
        if len(text) > 8 * AP_TITLE_OCTETS_MAX or not all(part.isascii() and part.isdigit() for part in parts):
            raise ApTitleError(text[:80], "arcs are decimal numbers with dots between them")
        arcs = [int(part) for part in parts]
        if not relative:
            if len(arcs) < 2 or arcs[0] > 2 or (arcs[0] < 2 and arcs[1] > 39):
                raise ApTitleError(text, "an absolute identifier begins with 0.0 to 0.39, 1.0 to 1.39 or 2")
            arcs[:2] = [40 * arcs[0] + arcs[1]]
        absolute = (TITLE_ROOT if relative else b"") + b"".join(map(_arc_octets, arcs))
        if len(absolute) > AP_TITLE_OCTETS_MAX:
            raise ApTitleError(text, f"{len(absolute)} octets long, {AP_TITLE_OCTETS_MAX} at most")
        return cls(absolute)

    @classmethod
    def from_absolute(cls, content: bytes) -> Self:
        """From the content octets of an absolute identifier. Raises WireError."""
        _check_arcs(content, AP_TITLE_OCTETS_MAX)
        return cls(content)

    @classmethod
    def from_relative(cls, content: bytes) -> Self:
        """From the content octets of a relative identifier. Raises WireError."""
        _check_arcs(content, AP_TITLE_OCTETS_MAX - len(TITLE_ROOT))
        return cls(TITLE_ROOT + content)

    @classmethod
    def take(cls, cursor: Cursor) -> Self:
        """A title with its tag, as services carry it: absolute, or relative under either tag. Raises WireError."""
        offset, tag = cursor.offset, cursor.uint8()
        content = cursor.take(cursor.length())
        if tag == ABSOLUTE_TAG:
            return cls.from_absolute(content)
        if tag in {RELATIVE_TAG, RELATIVE_SERVICE_TAG}:
            return cls.from_relative(content)
        raise WireError(f"octet {offset}: tag {tag:02X} is not that of an ApTitle")

    @property
    def relative(self) -> bytes | None:
        """Content octets below the C12.22 root; None when it is not below it."""
        return self.absolute[len(TITLE_ROOT) :] if self._below_root else None

    @property
    def element(self) -> bytes:
        """As services carry it: tag, length, absolute identifier."""
        return element(ABSOLUTE_TAG, self.absolute)

    @property
    def _below_root(self) -> bool:
        return self.absolute.startswith(TITLE_ROOT) and len(self.absolute) > len(TITLE_ROOT)

    def __str__(self) -> str:
        relative = self.relative
        if relative is not None:
            return "".join(f".{arc}" for arc in _arcs(relative))
        first, *rest = _arcs(self.absolute)
        top = min(first // 40, 2)
        return ".".join(map(str, (top, first - 40 * top, *rest)))


def _arc_octets(arc: int) -> bytes:
    groups = [arc & 0x7F]
    while arc := arc >> 7:
        groups.append(arc & 0x7F | 0x80)
    return bytes(reversed(groups))


def _arcs(content: bytes) -> Iterator[int]:
    arc = 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if octet < 0x80:
            yield arc
            arc = 0


def _check_arcs(content: bytes, octets_max: int) -> None:
    if not content or content[-1] >= 0x80:
        raise WireError(f"object identifier {content[:40].hex()} is {'cut' if content else 'empty'}")
    if len(content) > octets_max:
        raise WireError(f"object identifier of {len(content)} octets, {octets_max} at most")
    if 0x80 in content and any(octet == 0x80 and (i == 0 or content[i - 1] < 0x80) for i, octet in enumerate(content)):
        raise WireError(f"object identifier {content.hex()} has an arc that is not minimal")
