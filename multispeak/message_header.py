"""MultiSpeakMsgHeader: what a caller says of itself, and what we say in ours.

Source  reference/multispeak.md 2, 3
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from headend.model.partner import Credentials
from multispeak.contract import HEADER_NAME, Contract
from multispeak.envelope import Envelope
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.writers import escape
from multispeak.ws_security import UsernameToken, read_username_token

APP_NAME = "Open AMI Head-End"
_UUID_VERSION_4 = 0x4 << 76 | 0x8 << 60
_UUID_RANDOM = ~(0xF << 76 | 0xC << 60)


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """What of a caller's header is used; text as sent, empty where absent. `token` is what a WS-Security header says instead of it."""

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
    token: UsernameToken | None = None


NOTHING_SAID = RequestHeader()
"""The header of a message before it is read, or of one without."""


def read_header(envelope: Envelope) -> RequestHeader:
    """The MultiSpeak header, and the UsernameToken beside or instead of it.

    Read attribute by attribute and not against the schema: an empty ObjectsRemaining or a missing BuildString harms nobody.
    """
    block = envelope.header
    token = read_username_token(envelope.security)
    if block is None:
        return RequestHeader(token=token)
    said = dict(block.items()).get
    return RequestHeader(
        user_id=said("UserID", ""),
        password=said("Pwd", ""),
        namespace=str(block.tag).rpartition("}")[0][1:],
        version=(said("Version") or said("MajorVersion") or "").strip(),
        app_name=said("AppName", ""),
        company=said("Company", ""),
        session_id=said("SessionID", ""),
        previous_session_id=said("PreviousSessionID", ""),
        registration_id=said("RegistrationID", ""),
        message_id=said("MessageID", ""),
        token=token,
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

    `session_id` names the session the page belongs to, for operations whose sessions outlive their pages; others get one.
    """

    remaining: int = 0
    last_sent: str = ""
    session_id: str = ""


class HeaderWriter:
    """Writes our header for one contract; nothing of the caller's is echoed, credentials least of all."""

    def __init__(self, contract: Contract, random: Random, now: Callable[[], datetime], app_version: str) -> None:
        self._random = random
        self._now = now
        known = {a.name for a in contract.header.attributes}
        if "MajorVersion" in known:
            major, minor, build = contract.version.split(".")
            version = f'MajorVersion="{major}" MinorVersion="{minor}" Build="{build}" BuildString="Release"'
        else:
            version = f'Version="{contract.version}"'
        application = f' AppVersion="{escape(app_version)}"' if app_version else ""
        self._start = f'<{HEADER_NAME} xmlns="{contract.namespace}" {version} AppName="{APP_NAME}"{application}'

    def new_id(self) -> str:
        """An id of ours, in random order: a UUID of version 4, written without making one, which costs three times as much."""
        digits = f"{self._random.getrandbits(128) & _UUID_RANDOM | _UUID_VERSION_4:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def write(
        self, utility_name: str, paging: Paging | None = None, credentials: Credentials | None = None, registration_id: str = ""
    ) -> str:
        """The header element; `paging` is None for what is no list. On the last page nothing is left to go on from.

        `credentials` are what we log in with, and `registration_id` what a partner registered under, where we are the client.
        """
        now = self._now().isoformat(timespec="milliseconds")
        page = ""
        if paging is not None:
            last_sent = escape(paging.last_sent) if paging.remaining else ""
            page = f' SessionID="{escape(paging.session_id)}" ObjectsRemaining="{paging.remaining}" LastSent="{last_sent}"'
        login = f' UserID="{escape(credentials.user_id)}" Pwd="{escape(credentials.password)}"' if credentials else ""
        if registration_id:
            login += f' RegistrationID="{escape(registration_id)}"'
        return f'{self._start}{login} Company="{escape(utility_name)}" MessageID="{self.new_id()}" TimeStamp="{now}"{page}/>'
