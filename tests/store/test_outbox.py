"""Messages are recorded with what they tell, come in order, come again until they are marked, and never twice from one cause."""

from datetime import timedelta

from adapters.store import outbox_store
from headend.model.collection import Collected, OutgoingMessage
from headend.model.endpoint import EndpointId
from tests.store.world import NOW, OpenStore, shipment

LATER = NOW + timedelta(minutes=1)


def test_a_message_comes_again_until_it_is_marked(store: OpenStore) -> None:
    store.call("import_shipment", shipment(1), NOW)
    messages = tuple(OutgoingMessage("oms", "alarm", bytes((n,)), EndpointId(1)) for n in range(3))
    store.call("record", [Collected(EndpointId(1), NOW, messages=(*messages, OutgoingMessage("cis", "read", b"x")))], NOW)
    store.call("record", [Collected(EndpointId(1), NOW, messages=messages)], NOW)
    run = store.store._database.run
    first = store.running.wait(run, lambda c: outbox_store.claim(c, "oms", 2, NOW, LATER))
    assert [message.payload for message in first] == [b"\0", b"\1"]
    assert [message.payload for message in store.running.wait(run, lambda c: outbox_store.claim(c, "oms", 9, NOW, LATER))] == [b"\2"]
    assert store.running.wait(run, lambda c: outbox_store.claim(c, "oms", 9, NOW, LATER)) == []
    store.running.wait(run, lambda c: outbox_store.mark(c, [first[0].message_id], "acknowledged"))
    again = store.running.wait(run, lambda c: outbox_store.claim(c, "oms", 9, LATER, LATER + timedelta(minutes=1)))
    assert [(message.payload, message.attempts) for message in again] == [(b"\1", 2), (b"\2", 2)]
    assert again[0].message_id == first[1].message_id
