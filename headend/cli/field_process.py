"""The emulated utility as a process of its own: started, heard when ready, ended with us."""

import io
import json
import sys
from typing import Any

from twisted.internet import defer
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.web.client import Agent, FileBodyProducer, readBody
from twisted.web.http import OK
from twisted.web.http_headers import Headers

from headend.errors import HeadEndError
from headend.model.endpoint import NativeAddress

LINE_OCTETS_MAX = 1_000_000
"""Longest ready line taken from the process, in octets: a thousand routers' addresses fit in a tenth of it."""

STOP_SECONDS = 10
"""How long the process may take to stop after its standard input closed, before it is killed."""


class FieldProcessError(HeadEndError):
    """The emulated utility did not start, or ended before it was told to."""


class FieldProcess(ProcessProtocol):
    """`headend emulate`, whose first line of output says as JSON where its routers, control port and files are.

    The process watches its standard input, so that it ends with us whatever ends us.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._line = b""
        self.ready: defer.Deferred[dict[str, Any]] = defer.Deferred()
        self.ended: defer.Deferred[None] = defer.Deferred()

    @classmethod
    def spawn(cls, reactor: Any, arguments: list[str]) -> "FieldProcess":
        """Start `headend emulate ARGUMENTS`; its errors go to our standard error."""
        process = cls(reactor)
        command = [sys.executable, "-m", "headend.cli", "emulate", "--until-stdin-closes", *arguments]
        reactor.spawnProcess(process, sys.executable, command, env=None, childFDs={0: "w", 1: "r", 2: 2})
        return process

    async def speak_to(self, control: str, head_end: NativeAddress, trap_port: int | None, wake_within: float) -> None:
        """Tell the field where its head-end is and takes notifications of routers (None: nowhere).

        Every battery endpoint wakes within so many seconds. Raises FieldProcessError.
        """
        told = {"host": head_end.host, "port": head_end.port, "wake_within": wake_within, "trap_port": trap_port}
        body = FileBodyProducer(io.BytesIO(json.dumps(told).encode()))
        response = await Agent(self._reactor).request(b"POST", f"{control}/head-end".encode(), Headers(), body)
        said = await readBody(response)
        if response.code != OK:
            raise FieldProcessError(f"the emulated utility does not speak to the head-end: {said[:200]!r}")

    async def stop(self) -> None:
        """Close its standard input and wait; kill it where that does not help."""
        if self.transport is None or self.ended.called:
            return
        self.transport.closeStdin()
        killing = self._reactor.callLater(STOP_SECONDS, self.transport.signalProcess, "KILL")
        await self.ended
        if killing.active():
            killing.cancel()

    def outReceived(self, data: bytes) -> None:  # noqa: N802 (Twisted's name)
        if self.ready.called:
            return
        self._line += data
        line, newline, _ = self._line.partition(b"\n")
        if newline:
            self._announce(line)
        elif len(self._line) > LINE_OCTETS_MAX:
            self.ready.errback(FieldProcessError("the emulated utility said too much before it was ready"))

    def _announce(self, line: bytes) -> None:
        try:
            self.ready.callback(json.loads(line))
        except json.JSONDecodeError:
            self.ready.errback(FieldProcessError(f"the emulated utility said {line[:200]!r} instead of where it is"))

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 (Twisted's name)
        if not self.ready.called:
            how = "ended" if reason.check(ProcessDone) else f"failed ({reason.value})"
            self.ready.errback(FieldProcessError(f"the emulated utility {how} before it was ready"))
        self.ended.callback(None)
