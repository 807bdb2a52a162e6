"""The files a utility gives its head-end: shipment (endpoints and keys), routers, customers; as CSV and as JSON, a row at a time."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from emulators.people import People
from emulators.population import Identity, Population, router_name
from emulators.router_device import RouterDevice
from headend.model.endpoint import CONFIGURATIONS, NativeAddress
from headend.model.router import CommunityAccess, UserAccess

SHIPMENT_COLUMNS = ("meter_no", "serial_no", "model", "configuration", "ap_title", "key_id", "key", "router", "transport", "host", "port")
CUSTOMER_COLUMNS = (
    *("account_no", "name", "phone", "email", "service_point_no", "commodity", "address_line", "city", "state", "postal_code"),
    *("bill_cycle", "latitude", "longitude", "meter_no", "started", "ended"),
)
ROUTER_COLUMNS = (
    *("name", "host", "port", "second_host", "second_port", "version", "community", "write_community"),
    *("user", "auth", "auth_password", "privacy", "privacy_password", "expected_nodes", "location", "latitude", "longitude"),
)
BILL_CYCLES = 20
"""Bill cycles of the utility: one for each working day of a month."""

Row = Sequence[str]


def shipment_row(identity: Identity, model: str, address: NativeAddress) -> Row:
    """One endpoint as SHIPMENT_COLUMNS."""
    return (
        identity.meter_no,
        identity.serial_no,
        model,
        identity.configuration,
        str(identity.ap_title),
        str(identity.key_id),
        identity.key.hex(),
        "" if identity.router is None else router_name(identity.router),
        address.transport.value,
        address.host,
        str(address.port),
    )


def router_row(device: RouterDevice, address: NativeAddress, second: NativeAddress | None) -> Row:
    """One router as ROUTER_COLUMNS."""
    place = (f"pole {100 + device.number}", f"{41.2 + device.number % 100 / 100:.6f}", f"{-88.6 + device.number // 100 / 100:.6f}")
    reached = (device.name, address.host, str(address.port), *(("", "") if second is None else (second.host, str(second.port))))
    match device.access:
        case CommunityAccess(community, write_community):
            secrets = ("2c", community, write_community or "", "", "", "", "", "")
        case UserAccess(user, auth, auth_password, privacy, privacy_password):
            secrets = ("3", "", "", user, auth.value, auth_password, privacy.value, privacy_password)
    return (*reached, *secrets, str(device.nodes), *place)


def customer_rows(population: Population, people: People) -> Iterator[Row]:
    """Every endpoint with its service point and the account that pays for it, as CUSTOMER_COLUMNS."""
    for index in range(population.size):
        configuration = population.configuration(index)
        premise = population.premise(index)
        customer = people.customer(premise, configuration.startswith("commercial"))
        address = people.address(premise)
        yield (
            *(customer.account_no, customer.name, customer.phone, customer.email),
            *(f"SP{index + 1:08d}", CONFIGURATIONS[configuration].commodity.value),
            *(address.line, address.city, address.state, address.postal_code),
            *(f"{premise % BILL_CYCLES + 1:02d}", f"{address.latitude:.6f}", f"{address.longitude:.6f}"),
            *(population.meter_no(index), population.installed(index).isoformat(), ""),
        )


def write_rows(directory: Path, name: str, columns: Row, rows: Iterable[Row]) -> Path:
    """`name`.csv and `name`.json in `directory`, readable by their owner only (they hold keys and passwords). The CSV's path."""
    table = directory / f"{name}.csv"
    with (
        open(table, "w", encoding="utf-8", newline="", opener=_private) as csv_file,
        open(directory / f"{name}.json", "w", encoding="utf-8", opener=_private) as json_file,
    ):
        writer = csv.writer(csv_file)
        writer.writerow(columns)
        separator = "[\n"
        for row in rows:
            writer.writerow(row)
            json_file.write(separator + json.dumps(dict(zip(columns, row, strict=True))))
            separator = ",\n"
        json_file.write("\n]\n" if separator == ",\n" else "[]\n")
    return table


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
