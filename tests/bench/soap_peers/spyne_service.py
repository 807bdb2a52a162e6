"""GetLatestReadingByMeterNo and GetReadingsByDate of MR_Server 3.0 as Spyne has them: its own types, protocol and serializer.

Nothing is validated, which is Spyne's fastest; UserID and Pwd are looked at.
"""

# ruff: noqa: RUF012
# Names are the contract's; Spyne's way to declare members is a class attribute.

from datetime import UTC, datetime
from typing import Any

from multispeak.spyne_import import Application, ComplexModel, Fault, ServiceBase, Soap11, Unicode, rpc
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
