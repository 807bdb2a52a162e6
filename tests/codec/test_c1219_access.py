"""Reads planned by access rights and reply size, served by a meter's image, and put together again."""

from dataclasses import dataclass, replace
from functools import cache
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.c1219.access import ReadRefusedError, element_octets, read_plan, serve_read
from headend.c1219.general_tables import Access
from headend.c1219.program import MeterProgram
from headend.c1219.table_shapes import table_shape
from headend.c1219.tables import TableError
from headend.c1222.responses import ResponseCode
from headend.c1222.services import FullRead, PartialReadIndex, PartialReadOffset, decode_request
from tests.codec.c1219_programs import DESIGNS, UTC_SECONDS

LONG_TABLES = (23, 25, 26, 63, 64, 65, 76, 0x802)


@dataclass
class Image:
    """Random octets for every table of a program."""

    program: MeterProgram
    seed: int = 1

    def size(self, table: int) -> int | None:
        shape = table_shape(self.program, table)
        return None if shape is None else shape.size

    def read(self, table: int, offset: int, count: int) -> bytes:
        return random_octets(self.seed + table, self.size(table) or 0)[offset : offset + count]


@cache
def random_octets(seed: int, count: int) -> bytes:
    return Random(seed).randbytes(count)


PROGRAMS = [replace(design, access=access).program() for design in DESIGNS for access in Access]


@given(st.sampled_from(PROGRAMS), st.sampled_from(LONG_TABLES), st.integers(60, 2000), st.data())
def test_a_plan_brings_exactly_what_is_wanted(program: MeterProgram, table: int, octets_max: int, data: st.DataObject) -> None:
    image = Image(program)
    size = image.size(table)
    assert size
    start = data.draw(st.integers(0, size - 1))
    wanted = data.draw(st.sampled_from((None, range(start, data.draw(st.integers(start + 1, size))))))
    plan = read_plan(program, table, wanted, octets_max)
    answers = [serve_read(program, image, request) for request in plan.requests]
    whole = image.read(table, 0, size)
    assert plan.assemble(answers) == (whole if wanted is None else whole[wanted.start : wanted.stop])
    for request in plan.requests:
        assert decode_request(request.encode()) == request
    if program.general.access is not Access.FULL_ONLY:
        element = max(len(element_octets(program, table, (5, 0))) if table in {26, 76} else 0, 13)
        divisible = table not in {23, 25, 0x802} or program.general.access is not Access.INDEX
        assert all(len(answer) <= max(octets_max, element) for answer in answers) or not divisible
    assert [p.offset for p in plan.pieces] == sorted(p.offset for p in plan.pieces)


@pytest.mark.parametrize(
    ("access", "kind"), [(Access.FULL_ONLY, FullRead), (Access.OFFSET, PartialReadOffset), (Access.INDEX, PartialReadIndex)]
)
def test_only_what_the_meter_serves_is_asked(access: Access, kind: type) -> None:
    program = replace(UTC_SECONDS, access=access).program()
    plan = read_plan(program, 64, range(124, 248), 500)
    assert [type(request) for request in plan.requests] == [kind]
    image = Image(program)
    served = {FullRead(64), *plan.requests}
    for request in (FullRead(64), PartialReadOffset(64, 0, 10), PartialReadIndex(64, (1,), 1)):
        if type(request) in {type(s) for s in served}:
            assert serve_read(program, image, request)
        else:
            with pytest.raises(ReadRefusedError) as caught:
                serve_read(program, image, request)
            assert caught.value.code is ResponseCode.IAR


def test_index_paths() -> None:
    program = replace(UTC_SECONDS, access=Access.INDEX).program()
    assert element_octets(program, 64, (2,), 3) == range(248, 620)
    assert element_octets(program, 64, (1, 0)) == range(124, 128)
    assert element_octets(program, 64, (1, 0), 4) == range(124, 248)
    assert element_octets(program, 64, (1, 3, 5), 2) == range(124 + 4 + 25, 124 + 4 + 35)
    assert element_octets(program, 64, (1, 3), 24) == element_octets(program, 64, (1, 3, 0), 24)
    assert element_octets(program, 26, (5, 1), 2) == range(6 + 14, 6 + 42)
    assert element_octets(program, 76, (3,)) == range(5, 9)
    assert element_octets(program, 63, (1,)) == range(13, 26)
    assert element_octets(program, 0x802, (0,)) == range(2)
    plan = read_plan(program, 64, range(124, 124 + 4 + 50), 500)
    assert plan.requests == [PartialReadIndex(64, (1, 0), 1), PartialReadIndex(64, (1, 3, 0), 10)]
    assert read_plan(program, 64, range(124 * 3), 300).requests == [PartialReadIndex(64, (0,), 2), PartialReadIndex(64, (2,), 1)]


@pytest.mark.parametrize(
    ("table", "indices", "count"),
    [
        (64, (40,), 1),
        (64, (39,), 2),
        (64, (0, 4), 1),
        (64, (0, 3, 24), 1),
        (64, (0, 0, 0), 1),
        (64, (), 1),
        (64, (0,), 0),
        (61, (0,), 1),
    ],
)
def test_paths_to_nothing(table: int, indices: tuple[int, ...], count: int) -> None:
    program = UTC_SECONDS.program()
    with pytest.raises(TableError, match=rf"^ST{table}: no {count} elements at"):
        element_octets(program, table, indices, count)


@pytest.mark.parametrize(
    ("request_", "octets_max", "code"),
    [
        (PartialReadOffset(64, 4950, 20), 1000, ResponseCode.ONP),
        (PartialReadIndex(64, (40,), 1), 1000, ResponseCode.ONP),
        (PartialReadIndex(61, (0,), 1), 1000, ResponseCode.IAR),
        (FullRead(64), 1000, ResponseCode.RSTL),
        (FullRead(99), 1000, ResponseCode.IAR),
    ],
)
def test_refusals(request_: FullRead | PartialReadOffset | PartialReadIndex, octets_max: int, code: ResponseCode) -> None:
    program = UTC_SECONDS.program()
    with pytest.raises(ReadRefusedError) as caught:
        serve_read(program, Image(program), request_, octets_max)
    assert caught.value.code is code


def test_answers_of_a_wrong_length() -> None:
    program = UTC_SECONDS.program()
    with pytest.raises(TableError, match=r"ST64: 123 octets at 124 where 124 were asked for"):
        read_plan(program, 64, range(124, 248), 500).assemble([bytes(123)])
    with pytest.raises(TableError, match=r"ST64: 200 octets where 248 were due"):
        read_plan(replace(UTC_SECONDS, access=Access.FULL_ONLY).program(), 64, range(124, 248), 500).assemble([bytes(200)])


def test_rows_of_a_grown_block() -> None:
    energy = UTC_SECONDS.program().sets[0]
    assert energy.layout.row_ranges(2, 0, 7) == (range(248, 248 + 4 + 35),)
    assert energy.layout.row_ranges(2, 5, 7) == (range(248, 252), range(252 + 25, 252 + 35))
    assert energy.layout.row_ranges(2, 5, 7, descending=True) == (range(248, 252 + 10),)
    assert energy.block_range(3, 2) == range(372, 620)
