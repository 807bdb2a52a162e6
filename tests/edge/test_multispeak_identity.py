"""Who a caller is: passwords in the clear and hashed, UsernameTokens, client certificates; what throttles, what is remembered."""

import asyncio
import base64
import hashlib
import os
from datetime import datetime, timedelta

import pytest
from lxml import etree

from headend.model.partner import Caller, ClientCertificate, Partner
from headend.partner_directory import PartnerDirectory
from headend.passwords import hash_matches, make_hash
from multispeak.authentication import Evidence, PartnerAuthenticator
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import FAILED_LOGINS_MAX, LOGINS_CHECKED_MAX, NONCES_PER_USER_MAX, TOKEN_FRESH_SECONDS
from multispeak.logins import KnownLogins
from multispeak.message_header import RequestHeader
from multispeak.ws_security import NonceMemory, UsernameToken
from tests.fakes.soap_world import ENVELOPES, NAMESPACES, NOW, UTILITY, ask, demo_queries, fault_of, server

HASHED = make_hash("open sesame", os.urandom)
CERTIFICATE = ClientCertificate("ab" * 32, "CN=oms")
PARTNERS = [
    Partner("clear", "Clear", "pass-word"),
    Partner("hashed", "Hashed", HASHED),
    Partner("oms", "OMS", "", certificate=ClientCertificate(subject="CN=oms")),
    Partner("mdm", "MDM", "pass-word", certificate=ClientCertificate(sha256="cd" * 32)),
    Partner("vendor", "Vendor", "pass-word", company="ACME Software", applications=("CIS*",)),
]


class Door:
    """An authenticator whose hash checks are counted, and a clock turned by hand."""

    def __init__(self, decoy: str = "") -> None:
        self.now = NOW
        self.checked: list[str] = []
        self.logins = PartnerAuthenticator(
            PartnerDirectory([(UTILITY, PARTNERS)]), lambda: self.now, self.check, b"key of this process", decoy
        )

    async def check(self, password: str, stored: str) -> bool:
        self.checked.append(stored)
        return hash_matches(password, stored)

    def knock(self, header: RequestHeader, certificate: ClientCertificate | None = None, address: str = "a", seconds: float = 0.0) -> str:
        """The UserID of whoever was let in, else the fault's code and sentence."""
        try:
            caller: Caller = asyncio.run(self.logins.authenticate(Evidence(header, address, seconds, certificate)))
        except RefusedCallError as error:
            return f"{error.code}: {error}".replace("pass-word", "A SECRET IS TOLD")
        return caller.partner.user_id


def digest(user: str, password: str, created: datetime = NOW, nonce: bytes = b"0123456789abcdef") -> RequestHeader:
    said = created.isoformat()
    octets = hashlib.sha1(nonce + said.encode() + password.encode()).digest()
    token = UsernameToken(user, digest=base64.b64encode(octets).decode(), nonce=base64.b64encode(nonce).decode(), created=said)
    return RequestHeader(token=token)


def test_a_hashed_password_is_hashed_once_and_then_known() -> None:
    door = Door()
    for _ in range(3):
        assert door.knock(RequestHeader("hashed", "open sesame")) == "hashed"
    assert door.checked == [HASHED]
    assert door.knock(RequestHeader("hashed", "open sesam")).startswith("Client.Authentication")
    assert door.knock(RequestHeader("hashed", HASHED)).startswith("Client.Authentication"), "the hash itself opens nothing"
    assert len(door.checked) == 3


def test_a_hash_that_settings_replaced_is_not_opened_by_what_matched_the_old_one() -> None:
    known = KnownLogins(b"k")
    known.add(known.name("u", "p"), "old hash")
    assert known.match(known.name("u", "p"), "old hash")
    assert not known.match(known.name("u", "p"), "new hash")
    assert known.name("ab", "c") != known.name("a", "bc")


def test_every_failure_costs_a_hash_check_where_some_partner_has_one() -> None:
    door = Door(decoy=make_hash("nobody's", os.urandom))
    for header in (RequestHeader("nobody", "guess-1"), RequestHeader("clear", "guess-2"), RequestHeader("hashed", "guess-3")):
        before = len(door.checked)
        assert door.knock(header).startswith("Client.Authentication")
        assert len(door.checked) == before + 1
    assert door.knock(RequestHeader("clear", "pass-word")) == "clear"
    assert len(door.checked) == 3


def test_calls_with_one_login_share_one_check_and_there_is_a_most_of_them() -> None:
    started: list[asyncio.Future[bool]] = []

    async def run() -> tuple[list[object], int]:
        from twisted.internet.defer import Deferred

        checks: list[Deferred[bool]] = []

        def check(password: str, stored: str) -> Deferred[bool]:
            checks.append(Deferred())
            return checks[-1]

        logins = PartnerAuthenticator(PartnerDirectory([(UTILITY, PARTNERS)]), lambda: NOW, check, b"k")
        outcomes: list[object] = []

        def start(password: str, address: str) -> None:
            coroutine = logins.authenticate(Evidence(RequestHeader("hashed", password), address, 0.0))
            Deferred.fromCoroutine(coroutine).addBoth(outcomes.append)

        for _ in range(5):
            start("open sesame", "a")
        assert len(checks) == 1
        for i in range(LOGINS_CHECKED_MAX):
            start(f"guess {i}", f"b{i}")
        assert len(checks) == LOGINS_CHECKED_MAX
        checks[0].callback(True)
        return outcomes, len(checks)

    outcomes, _ = asyncio.run(run())
    busy = outcomes.pop(0)
    assert busy.value.code == FaultCode.BUSY  # type: ignore[attr-defined]
    assert [o.partner.user_id for o in outcomes] == ["hashed"] * 5  # type: ignore[attr-defined]
    assert not started


def test_a_digest_opens_once() -> None:
    door = Door()
    header = digest("clear", "pass-word")
    assert door.knock(header) == "clear"
    assert "used before" in door.knock(header)
    assert door.knock(digest("clear", "pass-word", nonce=b"another")) == "clear"
    assert "do not match" in door.knock(digest("clear", "pass-wort", nonce=b"third"))
    assert "do not match" in door.knock(digest("nobody", "", nonce=b"fourth"))
    assert "do not match" in door.knock(digest("oms", "", nonce=b"fifth")), "a partner without a password has no digest"


@pytest.mark.parametrize("seconds", [-TOKEN_FRESH_SECONDS - 1, TOKEN_FRESH_SECONDS + 1])
def test_a_digest_is_taken_while_it_is_fresh(seconds: int) -> None:
    door = Door()
    said = door.knock(digest("clear", "pass-word", NOW + timedelta(seconds=seconds)))
    assert said.startswith("Client.Authentication: Created is")
    assert door.knock(digest("clear", "pass-word", NOW + timedelta(seconds=seconds - (1 if seconds > 0 else -1)))) == "clear"


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (UsernameToken("clear", digest="x", created=NOW.isoformat()), "needs a Nonce and Created"),
        (UsernameToken("clear", digest="x", nonce="eA=="), "needs a Nonce and Created"),
        (UsernameToken("clear", digest="x", nonce="eA==", created="yesterday"), "'yesterday', which is no date"),
        (UsernameToken("clear", digest="x", nonce="%%%", created=NOW.isoformat()), "do not match"),
        (UsernameToken("clear", digest="x", nonce="A" * 4096, created=NOW.isoformat()), "do not match"),
        (UsernameToken("hashed", digest="x", nonce="eA==", created=NOW.isoformat()), "cannot be held against a hashed password"),
    ],
)
def test_what_is_wrong_with_a_digest_is_said(token: UsernameToken, said: str) -> None:
    assert said in Door().knock(RequestHeader(token=token))


def test_nonces_are_bounded_and_none_opens_twice_even_when_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    from multispeak import ws_security

    assert NONCES_PER_USER_MAX > 3
    monkeypatch.setattr(ws_security, "NONCES_PER_USER_MAX", 3)
    memory = NonceMemory()
    created = [NOW + timedelta(seconds=i) for i in range(5)]
    for i, instant in enumerate(created):
        memory.require_new("u", f"n{i}", instant, NOW)
    for i, instant in enumerate(created):
        with pytest.raises(RefusedCallError):
            memory.require_new("u", f"n{i}", instant, NOW)
    memory.require_new("v", "n0", created[0], NOW)


def test_a_nonce_is_forgotten_when_it_is_stale() -> None:
    memory = NonceMemory()
    memory.require_new("u", "n", NOW, NOW)
    later = NOW + timedelta(seconds=TOKEN_FRESH_SECONDS * 2 + 1)
    memory.require_new("u", "n", later, later)


def test_a_token_stands_in_for_a_header_without_a_password() -> None:
    door = Door()
    token = UsernameToken("clear", "pass-word")
    assert door.knock(RequestHeader(token=token)) == "clear"
    assert door.knock(RequestHeader("clear", "", token=token)) == "clear"
    assert door.knock(RequestHeader("mdm", "pass-word", token=token)) == "mdm"


def test_a_client_certificate_opens_by_itself_or_with_its_partners_secret() -> None:
    door = Door()
    assert door.knock(RequestHeader(), CERTIFICATE) == "oms"
    assert door.knock(RequestHeader("oms"), CERTIFICATE) == "oms"
    assert door.knock(RequestHeader(), ClientCertificate("cd" * 32, "CN=whatever")) == "mdm"
    assert door.knock(RequestHeader("mdm", "pass-word"), ClientCertificate("cd" * 32)) == "mdm"
    assert "do not match" in door.knock(RequestHeader("mdm", "guess"), ClientCertificate("cd" * 32)), "a wrong secret is wrong"
    for header in (RequestHeader("clear"), RequestHeader("clear", "pass-word")):
        assert "client certificate of another partner" in door.knock(header, CERTIFICATE)
    stranger = ClientCertificate("ef" * 32, "CN=stranger")
    assert "the client certificate is no partner's" in door.knock(RequestHeader(), stranger)
    assert door.knock(RequestHeader("clear", "pass-word"), stranger) == "clear"
    assert "do not match" in door.knock(RequestHeader("oms", ""), None)


def test_company_and_application_must_match_where_a_profile_names_them() -> None:
    door = Door()
    said = {"user_id": "vendor", "password": "pass-word"}
    assert door.knock(RequestHeader(**said, company="acme software", app_name="CIS Pro")) == "vendor"
    for company, application in (("", ""), ("ACME Software", "GIS"), ("Emca", "CIS")):
        assert door.knock(RequestHeader(**said, company=company, app_name=application)).startswith("Client.NotAllowed")


def test_failures_of_digests_are_throttled_too() -> None:
    door = Door()
    for i in range(FAILED_LOGINS_MAX):
        assert "do not match" in door.knock(digest("clear", "guess", nonce=b"%d" % i))
    assert door.knock(digest("clear", "pass-word")).startswith("Client.TooManyAttempts")


def test_secrets_stay_out_of_representations() -> None:
    assert "pw-1" not in repr(UsernameToken("u", "pw-1", "pw-1", "pw-1"))
    assert "pw-1" not in repr(Partner("u", "n", "pw-1"))


# Over a whole endpoint


def asked_with(version: str, header: str) -> tuple[str, str]:
    body = f'<PingURL xmlns="{NAMESPACES[version]}"/>'
    octets = f'<e:Envelope xmlns:e="{ENVELOPES["1.1"]}"><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>'.encode()
    _, answer = ask(server(demo_queries(), version), octets)
    return fault_of(answer) if b"Fault>" in answer else ("", "")


WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
TOKEN = "<w:UsernameToken><w:Username>cis</w:Username><w:Password>s3cret-word</w:Password></w:UsernameToken>"


@pytest.mark.parametrize("version", NAMESPACES)
@pytest.mark.parametrize("beside", ["", "<MultiSpeakMsgHeader/>", '<q:MultiSpeakMsgHeader xmlns:q="{}" q:a="1" ObjectsRemaining=""/>'])
def test_a_header_that_is_absent_or_empty_or_strange_is_taken_beside_a_token(version: str, beside: str) -> None:
    security = f'<w:Security xmlns:w="{WSSE}" xmlns:u="{WSU}" e:mustUnderstand="1"><u:Timestamp/>{TOKEN}</w:Security>'
    assert asked_with(version, security + beside.format(NAMESPACES[version])) == ("", "")


def test_a_signature_that_must_be_understood_is_refused() -> None:
    security = f'<w:Security xmlns:w="{WSSE}" e:mustUnderstand="1">{TOKEN}<s:Signature xmlns:s="urn:s"/></w:Security>'
    code, text = asked_with("4.1.6", security)
    assert (code, "Signature" in text) == ("MustUnderstand", True)


def test_a_header_attribute_that_nobody_knows_and_an_empty_number_harm_nobody() -> None:
    attributes = 'UserID="cis" Pwd="s3cret-word" ObjectsRemaining="" x="1" xmlns:q="urn:q" q:y="2"'
    assert asked_with("4.1.6", f'<MultiSpeakMsgHeader xmlns="{NAMESPACES["4.1.6"]}" {attributes}/>') == ("", "")


def test_the_answers_header_says_who_we_are_and_nothing_of_the_caller() -> None:
    header = f'<MultiSpeakMsgHeader xmlns="{NAMESPACES["3.0"]}" UserID="cis" Pwd="s3cret-word" Company="Caller Inc" AuditID="7"/>'
    body = f'<PingURL xmlns="{NAMESPACES["3.0"]}"/>'
    octets = f'<e:Envelope xmlns:e="{ENVELOPES["1.1"]}"><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>'.encode()
    _, answer = ask(server(demo_queries(), "3.0"), octets)
    told = dict(etree.fromstring(answer).find("{*}Header")[0].attrib)  # type: ignore[index]
    assert set(told) == {"Version", "AppName", "Company", "MessageID", "TimeStamp"}
    assert told["Company"] == "Demo Cooperative"
