"""The files a utility gives its head-end: shipment (endpoints and keys) and customers, each as CSV and as JSON, a row at a time."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from emulators.people import People
from emulators.population import Identity, Population, router_name
from headend.model.endpoint import CONFIGURATIONS, NativeAddress

SHIPMENT_COLUMNS = ("meter_no", "serial_no", "model", "configuration", "ap_title", "key_id", "key", "router", "transport", "host", "port")
CUSTOMER_COLUMNS = (
    *("account_no", "name", "phone", "email", "service_point_no", "commodity", "address_line", "city", "state", "postal_code"),
    *("bill_cycle", "latitude", "longitude", "meter_no", "started", "ended"),
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
    """`name`.csv and `name`.json in `directory`, readable by their owner only (a shipment holds keys). The CSV's path."""
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
