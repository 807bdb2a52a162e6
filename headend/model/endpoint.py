"""Endpoints, where they are installed, and how they are reached."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

EndpointId = NewType("EndpointId", int)
RouterId = NewType("RouterId", int)


class Commodity(StrEnum):
    """What a service point delivers."""

    ELECTRIC = "electric"
    GAS = "gas"
    WATER = "water"


class Transport(StrEnum):
    """How an endpoint's frames travel."""

    UDP = "udp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class NativeAddress:
    """Where to send an APDU: an IP address (or name) and port; for a meshed endpoint its router's."""

    transport: Transport
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.transport.value}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a shipped endpoint is programmed to measure.

    `registers` and `intervals` name channels of the catalogue; `intervals` maps each to its interval length in seconds.
    `battery` endpoints push at their wake-ups and are never polled. One that is not `shippable` stands in until a shipment says more.
    """

    name: str
    commodity: Commodity
    registers: tuple[str, ...]
    intervals: tuple[tuple[str, int], ...]
    battery: bool = False
    has_switch: bool = False
    shippable: bool = True


_VOLTAGE_A = tuple((f"voltage_{s}_a", 900) for s in ("maximum", "minimum", "average"))
_VOLTAGE_ABC = tuple((f"voltage_{s}_{p}", 900) for p in "abc" for s in ("maximum", "minimum", "average"))
_COMMERCIAL = tuple((name, 900) for name in ("energy_delivered", "energy_received", "reactive_delivered", "reactive_received"))

CONFIGURATIONS: dict[str, Configuration] = {
    c.name: c
    for c in (
        Configuration("residential", Commodity.ELECTRIC, ("energy_delivered",), (("energy_delivered", 3600), *_VOLTAGE_A), has_switch=True),
        Configuration(
            "residential-net",
            Commodity.ELECTRIC,
            ("energy_delivered",),
            (("energy_delivered", 3600), ("energy_net", 3600), *_VOLTAGE_A),
            has_switch=True,
        ),
        Configuration(
            "residential-tou",
            Commodity.ELECTRIC,
            ("energy_delivered", "energy_delivered_a", "energy_delivered_b"),
            (("energy_delivered", 3600), *_VOLTAGE_A),
            has_switch=True,
        ),
        Configuration("commercial", Commodity.ELECTRIC, ("energy_delivered",), (*_COMMERCIAL, *_VOLTAGE_ABC)),
        Configuration("commercial-net", Commodity.ELECTRIC, ("energy_delivered",), (*_COMMERCIAL, ("energy_net", 900), *_VOLTAGE_ABC)),
        Configuration("gas", Commodity.GAS, ("gas_volume",), (("gas_volume", 3600),), battery=True),
        Configuration("water", Commodity.WATER, ("water_volume",), (("water_volume", 3600),), battery=True),
        Configuration("water-valve", Commodity.WATER, ("water_volume",), (("water_volume", 3600),), battery=True, has_switch=True),
        *(Configuration(f"unshipped-{commodity.value}", commodity, (), (), shippable=False) for commodity in Commodity),
    )
}
SHIPPABLE = tuple(name for name, configuration in CONFIGURATIONS.items() if configuration.shippable)
"""Names of the configurations that a shipment may name."""


def unshipped(commodity: Commodity) -> str:
    """Configuration of a meter that somebody told us of and nobody has shipped: what it measures in detail is not known."""
    return f"unshipped-{commodity.value}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A communicating device as the head-end knows it; where it is installed is an `Installation`.

    `ap_title` is text (`.100.8437`), None until the device has been shipped; `address` is None until a shipment or a registration says it.
    `router` is the name of the router it sits behind, None for one with an address of its own. Alarms of a `muted` one are not told.
    """

    endpoint_id: EndpointId
    meter_no: str
    serial_no: str
    model: str
    configuration: str
    ap_title: str | None
    address: NativeAddress | None
    router: str | None = None
    active: bool = True
    muted: bool = False

    @property
    def shipped(self) -> bool:
        """Whether enough is known to speak with it; one that is not is never collected."""
        return self.ap_title is not None

    @property
    def commodity(self) -> Commodity:
        return CONFIGURATIONS[self.configuration].commodity


@dataclass(frozen=True, slots=True)
class ServicePoint:
    """Where a commodity is delivered, and the account and bill cycle that pay for it; both empty where nobody does.

    A service location has a service point for each commodity. The first one bears its number, and `location_no` is empty; for a further
    one it is the location's number.
    """

    service_point_no: str
    commodity: Commodity
    address_line: str
    city: str
    state: str
    postal_code: str
    account_no: str
    bill_cycle: str
    latitude: float | None = None
    longitude: float | None = None
    location_no: str = ""

    @property
    def service_location(self) -> str:
        """Number of the service location it belongs to."""
        return self.location_no or self.service_point_no


@dataclass(frozen=True, slots=True)
class Customer:
    """Who holds an account; `customer_id` is empty where customers are known by their accounts only."""

    account_no: str
    name: str
    phone: str = ""
    email: str = ""
    customer_id: str = ""


@dataclass(frozen=True, slots=True)
class Installation:
    """An endpoint at a service point for a period; `ended` is None while it lasts."""

    meter_no: str
    service_point_no: str
    started: datetime
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class MeterEntry:
    """One endpoint with what a directory says of it: its service point and account, where it has them."""

    endpoint: Endpoint
    service_point: ServicePoint | None = None
    customer: Customer | None = None
