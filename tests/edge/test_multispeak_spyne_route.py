"""A call as Spyne itself would drive it beside ours, which leaves out its copies and events: the same octets for every operation."""

import asyncio
from typing import Any

import pytest

from headend.errors import HeadEndError
from multispeak.contract import load_contract
from multispeak.faults import as_fault
from multispeak.soap_protocol import Exchange
from multispeak.soap_server import SoapServer
from multispeak.spyne_import import MethodContext
from tests.fakes.soap_world import NAMESPACES, ask, demo_readings_alone, envelope, server
from wsdl import VERSIONS

DATES = "<startDate>2026-03-01T00:00:00Z</startDate><endDate>2026-03-04T00:00:00Z</endDate>"
METERS = {"3.0": "<meterNo>E1</meterNo>", "4.1.6": "<meterID>E1</meterID>"}
INSIDES = ("", DATES, "<meterNo>E1</meterNo>", "<meterID>E1</meterID>", "<nothing/>")


def ask_through_spyne(asked: SoapServer, octets: bytes) -> bytes:
    """`ServerBase` and a plain `MethodContext`, step by step as Spyne's own transports do it."""

    async def run() -> bytes:
        exchange = Exchange("192.0.2.1", "", 0.0)
        first = MethodContext(asked, MethodContext.SERVER)
        first.in_string, first.udc = [octets], exchange
        (ctx,) = asked.generate_contexts(first)
        if ctx.in_error is None:
            try:
                await asked._admit(exchange)
            except HeadEndError as error:
                ctx.in_error = ctx.out_error = as_fault(error)
        if ctx.in_error is None:
            asked.get_in_object(ctx)
        if ctx.in_error is None:
            asked.get_out_object(ctx)
            try:
                # Spyne has called the operation and does not await it.
                ctx.out_object = [await ctx.out_object[0]]
            except HeadEndError as error:
                ctx.out_error = as_fault(error)
        return await _sent(asked, ctx, exchange)

    return asyncio.run(run())


async def _sent(asked: SoapServer, ctx: Any, exchange: Exchange) -> bytes:
    asked.get_out_string(ctx)
    if exchange.chunks is None:
        return b"".join(ctx.out_string)
    try:
        return b"".join([chunk async for chunk in exchange.chunks])
    except HeadEndError as error:
        ctx.out_error = as_fault(error)
        asked.get_out_string(ctx)
        return b"".join(ctx.out_string)


@pytest.mark.parametrize("soap", ["1.1", "1.2"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_operation_is_answered_as_spyne_would(version: str, soap: str) -> None:
    queries = demo_readings_alone()
    for number, operation in enumerate(load_contract(version).services["MR_Server"].operations):
        for inside in (INSIDES[0], INSIDES[1 + number % 4]):
            octets = envelope(version, operation, inside, soap=soap)
            ours = ask(server(queries, version, soap), octets)[1]
            assert ours == ask_through_spyne(server(queries, version, soap), octets), (operation, inside)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<a/>",
        b"<a",
        envelope("3.0", "MakeTea"),
        envelope("4.1.6", "PingURL"),
        envelope("3.0", "PingURL", password="guess"),
        envelope("3.0", "PingURL", user="nobody"),
        envelope("3.0", "GetReadingsByDate", DATES),
        envelope("3.0", "GetReadingsByMeterNo", METERS["3.0"] + DATES),
        envelope("3.0", "GetLatestReadingByMeterNo", "<meterNo>E1</meterNo>"),
        envelope("3.0", "GetLatestReadingByMeterNo", "<meterNo>E3</meterNo>"),
        envelope("3.0", "GetLatestReadingByMeterNo", "<meterNo>nobody</meterNo>"),
        envelope("3.0", "PingURL").replace(NAMESPACES["3.0"].encode(), b"urn:x", 1),
    ],
)
def test_faults_and_answers_are_those_of_spynes_route(octets: bytes) -> None:
    queries = demo_readings_alone()
    assert ask(server(queries, "3.0"), octets)[1] == ask_through_spyne(server(queries, "3.0"), octets)
