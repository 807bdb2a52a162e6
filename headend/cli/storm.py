"""`headend storm`: storms in the emulated utility, by its control port: begun, watched, calmed; a recorded day played again."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from adapters.store import Store
from emulators.storm import FLICKER_SECONDS_MIN, FLICKERS_MAX, REPLAYED_MAX
from headend.cli.emulate import InstantType
from headend.cli.failing import errors_as_sentences
from headend.cli.one_store import store_options, with_store
from headend.errors import HeadEndError, RequestError
from headend.limits import EVENTS_PER_FILE_MAX
from headend.model.event_case import EventCase
from headend.model.events import EventPath
from headend.settings import UtilitySettings

ANSWER_SECONDS = 30
"""How long the control port may take to answer."""

WATCH_SECONDS = 1.0
"""How often a storm is looked at."""

AHEAD_SECONDS = 2.0
"""How long before its time a part of a recording is given to the emulated utility, which keeps the time within it."""

PERCENT = click.FloatRange(0, 100)
SECONDS = click.FloatRange(0, 86_400)
control_option = click.option(
    "--control", envvar="HEADEND_CONTROL", required=True, help="URL of the control port, as `headend emulate` says it; or HEADEND_CONTROL."
)


class ControlError(HeadEndError):
    """The emulated utility does not answer, or refuses."""


@click.group()
def storm() -> None:
    """Storms in the emulated utility: supply lost and restored, last gasps lost and late."""


@storm.command()
@control_option
@click.option("--feeder", help="Only where this feeder supplies: F-1, F-2, …")
@click.option("--transformer", help="Only where this transformer supplies: T-1, T-2, …")
@click.option("--router", help="Only behind this router.")
@click.option("--percent", default=100.0, show_default=True, type=PERCENT, help="Of the electric endpoints there, so many lose supply.")
@click.option("--seconds", default=0.0, show_default=True, type=SECONDS, help="Over which supply is lost, one endpoint after another.")
@click.option("--lost-percent", default=0.0, show_default=True, type=PERCENT, help="Of the last gasps and restorations that never arrive.")
@click.option("--delay-seconds", default=0.0, show_default=True, type=SECONDS, help="What the others take on the way, on the average.")
@click.option("--flicker-percent", default=0.0, show_default=True, type=PERCENT, help="Of those endpoints that see supply come back first.")
@click.option("--flickers", default=3, show_default=True, type=click.IntRange(0, FLICKERS_MAX), help="How often it comes back.")
@click.option("--flicker-seconds", default=10.0, show_default=True, type=click.FloatRange(FLICKER_SECONDS_MIN, 86_400), help="Off and on.")
@click.option("--restore-after", type=SECONDS, help="Seconds from loss to restoration; by default there is none.")
@click.option("--restore-spread", default=0.0, show_default=True, type=SECONDS, help="Give or take so many seconds.")
@click.option("--watch", is_flag=True, help="Stay until it is over.")
def begin(control: str, watch: bool, **order: Any) -> None:
    """Begin a storm; what comes of it, as JSON. Several may be under way."""
    with errors_as_sentences():
        click.echo(json.dumps(call(control, "/storm", {name: value for name, value in order.items() if value is not None})))
        if watch:
            _watch(control)


@storm.command()
@control_option
def watch(control: str) -> None:
    """How far the storms are, a line a second until they are over."""
    with errors_as_sentences():
        _watch(control)


@storm.command()
@control_option
def calm(control: str) -> None:
    """Let nothing more happen. Whoever has no supply remains without: restore by a storm's --restore-after."""
    with errors_as_sentences():
        click.echo(json.dumps(call(control, "/storm/calm", {})))


@storm.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--since", required=True, type=InstantType(), help="From when on; ISO 8601 with offset.")
@click.option("--until", required=True, type=InstantType(), help="Until when.")
@store_options
def record(file: Path, since: datetime, until: datetime, config: Path, utility_id: str | None, as_json: bool) -> None:
    """Write to FILE what meters told on their own, as the head-end has stored it, for `replay`."""

    async def work(_reactor: Any, store: Store, _utility: UtilitySettings) -> None:
        count, seen = 0, await store.events_before(since)
        with file.open("w", encoding="utf-8") as lines:
            while cases := await store.events_after({EventPath.UNSOLICITED}, seen, EVENTS_PER_FILE_MAX):
                seen = cases[-1].number
                for event in recording(cases, since, until):
                    lines.write(json.dumps(event) + "\n")
                    count += 1
                if cases[-1].received >= until:
                    break
        click.echo(json.dumps({"events": count}) if as_json else f"{count} events")

    with_store(config, utility_id, work)


def recording(cases: Sequence[EventCase], since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
    """Those received in [since, until) as lines of a recording."""
    for case in cases:
        if since <= case.received < until:
            at, argument = (case.received - since).total_seconds(), int.from_bytes(case.argument[:2], "little")
            yield {"at": at, "meter_no": case.device.name, "code": case.code, "argument": argument}


@storm.command()
@control_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--speed", default=1.0, show_default=True, type=click.FloatRange(0.1, 1_000), help="So many times as fast as it was.")
def replay(control: str, file: Path, speed: float) -> None:
    """Let what FILE has recorded happen again in the emulated utility, now, in the same order.

    Each line is a JSON object: at (seconds since the first), meter_no, code or event, argument; in the order of `at`.
    """
    events = unknown = 0
    with errors_as_sentences():
        begun = time.monotonic()
        for part in parts(recorded(file), speed):
            wait = begun + part[0]["at"] - AHEAD_SECONDS - time.monotonic()
            time.sleep(max(0.0, wait))
            late = time.monotonic() - begun
            for event in part:
                event["at"] = max(0.0, event["at"] - late)
            told = call(control, "/storm/replay", {"events": part})
            events += int(told["events"])
            unknown += len(told["unknown"])
        _watch(control)
        click.echo(json.dumps({"events": events, "unknown": unknown}))


def recorded(file: Path) -> Iterator[dict[str, Any]]:
    """Events of a recording. Raises RequestError naming the line."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                event = json.loads(line)
                yield {**event, "at": float(event["at"])}
            except (ValueError, KeyError, TypeError) as error:
                raise RequestError(f"{file}: line {number} is no event of a recording: {error}") from None


def parts(events: Iterator[dict[str, Any]], speed: float) -> Iterator[list[dict[str, Any]]]:
    """Events by second, at the times at which they are to happen; as many as one request may have."""
    timed = ({**event, "at": event["at"] / speed} for event in events)
    for _, second in groupby(timed, key=lambda event: int(event["at"])):
        whole = list(second)
        for first in range(0, len(whole), REPLAYED_MAX):
            yield whole[first : first + REPLAYED_MAX]


def _watch(control: str) -> None:
    while True:
        state = call(control, "/storm")
        click.echo(json.dumps(state))
        if not state["waiting"]:
            return
        time.sleep(WATCH_SECONDS)


def call(control: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the control port, or tell it. Raises ControlError."""
    if not control.startswith("http://"):
        raise ControlError(f"{control!r} is no address of a control port, such as http://127.0.0.1:8201")
    request = urllib.request.Request(control.rstrip("/") + path, None if body is None else json.dumps(body).encode())  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
            told: dict[str, Any] = json.loads(answer.read())
            return told
    except urllib.error.HTTPError as error:
        with error:
            said = json.loads(error.read()).get("error", error.reason)
        raise ControlError(f"the emulated utility refuses: {said}") from None
    except (OSError, ValueError) as error:
        raise ControlError(f"no emulated utility answers at {control}: {error}") from None
