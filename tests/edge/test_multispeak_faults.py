"""Bad input: every mistake gets its own fault, which names the cause and the object, in both SOAP versions; no tracebacks, no secrets."""

import asyncio
import logging
import time

import pytest
from twisted.logger import globalLogPublisher

from headend.errors import StoreError
from headend.model.partner import MeterIdentifier
from multispeak.authentication import Evidence, PartnerAuthenticator
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import FAILED_LOGINS_MAX, FAILED_LOGINS_PER_ADDRESS_MAX, FAILED_LOGINS_SECONDS
from multispeak.message_header import RequestHeader
from tests.fakes.soap_world import ENVELOPES, NAMESPACES, PASSWORD, ask, authenticator, demo_queries, envelope, fault_of, server

V3, V4 = NAMESPACES["3.0"], NAMESPACES["4.1.6"]
E11 = ENVELOPES["1.1"]
DATES = "<startDate>2026-03-01T00:00:00Z</startDate><endDate>2026-03-02T00:00:00Z</endDate>"


def dates(start: str, end: str) -> str:
    return f"<startDate>{start}</startDate><endDate>{end}</endDate>"


def fault(octets: bytes, version: str = "3.0", soap: str = "1.1", action: str = "") -> tuple[str, str]:
    status, answer = ask(server(demo_queries(), version, soap), octets, action=action)
    code, text = fault_of(answer)
    assert status == (500 if soap == "1.1" or code.startswith(("Server", "Receiver")) else 400)
    assert "Traceback" not in answer.decode()
    assert PASSWORD not in answer.decode()
    return code.replace("Sender", "Client").replace("Receiver", "Server"), text


def raw(body: str, header: str = "", namespace: str = E11) -> bytes:
    return f'<e:Envelope xmlns:e="{namespace}"><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>'.encode()


BILLION = "<!DOCTYPE l [<!ENTITY a 'ha'>" + "".join(f"<!ENTITY a{i} '{'&a;' * 10}'>" for i in range(10)) + "]>"
EXTERNAL = '<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]>'

HOSTILE = [
    ("nothing", b"", "Client.MalformedXML", "no body"),
    ("no XML", b"hello", "Client.MalformedXML", "not well-formed"),
    ("cut off", envelope("3.0", "PingURL")[:-20], "Client.MalformedXML", "not well-formed"),
    ("latin-1", b"<?xml version='1.0' encoding='iso-8859-1'?>" + envelope("3.0", "PingURL"), "Client.Encoding", "iso-8859-1"),
    ("utf-7", b"<?xml version='1.0' encoding='utf-7'?>" + envelope("3.0", "PingURL"), "Client.Encoding", "utf-7"),
    (
        "bad octets",
        envelope("3.0", "IsAMRMeter", "<meterNo>E1</meterNo>").replace(b"E1", b"\xff\xfe"),
        "Client.MalformedXML",
        "well-formed",
    ),
    ("billion laughs", BILLION.encode() + envelope("3.0", "IsAMRMeter", "<meterNo>&a9;</meterNo>"), "Client.MalformedXML", "DOCTYPE"),
    ("external entity", EXTERNAL.encode() + envelope("3.0", "IsAMRMeter", "<meterNo>&x;</meterNo>"), "Client.MalformedXML", "DOCTYPE"),
    ("undefined entity", envelope("3.0", "IsAMRMeter", "<meterNo>&x;</meterNo>"), "Client.MalformedXML", "x"),
    ("depth", raw("<a>" * 100_000 + "</a>" * 100_000), "Client.MalformedXML", "depth"),
    ("no envelope", b"<a/>", "Client.Envelope", "not a SOAP Envelope"),
    ("no body", f'<e:Envelope xmlns:e="{E11}"/>'.encode(), "Client.Envelope", "no Body"),
    ("empty body", raw(""), "Client.Envelope", "nothing"),
    ("two operations", raw("<a/><b/>"), "Client.Envelope", "2 elements"),
    ("the other SOAP", envelope("3.0", "PingURL", soap="1.2"), "VersionMismatch", "other version"),
    ("must understand", raw("<a/>", '<q:Tx xmlns:q="urn:q" e:mustUnderstand="1"/>'), "MustUnderstand", "urn:q"),
    ("no namespace", raw("<PingURL/>"), "Client.UnknownOperation", "no namespace"),
    ("foreign namespace", raw('<PingURL xmlns="urn:q"/>'), "Client.UnknownOperation", "urn:q"),
    ("version 4.1.6 here", envelope("4.1.6", "PingURL"), "Client.WrongEndpoint", "http://127.0.0.1:8080/multispeak/4.1.6/MR_Server"),
    ("operation of CD_Server", envelope("3.0", "InitiateConnectDisconnect"), "Client.WrongEndpoint", "CD_Server"),
    ("operation of nobody", envelope("3.0", "MakeTea"), "Client.UnknownOperation", "MakeTea"),
    (
        "no such value",
        envelope("3.0", "GetReadingsByDate", dates("yesterday", "2026-03-02T00:00:00Z")),
        "Client.InvalidMessage",
        "yesterday",
    ),
    ("no date", envelope("3.0", "GetReadingsByDate"), "Client.InvalidMessage", "startDate"),
    (
        "year 12026",
        envelope("3.0", "GetReadingsByDate", dates("12026-03-01T00:00:00Z", "12026-03-02T00:00:00Z")),
        "Client.InvalidMessage",
        "12026",
    ),
    (
        "year 1",
        envelope("3.0", "GetReadingsByDate", dates("0001-01-01T00:00:00", "2026-03-02T00:00:00Z")),
        "Client.InvalidPeriod",
        "startDate is 0001",
    ),
    (
        "year 9999",
        envelope("3.0", "GetReadingsByDate", dates("2026-01-01T00:00:00", "9999-12-31T23:59:59")),
        "Client.InvalidPeriod",
        "endDate is 9999",
    ),
    (
        "reversed",
        envelope("3.0", "GetReadingsByDate", dates("2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z")),
        "Client.InvalidPeriod",
        "is before startDate",
    ),
    ("unknown meter", envelope("3.0", "GetLatestReadingByMeterNo", "<meterNo>NO-7</meterNo>"), "Client.UnknownMeter", "'NO-7'"),
    ("unknown meter, period", envelope("3.0", "GetReadingsByMeterNo", "<meterNo>NO-7</meterNo>" + DATES), "Client.UnknownMeter", "'NO-7'"),
    ("no meter", envelope("3.0", "IsAMRMeter"), "Client.MissingParameter", "IsAMRMeter"),
    ("no header", raw(f'<PingURL xmlns="{V3}"/>'), "Client.Authentication", "no UserID and Pwd"),
    ("wrong password", envelope("3.0", "PingURL", password="guess"), "Client.Authentication", "do not match"),
    ("unknown user", envelope("3.0", "PingURL", user="nobody"), "Client.Authentication", "'nobody'"),
    ("nobody learns what is implemented", envelope("3.0", "GetMethods", password=""), "Client.Authentication", "do not match"),
]


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case[0])
def test_every_mistake_has_its_fault(case: tuple[str, bytes, str, str]) -> None:
    _, octets, code, word = case
    found, text = fault(octets)
    assert found == code
    assert word in text


@pytest.mark.parametrize("case", [c for c in HOSTILE if E11.encode() in c[1] and "SOAP" not in c[0]], ids=lambda case: case[0])
def test_soap_1_2_says_the_same(case: tuple[str, bytes, str, str]) -> None:
    _, octets, code, word = case
    found, text = fault(octets.replace(E11.encode(), ENVELOPES["1.2"].encode()), soap="1.2")
    assert found == code
    assert word in text


def test_a_fault_names_element_and_line() -> None:
    inside = "\n<meterID>E1</meterID>\n<startDate>soon</startDate><endDate>2026-03-02T00:00:00Z</endDate>"
    _, text = fault(envelope("4.1.6", "GetReadingsByMeterID", inside), "4.1.6")
    assert text.startswith("GetReadingsByMeterID/startDate, line 3: Element 'startDate': 'soon'")
    assert "{" not in text


@pytest.mark.parametrize("value", ["x", ">"])
def test_a_hundred_thousand_attributes_cost_little(value: str) -> None:
    attributes = " ".join(f'a{i}="{value}"' for i in range(100_000))
    octets = envelope("3.0", "PingURL").replace(b"UserID", attributes.encode() + b" UserID")
    asked = server(demo_queries(), "3.0")
    before = time.thread_time()
    _, answer = ask(asked, octets)
    spent = time.thread_time() - before
    code, text = fault_of(answer)
    assert (code, "64 attributes" in text or "16384 octets" in text) == ("Client.TooLarge", True)
    # Quadratic reading takes 30 s of CPU; the bound leaves a slow machine room.
    assert spent < 2


@pytest.mark.parametrize(
    ("action", "taken"),
    [
        ("", True),
        ('""', True),
        (f"{V3}/PingURL", True),
        (f'"{V3}/PingURL "', True),
        (f"{V3}/GetMethods", False),
        (f"{V4}/PingURL", False),
        ("PingURL", False),
    ],
)
def test_soap_action(action: str, taken: bool) -> None:
    status, octets = ask(server(demo_queries(), "3.0"), envelope("3.0", "PingURL"), action=action)
    if taken:
        assert status == 200
    else:
        code, text = fault_of(octets)
        assert code == "Client.SOAPAction"
        assert f"{V3}/PingURL" in text


LENIENT = [
    ("foreign attribute", '<meterNo xmlns:q="urn:q" q:id="1" id="m">E1</meterNo>'),
    ("foreign element", '<q:trace xmlns:q="urn:q">1</q:trace><meterNo>E1</meterNo>'),
    ("case of a name", "<MeterNO>E1</MeterNO>"),
    ("spaces", "<meterNo> E1 </meterNo>"),
    ("comment", "<!-- hello --><meterNo>E1</meterNo>"),
]


@pytest.mark.parametrize("case", LENIENT, ids=lambda case: case[0])
def test_what_is_plain_is_taken(case: tuple[str, str]) -> None:
    status, octets = ask(server(demo_queries(), "3.0"), envelope("3.0", "IsAMRMeter", case[1]))
    assert status == 200, octets
    assert b"<IsAMRMeterResult>true<" in octets


def test_more_that_is_plain_is_taken() -> None:
    nil = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'
    asked = server(demo_queries(), "3.0")
    assert ask(asked, envelope("3.0", "GetLatestReadings", f"<lastReceived {nil}/>"))[0] == 200
    turned = "<endDate>2026-03-02T00:00:00Z</endDate><startDate>2026-03-01T00:00:00Z</startDate>"
    assert ask(asked, envelope("3.0", "GetReadingsByDate", turned))[0] == 200
    asked = server(demo_queries(), "4.1.6")
    assert ask(asked, envelope("4.1.6", "IsAMRMeter", '<meterID serviceType="ELECTRIC" colour="red">E1</meterID>'))[0] == 200
    octets = envelope("4.1.6", "PingURL").replace(b'BuildString="Release"', b'ObjectsRemaining=""')
    assert ask(asked, octets)[0] == 200


def test_a_misspelt_service_type_is_no_guess() -> None:
    code, text = fault(envelope("4.1.6", "IsAMRMeter", '<meterID serviceType="ELECTIC">E1</meterID>'), "4.1.6")
    assert code == "Client.InvalidMessage"
    assert "'ELECTIC'" in text


def test_utf_16_is_read() -> None:
    text = '<?xml version="1.0" encoding="utf-16"?>' + envelope("3.0", "PingURL").decode()
    assert ask(server(demo_queries(), "3.0"), text.encode("utf-16"))[0] == 200


def test_ws_security_user_name_token_stands_in_for_the_header() -> None:
    ns = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    token = f"<UsernameToken><Username>cis</Username><Password>{PASSWORD}</Password></UsernameToken>"
    security = f'<Security xmlns="{ns}" e:mustUnderstand="1">{token}</Security>'
    assert ask(server(demo_queries(), "4.1.6"), raw(f'<PingURL xmlns="{V4}"/>', security))[0] == 200
    wrong = security.replace(PASSWORD, "guess")
    assert fault(raw(f'<PingURL xmlns="{V4}"/>', wrong), "4.1.6")[0] == "Client.Authentication"


def test_store_trouble_is_the_servers_fault_and_our_bugs_are_logged_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(type(demo_queries())):  # type: ignore[misc]
        async def meters_named(self, identifier: MeterIdentifier, names: list[str]) -> None:
            raise StoreError("the database is locked") if names == ["E1"] else ZeroDivisionError("secret detail")

    asked = server(Broken(), "3.0")
    assert fault_of(ask(asked, envelope("3.0", "IsAMRMeter", "<meterNo>E1</meterNo>"))[1]) == ("Server.Store", "the database is locked")
    logged: list[dict[str, object]] = []
    globalLogPublisher.addObserver(logged.append)
    try:
        code, text = fault_of(ask(asked, envelope("3.0", "IsAMRMeter", "<meterNo>E2</meterNo>"))[1])
    finally:
        globalLogPublisher.removeObserver(logged.append)
    assert (code, "secret" in text) == ("Server.HeadEnd", False)
    assert [event["operation"] for event in logged] == ["IsAMRMeter"]


def test_nothing_of_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "")
    for _, octets, *_ in HOSTILE:
        ask(server(demo_queries(), "3.0"), octets)
    assert "s3cret" not in caplog.text
    assert not [r for r in caplog.records if r.name.startswith("spyne")]


def refusal(logins: PartnerAuthenticator, user: str, password: str, address: str, seconds: float) -> FaultCode | None:
    try:
        asyncio.run(logins.authenticate(Evidence(RequestHeader(user, password), address, seconds)))
    except RefusedCallError as error:
        told, code = str(error), error.code
    else:
        return None
    assert not password or password not in told
    return code


def test_failed_logins_are_throttled_for_a_user_and_an_address_and_forgotten() -> None:
    logins = authenticator()
    for i in range(FAILED_LOGINS_MAX):
        assert refusal(logins, "cis", "guess!", "a", float(i)) == FaultCode.AUTHENTICATION
    assert refusal(logins, "cis", PASSWORD, "a", 10.0) == FaultCode.TOO_MANY_ATTEMPTS
    assert refusal(logins, "cis", PASSWORD, "b", 10.0) is None, "somebody else's mistakes lock nobody out"
    assert refusal(logins, "cis", PASSWORD, "a", FAILED_LOGINS_SECONDS + 9.0) is None


def test_failed_logins_over_many_users_are_throttled_for_the_address() -> None:
    logins = authenticator()
    for i in range(FAILED_LOGINS_PER_ADDRESS_MAX):
        assert refusal(logins, f"user{i}", "guess!", "a", 1.0) == FaultCode.AUTHENTICATION
    assert refusal(logins, "cis", PASSWORD, "a", 1.0) == FaultCode.TOO_MANY_ATTEMPTS


def test_an_empty_password_never_opens() -> None:
    assert refusal(authenticator(), "nobody", "?", "a", 1.0) == FaultCode.AUTHENTICATION
    assert refusal(authenticator(), "cis", "", "a", 1.0) == FaultCode.AUTHENTICATION


def test_secrets_stay_out_of_representations() -> None:
    assert "pw-1" not in repr(RequestHeader("cis", "pw-1"))


def with_header(version: str, attributes: str) -> bytes:
    header = f'<MultiSpeakMsgHeader xmlns="{NAMESPACES[version]}" UserID="cis" Pwd="{PASSWORD}" {attributes}/>'
    return raw(f'<PingURL xmlns="{V3}"/>', header)


@pytest.mark.parametrize("attributes", ['Version="5.0"', 'Version="garbage"', 'MajorVersion="4"'])
def test_a_header_of_another_version_is_refused(attributes: str) -> None:
    code, text = fault(with_header("3.0", attributes))
    assert code == "Client.WrongEndpoint"
    assert attributes.split('"')[1] in text
    assert "MultiSpeak 3.0" in text


def test_a_header_in_another_namespace_is_refused() -> None:
    code, text = fault(with_header("4.1.6", ""))
    assert code == "Client.WrongEndpoint"
    assert V4 in text


@pytest.mark.parametrize("attributes", ["", 'Version=""', 'Version="3.0AC"', 'Version="3.0"'])
def test_a_header_that_says_this_version_or_none_is_taken(attributes: str) -> None:
    assert ask(server(demo_queries(), "3.0"), with_header("3.0", attributes))[0] == 200


def test_a_stranger_learns_nothing_of_the_schema() -> None:
    """And costs no validation: credentials are looked at first."""
    code, _ = fault(envelope("3.0", "GetReadingsByDate", "<nonsense/>", password="wrong"))
    assert code == "Client.Authentication"


def test_a_made_up_place_in_the_list_of_meters_is_refused() -> None:
    code, text = fault(envelope("3.0", "GetAMRSupportedMeters", "<lastReceived>zzz</lastReceived>"))
    assert code == "Client.InvalidLastReceived"
    assert "zzz" in text
