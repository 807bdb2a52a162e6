"""A storm, from meters that lose their supply to the outage desk: what arrives, what is stored, what is told, when, and what it costs.

Emulated field, collector, dispatcher and subscriber are a process each, as in operation. Programs of meters are known beforehand, as they
are in a utility that is collected daily; nothing is collected meanwhile (the next daily collection is half a day off) unless
HEADEND_BENCH_COLLECT asks for it. In calm one gasp at a time is timed, from the meter to the subscriber; in the storm all electric
endpoints of the field lose supply within HEADEND_BENCH_STORM_SECONDS. The subscriber takes HEADEND_BENCH_CALL_SECONDS a call, and is away
(503) for the first HEADEND_BENCH_AWAY_SECONDS of the storm. HEADEND_BENCH_KILL names roles that are killed in mid-storm and started again:
`dispatcher`, `collector` (what arrives while nobody listens is lost on the way).

HEADEND_BENCH_POLLED_FEEDERS leaves so many of the last feeders out of the storm and collects them: half of them with nothing beside, half
during the storm; the rates stand side by side. HEADEND_BENCH_FILES writes alarms to a directory too: what is told of files is from the
record of an event to the renaming of the file that has it.
"""

import json
import os
import re
import signal
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import quantiles
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, create_engine, text

from adapters.store.leasing import recount
from emulators.storm import PER_FEEDER
from tests import postgresql
from tests.bench.bench_collection import process_cpu_seconds
from tests.bench.bench_fleet import server_cpu_seconds
from tests.loopback.processes import Running, run, running
from tests.ports import free_port

DATABASES = tuple(os.environ.get("HEADEND_BENCH_DATABASES", "postgresql").split())
ENDPOINTS = int(os.environ.get("HEADEND_BENCH_ENDPOINTS", "10000"))
STORM_SECONDS = float(os.environ.get("HEADEND_BENCH_STORM_SECONDS", "6"))
CALL_SECONDS = float(os.environ.get("HEADEND_BENCH_CALL_SECONDS", "0"))
CALM_GASPS = int(os.environ.get("HEADEND_BENCH_CALM_GASPS", "40"))
AWAY_SECONDS = float(os.environ.get("HEADEND_BENCH_AWAY_SECONDS", "0"))
KILLED = os.environ.get("HEADEND_BENCH_KILL", "").split()
POLLED_FEEDERS = int(os.environ.get("HEADEND_BENCH_POLLED_FEEDERS", "0"))
POLLED_ALONE_SECONDS = float(os.environ.get("HEADEND_BENCH_POLLED_ALONE_SECONDS", "15"))
FILES = bool(os.environ.get("HEADEND_BENCH_FILES"))
COLLECT = bool(os.environ.get("HEADEND_BENCH_COLLECT"))
FEEDERS = -(-ENDPOINTS // PER_FEEDER)
KNOWN_FIRST = 240
"""Endpoints collected before the storm: some of every program, as an event before its program is known waits until it is."""
CALM_PAUSE_SECONDS = 0.3
CALM_GIVE_UP_SECONDS = 60.0
SETTLED_SECONDS = 300.0
"""Longest wait for all to be told."""
Row = tuple[str, float, str]

SETTINGS = """
[server]
port = 0

[[utilities]]
id = "bench"
time_zone = "America/Chicago"
database = "{database}"
key_file = "{place}/headend.key"
field = {{ port = {port} }}
routers = {{ poll = false }}
collection = {{ interrogations = ["{far}"] }}
alarms = {{ hold_off_seconds = 0 }}

[[utilities.partners]]
user_id = "oms"
password = "s3cret-word"

[[utilities.partners.notifications.subscriptions]]
name = "desk"
url = "http://127.0.0.1:{subscriber}/"
notifications = ["ODEventNotification"]
"""

FILE_SETTINGS = """
[[utilities.targets]]
name = "share"
kind = "directory"
path = "share"

[[utilities.event_files]]
name = "desk"
targets = ["share"]
"""

_METER = re.compile(rb"<meterID\b[^>]*>([^<]+)<")
_RECEIVED = re.compile(r'\breceived="([^"]+)"')


class Subscriber:
    """An outage desk that counts what it is told: `told` is (when, meter number). Until `away_until` it takes nothing."""

    def __init__(self, call_seconds: float) -> None:
        told = self.told = []  # type: list[tuple[float, str]]
        self.calls = self.refused = 0
        self.away_until = 0.0
        outer = self

        class Taker(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                at = time.time()
                if at < outer.away_until:
                    outer.refused += 1
                    self.send_error(503)
                    return
                time.sleep(call_seconds)
                outer.calls += 1
                told.extend((at, meter.decode()) for meter in _METER.findall(body))
                answer = (
                    b'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><ODEventNotificationResponse'
                    b' xmlns="http://www.multispeak.org/Version_4.1_Release"/></soap:Body></soap:Envelope>'
                )
                self.send_response(200)
                self.send_header("Content-Type", "text/xml; charset=utf-8")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing of it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()


class Site:
    """All that runs."""

    def __init__(self, place: Path, database: str, subscriber: Subscriber, emulator: Running, stack: ExitStack) -> None:
        said = json.loads(emulator.line_with("control"))
        self.control, self.subscriber, self.emulator = said["control"], subscriber, emulator
        self.engine: Engine = create_engine(database)
        stack.callback(self.engine.dispose)
        settings = place / "headend.toml"
        done = run("import", "shipment", said["shipment"], "--config", settings)
        assert done.returncode == 0, done.stderr
        if not COLLECT:
            self._collect_only(KNOWN_FIRST)
        self.place, self._settings, self._stack = place, settings, stack
        self.roles = {role: self.started(role) for role in ("collector", "dispatcher")}
        self.roles["collector"].line_with("listening to the field")
        field = re.search(r"at (\S+):(\d+)", self.roles["collector"].output[-1])
        assert field is not None
        unread = "endpoint_state AS s JOIN endpoint AS e ON e.endpoint_id = s.endpoint_id WHERE e.polled = 1 AND s.program IS NULL"
        self.until(lambda: self.count(unread) == 0, "the first are not collected")
        self._make_programs_known()
        self.until(lambda: self.count("regular_work WHERE work = 'review' AND done_us > 0") == 1, "days before are not looked back at")
        self.tell("head-end", {"host": field[1], "port": int(field[2])})

    def started(self, role: str) -> Running:
        """A process that plays a role."""
        return self._stack.enter_context(running("serve", "--config", self._settings, "--role", role))

    def kill(self, role: str) -> None:
        """End a role's process without a word, and start another."""
        self.roles[role].process.kill()
        self.roles[role].process.wait()
        self.roles[role] = self.started(role)

    def _collect_only(self, count: int) -> None:
        """Mark all others as collected."""
        with self.engine.begin() as connection:
            connection.execute(
                text("UPDATE endpoint_state SET outcome = 2, due_us = NULL WHERE endpoint_id > :count AND due_us IS NOT NULL"),
                {"count": count},
            )
            # Nobody is to look for those that were never collected; they are spoken to only when they speak.
            connection.execute(text("UPDATE endpoint SET polled = 0 WHERE endpoint_id > :count"), {"count": count})
            recount(connection)

    def _make_programs_known(self) -> None:
        """Every endpoint runs what others of its model and configuration run."""
        known = (
            "SELECT max(s.program) FROM endpoint_state AS s JOIN endpoint AS e ON e.endpoint_id = s.endpoint_id"
            " JOIN endpoint AS own ON own.endpoint_id = endpoint_state.endpoint_id"
            " WHERE e.model = own.model AND e.configuration = own.configuration AND s.program IS NOT NULL"
        )
        if self.engine.dialect.name == "postgresql":
            statement = (
                "UPDATE endpoint_state AS x SET program = k.program FROM endpoint AS own JOIN (SELECT e.model, e.configuration,"
                " (array_agg(s.program))[1] AS program FROM endpoint_state AS s JOIN endpoint AS e ON e.endpoint_id = s.endpoint_id"
                " WHERE s.program IS NOT NULL GROUP BY e.model, e.configuration) AS k"
                " ON k.model = own.model AND k.configuration = own.configuration"
                " WHERE own.endpoint_id = x.endpoint_id AND x.program IS NULL"
            )
        else:
            statement = f"UPDATE endpoint_state SET program = ({known}) WHERE program IS NULL"
        with self.engine.begin() as connection:
            connection.execute(text(statement))

    def count(self, what: str) -> int:
        """Rows of a table under a condition."""
        with self.engine.connect() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {what}")).scalar_one())

    def tell(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Tell the emulated field."""
        with urllib.request.urlopen(urllib.request.Request(f"{self.control}/{path}", data=json.dumps(body).encode())) as answer:
            said: dict[str, Any] = json.loads(answer.read())
            return said

    def ask(self, path: str) -> dict[str, Any]:
        """Ask the emulated field."""
        with urllib.request.urlopen(f"{self.control}/{path}") as answer:
            said: dict[str, Any] = json.loads(answer.read())
            return said

    def until(self, done: Callable[[], bool], what: str, seconds: float = SETTLED_SECONDS) -> float:
        """Wait; how long it took."""
        begun = time.monotonic()
        while not done():
            assert time.monotonic() - begun < seconds, what
            for one in self.roles.values():
                assert one.process.poll() is None, one.rest()
            time.sleep(0.2)
        return time.monotonic() - begun

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, by process."""
        used = {name: process_cpu_seconds(one.process.pid) for name, one in (self.roles | {"field": self.emulator}).items()}
        if self.engine.dialect.name == "postgresql":
            used["database"] = server_cpu_seconds(self.engine.url.render_as_string(hide_password=False))
        return used


@contextmanager
def site(kind: str) -> Iterator[Site]:
    """A utility under way."""
    with tempfile.TemporaryDirectory() as path, ExitStack() as stack:
        place = Path(path)
        database = f"sqlite:///{place}/headend.db"
        if kind == "postgresql":
            address = stack.enter_context(postgresql.server())
            database = stack.enter_context(postgresql.database(address)).render_as_string(hide_password=False)
        subscriber = Subscriber(CALL_SECONDS)
        stack.callback(subscriber.stop)
        far = f"{datetime.now(ZoneInfo('America/Chicago')) + timedelta(hours=12):%H:%M}"
        settings = SETTINGS.format(database=database, place=place, port=free_port(), subscriber=subscriber.port, far=far)
        (place / "share").mkdir()
        (place / "headend.toml").write_text(settings + FILE_SETTINGS * FILES)
        emulator = stack.enter_context(running("emulate", "--endpoints", str(ENDPOINTS), "--seed", "5", "--directory", place))
        one = Site(place, database, subscriber, emulator, stack)
        yield one
        for process in one.roles.values():
            process.end(signal.SIGTERM)


def calm(site: Site, name: str) -> Iterator[Row]:
    """One gasp at a time, from the meter to the subscriber."""
    endpoints = site.ask(f"endpoints?first={KNOWN_FIRST}&limit={10 * CALM_GASPS}")["endpoints"]
    homes = [one["meter_no"] for one in endpoints if one["configuration"] == "residential"]
    seconds, untold = [], []
    for meter_no in homes[:CALM_GASPS]:
        before, begun = len(site.subscriber.told), time.time()
        site.tell(f"endpoints/{meter_no}/events", {"event": "power-down", "alarm": True})
        while not (own := [at for at, told in site.subscriber.told[before:] if told == meter_no]):
            if time.time() - begun > CALM_GIVE_UP_SECONDS:
                untold.append(meter_no)
                break
            time.sleep(0.005)
        else:
            seconds.append(own[0] - begun)
        time.sleep(CALM_PAUSE_SECONDS)
    yield f"{name}, calm: gasps told", len(seconds), f"of {len(homes[:CALM_GASPS])} {'; never: ' if untold else ''}{', '.join(untold)}"
    yield from percentiles(f"{name}, calm: meter → subscriber", seconds)
    received = received_at(site, 0.0)
    told = {meter: at for at, meter in site.subscriber.told}
    lags = [at - received[meter] for meter, at in told.items() if meter in received]
    yield from percentiles(f"{name}, calm: record → subscriber", lags)


def storm(site: Site, name: str) -> Iterator[Row]:
    """All electric endpoints at once, nearly."""
    told_before, stored_before = len(site.subscriber.told), site.count("device_event WHERE path = 'unsolicited'")
    cpu, begun = site.cpu(), time.time()
    site.subscriber.away_until = begun + AWAY_SECONDS
    polling = None
    if POLLED_FEEDERS:
        alone = yield from polled_alone(site, name)
        cpu, begun = site.cpu(), time.time()
        polling = Polling(site, FEEDERS - POLLED_FEEDERS // 2, FEEDERS)
    gasps = sum(int(site.tell("storm", {"seconds": STORM_SECONDS} | where)["outages"]) for where in places())
    for role in KILLED:
        time.sleep(STORM_SECONDS / (1 + len(KILLED)))
        site.kill(role)

    def sent_all() -> bool:
        if polling is not None:
            polling.look()
        return bool(site.ask("storm")["waiting"] == 0)

    site.until(sent_all, "the storm does not end", STORM_SECONDS + SETTLED_SECONDS)
    sent = time.time() - begun
    if polling is not None:
        yield f"{name}, storm: polled beside it", polling.rate(), "endpoints/s"
        yield f"{name}, storm: polling beside it ÷ alone", polling.rate() / alone, "(0.5 wanted)"
        polling.stop()

    def stored() -> int:
        return site.count("device_event WHERE path = 'unsolicited'") - stored_before

    quiet = Quiet(stored)
    site.until(quiet, "storing does not end")
    kept = stored()
    all_stored = quiet.since - begun
    site.until(lambda: site.count("event_case WHERE state = 'new'") == 0, "judging does not end")
    expected = site.count(f"event_case WHERE state = 'told' AND path = 'unsolicited' AND received_us >= {int(begun * 1e6)}")
    site.until(lambda: len(site.subscriber.told) - told_before >= expected, f"not all {expected} are told")
    used = {what: now - cpu[what] for what, now in site.cpu().items()}
    told = site.subscriber.told[told_before:]
    yield f"{name}, storm: gasps sent", gasps, f"in {sent:.1f} s"
    yield f"{name}, storm: stored", kept, f"in {all_stored:.1f} s"
    yield f"{name}, storm: lost on the way", gasps - kept, "(0 wanted)"
    yield f"{name}, storm: told", len({meter for _, meter in told}), f"of {expected} that are to be"
    yield f"{name}, storm: told twice", len(told) - len({meter for _, meter in told}), "(0 wanted)"
    yield f"{name}, storm: calls", site.subscriber.calls, f"and {site.subscriber.refused} refused"
    yield f"{name}, storm: first told after", min(at for at, _ in told) - begun, "s (2 wanted)"
    yield f"{name}, storm: last told after", max(at for at, _ in told) - begun, "s (300 wanted)"
    for what, seconds in used.items() if not KILLED else ():
        yield f"{name}, storm: CPU of the {what}", 1_000 * seconds / gasps, "ms/gasp"
    received = received_at(site, begun)
    yield from percentiles(f"{name}, storm: record → subscriber", [at - received[meter] for at, meter in told if meter in received])
    if FILES:
        yield from percentiles(f"{name}: record → renamed file", list(filed_after(site)))


def places() -> list[dict[str, str]]:
    """Where the storm strikes: everywhere, or feeder by feeder where some are left alone."""
    return [{"feeder": f"F-{number}"} for number in range(1, FEEDERS - POLLED_FEEDERS + 1)] if POLLED_FEEDERS else [{}]


class Polling:
    """Endpoints of some feeders, after the first `after` up to `last`, due from now on."""

    def __init__(self, site: Site, after: int, last: int) -> None:
        self._site = site
        self._among = {"first": after * PER_FEEDER + 1, "last": last * PER_FEEDER}
        now_us = int(time.time() * 1e6)
        with site.engine.begin() as connection:
            made = connection.execute(text(_DUE), self._among | {"now": now_us, "since": now_us - 86_400 * 10**6})
            recount(connection)
        self.due = made.rowcount
        self._begun = self._looked = time.time()
        self._done = 0

    def look(self) -> None:
        """Count, until none is left."""
        if self._done < self.due:
            condition = "endpoint_state WHERE outcome = 2 AND endpoint_id BETWEEN {first} AND {last}"
            self._done, self._looked = self._site.count(condition.format_map(self._among)), time.time()

    def rate(self) -> float:
        """Collected a second, of so many as were due."""
        return self._done / (self._looked - self._begun)

    def stop(self) -> None:
        """Ask for no more of them."""
        with self._site.engine.begin() as connection:
            connection.execute(text(_NO_LONGER_DUE), self._among)
            recount(connection)


_DUE = (
    "UPDATE endpoint_state SET outcome = 1, scheduled_us = :now, due_us = :now, collect_from_us = :since, attempts = 0"
    " WHERE endpoint_id IN (SELECT endpoint_id FROM endpoint WHERE endpoint_id BETWEEN :first AND :last"
    " AND configuration LIKE 'residential%')"
)
_NO_LONGER_DUE = (
    "UPDATE endpoint_state SET outcome = 2, due_us = NULL"
    " WHERE outcome = 1 AND lease_owner IS NULL AND endpoint_id BETWEEN :first AND :last"
)


def polled_alone(site: Site, name: str) -> Generator[Row, None, float]:
    """The rate of polling with nothing beside it."""
    polling = Polling(site, FEEDERS - POLLED_FEEDERS, FEEDERS - POLLED_FEEDERS // 2)
    until = time.monotonic() + POLLED_ALONE_SECONDS
    while time.monotonic() < until:
        time.sleep(0.2)
        polling.look()
    yield f"{name}: polled alone", polling.rate(), "endpoints/s"
    polling.stop()
    site.until(lambda: site.count("endpoint_state WHERE lease_owner IS NOT NULL") == 0, "polling does not end")
    return polling.rate()


def filed_after(site: Site) -> Iterator[float]:
    """Of each event in a file the seconds from its record to the file's name."""
    for path in sorted((site.place / "share").rglob("*.xml")):
        renamed = path.stat().st_ctime
        for received in _RECEIVED.findall(path.read_text("utf-8")):
            yield renamed - datetime.fromisoformat(received).timestamp()


class Quiet:
    """Whether a count has not grown for some seconds; `since` is when it last did."""

    def __init__(self, count: Callable[[], int], seconds: float = 4.0) -> None:
        self._count = count
        self._seconds = seconds
        self._last = -1
        self.since = time.time()

    def __call__(self) -> bool:
        found = self._count()
        if found != self._last:
            self._last, self.since = found, time.time()
        return time.time() - self.since > self._seconds


def received_at(site: Site, begun: float) -> dict[str, float]:
    """When the gasp of each meter was recorded."""
    statement = (
        "SELECT e.meter_no, c.received_us FROM event_case AS c JOIN endpoint AS e ON e.endpoint_id = c.device_id"
        " WHERE c.received_us >= :begun AND c.is_router = 0"
    )
    with site.engine.connect() as connection:
        return {meter: us / 1e6 for meter, us in connection.execute(text(statement), {"begun": int(begun * 1e6)})}


def percentiles(name: str, seconds: list[float]) -> Iterator[Row]:
    """Median and tail."""
    if len(seconds) > 1:
        cut = quantiles(seconds, n=100, method="inclusive")
        for part in (50, 95, 99):
            yield f"{name}, p{part}", cut[part - 1], "s"


def main() -> None:
    """Print the table."""
    for kind in DATABASES:
        with site(kind) as one:
            for rows in (calm, storm):
                for what, value, unit in rows(one, kind):
                    print(f"{what:<60}{value:>12.3f} {unit}", flush=True)


if __name__ == "__main__":
    main()
