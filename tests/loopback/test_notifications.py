"""A partner asks by SOAP, meters act, the partner is told: emulated utility, head-end and the partner's server as real processes."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree

from adapters.private_ca import PrivateAuthority
from multispeak.contract import load_contract
from multispeak.notifier import ALL_NOTIFICATIONS
from multispeak.schema import compile_schema
from tests.edge.test_groups_and_schedules import group, meters
from tests.edge.test_official_notifications import REFERENCE, compiled, official
from tests.fakes.deferred_requests import OPERATIONS, request
from tests.loopback.asking import SETTINGS, WAIT_SECONDS, Site, Taken, partner, place_of, transactions_in
from tests.loopback.processes import QUIET, run, running
from wsdl import VERSIONS, deferred_text

TOLD: dict[str, dict[str, str]] = {
    "3.0": {
        "InitiateDemandReset": "MeterEventNotification",
        "InitiateMeterReadsByFieldName": "ReadingChangedNotification",
        "InitiateUsageMonitoring": "UsageMonitoringNotification",
        "InitiateMeterReadByMeterNumber": "ReadingChangedNotification",
        "InitiateGroupMeterRead": "FormattedBlockNotification",
        "ScheduleGroupMeterRead": "FormattedBlockNotification",
        "InitiateMeterReadByMeterNoAndType": "FormattedBlockNotification",
        "InitiateMeterReadByObject": "FormattedBlockNotification",
        "InitiateConnectDisconnect": "CDStateChangedNotification",
        "InitiateCDStateRequest": "CDStateNotification",
        "InitiateArmCDDevice": "CDStateChangedNotification",
        "InitiateEnableCDDevice": "CDStateChangedNotification",
        "InitiateDisableCDDevice": "CDStateChangedNotification",
        "InitiateOutageDetectionEventRequest": "ODEventNotification",
        "InitiateODEventRequestByObject": "ODEventNotification",
        "InitiateODEventRequestByServiceLocation": "ODEventNotification",
        "InitiateODMonitoringRequestByObject": "ODEventNotification",
    },
    "4.1.6": {
        "InitiateMeterReadingsByFieldName": "ReadingChangedNotification",
        "InitiateMeterEventMonitoring": "MeterEventNotification",
        "InitiateThresholdMonitoring": "ThresholdEventNotification",
        "InitiateMeterExchange": "MeterExchangedNotification",
        "InitiateMeterInstallation": "MeterInstalledNotification",
        "InitiateHistoricalMeterReadingsByMeterIDAndDate": "IntervalDataNotification",
        "InitiateUsageMonitoring": "UsageMonitoringNotification",
        "InitiateMeterReadingsByMeterID": "ReadingChangedNotification",
        "InitiateGroupMeterReading": "FormattedBlockNotification",
        "ScheduleGroupMeterReading": "FormattedBlockNotification",
        "InitiateMeterReadingByMeterIDAndFieldName": "FormattedBlockNotification",
        "InitiateMeterReadingByObject": "FormattedBlockNotification",
        "InitiateLPMeterReadingsByMeterID": "IntervalDataNotification",
        "InitiateDemandReset": "MeterEventNotification",
        "InitiateConnectDisconnect": "CDStateChangedNotification",
        "InitiateCDStateRequest": "CDStateNotification",
        "InitiateArmCDDevice": "CDStateChangedNotification",
        "InitiateEnableCDDevice": "CDStateChangedNotification",
        "InitiateDisableCDDevice": "CDStateChangedNotification",
        "InitiateOutageDetectionEventRequest": "ODEventNotification",
        "InitiateODEventRequestByObject": "ODEventNotification",
        "InitiateODEventRequestByServiceLocation": "ODEventNotification",
        "InitiateODMonitoringRequestByObject": "ODEventNotification",
    },
}
"""What answers each operation whose outcome comes later, by version."""

WATCHES = {"InitiateUsageMonitoring", "InitiateMeterEventMonitoring", "InitiateThresholdMonitoring"}
"""Those that are told as often as it happens."""

SPARES = 6
"""Homes at the end of the list that stand for something of their own; of the last two nobody knows where they are."""


@pytest.fixture(scope="module")
def taken() -> Iterator[Taken]:
    with partner() as one:
        yield one


@pytest.fixture(scope="module")
def processes() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, processes: ExitStack) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("told")
    (place / "headend.toml").write_text(SETTINGS)
    emulator = processes.enter_context(running("emulate", "--endpoints", "60", "--seed", "5", "--directory", place))
    said = json.loads(emulator.line_with("control"))
    rows = (place / "customers.csv").read_text().splitlines(keepends=True)
    homes = [row for row in (place / "shipment.csv").read_text().splitlines() if ",residential," in row and ",udp," in row]
    spare = {row.split(",")[0] for row in homes[-2:]}
    (place / "installed.csv").write_text("".join(row for row in rows if not spare & set(row.split(","))))
    for kind, name in (("shipment", said["shipment"]), ("customers", place / "installed.csv")):
        done = run("import", kind, name, "--config", place / "headend.toml")
        assert done.returncode == 0, done.stderr
    one = Site(place, said["control"], processes.enter_context(running("serve", "--config", place / "headend.toml")))
    yield one
    one.end()


class Asks:
    """Everything that a partner asks for, and has to be told of: (version, operation, meter) by transaction."""

    def __init__(self, site: Site, url: str) -> None:
        self.site = site
        self.made: dict[str, tuple[str, str, str]] = {}
        self._url = url

    def commands(self) -> None:
        """All that meters answer at once."""
        homes = self.site.homes[:-SPARES]
        for version in VERSIONS:
            self.site.call(version, "MR_Server", "EstablishMeterGroup", group(version, "F7", homes[0]))
        special = {"InitiateMeterExchange", "InitiateMeterInstallation", "InitiateODMonitoringRequestByObject"}
        for number, (version, operation) in enumerate((v, name) for v, name in OPERATIONS if name not in special):
            meter = homes[number % len(homes)]
            self.site.ask(version, operation, meter, self._url, self._note(version, operation, homes[0] if "Group" in operation else meter))

    def outages(self) -> None:
        """Monitoring of two meters that are silent."""
        silent = self.site.homes[-6:-4]
        self.site.tell_emulator("faults", {"faults": [{"kind": "silence", "meter_no": meter} for meter in silent]})
        for version, meter in zip(VERSIONS, silent, strict=True):
            operation = "InitiateODMonitoringRequestByObject"
            self.site.ask(version, operation, meter, self._url, self._note(version, operation, meter))

    def records(self) -> None:
        """An exchange and an installation, then word that both were done."""
        goes, comes, new = self.site.homes[-3], *self.site.homes[-2:]
        exchange = self._request("InitiateMeterExchange", goes, place_of(self.site.place, goes)).replace(">NEW<", f">{comes}<")
        self.site.call("4.1.6", "MR_Server", "InitiateMeterExchange", exchange)
        installation = self._request("InitiateMeterInstallation", new, place_of(self.site.place, new))
        self.site.call("4.1.6", "MR_Server", "InitiateMeterInstallation", installation)
        listed = exchange[exchange.index("<electricMeterExchanges>") : exchange.index("</exchanges>")]
        self.site.call("4.1.6", "MR_Server", "MeterExchangeNotification", f"<meterChangeout>{listed}</meterChangeout>")
        rows = (self.site.place / "customers.csv").read_text().splitlines(keepends=True)
        (self.site.place / "new.csv").write_text("".join([rows[0], *(row for row in rows if new in row.split(","))]))
        done = run("import", "customers", self.site.place / "new.csv", "--config", self.site.place / "headend.toml")
        assert done.returncode == 0, done.stderr

    def usage(self) -> None:
        """Usage of meters that are read afterwards, one in each version."""
        for version, meter in self.used.items():
            listed = meters(version, "meterNos" if version == "3.0" else "meterIDs", meter)
            self._watch(version, "InitiateUsageMonitoring", listed, meter)

    def threshold(self, value: Decimal) -> None:
        """A value that one of these meters reaches."""
        meter = self.used["4.1.6"]
        item = f'<thresholdMonitoringItem objectID="I1"><meterID>{meter}</meterID><value>{value}</value></thresholdMonitoringItem>'
        self._watch("4.1.6", "InitiateThresholdMonitoring", f"<monitoringList>{item}</monitoringList>", meter)

    def events(self, taken: Taken) -> None:
        """Events of a meter, and one of them; again where the meter was not known well enough."""
        meter = self.site.homes[-4]
        item = f'<eventMonitoringItem objectID="I2"><meterList><meterID>{meter}</meterID></meterList></eventMonitoringItem>'
        transaction = self._watch("4.1.6", "InitiateMeterEventMonitoring", f"<monitoringList>{item}</monitoringList>", meter)
        self.site.tell_emulator("head-end", self.site.field)
        for _ in range(30):
            self.site.tell_emulator(f"endpoints/{meter}/events", {"event": "tamper", "alarm": True})
            taken.drain(1)
            if transaction in taken.transactions():
                break

    def read(self, transaction: str) -> None:
        """The meters whose usage is watched."""
        operation = "InitiateMeterReadingsByMeterID"
        for version, meter in self.used.items():
            self.site.ask("4.1.6", operation, meter, self._url, f"{transaction}-{version}")
            self.made[f"{transaction}-{version}"] = "4.1.6", operation, meter

    @property
    def used(self) -> dict[str, str]:
        """For each version a meter that measures enough within seconds."""
        return dict(zip(VERSIONS, self.site.meters("commercial"), strict=False))

    def _request(self, operation: str, meter: str, place: str) -> str:
        transaction = self._note("4.1.6", operation, meter)
        return request("4.1.6", operation, meter=meter, transaction=transaction, url=self._url).replace("SP1", place)

    def _watch(self, version: str, operation: str, inside: str, meter: str) -> str:
        transaction = self._note(version, operation, meter)
        told = f"<responseURL>{self._url}</responseURL><transactionID>{transaction}</transactionID>"
        self.site.call(version, "MR_Server", operation, inside + told)
        return transaction

    def _note(self, version: str, operation: str, meter: str) -> str:
        transaction = f"t-{version}-{operation}"
        self.made[transaction] = version, operation, meter
        return transaction


class Validity:
    """What the contract, and the standard's own WSDL where it is at hand, say of what was told."""

    def __init__(self, folder: Path) -> None:
        self._contracts = {version: load_contract(version) for version in VERSIONS}
        self._schemas = {version: compile_schema(one, one.services[ALL_NOTIFICATIONS]) for version, one in self._contracts.items()}
        self._standard: dict[str, tuple[etree.XMLSchema, Any]] = {}
        for version in VERSIONS if REFERENCE else ():
            (folder / version).mkdir()
            (service,) = zeep.Client(str(official(version))).wsdl.services.values()
            self._standard[version] = compiled(version, folder / version), service.ports[f"{ALL_NOTIFICATIONS}Soap"].binding

    def require(self, one: dict[str, Any], version: str, meter: str) -> None:
        """That a notification is valid, and zeep finds the meter in it."""
        operation = self._contracts[version].services[ALL_NOTIFICATIONS].operations[one["operation"]]
        assert one["action"].strip('"') == operation.soap_action
        root = etree.fromstring(one["body"].encode())
        header, message = root[0][0], root[1][0]
        assert (header.get("UserID"), header.get("Pwd")) == ("ami", "their-word")
        assert self._schemas[version].validate(message), self._schemas[version].error_log
        if self._standard:
            schema, taker = self._standard[version]
            assert schema.validate(message), schema.error_log
            body = taker.get(one["operation"]).input.body
            assert meter in str(body.type.parse_xmlelement(message, taker.wsdl.types)), "zeep finds what was told"


def test_the_table_has_every_operation_of_the_contract_that_is_answered_later() -> None:
    kept: dict[str, dict[str, list[str]]] = json.loads(deferred_text())
    for version in VERSIONS:
        assert set(TOLD[version]) - WATCHES == set(kept[version])
        if not REFERENCE:
            continue
        named = json.loads((Path(REFERENCE) / "contracts" / "multispeak-async.json").read_text())[version]
        initiated = {name: one["notificationsNamed"] for name, one in named.items() if name.startswith(("Initiate", "Schedule"))}
        assert set(TOLD[version]) == set(initiated)
        for name, told in TOLD[version].items():
            assert told in (initiated[name] or kept[version][name])


def test_every_operation_is_answered_by_the_notification_that_the_contract_names(
    site: Site, taken: Taken, processes: ExitStack, tmp_path: Path
) -> None:
    asks = Asks(site, f"http://127.0.0.1:{taken.port}/any")
    asks.usage()
    asks.read("t-first")
    asks.outages()
    asks.commands()
    asks.records()
    taken.wait_for({"t-first-4.1.6"})
    (first,) = [one["body"] for one in taken.all if "t-first-4.1.6" in transactions_in(one["body"])]
    (value,) = re.findall(r"<value>([0-9.]+)<", first)
    asks.threshold(Decimal(value) + Decimal("0.0005"))
    asks.events(taken)
    asks.read("t-second")
    found_later = {f"t-{version}-{name}" for version in VERSIONS for name in ("InitiateUsageMonitoring", "InitiateThresholdMonitoring")}
    taken.wait_for(set(asks.made) - found_later)
    # What is watched, and what has been read, outlive a head-end; the next looks at once.
    site.end()
    site.begin(processes.enter_context(running("serve", "--config", site.place / "headend.toml")))
    taken.wait_for(set(asks.made))
    taken.drain(1.5)
    told: dict[str, set[str]] = {}
    counted: Counter[str] = Counter()
    validity = Validity(tmp_path)
    for one in taken.all:
        (transaction,) = set(transactions_in(one["body"]))
        version, operation, meter = asks.made[transaction]
        validity.require(one, version, meter)
        told.setdefault(f"{version} {operation}", set()).add(one["operation"])
        counted[transaction] += 1
    assert told == {f"{version} {operation}": {name} for version, row in TOLD.items() for operation, name in row.items()}
    assert {t: n for t, n in counted.items() if asks.made[t][1] not in WATCHES and n != 1} == {}


def test_a_partner_that_is_away_is_told_when_it_is_back_and_the_log_has_it_without_secrets(site: Site) -> None:
    with partner() as one:
        port = one.port
    transaction = "t-away"
    site.ask("4.1.6", "InitiateMeterReadingsByMeterID", site.homes[0], f"http://127.0.0.1:{port}/any", transaction)
    time.sleep(3)
    taker = "import tests.loopback.notified as n, sys; s = n.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), n.Taker);"
    command = [sys.executable, "-u", "-c", taker + "print(s.server_port, flush=True); s.serve_forever()", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=QUIET) as process:
        try:
            back = Taken(process)
            back.wait_for({transaction})
            back.drain(2)
            assert len(back.all) == 1
        finally:
            process.kill()
    done = run("messages", "list", "--config", site.place / "headend.toml", "--json")
    assert "their-word" not in done.stdout
    assert "ReadingChangedNotification" in done.stdout, done.stdout[-2_000:] + done.stderr


def told_of(site: Site, partner_name: str, transactions: set[str]) -> dict[str, str]:
    """What first became of the notifications of a partner's transactions, by the message log."""
    deadline = time.monotonic() + WAIT_SECONDS
    found: dict[str, str] = {}
    while not transactions <= set(found):
        assert time.monotonic() < deadline, found
        time.sleep(0.3)
        listed = run("messages", "list", "--partner", partner_name, "--config", site.place / "headend.toml", "--json").stdout.splitlines()
        for entry in map(json.loads, listed):
            if entry["operation"].endswith("Notification"):
                found.setdefault(entry["transaction_id"], entry["verdict"])
    return found


def test_addresses_that_fail_each_in_its_way_are_told_apart_and_delay_nobody(site: Site, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    issued = PrivateAuthority.in_directory(tmp_path, "nobody knows", now).issue_server("server", ["127.0.0.1"], now)
    with partner() as gone:
        closed = gone.port
    with partner() as good, partner() as slow, partner() as mortal, partner() as strict, partner(issued.certificate, issued.key) as unknown:
        said = {
            f"http://127.0.0.1:{slow.port}/hang": "no answer within 3 seconds",
            f"http://127.0.0.1:{mortal.port}/die": "the connection was closed before there was an answer",
            f"http://127.0.0.1:{closed}/any": "connection refused",
            f"https://127.0.0.1:{good.port}/any": "TLS: it does not speak TLS",
            f"https://127.0.0.1:{unknown.port}/any": "TLS: its certificate is not trusted",
            f"http://127.0.0.1:{strict.port}/refuse": "unknown meter",
            f"http://127.0.0.1:{good.port}/any": "answered",
        }
        for number, url in enumerate(said):
            site.ask("4.1.6", "InitiateMeterReadingsByMeterID", site.homes[number], url, f"t-bad-{number}", "crm")
        good.wait_for({f"t-bad-{len(said) - 1}"})
        told = told_of(site, "crm", {f"t-bad-{number}" for number in range(len(said))})
        good.drain(1)
    for number, (url, words) in enumerate(said.items()):
        assert words in told[f"t-bad-{number}"], url
    assert len(good.all) == 1, "what another server was to be told does not come here, nor anything twice"
