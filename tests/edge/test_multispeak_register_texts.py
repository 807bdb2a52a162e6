"""What is filled into templates is what the compiled writer would have written of the same records, character by character."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headend.model.endpoint import CONFIGURATIONS, EndpointId
from headend.model.instants import to_us
from headend.model.meters import Meter
from headend.model.partner import Caller, EnergyUnit, MeterIdentifier, Partner
from headend.model.readings import ReadSource, RegisterRow
from headend.model.selections import LOADS
from headend.reading_queries import ListedRow
from multispeak.binding import ServiceBinding
from multispeak.calls import Call
from multispeak.contract import load_contract
from multispeak.filling import decimal_fragment, filler, whole_fragment
from multispeak.mapping import Shape, Telling, reading_groups, told_meter, whole_kwh
from multispeak.mapping_v3 import ShapeV3
from multispeak.mapping_v4 import ShapeV4
from multispeak.message_header import RequestHeader
from multispeak.records import Records
from multispeak.register_texts import RegisterTexts
from tests.fakes.soap_world import FIRST_MIDNIGHT, NOW, UTILITY
from wsdl import VERSIONS

CONTRACTS = {version: load_contract(version) for version in VERSIONS}
BINDINGS = {version: ServiceBinding(c, c.services["MR_Server"], Records(c)) for version, c in CONTRACTS.items()}
SHAPES: dict[str, Shape] = {"3.0": ShapeV3(BINDINGS["3.0"].records), "4.1.6": ShapeV4(BINDINGS["4.1.6"].records)}

names = st.text(st.characters(exclude_categories=["Cs", "Co"]), max_size=8)
reads = st.tuples(
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from(sorted(LOADS)),
    st.sampled_from(ReadSource),
    st.integers(-6, 5),
    st.sampled_from([0, 0, 0, 16, 18]),
    st.integers(-(10**12), 10**12),
)


def call_of(version: str, partner: Partner) -> Call:
    caller: Any = Caller(UTILITY, partner)
    return Call("GetReadingsByDate", caller, RequestHeader(), None, None, BINDINGS[version], NOW, lambda: "")  # type: ignore[arg-type]


def written_one_by_one(call: Call, rows: list[ListedRow]) -> list[str]:
    listed, shape = call.binding.operations[call.operation].list_shape, SHAPES[call.version]
    telling = Telling(call.utility, call.partner.energy_unit)
    texts = []
    for endpoint_id in dict.fromkeys(row[0] for row in rows):
        of_meter = [row for row in rows if row[0] == endpoint_id]
        meter = Meter(EndpointId(endpoint_id), *of_meter[0][7:], True, None)
        for group in reading_groups([RegisterRow(*row[:7]) for row in of_meter], ()):
            told = shape.reading(call.utility, told_meter(meter, call.partner.identifier), telling.reading(meter.meter_no, group))
            texts.append(listed.write(told, listed.item_name))
    return texts


@settings(max_examples=60)
@given(
    found=st.lists(reads, max_size=12),
    called=st.lists(st.tuples(names, names, names, st.sampled_from(sorted(CONFIGURATIONS))), min_size=4, max_size=4),
    unit=st.sampled_from(EnergyUnit),
    identifier=st.sampled_from(MeterIdentifier),
)
@pytest.mark.parametrize("version", VERSIONS)
def test_filled_objects_are_those_of_the_writer(
    version: str, found: list[Any], called: list[tuple[str, str, str, str]], unit: EnergyUnit, identifier: MeterIdentifier
) -> None:
    call = call_of(version, replace(Partner("x", "x", "x"), energy_unit=unit, identifier=identifier))
    keyed = {(e, to_us(FIRST_MIDNIGHT) + day * 86_400_000_000, c, s.value): (x, f, v) for e, day, c, s, x, f, v in found}
    rows: list[ListedRow] = [(*key, *keyed[key], *called[key[0] - 1]) for key in sorted(keyed)]
    listed = call.binding.operations[call.operation].list_shape
    assert RegisterTexts(listed, SHAPES[version], UTILITY, unit, identifier).texts(rows) == written_one_by_one(call, rows)


@given(st.integers(-(10**9), 10**9), st.integers(-7, 4))
def test_fragments_are_decimals(value: int, power: int) -> None:
    fragments = {"\ue000": decimal_fragment("v", power, negative=value < 0), "\ue001": whole_fragment("v", power, negative=value < 0)}
    told, whole = filler("\ue000 \ue001", ["v"], fragments)(value).split(" ")
    assert told == format(Decimal(value).scaleb(power), "f")
    assert whole == whole_kwh(value, power + 3)


def test_what_looks_like_code_is_text() -> None:
    hostile = "{0} {{x}} ' \\ \n %s \ue000"
    assert filler(hostile, ["t"], {"\ue000": "{t}"})("T") == "{0} {{x}} ' \\ \n %s T"
