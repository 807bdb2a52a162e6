"""Requests for commands, and one way to call a store of them, whichever it is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from headend.limits import PERSON_TARGETS_MAX
from headend.model.command import CommandAssignment, CommandUpdate, CommandView
from headend.model.deferred import DeferredKind, DeferredRequest, DeferredTarget, SwitchAction
from headend.model.endpoint import EndpointId
from headend.model.protection import Protection
from headend.model.refusal import Refusal
from headend.model.utility import Utility
from headend.switches import KnownBy, SwitchState
from tests.memory_commands import MemoryCommands
from tests.memory_store import MemoryEndpoint
from tests.store.world import NOW, UTILITY, OpenStore, shipment

UNTIL = NOW + timedelta(minutes=2)
UNREACHABLE = 4
MANY = tuple(range(1, PERSON_TARGETS_MAX + 3))
"""Endpoints of a request that is a batch; the first ones are those of the others."""


def request(
    *endpoints: int,
    transaction: str = "t-1",
    kind: DeferredKind = DeferredKind.SWITCH,
    action: SwitchAction | None = SwitchAction.DISCONNECT,
    url: str = "https://cis.example/cb",
    parameters: Mapping[str, str] | None = None,
    details: Mapping[str, str] | None = None,
    expires: timedelta = timedelta(hours=1),
    now: datetime = NOW,
) -> DeferredRequest:
    """A request of partner `cis` for these endpoints."""
    return DeferredRequest(
        kind=kind,
        operation="InitiateConnectDisconnect",
        server="CD_Server",
        version="4.1.6",
        partner="cis",
        transaction_id=transaction,
        response_url=url,
        answers=("CDStateChangedNotification",),
        parameters=parameters or {},
        accepted=now,
        begins=None,
        expires=now + expires,
        fingerprint=transaction.encode(),
        targets=tuple(DeferredTarget(EndpointId(n), f"M{n:06}", action, details or {}) for n in endpoints),
    )


@dataclass
class CommandStoreUnderTest:
    """A CommandStore with what is behind it: endpoints M000001 … of which the fourth has no key."""

    opened: OpenStore | None
    memory: MemoryCommands | None

    @classmethod
    def of(cls, fixture: pytest.FixtureRequest, utility: Utility = UTILITY, endpoints: int = len(MANY)) -> "CommandStoreUnderTest":
        """The kind that the fixture's parameter names."""
        if fixture.param == "memory":
            return cls(None, MemoryCommands([_endpoint(n) for n in range(1, endpoints + 1)], utility=utility))
        fixture.getfixturevalue("running")
        url = fixture.getfixturevalue("postgresql_url") if fixture.param == "postgresql" else None
        from tests.store.world import opened

        place = fixture.getfixturevalue("tmp_path")
        store = opened(fixture.getfixturevalue("running"), url or f"sqlite:///{place}/store.sqlite", place / "keys", utility)
        fixture.addfinalizer(lambda: store.call("close"))
        items = shipment(endpoints)
        store.call("import_shipment", items, NOW)
        store.sql(f"DELETE FROM endpoint_key WHERE endpoint_id = {UNREACHABLE}")
        return cls(store, None)

    def _call(self, name: str, *arguments: Any) -> Any:
        if self.opened is not None:
            return self.opened.call(name, *arguments)
        return result_of(getattr(self.memory, name)(*arguments))

    def accept(self, wanted: DeferredRequest) -> list[Refusal]:
        return list(self._call("accept_deferred", wanted))

    def cancel(self, request_id: int, reason: str) -> None:
        self._call("cancel_deferred", [request_id], NOW, reason)

    def protect(self, endpoint: int, protection: Protection) -> None:
        """Put an endpoint's meter on the protected list."""
        if self.opened is not None:
            self.opened.call("keep_protections", [protection], "test", NOW)
        else:
            assert self.memory is not None
            self.memory.protections[endpoint] = (protection,)

    def due(self, now: datetime) -> bool:
        return bool(self._call("command_due", now))

    def take(self, owner: str, persons: int, batch: int, now: datetime, until: datetime) -> list[CommandAssignment]:
        found: list[CommandAssignment] = self._call("take_commands", owner, persons, batch, now, until)
        return found

    def waiting(self, owner: str, endpoint_id: int, now: datetime, until: datetime) -> list[CommandAssignment]:
        found: list[CommandAssignment] = self._call("take_waiting", owner, endpoint_id, now, until)
        return found

    def record(self, updates: Sequence[CommandUpdate], now: datetime) -> list[bool]:
        counted: list[bool] = self._call("record_commands", updates, now)
        return counted

    def release(self, owner: str, now: datetime) -> None:
        self._call("release_commands", owner, now)

    def views(self, requester: str, transaction_id: str) -> list[CommandView]:
        found: list[CommandView] = self._call("command_views", requester, transaction_id)
        return found

    def told(self) -> list[dict[str, Any]]:
        """Payloads of the outbox."""
        if self.opened is not None:
            return [json.loads(row[0]) for row in self.opened.sql("SELECT payload FROM outbox ORDER BY change_seq, position")]
        assert self.memory is not None
        return [json.loads(payload) for payload in self.memory.outbox]

    def switch(self, meter_no: str) -> tuple[SwitchState, KnownBy | None]:
        """How a switch is known to stand."""
        if self.opened is not None:
            found = self.opened.call("switch", meter_no)
            return found.state, found.known_by
        assert self.memory is not None
        return self.memory.switches[meter_no]


def result_of(coroutine: Any) -> Any:
    """What a coroutine that waits for nothing returns."""
    try:
        coroutine.send(None)
    except StopIteration as stopped:
        return stopped.value
    raise AssertionError("it waits for something")


def _endpoint(number: int) -> MemoryEndpoint:
    item = shipment(number)[-1]
    key = b"" if number == UNREACHABLE else item.key
    assert item.address is not None
    endpoint = MemoryEndpoint(
        EndpointId(number), item.meter_no, item.ap_title.encode(), item.address, item.router, item.configuration, item.key_id, key
    )
    return replace(endpoint)
