"""Envelopes as the message log keeps them: those of many exchanges as one, and back, and laid out for people.

Layout  zlib of UTF-8: request, answer, request, answer, … with a NUL between each two, which no XML holds
"""

import zlib
from collections.abc import Iterable

from lxml import etree

_LEVEL = 3
"""Of zlib: a third of the time of its usual one for a tenth more octets."""
_NUL, _NO_NUL = "\0", "\N{REPLACEMENT CHARACTER}"


def packed(envelopes: Iterable[tuple[str, str]]) -> bytes:
    """Requests and answers of exchanges. Together they take a tenth of what they do one by one, and of the time."""
    texts = [text.replace(_NUL, _NO_NUL) for both in envelopes for text in both]
    return zlib.compress(_NUL.join(texts).encode("utf-8", "replace"), _LEVEL)


def unpacked(octets: bytes, place: int) -> tuple[str, str]:
    """Request and answer of the exchange at a place."""
    texts = zlib.decompress(octets).decode().split(_NUL)
    return texts[2 * place], texts[2 * place + 1]


def laid_out(text: str) -> str:
    """An envelope with one element a line; as it is where it is no well-formed XML, as the head of a longer one."""
    parser = etree.XMLParser(remove_blank_text=True, resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        return text
    return etree.tostring(root, pretty_print=True, encoding="unicode")
