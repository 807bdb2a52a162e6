"""MultiSpeakMsgHeader: what a caller says of itself, and what we say in ours.

Source  reference/multispeak.md 2, 3
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from uuid import UUID

from multispeak.contract import HEADER_NAME, Contract
from multispeak.envelope import Envelope, username_token
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.writers import escape

APP_NAME = "Open AMI Head-End"


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """What of a caller's header is used; text as sent, empty where absent."""

    user_id: str = ""
    password: str = field(default="", repr=False)
    namespace: str = ""
    version: str = ""
    app_name: str = ""
    company: str = ""
    session_id: str = ""
    previous_session_id: str = ""
    registration_id: str = ""
    message_id: str = ""


def read_header(envelope: Envelope) -> RequestHeader:
    """The MultiSpeak header; a WS-Security UsernameToken stands in for missing credentials, as some 4.1 peers send it.

    Read attribute by attribute and not against the schema: an empty ObjectsRemaining or a missing BuildString harms nobody.
    """
    block = envelope.header
    user_id, password = username_token(envelope.security)
    if block is None:
        return RequestHeader(user_id, password)
    return RequestHeader(
        user_id=block.get("UserID") or user_id,
        password=block.get("Pwd") or password,
        namespace=str(block.tag).rpartition("}")[0][1:],
        version=(block.get("Version") or block.get("MajorVersion") or "").strip(),
        app_name=block.get("AppName", ""),
        company=block.get("Company", ""),
        session_id=block.get("SessionID", ""),
        previous_session_id=block.get("PreviousSessionID", ""),
        registration_id=block.get("RegistrationID", ""),
        message_id=block.get("MessageID", ""),
    )


def require_version(header: RequestHeader, contract: Contract) -> None:
    """Accept a header that is of this version, or says nothing of it; the digits after the first are nobody's concern (`3.0AC`).

    Raises  RefusedCallError naming what the header says
    """
    said = header.version[:40]
    if header.namespace not in {"", contract.namespace}:
        sentence = f"{HEADER_NAME} has the namespace {header.namespace[:80]!r}; MultiSpeak {contract.version} has {contract.namespace!r}"
        raise RefusedCallError(FaultCode.WRONG_ENDPOINT, sentence)
    if said and said.partition(".")[0] != contract.version.partition(".")[0]:
        raise RefusedCallError(FaultCode.WRONG_ENDPOINT, f"{HEADER_NAME} says version {said!r}; this is MultiSpeak {contract.version}")


@dataclass(frozen=True, slots=True)
class Paging:
    """Where a list answer ends: how many objects follow it, and the token to go on from (empty when none was sent).

    `session_id` names the session the page belongs to, for operations whose sessions outlive their pages.
    """

    remaining: int = 0
    last_sent: str = ""
    session_id: str = ""


class HeaderWriter:
    """Writes our header for one contract; nothing of the caller's is echoed, credentials least of all."""

    def __init__(self, contract: Contract, random: Random, now: Callable[[], datetime]) -> None:
        self._random = random
        self._now = now
        known = {a.name for a in contract.header.attributes}
        if "MajorVersion" in known:
            major, minor, build = contract.version.split(".")
            version = f'MajorVersion="{major}" MinorVersion="{minor}" Build="{build}" BuildString="Release"'
        else:
            version = f'Version="{contract.version}"'
        self._start = f'<{HEADER_NAME} xmlns="{contract.namespace}" {version} AppName="{APP_NAME}"'

    def write(self, utility_name: str, paging: Paging | None) -> str:
        """The header element; `paging` is None for an answer that is no list."""
        message_id = UUID(int=self._random.getrandbits(128), version=4)
        now = self._now().isoformat(timespec="milliseconds")
        page = ""
        if paging is not None:
            page = f' ObjectsRemaining="{paging.remaining}" LastSent="{escape(paging.last_sent)}"'
            if paging.session_id:
                page += f' SessionID="{escape(paging.session_id)}"'
        return f'{self._start} Company="{escape(utility_name)}" MessageID="{message_id}" TimeStamp="{now}"{page}/>'
