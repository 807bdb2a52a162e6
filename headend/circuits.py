"""Which servers do not answer: after a silence one is left alone for a while, longer each time, then a single message asks it again.

So whatever else it is to be told waits without an attempt, and costs nobody anything.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from headend.limits import CIRCUITS_MAX


def back_off_seconds(first: float, failures: int, most: float) -> float:
    """How long whatever failed so often in a row is left alone: `first` seconds, twice as long each time, `most` at most."""
    return float(min(first * 2 ** min(max(failures - 1, 0), 20), most))


class Server(NamedTuple):
    """A server of a partner: scheme, host and port of an address."""

    partner: str
    origin: str


def server_of(partner: str, url: str) -> Server:
    """The server behind an address that a partner is told things at."""
    parts = urlsplit(url)
    return Server(partner, f"{parts.scheme}://{parts.netloc}".lower())


@dataclass(frozen=True, slots=True)
class Broken:
    """A server that did not answer: why, how often in a row, since when, and until when it is left alone."""

    reason: str
    silences: int
    since: datetime
    until: datetime


class Circuits:
    """What is known of servers that did not answer lately."""

    def __init__(self, first_seconds: float, seconds_max: float) -> None:
        self._first_seconds = first_seconds
        self._seconds_max = seconds_max
        self._broken: dict[Server, Broken] = {}

    def broken(self, server: Server, now: datetime) -> Broken | None:
        """Why a server is to be left alone now; None where it may be told something."""
        found = self._broken.get(server)
        return found if found is not None and now < found.until else None

    def silent(self, server: Server, reason: str, now: datetime) -> Broken:
        """It did not answer."""
        before = self._broken.pop(server, None)
        silences = 1 if before is None else before.silences + 1
        seconds = back_off_seconds(self._first_seconds, silences, self._seconds_max)
        broken = self._broken[server] = Broken(reason, silences, now if before is None else before.since, now + timedelta(seconds=seconds))
        while len(self._broken) > CIRCUITS_MAX:
            del self._broken[next(iter(self._broken))]
        return broken

    def answered(self, server: Server) -> None:
        """It answered, whatever it said."""
        self._broken.pop(server, None)
