"""What is remembered of devices, and events as the outbox holds them, as JSON."""

import hashlib
import json

from headend.hygiene import Change, Held, Memory
from headend.model.event_case import EventNumber
from headend.model.event_kinds import OutageMeaning


def pack_memory(memory: Memory) -> str:
    """One memory."""
    return json.dumps(memory, separators=(",", ":"))


def unpack_memory(packed: str) -> Memory:
    """The memory of `pack_memory`."""
    told, held, newest, changes, momentaries, flood = json.loads(packed)
    return Memory(
        told=None if told is None else Change(OutageMeaning(told[0]), told[1]),
        held=None if held is None else Held(EventNumber(*held[0]), OutageMeaning(held[1]), held[2]),
        newest=None if newest is None else Change(OutageMeaning(newest[0]), newest[1]),
        changes=tuple(changes),
        momentaries=tuple(momentaries),
        flood=(flood[0], flood[1]),
    )


def message_id(number: EventNumber, subscription_id: str, notification: str) -> bytes:
    """The id of the message that tells an event to a subscriber: the same whenever it is made."""
    return hashlib.sha256(f"{number}\n{subscription_id}\n{notification}".encode()).digest()[:16]


def queue_name(subscription_id: str, lane: int) -> str:
    """The name of one of a subscriber's queues."""
    return f"{subscription_id}/{lane}"


def pack_told(number: EventNumber, notification: str) -> bytes:
    """What a message tells: a reference to the event, and how."""
    return json.dumps([number, notification], separators=(",", ":")).encode()


def unpack_told(payload: bytes) -> tuple[EventNumber, str]:
    """(event, notification) of `pack_told`."""
    number, notification = json.loads(payload)
    return EventNumber(*number), str(notification)

