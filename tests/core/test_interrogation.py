"""One conversation, placed in a state: what it asks next, and what it makes of what comes back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from emulators.meter_node import MeterNode
from emulators.meter_procedures import set_device_clock
from headend.c1222.epsem import join_services, split_services
from headend.c1222.message import SecurityMode
from headend.c1222.responses import ResponseCode
from headend.c1222.services import FullRead, PartialReadIndex, PartialReadOffset, decode_request
from headend.collection.harvest import harvest
from headend.interrogation import Answered, Ask, Finish, Interrogation, Pause, Resumed, Silent
from headend.model.events import ExceptionKind
from tests.simulation.field import Field


class Conversation:
    """An interrogation and the meter it is with, spoken to directly."""

    def __init__(self, model: str, *, days: int = 1) -> None:
        self.field = Field(1, 60)
        kinds = [self.field.world.kind(i) for i in range(60)]
        self.index = next(i for i, kind in enumerate(kinds) if kind.form.name == model and not kind.configuration.endswith("-net"))
        self.endpoint = self.field.store.endpoints[self.index + 1]
        self.endpoint.collect_from = self.now - timedelta(days=days)
        self.exchanges = 0

    @property
    def now(self):
        return self.field.world_clock.now()

    def begin(self):
        self.endpoint.due = self.now
        assignment = self.field.store._assign(self.endpoint, "test", self.now + timedelta(minutes=5))
        field = self.field
        program = field.collector.programs.get(assignment.program)
        return Interrogation.begin(assignment, program, field.collector.programs.decode, field.utility.time_zone, field.policy, self.now)

    def answers(self, services):
        """What the meter says."""
        self.exchanges += 1
        return tuple(MeterNode(self.field.world.meter(self.index), SecurityMode.ENCRYPTED, self.now.timestamp()).answer(services))

    def finish(self, state, action):
        """Go on to the end; what is collected."""
        while isinstance(action, Ask):
            state, action = state.step(answered(self.answers(split_services(action.message))), self.now)
        assert isinstance(action, Finish)
        return harvest(action.transcript)

    def collect(self):
        """A whole conversation, recorded."""
        self.exchanges = 0
        collected = self.finish(*self.begin())
        self.field.store._record(collected)
        return collected


def answered(responses):
    """The event of these responses."""
    return Answered(join_services(responses))


def reads(action):
    """(kind, table) of each request."""
    assert isinstance(action, Ask)
    return [(type(decode_request(body)).__name__, decode_request(body).table) for body in split_services(action.message)]


def test_of_an_unknown_meter_st0_is_read_first_then_all_that_makes_its_program():
    talk = Conversation("HE-R100")
    state, action = talk.begin()
    assert reads(action) == [("FullRead", 0)]
    state, action = state.step(answered(talk.answers(split_services(action.message))), talk.now)
    assert {table for _, table in reads(action)} == {1, 11, 12, 16, 21, 22, 61, 62, 71, 0x802, 52, 63}
    collected = talk.finish(state, action)
    assert collected.exception is None
    assert collected.program is not None
    assert dict(collected.program.tables).keys() == {0, 1, 11, 12, 16, 21, 22, 61, 62, 71, 0x802}


def test_of_a_known_residential_meter_a_day_takes_one_exchange_and_little_more_than_its_octets():
    talk = Conversation("HE-R100")
    talk.collect()
    talk.field.hours(24)
    collected = talk.collect()
    assert talk.exchanges == 1
    assert sum(v is not None for b in collected.interval_blocks for v in b.values) == 312
    assert len(collected.register_reads) == 1


@pytest.mark.parametrize("model", ["HE-R100", "HE-R150", "HE-G20", "HE-K5", "HE-C300", "HE-C500"])
def test_every_model_is_asked_only_in_ways_it_allows(model):
    talk = Conversation(model)
    allowed = {"HE-R100": 3, "HE-R150": 3, "HE-G20": 2, "HE-K5": 0, "HE-C300": 1, "HE-C500": None}[model]
    for _ in range(2):
        state, action = talk.begin()
        while isinstance(action, Ask):
            for service in map(decode_request, split_services(action.message)):
                assert isinstance(service, FullRead | PartialReadIndex | PartialReadOffset)
                if allowed is not None:
                    assert allowed & 1 or not isinstance(service, PartialReadOffset)
                    assert allowed & 2 or not isinstance(service, PartialReadIndex)
            state, action = state.step(answered(talk.answers(split_services(action.message))), talk.now)
        collected = harvest(action.transcript)
        assert collected.exception is None
        talk.field.store._record(collected)
        assert talk.field.differences(talk.endpoint, talk.now - timedelta(hours=20)) == []
        talk.field.hours(13)


def test_nothing_new_takes_one_exchange_and_stores_nothing_again():
    talk = Conversation("HE-R100")
    talk.collect()
    collected = talk.collect()
    assert talk.exchanges == 1
    assert (collected.interval_blocks, collected.register_reads, collected.events) == ((), (), ())
    assert collected.exception is None


def test_a_reprogrammed_meter_has_its_program_read_anew_and_is_read_in_the_same_conversation():
    talk = Conversation("HE-R100")
    talk.collect()
    talk.field.hours(6)
    state, action = talk.begin()
    answers = list(talk.answers(split_services(action.message)))
    at = next(i for i, (_, table) in enumerate(reads(action)) if table == 0x802)
    answers[at] = answers[at][:3] + bytes((answers[at][3] ^ 1,)) + answers[at][4:]
    data = answers[at][3:5]
    answers[at] = answers[at][:5] + bytes((-sum(data) & 0xFF,))
    state, action = state.step(answered(tuple(answers)), talk.now)
    assert reads(action) == [("FullRead", 0)]
    assert talk.finish(state, action).exception is None


def test_a_busy_meter_is_asked_again_later_but_not_for_ever():
    talk = Conversation("HE-R100")
    state, action = talk.begin()
    waits = []
    for _ in range(20):
        state, action = state.step(answered((bytes((ResponseCode.BSY,)),)), talk.now)
        if isinstance(action, Finish):
            break
        assert isinstance(action, Pause)
        waits.append(action.seconds)
        state, action = state.step(Resumed(), talk.now)
        assert reads(action) == [("FullRead", 0)]
    assert waits == [2, 4, 8, 16, 32]
    exception = harvest(action.transcript).exception
    assert exception.kind is ExceptionKind.REFUSED
    assert "busy or not ready 6 times" in exception.reason


def test_a_refused_table_is_an_exception_and_what_was_good_is_kept():
    talk = Conversation("HE-R100")
    talk.collect()
    talk.field.hours(24)
    state, action = talk.begin()
    while isinstance(action, Ask):
        answers = [
            bytes((ResponseCode.ISC,)) if table == 65 else answer
            for (_, table), answer in zip(reads(action), talk.answers(split_services(action.message)), strict=True)
        ]
        state, action = state.step(answered(tuple(answers)), talk.now)
    collected = harvest(action.transcript)
    assert collected.exception.kind is ExceptionKind.REFUSED
    assert "read of ST65" in collected.exception.reason
    assert "0x03" in collected.exception.reason
    assert {b.channel_id for b in collected.interval_blocks} == {1}
    assert len(collected.register_reads) == 1
    before = talk.endpoint.progress
    assert collected.progress.sets[1] == before.sets[1]
    assert collected.progress.sets[0] != before.sets[0]
    talk.field.store._record(collected)
    assert talk.collect().exception is None
    assert talk.field.differences(talk.endpoint, talk.now - timedelta(hours=30)) == []


def test_a_meter_that_can_answer_less_is_asked_for_less_and_remembered():
    talk = Conversation("HE-G20")
    talk.collect()
    assert talk.endpoint.progress.reply_octets_max == 515
    talk.field.hours(24)
    state, action = talk.begin()
    while isinstance(action, Ask):
        answers = talk.answers(split_services(action.message))
        assert all(answer[0] == 0 for answer in answers)
        state, action = state.step(answered(answers), talk.now)


@pytest.mark.parametrize("garbage", [b"", b"\x00", b"\x00\x00\x05abc", b"\x00\x00\x01a\x00", b"\x00" * 40, b"\x20"])
def test_nonsense_in_place_of_a_table_ends_as_an_exception(garbage):
    talk = Conversation("HE-R100")
    state, action = talk.begin()
    for _ in range(100):
        state, action = state.step(answered((garbage,) * len(split_services(action.message))), talk.now)
        if isinstance(action, Finish):
            break
    assert harvest(action.transcript).exception.reason


def test_fewer_responses_than_requests_end_as_an_exception_with_the_rest_kept():
    talk = Conversation("HE-R100")
    talk.collect()
    talk.field.hours(24)
    state, action = talk.begin()
    state, action = state.step(answered(talk.answers(split_services(action.message))[:-1]), talk.now)
    collected = talk.finish(state, action)
    assert collected.exception.kind is ExceptionKind.MALFORMED
    assert collected.interval_blocks


def test_silence_in_the_middle_keeps_what_was_read():
    talk = Conversation("HE-C300")
    talk.collect()
    talk.field.hours(24)
    state, action = talk.begin()
    state, action = state.step(answered(talk.answers(split_services(action.message))), talk.now)
    assert isinstance(action, Ask)
    _, action = state.step(Silent(4, 30.0), talk.now)
    collected = harvest(action.transcript)
    assert collected.exception.kind is ExceptionKind.NO_ANSWER
    assert collected.exception.reason == "no answer to 4 transmissions within 30 s"
    assert collected.heard == talk.now
    talk.field.store._record(collected)
    assert talk.collect().exception is None
    assert talk.field.differences(talk.endpoint, talk.now - timedelta(hours=30)) == []


def test_a_conversation_never_asks_without_end():
    talk = Conversation("HE-K5")
    talk.field.policy = replace(talk.field.policy, exchanges_max=3)
    collected = talk.finish(*talk.begin())
    assert "not all read after 3 exchanges" in collected.exception.reason


@pytest.mark.parametrize("hours", [10.3, 17.4, 23.4, 23.9])
def test_blocks_that_grow_between_two_messages_are_not_torn(hours):
    talk = Conversation("HE-C300")
    talk.collect()
    talk.field.hours(hours)
    state, action = talk.begin()
    while isinstance(action, Ask):
        state, action = state.step(answered(talk.answers(split_services(action.message))), talk.now)
        if talk.exchanges in {1, 3}:
            talk.field.hours(0.26)
    collected = harvest(action.transcript)
    talk.field.store._record(collected)
    assert collected.exception is None
    assert talk.field.differences(talk.endpoint, talk.field.start - timedelta(hours=20), collected.heard - timedelta(hours=1)) == []


def clock_setting():
    """A meter whose clock is 100 s behind, all read, and the request that sets it right."""
    talk = Conversation("HE-R100")
    talk.collect()
    talk.field.hours(6)
    set_device_clock(talk.field.world.meter(talk.index), int(talk.now.timestamp()) - 100)
    state, action = talk.begin()
    while not action.once:
        state, action = state.step(answered(talk.answers(split_services(action.message))), talk.now)
    assert [type(decode_request(body)).__name__ for body in split_services(action.message)] == ["FullWrite", "FullRead"]
    return talk, state, action


def test_a_clock_is_set_by_one_further_exchange_and_what_was_read_is_kept():
    talk, state, action = clock_setting()
    collected = talk.finish(state, action)
    assert [n.reason for n in collected.notices] == ["the clock was 100 s behind and is set right"]
    assert (collected.exception, bool(collected.interval_blocks)) == (None, True)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (Silent(1, 2.0), "the clock was 100 s behind; no answer came when it was set right"),
        (Answered(join_services((b"\x02", b"\x02"))), "is not set right: refused with response code 02"),
        (Answered(b"\xff"), "is not set right: an answer that is not understood"),
    ],
)
def test_a_clock_that_is_not_set_right_costs_nothing_that_was_read(event, reason):
    talk, state, _ = clock_setting()
    _, action = state.step(event, talk.now)
    collected = harvest(action.transcript)
    assert reason in collected.notices[0].reason
    assert (collected.exception, bool(collected.interval_blocks)) == (None, True)
