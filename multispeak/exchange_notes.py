"""An exchange at an endpoint → what the message log is told of it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from headend.message_log import ANSWERED, REFUSED, Direction, MessageEntry
from headend.model.partner import Caller
from headend.passwords import is_hash
from multispeak.limits import TRANSACTION_ID_CHARACTERS_MAX
from multispeak.message_log import NotedExchange
from multispeak.soap_protocol import Exchange


class Notes(Protocol):
    """Whoever takes note of exchanges; returns at once, never raises."""

    @property
    def envelope_octets_max(self) -> int:
        """Octets of an envelope worth handing over; of a longer one the head."""

    def note(self, exchange: NotedExchange) -> None:
        """Take note of one."""


class LogDirectory(Protocol):
    """Whose message log an exchange belongs into."""

    def log_of(self, caller: Caller | None, user_id: str) -> Notes | None:
        """The log of a caller's utility; for a stranger by the UserID it claimed. None where nothing is kept."""


class EndpointNotes:
    """Notes of one endpoint's exchanges."""

    def __init__(self, logs: LogDirectory, server: str, version: str, now: Callable[[], datetime]) -> None:
        self._logs = logs
        self._server = server
        self._version = version
        self._now = now

    def note(self, exchange: Exchange, soap: str, octets: bytes, seconds: float, verdict: str = "") -> None:
        """Note an exchange that ends now, `seconds` on the clock it began by; `verdict` is that of one without a fault's code."""
        header = exchange.header
        token = header.token
        claimed = header.user_id or (token.user_id if token else "")
        notes = self._logs.log_of(exchange.caller, claimed)
        if notes is None:
            return
        lasted = seconds - exchange.seconds
        entry = MessageEntry(
            direction=Direction.IN,
            began=self._now() - timedelta(seconds=lasted),
            duration_us=round(lasted * 1e6),
            partner=exchange.caller.partner.user_id if exchange.caller else claimed[:_CLAIM_CHARACTERS_MAX],
            address=exchange.address,
            server=self._server,
            version=self._version,
            soap=soap,
            operation=exchange.operation,
            transaction_id=exchange.transaction_id[:TRANSACTION_ID_CHARACTERS_MAX],
            registration_id=header.registration_id[:_CLAIM_CHARACTERS_MAX],
            objects_in=exchange.objects_in,
            objects_out=exchange.objects_out,
            octets_in=len(octets),
            octets_out=exchange.octets_out,
            verdict=verdict or exchange.fault_code or ANSWERED,
        )
        most = notes.envelope_octets_max
        # What is in an encoding or a compression that is not taken cannot be searched for secrets.
        request = b"" if verdict == REFUSED else octets[:most]
        notes.note(NotedExchange(entry, request, exchange.answer_head[:most], _secrets(exchange)))


_CLAIM_CHARACTERS_MAX = 80
"""Characters kept of what a stranger calls itself."""


def _secrets(exchange: Exchange) -> tuple[str, ...]:
    """What a caller presented, right or wrong, and what its partner's password is."""
    header, token = exchange.header, exchange.header.token
    presented = (header.password, token.password, token.digest) if token else (header.password,)
    stored = exchange.caller.partner.password if exchange.caller else ""
    return tuple(dict.fromkeys(presented if is_hash(stored) else (*presented, stored)))
