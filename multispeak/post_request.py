"""A POST that came whole, with as much of Twisted's Request as a SOAP endpoint uses, at a fraction of its cost.

Head and body of a short answer leave in one piece. The channel treats it as it does any request: answers keep their order, a lost
connection is told, a stream is paused.
"""
# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: N802
# Names are those of Twisted's Request.

import time
from functools import lru_cache
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES, datetimeToString
from twisted.web.server import version as server_version

from multispeak.whole_post import WholePost


class PostRequest:
    """One request on a channel and what is sent in answer to it."""

    method = b"POST"
    clientproto = b"HTTP/1.1"

    def __init__(self, channel: Any, post: WholePost) -> None:
        self.channel = channel
        self.path = self.uri = post.path
        self.content = BytesIO(post.body)
        self._headers = post.headers
        self._code = 200
        self._answer_headers = b""
        self._started = False
        self._chunked = True
        self._finished: list[Deferred[None]] = []

    def getHeader(self, name: bytes) -> bytes | None:
        """A header field's value; `name` in small letters."""
        return self._headers.get(name)

    def getClientAddress(self) -> IAddress:
        """Who is asking."""
        address: IAddress = self.channel.getPeer()
        return address

    def notifyFinish(self) -> Deferred[None]:
        """Fires when the answer is complete, or fails when the client has left before."""
        finished: Deferred[None] = Deferred()
        self._finished.append(finished)
        return finished

    def setResponseCode(self, code: int) -> None:
        """The answer's status."""
        self._code = code

    def setHeader(self, name: bytes, value: bytes) -> None:
        """A header field of the answer; each is set once."""
        if name == b"content-length":
            self._chunked = False
        self._answer_headers += b"%s: %s\r\n" % (name.title(), value)

    def write(self, octets: bytes) -> None:
        """A part of the answer's body; before the first stands the head."""
        if self.channel is None:
            return
        if self._chunked:
            octets = b"%x\r\n%s\r\n" % (len(octets), octets)
        if not self._started:
            self._started = True
            octets = self._head() + octets
        self.channel.send(octets)

    def finish(self) -> None:
        """The answer is complete."""
        channel, self.channel = self.channel, None
        if channel is None:
            return
        if self._chunked:
            channel.send(b"0\r\n\r\n")
        channel.requestDone(self)
        for finished in self._finished:
            finished.callback(None)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Who is paused when the client does not keep up."""
        self.channel.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """No longer."""
        if self.channel is not None:
            self.channel.unregisterProducer()

    def connectionLost(self, reason: Failure) -> None:
        """The client has left."""
        self.channel = None
        for finished in self._finished:
            finished.errback(reason)

    def _head(self) -> bytes:
        chunked = b"Transfer-Encoding: chunked\r\n" if self._chunked else b""
        status = RESPONSES.get(self._code, b"Unknown Status")
        fields = b"Server: %s\r\nDate: %s\r\n%s%s" % (server_version, _date(int(time.time())), self._answer_headers, chunked)
        return b"HTTP/1.1 %d %s\r\n%s\r\n" % (self._code, status, fields)


@lru_cache(maxsize=1)
def _date(seconds: int) -> bytes:
    """Once a second, since to write a date costs as much as to send it."""
    date: bytes = datetimeToString(seconds)
    return date
