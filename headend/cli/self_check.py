"""Calls a MultiSpeak MR_Server with zeep and holds every value it answers against what the emulated field says it holds.

Runs as a process of its own (`headend self-check`), told what to do by one JSON object on standard input, so that no
password stands in a process list. Ends with status 0 where all values agree, 1 where one does not.
"""

import json
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import click
import zeep
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from twisted.internet import defer
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from headend.cli.progress import BAR
from headend.model.channels import CHANNEL_BY_NAME
from headend.model.partner import EnergyUnit
from multispeak.contract import load_contract
from multispeak.field_names import FIELD_NAMES

_NAMES = FIELD_NAMES[EnergyUnit.KILOWATT_HOUR]

DIFFERENCES_SHOWN_MAX = 20
"""Differences printed one by one; more of them teach nothing new."""

TRUTH_SECONDS = 60
"""How long the emulated field may take to begin its answer, in seconds."""

Key = tuple[str, datetime]
"""What a value is of, and when: field name, and the instant of the read or the end of the interval."""

Values = dict[Key, Decimal]


@dataclass(frozen=True, slots=True)
class Question:
    """What to check: `wsdls` by version, `control` the emulator's address; values in [start, end]."""

    wsdls: dict[str, str]
    user_id: str
    password: str = field(repr=False)
    control: str
    start: datetime
    end: datetime


@dataclass(slots=True)
class Tally:
    """What one version answered, counted, and every difference in words."""

    version: str
    meters: int = 0
    registers: int = 0
    intervals: int = 0
    gaps: int = 0
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Truth:
    """What the field says of one meter: register and interval values, and how many intervals it says it has no value for."""

    meter_no: str
    registers: Values
    intervals: Values
    gaps: int


async def check_in_own_process(reactor: Any, question: Question) -> int:
    """Run the check as another process; its exit status. It prints to our standard output."""
    checking = _Checking(json.dumps(asdict(question), default=datetime.isoformat).encode())
    command = [sys.executable, "-m", "headend.cli", "self-check"]
    reactor.spawnProcess(checking, sys.executable, command, env=None, childFDs={0: "w", 1: 1, 2: 2})
    return await checking.status


class _Checking(ProcessProtocol):
    def __init__(self, question: bytes) -> None:
        self._question = question
        self.status: defer.Deferred[int] = defer.Deferred()

    def connectionMade(self) -> None:  # noqa: N802 (Twisted's name)
        assert self.transport is not None
        self.transport.write(self._question)
        self.transport.closeStdin()

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 (Twisted's name)
        code = getattr(reason.value, "exitCode", None)
        self.status.callback(1 if code is None else code)


def check(question: Question, console: Console) -> int:
    """Compare every value of every meter in every version; print what came of it. 0 where nothing differs."""
    truths = list(fetch_truth(question))
    tallies = []
    with Progress(*BAR, console=console, transient=True) as progress:
        for version, wsdl in question.wsdls.items():
            meters = progress.track(truths, description=f"asking MultiSpeak {version}")
            tallies.append(compare(question, version, wsdl, meters))
    console.print(_table(tallies))
    for tally in tallies:
        for difference in tally.differences[:DIFFERENCES_SHOWN_MAX]:
            console.print(f"{tally.version}: {difference}", markup=False, highlight=False, soft_wrap=True)
    differing = sum(len(t.differences) for t in tallies)
    compared = sum(t.registers + t.intervals for t in tallies)
    if differing or not compared:
        console.print(f"FAILED: {differing} differences in {compared:,} values")
        return 1
    console.print(f"OK: {compared:,} values answered over MultiSpeak, all as the meters hold them")
    return 0


def fetch_truth(question: Question) -> Iterator[Truth]:
    """What the emulated field holds, one endpoint a line."""
    # A register belongs to MultiSpeak's period at both ends, in the field's not at its start.
    start, end = (urllib.parse.quote(t.isoformat()) for t in (question.start - timedelta(seconds=1), question.end))
    with urllib.request.urlopen(f"{question.control}/truth?start={start}&end={end}", timeout=TRUTH_SECONDS) as lines:  # noqa: S310
        for line in lines:
            yield _truth(json.loads(line), question.start)


def _truth(endpoint: dict[str, Any], start: datetime) -> Truth:
    registers: Values = {}
    intervals: Values = {}
    gaps = 0
    for read in endpoint["registers"]:
        name = _NAMES[CHANNEL_BY_NAME[read["channel"]].channel_id]
        registers[name.register, datetime.fromisoformat(read["instant"])] = Decimal(read["quantity"]).scaleb(name.power)
    for channel in endpoint["intervals"]:
        name = _NAMES[CHANNEL_BY_NAME[channel["channel"]].channel_id]
        for end, _, quantity, _ in channel["values"]:
            instant = datetime.fromisoformat(end)
            if instant == start:
                continue  # the interval before the period
            if quantity is None:
                gaps += 1
            else:
                intervals[name.interval, instant] = Decimal(quantity).scaleb(name.power)
    return Truth(endpoint["meter_no"], registers, intervals, gaps)


def compare(question: Question, version: str, wsdl: str, truths: Iterable[Truth]) -> Tally:
    """Ask for each meter's values and note whatever is missing, different or too many."""
    tally = Tally(version)
    ask = _client(question, version, wsdl)
    for truth in truths:
        tally.meters += 1
        registers, intervals = ask(truth.meter_no)
        tally.registers += len(truth.registers)
        tally.intervals += len(truth.intervals)
        tally.gaps += truth.gaps
        for kind, held, answered in (("register", truth.registers, registers), ("interval", truth.intervals, intervals)):
            tally.differences += [f"{truth.meter_no} {kind} {line}" for line in differences(held, answered)]
    return tally


def differences(held: Values, answered: Values) -> Iterator[str]:
    """Each key on which the two disagree, in words."""
    for key in sorted(held.keys() | answered.keys()):
        name, instant = key
        if held.get(key) != answered.get(key):
            was, came = (f"{v[key]}" if key in v else "nothing" for v in (held, answered))
            yield f"{name} at {instant.isoformat()}: the meter holds {was}, MultiSpeak answered {came}"


def _client(question: Question, version: str, wsdl: str) -> Any:
    """A function from a meter number to its register and interval values as one version answers them."""
    client: Any = zeep.Client(wsdl)  # type: ignore[no-untyped-call]  # zeep says no types
    header = client.get_element(f"{{{load_contract(version).namespace}}}MultiSpeakMsgHeader")
    versioned = {"Version": version} if version == "3.0" else {"MajorVersion": 4, "MinorVersion": 1, "Build": 6, "BuildString": "Release"}
    headers = [header(UserID=question.user_id, Pwd=question.password, **versioned)]
    period = {"startDate": question.start, "endDate": question.end, "_soapheaders": headers}

    def ask(meter_no: str) -> tuple[Values, Values]:
        if version == "3.0":
            body = client.service.GetReadingsByMeterNo(meterNo=meter_no, **period).body
            return _split(body.GetReadingsByMeterNoResult and body.GetReadingsByMeterNoResult.meterRead, "dateTime")
        body = client.service.GetReadingsByMeterID(meterID={"_value_1": meter_no, "meterNo": meter_no}, **period).body
        return _split(body.GetReadingsByMeterIDResult and body.GetReadingsByMeterIDResult.meterReading, "timeStamp")

    return ask


def _split(readings: Any, time_name: str) -> tuple[Values, Values]:
    """Register and interval values of what came; those without a value are gaps, told apart by their status."""
    registers: Values = {}
    intervals: Values = {}
    for reading in readings or ():
        for value in reading.readingValues.readingValue:
            into = registers if value.readingType == "Register" else intervals
            if value.value is not None:
                into[value.fieldName, getattr(value, time_name)] = Decimal(value.value)
    return registers, intervals


def _table(tallies: list[Tally]) -> Table:
    table = Table(title="MultiSpeak answers against what the meters hold")
    for name in ("version", "meters", "register values", "interval values", "gaps", "differences"):
        table.add_column(name, justify="left" if name == "version" else "right")
    for t in tallies:
        table.add_row(t.version, *(f"{n:,}" for n in (t.meters, t.registers, t.intervals, t.gaps, len(t.differences))))
    return table


def _question(text: str) -> Question:
    asked: dict[str, Any] = json.loads(text)
    return Question(**asked | {name: datetime.fromisoformat(asked[name]) for name in ("start", "end")})


@click.command("self-check", hidden=True)
def self_check() -> None:
    """Answer the question on standard input."""
    sys.exit(check(_question(sys.stdin.read()), Console()))
