"""Octets → an ordinary POST that is there whole: HTTP/1.1, a plain path, a Content-Length, nothing that would need an answer before.

Nearly all SOAP calls are such. Whatever is not, malformed ones too, is for Twisted's parser, which is why this one may say no to anything.
Pure.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from multispeak.limits import HEAD_OCTETS_MAX, HEADERS_MAX, HEADS_REMEMBERED_MAX, WHOLE_POST_OCTETS_MAX

_START = b"POST /"
_REQUEST_LINE = re.compile(rb"POST (/[A-Za-z0-9_./-]{0,200}) HTTP/1\.1\r\n")
_FIELDS = re.compile(rb"(?:[A-Za-z0-9-]{1,64}:[^\r\n\0]*\r\n){1,%d}\r\n" % HEADERS_MAX)
_FIELD = re.compile(rb"([A-Za-z0-9-]+):[ \t]*([^\r\n\0]*?)[ \t]*\r\n")
_NOT_ORDINARY = (b"transfer-encoding", b"expect", b"upgrade", b"connection")
_DIGITS_MAX = 7


class WholePost(NamedTuple):
    """A request: its path, its header fields by their names in small letters, its body."""

    path: bytes
    headers: Mapping[bytes, bytes]
    body: bytes


class NotYet(Enum):
    """What else octets may be: the beginning of such a request, or none."""

    MORE = auto()
    NEVER = auto()


def whole_post(octets: bytes) -> WholePost | NotYet:
    """What has been received of one connection since its last request."""
    if len(octets) > WHOLE_POST_OCTETS_MAX or not octets.startswith(_START[: len(octets)]):
        return NotYet.NEVER
    end = octets.find(b"\r\n\r\n", 0, HEAD_OCTETS_MAX) + 4
    if end < 4:
        return NotYet.MORE if len(octets) < HEAD_OCTETS_MAX else NotYet.NEVER
    head = _ordinary(octets[:end])
    if head is None:
        return NotYet.NEVER
    path, headers, length = head
    missing = end + length - len(octets)
    if missing:
        return NotYet.MORE if 0 < missing < WHOLE_POST_OCTETS_MAX - len(octets) else NotYet.NEVER
    return WholePost(path, headers, octets[end:])


@lru_cache(maxsize=HEADS_REMEMBERED_MAX)
def _ordinary(head: bytes) -> tuple[bytes, Mapping[bytes, bytes], int] | None:
    """Path, header fields and length of the body; None where it is none of these. Kept, since a client sends few different ones."""
    line = _REQUEST_LINE.match(head)
    if line is None or _FIELDS.fullmatch(head, line.end()) is None:
        return None
    found = _FIELD.findall(head, line.end(), len(head) - 2)
    headers = {name.lower(): value for name, value in found}
    length = headers.get(b"content-length", b"")
    if len(headers) != len(found) or not length.isdigit() or len(length) > _DIGITS_MAX or not _has_nothing_else(headers):
        return None
    return line[1], headers, int(length)


def _has_nothing_else(headers: dict[bytes, bytes]) -> bool:
    return not any(name in headers and headers[name].lower() != b"keep-alive" for name in _NOT_ORDINARY)
