"""What a partner's profile does at the endpoints: which operations, which meters, which habits; and the sessions of paged lists."""

from dataclasses import replace

import pytest
from lxml import etree

from headend.meter_groups import GroupKind, MeterGroup
from headend.model.endpoint import Commodity
from headend.model.habits import Habit
from headend.model.partner import MeterScope, Partner
from multispeak.message_header import Paging
from multispeak.paging_sessions import PagingSessions
from tests.fakes.soap_world import NAMESPACES, PASSWORD, ask, demo_queries, envelope, fault_of, server
from tests.fakes.store_site import StoreSite
from tests.store.world import NOW, endpoint_day, shipment
from wsdl import VERSIONS

PERIOD = "<startDate>2026-07-01T00:00:00Z</startDate><endDate>2026-07-03T00:00:00Z</endDate>"


@pytest.fixture
def site(store_site: StoreSite) -> StoreSite:
    """M000001 to M000003 electric, M000004 gas, a day of each; M000002 and M000004 are group F7."""
    store_site.store.call("import_shipment", [*shipment(3), *shipment(1, configuration="gas", first=4)], NOW)
    store_site.store.call("record", [endpoint_day(n) for n in range(1, 5)], NOW)
    group = MeterGroup(GroupKind.METERS, "F7", "Feeder seven", ("M000002", "M000004"))
    store_site.store.call("establish_group", group, None, NOW)
    return store_site


def fault(answer: etree._Element) -> tuple[str, str]:
    return fault_of(etree.tostring(answer))


def numbers(answer: etree._Element) -> list[str]:
    assert answer.find(".//{*}Fault") is None, etree.tostring(answer)
    return sorted({e.text or e.get("meterNo", "") for name in ("meterNo", "meterID") for e in answer.iter("{*}" + name)})


@pytest.mark.parametrize(
    ("patterns", "allowed", "refused"),
    [
        (("*",), ["Get", "CD_Server/InitiateX"], []),
        (("Get*", "PingURL"), ["GetMethods", "PingURL"], ["InitiateX", "Ping"]),
        (("*", "!Initiate*"), ["GetMethods"], ["InitiateConnectDisconnect"]),
        (("!Initiate*",), [], ["GetMethods", "InitiateX"]),
        (("MR_Server/*", "!MR_Server/Initiate*"), ["MR_Server/GetMethods"], ["GetMethods", "CD_Server/GetMethods", "MR_Server/InitiateX"]),
        (("get*",), [], ["GetMethods"]),
    ],
)
def test_patterns_of_operations(patterns: tuple[str, ...], allowed: list[str], refused: list[str]) -> None:
    partner = Partner("u", "n", "p", operations=patterns)
    for name in (*allowed, *refused):
        service, _, operation = name.rpartition("/")
        assert partner.may_call(service or "OD_Server", operation) == (name in allowed), name


@pytest.mark.parametrize("version", VERSIONS)
def test_an_operation_that_a_profile_does_not_allow_is_one_fault_and_not_listed(site: StoreSite, version: str) -> None:
    site.partner = replace(site.partner, operations=("Get*", "CD_Server/Initiate*"))
    for operation in ("PingURL", "InitiateDemandReset"):
        code, text = fault(site.ask(version, "MR_Server", operation, "<nonsense/>"))
        assert (code, f"may not call {operation} of MR_Server" in text) == ("Client.NotAllowed", True)
    listed = {server: {e.text for e in site.ask(version, server, "GetMethods").iter("{*}string")} for server in ("MR_Server", "CD_Server")}
    assert {name[:3] for name in listed["MR_Server"] if name} == {"Get"}
    assert "InitiateConnectDisconnect" in listed["CD_Server"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("scope", "known"),
    [
        (MeterScope(group="F7"), ["M000002", "M000004"]),
        (MeterScope(group="Feeder seven"), ["M000002", "M000004"]),
        (MeterScope(commodity=Commodity.GAS), ["M000004"]),
        (MeterScope(group="no such group"), []),
    ],
)
def test_meters_outside_of_a_scope_are_unknown(site: StoreSite, version: str, scope: MeterScope, known: list[str]) -> None:
    site.partner = replace(site.partner, meters=scope, page_size=1)
    one, by = ("<meterNo>{}</meterNo>", "MeterNo") if version == "3.0" else ("<meterID>{}</meterID>", "MeterID")
    for number in ("M000001", "M000002", "M000004"):
        there = number in known
        answer = site.ask(version, "MR_Server", "IsAMRMeter", one.format(number))
        assert answer.findtext(".//{*}IsAMRMeterResult") == str(there).lower()
        for operation, more in ((f"GetLatestReadingBy{by}", ""), (f"GetReadingsBy{by}", PERIOD)):
            answer = site.ask(version, "MR_Server", operation, one.format(number) + more)
            assert (answer.find(".//{*}Fault") is None) == there
            if not there:
                assert fault(answer) == ("Client.UnknownMeter", f"meter '{number}' is not known")
    for operation, more in (("GetAMRSupportedMeters", ""), ("GetLatestReadings", ""), ("GetReadingsByDate", PERIOD)):
        assert paged(site, version, operation, more) == known


def paged(site: StoreSite, version: str, operation: str, inside: str) -> list[str]:
    """The meters of a whole list, page by page; what is said to remain is what comes."""
    seen: list[str] = []
    promised, last, sessions = None, "", set()
    while True:
        answer = site.ask(version, "MR_Server", operation, f"{inside}<lastReceived>{last}</lastReceived>")
        header = answer.find("{*}Header/{*}MultiSpeakMsgHeader")
        assert header is not None
        seen += numbers(answer)
        remaining, last = int(header.get("ObjectsRemaining", "")), header.get("LastSent", "")
        sessions.add(header.get("SessionID"))
        promised = len(seen) + remaining if promised is None else promised
        if not remaining:
            assert last == "", "the last page leaves nothing to go on from"
            assert len(sessions) == 1
            assert len(seen) == promised
            return seen
        assert len(numbers(answer)) == 1


def test_what_knows_no_scopes_is_refused_to_a_partner_that_has_one(site: StoreSite) -> None:
    site.partner = replace(site.partner, meters=MeterScope(commodity=Commodity.GAS))
    code, _ = fault(site.ask("3.0", "MR_Server", "GetDomainMembers", "<domainName>billingCycle</domainName>"))
    assert code == "Client.NotAllowed"
    assert len(site.ask("3.0", "OD_Server", "RequestRegistrationID").findtext(".//{*}RequestRegistrationIDResult") or "") == 36


@pytest.mark.parametrize("version", VERSIONS)
def test_domains_are_named_and_have_members(site: StoreSite, version: str) -> None:
    names = [e.text or "" for e in site.ask(version, "CD_Server", "GetDomainNames").iter("{*}string")]
    members = {}
    for name in names:
        answer = site.ask(version, "CD_Server", "GetDomainMembers", f"<domainName>{name}</domainName>")
        members[name] = [m.findtext("{*}code") for m in answer.iter("{*}domainMember")]
        assert all(m.findtext("{*}description") for m in answer.iter("{*}domainMember"))
    assert "posKWh" in members["fieldName"]
    assert members["readingType"] == ["Register", "Interval PT15M", "Interval PT60M"]
    assert "MISSING" in members["readingStatusCode"]
    assert "Connect" in members["loadActionCode"]
    assert members["meterGroup"] == ["Feeder seven"]
    assert ("phaseCd" in members) == (version == "3.0")
    code, text = fault(site.ask(version, "CD_Server", "GetDomainMembers", "<domainName>tea</domainName>"))
    assert (code, "'tea'" in text) == ("Client.UnknownDomain", True)


def test_a_habit_that_is_not_tolerated_is_refused(site: StoreSite) -> None:
    strange = "<MeterNO>M000001</MeterNO>"
    assert site.ask("3.0", "MR_Server", "IsAMRMeter", strange).find(".//{*}Fault") is None
    site.partner = replace(site.partner, tolerated=frozenset())
    assert fault(site.ask("3.0", "MR_Server", "IsAMRMeter", strange))[0] == "Client.InvalidMessage"


@pytest.mark.parametrize("tolerated", [True, False])
def test_spaces_around_a_soap_action(site: StoreSite, tolerated: bool) -> None:
    site.partner = replace(site.partner, tolerated=frozenset({Habit.SOAP_ACTION} if tolerated else ()))
    octets = envelope("3.0", "PingURL", user="cis", password=PASSWORD)
    answer = site.send("3.0", "MR_Server", octets, f'"{NAMESPACES["3.0"]}/PingURL "')
    assert (answer.find(".//{*}Fault") is None) == tolerated


def test_sessions_go_on_by_what_the_caller_names_or_by_where_the_page_begins() -> None:
    ids = iter(["s1", "s2", "s3", "s4", "s5"])
    sessions = PagingSessions(lambda: next(ids))
    assert sessions.session_of("u", "Op", "", "", Paging(5, "M3")) == "s1"
    assert sessions.session_of("u", "Op", "M3", "", Paging(2, "M6")) == "s1"
    assert sessions.session_of("u", "Op", "M3", "", Paging(2, "M6")) == "s1", "the same page asked for again"
    assert sessions.session_of("u", "Op", "M6", "", Paging(0, "M8")) == "s1"
    assert sessions.session_of("u", "Op", "", "s1", Paging(5, "M3")) == "s2", "a list begun anew is another session"
    assert sessions.session_of("v", "Op", "M3", "", Paging(5, "M4")) == "s3"
    assert sessions.session_of("u", "Op", "M9", "mine", Paging(0, "")) == "mine"
    assert sessions.session_of("u", "Op", "M9", "x" * 100, Paging(0, "")) == "s4"
    assert sessions.session_of("u", "Op", "", "", Paging(0, "", "own")) == "own"


def test_there_is_a_most_of_sessions_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    from multispeak import paging_sessions

    monkeypatch.setattr(paging_sessions, "PAGING_SESSIONS_MAX", 2)
    ids = iter("abcdef")
    sessions = PagingSessions(lambda: next(ids))
    for number in range(3):
        sessions.session_of("u", "Op", "", "", Paging(1, f"M{number}"))
    assert sessions.session_of("u", "Op", "M2", "", Paging(0, "")) == "c"
    assert sessions.session_of("u", "Op", "M0", "", Paging(0, "")) == "d"


def test_an_answer_that_is_no_list_has_no_session() -> None:
    _, octets = ask(server(demo_queries(), "3.0"), envelope("3.0", "PingURL"))
    header = etree.fromstring(octets).find("{*}Header/{*}MultiSpeakMsgHeader")
    assert header is not None
    assert "SessionID" not in header.attrib
