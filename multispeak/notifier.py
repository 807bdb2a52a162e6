"""Tells partners by SOAP: outcomes of what they asked for, as notifications to the addresses that they named. A client of their servers."""
# mypy: disable-error-code="no-untyped-call"

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from random import Random
from typing import Any

from twisted.logger import Logger

from headend.errors import StoreError
from headend.message_log import ANSWERED, Direction, MessageEntry
from headend.model.deferred import DeferredKind, TargetState
from headend.model.endpoint import EndpointId
from headend.model.event_telling import EventTelling
from headend.model.partner import Caller, Partner
from headend.model.selections import LOADS, REGISTERS, Period, quantities
from headend.model.telling import Attempt, Delivery, Telling
from headend.model.utility import Utility
from headend.reading_engine import MeterValues, PeriodReader, Target
from multispeak.answer_reading import Verdict, object_answers, verdict_of
from multispeak.binding import ServiceBinding
from multispeak.calls import Call, UtilityStore
from multispeak.contract import load_contract
from multispeak.exchange_notes import Notes
from multispeak.limits import NOTICE_OBJECTS_MAX
from multispeak.message_header import HeaderWriter, RequestHeader
from multispeak.message_log import NotedExchange
from multispeak.outcome_bodies import Notice, OutcomeBodies
from multispeak.peer_client import PeerClient
from multispeak.peer_connections import AddressRefusedError, failure_words
from multispeak.records import Records
from multispeak.spyne_import import NS_SOAP11_ENV, NS_SOAP12_ENV

ALL_NOTIFICATIONS = "MDM_Server"
"""The server of the contract that takes every notification of ours, in both versions."""

LOOK_BACK = timedelta(days=2)
"""How far back the load profile is told that no date was asked of."""

ENVELOPES = {"1.1": NS_SOAP11_ENV, "1.2": NS_SOAP12_ENV}
"""Version of SOAP → namespace of its envelope."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a notifier needs from the outside: `policies` are how TLS is spoken with each partner (Twisted's IPolicyForHTTPS).

    `notes` takes exchanges for the message log, where one is kept.
    """

    utility: Utility
    partners: Mapping[str, Partner]
    policies: Mapping[str, Any]
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
    """A Teller that speaks SOAP over HTTP; connections are kept while there is more to tell."""

    log = Logger()

    def __init__(self, around: Surroundings, reactor: Any) -> None:
        self._around = around
        self._reactor = reactor
        self._clients: dict[str, PeerClient] = {}
        self._faces: dict[str, Face] = {}

    async def stop(self) -> None:
        """Close idle connections."""
        for client in self._clients.values():
            await client.stop()

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

    def _client(self, partner: Partner) -> PeerClient:
        found = self._clients.get(partner.user_id)
        if found is None:
            found = PeerClient(self._reactor, partner.notifications, self._around.policies[partner.user_id])
            self._clients[partner.user_id] = found
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
        wanted = quantities(REGISTERS.registers, LOADS)
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
        envelope = ENVELOPES[profile.soap]
        body = (
            f'<?xml version="1.0" encoding="utf-8"?>\n<soap:Envelope xmlns:soap="{envelope}"><soap:Header>{header}</soap:Header>'
            f"<soap:Body>{bound.write_request(notice.values)}</soap:Body></soap:Envelope>"
        ).encode()
        began, seconds = self._around.now(), self._reactor.seconds()
        answer = b""
        reachable = True
        try:
            status, answer = await self._client(partner).post(telling.response_url, bound.operation.soap_action, body)
            verdict = verdict_of(status, answer)
        except AddressRefusedError as error:
            verdict = Verdict(Delivery.REFUSED, failure_words(error, profile.timeout_seconds))
        except Exception as error:  # noqa: BLE001  # whatever a partner's server does, the other partners are told
            reachable = False
            verdict = Verdict(Delivery.QUEUED, failure_words(error, profile.timeout_seconds))
        self._note(telling, partner, notice, verdict, (began, self._reactor.seconds() - seconds), body, answer)
        said = object_answers(answer, notice.object_ids, notice.message_ids) if notice.object_ids else {}
        return Attempt(notice.message_ids, verdict.delivery, verdict.reason, reachable, said)

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
            soap=partner.notifications.soap,
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
