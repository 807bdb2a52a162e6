"""Meters and their connect/disconnect devices: what follows from what is said of them. Pure."""

from dataclasses import replace
from datetime import datetime

from headend.errors import RequestError, UnknownMeterError, shown
from headend.master_data.book import Book
from headend.master_data.installing import end, install, instant, location_of, open_of, record_period
from headend.master_data.place_rules import point_for
from headend.master_data.records import CommunicationFacts, Meter, Switch
from headend.master_data.statements import MeterExchanged, MeterFacts, SwitchEnded, SwitchSaid
from headend.model.endpoint import CONFIGURATIONS, SHIPPABLE, Commodity, Installation, unshipped
from headend.ports import ShipmentItem


def add_meter(book: Book, facts: MeterFacts, now: datetime) -> None:
    """There is such a meter, in use; nobody can speak with it before it has been shipped."""
    known = book.meter(facts.meter_no)
    commodity = _commodity(book, facts, known)
    meter = known or Meter(facts.meter_no, facts.meter_no, "", unshipped(commodity))
    book.write(replace(_as_said(meter, facts), active=True))
    if facts.place is not None:
        installed = instant(facts.installed, now, "the date of installation")
        install(book, facts.meter_no, point_for(book, facts.place, commodity), installed)


def change_meter(book: Book, facts: MeterFacts, now: datetime) -> None:
    """A known meter is as said; where it is at another place now, it has moved."""
    known = known_meter(book, facts.meter_no)
    commodity = _commodity(book, facts, known)
    book.write(_as_said(known, facts))
    if facts.place is None:
        return
    point = point_for(book, facts.place, commodity)
    installed = instant(facts.installed, now, "the date of installation")
    before = open_of(book, facts.meter_no)
    if before is not None and before.service_point_no != point.service_point_no:
        end(book, before, installed)
    install(book, facts.meter_no, point, installed)


def remove_meter(book: Book, facts: MeterFacts, now: datetime, *, retired: bool) -> None:
    """Its installation is over; it stays known, and what it read stays readable. A retired one is not collected any more."""
    known = known_meter(book, facts.meter_no)
    _commodity(book, facts, known)
    at = instant(facts.ended, now, "the date of removal")
    installation = open_of(book, facts.meter_no)
    if installation is not None:
        _require_at(book, installation, facts.place.location_no if facts.place else None)
        end(book, installation, at)
    meter = _as_said(known, facts)
    book.write(replace(meter, active=meter.active and not retired))


def exchange_meters(book: Book, said: MeterExchanged, now: datetime) -> None:
    """The old meter's installation ends and the new one's begins at one instant; both histories stay with the service point."""
    if said.out_meter_no == said.in_meter_no:
        raise RequestError(f"meter {shown(said.out_meter_no)} is exchanged for itself")
    out = known_meter(book, said.out_meter_no)
    if said.commodity is not None and said.commodity is not out.commodity:
        raise RequestError(_measures(out, said.commodity))
    into = book.meter(said.in_meter_no)
    if into is not None and into.commodity is not out.commodity:
        raise RequestError(_measures(into, out.commodity))
    at = instant(said.at, now, "the date of the exchange")
    before = open_of(book, said.out_meter_no)
    if before is None:
        _require_exchanged(book, said)
        return
    _require_at(book, before, said.location_no)
    if at == before.started:
        raise RequestError(f"meter {shown(said.out_meter_no)} was installed at {at.isoformat()}, when it is to be exchanged")
    point = book.service_point(before.service_point_no)
    assert point is not None, "an installation has a service point"
    new = into or Meter(said.in_meter_no, said.in_meter_no, "", unshipped(out.commodity))
    book.write(replace(new, active=True))
    end(book, before, at)
    install(book, said.in_meter_no, point, at)


def ship_meter(book: Book, item: ShipmentItem) -> None:
    """A device with all that is needed to speak with it. One that was retired stays so, however often its file is read."""
    configuration = CONFIGURATIONS.get(item.configuration)
    if configuration is None or not configuration.shippable:
        names = ", ".join(SHIPPABLE)
        raise RequestError(f"meter {shown(item.meter_no)}: configuration {item.configuration!r} is not one of {names}")
    owner = book.owner_of(item.ap_title)
    if owner not in {None, item.meter_no}:
        raise RequestError(f"meter {shown(item.meter_no)}: ApTitle {item.ap_title} belongs to meter {shown(owner or '')}")
    known = book.meter(item.meter_no)
    if known is not None and known.commodity is not configuration.commodity:
        raise RequestError(_measures(known, configuration.commodity))
    book.write(
        Meter(
            meter_no=item.meter_no,
            serial_no=item.serial_no,
            model=item.model,
            configuration=item.configuration,
            active=known is None or known.active,
            muted=known is not None and known.muted,
            communication=CommunicationFacts(item.ap_title, item.key_id, item.router, item.address),
        )
    )


def record_installation(book: Book, installation: Installation) -> None:
    """A period of a file."""
    known_meter(book, installation.meter_no)
    record_period(book, installation)


def take_switch(book: Book, said: SwitchSaid) -> None:
    """There is a connect/disconnect device at a meter."""
    known_meter(book, said.meter_no)
    owner = book.meter_with(said.device_id)
    if owner not in {None, said.meter_no}:
        raise RequestError(f"device {shown(said.device_id)} is at meter {shown(owner or '')}; remove it there first")
    known = book.switch(said.meter_no)
    if known is not None and known.present and known.device_id != said.device_id and not said.exchanged:
        raise RequestError(f"meter {shown(said.meter_no)} has device {shown(known.device_id)}; exchange or remove that one first")
    book.write(Switch(said.meter_no, said.device_id, present=True))


def end_switch(book: Book, said: SwitchEnded) -> None:
    """There is none any more."""
    meter = known_meter(book, said.meter_no)
    known = book.switch(said.meter_no)
    if known is None and not CONFIGURATIONS[meter.configuration].has_switch:
        raise RequestError(f"meter {shown(said.meter_no)} has no connect/disconnect device")
    if known is not None and known.device_id != said.device_id:
        raise RequestError(f"meter {shown(said.meter_no)} has device {shown(known.device_id)}, not {shown(said.device_id)}")
    book.write(Switch(said.meter_no, said.device_id, present=False))


def known_meter(book: Book, meter_no: str) -> Meter:
    """A meter that must be known."""
    known = book.meter(meter_no)
    if known is None:
        raise UnknownMeterError(meter_no)
    return known


def _commodity(book: Book, facts: MeterFacts, known: Meter | None) -> Commodity:
    """What a meter measures: as is known of it, else as said, else as its configuration or its place has it, else electricity."""
    if known is not None:
        if facts.commodity is not None and facts.commodity is not known.commodity:
            raise RequestError(_measures(known, facts.commodity))
        return known.commodity
    if facts.commodity is not None:
        return facts.commodity
    if facts.configuration in CONFIGURATIONS:
        return CONFIGURATIONS[facts.configuration].commodity
    points = book.points_at(facts.place.location_no) if facts.place else {}
    return next(iter(points)) if len(points) == 1 else Commodity.ELECTRIC


def _as_said(meter: Meter, facts: MeterFacts) -> Meter:
    if facts.installed is not None and facts.ended is not None and facts.ended < facts.installed:
        raise RequestError(f"meter {shown(facts.meter_no)}: it is said to be removed before it is installed; dates are reversed")
    return replace(
        meter,
        serial_no=facts.serial_no or meter.serial_no,
        model=meter.model if facts.model is None else facts.model,
        configuration=_configuration(meter, facts.configuration),
        muted=meter.muted if facts.muted is None else facts.muted,
    )


def _configuration(meter: Meter, said: str | None) -> str:
    """A shipment knows what a device is programmed for; before there is one, a configuration of ours that is named is believed."""
    found = CONFIGURATIONS.get(said or "")
    if meter.communication is not None or found is None or found.commodity is not meter.commodity:
        return meter.configuration
    return found.name


def _require_at(book: Book, installation: Installation, location_no: str | None) -> None:
    where = location_of(book, installation)
    if location_no is not None and location_no != where:
        meter = f"meter {shown(installation.meter_no)}"
        raise RequestError(f"{meter} is installed at service location {shown(where)}, not at {shown(location_no)}")


def _require_exchanged(book: Book, said: MeterExchanged) -> None:
    """Accept an exchange that has been made already: the new meter began where and when the old one ended."""
    into = open_of(book, said.in_meter_no)
    for before in book.installations_of(said.out_meter_no):
        if into is not None and into.service_point_no == before.service_point_no and into.started == before.ended:
            return
    raise RequestError(f"meter {shown(said.out_meter_no)} is not installed anywhere")


def _measures(meter: Meter, said: Commodity) -> str:
    return f"meter {shown(meter.meter_no)} measures {meter.commodity.value}, and is said to measure {said.value}"
