"""Which objects statements name, so that a store can look all of them up at once. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from headend.master_data.records import DocumentKey
from headend.master_data.statements import (
    AccountEnded,
    AccountSaid,
    CustomerEnded,
    CustomerSaid,
    DocumentSaid,
    MeterAdded,
    MeterChanged,
    MeterExchanged,
    MeterFacts,
    MeterInstalled,
    MeterRemoved,
    MeterShipped,
    ServiceLocationEnded,
    ServicePointRecorded,
    ServicePointSaid,
    Statement,
    SwitchEnded,
    SwitchSaid,
)


@dataclass(slots=True)
class Named:
    """Keys of what is named."""

    meters: set[str] = field(default_factory=set)
    ap_titles: set[str] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    locations: set[str] = field(default_factory=set)
    points: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    customers: set[str] = field(default_factory=set)
    documents: set[DocumentKey] = field(default_factory=set)

    def meter(self, facts: MeterFacts) -> None:
        """What is named with a meter's facts."""
        self.meters.add(facts.meter_no)
        if facts.place is not None:
            self.locations.add(facts.place.location_no)
            self.paying(facts.place.account_no, facts.place.customer_id)

    def paying(self, account_no: str | None, customer_id: str | None) -> None:
        """Who pays."""
        if account_no:
            self.accounts.add(account_no)
        if customer_id:
            self.customers.add(customer_id)


def named_in(statements: Iterable[Statement]) -> Named:
    """All that statements name."""
    named = Named()
    for statement in statements:
        _add(named, statement)
    return named


def _add(named: Named, statement: Statement) -> None:
    match statement:
        case MeterAdded(facts) | MeterChanged(facts) | MeterRemoved(facts, _):
            named.meter(facts)
        case MeterExchanged():
            named.meters |= {statement.out_meter_no, statement.in_meter_no}
        case MeterShipped(item):
            named.meters.add(item.meter_no)
            named.ap_titles.add(item.ap_title)
        case MeterInstalled(installation):
            named.meters.add(installation.meter_no)
            named.points.add(installation.service_point_no)
        case ServicePointSaid():
            named.locations.add(statement.location_no)
            named.paying(statement.account_no, statement.customer_id)
            if statement.meter_no is not None:
                named.meters.add(statement.meter_no)
        case ServicePointRecorded(point):
            named.points.add(point.service_point_no)
            named.paying(point.account_no, None)
        case ServiceLocationEnded(location_no):
            named.locations.add(location_no)
        case CustomerSaid():
            named.customers.add(statement.customer_id)
            named.accounts |= set(statement.account_nos)
        case CustomerEnded(customer_id):
            named.customers.add(customer_id)
        case AccountSaid():
            named.paying(statement.account_no, statement.customer_id)
            named.locations |= set(statement.location_nos)
        case AccountEnded(account_no):
            named.accounts.add(account_no)
        case SwitchSaid() | SwitchEnded():
            named.meters.add(statement.meter_no)
            named.devices.add(statement.device_id)
        case DocumentSaid():
            named.meters |= set(statement.meter_nos)
            named.locations |= set(statement.location_nos)
            named.documents.add(DocumentKey(statement.document_kind, statement.object_id))
