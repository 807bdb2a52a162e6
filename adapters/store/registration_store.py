"""Registrations of partners: their ids, what they want to be told and where; passwords sealed under the utility's key file."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, select, update
from twisted.internet.defer import Deferred

from adapters.store import partner_tables
from adapters.store.bulk import OnConflict, put
from adapters.store.database import Database
from adapters.store.instants import from_us, to_us
from adapters.store.keys import KeySealer
from headend.errors import RequestError
from headend.limits import REGISTRATION_ID_DAYS, REGISTRATIONS_PER_PARTNER_MAX
from headend.model.partner import Credentials
from headend.model.registration import Registration
from headend.registrations import UnknownRegistrationError

_R, _N = partner_tables.registration.c, partner_tables.registration_notification.c


def reserve(connection: Connection, registration_id: str, partner: str, now: datetime) -> None:
    """Keep a new id for a partner; ids that nothing was registered under for long are forgotten."""
    long_ago = to_us(now - timedelta(days=REGISTRATION_ID_DAYS))
    connection.execute(delete(partner_tables.registration).where(_R.registered_us.is_(None), _R.requested_us < long_ago))
    count = connection.execute(select(func.count()).select_from(partner_tables.registration).where(_R.partner == partner)).scalar_one()
    if count >= REGISTRATIONS_PER_PARTNER_MAX:
        raise RequestError(f"this partner has {count} registrations, which is the most; unregister one first")
    put(connection, partner_tables.registration, [(registration_id, partner, to_us(now), None, "", "", "", "", None, "")], OnConflict.FAIL)


def register(connection: Connection, registration: Registration, sealer: KeySealer) -> None:
    """Store a registration in place of the one before."""
    credentials = registration.credentials
    sealed = sealer.seal_text(credentials.password, _owner(registration.registration_id)) if credentials else None
    values = {
        "registered_us": to_us(registration.registered),
        "version": registration.version,
        "server": registration.server,
        "response_url": registration.response_url,
        "response_user_id": credentials.user_id if credentials else "",
        "response_password": sealed,
        "function": registration.function,
    }
    mine = update(partner_tables.registration).where(*_mine(registration.registration_id, registration.partner)).values(values)
    if not connection.execute(mine).rowcount:
        raise UnknownRegistrationError(registration.registration_id)
    connection.execute(delete(partner_tables.registration_notification).where(_N.registration_id == registration.registration_id))
    rows = [(name, registration.registration_id) for name in registration.notifications]
    put(connection, partner_tables.registration_notification, rows, OnConflict.FAIL)


def found(connection: Connection, registration_id: str, partner: str, sealer: KeySealer) -> Registration | None:
    """A partner's registration, its password opened."""
    mine = (*_mine(registration_id, partner), _R.registered_us.is_not(None))
    row = connection.execute(select(partner_tables.registration).where(*mine)).first()
    if row is None:
        return None
    names = select(_N.notification).where(_N.registration_id == registration_id).order_by(_N.notification)
    return _registration(row, connection.execute(names).scalars(), sealer)


def every(connection: Connection, sealer: KeySealer) -> list[Registration]:
    """What all partners have registered for."""
    names: dict[str, list[str]] = {}
    for name, registration_id in connection.execute(select(_N.notification, _N.registration_id).order_by(_N.notification)):
        names.setdefault(registration_id, []).append(name)
    rows = connection.execute(
        select(partner_tables.registration).where(_R.registered_us.is_not(None)).order_by(_R.registered_us, _R.registration_id)
    )
    return [_registration(row, names.get(row.registration_id, ()), sealer) for row in rows]


def _registration(row: Any, notifications: Iterable[str], sealer: KeySealer) -> Registration:
    credentials = None
    if row.response_password is not None:
        credentials = Credentials(row.response_user_id, sealer.open_text(row.response_password, _owner(row.registration_id)))
    return Registration(
        row.registration_id,
        row.partner,
        row.version,
        row.server,
        row.response_url,
        credentials,
        row.function,
        tuple(notifications),
        from_us(row.registered_us),
    )


def unregister(connection: Connection, registration_id: str, partner: str) -> None:
    """End a registration and forget its id."""
    if connection.execute(select(_R.registration_id).where(*_mine(registration_id, partner))).first() is None:
        raise UnknownRegistrationError(registration_id)
    connection.execute(delete(partner_tables.registration_notification).where(_N.registration_id == registration_id))
    connection.execute(delete(partner_tables.registration).where(_R.registration_id == registration_id))


def _mine(registration_id: str, partner: str) -> tuple[Any, Any]:
    return _R.registration_id == registration_id, _R.partner == partner


def _owner(registration_id: str) -> str:
    return f"registration {registration_id}"


class RegistrationPart:
    """Registrations of a store."""

    _database: Database
    _sealer: KeySealer

    def reserve_registration(self, registration_id: str, partner: str, now: datetime) -> Deferred[None]:
        return self._database.run(lambda c: reserve(c, registration_id, partner, now))

    def register(self, registration: Registration) -> Deferred[None]:
        return self._database.run(lambda c: register(c, registration, self._sealer))

    def registration(self, registration_id: str, partner: str) -> Deferred[Registration | None]:
        return self._database.read(lambda c: found(c, registration_id, partner, self._sealer))

    def unregister(self, registration_id: str, partner: str) -> Deferred[None]:
        return self._database.run(lambda c: unregister(c, registration_id, partner))
