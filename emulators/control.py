"""The control port: JSON over HTTP on loopback, to turn the clock, install faults, cause events, and ask what is true.

GET /clock · POST /clock {advance?, rate?} · GET /endpoints?first=&limit= · GET /endpoints/<meter_no>/truth?start=&end= ·
GET /truth?start=&end= (one line an endpoint) · GET, POST /faults · POST /endpoints/<meter_no>/events {event, argument?, alarm?} ·
GET, POST /endpoints/<meter_no>/switch {stuck?, load_side_volts?, press_button?} ·
POST /wake {seconds, meter_no?} · POST /head-end {host, port, wake_within?, trap_port?} · GET /traffic · GET /routers ·
POST /routers/<name>/faults {down?, hung?, primary_lost?, on_battery?, door_open?, …} · POST /routers/<name>/reboot {seconds?} ·
GET, POST /storm {feeder?, percent?, seconds?, lost_percent?, …} · POST /storm/replay {events} · POST /storm/calm · POST /stop
"""

# mypy: disable-error-code="no-untyped-call"

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, NoReturn

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Cooperator, TaskStopped
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request as HttpRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from emulators.faults import SECONDS_MAX, fault_from_json, fault_to_json
from emulators.router_device import RouterFaults
from emulators.storm import STORM_FIELDS, storm_from_json
from emulators.truth import endpoint_truth
from emulators.utility import PAGE_MAX, SWITCH_FIELDS, Utility
from headend.errors import RequestError, UnknownMeterError

BODY_OCTETS_MAX = 1 << 20
"""Octets of a request: a thousand faults are a tenth of it."""

RANGE_DAYS_MAX = 400
"""Days of truth in one answer."""

STREAM_SECONDS = 0.001
"""Real seconds between slices of a stream, so that meters go on answering."""

REBOOT_SECONDS = 30.0
"""How long a router that is made to reboot is away, unless told otherwise."""

ROUTER_FAULTS = {field.name for field in fields(RouterFaults)}

_log = Logger()


class ControlResource(Resource):
    """All of the control port; `stop` ends the process."""

    isLeaf = True  # noqa: N815 - the name Twisted looks for

    def __init__(self, reactor: IReactorTime, utility: Utility, stop: Callable[[], None]) -> None:
        super().__init__()
        self._utility = utility
        self._stop = stop
        self._cooperator = Cooperator(scheduler=lambda work: reactor.callLater(STREAM_SECONDS, work))

    def render(self, request: Request) -> bytes | int:
        """Answer; what is wrong with a request is said in JSON with status 400, 404 or 405."""
        try:
            answer = self._answer(request)
        except UnknownMeterError as error:
            return _json(request, {"error": str(error)}, 404)
        except RequestError as error:
            return _json(request, {"error": str(error)}, 400)
        except LookupError as error:
            return _json(request, {"error": str(error.args[0])}, 404)
        return NOT_DONE_YET if answer is None else _json(request, answer, 200)

    def _answer(self, request: Request) -> dict[str, Any] | None:
        path = tuple(part.decode("utf-8", "replace") for part in request.postpath or () if part)
        utility = self._utility
        match request.method, path:
            case b"GET", ("clock",):
                return self._clock()
            case b"POST", ("clock",):
                return self._turn(_body(request, {"advance", "rate"}))
            case b"GET", ("endpoints",):
                first, limit = _integer(request, "first", 0, 0, 10**7), _integer(request, "limit", 100, 1, PAGE_MAX)
                return {"total": utility.world.population.size, "endpoints": utility.endpoints(first, limit)}
            case b"GET", ("endpoints", meter_no, "truth"):
                return endpoint_truth(utility.world.meter(utility.index(meter_no)), *self._range(request))
            case b"GET", ("truth",):
                self._stream(request)
                return None
            case b"GET", ("faults",):
                return {"faults": [fault_to_json(fault) for fault in utility.world.faults.faults]}
            case b"POST", ("faults",):
                return self._faults(_body(request, {"faults"}))
            case b"POST", ("endpoints", meter_no, "events"):
                return self._event(meter_no, _body(request, {"event", "argument", "alarm"}))
            case b"GET", ("endpoints", meter_no, "switch"):
                return utility.switch_of(meter_no)
            case b"POST", ("endpoints", meter_no, "switch"):
                return utility.set_switch(meter_no, _body(request, SWITCH_FIELDS))
            case b"GET", ("routers",):
                return {"routers": [router.device.to_json() for router in utility.fleet.routers.values()]}
            case b"POST", ("routers", name, "faults"):
                return utility.fleet.set_faults(name, _body(request, ROUTER_FAULTS))
            case b"POST", ("routers", name, "reboot"):
                return self._reboot(name, _body(request, {"seconds"}))
            case b"POST", ("head-end",):
                return self._speak_to(_body(request, {"host", "port", "wake_within", "trap_port"}))
            case b"POST", ("wake",):
                return self._wake(_body(request, {"seconds", "meter_no"}))
            case b"GET", ("traffic",):
                return {"sockets": {name: asdict(traffic) for name, traffic in utility.traffic.items()}}
            case b"GET", ("storm",):
                return dict(utility.weather.to_json())
            case b"POST", ("storm",):
                return utility.storm(storm_from_json(_body(request, STORM_FIELDS)))
            case b"POST", ("storm", "replay"):
                return utility.replay(_body(request, {"events"}))
            case b"POST", ("storm", "calm"):
                return {"calmed": utility.weather.calm()}
            case b"POST", ("stop",):
                self._stop()
                return {"stopping": True}
        raise LookupError(f"there is no {request.method.decode('ascii', 'replace')} /{'/'.join(path)}")

    def _clock(self) -> dict[str, Any]:
        clock = self._utility.world.clock
        return {"now": clock.now().isoformat(), "rate": clock.rate}

    def _turn(self, body: dict[str, Any]) -> dict[str, Any]:
        clock = self._utility.world.clock
        if "rate" in body:
            clock.set_rate(_number(body, "rate"))
        if "advance" in body:
            clock.advance(_number(body, "advance"))
        return self._clock()

    def _faults(self, body: dict[str, Any]) -> dict[str, Any]:
        items = body.get("faults")
        if not isinstance(items, list):
            _refuse("faults: a list is wanted")
        self._utility.install_faults([fault_from_json(item, f"faults[{n}]") for n, item in enumerate(items)])
        return {"faults": len(items)}

    def _event(self, meter_no: str, body: dict[str, Any]) -> dict[str, Any]:
        argument, alarm = body.get("argument", 0), body.get("alarm", False)
        if not isinstance(argument, int) or not 0 <= argument < 65_536:
            _refuse(f"argument: {argument!r} is not a number within 0 and 65535")
        if not isinstance(alarm, bool):
            _refuse(f"alarm: {alarm!r} is neither true nor false")
        self._utility.cause_event(meter_no, str(body.get("event")), argument, alarm)
        return {"event": body.get("event")}

    def _wake(self, body: dict[str, Any]) -> dict[str, Any]:
        seconds = _number(body, "seconds") if "seconds" in body else 0.0
        if not 0 <= seconds <= SECONDS_MAX:
            _refuse(f"seconds: {seconds:g} is not within 0 and {SECONDS_MAX:g}")
        return {"woken": self._utility.wake(seconds, body.get("meter_no"))}

    def _reboot(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._utility.fleet.reboot(name, _number(body, "seconds") if "seconds" in body else REBOOT_SECONDS)

    def _speak_to(self, body: dict[str, Any]) -> dict[str, Any]:
        host, port = body.get("host"), body.get("port")
        if not isinstance(host, str) or not host:
            _refuse(f"host: {host!r} is not a host")
        if not isinstance(port, int) or not 0 < port < 65_536:
            _refuse(f"port: {port!r} is not a port")
        trap_port = body.get("trap_port")
        if trap_port is not None and (not isinstance(trap_port, int) or not 0 < trap_port < 65_536):
            _refuse(f"trap_port: {trap_port!r} is not a port")
        within = _number(body, "wake_within") if "wake_within" in body else None
        if within is not None and not 0 <= within <= SECONDS_MAX:
            _refuse(f"wake_within: {within:g} is not within 0 and {SECONDS_MAX:g}")
        if trap_port is not None:
            self._utility.fleet.notify((host, trap_port))
        self._utility.speak_to((host, port), within)
        return {"host": host, "port": port}

    def _range(self, request: Request) -> tuple[int, int]:
        start, end = _instant(request, "start"), _instant(request, "end")
        if not 0 < end - start <= RANGE_DAYS_MAX * 86_400:
            _refuse(f"start and end: {end - start} s is not a range within {RANGE_DAYS_MAX} days")
        return start, end

    def _stream(self, request: Request) -> None:
        start, end = self._range(request)
        request.setHeader("Content-Type", "application/x-ndjson")
        task = self._cooperator.cooperate(self._lines(request, start, end))
        request.notifyFinish().addErrback(lambda _gone: task.stop())
        task.whenDone().addErrback(_log_unless_stopped)

    def _lines(self, request: HttpRequest, start: int, end: int) -> Iterator[None]:
        for index in range(self._utility.world.population.size):
            request.write(json.dumps(endpoint_truth(self._utility.world.meter(index), start, end)).encode() + b"\n")
            yield None
        request.finish()


def _log_unless_stopped(failure: Failure) -> None:
    if not failure.check(TaskStopped):
        _log.failure("truth could not be told", failure)


def _json(request: Request, body: dict[str, Any], status: int) -> bytes:
    request.setResponseCode(status)
    request.setHeader("Content-Type", "application/json")
    return json.dumps(body).encode() + b"\n"


def _refuse(reason: str) -> NoReturn:
    raise RequestError(reason)


def _body(request: Request, known: set[str]) -> dict[str, Any]:
    octets = request.content.read(BODY_OCTETS_MAX + 1) if request.content is not None else b""
    if len(octets) > BODY_OCTETS_MAX:
        _refuse(f"the request has more than {BODY_OCTETS_MAX} octets")
    try:
        body = json.loads(octets or b"{}")
    except (ValueError, RecursionError) as error:
        _refuse(f"the request is not JSON: {error}")
    if not isinstance(body, dict):
        _refuse("the request is not a JSON object")
    unknown = sorted(set(body) - known)
    if unknown:
        _refuse(f"unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}")
    return body


def _number(body: dict[str, Any], name: str) -> float:
    value = body[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        _refuse(f"{name}: {value!r} is not a number")
    return float(value)


def _argument(request: Request, name: str) -> str | None:
    values = (request.args or {}).get(name.encode())
    return values[0].decode("utf-8", "replace") if values else None


def _integer(request: Request, name: str, default: int, low: int, high: int) -> int:
    text = _argument(request, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        _refuse(f"{name}: {text!r} is not a number within {low} and {high}")
    return int(text)


def _instant(request: Request, name: str) -> int:
    text = _argument(request, name)
    if text is None:
        _refuse(f"{name} is missing: an ISO 8601 date and time with offset")
    try:
        instant = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        _refuse(f"{name}: {text!r} is not an ISO 8601 date and time")
    if instant.tzinfo is None:
        _refuse(f"{name}: {text!r} has no offset from UTC")
    return int(instant.timestamp())
