"""GetLatestReadingByMeterNo and GetReadingsByDate of MR_Server 3.0 as Spyne serves them: its own types, protocol and serializer.

In a plain Twisted resource, since Spyne's own does not work on Python 3. Nothing is validated, which is Spyne's fastest.
"""

# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: RUF012
# Names are the contract's and Twisted's; Spyne's way to declare members is a class attribute.

import logging
import sys
from datetime import UTC, datetime
from typing import Any

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from multispeak.spyne_import import Application, ComplexModel, Fault, MethodContext, ServerBase, ServiceBase, Soap11, Unicode, rpc
from tests.fakes.soap_world import NAMESPACES, PASSWORD, USER

MIDNIGHT = datetime(2026, 3, 1, 6, tzinfo=UTC)


def application() -> Any:
    """The service; a caller gets as many readings as stand behind the dash of its UserID."""
    from spyne import DateTime, Integer, XmlAttribute

    namespace = NAMESPACES["3.0"]

    class MultiSpeakMsgHeader(ComplexModel):
        __namespace__ = namespace
        _type_info = [(n, XmlAttribute(Unicode)) for n in ("Version", "UserID", "Pwd", "AppName", "Company", "MessageID", "BuildString")]
        _type_info.append(("TimeStamp", XmlAttribute(DateTime)))

    class readingValue(ComplexModel):
        __namespace__ = namespace
        _type_info = [
            (n, DateTime if n == "dateTime" else Unicode)
            for n in ("units", "value", "readingType", "readingValueType", "name", "dateTime", "fieldName")
        ]

    class readingValues(ComplexModel):
        __namespace__ = namespace
        _type_info = [("readingValue", readingValue.customize(max_occurs="unbounded"))]

    class meterRead(ComplexModel):
        __namespace__ = namespace
        _type_info = [
            ("meterNo", Unicode),
            ("deviceID", Unicode),
            ("readingDate", DateTime),
            ("posKWh", Integer),
            ("readingValues", readingValues),
            ("objectID", XmlAttribute(Unicode)),
            ("utility", XmlAttribute(Unicode)),
        ]

    class ArrayOfMeterRead(ComplexModel):
        __namespace__ = namespace
        _type_info = [("meterRead", meterRead.customize(max_occurs="unbounded"))]

    def one(number: int) -> Any:
        value = readingValue(
            units="kWh",
            value=f"{1000 + number / 1000:.3f}",
            readingType="Register",
            readingValueType="Energy",
            name="energy_delivered",
            dateTime=MIDNIGHT,
            fieldName="posKWh",
        )
        return meterRead(
            objectID=f"E{number:08}@2026-03-01T06:00:00Z",
            utility="demo",
            meterNo=f"E{number:08}",
            deviceID="S000001",
            readingDate=MIDNIGHT,
            posKWh=1000 + number // 1000,
            readingValues=readingValues(readingValue=[value]),
        )

    def admitted(ctx: Any) -> int:
        said = ctx.in_header
        if said is None or not said.UserID.startswith(USER) or said.Pwd != PASSWORD:
            raise Fault("Client", "UserID and Pwd do not match")
        ctx.out_header = MultiSpeakMsgHeader(
            Version="3.0", AppName="Spyne", Company="Demo Cooperative", MessageID="6513270e", TimeStamp=datetime.now(UTC)
        )
        return int(said.UserID.partition("-")[2] or 0)

    class MR_Server(ServiceBase):
        __in_header__ = MultiSpeakMsgHeader
        __out_header__ = MultiSpeakMsgHeader

        @rpc(Unicode, _returns=meterRead)
        def GetLatestReadingByMeterNo(ctx: Any, meterNo: str) -> Any:
            admitted(ctx)
            return one(1)

        @rpc(DateTime, DateTime, Unicode, _returns=ArrayOfMeterRead)
        def GetReadingsByDate(ctx: Any, startDate: Any, endDate: Any, lastReceived: str) -> Any:
            return ArrayOfMeterRead(meterRead=[one(number) for number in range(1, admitted(ctx) + 1)])

    return Application([MR_Server], namespace, in_protocol=Soap11(), out_protocol=Soap11())


class SpyneResource(Resource):
    """POST is a call."""

    isLeaf = True

    def __init__(self, server: Any) -> None:
        super().__init__()
        self._server = server

    def render_POST(self, request: Request) -> bytes:
        initial = MethodContext(self._server, MethodContext.SERVER)
        initial.in_string = [request.content.read()]
        (ctx,) = self._server.generate_contexts(initial)
        if ctx.in_error is None:
            self._server.get_in_object(ctx)
        if ctx.in_error is None:
            self._server.get_out_object(ctx)
        self._server.get_out_string(ctx)
        request.setHeader(b"content-type", b"text/xml; charset=utf-8")
        if ctx.out_error is not None:
            request.setResponseCode(500)
        return b"".join(ctx.out_string)


def main() -> None:
    """Print the address, serve until ended."""
    logging.getLogger("spyne").setLevel(logging.CRITICAL + 1)
    listening: Any = reactor
    port = listening.listenTCP(0, Site(SpyneResource(ServerBase(application()))), interface="127.0.0.1")
    sys.stdout.write(f"http://127.0.0.1:{port.getHost().port}/\n")
    sys.stdout.flush()
    listening.run()


if __name__ == "__main__":
    main()
