"""Polls a router over SNMP and asks it to reload: a RouterLink; a poll is a few GETBULKs, whatever the router's tables hold."""

from collections.abc import Awaitable, Callable, Iterable
from random import Random

from adapters.snmp_link import SnmpLink
from adapters.snmp_message import Oid, PduKind, VarBind
from adapters.snmp_objects import COLUMNS, ENTITY_NAME, ENTITY_TYPE, RELOAD, RELOAD_VALUE, SINGLE
from adapters.snmp_session import Request, SnmpSession
from adapters.snmp_status import Variables, alarmed_entities, is_door, polled_status
from headend.errors import LinkError, SecurityError
from headend.model.endpoint import NativeAddress
from headend.model.router import Router, RouterAccess, RouterPath, RouterStatus
from headend.router_ports import RouterRefusedError

COLUMNS_PER_REQUEST = 12
"""Columns of one GETBULK: with the repetitions below their rows fill one datagram."""

REPETITIONS = 4
"""Rows asked for at first: most tables have one to three, and one more says that there are no others."""

ROWS_MAX = 256
"""Rows of one column: more are not a router's interfaces, sensors or supplies."""

ROUNDS_MAX = 80
"""Requests of one poll: ROWS_MAX rows of every column at four a time would take more; a router that never ends is not to hold a poll."""

ENTITIES_ASKED_MAX = 16
"""Entities with alarms whose kind is asked: the door is among the first, or the router has worse troubles."""


class SnmpRouterLink:
    """A RouterLink. `seconds` is a clock that only goes forward; a request is sent `tries` times, each waits `timeout_seconds`."""

    def __init__(self, link: SnmpLink, random: Random, seconds: Callable[[], float], timeout_seconds: float, tries: int) -> None:
        self._link = link
        self._random = random
        self._seconds = seconds
        self._timeout_seconds = timeout_seconds
        self._tries = tries
        self._sessions: dict[str, tuple[RouterAccess, SnmpSession]] = {}

    async def poll(self, router: Router, path: RouterPath) -> RouterStatus:
        """What the router says of itself. Raises LinkError."""
        ask = self._asker(router, path)
        variables = list(await ask(PduKind.GET, [(*oid, 0) for oid in SINGLE.values()], 0))
        columns = list(COLUMNS.values())
        for begin in range(0, len(columns), COLUMNS_PER_REQUEST):
            variables += await _walk(ask, columns[begin : begin + COLUMNS_PER_REQUEST])
        found = Variables(variables)
        return polled_status(found, await _door_open(ask, found))

    async def request_reboot(self, router: Router, path: RouterPath) -> None:
        """Ask the router to reload. Raises LinkError for silence, RouterRefusedError where it says no or must not be asked."""
        session, address = self._reached(router, path)
        request = Request(PduKind.SET, ((RELOAD, RELOAD_VALUE),))
        try:
            pdu = await self._link.ask(session, request, address, self._timeout_seconds, self._tries)
        except SecurityError as error:
            raise RouterRefusedError(router.profile.name, str(error)) from None
        if pdu.error_status:
            raise RouterRefusedError(router.profile.name, f"SNMP error {pdu.error_status}")

    def _asker(self, router: Router, path: RouterPath) -> "Ask":
        session, address = self._reached(router, path)

        async def ask(kind: PduKind, oids: Iterable[Oid], repetitions: int) -> tuple[VarBind, ...]:
            request = Request(kind, tuple((oid, None) for oid in oids), repetitions)
            return (await self._link.ask(session, request, address, self._timeout_seconds, self._tries)).variables

        return ask

    def _reached(self, router: Router, path: RouterPath) -> tuple[SnmpSession, NativeAddress]:
        address = router.profile.address_by(path)
        if address is None:
            raise LinkError(f"router {router.profile.name!r} has no {path.value} path")
        return self.session(router), address

    def session(self, router: Router) -> SnmpSession:
        """What is known of its agent; one for all paths. New credentials begin a new one."""
        profile = router.profile
        known = self._sessions.get(profile.name)
        if known is None or known[0] != profile.access:
            known = self._sessions[profile.name] = (profile.access, SnmpSession(profile.access, self._random, self._seconds))
        return known[1]


Ask = Callable[[PduKind, Iterable[Oid], int], Awaitable[tuple[VarBind, ...]]]


async def _walk(ask: Ask, columns: Iterable[Oid]) -> list[VarBind]:
    """All rows of some columns, side by side, until each has ended."""
    found: list[VarBind] = []
    cursors = {column: column for column in columns}
    counts = dict.fromkeys(cursors, 0)
    for _ in range(ROUNDS_MAX):
        if not cursors:
            break
        answered = await ask(PduKind.GET_BULK, cursors.values(), REPETITIONS)
        if not answered:
            break
        names = list(cursors)
        for place, (oid, value) in enumerate(answered):
            column = names[place % len(names)]
            if column not in cursors:
                continue
            is_row = oid[: len(column)] == column and value is not None and oid > cursors[column]
            if is_row and counts[column] < ROWS_MAX:
                found.append((oid, value))
                cursors[column] = oid
                counts[column] += 1
            else:
                del cursors[column]
    return found


async def _door_open(ask: Ask, variables: Variables) -> bool | None:
    """Whether an entity with an alarm is a door; None where no alarms are told."""
    if not variables.rows("ceAlarmList"):
        return None
    entities = alarmed_entities(variables)[:ENTITIES_ASKED_MAX]
    if not entities:
        return False
    answered = await ask(PduKind.GET, [oid for entity in entities for oid in ((*ENTITY_NAME, entity), (*ENTITY_TYPE, entity))], 0)
    values = [value for _, value in answered]
    return any(is_door(name, kind) for name, kind in zip(values[::2], values[1::2], strict=False))
