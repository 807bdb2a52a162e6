"""Leases and recording: what is handed out, what is kept, and what happens when the same comes twice or comes changed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from adapters.store.change_packing import unpack_changes
from adapters.store.day_packing import unpack_day
from headend.errors import StoreError, UnknownMeterError
from headend.limits import EARLY_EVENTS_MAX, INVOCATION_ID_MAX, INVOCATION_IDS_PER_LEASE
from headend.model.channels import ChannelId
from headend.model.collection import Collected, MeterProgramRecord, OutgoingMessage
from headend.model.endpoint import EndpointId, NativeAddress, Transport
from headend.model.events import DeviceEvent, EarlyEvent, EarlySender, EventPath, ExceptionKind, ExceptionRecord
from headend.model.instants import to_us
from headend.model.interval_runs import IntervalRuns
from headend.model.readings import IntervalFlag
from headend.model.selections import REGISTERS, Period
from headend.retries import RetryPolicy
from tests.store.world import DAY, FROM, MIDNIGHT, NOW, UNTIL, OpenStore, block, endpoint_day, register, shipment

HISTORY = "SELECT endpoint_id, change_seq, superseded_seq FROM interval_day_history"


def rows_of_large_tables(store: OpenStore) -> list[list[tuple[object, ...]]]:
    tables = ("interval_day", "register_read", "device_event", "outbox")
    return [store.sql(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]


def due(store: OpenStore, count: int) -> None:
    store.call("import_shipment", shipment(count), NOW)
    assert store.call("schedule", NOW, FROM) == count


def test_a_lease_hands_out_all_that_a_conversation_needs(store: OpenStore) -> None:
    due(store, 3)
    one, two = store.call("lease", "me", 2, NOW, UNTIL)
    assert (one.meter_no, one.router, one.configuration, one.key) == ("M000001", "R1", "residential", (1).to_bytes(16, "big"))
    assert one.address == NativeAddress(Transport.UDP, "127.0.0.1", 1154)
    assert (one.collect_from, one.program, one.progress.sets) == (FROM, None, ())
    assert one.lease_id != two.lease_id
    assert (1).to_bytes(16, "big").hex() not in repr(one)


def test_nobody_gets_what_another_holds_until_the_lease_ends(store: OpenStore) -> None:
    due(store, 5)
    mine = store.call("lease", "me", 3, NOW, UNTIL)
    yours = store.call("lease", "you", 10, NOW, UNTIL)
    assert len(mine) == 3
    assert len(yours) == 2
    assert not {a.endpoint_id for a in mine} & {a.endpoint_id for a in yours}
    assert store.call("lease", "third", 10, NOW, UNTIL) == []
    again = store.call("lease", "third", 10, UNTIL, UNTIL + timedelta(minutes=5))
    assert len(again) == 5


def test_invocation_ids_are_never_handed_out_twice_and_wrap(store: OpenStore) -> None:
    due(store, 1)
    seen: list[int] = []
    for i in range(7):
        (one,) = store.call("lease", "me", 1, NOW + timedelta(hours=i), NOW + timedelta(hours=i, minutes=5))
        seen += [(one.first_invocation_id + k - 1) % INVOCATION_ID_MAX + 1 for k in range(one.invocation_ids)]
        if i == 4:
            store.sql("UPDATE endpoint_state SET next_invocation_id = 32703")
    assert seen[: 5 * INVOCATION_IDS_PER_LEASE] == list(range(1, 5 * INVOCATION_IDS_PER_LEASE + 1))
    assert seen[5 * INVOCATION_IDS_PER_LEASE :] == [*range(32_703, 32_768), *range(1, 64)]


def test_a_missed_interrogation_is_due_again_and_counted_until_it_succeeds(store: OpenStore) -> None:
    retries = RetryPolicy(first_seconds=600, seconds_max=1_200, give_up_seconds=3_000)
    due(store, 1)
    now = NOW
    for wait, missed in ((600, 1), (1_200, 2), (1_200, 3)):
        (one,) = store.call("lease", "me", 1, now, now + timedelta(minutes=5))
        silence = ExceptionRecord(one.endpoint_id, ExceptionKind.NO_ANSWER, now, "no answer")
        store.call("record", [Collected(one.endpoint_id, None, one.lease_id, exception=silence)], now, (), retries)
        assert store.sql("SELECT missed, missed_us FROM endpoint_state") == [(missed, to_us(NOW))]
        assert store.call("summary").failed == 1
        assert store.call("lease", "me", 1, now + timedelta(seconds=wait * 0.89), now) == [], "not so soon"
        now += timedelta(seconds=wait * 1.11)
    (one,) = store.call("lease", "me", 1, now, now + timedelta(minutes=5))
    store.call("record", [replace(endpoint_day(1, lease_id=one.lease_id), heard=now)], now, (), retries)
    assert store.sql("SELECT missed, missed_us, due_us FROM endpoint_state") == [(0, None, None)]
    summary = store.call("summary")
    assert (summary.due, summary.done, summary.failed) == (0, 1, 0)


def test_what_is_missed_for_too_long_waits_for_the_schedule(store: OpenStore) -> None:
    retries = RetryPolicy(give_up_seconds=0)
    due(store, 1)
    (one,) = store.call("lease", "me", 1, NOW, UNTIL)
    silence = ExceptionRecord(one.endpoint_id, ExceptionKind.NO_ANSWER, NOW, "no answer")
    store.call("record", [Collected(one.endpoint_id, None, one.lease_id, exception=silence)], NOW, (), retries)
    assert store.call("lease", "me", 1, NOW + timedelta(days=9), NOW + timedelta(days=10)) == []
    assert store.call("schedule", NOW + timedelta(days=9), FROM) == 1


def test_released_leases_are_due_again(store: OpenStore) -> None:
    due(store, 2)
    store.call("lease", "me", 2, NOW, UNTIL)
    store.call("release", "me")
    assert len(store.call("lease", "you", 2, NOW, UNTIL)) == 2


def test_recording_ends_the_lease_and_is_counted(store: OpenStore) -> None:
    due(store, 2)
    good, bad = store.call("lease", "me", 2, NOW, UNTIL)
    failure = ExceptionRecord(bad.endpoint_id, ExceptionKind.NO_ANSWER, NOW, "no answer to 4 transmissions")
    store.call("record", [endpoint_day(1, lease_id=good.lease_id), Collected(bad.endpoint_id, None, bad.lease_id, exception=failure)], NOW)
    summary = store.call("summary")
    assert (summary.endpoints, summary.due, summary.done, summary.failed) == (2, 0, 1, 1)
    assert (summary.register_reads, summary.intervals, summary.events) == (1, 312, 0)
    assert store.call("exceptions", 10) == [("M000002", failure)]
    assert store.call("lease", "me", 2, NOW + timedelta(hours=1), NOW + timedelta(hours=2)) == []


def test_a_battery_endpoint_is_never_due(store: OpenStore) -> None:
    store.call("import_shipment", shipment(2, configuration="gas"), NOW)
    assert store.call("schedule", NOW, FROM) == 0


def test_named_meters_become_due_and_an_unknown_one_is_named(store: OpenStore) -> None:
    store.call("import_shipment", shipment(3), NOW)
    assert store.call("schedule", NOW, FROM, ["M000002"]) == 1
    assert [a.meter_no for a in store.call("lease", "me", 9, NOW, UNTIL)] == ["M000002"]
    with pytest.raises(UnknownMeterError, match="M999999"):
        store.call("schedule", NOW, FROM, ["M000001", "M999999"])


def test_recording_twice_changes_nothing(store: OpenStore) -> None:
    due(store, 1)
    item = replace(
        endpoint_day(1),
        events=(DeviceEvent(EndpointId(1), 2, NOW, 7, b"x"),),
        messages=(OutgoingMessage("oms", "alarm", b"payload", EndpointId(1)),),
    )
    store.call("record", [item], NOW)
    dump = rows_of_large_tables(store)
    state = store.sql("SELECT * FROM endpoint_state")
    store.call("record", [item, item], NOW + timedelta(minutes=1))
    assert rows_of_large_tables(store) == dump
    assert store.sql("SELECT * FROM endpoint_state") == state
    assert store.sql(HISTORY) == []
    assert store.call("summary").intervals == 312


def test_late_intervals_fill_gaps_without_a_predecessor(store: OpenStore) -> None:
    due(store, 1)
    store.call("record", [Collected(EndpointId(1), NOW, interval_blocks=(block(1, [*range(12)] + [None] * 12),))], NOW)
    store.call("record", [Collected(EndpointId(1), NOW, interval_blocks=(block(1, [None] * 12 + [*range(12, 24)]),))], NOW)
    (stored,) = store.call("interval_blocks", "M000001", FROM, NOW)
    assert stored == block(1, range(24))
    assert store.sql("SELECT change_seq FROM interval_day") == [(2,)]
    assert store.sql(HISTORY) == []
    assert store.call("summary").intervals == 24


def test_a_changed_interval_keeps_its_predecessor(store: OpenStore) -> None:
    due(store, 1)
    store.call("record", [Collected(EndpointId(1), NOW, interval_blocks=(block(1, range(24)),))], NOW)
    changed = [*range(23), 99]
    store.call("record", [Collected(EndpointId(1), NOW, interval_blocks=(block(1, changed),))], NOW)
    (stored,) = store.call("interval_blocks", "M000001", FROM, NOW)
    assert stored.values == changed
    assert store.sql(HISTORY) == [(1, 1, 2)]


def test_a_known_value_is_not_given_up_for_a_missing_one(store: OpenStore) -> None:
    due(store, 1)
    store.call("record", [Collected(EndpointId(1), NOW, interval_blocks=(block(1, range(24)),))], NOW)
    nothing = block(1, [None] * 24, flags=[int(IntervalFlag.SKIPPED)] * 24)
    store.call("record", [Collected(EndpointId(1), NOW, interval_blocks=(nothing,))], NOW)
    assert store.call("interval_blocks", "M000001", FROM, NOW) == [block(1, range(24))]


def day_runs(store_day: date, endpoints: Sequence[int], first: int = 0, flag: int = 0) -> IntervalRuns:
    """Hours `first` … 23 of a day of each endpoint, as a batch of conversations brings them; hour h is worth 100 × endpoint + h."""
    values = np.array([[range(100 * endpoint + first, 100 * endpoint + 24)] for endpoint in endpoints])
    flags = np.full(values.shape, flag, np.uint16) if flag else None
    number = (store_day - date(1970, 1, 1)).days
    ids = [EndpointId(endpoint) for endpoint in endpoints]
    return IntervalRuns(ids, [number] * len(ids), first, 3_600, ((ChannelId(1), 0),), values, flags)


def test_runs_are_stored_as_the_blocks_they_are(store: OpenStore) -> None:
    due(store, 3)
    items = [Collected(EndpointId(n), NOW) for n in (1, 2, 3)]
    store.call("record", items, NOW, [day_runs(DAY, (1, 2, 3), first=7, flag=int(IntervalFlag.DST))])
    for n in (1, 2, 3):
        values = [None] * 7 + [100 * n + hour for hour in range(7, 24)]
        expected = block(n, values, flags=[0] * 7 + [int(IntervalFlag.DST)] * 17)
        assert store.call("interval_blocks", f"M00000{n}", FROM, NOW) == [expected]
    assert store.call("summary").intervals == 51


def test_runs_behind_what_is_stored_lengthen_it_and_the_same_again_changes_nothing(store: OpenStore) -> None:
    due(store, 2)
    items = [Collected(EndpointId(n), NOW) for n in (1, 2)]
    early = [block(n, [100 * n + hour for hour in range(7)] + [None] * 17) for n in (1, 2)]
    store.call("record", [replace(item, interval_blocks=(early[n],)) for n, item in enumerate(items)], NOW)
    store.call("record", items, NOW, [day_runs(DAY, (1, 2), first=7)])
    dump = store.sql("SELECT * FROM interval_day ORDER BY endpoint_id")
    assert [row[:2] for row in store.sql("SELECT change_seq, endpoint_id FROM interval_day ORDER BY 2")] == [(2, 1), (2, 2)]
    store.call("record", items, NOW, [day_runs(DAY, (1, 2), first=5)])
    assert store.sql("SELECT * FROM interval_day ORDER BY endpoint_id") == dump
    for n in (1, 2):
        assert store.call("interval_blocks", f"M00000{n}", FROM, NOW) == [block(n, range(100 * n, 100 * n + 24))]
    assert store.sql(HISTORY) == []
    assert store.call("summary").intervals == 48


def test_a_local_day_is_one_row_and_is_read_as_two_days(store: OpenStore) -> None:
    due(store, 2)
    items = [Collected(EndpointId(n), NOW) for n in (1, 2)]
    for later in range(2):
        runs = day_runs(DAY + timedelta(days=later), (1, 2), first=5)
        store.call("record", items, NOW, [replace(runs, values=np.tile(np.arange(24 * later, 24 * later + 24), (2, 1, 1)))])
    number = (DAY - date(1970, 1, 1)).days
    assert store.sql("SELECT day, endpoint_id, change_seq FROM interval_day ORDER BY 1, 2") == [
        (number, 1, 1), (number, 2, 1), (number + 1, 1, 2), (number + 1, 2, 2)
    ]  # fmt: skip
    changes = [(seq, unpack_changes(packed)) for seq, packed in store.sql("SELECT change_seq, packed FROM endpoint_change ORDER BY 1")]
    assert changes == [(n + 1, dict.fromkeys((1, 2), (number + n, number + n + 1))) for n in range(2)]
    (first, second) = store.call("interval_blocks", "M000001", FROM, FROM + timedelta(days=2))
    assert (first.day, first.values) == (DAY, [None] * 5 + [*range(19)])
    assert (second.day, second.values) == (DAY + timedelta(days=1), [*range(19, 43)])
    store.call("record", [Collected(EndpointId(1), NOW, interval_blocks=(replace(second, values=[7, *range(20, 43)]),))], NOW)
    (first, second) = store.call("interval_blocks", "M000001", FROM, FROM + timedelta(days=2))
    assert (first.values[5:], second.values) == ([*range(19)], [7, *range(20, 43)])
    assert store.sql("SELECT endpoint_id, day, change_seq, superseded_seq FROM interval_day_history") == [(1, number + 1, 2, 3)]
    assert store.call("summary").intervals == 96


def test_a_run_that_says_otherwise_supersedes_and_one_of_an_item_comes_after_it(store: OpenStore) -> None:
    due(store, 1)
    item = Collected(EndpointId(1), NOW)
    store.call("record", [replace(item, interval_blocks=(block(1, range(24)),))], NOW)
    store.call("record", [replace(item, interval_blocks=(block(1, [None] * 23 + [7]),))], NOW, [day_runs(DAY, (1,), first=20)])
    (stored,) = store.call("interval_blocks", "M000001", FROM, NOW)
    assert stored.values == [*range(20), 120, 121, 122, 7]
    assert store.sql(HISTORY) == [(1, 1, 2)]
    ((packed,),) = store.sql("SELECT packed FROM interval_day_history")
    assert unpack_day({0: packed}, 0) == {(1, 3_600): (list(range(24)), [0] * 24, 0)}


def test_a_run_out_of_time_is_named_and_one_of_a_stranger_dropped(store: OpenStore) -> None:
    due(store, 2)
    leases = {a.endpoint_id: a.lease_id for a in store.call("lease", "me", 2, NOW, UNTIL)}
    items = [Collected(EndpointId(n), NOW, leases.get(n)) for n in (1, 2, 77)]
    store.call("record", items, NOW, [day_runs(DAY, (1, 2, 77)), day_runs(DAY + timedelta(days=90), (2,))])
    assert store.call("summary").intervals == 48
    ((meter_no, exception),) = store.call("exceptions", 10)
    assert (meter_no, exception.kind) == ("M000002", ExceptionKind.STORE)
    assert "intervals of 2026-09-29: day outside" in exception.reason
    assert (store.call("summary").done, store.call("summary").failed) == (1, 1)


def test_a_stored_day_of_a_later_version_is_left_and_named(store: OpenStore) -> None:
    due(store, 1)
    store.call("record", [Collected(EndpointId(1), NOW, interval_blocks=(block(1, range(24)),))], NOW)
    later = "x'7f01'" if store.store._database.is_sqlite else "'\\x7f01'"
    store.sql(f"UPDATE interval_day SET packed = {later}")
    store.call("record", [Collected(EndpointId(1), NOW)], NOW, [day_runs(DAY, (1,))])
    ((_, exception),) = store.call("exceptions", 10)
    assert "a packed day that begins with 7f is not known" in exception.reason
    with pytest.raises(StoreError, match="begins with 7f is not known"):
        store.call("interval_blocks", "M000001", FROM, NOW)


def test_a_changed_register_read_keeps_its_predecessor(store: OpenStore) -> None:
    due(store, 1)
    for value, exponent in ((100, 0), (10, 1), (101, 0)):
        store.call("record", [Collected(EndpointId(1), NOW, register_reads=(register(1, value, exponent=exponent),))], NOW)
    stored = store.call("values_of", [EndpointId(1)], Period(FROM, NOW), REGISTERS).registers
    assert [(read.instant_us, read.value, read.exponent) for read in stored] == [(to_us(register(1, 101).instant), 101, 0)]
    assert store.sql("SELECT value, change_seq, superseded_seq FROM register_read_history") == [(100, 1, 2)]


def test_what_breaks_a_rule_is_named_and_costs_nothing_else(store: OpenStore) -> None:
    due(store, 3)
    leases = {a.endpoint_id: a.lease_id for a in store.call("lease", "me", 3, NOW, UNTIL)}
    ancient = block(2, range(24), day=DAY - timedelta(days=9_000))
    huge = block(2, [1 << 70] * 24, channel=2)
    short = replace(block(2, range(24), channel=3), interval_seconds=900)
    spoilt = replace(endpoint_day(2, lease_id=leases[2]), interval_blocks=(ancient, huge, short, block(2, range(24))))
    stranger = endpoint_day(77)
    store.call("record", [endpoint_day(1, lease_id=leases[1]), spoilt, stranger, endpoint_day(3, lease_id=leases[3])], NOW)
    assert store.call("interval_blocks", "M000002", FROM, NOW) == [block(2, range(24))]
    summary = store.call("summary")
    assert (summary.due, summary.done, summary.failed, summary.register_reads) == (0, 2, 1, 3)
    reasons = " / ".join(record.reason for _, record in store.call("exceptions", 10))
    assert {record.kind for _, record in store.call("exceptions", 10)} == {ExceptionKind.STORE}
    assert "day outside" in reasons
    assert "are not a day" in reasons


def test_an_item_whose_lease_has_passed_on_is_stored_but_ends_nothing(store: OpenStore) -> None:
    due(store, 1)
    (old,) = store.call("lease", "slow", 1, NOW, UNTIL)
    (new,) = store.call("lease", "quick", 1, UNTIL, UNTIL + timedelta(minutes=5))
    store.call("record", [endpoint_day(1, lease_id=old.lease_id)], NOW)
    assert store.call("summary").due == 1
    assert store.call("summary").intervals == 312
    store.call("record", [endpoint_day(1, lease_id=new.lease_id)], NOW)
    assert store.call("summary").done == 1


def test_a_push_is_known_by_its_ap_title_and_updates_its_state(store: OpenStore) -> None:
    store.call("import_shipment", shipment(1, configuration="gas"), NOW)
    title = bytes(store.sql("SELECT ap_title_octets FROM endpoint")[0][0])
    program = MeterProgramRecord(b"f" * 16, ((0, b"table zero"), (2048, b"")))
    address = NativeAddress(Transport.TCP, "10.0.0.9", 1153)
    item = replace(endpoint_day(1), program=program, replay_window=b"window", address=address)
    store.call("record", [item], NOW)
    security = store.call("security", title)
    assert (security.meter_no, security.keys, security.active) == ("M000001", ((1, (1).to_bytes(16, "big")),), True)
    assert (security.program, security.progress, security.replay_window) == (b"f" * 16, item.progress, b"window")
    assert security.address == store.call("meter", "M000001").endpoint.address == address
    assert store.call("program", b"f" * 16) == program
    assert store.call("program", b"g" * 16) is None
    assert store.call("security", b"stranger") is None
    assert store.sql("SELECT octets_sent, octets_received FROM endpoint_state") == [(300, 1500)]


def test_exceptions_keep_text_that_a_database_would_refuse(store: OpenStore) -> None:
    due(store, 1)
    failure = ExceptionRecord(EndpointId(1), ExceptionKind.MALFORMED, NOW, "model 'a\0b\ud800' unknown")
    store.call("record", [Collected(EndpointId(1), None, exception=failure)], NOW)
    ((_, kept),) = store.call("exceptions", 1)
    assert kept.reason.startswith("model 'a\ufffdb")


def test_endpoints_that_push_are_counted_by_how_far_they_have_told(store: OpenStore) -> None:
    store.call("import_shipment", shipment(1) + shipment(3, configuration="gas", first=10), NOW)
    read = register(2, 5_000, channel=31)
    store.call("record", [Collected(EndpointId(2), NOW, register_reads=(read,))], NOW)
    assert store.call("pushed", MIDNIGHT) == (1, 3)
    assert store.call("pushed", MIDNIGHT + timedelta(days=1)) == (0, 3)


def test_early_events_wait_until_the_program_of_their_endpoint_is_known(store: OpenStore) -> None:
    due(store, 3)
    one, other = EndpointId(1), EndpointId(2)
    entries = [EarlyEvent(NOW + timedelta(seconds=n), bytes([n, 255]), off_seconds=n / 2) for n in range(3)]
    early = [Collected(one, NOW, early_events=tuple(entries[:2])), Collected(other, NOW, early_events=tuple(entries[2:]))]
    store.call("record", early, NOW)
    store.call("record", [Collected(one, NOW, early_events=tuple(entries[:1]))], NOW)
    assert store.call("early_events", -1, 10) == []
    program = MeterProgramRecord(b"\7" * 16, ((0, b"\1"),))
    store.call("record", [Collected(endpoint_id, NOW, program=program) for endpoint_id in (one, other)], NOW)
    both = [EarlySender(one, b"\7" * 16, tuple(entries[:2])), EarlySender(other, b"\7" * 16, tuple(entries[2:]))]
    assert store.call("early_events", -1, 10) == both
    assert store.call("early_events", -1, 1) == both[:1]
    assert store.call("early_events", one, 10) == both[1:]
    assert store.call("early_events_of", [one, EndpointId(3)]) == {one: tuple(entries[:2])}
    event = DeviceEvent(one, 2, NOW, 9, path=EventPath.UNSOLICITED)
    for _ in range(2):
        store.call("record", [Collected(one, None, events=(event,), early_understood=tuple(entries[:2]))], NOW)
    assert store.call("early_events", -1, 10) == both[1:]
    assert store.sql("SELECT count(*) FROM device_event") == [(1,)]
    assert store.call("exceptions", 10) == []


def test_a_flood_of_early_events_is_bounded_and_the_first_are_kept(store: OpenStore) -> None:
    due(store, 1)
    flood = tuple(EarlyEvent(NOW + timedelta(seconds=n), n.to_bytes(2, "big")) for n in range(EARLY_EVENTS_MAX + 2))
    store.call("record", [Collected(EndpointId(1), NOW, early_events=flood[:60])], NOW)
    program = MeterProgramRecord(b"\7" * 16, ((0, b"\1"),))
    store.call("record", [Collected(EndpointId(1), NOW, early_events=flood[60:], program=program)], NOW)
    ((_, _, kept),) = [(one.endpoint_id, one.program, one.events) for one in store.call("early_events", -1, 10)]
    assert kept == flood[:EARLY_EVENTS_MAX]
    said = [record.reason for _, record in store.call("exceptions", 10)]
    assert sorted(said) == [f"more than {EARLY_EVENTS_MAX} events before its program is known; not kept: {n:04x}" for n in (100, 101)]
