"""The elements an APDU is made of, ready to be put together; `acse` has their order.

Source  reference/field-protocol-c1222.md 1.1, 1.3
"""

from functools import lru_cache

from headend.c1222.ber import element, length_octets
from headend.c1222.errors import BoundError
from headend.c1222.identifiers import ABSOLUTE_TAG, C1222_CONTEXT, C1222_MECHANISM, RELATIVE_TAG, TITLE_ROOT, ApTitle
from headend.c1222.limits import APDU_OCTETS_MAX

APDU_TAG = 0x60
CONTEXT = element(0xA1, element(0x06, C1222_CONTEXT))
MECHANISM = element(0x8B, C1222_MECHANISM)


def title_element(tag: int, title: ApTitle, absolute: bool = False) -> bytes:
    """A2 or A6 around a title: relative where it can be, unless `absolute`."""
    relative = None if absolute else title.relative
    if relative is None:
        return element(tag, element(ABSOLUTE_TAG, title.absolute))
    return element(tag, element(RELATIVE_TAG, relative))


TITLES_MAX = 4_096
"""Titles remembered: those of as many peers as hold conversations at once."""


@lru_cache(maxsize=TITLES_MAX)
def known_title(content: bytes) -> tuple[ApTitle, bytes, bytes] | None:
    """The relative title in an A2 or A6, with its canonical A2 and A6; None when it is no such title, or a length before it is wrong.

    All messages of one peer share the value.
    """
    relative = content[3:]
    if content[1] != RELATIVE_TAG or content[0] != len(relative) + 2 or content[2] != len(relative):
        return None
    absolute = TITLE_ROOT + relative
    identifier = element(ABSOLUTE_TAG, absolute)
    return ApTitle(absolute), element(0xA2, identifier), element(0xA6, identifier)


def authentication_element(key_id: int | None, iv: int, reference: bool = False) -> bytes:
    """AC: key id (0…255) and initialization vector (UNIX seconds)."""
    value = (b"" if key_id is None else bytes((0x80, 1, key_id))) + b"\x81\x04" + iv.to_bytes(4)
    return element(0xAC, element(0xA2, (b"\x02\x01\x00" if reference else b"") + element(0xA0, element(0xA1, value))))


@lru_cache(maxsize=4096)
def information_head(epsem_octets: int) -> bytes:
    """BE down to the length of the EPSEM octets that follow, where nothing stands before them."""
    return information_element(epsem_octets, b"")


def information_element(octets: int, segment_offset: bytes) -> bytes:
    """BE down to the length of the octets it ends in, behind an INTEGER element in segments."""
    inner = segment_offset + b"\x81" + length_octets(octets)
    outer = b"\x28" + length_octets(len(inner) + octets) + inner
    return b"\xbe" + length_octets(len(outer) + octets) + outer


@lru_cache(maxsize=4096)
def apdu_start(content_octets: int) -> bytes:
    """60 and the length of all elements together. Raises BoundError."""
    start = b"\x60" + length_octets(content_octets)
    if len(start) + content_octets > APDU_OCTETS_MAX:
        raise BoundError("octets of APDU", len(start) + content_octets, APDU_OCTETS_MAX)
    return start


def apdu_octets(content: bytes) -> bytes:
    """60 around all elements. Raises BoundError."""
    return apdu_start(len(content)) + content
