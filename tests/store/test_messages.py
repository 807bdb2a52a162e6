"""The message log in both databases: filters, numbers, and what is forgotten when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.store import message_store
from adapters.store.message_store import ROW_OCTETS
from headend.message_log import ANSWERED, Direction, MessageEntry, MessageFilter, MessagePack, PackedEnvelopes
from tests.store.world import NOW, OpenStore

ENTRY = MessageEntry(
    Direction.IN, NOW, 1_500, "cis", "192.0.2.1", "MR_Server", "3.0", "1.1", "GetReadingsByDate", "t-1", "r-1", 0, 3, 400, 9_000, ANSWERED
)
ENVELOPES = b"\x00request answer\xff"


def add(store: OpenStore, *entries: MessageEntry) -> None:
    """Each in a pack of its own."""
    store.call("add_messages", [MessagePack((entry,), ENVELOPES) for entry in entries])


def listed(store: OpenStore, limit: int = 100, **wanted: object) -> list[int]:
    return [number for number, _ in store.call("messages", MessageFilter(**wanted), limit)]  # type: ignore[arg-type]


def test_an_exchange_comes_back_whole(store: OpenStore) -> None:
    outgoing = replace(ENTRY, direction=Direction.OUT, transaction_id="", verdict="Client.UnknownMeter", octets_out=3_000_000_000)
    add(store, ENTRY, outgoing)
    add(store)
    assert store.call("messages", MessageFilter(), 10) == [(1, ENTRY), (2, outgoing)]
    assert store.call("message", 2) == (outgoing, PackedEnvelopes(ENVELOPES, 0))
    assert store.call("message", 3) is None


def test_filters(store: OpenStore) -> None:
    add(
        store,
        ENTRY,
        replace(ENTRY, partner="oms", operation="InitiateOutageDetectionEventRequest", transaction_id="t-2"),
        replace(ENTRY, partner="c_s", verdict="Client.UnknownMeter", began=NOW + timedelta(hours=1)),
        replace(ENTRY, partner="100%", verdict="Server.Store", began=NOW + timedelta(hours=2)),
    )
    assert listed(store) == [1, 2, 3, 4]
    assert listed(store, partner="oms") == [2]
    assert listed(store, partner="c_s") == [3], "what SQL has for patterns stands for itself"
    assert listed(store, partner="*%") == [4]
    assert listed(store, operation="Get*ByDate") == [1, 3, 4]
    assert listed(store, transaction_id="t-1") == [1, 3, 4]
    assert listed(store, verdict="Client.*") == [3]
    assert listed(store, verdict="answered", partner="cis") == [1]
    assert listed(store, since=NOW + timedelta(minutes=1)) == [3, 4]
    assert listed(store, 2) == [3, 4], "the newest"
    assert listed(store, 2, after=1) == [2, 3], "the next"


def test_old_exchanges_are_forgotten_some_at_a_time(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_store, "MESSAGES_PURGED_AT_ONCE", 2)
    add(store, *(replace(ENTRY, began=NOW - timedelta(days=days)) for days in (9, 8, 7, 1, 0)))
    purge = lambda: store.call("purge_messages", NOW - timedelta(days=5), 1_000_000)  # noqa: E731
    assert [purge(), purge(), purge()] == [2, 1, 0]
    assert listed(store) == [4, 5]
    assert len(store.sql("SELECT day FROM message_day")) == 2


def test_the_oldest_go_until_the_others_fit(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_store, "MESSAGES_PURGED_AT_ONCE", 1)
    add(store, *(replace(ENTRY, began=NOW + timedelta(hours=hours)) for hours in range(4)))
    each = ROW_OCTETS + len(ENVELOPES)
    assert store.sql("SELECT sum(messages), sum(octets) FROM message_day") == [(4, 4 * each)]
    forgotten = 0
    while store.call("purge_messages", NOW - timedelta(days=5), 2 * each + 1):
        forgotten += 1
    assert forgotten == 2
    assert listed(store) == [3, 4]
    assert store.sql("SELECT sum(messages), sum(octets) FROM message_day") == [(2, 2 * each)]


def test_numbers_go_on(store: OpenStore) -> None:
    add(store, ENTRY, ENTRY)
    store.call("purge_messages", NOW + timedelta(days=1), 0)
    assert listed(store) == []
    add(store, ENTRY)
    assert len(listed(store)) == 1


def test_a_pack_goes_with_the_last_of_its_exchanges(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_store, "MESSAGES_PURGED_AT_ONCE", 2)
    entries = [replace(ENTRY, transaction_id=str(number), began=NOW + timedelta(hours=number)) for number in range(5)]
    store.call("add_messages", [MessagePack(entries[:3], b"first"), MessagePack(entries[3:], b"second")])
    assert store.call("message", 3) == (entries[2], PackedEnvelopes(b"first", 2))
    assert store.call("message", 5) == (entries[4], PackedEnvelopes(b"second", 1))
    left = []
    while store.call("purge_messages", NOW + timedelta(days=1), 1_000_000):
        left.append((listed(store), store.sql("SELECT pack_no, messages FROM message_pack ORDER BY pack_no")))
    assert left == [([3, 4, 5], [(1, 1), (2, 2)]), ([5], [(2, 1)]), ([], [])]
    assert store.sql("SELECT * FROM message_day") == []
