"""Tells partners by SOAP: outcomes of what they asked for, as notifications to the addresses that they named. A client of their servers."""
# mypy: disable-error-code="no-untyped-call"

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionLost, DNSLookupError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from headend.errors import StoreError
from headend.message_log import ANSWERED, Direction, MessageEntry
from headend.model.deferred import DeferredKind, TargetState
from headend.model.endpoint import EndpointId
from headend.model.event_telling import EventTelling
from headend.model.partner import Caller, Partner
from headend.model.selections import LOADS, Period, quantities
from headend.model.telling import Attempt, Delivery, Telling
from headend.model.utility import Utility
from headend.reading_engine import MeterValues, PeriodReader, Target
from multispeak.answer_reading import Verdict, object_answers, verdict_of
from multispeak.binding import ServiceBinding
from multispeak.calls import Call, UtilityStore
from multispeak.contract import load_contract
from multispeak.exchange_notes import Notes
from multispeak.limits import ANSWER_OCTETS_MAX, NOTICE_OBJECTS_MAX
from multispeak.message_header import APP_NAME, HeaderWriter, RequestHeader
from multispeak.message_log import NotedExchange
from multispeak.outcome_bodies import Notice, OutcomeBodies
from multispeak.records import Records
from multispeak.spyne_import import NS_SOAP11_ENV

ALL_NOTIFICATIONS = "MDM_Server"
"""The server of the contract that takes every notification of ours, in both versions."""

LOOK_BACK = timedelta(days=2)
"""How far back the load profile is told that no date was asked of."""

CONNECT_SECONDS = 10.0
"""How long a connection may take to be made."""

_SILENCE = (ConnectError, ConnectionLost, DNSLookupError, ResponseFailed, CancelledError)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a notifier needs from the outside; `notes` takes exchanges for the message log, where one is kept."""

    utility: Utility
    partners: Mapping[str, Partner]
    store: UtilityStore
    now: Callable[[], datetime]
    random: Random
    app_version: str = ""
    notes: Notes | None = None


class Face:
    """One version, ready to speak."""

    def __init__(self, version: str, around: Surroundings) -> None:
        contract = load_contract(version)
        self.binding = ServiceBinding(contract, contract.services[ALL_NOTIFICATIONS], Records(contract))
        self.header = HeaderWriter(contract, around.random, around.now, around.app_version)

    @cached_property
    def operations(self) -> Mapping[str, Any]:
        """Operations of the contract that notify."""
        return {name: bound.operation for name, bound in self.binding.operations.items()}


class Notifier:
    """A Teller that speaks SOAP 1.1 over HTTP; connections are kept while there is more to tell."""

    log = Logger()

    def __init__(self, around: Surroundings, reactor: Any) -> None:
        self._around = around
        self._reactor = reactor
        self._pool = HTTPConnectionPool(reactor, persistent=True)
        self._agent = Agent(reactor, connectTimeout=CONNECT_SECONDS, pool=self._pool)
        self._faces: dict[str, Face] = {}

    async def stop(self) -> None:
        """Close idle connections."""
        await self._pool.closeCachedConnections()

    async def tell(self, telling: Telling) -> Sequence[Attempt]:
        """See Teller."""
        everything = tuple(told.message_id for told in telling.objects)
        partner = self._around.partners.get(telling.partner)
        if partner is None:
            return [Attempt(everything, Delivery.PARKED, "the settings name no such partner any more")]
        try:
            notices = await self._notices(telling, partner)
        except StoreError as error:
            return [Attempt(everything, Delivery.QUEUED, str(error), reachable=False)]
        except Exception as error:  # noqa: BLE001  # job ended: our mistake with one request must not stop the others
            self.log.failure("telling the outcome of {operation}", operation=telling.operation)
            return [Attempt(everything, Delivery.PARKED, f"not understood: {type(error).__name__}")]
        attempts: list[Attempt] = []
        for notice in notices:
            if attempts and not attempts[-1].reachable:
                attempts.append(Attempt(notice.message_ids, Delivery.QUEUED, attempts[-1].reason, reachable=False))
            else:
                attempts.append(await self.send(telling, partner, notice))
        return attempts

    def face(self, version: str) -> Face:
        """One version, made when it is first needed."""
        found = self._faces.get(version)
        if found is None:
            found = self._faces[version] = Face(version, self._around)
        return found

    async def _notices(self, telling: Telling, partner: Partner) -> list[Notice]:
        face = self.face(partner.notifications.version or telling.version)
        call = Call(
            operation=telling.operation,
            caller=Caller(self._around.utility, partner),
            header=RequestHeader(),
            request=None,
            store=self._around.store,
            binding=face.binding,
            now=self._around.now(),
            new_id=face.header.new_id,
        )
        bodies = OutcomeBodies(call, face.operations, plural=partner.notifications.plural, objects_max=NOTICE_OBJECTS_MAX)
        return bodies.notices(telling, await self._values(telling))

    async def _values(self, telling: Telling) -> dict[EndpointId, MeterValues]:
        """What the store holds of those whose intervals were read."""
        if telling.kind not in {DeferredKind.LOAD_PROFILE_READ, DeferredKind.HISTORICAL_READ}:
            return {}
        read = [Target(o.meter.meter_no, o.meter) for o in telling.objects if o.outcome.state is TargetState.SUCCEEDED]
        if not read:
            return {}
        wanted = quantities(registers=LOADS, intervals=LOADS)
        reader = PeriodReader(self._around.store, self._period(telling), wanted, ends=True)
        values = await reader.read(read)
        return {one.meter.endpoint_id: one for one in values if one.meter is not None}

    def _period(self, telling: Telling) -> Period:
        """The local day of a date that was asked for, else up to now."""
        asked = telling.parameters.get("date")
        if asked:
            instant = datetime.fromisoformat(asked)
            if instant.tzinfo is None:
                instant = instant.replace(tzinfo=self._around.utility.time_zone)
            return Period(*self._around.utility.day_bounds(self._around.utility.local_day(instant)))
        now = self._around.now()
        return Period(now - LOOK_BACK, now)

    async def send(self, telling: Telling | EventTelling, partner: Partner, notice: Notice) -> Attempt:
        """One attempt to send one notification. Never raises."""
        profile = partner.notifications
        face = self.face(profile.version or telling.version)
        bound = face.binding.operations[notice.name]
        credentials = notice.credentials or profile.credentials
        header = face.header.write(self._around.utility.name, credentials=credentials, registration_id=notice.registration_id)
        body = (
            f'<?xml version="1.0" encoding="utf-8"?>\n<soap:Envelope xmlns:soap="{NS_SOAP11_ENV}"><soap:Header>{header}</soap:Header>'
            f"<soap:Body>{bound.write_request(notice.values)}</soap:Body></soap:Envelope>"
        ).encode()
        began, seconds = self._around.now(), self._reactor.seconds()
        answer = b""
        reachable = True
        try:
            status, answer = await self._post(telling.response_url, bound.operation.soap_action, body, profile.timeout_seconds)
            verdict = verdict_of(status, answer)
        except Exception as error:  # noqa: BLE001  # whatever a partner's server does, the other partners are told
            reachable = False
            verdict = Verdict(Delivery.QUEUED, _reason(error))
            if not isinstance(error, _SILENCE):
                self.log.warn("{url}: {reason}", url=telling.response_url, reason=verdict.reason)
        self._note(telling, partner, notice, verdict, (began, self._reactor.seconds() - seconds), body, answer)
        said = object_answers(answer, notice.object_ids, notice.message_ids) if notice.object_ids else {}
        return Attempt(notice.message_ids, verdict.delivery, verdict.reason, reachable, said)

    async def _post(self, url: str, soap_action: str, body: bytes, timeout_seconds: float) -> tuple[int, bytes]:
        headers = Headers({"Content-Type": ["text/xml; charset=utf-8"], "SOAPAction": [f'"{soap_action}"'], "User-Agent": [APP_NAME]})
        asked = self._agent.request(b"POST", url.encode(), headers, _Octets(body))

        async def exchange() -> tuple[int, bytes]:
            response = await asked
            ended: Deferred[bytes] = Deferred()
            response.deliverBody(_Bounded(ended, ANSWER_OCTETS_MAX))
            return response.code, await ended

        whole = Deferred.fromCoroutine(exchange())
        whole.addTimeout(timeout_seconds, self._reactor)
        return await whole

    def _note(
        self,
        telling: Telling | EventTelling,
        partner: Partner,
        notice: Notice,
        verdict: Verdict,
        when: tuple[datetime, float],
        body: bytes,
        answer: bytes,
    ) -> None:
        notes = self._around.notes
        if notes is None:
            return
        entry = MessageEntry(
            direction=Direction.OUT,
            began=when[0],
            duration_us=round(when[1] * 1e6),
            partner=telling.partner,
            address=telling.response_url,
            server=telling.server,
            version=partner.notifications.version or telling.version,
            soap="1.1",
            operation=notice.name,
            transaction_id=telling.transaction_id or "",
            registration_id=notice.registration_id,
            objects_in=len(notice.message_ids),
            objects_out=0,
            octets_in=len(body),
            octets_out=len(answer),
            verdict=ANSWERED if verdict.delivery is Delivery.ACKNOWLEDGED else verdict.reason or verdict.delivery.value,
        )
        credentials = notice.credentials or partner.notifications.credentials
        most = notes.envelope_octets_max
        notes.note(NotedExchange(entry, body[:most], answer[:most], (credentials.password,) if credentials else ()))


def _reason(error: BaseException) -> str:
    """A failure of the connection in words; what it was about, not where in our code."""
    if isinstance(error, ResponseFailed) and error.reasons:
        return _reason(error.reasons[0].value)
    words = str(error).strip() or type(error).__name__
    return f"{type(error).__name__}: {words}"[:300]


@implementer(IBodyProducer)
class _Octets:
    """A body of a request that is there already."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.length = len(octets)

    def startProducing(self, consumer: Any) -> Deferred[None]:  # noqa: N802 (Twisted's name)
        consumer.write(self._octets)
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def pauseProducing(self) -> None:  # noqa: N802
        """All is written at once."""

    def resumeProducing(self) -> None:  # noqa: N802
        """All is written at once."""

    def stopProducing(self) -> None:  # noqa: N802
        """All is written at once."""


class _Bounded(Protocol):
    """Takes the body of an answer up to a bound; what is beyond it is not read."""

    def __init__(self, ended: Deferred[bytes], octets_max: int) -> None:
        self._ended = ended
        self._octets = bytearray()
        self._octets_max = octets_max

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self._octets += data
        if len(self._octets) > self._octets_max and self.transport is not None:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        if not self._ended.called:
            self._ended.callback(bytes(self._octets[: self._octets_max]))
