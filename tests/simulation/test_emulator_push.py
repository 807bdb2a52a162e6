"""What battery and cellular endpoints send on their own, against a head-end that acknowledges, refuses, or is silent."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from twisted.internet.task import Clock

from emulators.clock import WorldClock
from emulators.link import MemoryLink
from emulators.population import Population
from emulators.push import SERVICES_OCTETS_MAX
from emulators.world import World
from headend.c1219.clock_tables import MeterClock
from headend.c1219.procedures import Procedure, ProcedureRequest, ProcedureResult, ResultCode, SetDateTime
from headend.c1222.acse import parse_apdu
from headend.c1222.association import Association
from headend.c1222.identifiers import ApTitle
from headend.c1222.message import NOTIFICATION, URGENT, Cipher, ResponseControl, SecurityMode
from headend.c1222.network_services import Register
from headend.c1222.services import FullWrite, PartialWriteOffset, RegisterReply, decode_request, encode_request
from headend.errors import RequestError

CHICAGO = ZoneInfo("America/Chicago")
START = datetime(2026, 7, 15, 6, 30, tzinfo=UTC)
HEAD_END = ApTitle.parse(".1.4")


class Listener:
    """A head-end that keeps the tables written to it and acknowledges as told."""

    def __init__(self, endpoints=20, seed=3):
        self.clock = Clock()
        self.world_clock = WorldClock(self.clock, START)
        population = Population(seed, endpoints, 1)
        self.world = World(population, self.world_clock, CHICAGO, lambda: self.world_clock.seconds, HEAD_END)
        self.link = MemoryLink(self.clock, self.world, self.received)
        self.utility = self.link.utility()
        self.silent = False
        self.code = 0
        self.commands = []
        self.heard = []
        self.invocation_id = 0
        self.images = {}

    def received(self, octets, address):
        apdu = parse_apdu(octets)
        index = self.world.find(apdu.calling)
        identity = self.world.population.identity(index)
        association = Association(HEAD_END, identity.ap_title, SecurityMode.ENCRYPTED, identity.key_id, Cipher(identity.key))
        services = [decode_request(body) for body in association.open(apdu)]
        self.heard.append((index, octets, apdu, services))
        if self.silent or apdu.control & 3 == ResponseControl.NEVER:
            return
        answers = [self.answer(index, service) for service in services]
        commands, self.commands = self.commands, []
        self.invocation_id += 1
        reply = association.encode(
            [*answers, *map(encode_request, commands)],
            self.invocation_id,
            apdu.iv,
            reply_to=apdu.invocation_id,
            response_control=ResponseControl.NEVER,
        )
        self.link.send(reply, address)

    def answer(self, index, service):
        if isinstance(service, Register):
            return b"\0" + RegisterReply(service.ap_title, 0, 86_400, 1).encode()
        image = self.images.setdefault(index, {})
        if isinstance(service, FullWrite):
            image[service.table] = service.data
        elif service.table == 0x802 and 0x802 not in image:
            return bytes((7,))
        else:
            old = image.setdefault(service.table, b"").ljust(service.offset + len(service.data), b"\0")
            image[service.table] = old[: service.offset] + service.data + old[service.offset + len(service.data) :]
        return bytes((self.code,))

    def run(self, seconds, step=0.25):
        for _ in range(int(seconds / step)):
            self.clock.advance(step)

    def batteries(self):
        return [i for i in range(self.world.population.size) if self.world.kind(i).battery]

    def tables(self, services):
        return [s.table for s in services]


@pytest.fixture
def listener():
    listening = Listener()
    yield listening
    listening.utility.wakeups.stop()
    assert not [call for call in listening.clock.getDelayedCalls() if call.func.__name__ in ("_tick", "_silence")]


def test_first_pushes_carry_the_program_and_forty_days(listener):
    listener.utility.wakeups.start(wake_within=10, register=False)
    listener.run(60)
    for index in listener.batteries():
        meter, image = listener.world.meter(index), listener.images[index]
        assert {0, 1, 11, 12, 16, 21, 22, 61, 62, 71, 0x802} <= image.keys()
        for table, octets in image.items():
            if table in (64, 26):
                held = meter.octets(table, 0, None)
                size = meter.kind.specs[0].block_octets if table == 64 else meter.kind.registers.entry_size
                head = 0 if table == 64 else 6
                same = [octets[at : at + size] == held[at : at + size] for at in range(head, len(held), size)]
                assert sum(same) >= 158 if table == 64 else sum(same) >= 40
            elif table not in (52, 63, 76):
                assert octets == meter.table(table), table
    for _, octets, apdu, services in listener.heard:
        assert apdu.mode == 2
        assert apdu.qualifier == NOTIFICATION
        assert apdu.reply_to is None
        assert sum(len(encode_request(s)) for s in services) <= SERVICES_OCTETS_MAX
        assert len(octets) <= 1_200


def test_acknowledged_data_does_not_come_again(listener):
    listener.utility.wakeups.start(wake_within=5, register=False)
    listener.run(60)
    listener.heard.clear()
    listener.run(7 * 3600, step=20)
    assert {index for index, *_ in listener.heard} == set(listener.batteries())
    for index, _, _, services in listener.heard:
        assert listener.tables(services)[:3] == [0x802, 52, 63]
        blocks = [s for s in services if s.table == 64]
        size = listener.world.kind(index).specs[0].block_octets
        assert 1 <= sum(len(s.data) for s in blocks) // size <= 3


def test_silence_brings_the_same_octets_and_a_later_wake_up_everything(listener):
    listener.silent = True
    listener.utility.wakeups.start(wake_within=None, register=False)
    index = listener.batteries()[0]
    listener.utility.wakeups.wake([index], 0)
    listener.run(45)
    sent = [octets for i, octets, *_ in listener.heard if i == index]
    assert len(sent) == 3
    assert len(set(sent)) == 1
    listener.silent = False
    listener.utility.wakeups.wake([index], 0)
    listener.run(5)
    assert listener.heard[-1][1] != sent[0]
    assert len(listener.images[index][64]) > 100


def test_dnr_brings_the_program(listener):
    listener.utility.wakeups.start(wake_within=5, register=False)
    listener.run(60)
    index = listener.batteries()[0]
    listener.images[index].clear()
    listener.heard.clear()
    listener.utility.wakeups.wake([index], 0)
    listener.run(10)
    tables = [listener.tables(services) for i, _, _, services in listener.heard if i == index]
    assert tables[0][0] == 0x802
    assert tables[1][:2] == [0, 1]


def test_refused_writes_do_not_loop(listener):
    listener.code = 1
    listener.utility.wakeups.start(wake_within=1, register=False)
    listener.run(8)
    assert len(listener.heard) == len(listener.batteries())


def test_commands_in_the_acknowledgement_are_done_and_reported(listener):
    listener.utility.wakeups.start(wake_within=5, register=False)
    listener.run(60)
    index = listener.batteries()[0]
    meter = listener.world.meter(index)
    formats = meter.kind.form.formats
    now = listener.world_clock.now() + timedelta(seconds=2)
    request = ProcedureRequest(Procedure.SET_DATE_TIME, 41, SetDateTime(meter.time_base.from_utc(now)[0], meter.time_base.qualifier(now)))
    listener.commands = [FullWrite(7, request.encode(formats))]
    listener.heard.clear()
    listener.utility.wakeups.wake([index], 0)
    listener.run(10)
    result = ProcedureResult.decode(listener.images[index][8], formats)
    assert (result.procedure, result.sequence, result.result) == (Procedure.SET_DATE_TIME, 41, ResultCode.DONE)
    shown = MeterClock.decode(listener.images[index][52], formats).device_seconds
    assert abs(shown - int(listener.world_clock.seconds)) < 12
    codes = [event.code for event in listener.world.meter(index).events()]
    assert {3, 4} <= set(codes)


def test_battery_clocks_drift(listener):
    offsets = [listener.world.meter(i).device_now - listener.world.now for i in listener.batteries()]
    assert any(offsets)
    assert all(abs(offset) <= 95 for offset in offsets)


def test_alarms_are_one_urgent_entry(listener):
    listener.utility.wakeups.start(wake_within=None, register=False)
    meter_no = listener.world.population.meter_no(listener.batteries()[0])
    listener.utility.cause_event(meter_no, "leak", 7, alarm=True)
    listener.run(2)
    ((index, _, apdu, (write,)),) = listener.heard
    assert apdu.qualifier == NOTIFICATION | URGENT
    assert apdu.control & 3 == ResponseControl.NEVER
    meter = listener.world.meter(index)
    (entry,) = meter.kind.events.decode_entries(write.data)
    assert (entry.code, entry.sequence) == (0x807, len(meter.events()) - 1)
    with pytest.raises(RequestError, match="event: 'flood' is none of"):
        listener.utility.cause_event(meter_no, "flood", 0, alarm=False)


def test_cellular_endpoints_register():
    listener = Listener(endpoints=140)
    listener.silent = True
    listener.utility.wakeups.start(wake_within=None, register=True)
    listener.run(60)
    listener.silent = False
    listener.run(120)
    listener.utility.wakeups.stop()
    registered = {index for index, _, _, services in listener.heard for s in services if isinstance(s, Register)}
    population = listener.world.population
    assert registered == {i for i in range(140) if population.is_cellular(i) and population.transport(i).value == "udp"}
    service = next(s for *_, services in listener.heard for s in services if isinstance(s, Register))
    assert len(service.native_address) == 6
    listener.heard.clear()
    listener.run(600, step=5)
    assert not any(isinstance(s, Register) for *_, services in listener.heard for s in services)


def test_partial_writes_are_whole_elements(listener):
    listener.utility.wakeups.start(wake_within=5, register=False)
    listener.run(30)
    for index, _, _, services in listener.heard:
        kind = listener.world.kind(index)
        for service in services:
            if isinstance(service, PartialWriteOffset) and service.table in (64, 26, 76):
                head, size = {64: (0, kind.specs[0].block_octets), 26: (6, kind.registers.entry_size), 76: (11, kind.events.entry_size)}[
                    service.table
                ]
                assert (service.offset - head) % size == 0
                assert len(service.data) % size == 0
