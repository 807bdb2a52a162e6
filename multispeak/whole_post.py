"""Octets → an ordinary POST that is there whole: HTTP/1.1, a plain path, a Content-Length, nothing that would need an answer before.

Nearly all SOAP calls are such. Whatever is not, malformed ones too, is for Twisted's parser, which is why this one may say no to anything.
Pure.
"""

import re
from enum import Enum, auto
from typing import NamedTuple

from multispeak.limits import HEAD_OCTETS_MAX, HEADERS_MAX, WHOLE_POST_OCTETS_MAX

_START = b"POST /"
_REQUEST_LINE = re.compile(rb"POST (/[A-Za-z0-9_./-]{0,200}) HTTP/1\.1\r\n")
_FIELDS = re.compile(rb"(?:[A-Za-z0-9-]{1,64}:[^\r\n\0]*\r\n){1,%d}\r\n" % HEADERS_MAX)
_FIELD = re.compile(rb"([A-Za-z0-9-]+):[ \t]*([^\r\n\0]*?)[ \t]*\r\n")
_NOT_ORDINARY = (b"transfer-encoding", b"expect", b"upgrade", b"connection")
_DIGITS_MAX = 7


class WholePost(NamedTuple):
    """A request: its path, its header fields by their names in small letters, its body."""

    path: bytes
    headers: dict[bytes, bytes]
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
    line = _REQUEST_LINE.match(octets)
    if line is None or _FIELDS.fullmatch(octets, line.end(), end) is None:
        return NotYet.NEVER
    found = _FIELD.findall(octets, line.end(), end - 2)
    headers = {name.lower(): value for name, value in found}
    length = headers.get(b"content-length", b"")
    if len(headers) != len(found) or not length.isdigit() or len(length) > _DIGITS_MAX or not _is_ordinary(headers):
        return NotYet.NEVER
    missing = end + int(length) - len(octets)
    if missing:
        return NotYet.MORE if 0 < missing < WHOLE_POST_OCTETS_MAX - len(octets) else NotYet.NEVER
    return WholePost(line[1], headers, octets[end:])


def _is_ordinary(headers: dict[bytes, bytes]) -> bool:
    return not any(name in headers and headers[name].lower() != b"keep-alive" for name in _NOT_ORDINARY)
