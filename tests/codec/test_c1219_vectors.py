"""Octets of the vector file: decoded, encoded again, cut at every octet, and with octets after them."""

import json
from pathlib import Path

import pytest

from headend.c1219.access import element_octets, read_plan
from headend.c1219.clock_tables import ClockQualifier
from headend.c1219.event_log_tables import EventCode, EventLogLayout, LogDimensions, LogEntry
from headend.c1219.general_tables import Access, DeviceIdentification, GeneralConfiguration, Identification
from headend.c1219.procedures import Procedure, ProcedureRequest, ProcedureResult, ResultCode, SetDateTime
from headend.c1219.profile_blocks import EXTENDED_STATUS, BlockLayout, BlockShape, ProfileBlock
from headend.c1222.services import FullWrite, PartialReadIndex, decode_request
from headend.errors import TruncatedError, WireError
from headend.model.readings import IntervalFlag
from tests.codec.c1219_programs import UTC_SECONDS

VECTORS = {v["name"]: v["decoded"] for v in json.loads((Path(__file__).parents[1] / "vectors" / "c1222.json").read_text())}
METER = VECTORS["tables_minimal_meter"]
ST0, ST1, ST5, ST64 = (bytes.fromhex(METER[name]) for name in ("st0", "st1", "st5", "st64_block"))
GENERAL = GeneralConfiguration.decode(ST0)
LAYOUT = BlockLayout(64, GENERAL.formats, BlockShape(24, 1, 4, EXTENDED_STATUS))


def written(name: str, index: int = 0) -> bytes:
    """Data that a request of the vector file writes."""
    service = decode_request(bytes.fromhex(VECTORS[name]["services"][index]))
    assert isinstance(service, FullWrite)
    return service.data


def test_general_configuration() -> None:
    assert GENERAL.formats.little
    assert (GENERAL.formats.time_code, GENERAL.formats.ni1_code, GENERAL.formats.ni2_code) == (4, 0, 8)
    assert GENERAL.access is Access.BOTH
    assert GENERAL.device_class == b"HEUT"
    assert {0, 1, 3, 5, 7, 8, 11, 12, 16, 21, 22, 23, 52, 61, 62, 63, 64, 71, 72, 75, 76, 0x800} == GENERAL.tables
    assert {4, 5, 9, 10, 0x801, 0x802} == GENERAL.procedures
    assert {5, 7} == GENERAL.writable
    assert GENERAL.encode() == ST0


def test_identification() -> None:
    identification = Identification.decode(ST1, GENERAL.formats)
    assert identification == Identification("EMUL", "HEUTE1", identification.hardware, identification.firmware, "0000000000008437")
    assert identification.encode(GENERAL.formats) == ST1
    assert DeviceIdentification.decode(ST5, GENERAL.formats).identification == "MTR-00008437"
    assert DeviceIdentification("MTR-00008437").encode(GENERAL.formats) == ST5


def test_profile_block() -> None:
    block = LAYOUT.decode(ST64)
    assert list(block.values[0]) == METER["st64_values_wh"]
    assert block.end == METER["block_end"]
    marked = {i: flag for i, flag in enumerate(block.flags[0]) if flag}
    assert marked == {5: IntervalFlag.POWER_FAIL | IntervalFlag.PARTIAL}
    assert block.dst is False
    assert LAYOUT.encode(block) == ST64


def test_power_down_notification() -> None:
    log = EventLogLayout(GENERAL.formats, LogDimensions())
    octets = written("notification_power_down")
    (entry,) = log.decode_entries(octets)
    assert entry == LogEntry(EventCode.POWER_DOWN, 1753056061, 812)
    assert log.encode_entry(entry) == octets


def test_set_date_time() -> None:
    octets = written("write_st7_proc10_settime_and_read_st8_request")
    request = ProcedureRequest.decode(octets, GENERAL.formats)
    monday_gmt = ClockQualifier(weekday=1, gmt=True)
    assert request == ProcedureRequest(Procedure.SET_DATE_TIME, 9, SetDateTime(METER["block_end"], monday_gmt))
    assert request.encode(GENERAL.formats) == octets


def test_procedure_result() -> None:
    octets = bytes.fromhex(VECTORS["write_st7_reply"]["services"][1])[3:-1]
    result = ProcedureResult.decode(octets, GENERAL.formats)
    assert result == ProcedureResult(Procedure.SET_DATE_TIME, 9, ResultCode.DONE)
    assert result.encode(GENERAL.formats) == octets


def test_index_request_names_all_intervals_of_the_first_block() -> None:
    request = decode_request(bytes.fromhex(VECTORS["partial_read_index_st64_request"]["services"][0]))
    assert isinstance(request, PartialReadIndex)
    program = UTC_SECONDS.program()
    assert element_octets(program, request.table, request.indices, request.count) == range(4, 124)
    assert read_plan(program, 64, range(124), 1000).requests


def decoders() -> list[tuple[str, bytes, object]]:
    return [
        ("ST0", ST0, GeneralConfiguration.decode),
        ("ST5", ST5, lambda octets: DeviceIdentification.decode(octets, GENERAL.formats)),
        ("ST64", ST64, LAYOUT.decode),
        ("ST7", written("write_st7_proc10_settime_and_read_st8_request"), lambda octets: ProcedureRequest.decode(octets, GENERAL.formats)),
    ]


@pytest.mark.parametrize(("name", "octets", "decode"), decoders(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_cut_names_the_table(name: str, octets: bytes, decode: object) -> None:
    assert callable(decode)
    for end in range(len(octets)):
        with pytest.raises(WireError, match=f"^{name}: "):
            decode(octets[:end])


@pytest.mark.parametrize(("name", "octets", "decode"), decoders(), ids=lambda value: value if isinstance(value, str) else "")
def test_octets_after_a_table_are_not_its_own(name: str, octets: bytes, decode: object) -> None:
    assert callable(decode)
    if name == "ST64":
        with pytest.raises(WireError, match="ST64: 127 octets for a block of 124"):
            decode(octets + b"abc")
    else:
        assert decode(octets + b"abc") == decode(octets)


def test_a_cut_block_still_gives_its_rows() -> None:
    block = LAYOUT.decode(ST64[: 4 + 7 * 5], 7)
    assert list(block.values[0]) == METER["st64_values_wh"][:7]
    with pytest.raises(TruncatedError):
        LAYOUT.decode(ST64[: 4 + 7 * 5], 8)


def test_empty_block() -> None:
    assert LAYOUT.decode(bytes(124), 0) == ProfileBlock(0, ((),), ((),))
    with pytest.raises(WireError, match="no end time"):
        LAYOUT.decode(bytes(124))
