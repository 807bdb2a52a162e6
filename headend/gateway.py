"""Composition of the utility side: partners, their message logs, and the SOAP server in front of the utilities' stores."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, Protocol

from twisted.internet import defer
from twisted.internet.error import CannotListenError
from twisted.internet.threads import deferToThreadPool
from twisted.web.resource import Resource
from twisted.web.util import Redirect

from adapters.billing.desk import BillingDesk
from adapters.billing.http import BillingResource, NotLetInError
from adapters.store import Store
from adapters.tls import ServerTls
from headend.errors import RequestError
from headend.model.partner import Caller
from headend.model.utility import UtilityId
from headend.partner_directory import PartnerDirectory
from headend.passwords import hash_matches, is_hash, make_hash
from headend.settings import MessageSettings, Settings, SettingsError
from headend.surrounding import Surrounding
from multispeak.authentication import Evidence, PartnerAuthenticator
from multispeak.client_certificates import certificate_of
from multispeak.contract import load_contract
from multispeak.faults import RefusedCallError
from multispeak.http_hardening import BoundedSite
from multispeak.message_header import RequestHeader
from multispeak.message_log import LogPolicy, MessageLog
from multispeak.profile_checks import profile_problems
from multispeak.site import Surroundings, multispeak_resource
from wsdl import VERSIONS

LOGIN_THREADS = 2
"""Hashed passwords checked at once: each holds a core and 20 MiB for 40 ms."""


class ServedUtility(Protocol):
    """What of a utility is served."""

    @property
    def store(self) -> Store:
        """Its data."""

    @property
    def billing(self) -> BillingDesk:
        """Where billing documents are taken."""

    @property
    def messages(self) -> MessageLog | None:
        """Its message log, where it keeps one."""


def serve_partners(settings: Settings, utilities: Mapping[UtilityId, ServedUtility], around: Surrounding) -> tuple[Any, str]:
    """(the listening port, the public URL). Listens first: WSDLs tell an address, and the port may be one picked now."""
    root = Resource()
    site = BoundedSite(root, around.reactor)
    server = settings.server
    tls = server.tls and ServerTls(server.tls.certificate, server.tls.key, server.tls.client_ca)
    try:
        if tls is None:
            listening = around.reactor.listenTCP(server.port, site, interface=server.host)
        else:
            listening = around.reactor.listenSSL(server.port, site, tls, interface=server.host)
    except CannotListenError as error:
        raise RequestError(f"cannot serve at {server.host}:{server.port}: {error.socketError.strerror or error.socketError}") from None
    public_url = server.public_url or f"{'http' if tls is None else 'https'}://{server.host}:{listening.getHost().port}"
    logins = authenticator(settings, around)
    surroundings = Surroundings(
        authenticator=logins,
        stores=lambda caller: utilities[caller.utility.utility_id].store.seen_by(caller.partner.meters),
        public_url=public_url,
        now=around.now,
        clock=around.reactor,
        random=around.random,
        app_version=version("open-ami-headend"),
        logs=UtilityLogs(settings, utilities),
    )
    root.putChild(b"", Redirect(b"/multispeak"))
    root.putChild(b"multispeak", multispeak_resource(surroundings))
    billing_login = BillingLogin(logins, around.reactor)
    site.body_octets_max[b"/billing"] = server.billing_octets_max
    root.putChild(b"billing", BillingResource(billing_login, lambda caller: utilities[caller.utility.utility_id].billing))
    return listening, public_url


class BillingLogin:
    """Finds out who sends billing documents, by what SOAP callers are known by: user id and password, or a client certificate."""

    def __init__(self, logins: PartnerAuthenticator, clock: Any) -> None:
        self._logins = logins
        self._clock = clock

    async def __call__(self, request: Any, user_id: str, password: str) -> Caller:
        """See `Login`. What applies to programs' names does not here: HTTP says none."""
        certificate = certificate_of(request)
        if not user_id and certificate is None:
            raise NotLetInError("no login: send a partner's user id and password by HTTP Basic, or its client certificate")
        header = RequestHeader(user_id=user_id, password=password)
        evidence = Evidence(header, request.getClientAddress().host, self._clock.seconds(), certificate)
        try:
            return await self._logins.identify(evidence)
        except RefusedCallError as error:
            raise NotLetInError(str(error)) from None


class UtilityLogs:
    """The message logs of all utilities; a stranger's exchanges are kept with whom it claimed to be, else with the first utility."""

    def __init__(self, settings: Settings, utilities: Mapping[UtilityId, ServedUtility]) -> None:
        self._utilities = utilities
        self._homes = {p.user_id: u.utility.utility_id for u in settings.utilities for p in u.partners}
        self._first = settings.utilities[0].utility.utility_id

    def log_of(self, caller: Caller | None, user_id: str) -> MessageLog | None:
        """See `LogDirectory`."""
        return self._utilities[caller.utility.utility_id if caller else self._homes.get(user_id, self._first)].messages


def message_log(settings: MessageSettings, store: Store, around: Surrounding) -> MessageLog | None:
    """A utility's message log as the settings want it; None where they want none."""
    if not settings.days:
        return None
    policy = LogPolicy(settings.days, settings.megabytes * 1_000_000, settings.envelope_kib * 1_024)

    def on_thread(work: Callable[..., Any], *arguments: Any) -> defer.Deferred[Any]:
        return deferToThreadPool(around.reactor, around.reactor.getThreadPool(), work, *arguments)

    return MessageLog(store, policy, around.now, around.reactor, on_thread)


def check_profiles(settings: Settings) -> None:
    """Hold partners' profiles against the contracts, which settings do not know. Raises SettingsError."""
    partners = [p.partner for u in settings.utilities for p in u.partners if p.operations != ("*",) or p.notifications.urls]
    problems = profile_problems([load_contract(v) for v in VERSIONS], partners) if partners else []
    if problems:
        raise SettingsError("the settings file", problems)


def authenticator(settings: Settings, around: Surrounding) -> PartnerAuthenticator:
    """Who opens with what, as the settings say it; new settings are a new one, which knows no earlier login."""
    partners = [(u.utility, [p.partner for p in u.partners]) for u in settings.utilities]
    few = defer.DeferredSemaphore(LOGIN_THREADS)

    async def check_hash(password: str, stored: str) -> bool:
        matches: bool = await few.run(deferToThreadPool, around.reactor, around.reactor.getThreadPool(), hash_matches, password, stored)
        return matches

    any_hashed = any(is_hash(partner.password) for _, theirs in partners for partner in theirs)
    decoy = make_hash(around.random.randbytes(16).hex(), around.random.randbytes) if any_hashed else ""
    return PartnerAuthenticator(PartnerDirectory(partners), around.now, check_hash, around.random.randbytes(32), decoy)
