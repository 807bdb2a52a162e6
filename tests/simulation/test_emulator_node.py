"""Emulated meters over the wire format: modes, keys, replays, repeats, limits, relays and what goes wrong."""

from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

import pytest

from emulators.faults import Fault, FaultKind, FaultTable, Target, fault_from_json, matches
from emulators.router_node import RouterNode
from emulators.switch import MOVE_SECONDS
from headend.c1219.clock_tables import MeterClock
from headend.c1219.manufacturer_tables import PROCEDURE_SWITCH, SwitchCommand, SwitchPosition, SwitchState
from headend.c1219.procedures import Procedure, ProcedureRequest, ProcedureResult, ResultCode, SetDateTime, SwitchService
from headend.c1222.acse import parse_apdu
from headend.c1222.association import Association
from headend.c1222.errors import WeakerModeError
from headend.c1222.identifiers import ApTitle
from headend.c1222.message import Cipher, ResponseControl, SecurityMode
from headend.c1222.segmentation import Reassembler
from headend.c1222.services import (
    Deregister,
    FullRead,
    FullWrite,
    Identify,
    IdentifyReply,
    Logoff,
    Logon,
    PartialReadIndex,
    PartialReadOffset,
    PartialWriteOffset,
    RawService,
    ResponseCode,
    Security,
    encode_request,
)
from headend.c1222.table_data import decode_table_data
from headend.errors import RequestError
from tests.simulation.emulated import make_world, one_of

HEAD_END = ApTitle.parse(".1.4")
INVOCATION_IDS = count(1)
"""One head-end, whoever speaks for it: an id serves once."""
OK, SNS, IAR, ONP, RSTL, SME, UAT = 0, 2, 5, 4, 0x10, 0x0B, 0x0C


class Caller:
    """A head-end's side of conversations with one endpoint, through its router."""

    def __init__(self, world, index, mode=SecurityMode.ENCRYPTED, key=None):
        self.world = world
        self.identity = world.population.identity(index)
        self.node = RouterNode(world, self.identity.router, index)
        self.association = Association(HEAD_END, self.identity.ap_title, mode, self.identity.key_id, Cipher(key or self.identity.key))
        self.invocation_id = 0

    def request(self, *services, iv=None, control=ResponseControl.ALWAYS):
        self.invocation_id = next(INVOCATION_IDS)
        bodies = [s if isinstance(s, bytes) else encode_request(s) for s in services]
        return self.association.encode(
            bodies, self.invocation_id, int(self.world.wire()) if iv is None else iv, response_control=control
        )

    def replies(self, octets):
        return [reply for _, reply in self.node.receive(octets)]

    def ask(self, *services, **options):
        (reply,) = self.replies(self.request(*services, **options))
        apdu = parse_apdu(reply)
        assert apdu.reply_to == self.invocation_id
        return self.association.open(apdu)


@pytest.fixture(scope="module")
def world():
    return make_world(seed=5, endpoints=40)


@pytest.fixture
def caller(world):
    return Caller(world, one_of(world, "HE-R100"))


def code_of(world, caller, octets):
    """The response code of a clear refusal."""
    (reply,) = caller.replies(octets)
    apdu = parse_apdu(reply)
    assert apdu.mode == 0
    return apdu.payload[-1]


@pytest.mark.parametrize("mode", [SecurityMode.AUTHENTICATED, SecurityMode.ENCRYPTED])
def test_tables_are_read_in_both_secured_modes(world, mode):
    caller = Caller(world, one_of(world, "HE-R100"), mode)
    first, second = caller.ask(FullRead(1), FullRead(63))
    meter = world.meter(caller.identity.index)
    assert decode_table_data(first, 1) == meter.table(1)
    assert decode_table_data(second, 1) == meter.table(63)


def test_in_clear_a_meter_says_who_it_is_and_nothing_else(world):
    caller = Caller(world, one_of(world, "HE-R100"), SecurityMode.CLEAR)
    answers = caller.ask(Identify(), FullRead(0), FullRead(64), FullWrite(7, b"\x0a\x00\x01"), PartialWriteOffset(7, 0, b"\0"))
    assert [a[0] for a in answers] == [OK, OK, SME, SME, SME]
    assert IdentifyReply.decode(answers[0][1:]).identity.decode().strip() == caller.identity.meter_no


def test_a_wrong_key_is_refused_in_clear_and_throttled(world):
    index = one_of(world, "HE-R100")
    stranger = ApTitle.parse(".1.77")
    caller = Caller(world, index, key=bytes(16))
    caller.association = Association(stranger, caller.identity.ap_title, SecurityMode.ENCRYPTED, 2, Cipher(bytes(16)))
    answers = [caller.replies(caller.request(FullRead(1))) for _ in range(12)]
    apdu = parse_apdu(answers[0][0])
    with pytest.raises(WeakerModeError) as refused:
        caller.association.open(apdu)
    assert refused.value.services == (bytes((ResponseCode.SME,)),)
    assert answers[-1] == []
    assert world.failures.throttled


def test_a_repeated_request_is_answered_again_in_the_same_octets(caller):
    request = caller.request(FullRead(1))
    assert caller.replies(request) == caller.replies(request)


def test_a_replayed_or_old_message_is_not_answered(world):
    world = make_world(seed=6)
    caller = Caller(world, one_of(world, "HE-R100"))
    replayed = caller.request(FullRead(1))
    assert caller.replies(replayed)
    for _ in range(1_100):
        world.responder.remember(parse_apdu(caller.request(FullRead(1))), b"", ())
    assert caller.replies(replayed) == []
    assert caller.replies(caller.request(FullRead(1), iv=int(world.wire()) - 1_000)) == []


def test_every_service_is_answered_in_order(caller):
    answers = caller.ask(
        Logon(2, b"headend", 60), Security(b"PASSWORD", 2), FullRead(5), Deregister(HEAD_END), RawService(0x61, b"\1"), b"\x27\x01",
        FullRead(4), FullRead(999), PartialReadOffset(1, 30, 40), FullWrite(1, b"x"), PartialWriteOffset(64, 0, b"x"), Logoff(),
    )  # fmt: skip
    assert [a[0] for a in answers] == [OK, OK, OK, SNS, SNS, 1, IAR, IAR, ONP, IAR, IAR, OK]


def test_access_is_what_st0_says(world):
    index_only = Caller(world, one_of(world, "HE-G20")).ask(PartialReadOffset(64, 0, 10), PartialReadIndex(64, (0, 1), 2))
    assert [a[0] for a in index_only] == [IAR, OK]
    full_only = Caller(world, one_of(world, "HE-K5")).ask(PartialReadOffset(26, 0, 10), PartialReadIndex(26, (5, 1), 2))
    assert [a[0] for a in full_only] == [IAR, IAR]
    offset_only = Caller(world, one_of(world, "HE-C300")).ask(PartialReadOffset(26, 0, 10), PartialReadIndex(26, (5, 1), 2))
    assert [a[0] for a in offset_only] == [OK, IAR]


def test_what_does_not_fit_is_too_large_and_the_rest_is_answered(world):
    answers = Caller(world, one_of(world, "HE-G20")).ask(FullRead(0), FullRead(65), FullRead(1))
    assert [a[0] for a in answers] == [OK, RSTL, OK]
    assert int.from_bytes(answers[1][1:]) == 515


def test_long_replies_come_in_segments(world):
    caller = Caller(world, one_of(world, "HE-K5"))
    segments = caller.replies(caller.request(FullRead(65)))
    assert len(segments) > 5
    assert max(map(len, segments)) <= 1_000
    reassembler, now, whole = Reassembler(), datetime(2026, 1, 1, tzinfo=UTC), None
    for segment in reversed(segments):
        whole = reassembler.add(parse_apdu(segment), now)
    (answer,) = caller.association.open(parse_apdu(whole))
    assert decode_table_data(answer, 1) == world.meter(caller.identity.index).table(65)


def test_a_message_that_wants_no_answer_is_done_and_not_answered(world):
    caller = Caller(world, one_of(world, "HE-R100"))
    meter = world.meter(caller.identity.index)
    opened = ProcedureRequest(PROCEDURE_SWITCH, 9, SwitchService(SwitchCommand(SwitchPosition.OPEN)))
    write = FullWrite(7, opened.encode(meter.kind.form.formats))
    assert caller.replies(caller.request(write, control=ResponseControl.NEVER)) == []
    assert meter.state.motion.to is SwitchPosition.OPEN
    assert caller.replies(caller.request(FullRead(1), control=ResponseControl.ON_EXCEPTION)) == []
    assert caller.replies(caller.request(FullRead(999), control=ResponseControl.ON_EXCEPTION))


@pytest.mark.parametrize("model", ["HE-R100", "HE-G20", "HE-K5", "HE-C300", "HE-C500"])
def test_procedures_are_done_and_their_results_read(model):
    world = make_world(seed=5, endpoints=40)
    caller = Caller(world, one_of(world, model))
    meter = world.meter(caller.identity.index)
    formats = meter.kind.form.formats
    wanted = world.clock.now() + timedelta(hours=5)
    seconds, _ = meter.time_base.from_utc(wanted)
    set_time = ProcedureRequest(Procedure.SET_DATE_TIME, 7, SetDateTime(seconds, meter.time_base.qualifier(wanted)))
    answers = caller.ask(FullWrite(7, set_time.encode(formats)), FullRead(8), FullRead(52))
    result = ProcedureResult.decode(decode_table_data(answers[1], 1), formats)
    assert (result.procedure, result.sequence, result.result) == (Procedure.SET_DATE_TIME, 7, ResultCode.DONE)
    assert abs(MeterClock.decode(decode_table_data(answers[2], 1), formats).device_seconds - seconds) < 60
    answers = caller.ask(FullWrite(7, formats.pack(7, "HB", 99, 8)), FullRead(8))
    assert ProcedureResult.decode(decode_table_data(answers[1], 1), formats).result == ResultCode.UNKNOWN
    answers = caller.ask(FullWrite(7, formats.pack(7, "HB", Procedure.SET_DATE_TIME, 9)), FullRead(8))
    assert ProcedureResult.decode(decode_table_data(answers[1], 1), formats).result == ResultCode.BAD_PARAMETER
    if meter.kind.has_switch:
        opened = ProcedureRequest(PROCEDURE_SWITCH, 3, SwitchService(SwitchCommand(SwitchPosition.OPEN)))
        answers = caller.ask(FullWrite(7, opened.encode(formats)), FullRead(0x801), FullRead(8))
        assert SwitchState.decode(decode_table_data(answers[1], 1), formats).position is SwitchPosition.MOVING
        assert ProcedureResult.decode(decode_table_data(answers[2], 1), formats).result == ResultCode.ACCEPTED
        world.clock.advance(MOVE_SECONDS)
        answers = caller.ask(FullRead(0x801), FullRead(8))
        assert SwitchState.decode(decode_table_data(answers[0], 1), formats).position is SwitchPosition.OPEN
        assert ProcedureResult.decode(decode_table_data(answers[1], 1), formats).result == ResultCode.DONE
        assert 49 in [event.code for event in world.meter(caller.identity.index).events()]


def test_a_router_knows_only_its_own(world):
    caller = Caller(world, one_of(world, "HE-R100"))
    caller.association = Association(HEAD_END, ApTitle.parse(".100.999999"), SecurityMode.ENCRYPTED, 2, Cipher(bytes(16)))
    assert code_of(world, caller, caller.request(FullRead(1))) == UAT
    other = Caller(world, one_of(world, "HE-R100"))
    other.node = RouterNode(world, 1 - other.identity.router)
    assert code_of(world, other, other.request(FullRead(1))) == UAT


def test_battery_endpoints_sleep(world):
    caller = Caller(world, one_of(world, "HE-GM5"))
    assert caller.replies(caller.request(FullRead(1))) == []


def test_garbage_is_dropped_and_counted(caller):
    good = caller.request(FullRead(1))
    for octets in (b"", b"\x60", good[:-1], good + b"\0", b"\x30" + good[1:], bytes(2_000)):
        assert caller.replies(octets) == []
    assert caller.node.traffic.dropped == 6


# --- faults ---------------------------------------------------------------------------------------------------------

HOME = Target("123", "router-001", "residential", 20.0)


def test_faults_come_from_json_and_say_what_is_wrong():
    fault = fault_from_json({"kind": "loss", "probability": 0.3, "router": "router-001"}, "faults[0]")
    assert fault == Fault(FaultKind.LOSS, 0.3, router="router-001")
    for item, text in (
        ({"kind": "rain"}, r"faults\[0\].kind: 'rain'"),
        ({"kind": "loss", "probability": 2}, r"faults\[0\].probability: 2"),
        ({"kind": "loss", "probability": True}, "probability"),
        ({"kind": "loss", "meter": "1"}, "unknown field 'meter'"),
        ({"kind": "loss", "router": 3}, "router: text"),
        ([], "object"),
    ):
        with pytest.raises(RequestError, match=text):
            fault_from_json(item, "faults[0]")


@pytest.mark.parametrize(
    ("fault", "struck"),
    [
        (Fault(FaultKind.LOSS), True),
        (Fault(FaultKind.LOSS, meter_no="123"), True),
        (Fault(FaultKind.LOSS, meter_no="124"), False),
        (Fault(FaultKind.LOSS, router="router-002"), False),
        (Fault(FaultKind.LOSS, configuration="residential", percent=20.1), True),
        (Fault(FaultKind.LOSS, percent=20.0), False),
    ],
)
def test_faults_strike_their_targets(fault, struck):
    assert matches(fault, HOME) is struck


def test_datagrams_are_lost_doubled_delayed_and_spoiled_as_the_seed_says():
    table = FaultTable(Random(3), (Fault(FaultKind.LOSS, 0.5), Fault(FaultKind.DUPLICATE, 0.5), Fault(FaultKind.DELAY, 0.5, 2.0)))
    again = FaultTable(Random(3), table.faults)
    ways = [table.deliveries(b"abc", HOME) for _ in range(400)]
    assert ways == [again.deliveries(b"abc", HOME) for _ in range(400)]
    counts = [len(way) for way in ways]
    assert 150 < counts.count(0) < 250
    assert counts.count(2) > 60
    assert {octets for way in ways for _, octets in way} == {b"abc"}
    assert any(0 < seconds <= 15 for way in ways for seconds, _ in way)
    spoiled = FaultTable(Random(3), (Fault(FaultKind.CORRUPT),)).deliveries(b"abc", HOME)[0][1]
    assert sum(a != b for a, b in zip(spoiled, b"abc", strict=True)) == 1


def test_done_but_answer_lost():
    world = make_world(seed=5, endpoints=40)
    caller = Caller(world, one_of(world, "HE-R100"))
    meter = world.meter(caller.identity.index)
    opened = ProcedureRequest(PROCEDURE_SWITCH, 3, SwitchService(SwitchCommand(SwitchPosition.OPEN)))
    request = caller.request(FullWrite(7, opened.encode(meter.kind.form.formats)))
    world.faults.install([Fault(FaultKind.ANSWER_LOST)])
    assert caller.replies(request) == []
    assert meter.state.motion.to is SwitchPosition.OPEN
    world.faults.install([])
    assert len(caller.replies(request)) == 1
    world.clock.advance(MOVE_SECONDS)
    caller.ask(FullRead(0x801))
    assert meter.state.actuations == 1
    assert sum(event.code == 49 for event in world.meter(caller.identity.index).events()) == 1


def test_wrong_key_and_silence():
    world = make_world(seed=5, endpoints=40)
    caller = Caller(world, one_of(world, "HE-R100"))
    world.faults.install([Fault(FaultKind.WRONG_KEY, meter_no=caller.identity.meter_no)])
    assert code_of(world, caller, caller.request(FullRead(1))) == SME
    world.faults.install([Fault(FaultKind.SILENCE, router="router-001"), Fault(FaultKind.SILENCE, router="router-002")])
    assert caller.replies(caller.request(FullRead(1))) == []
    world.faults.install([])
    assert caller.ask(FullRead(1))[0][0] == OK
