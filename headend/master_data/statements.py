"""What is said of master data, whoever says it and in whatever shape. None: nothing is said, and what is known stays.

Instants are UTC; None among them means that the statement takes effect as it arrives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headend.model.endpoint import Commodity, Installation, ServicePoint
from headend.ports import ShipmentItem


@dataclass(frozen=True, slots=True)
class Place:
    """Where a meter is, and who pays there."""

    location_no: str
    account_no: str | None = None
    customer_id: str | None = None
    bill_cycle: str | None = None


@dataclass(frozen=True, slots=True)
class MeterFacts:
    """What is said of a meter."""

    meter_no: str
    commodity: Commodity | None = None
    serial_no: str | None = None
    model: str | None = None
    configuration: str | None = None
    muted: bool | None = None
    place: Place | None = None
    installed: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class MeterAdded:
    """There is such a meter; where a place is named, it is installed there."""

    facts: MeterFacts


@dataclass(frozen=True, slots=True)
class MeterChanged:
    """A known meter is as said; one that is at another place now has moved."""

    facts: MeterFacts


@dataclass(frozen=True, slots=True)
class MeterRemoved:
    """A meter is no longer where it was installed; `retired`, it is not used any more either."""

    facts: MeterFacts
    retired: bool = False


@dataclass(frozen=True, slots=True)
class MeterExchanged:
    """One meter took another's place."""

    out_meter_no: str
    in_meter_no: str
    location_no: str | None = None
    at: datetime | None = None
    commodity: Commodity | None = None


@dataclass(frozen=True, slots=True)
class MeterShipped:
    """A device with all that is needed to speak with it."""

    item: ShipmentItem


@dataclass(frozen=True, slots=True)
class MeterInstalled:
    """A meter was at a service point for a period; what was there before ended where this began."""

    installation: Installation


@dataclass(frozen=True, slots=True)
class ServicePointSaid:
    """Where a commodity is delivered; `commodity` None: the one that is known there, else electricity.

    `meter_no` names the meter that is installed there.
    """

    location_no: str
    commodity: Commodity | None = None
    account_no: str | None = None
    customer_id: str | None = None
    bill_cycle: str | None = None
    address_line: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    meter_no: str | None = None


@dataclass(frozen=True, slots=True)
class ServicePointRecorded:
    """A service point whole, under its own number, as a file tells it."""

    point: ServicePoint


@dataclass(frozen=True, slots=True)
class ServiceLocationEnded:
    """Nothing is delivered at a location any more."""

    location_no: str


@dataclass(frozen=True, slots=True)
class CustomerSaid:
    """A customer; the accounts named are this customer's."""

    customer_id: str
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    account_nos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CustomerEnded:
    """Somebody is no customer any more."""

    customer_id: str


@dataclass(frozen=True, slots=True)
class AccountSaid:
    """An account; it pays at the locations named, and a bill cycle is that of all service points it pays for."""

    account_no: str
    customer_id: str | None = None
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    bill_cycle: str | None = None
    location_nos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountEnded:
    """An account pays for nothing any more."""

    account_no: str


@dataclass(frozen=True, slots=True)
class SwitchSaid:
    """There is a connect/disconnect device at a meter; `exchanged`, it is another one than before, in a state not known."""

    meter_no: str
    device_id: str
    exchanged: bool = False


@dataclass(frozen=True, slots=True)
class SwitchEnded:
    """There is no connect/disconnect device at a meter any more."""

    meter_no: str
    device_id: str


@dataclass(frozen=True, slots=True)
class DocumentSaid:
    """An object to be kept as it is said; the meters and locations it is about must be known."""

    document_kind: str
    object_id: str
    fields: Mapping[str, Any]
    ended: str = ""
    meter_nos: tuple[str, ...] = ()
    location_nos: tuple[str, ...] = ()


Statement = (
    MeterAdded
    | MeterChanged
    | MeterRemoved
    | MeterExchanged
    | MeterShipped
    | MeterInstalled
    | ServicePointSaid
    | ServicePointRecorded
    | ServiceLocationEnded
    | CustomerSaid
    | CustomerEnded
    | AccountSaid
    | AccountEnded
    | SwitchSaid
    | SwitchEnded
    | DocumentSaid
)


@dataclass(frozen=True, slots=True)
class Said:
    """What one object of a message says: all of it takes effect, or none.

    `problem` is why it cannot be understood, found by whoever read it; empty where it can.
    """

    object_id: str
    statements: tuple[Statement, ...] = ()
    problem: str = ""
