"""What is known of the objects that a call is about: filled by a store, written by the rules, asked for what changed. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from headend.master_data.records import Account, CustomerRecord, Document, DocumentKey, InstallationKey, Kind, Meter, Switch
from headend.model.endpoint import Commodity, Installation, ServicePoint

Value = Meter | Installation | ServicePoint | Account | CustomerRecord | Switch | Document
Key = str | InstallationKey | DocumentKey
V = TypeVar("V", Meter, Installation, ServicePoint, Account, CustomerRecord, Switch, Document)

_LOCATION, _AP_TITLE, _DEVICE = "location", "apTitle", "device"
_Place = tuple[Kind, Key]
_Link = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One object before and after; None where it was not, or is no more."""

    kind: Kind
    key: Key
    before: Value | None
    after: Value | None


class Book:
    """Objects by kind and key, with the ways from one to another that the rules take.

    What a store has not put in counts as unknown: it puts in whatever the statements name, and what hangs together with that.
    """

    def __init__(self) -> None:
        self._values: dict[_Place, Value] = {}
        self._before: dict[_Place, Value | None] = {}
        self._linked: dict[_Link, dict[_Place, None]] = {}
        self._journal: list[tuple[_Place, Value | None]] = []

    def know(self, values: Iterable[Value]) -> None:
        """Put in what is stored."""
        for value in values:
            self._set(_place(value), value)

    def meter(self, meter_no: str) -> Meter | None:
        """A meter by its number."""
        return self._get((Kind.METER, meter_no), Meter)

    def service_point(self, service_point_no: str) -> ServicePoint | None:
        """A service point by its number."""
        return self._get((Kind.SERVICE_POINT, service_point_no), ServicePoint)

    def account(self, account_no: str) -> Account | None:
        """An account by its number."""
        return self._get((Kind.ACCOUNT, account_no), Account)

    def customer(self, customer_id: str) -> CustomerRecord | None:
        """A customer by their number."""
        return self._get((Kind.CUSTOMER, customer_id), CustomerRecord)

    def switch(self, meter_no: str) -> Switch | None:
        """What is said of a meter's connect/disconnect device."""
        return self._get((Kind.SWITCH, meter_no), Switch)

    def points_at(self, location_no: str) -> dict[Commodity, ServicePoint]:
        """Service points of a location."""
        return {point.commodity: point for point in self._from((_LOCATION, location_no), ServicePoint)}

    def installations_of(self, meter_no: str) -> list[Installation]:
        """Where a meter is and was, in no order."""
        return self._from((Kind.METER, meter_no), Installation)

    def installations_at(self, service_point_no: str) -> list[Installation]:
        """What is and was installed at a service point, in no order."""
        return self._from((Kind.SERVICE_POINT, service_point_no), Installation)

    def points_of(self, account_no: str) -> list[ServicePoint]:
        """What an account pays for."""
        return self._from((Kind.ACCOUNT, account_no), ServicePoint)

    def accounts_of(self, customer_id: str) -> list[Account]:
        """A customer's accounts."""
        return self._from((Kind.CUSTOMER, customer_id), Account)

    def owner_of(self, ap_title: str) -> str | None:
        """Number of the meter that has an ApTitle."""
        return next((meter.meter_no for meter in self._from((_AP_TITLE, ap_title), Meter)), None)

    def meter_with(self, device_id: str) -> str | None:
        """Number of the meter that a connect/disconnect device is at."""
        return next((switch.meter_no for switch in self._from((_DEVICE, device_id), Switch)), None)

    def write(self, *values: Value) -> None:
        """Put values in place of those known by the same kind and key."""
        for value in values:
            self._write(_place(value), value)

    def erase(self, value: Value) -> None:
        """Know a value no more."""
        self._write(_place(value), None)

    def begin(self) -> None:
        """What is written from here on can be taken back."""
        self._journal.clear()

    def take_back(self) -> None:
        """Undo what was written since `begin`."""
        while self._journal:
            self._set(*self._journal.pop())

    def changes(self) -> list[Change]:
        """What is different now from what was stored, each object once."""
        found = (Change(*place, before, self._values.get(place)) for place, before in self._before.items())
        return [change for change in found if change.before != change.after]

    def _get(self, place: _Place, wanted: type[V]) -> V | None:
        value = self._values.get(place)
        return value if isinstance(value, wanted) else None

    def _from(self, link: _Link, wanted: type[V]) -> list[V]:
        values = (self._values[place] for place in self._linked.get(link, ()))
        return [value for value in values if isinstance(value, wanted)]

    def _write(self, place: _Place, value: Value | None) -> None:
        known = self._values.get(place)
        if known == value:
            return
        self._before.setdefault(place, known)
        self._journal.append((place, known))
        self._set(place, value)

    def _set(self, place: _Place, value: Value | None) -> None:
        known = self._values.pop(place, None)
        if known is not None:
            for link in _links(known):
                del self._linked[link][place]
        if value is not None:
            self._values[place] = value
            for link in _links(value):
                self._linked.setdefault(link, {})[place] = None


def _place(value: Value) -> _Place:
    match value:
        case Meter():
            return Kind.METER, value.meter_no
        case Installation():
            return Kind.INSTALLATION, InstallationKey(value.meter_no, value.started)
        case ServicePoint():
            return Kind.SERVICE_POINT, value.service_point_no
        case Account():
            return Kind.ACCOUNT, value.account_no
        case CustomerRecord():
            return Kind.CUSTOMER, value.customer_id
        case Switch():
            return Kind.SWITCH, value.meter_no
        case Document():
            return Kind.DOCUMENT, DocumentKey(value.document_kind, value.object_id)


def _links(value: Value) -> Iterator[_Link]:
    """From where a value is found."""
    match value:
        case Installation():
            yield Kind.METER, value.meter_no
            yield Kind.SERVICE_POINT, value.service_point_no
        case ServicePoint():
            yield _LOCATION, value.service_location
            if value.account_no:
                yield Kind.ACCOUNT, value.account_no
        case Account() if value.customer_id:
            yield Kind.CUSTOMER, value.customer_id
        case Meter() if value.communication is not None:
            yield _AP_TITLE, value.communication.ap_title
        case Switch() if value.present:
            yield _DEVICE, value.device_id
        case _:
            pass
