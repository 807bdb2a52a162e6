"""Exports of a stored utility: local days of 23 to 25 hours, gaps, corrections, parts, the same octets again; held against the XSDs."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from adapters.delivery.threads import on_threads_of
from adapters.exports.green_button import Download, green_button
from adapters.exports.making import ExportFiles
from adapters.exports.records import RecordFiles
from adapters.validation.files import problems_of
from headend.export_driver import ExportDriver, Exporter
from headend.gas_day import GasDayRule
from headend.gas_days import GasDayDriver
from headend.interval_series import series_of
from headend.model.collection import Collected
from headend.model.delivery import FinishedFile
from headend.model.endpoint import Commodity, Customer, EndpointId, Installation, ServicePoint
from headend.model.export import Content, ExportFormat, ExportSchedule
from headend.model.readings import IntervalFlag
from headend.model.selections import LOAD_PROFILE, Period
from headend.model.work_item import WorkItemKind
from headend.ports import CustomerItem
from headend.record_exports import RecordExport, RecordExportDriver, RecordExports
from tests.store.world import UTILITY, OpenStore, block, register, shipment

NS = {"d": "urn:open-ami-headend:meter-data:1", "m": "urn:open-ami-headend:manifest:1"}
DAY = date(2026, 7, 1)
START, END = UTILITY.day_bounds(DAY)
MADE = START - timedelta(days=30)
DAILY = ExportSchedule(
    name="daily",
    at=480,
    files=((Content.REGISTERS,), (Content.INTERVALS,), (Content.VOLTAGE,)),
    commodities=tuple(Commodity),
    per_commodity=False,
    format=ExportFormat.HEADEND,
    targets=("mdm",),
    deadline_minutes=60,
    meters_per_file=10_000,
    corrections=True,
)


def hours(endpoint: int, first: int, values: list[int | None], **named: Any) -> tuple[Any, ...]:
    """Blocks of an endpoint's hours, the first of which begins `first` hours after 2026-07-01 00:00 UTC."""
    found = []
    for day in range((first // 24), (first + len(values) - 1) // 24 + 1):
        own = [values[day * 24 + hour - first] if first <= day * 24 + hour < first + len(values) else None for hour in range(24)]
        found.append(block(endpoint, own, day=DAY + timedelta(days=day), **named))
    return tuple(found)


class World:
    """A store, an exporter over it, and a clock that is set by hand."""

    def __init__(self, store: OpenStore, tmp_path: Path) -> None:
        self.store = store
        self.now = END + timedelta(hours=8)
        self.files = ExportFiles(UTILITY, tmp_path / "spool", on_threads_of(store.running.reactor))
        self.exporter = Exporter(UTILITY, store.store, self.files, lambda: self.now)

    def look(self, now: datetime, *schedules: ExportSchedule) -> None:
        self.now = now
        driver = ExportDriver(self.exporter, self.store.store, schedules or (DAILY,), "tests")
        self.store.running.wait(driver.look)

    def run(self, schedule: ExportSchedule = DAILY, day: date = DAY) -> list[FinishedFile]:
        run = self.store.call("begin_run", schedule.name, day, self.now, scheduled=False)
        files: list[FinishedFile] = self.store.running.wait(self.exporter.run, schedule, run)
        for file in files:
            assert problems_of(file.path) == []
        return files

    def delivered(self) -> list[str]:
        return [one.file.name for one in self.store.call("deliveries", 100)]


def tree(files: list[FinishedFile], kind: str) -> Any:
    (file,) = [one for one in files if f"-{kind}_" in one.name]
    return etree.parse(file.path).getroot()


@pytest.fixture
def world(store: OpenStore, tmp_path: Path) -> World:
    """M000001 with a whole day, M000002 with gaps and flags, a gas meter without anything."""
    store.call("import_shipment", [*shipment(2), *shipment(1, configuration="gas", first=3)], MADE)
    read = register(1, 5_000, instant=END)
    one = Collected(EndpointId(1), END, interval_blocks=hours(1, 5, list(range(100, 124))), register_reads=(read,))
    flags = [int(IntervalFlag.POWER_FAIL) if i == 7 else 0 for i in range(24)]
    gaps = hours(2, 5, [None, 1, 2, *[3] * 10], flags=flags)
    store.call("record", [one, Collected(EndpointId(2), END, interval_blocks=gaps)], END)
    return World(store, tmp_path)


def test_a_day_with_gaps(world: World) -> None:
    files = world.run()
    kinds = [f"demo_daily-{kind}_2026-07-01_1_001.xml" for kind in ("registers", "intervals", "voltage")]
    assert [one.name for one in files] == [*kinds, "demo_daily_2026-07-01_1_manifest.xml"]
    root = tree(files, "intervals")
    assert (root.get("start"), root.get("end")) == ("2026-07-01T05:00:00Z", "2026-07-02T05:00:00Z")
    first, second, gas = root.findall("d:Meter", NS)
    (block,) = first.findall("d:Intervals", NS)
    assert dict(block.attrib) == {"channel": "energy_delivered", "unit": "Wh", "seconds": "3600", "expected": "24", "present": "24"}
    assert [(one.get("end"), one.get("value")) for one in block[:2]] == [("2026-07-01T06:00:00Z", "100"), ("2026-07-01T07:00:00Z", "101")]
    assert (block[-1].get("end"), block[-1].get("value"), block[-1].get("status")) == ("2026-07-02T05:00:00Z", "123", None)
    (block,) = second.findall("d:Intervals", NS)
    assert (block.get("present"), len(block)) == ("12", 24)
    told = [(one.get("value"), one.get("status")) for one in block]
    assert told[:4] == [(None, "NOT_COLLECTED"), ("1", None), ("2", "POWER_FAIL"), ("3", None)]
    assert told[13] == (None, "NOT_COLLECTED")
    (block,) = gas.findall("d:Intervals", NS)
    assert (block.get("channel"), block.get("unit"), block.get("expected"), block.get("present")) == ("gas_volume", "m3", "24", "0")
    assert len(tree(files, "voltage").findall("d:Meter[1]/d:Intervals", NS)) == 3
    registers = [[dict(r.attrib) for r in m] for m in tree(files, "registers").findall("d:Meter", NS)]
    assert registers[0] == [
        {"channel": "energy_delivered", "unit": "Wh", "time": "2026-07-02T05:00:00Z", "value": "5000", "source": "SELF"}
    ]
    assert registers[1][0]["status"] == "NOT_COLLECTED"
    manifest = etree.parse(files[-1].path).getroot()
    for told_file, file in zip(manifest, files[:-1], strict=True):
        assert (told_file.get("name"), told_file.get("sha256")) == (file.name, sha256(file.path.read_bytes()).hexdigest())
        assert int(told_file.get("octets")) == file.size == file.path.stat().st_size
        assert told_file.get("meters") == "3"
    assert [f.get("intervals") for f in manifest] == ["0", "36", "0"]
    assert [f.get("missing") for f in manifest] == ["0", "36", str(2 * 3 * 96)]


@pytest.mark.parametrize(("day", "count"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 11, 2), 24)])
def test_days_on_which_clocks_change(world: World, day: date, count: int) -> None:
    start, end = UTILITY.day_bounds(day)
    store = world.store
    store.sql(f"UPDATE endpoint SET created_us = {int((start - timedelta(days=1)).timestamp()) * 1_000_000}")
    first = int((start - datetime(2026, 7, 1, tzinfo=UTC)).total_seconds()) // 3_600
    item = Collected(EndpointId(1), end, interval_blocks=hours(1, first, list(range(1, count + 1))))
    store.call("record", [item], end)
    files = world.run(day=day)
    block = tree(files, "intervals").find("d:Meter/d:Intervals", NS)
    assert (block.get("expected"), block.get("present")) == (str(count), str(count))
    assert [int(one.get("value")) for one in block] == list(range(1, count + 1))
    assert block[-1].get("end") == f"{end:%Y-%m-%dT%H:%M:%SZ}"


def test_the_same_data_make_the_same_octets(world: World) -> None:
    before = [one.path.read_bytes() for one in world.run()]
    world.now += timedelta(days=3)
    again = world.run()
    assert again[0].name == "demo_daily-registers_2026-07-01_2_001.xml"
    assert [one.path.read_bytes() for one in again][:-1] == before[:-1]


def test_parts_have_no_more_meters_than_they_may(world: World) -> None:
    files = world.run(replace(DAILY, meters_per_file=2, files=((Content.REGISTERS,),)))
    assert [one.name[-7:] for one in files[:-1]] == ["001.xml", "002.xml"]
    assert [len(etree.parse(one.path).getroot()) for one in files[:-1]] == [2, 1]


def test_together_and_by_commodity(world: World) -> None:
    schedule = replace(DAILY, files=(tuple(Content),), per_commodity=True)
    files = world.run(schedule)
    kinds = ["readings-electric", "readings-gas", "readings-water"]
    assert [one.name for one in files[:-1]] == [f"demo_daily-{kind}_2026-07-01_1_001.xml" for kind in kinds]
    meters = tree(files, "readings-electric").findall("d:Meter", NS)
    assert [[child.tag.split("}")[1] for child in one] for one in meters] == [["Register", *["Intervals"] * 4]] * 2
    assert len(tree(files, "readings-water")) == 0


def test_iec_61968_9(world: World) -> None:
    files = world.run(replace(DAILY, format=ExportFormat.CIM, files=(tuple(Content),)))
    text = files[0].path.read_text()
    assert '<ReadingType ref="0.0.7.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"/>' in text
    assert "<timeStamp>2026-07-01T06:00:00Z</timeStamp><value>0.100</value>" in text
    assert '2026-07-02T05:00:00Z</timeStamp><value>5.000</value><ReadingType ref="0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0"/>' in text
    assert '<timeStamp>2026-07-01T06:00:00Z</timeStamp><ReadingQualities><ReadingQualityType ref="2.5.259"/>' in text


def test_cmep(world: World) -> None:
    (file, _) = world.run(replace(DAILY, format=ExportFormat.CMEP, files=((Content.REGISTERS, Content.INTERVALS),)))
    lines = file.path.read_text().splitlines()
    begin = "MEPMD01,19970819,demo,,,,202607020500,M000001,OK,E,"
    assert lines[0] == f"{begin}KWHREG,1,00000000,1,202607020500,R0,5.000"
    assert lines[1].startswith(f"{begin}KWH,1,00000100,24,202607010600,R0,0.100,202607010700,R0,0.101,")
    assert lines[2].split(",")[14:18] == ["202607010600", "N", "", "202607010700"]


def test_the_driver_exports_at_eight_and_corrects_the_next_day(world: World) -> None:
    store = world.store
    eight = END + timedelta(hours=8)
    world.look(eight - timedelta(seconds=1))
    assert {one.split("_")[2] for one in world.delivered()} == {"2026-06-30"}, "the newest that is due, where none ever was"
    world.look(eight)
    world.look(eight + timedelta(minutes=1))
    (run,) = [one for one in store.call("export_runs", 10) if one.day == DAY]
    assert (run.state.value, run.number, run.files, run.meters) == ("done", 1, 4, 9)
    delivery = store.call("deliveries", 100, batch="demo_daily_2026-07-01_1")[0]
    assert delivery.deadline == eight + timedelta(hours=1)
    late = Collected(EndpointId(2), END, interval_blocks=hours(2, 18, [9] * 11), register_reads=(register(2, 77, instant=END),))
    changed = Collected(EndpointId(1), END, interval_blocks=hours(1, 9, [7_777]))
    store.call("record", [late, changed], eight + timedelta(hours=2))
    world.look(eight + timedelta(days=1))
    files = [one.file for one in store.call("deliveries", 100, batch="demo_daily_2026-07-02_1")]
    assert [one.name.split("_")[1] for one in files[:-1]] == [
        *("daily-registers", "daily-intervals", "daily-voltage"),
        *("daily-registers-corrections", "daily-intervals-corrections", "daily-voltage-corrections"),
    ]
    assert all(problems_of(one.path) == [] for one in files)
    root = tree(files, "intervals-corrections")
    assert (root.get("corrections"), root.get("reported")) == ("true", "2026-07-03T13:00:00Z")
    corrected = {(m.get("no"), m.get("start")): m for m in root}
    start = "2026-07-01T05:00:00Z"
    # A UTC day whose values were replaced is a part of two local days.
    assert set(corrected) == {("M000001", "2026-06-30T05:00:00Z"), ("M000001", start), ("M000002", start)}
    assert [one.get("value") for one in corrected["M000001", start][0]][3:6] == ["103", "7777", "105"]
    values = [one.get("value") for one in corrected["M000002", "2026-07-01T05:00:00Z"][0]]
    assert values == [None, "1", "2", *["3"] * 10, *["9"] * 11]
    register_root = tree(files, "registers-corrections")
    assert len(register_root) == 1
    (read,) = register_root.xpath("d:Meter[@no='M000002'][@start='2026-07-01T05:00:00Z']/d:Register", namespaces=NS)
    assert (Decimal(read.get("value")), read.get("time")) == (77, "2026-07-02T05:00:00Z")


def test_days_without_a_process_are_caught_up(world: World) -> None:
    world.look(END + timedelta(hours=8))
    world.look(END + timedelta(days=3, hours=8))
    assert [str(one.day) for one in world.store.call("export_runs", 10)] == ["2026-07-01", "2026-07-02", "2026-07-03", "2026-07-04"]


def test_a_full_disk_leaves_no_file_and_the_run_is_made_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from adapters.delivery import spool

    written: list[int] = []

    class Full:
        def __init__(self, file: Any) -> None:
            self.file = file

        def write(self, octets: bytes) -> int:
            written.append(len(octets))
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    real = Path.open

    def opened(self: Path, *arguments: Any, **named: Any) -> Any:
        file = real(self, *arguments, **named)
        return Full(file) if self.name.endswith(".writing") else file

    monkeypatch.setattr(spool.Path, "open", opened)
    world.look(END + timedelta(hours=8))
    monkeypatch.undo()
    assert written
    (run,) = world.store.call("export_runs", 10)
    assert run.state.value == "failed"
    assert "No space left" in run.reason
    assert [one for one in world.files.spool.rglob("*") if one.is_file()] == []
    (item,) = world.store.call("work_items", 10, kind=WorkItemKind.LATE_EXPORT)
    assert (item.subject, "No space left" in item.diagnosis) == ("daily of 2026-07-01", True)
    world.look(END + timedelta(hours=8, minutes=1))
    (run,) = world.store.call("export_runs", 10)
    assert (run.state.value, run.number, run.reason) == ("done", 1, "")
    assert world.store.call("work_items", 10, kind=WorkItemKind.LATE_EXPORT) == []


def test_gas_days_go_out_provisional_and_closed_with_adjustments(world: World) -> None:
    store, rule = world.store, GasDayRule()
    end = rule.bounds(DAY).end
    volumes = [10] * 34
    store.call("record", [Collected(EndpointId(3), end, interval_blocks=hours(3, 0, volumes, channel=31, exponent=-2))], end)
    records = RecordFiles(UTILITY, world.files.spool, on_threads_of(store.running.reactor), rule)
    wanted = RecordExports(RecordExport(("mdm",)), None, rule)

    def look(now: datetime) -> list[Any]:
        world.now = now
        store.running.wait(GasDayDriver(UTILITY, store.store, lambda: now, rule, "tests").look)
        store.running.wait(RecordExportDriver(UTILITY, store.store, records, wanted, lambda: now, "tests").look)
        return [one.file for one in store.call("deliveries", 100)]

    (provisional, _), before = [one for one in look(end) if "2026-07-01" in one.name], len(look(end))
    assert provisional.name == "demo_gas-day-provisional-takes_2026-07-01_1_001.xml"
    root = etree.parse(provisional.path).getroot()
    assert (root.get("state"), root.get("start")) == ("PROVISIONAL", "2026-07-01T14:00:00Z")
    assert dict(root[0].attrib) == {"meter": "M000003", "volume": "2.00", "unit": "m3", "present": "20", "expected": "24"}
    look(end + timedelta(hours=2))
    late = Collected(EndpointId(3), end, interval_blocks=hours(3, 34, [10] * 4, channel=31, exponent=-2))
    store.call("record", [late], end + timedelta(hours=3))
    look(end + timedelta(hours=4))
    files = look(end + timedelta(days=1, hours=2))
    assert len(files) > before
    (closed,) = [one for one in files if one.name.startswith("demo_gas-day-closed-takes_2026-07-02")]
    (adjustment,) = etree.parse(closed.path).getroot().findall("{*}Adjustment")
    told = (adjustment.get("meter"), adjustment.get("gasDay"), adjustment.get("volumeBefore"), adjustment.get("volume"))
    assert told == ("M000003", "2026-07-01", "2.00", "2.40")
    assert all(problems_of(one.path) == [] for one in files)


def test_master_data_go_out_with_places_and_accounts(world: World) -> None:
    store = world.store
    point = ServicePoint("SP1", Commodity.ELECTRIC, "1 <Main> St", "Ames", "IA", "50010", "A1", "07", 42.5, -93.6)
    installed = Installation("M000001", "SP1", MADE)
    store.call("import_customers", [CustomerItem(Customer("A1", "Ann & Bob", "555"), point, installed)], MADE)
    records = RecordFiles(UTILITY, world.files.spool, on_threads_of(store.running.reactor), GasDayRule())
    wanted = RecordExports(None, RecordExport(("mdm",)))
    driver = RecordExportDriver(UTILITY, store.store, records, wanted, lambda: END + timedelta(hours=6), "tests")
    for _ in range(2):
        store.running.wait(driver.look)
    file, manifest = [one.file for one in store.call("deliveries", 100)]
    assert file.name == "demo_master-data-meters_2026-07-01_1_001.xml"
    assert problems_of(file.path) == problems_of(manifest.path) == []
    root = etree.parse(file.path).getroot()
    assert [one.get("no") for one in root] == ["M000001", "M000002", "M000003"]
    assert [one.tag.partition("}")[2] for one in root[0]] == ["Register", *["Intervals"] * 4, "ServicePoint", "Account"]
    assert (root[0][5].get("addressLine"), root[0][5].get("longitude"), root[0][6].get("name")) == ("1 <Main> St", "-93.6", "Ann & Bob")


def test_green_button(world: World) -> None:
    values = world.store.call("values_of", [EndpointId(1)], Period(START, END), LOAD_PROFILE)
    point = ServicePoint("SP1", Commodity.ELECTRIC, "", "", "", "", "A1", "07")
    wanted = Download(UTILITY, point, START, END, END, series_of(values.blocks, Period(START, END)))
    feed = "".join(green_button(wanted))
    assert feed == "".join(green_button(wanted))
    root = etree.fromstring(feed.encode())
    readings = list(root.iter("{http://naesb.org/espi}IntervalReading"))
    assert [int(one.findtext("{*}value")) for one in readings] == list(range(100, 124))
    assert int(readings[0].findtext(".//{*}start")) == int(START.timestamp())
    assert [one.findtext("{*}uom") for one in root.iter("{http://naesb.org/espi}ReadingType")] == ["72"]
    (block,) = root.iter("{http://naesb.org/espi}IntervalBlock")
    assert block[0].findtext("{*}duration") == "86400"


def test_names_are_escaped_and_places_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store = world.store
    store.sql("UPDATE endpoint SET meter_no = '<&\"A, B' WHERE endpoint_id = 1")
    root = tree(world.run(), "registers")
    assert root[0].get("no") == '<&"A, B'
    (file, _) = world.run(replace(DAILY, format=ExportFormat.CMEP, files=((Content.REGISTERS,),)))
    assert ',"<&""A, B",OK,' in file.path.read_text()




def test_what_is_still_missing_is_corrected_later_and_what_came_is_not_told_again(world: World) -> None:
    store, eight = world.store, END + timedelta(hours=8)
    told = []
    for day in range(4):
        world.look(eight + timedelta(days=day))
        kind = f"intervals-corrections_{DAY + timedelta(days=day)}"
        files = [one.file for one in store.call("deliveries", 1_000) if kind in one.file.name]
        told.append([m.get("no") for one in files for m in etree.parse(one.path).getroot() if m.get("start") == "2026-07-01T05:00:00Z"])
        if day < 3:
            some = hours(2, 18 + 5 * day, [9] * 5)
            store.call("record", [Collected(EndpointId(2), END, interval_blocks=some)], eight + timedelta(days=day, hours=1))
    assert told == [[], ["M000002"], ["M000002"], ["M000002"]]
    remaining = "SELECT missing FROM export_gap WHERE endpoint_id = 2 AND kind = 'intervals' ORDER BY day"
    assert store.sql(remaining)[0] == (1,), "one hour was never read"


@pytest.mark.parametrize("hours_on", [-2, -26, 20], ids=["back by hours", "back by more than a day", "ahead"])
def test_a_clock_that_is_set_while_a_run_is_made_changes_nothing_of_it(world: World, hours_on: int) -> None:
    eight = END + timedelta(hours=8)
    asked: list[datetime] = []

    def now() -> datetime:
        asked.append(eight if len(asked) < 2 else eight + timedelta(hours=hours_on))
        return asked[-1]

    store = world.store.store
    driver = ExportDriver(Exporter(UTILITY, store, world.files, now), store, (DAILY,), "tests")
    world.store.running.wait(driver.look)
    assert asked[-1] != eight, "set while it was at it"
    world.look(eight + timedelta(minutes=1))
    (run,) = world.store.call("export_runs", 10)
    assert (run.day, run.number, run.state.value, run.as_of) == (DAY, 1, "done", eight)
    deliveries = world.store.call("deliveries", 100)
    assert {one.deadline for one in deliveries} == {eight + timedelta(hours=1)}
    assert [one.file.name.split("_")[2] for one in deliveries] == ["2026-07-01"] * len(deliveries)
    made = [one.file for one in deliveries]
    by_hand = world.run()
    kinds = ("registers", "intervals", "voltage")
    assert [list(map(etree.tostring, tree(made, kind))) for kind in kinds] == [
        list(map(etree.tostring, tree(by_hand, kind))) for kind in kinds
    ]
