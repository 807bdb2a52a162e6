"""One service tested: its operations called in order, each answer judged, what it tells used for the next."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from random import Random
from uuid import UUID

from lxml import etree

from headend.errors import LinkError
from multispeak.contract import Contract, OperationDef
from multispeak.example_values import METER
from multispeak.examples import Examples, envelope, header_element
from multispeak.limits import SELFTEST_SHOWN_CHARACTERS
from multispeak.packed_envelopes import laid_out
from multispeak.redaction import redacted_text
from multispeak.schema import compile_schema
from multispeak.selftest.assertions import Assertion, Judgement, ServiceReport, Verdict
from multispeak.selftest.discovery import Target
from multispeak.selftest.judging import MEDIA_TYPES, Heard, Judge
from multispeak.selftest.learning import advertised, learned
from multispeak.selftest.plan import OWN, acts, calling_order, period, subjects_for
from multispeak.selftest.posting import HttpAnswer, HttpCaller
from multispeak.ws_security import username_token

APP_NAME = "Open AMI Head-End self-test"
UNKNOWN_OPERATION = "SelfTestOfAnOperationThatIsNone"
NOBODY = "selftest-nobody"
_CLOSED = "PingURL was not answered, so nothing else is asked"
_SUMMARY_CHARACTERS = 200


class LoginWay(StrEnum):
    """How a self-test shows who calls: in the MultiSpeak header, by a WS-Security UsernameToken, or by the client certificate alone."""

    HEADER = "header"
    TOKEN = "token"  # noqa: S105 (a word of the command line)
    DIGEST = "digest"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class SelfTestOptions:
    """What whoever tests wants: who calls, what may happen, and values by subject that are used instead of found ones."""

    user_id: str
    password: str = field(repr=False)
    soap: str = "1.1"
    effects: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    days: int = 1
    login: LoginWay = LoginWay.HEADER


@dataclass(frozen=True, slots=True)
class _Exchanged:
    """One call: what went out, what came, what it is worth."""

    sent: bytes
    answer: HttpAnswer | None
    heard: Heard

    def is_response_of(self, operation: str) -> bool:
        """Whether the operation answered, be it validly or not: no fault, no web page, no silence."""
        return self.answer is not None and f"{operation}Response".encode() in self.answer.octets


class ServiceTest:
    """Tests one service; `known` is what earlier ones have told, and grows."""

    def __init__(
        self,
        contract: Contract,
        target: Target,
        caller: HttpCaller,
        options: SelfTestOptions,
        known: dict[str, str],
        now: Callable[[], datetime],
        random: Random,
    ) -> None:
        self._contract = contract
        self._service = contract.services[target.service]
        self._target = target
        self._caller = caller
        self._options = options
        self._known = known
        self._now = now
        self._random = random
        self._schema = compile_schema(contract, self._service)
        self.report = ServiceReport(target.service, target.version, target.url)

    @property
    def total(self) -> int:
        """How many assertions there will be."""
        return len(self._service.operations) + 4

    def run(self) -> Iterator[Assertion]:
        """All assertions, each as soon as it is there."""
        for assertion in self._assertions():
            self.report.assertions.append(assertion)
            yield assertion

    def _assertions(self) -> Iterator[Assertion]:
        yield self._wsdl()
        methods = self._target.operations
        self._known.update(self._options.values)
        if self._options.effects:
            self._known.update({subject: text for subject, text in OWN.items() if subject not in self._options.values})
        closed = ""
        for name in calling_order(self._service.operations):
            if name not in methods:
                yield Assertion(name, Verdict.ABSENT)
            elif closed:
                yield Assertion(name, Verdict.SKIPPED, note=closed)
            elif acts(name) and not self._options.effects:
                yield Assertion(name, Verdict.SKIPPED)
            elif acts(name) and self._options.values.get(METER) is None:
                yield Assertion(name, Verdict.SKIPPED, note="no meter is named that effects may be tried on")
            else:
                assertion, exchanged = self._call(self._service.operations[name])
                yield assertion
                body = exchanged.heard.body
                if name == "PingURL" and not exchanged.is_response_of(name):
                    closed = _CLOSED
                if assertion.verdict is not Verdict.PASSED or body is None:
                    continue
                if name == "GetMethods":
                    methods = methods & advertised(body) if advertised(body) else methods
                self._known.update(learned(name, body, self._options.values))
        yield from self._refusals()

    def _wsdl(self) -> Assertion:
        notes = [*self._target.problems, *self._target.remarks]
        note = "; ".join(notes) or f"{len(self._target.operations)} operations, all of the contract's"
        return Assertion("WSDL", Verdict.FAILED if self._target.problems else Verdict.PASSED, "GET ?wsdl", note)

    def _call(self, operation: OperationDef) -> tuple[Assertion, _Exchanged]:
        """One operation; of an answer that is a page of more, the next page too."""
        subjects = self._subjects(operation)
        request = Examples(self._contract, subjects).request(operation)
        exchanged = self._exchange(operation.name, operation.soap_action, request)
        judgement = exchanged.heard.judgement
        if operation.name == "PingURL" and judgement.verdict is Verdict.REFUSED:
            judgement = Judgement(Verdict.FAILED, f"with this login nothing can be tested: {judgement.note}")
        if judgement.verdict is Verdict.PASSED:
            judgement = self._with_next_page(operation, subjects, exchanged.heard) or judgement
        return self._assertion(operation.name, judgement, exchanged, _summary(request)), exchanged

    def _subjects(self, operation: OperationDef) -> dict[str, str]:
        known = {**period(self._now(), self._options.days), **self._known}
        return subjects_for(operation.name, self._service.name, self._contract.version, known, self._new_id())

    def _with_next_page(self, operation: OperationDef, subjects: Mapping[str, str], heard: Heard) -> Judgement | None:
        """The verdict on paging, where there is a next page and something is wrong with it."""
        header = heard.header
        if header is None or not (header.get("ObjectsRemaining") or "0").isdecimal() or int(header.get("ObjectsRemaining") or 0) == 0:
            return None
        remaining, last_sent = int(header.get("ObjectsRemaining") or 0), header.get("LastSent", "")
        request = Examples(self._contract, subjects).request(operation)
        place = request.find(self._contract.tag("lastReceived"))
        if place is None:
            return None
        if not last_sent:
            return Judgement(Verdict.FAILED, f"ObjectsRemaining is {remaining}, but LastSent is empty: no client can go on")
        place.text = last_sent
        after = self._exchange(operation.name, operation.soap_action, request).heard
        if after.judgement.verdict is not Verdict.PASSED:
            return Judgement(Verdict.FAILED, f"the second page: {after.judgement.note}")
        said = (after.header.get("ObjectsRemaining") or "0") if after.header is not None else "0"
        if after.header is None or not said.isdecimal() or int(said) >= remaining:
            return Judgement(Verdict.FAILED, f"ObjectsRemaining is {remaining} on the first page and {said} on the second")
        return Judgement(Verdict.PASSED, f"{heard.judgement.note}; second page: {after.judgement.note}")

    def _refusals(self) -> Iterator[Assertion]:
        """What must be refused, by a fault that is one."""
        ping = self._service.operations.get("PingURL") or next(iter(self._service.operations.values()))
        request = Examples(self._contract).request(ping)
        # Not the real UserID with a wrong password: some servers lock a user out after a few of these, ours for a minute.
        wrong = self._exchange(ping.name, ping.soap_action, request, login=(NOBODY, self._new_id()))
        yield self._refused("a login that is none", wrong, f"{ping.name} as {NOBODY}")
        strange = etree.Element(self._contract.tag(UNKNOWN_OPERATION), nsmap={None: self._contract.namespace})
        unknown = self._exchange(UNKNOWN_OPERATION, f"{self._contract.namespace}/{UNKNOWN_OPERATION}", strange)
        yield self._refused("an unknown operation", unknown, UNKNOWN_OPERATION)
        broken = self._exchange(ping.name, ping.soap_action, request, cut=20)
        yield self._refused("a broken envelope", broken, f"{ping.name}, cut off")

    def _refused(self, title: str, exchanged: _Exchanged, request: str) -> Assertion:
        fault = exchanged.heard.body is not None and etree.QName(exchanged.heard.body).localname == "Fault"
        if fault:
            judgement = Judgement(Verdict.PASSED, exchanged.heard.judgement.note.replace("advertised, but ", ""))
        elif exchanged.heard.judgement.verdict is Verdict.PASSED:
            judgement = Judgement(Verdict.FAILED, f"{title} is taken")
        else:
            judgement = exchanged.heard.judgement
        return self._assertion(title, judgement, exchanged, request)

    def _exchange(self, name: str, action: str, request: etree._Element, *, login: tuple[str, str] = ("", ""), cut: int = 0) -> _Exchanged:
        user_id, secret = login if login[0] else (self._options.user_id, self._options.password)
        judge = Judge(self._contract, self._schema, self._options.soap, secret)
        wrong = "" if name == UNKNOWN_OPERATION else judge.invalid(etree.fromstring(etree.tostring(request)))
        sent = envelope(self._options.soap, self._headers(user_id, secret, is_own=not login[0]), request)
        sent = sent[: len(sent) - cut]
        if wrong:
            return _Exchanged(sent, None, Heard(Judgement(Verdict.FAILED, f"our request is not valid, which is our mistake: {wrong}")))
        try:
            answer = self._caller.post(self._target.url, sent, self._http_headers(action))
        except LinkError as error:
            return _Exchanged(sent, None, Heard(Judgement(Verdict.FAILED, str(error))))
        return _Exchanged(sent, answer, judge.judge(name, answer))

    def _headers(self, user_id: str, secret: str, *, is_own: bool) -> list[etree._Element]:
        """The MultiSpeak header, and what else logs in. Nobody's login comes in the header, if the own is the certificate."""
        way = self._options.login
        in_header = way is LoginWay.HEADER or (way is LoginWay.CERTIFICATE and not is_own)
        login = {"UserID": user_id, "Pwd": secret} if in_header else {}
        now, message_id = self._now(), self._new_id()
        header = header_element(self._contract, **login, AppName=APP_NAME, MessageID=message_id, TimeStamp=now.isoformat())
        if way is LoginWay.TOKEN:
            return [header, username_token(user_id, secret, now)]
        if way is LoginWay.DIGEST:
            return [header, username_token(user_id, secret, now, self._random.randbytes(16))]
        return [header]

    def _http_headers(self, action: str) -> dict[str, str]:
        media_type = MEDIA_TYPES[self._options.soap]
        if self._options.soap == "1.1":
            return {"Content-Type": f"{media_type}; charset=utf-8", "SOAPAction": f'"{action}"'}
        return {"Content-Type": f'{media_type}; charset=utf-8; action="{action}"'}

    def _assertion(self, operation: str, judgement: Judgement, exchanged: _Exchanged, request: str) -> Assertion:
        answer = exchanged.answer
        return Assertion(
            operation,
            judgement.verdict,
            request,
            self._shown(judgement.note.encode()),
            self._shown(exchanged.sent),
            "" if answer is None else self._shown(answer.octets, lay_out=True),
            None if answer is None else answer.seconds,
        )

    def _shown(self, octets: bytes, *, lay_out: bool = False) -> str:
        """Text for people, without secrets, and its head where it is long."""
        head = octets[: 2 * SELFTEST_SHOWN_CHARACTERS]
        text = redacted_text(head, (self._options.password,))
        text = laid_out(text) if lay_out and len(head) == len(octets) else text
        return text if len(text) <= SELFTEST_SHOWN_CHARACTERS else text[:SELFTEST_SHOWN_CHARACTERS] + "\n…"

    def _new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))


def _summary(request: etree._Element) -> str:
    """The parameters of a request, in one line."""
    told = [f"{etree.QName(p).localname}={' '.join(' '.join(str(t) for t in p.itertext()).split())}" for p in request if len(p) or p.text]
    text = ", ".join(told)
    return text if len(text) <= _SUMMARY_CHARACTERS else text[:_SUMMARY_CHARACTERS] + "…"
