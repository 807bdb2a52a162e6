"""What a collection over real sockets has stored, held against what the emulated meters hold."""

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from adapters.store.database import parse_url
from headend.interval_series import series_of
from headend.model.channels import CHANNELS
from headend.model.instants import from_us
from headend.model.selections import Period
from headend.model.utility import Utility, UtilityId
from tests.conftest import RunningReactor
from tests.loopback.processes import WAIT_SECONDS
from tests.store.world import OpenStore, opened

UTILITY = Utility(UtilityId("demo"), "demo", ZoneInfo("America/Chicago"), ".1.4")


def slow_collection(directory: Path, database_url: str) -> Path:
    """A settings file for a collection that takes some seconds: two conversations at once."""
    file = directory / "headend.toml"
    file.write_text(f"""
[server]
port = 0

[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "{database_url}"
key_file = "headend.key"
field = {{ port = 0 }}
collection = {{ collector = "one", conversations = 2, conversations_per_router = 2, history_days = 2 }}
""")
    return file


def rows_of(database_url: str, statement: str) -> list[tuple[Any, ...]]:
    """Rows of a statement, read beside the process that writes."""
    engine = create_engine(parse_url(database_url))
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]
    finally:
        engine.dispose()


def tally_of(database_url: str) -> dict[str, int]:
    """How many endpoints are due, done and failed."""
    (row,) = rows_of(database_url, "SELECT due, done, failed FROM tally")
    return dict(zip(("due", "done", "failed"), row, strict=True))


def wait_for(database_url: str, holds: Callable[[dict[str, int]], bool]) -> None:
    """Until the tally is as wanted; fails when it takes too long."""
    deadline = time.monotonic() + WAIT_SECONDS
    tally: dict[str, int] = {}
    while not (tally and holds(tally)):
        assert time.monotonic() < deadline, f"the collection stays at {tally}"
        with suppress(SQLAlchemyError):  # not made yet
            tally = tally_of(database_url)
        time.sleep(0.02)


def values_as_held(running: RunningReactor, database_url: str, key_file: Path, control: str) -> int:
    """Hold every stored value of yesterday against what its meter holds; how many there are."""
    store = opened(running, database_url, key_file, UTILITY)
    start, end = UTILITY.day_bounds(UTILITY.local_day(datetime.now(UTC)) - timedelta(days=1))
    try:
        return sum(_endpoint_as_held(store, truth, start, end) for truth in _truths(control, start, end))
    finally:
        store.call("close")


def _truths(control: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
    period = urllib.parse.urlencode({"start": start.isoformat(), "end": end.isoformat()})
    with urllib.request.urlopen(f"{control}/truth?{period}", timeout=WAIT_SECONDS) as lines:
        endpoints = [json.loads(line) for line in lines]
    return [e for e in endpoints if not e["configuration"].startswith(("gas", "water"))]


def _endpoint_as_held(store: OpenStore, truth: dict[str, Any], start: datetime, end: datetime) -> int:
    stored = {
        (CHANNELS[series.channel_id].name, from_us(series.end_us(number)).isoformat()): None
        if value is None
        else Decimal(value).scaleb(series.exponent)
        for series in series_of(store.call("interval_blocks", truth["meter_no"], start, end), Period(start, end))
        for number, value, _ in series.known()
    }
    values = [(c["channel"], *value) for c in truth["intervals"] for value in c["values"]]
    held = {(channel, at): None if quantity is None else Decimal(quantity) for channel, at, _, quantity, _ in values}
    assert stored == held
    return len(held)
