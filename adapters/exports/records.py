"""Gas days and master data as files (`wsdl/exports/gas-day.xsd`, `master-data.xsd`), a part at a time. On pool threads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from adapters.delivery.spool import FileInTheMaking
from adapters.delivery.threads import OnThread
from adapters.exports.manifest import write_manifest
from adapters.exports.texts import decimal_text, escape, utc_text_us
from headend.exports import batch_name, part_name
from headend.gas_day import GasAdjustment, GasDayRule, GasTake, GasVolume
from headend.model.channels import CHANNEL_BY_NAME, CHANNELS
from headend.model.delivery import FinishedFile
from headend.model.endpoint import CONFIGURATIONS, MeterEntry
from headend.model.export import ExportRun, ExportSchedule, FileSet, Part, PartCounts
from headend.model.instants import to_us
from headend.model.utility import Utility
from headend.record_exports import GasPage

GAS_NAMESPACE = "urn:open-ami-headend:gas-day:1"
MASTER_NAMESPACE = "urn:open-ami-headend:master-data:1"

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True, slots=True)
class RecordFiles:
    """The RecordMaker of one utility."""

    utility: Utility
    spool: Path
    on_thread: OnThread
    rule: GasDayRule

    async def gas_part(self, schedule: ExportSchedule, run: ExportRun, number: int, page: GasPage) -> Part:
        """See RecordMaker."""
        texts = list(gas_texts(self.utility, self.rule, run, page))
        missing = sum(one.volume.expected - one.volume.present for _, one in page.takes)
        counts = PartCounts(len(page.takes), 0, sum(one.volume.present for _, one in page.takes), missing)
        return await self._part(schedule, run, number, "takes", texts, counts)

    async def master_part(self, schedule: ExportSchedule, run: ExportRun, number: int, page: Sequence[MeterEntry]) -> Part:
        """See RecordMaker."""
        texts: list[str] = await self.on_thread(lambda: list(master_texts(self.utility, run, page)))
        return await self._part(schedule, run, number, "meters", texts, PartCounts(len(page)))

    async def manifest(self, schedule: ExportSchedule, run: ExportRun, parts: Sequence[Part]) -> FinishedFile:
        """See RecordMaker."""
        name = f"{batch_name(self.utility, schedule, run)}_manifest.xml"
        file: FinishedFile = await self.on_thread(write_manifest, self._directory(schedule, run), name, self.utility, run, list(parts))
        return file

    async def _part(
        self, schedule: ExportSchedule, run: ExportRun, number: int, kind: str, texts: Sequence[str], counts: PartCounts
    ) -> Part:
        name = part_name(self.utility, schedule, run, FileSet(kind, frozenset(), frozenset()), number)
        file: FinishedFile = await self.on_thread(_written, self._directory(schedule, run), name, texts)
        return Part(file, f"{schedule.name}-{kind}", counts)

    def _directory(self, schedule: ExportSchedule, run: ExportRun) -> Path:
        return self.spool / batch_name(self.utility, schedule, run)


def gas_texts(utility: Utility, rule: GasDayRule, run: ExportRun, page: GasPage) -> Iterator[str]:
    """A document, line by line."""
    bounds = rule.bounds(run.day)
    span = f'start="{utc_text_us(to_us(bounds.start))}" end="{utc_text_us(to_us(bounds.end))}" timeZone="{rule.zone.key}"'
    said = f'utility="{utility.utility_id}" gasDay="{run.day}" {span} state="{page.state.name}"'
    yield f'{_HEAD}<GasDay xmlns="{GAS_NAMESPACE}" version="1" {said}>\n'
    for meter_no, take in page.takes:
        yield f'<Take meter="{escape(meter_no)}" {_volume(take.volume)}{_register(take)}/>\n'
    for meter_no, one in page.adjustments:
        yield f'<Adjustment meter="{escape(meter_no)}" gasDay="{one.day}" at="{utc_text_us(to_us(one.at))}" {_changed(one)}/>\n'
    yield "</GasDay>\n"


def _volume(gas: GasVolume) -> str:
    counted = f'present="{gas.present}" expected="{gas.expected}"'
    if gas.channel_id is None:
        return counted
    return f'volume="{decimal_text(gas.volume, gas.exponent)}" unit="{CHANNELS[gas.channel_id].unit.value}" {counted}'


def _register(take: GasTake) -> str:
    if take.volume.register is None:
        return ""
    instant_us, value, exponent = take.volume.register
    return f' register="{decimal_text(value, exponent)}" registerTime="{utc_text_us(instant_us)}"'


def _changed(one: GasAdjustment) -> str:
    before = f'volumeBefore="{decimal_text(one.before.volume, one.before.exponent)}" presentBefore="{one.before.present}"'
    return f"{before} {_volume(one.after)}"


def master_texts(utility: Utility, run: ExportRun, page: Sequence[MeterEntry]) -> Iterator[str]:
    """A document, line by line."""
    yield f'{_HEAD}<MasterData xmlns="{MASTER_NAMESPACE}" version="1" utility="{utility.utility_id}" localDate="{run.day}">\n'
    for entry in page:
        yield from _meter(entry)
    yield "</MasterData>\n"


def _meter(entry: MeterEntry) -> Iterator[str]:
    one, configured = entry.endpoint, CONFIGURATIONS[entry.endpoint.configuration]
    named = _attributes(no=one.meter_no, serial=one.serial_no, model=one.model, configuration=one.configuration)
    more = _attributes(commodity=one.commodity.value, apTitle=one.ap_title or "", router=one.router or "")
    yield f"<Meter{named}{more}>\n"
    for name in configured.registers:
        yield f"<Register{_attributes(channel=name, unit=CHANNEL_BY_NAME[name].unit.value)}/>\n"
    for name, seconds in configured.intervals:
        yield f"<Intervals{_attributes(channel=name, unit=CHANNEL_BY_NAME[name].unit.value, seconds=str(seconds))}/>\n"
    if (point := entry.service_point) is not None:
        place = _attributes(id=point.service_point_no, location=point.service_location, commodity=point.commodity.value)
        where = _attributes(addressLine=point.address_line, city=point.city, state=point.state, postalCode=point.postal_code)
        cycle = _attributes(billCycle=point.bill_cycle, latitude=_number(point.latitude), longitude=_number(point.longitude))
        yield f"<ServicePoint{place}{where}{cycle}/>\n"
    if (who := entry.customer) is not None:
        account = _attributes(no=who.account_no, customerId=who.customer_id, name=who.name, phone=who.phone, email=who.email)
        yield f"<Account{account}/>\n"
    yield "</Meter>\n"


def _attributes(**named: str) -> str:
    """Those that say something."""
    return "".join(f' {name}="{escape(value)}"' for name, value in named.items() if value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{Decimal(repr(value)):f}"


def _written(directory: Path, name: str, texts: Sequence[str]) -> FinishedFile:
    with FileInTheMaking(directory, name) as made:
        made.write("".join(texts).encode())
        return made.finish()
