"""Accounts, meters and a billing desk over a store, for tests of who answers billing requests."""

import io
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree

from adapters.billing.desk import HTTP, BillingDesk, Taken
from adapters.billing.response_xml import AnswerTexts
from adapters.delivery.threads import on_threads_of
from adapters.validation.files import problems_of
from headend.biller import Biller
from headend.billing_driver import BillingDriver
from headend.billing_reading import BillingReads
from headend.billing_requests import BillingPolicy
from headend.model.billing_export import ResponseHead
from headend.model.collection import Collected
from headend.model.endpoint import Commodity, Customer, EndpointId, Installation, ServicePoint
from headend.model.readings import ReadSource
from headend.ports import CustomerItem
from tests.store.world import UTILITY, OpenStore, register, shipment

NS = "urn:open-ami-headend:billing:1"
START, STOP = UTILITY.midnight(date(2026, 6, 1)), UTILITY.midnight(date(2026, 7, 1))
NOW = STOP + timedelta(hours=9)
MADE = START - timedelta(days=100)
DEADLINE = UTILITY.midnight(date(2026, 7, 1)) + timedelta(hours=17)


class World:
    """A store with accounts, a desk over it, and a clock that is set by hand."""

    def __init__(self, store: OpenStore, directory: Path) -> None:
        self.store = store
        self.now = NOW
        self.directory = directory
        on_thread = on_threads_of(store.running.reactor)
        biller = Biller(UTILITY, store.store, AnswerTexts(UTILITY), BillingReads(UTILITY, store.store), on_thread, lambda: self.now)
        policy = BillingPolicy()
        place = directory / "spool"
        self.desk = BillingDesk(
            UTILITY, store.store, biller, policy, store.running.reactor, on_thread, place, ("cis",), lambda: self.now
        )
        self.driver = BillingDriver(store.store, biller, policy, self.desk.tell, "tests")
        self.count = 0

    def install(
        self,
        number: int,
        point: str,
        account: str,
        *,
        started: datetime = MADE,
        ended: datetime | None = None,
        commodity: Commodity | None = None,
    ) -> None:
        commodity = commodity or (Commodity.GAS if number == 9 else Commodity.ELECTRIC)
        place = ServicePoint(point, commodity, "1 Main St", "Ames", "IA", "50010", account, "07")
        item = CustomerItem(Customer(account, f"Customer {account}"), place, Installation(f"M{number:06}", point, started, ended))
        self.store.call("import_customers", [item], MADE)

    def read(self, number: int, value: int, instant: datetime, *, flags: int = 0, source: ReadSource = ReadSource.SELF_READ) -> None:
        channel = 31 if number == 9 else 1
        one = replace(register(number, value, instant=instant, channel=channel), flags=flags, source=source)
        self.store.call("record", [Collected(EndpointId(number), instant, register_reads=(one,))], max(self.now, instant))

    def request(self, items: str, *, request_id: str = "", defaults: str = "", cycle: str = "") -> bytes:
        self.count += 1
        whole = cycle or '<Cycle cycleId="07" billDate="2026-07-01"/>'
        head = f'<AmiBillingRequest xmlns="{NS}" version="1" requestId="{request_id or self.count}" correlationId="C1" source="CIS">'
        return f"<?xml version='1.0'?>\n{head}\n{whole}\n{defaults}\n{items}\n</AmiBillingRequest>".encode()

    def take(self, octets: bytes, origin: str = HTTP) -> Taken:
        taken = self.store.running.wait(self.desk.take, io.BytesIO(octets), "cis", origin)
        assert isinstance(taken, Taken)
        return taken

    def ask(self, items: str, **named: Any) -> list[Any]:
        """Items of the first response."""
        first = self.take(self.request(items, **named)).first
        assert first is not None
        return list(self.document(first))

    def document(self, head: ResponseHead) -> Any:
        async def whole() -> bytes:
            return b"".join([piece async for piece in self.desk.octets(head)])

        octets = self.store.running.wait(whole)
        file = self.directory / "response.xml"
        file.write_bytes(octets)
        assert problems_of(file) == []
        return etree.fromstring(octets)

    def later(self, taken: Taken, number: int) -> Any:
        head = self.store.call("response", taken.request.request_no, number)
        return None if head is None else self.document(head)

    @property
    def zone(self) -> ZoneInfo:
        return UTILITY.time_zone

    def look(self, now: datetime) -> None:
        self.now = now
        self.store.running.wait(self.driver.look)


def june(store: OpenStore, directory: Path) -> World:
    """Meters 1 to 8 are electric, 9 is gas; 1 to 3 are at SP1 to SP3 and read at both ends of June."""
    store.call("import_shipment", [*shipment(8), *shipment(1, configuration="gas", first=9)], MADE)
    one = World(store, directory)
    for number in (1, 2, 3):
        one.install(number, f"SP{number}", f"A{number}")
        one.read(number, 1_000 * number, START)
        one.read(number, 1_000 * number + 500, STOP)
    return one
