"""What is foreseen of a conversation is what `Reading` asks and gathers, over whole fields; and most days are as foreseen."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from emulators.faults import Fault, FaultKind
from headend import interrogation
from headend.c1222.epsem import split_services
from headend.collection.foreseen import Foreseen, foresee
from headend.collection.images import Piece
from headend.collection.policy import CollectionPolicy
from headend.collection.reading import Reading
from headend.collection.requests import answered_octets, one_message
from headend.interrogation import Answered, Interrogation
from tests.simulation.field import Field

BY_OFFSET = ("HE-R100", "HE-R150", "HE-C300", "HE-C500")
WORLDS = {
    "summer": datetime(2026, 7, 15, 6, 30, tzinfo=UTC),
    "spring": datetime(2026, 3, 8, 4, tzinfo=UTC),
    "autumn": datetime(2026, 11, 1, 3, tzinfo=UTC),
}


class Watch:
    """Holds every foresight of a field's conversations against `Reading`; counts by model what came of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, field: Field) -> None:
        self.field = field
        self.fulfilled: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        going_on = Interrogation._with_foreseen

        def checked(state, foreseen, event, now):
            following = going_on(state, foreseen, event, now)
            if isinstance(event, Answered):
                self.check_gathered(state, foreseen, event, now, following[1])
            return following

        monkeypatch.setattr(interrogation, "foresee", self.foresee)
        monkeypatch.setattr(Interrogation, "_with_foreseen", checked)

    def foresee(self, program, aim, now, reply_octets_max) -> Foreseen | None:
        foreseen = foresee(program, aim, now, reply_octets_max)
        if foreseen is not None:
            spans = self.reading(program, aim).wanted(now)
            assert foreseen.asked == one_message(program, spans, reply_octets_max)
            assert [one.length for one in foreseen.asked] == [span.length or None for span in spans]
            assert split_services(foreseen.message) == tuple(one.body for one in foreseen.asked)
        return foreseen

    def reading(self, program, aim) -> Reading:
        nothing = Reading.of(program, self.field.store._assign(self.field.polled[0], "", self.field.start), aim.zone, self.field.policy)
        blank = (None,) * len(program.sets)
        return nothing._replace(aim=aim, told=nothing.told._replace(sets=blank), due=nothing.due._replace(sets=blank))

    def check_gathered(self, state, foreseen, event, now, action) -> None:
        endpoint_id = state.task.assignment.endpoint_id
        model = self.field.world.kind(endpoint_id - 1).form.name
        gathered = getattr(getattr(action, "transcript", None), "gathered", None)
        if gathered is None:
            self.failed[model] += 1
            return
        self.fulfilled[model] += 1
        responses = split_services(event.reply)
        pieces = [
            Piece(one.table, one.offset, answered_octets(one, response), one.length is None)
            for one, response in zip(foreseen.asked, responses, strict=True)
        ]
        reading = self.reading(foreseen.program, foreseen.aim).with_pieces(pieces, now)
        assert gathered == reading.gathered(endpoint_id)
        assert action.transcript.remarks == state._replace(reading=reading, heard=now)._remarks(None, "")


def collect(field: Field, hours: tuple[float, ...]) -> None:
    for later in hours:
        field.hours(later)
        field.schedule()
        field.run()
        field.collector = field.new_collector()


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("seed", range(2))
def test_foreseen_is_what_a_reading_comes_to(monkeypatch, world, seed):
    field = Field(seed, 60, start=WORLDS[world])
    watch = Watch(monkeypatch, field)
    collect(field, (0, 6, 6.2, 24, 24, 0.3, 30, 11))
    for endpoint in field.polled:
        assert endpoint.exceptions == []
        assert field.differences(endpoint, field.start - timedelta(days=1), endpoint.heard) == []
    for model in ("HE-R100", "HE-C300", "HE-C500"):
        assert watch.fulfilled[model] > watch.failed[model], (watch.fulfilled, watch.failed)
    assert watch.fulfilled["HE-R100"] > 5 * watch.failed["HE-R100"]
    assert set(watch.fulfilled) | set(watch.failed) <= set(BY_OFFSET)


def test_foreseen_with_present_registers(monkeypatch):
    field = Field(3, 40, policy=CollectionPolicy(scheduled_registers=True))
    watch = Watch(monkeypatch, field)
    collect(field, (0, 6, 24, 24))
    assert watch.fulfilled["HE-R100"] > 10
    assert all(any(read.source.name == "SCHEDULED" for read in e.registers.values()) for e in field.polled)


def test_what_is_not_as_foreseen_is_read_all_the_same(monkeypatch):
    failed = 0
    for seed in range(3):
        field = Field(seed, 40)
        with monkeypatch.context() as patch:
            watch = Watch(patch, field)
            collect(field, (0,))
            faults = (Fault(FaultKind.LOSS, 0.2), Fault(FaultKind.CORRUPT, 0.05), Fault(FaultKind.REBOOT, 0.3, seconds=5))
            field.field.install_faults((*faults, Fault(FaultKind.CLOCK_JUMP, 0.3, seconds=2 * 3600)))
            collect(field, (7, 24, 24))
            field.field.install_faults(())
            collect(field, (24, 24))
        failed += sum(watch.failed.values())
        for endpoint in field.polled:
            any_flags = 0xFFFF  # clocks were wrong for a while
            assert field.differences(endpoint, field.start - timedelta(days=1), field.start + timedelta(hours=5), any_flags) == []
    assert failed > 3
