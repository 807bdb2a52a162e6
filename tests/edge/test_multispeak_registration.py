"""Registrations over a real store: ids, replacement, owners, what is refused, and what is never told back."""

import re
from dataclasses import replace

import pytest
from lxml import etree

from headend.errors import RequestError
from headend.limits import REGISTRATION_ID_DAYS, REGISTRATIONS_PER_PARTNER_MAX
from headend.model.partner import NotificationProfile, Partner, PeerServer
from multispeak.contract import load_contract
from multispeak.publications import Publications
from multispeak.response_urls import mismatch, url_problem, usable_url
from tests.fakes.soap_world import NOW, PASSWORD, fault_of
from tests.fakes.store_site import SERVERS, StoreSite
from wsdl import VERSIONS

URL = "https://oms.example/notify/OA_Server.asmx"
PUBLICATIONS = {version: Publications.of(load_contract(version)) for version in VERSIONS}
TAKERS = {version: PUBLICATIONS[version].takers for version in VERSIONS}


def text_of(answer: etree._Element, name: str) -> str:
    return answer.findtext(f".//{{*}}{name}") or ""


def errors(answer: etree._Element) -> dict[str, str]:
    return {e.get("objectID", ""): e.get("errorString", "") for e in answer.iter("{*}errorObject")}


def details(registration_id: str, *methods: str, url: str = URL, extra: str = "") -> str:
    listed = "".join(f"<methodName>{m}</methodName>" for m in methods)
    login = "<responseUserID>headend</responseUserID><responsePwd>hush-hush</responsePwd><MSFunction>OA</MSFunction>"
    return (
        f"<registrationDetails><registrationID>{registration_id}</registrationID><responseURL>{url}</responseURL>{extra or login}"
        f"<methodsList>{listed}</methodsList></registrationDetails>"
    )


def new_id(site: StoreSite, version: str = "3.0", server: str = "OD_Server") -> str:
    return text_of(site.ask(version, server, "RequestRegistrationID"), "RequestRegistrationIDResult")


def info(site: StoreSite, registration_id: str, version: str = "3.0") -> etree._Element:
    return site.ask(version, "OD_Server", "GetRegistrationInfoByID", f"<registrationID>{registration_id}</registrationID>")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_registration_from_its_id_to_its_end(store_site: StoreSite, version: str) -> None:
    registration_id = new_id(store_site, version)
    assert re.fullmatch(r"[0-9a-f-]{36}", registration_id)
    assert new_id(store_site, version) != registration_id
    assert fault_of(etree.tostring(info(store_site, registration_id, version)))[0] == "Client.UnknownRegistration"

    inside = details(registration_id, "ODEventNotification", "ODDeviceChangedNotification")
    assert errors(store_site.ask(version, "OD_Server", "RegisterForService", inside)) == {}
    told = info(store_site, registration_id, version)
    assert text_of(told, "responseURL") == URL
    assert text_of(told, "responseUserID") == "headend"
    assert text_of(told, "MSFunction") == "OA"
    assert [e.text for e in told.iter("{*}methodName")] == ["ODDeviceChangedNotification", "ODEventNotification"]
    assert b"hush" not in etree.tostring(told)

    replaced = details(registration_id, "ODEventNotification", url="http://oms.example/other", extra="<MSFunction/>")
    assert errors(store_site.ask(version, "OD_Server", "RegisterForService", replaced)) == {}
    told = info(store_site, registration_id, version)
    assert text_of(told, "responseURL") == "http://oms.example/other"
    assert [e.text for e in told.iter("{*}methodName")] == ["ODEventNotification"]
    assert told.find(".//{*}responseUserID") is None

    end = f"<registrationID>{registration_id}</registrationID>"
    assert errors(store_site.ask(version, "OD_Server", "UnregisterForService", end)) == {}
    assert "is not known" in errors(store_site.ask(version, "OD_Server", "UnregisterForService", end))[registration_id]
    assert "is not known" in errors(store_site.ask(version, "OD_Server", "RegisterForService", inside))[registration_id]


def test_the_password_is_sealed_in_the_store(store_site: StoreSite) -> None:
    registration_id = new_id(store_site)
    store_site.ask("3.0", "OD_Server", "RegisterForService", details(registration_id, "ODEventNotification"))
    ((sealed, user_id),) = store_site.store.sql("SELECT response_password, response_user_id FROM registration WHERE version = '3.0'")
    assert b"hush-hush" not in bytes(sealed)
    assert user_id == "headend"
    found = store_site.store.call("registration", registration_id, "cis")
    assert found.credentials.password == "hush-hush"
    assert "hush" not in repr(found)


def test_a_registration_is_its_partners_alone(store_site: StoreSite) -> None:
    registration_id = new_id(store_site)
    inside = details(registration_id, "ODEventNotification")
    store_site.ask("3.0", "OD_Server", "RegisterForService", inside)
    assert store_site.store.call("registration", registration_id, "somebody else") is None
    for operation in ("unregister", "register"):
        found = store_site.store.call("registration", registration_id, "cis")
        argument = (registration_id, "somebody else") if operation == "unregister" else (replace(found, partner="somebody else"),)
        with pytest.raises(RequestError, match="is not known"):
            store_site.store.call(operation, *argument)
    assert text_of(info(store_site, registration_id), "responseURL") == URL


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("server", SERVERS)
def test_each_server_publishes_what_is_its_own(store_site: StoreSite, version: str, server: str) -> None:
    names = [e.text for e in store_site.ask(version, server, "GetPublishMethods").iter("{*}string")]
    expected = {"MR_Server": "ReadingChangedNotification", "CD_Server": "CDStatesChangedNotification", "OD_Server": "ODEventNotification"}
    assert expected[server] in names
    assert not {"InHomeDisplayInstalledNotification", "OutageReasonChangedNotification"} & set(names)
    assert ("BlinkAlarmNotification" in names) == (version == "4.1.6" and server == "MR_Server")
    registration_id = new_id(store_site, version, server)
    inside = details(registration_id, *[n or "" for n in names], url="https://mdm.example/x")
    assert errors(store_site.ask(version, server, "RegisterForService", inside)) == {}


@pytest.mark.parametrize(
    ("inside", "object_id", "said"),
    [
        (details("{id}", "MakeTeaNotification"), "MakeTeaNotification", "publishes no 'MakeTeaNotification'"),
        (details("{id}", "ReadingChangedNotification"), "ReadingChangedNotification", "OD_Server of MultiSpeak 3.0 publishes no"),
        (details("{id}"), "{id}", "names 0 methods"),
        (details("{id}", "ODEventNotification", url=""), "{id}", "responseURL is missing"),
        (details("{id}", "ODEventNotification", url="ftp://x/y"), "{id}", "is no http or https address"),
        (details("{id}", "ODEventNotification", url="https://u:p@x/"), "{id}", "has credentials in it"),
        (details("{id}", "ODEventNotification", url="https://x/4.1.6/OA_Server"), "{id}", "leads to 4.1.6, and this is MultiSpeak 3.0"),
        (details("{id}", "ODEventNotification", url="https://x/CB_Server.asmx"), "{id}", "takes no ODEventNotification"),
        (details("{id}", "ODEventNotification", url="https://x/MR_Server"), "{id}", "leads to a MR_Server"),
        (details("{id}", "ODEventNotification", extra=f"<responsePwd>{'x' * 300}</responsePwd>"), "{id}", "responsePwd has more than 256"),
        (details("unheard-of", "ODEventNotification"), "unheard-of", "is not known"),
    ],
)
def test_what_is_wrong_is_told_object_by_object_and_nothing_changes(store_site: StoreSite, inside: str, object_id: str, said: str) -> None:
    registration_id = new_id(store_site)
    store_site.ask("3.0", "OD_Server", "RegisterForService", details(registration_id, "ODDeviceChangedNotification"))
    found = errors(store_site.ask("3.0", "OD_Server", "RegisterForService", inside.replace("{id}", registration_id)))
    assert said in found[object_id.replace("{id}", registration_id)]
    assert [e.text for e in info(store_site, registration_id).iter("{*}methodName")] == ["ODDeviceChangedNotification"]


def test_a_registration_without_an_id_is_a_fault(store_site: StoreSite) -> None:
    for inside in ("", details("", "ODEventNotification")):
        answer = store_site.ask("3.0", "OD_Server", "RegisterForService", inside)
        assert fault_of(etree.tostring(answer))[0] == "Client.MissingParameter"


def test_a_profile_bounds_where_a_partner_is_told_things(store_site: StoreSite) -> None:
    profile = NotificationProfile(allowed_urls=("https://oms.example/*",), version="4.1.6")
    store_site.partner = Partner("cis", "Billing", PASSWORD, notifications=profile)
    registration_id = new_id(store_site)
    found = store_site.ask("3.0", "OD_Server", "RegisterForService", details(registration_id, "ODEventNotification", url="https://evil/x"))
    texts = [e.get("errorString", "") for e in found.iter("{*}errorObject")]
    assert texts == [
        "responseURL is not among those that this partner may name",
        "this partner is told things in MultiSpeak 4.1.6; register with OD_Server of that version",
    ]
    assert errors(store_site.ask("4.1.6", "OD_Server", "RegisterForService", details(registration_id, "ODEventNotification"))) == {}


def test_ids_are_bounded_and_forgotten_when_nothing_is_registered_under_them(store_site: StoreSite) -> None:
    requested_us = int(NOW.timestamp()) * 1_000_000
    rows = ", ".join(f"('{i}', 'cis', {requested_us}, '', '', '', '', '')" for i in range(REGISTRATIONS_PER_PARTNER_MAX))
    columns = "registration_id, partner, requested_us, version, server, response_url, response_user_id, function"
    store_site.store.sql(f"INSERT INTO registration ({columns}) VALUES {rows}")
    code, text = fault_of(etree.tostring(store_site.ask("3.0", "MR_Server", "RequestRegistrationID")))
    assert (code, "unregister one first" in text) == ("Client.InvalidRequest", True)
    store_site.now = NOW.replace(day=NOW.day + REGISTRATION_ID_DAYS + 1)
    assert len(new_id(store_site)) == 36


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://cis.example:8443/a/b?c=d", ""),
        ("HTTP://[::1]/x", ""),
        ("", "no http or https"),
        ("cis.example/x", "no http or https"),
        ("https:///x", "no http or https"),
        ("https://x:99999/", "is no address"),
        ("https://x/\ny", "characters that no address has"),
        ("https://x/ y", "characters that no address has"),
        ("file:///etc/passwd", "no http or https"),
        ("https://x/" + "y" * 2_000, "more than 2000"),
    ],
)
def test_addresses(url: str, said: str) -> None:
    problem = url_problem(url)
    assert said in problem
    assert bool(said) == bool(problem)


@pytest.mark.parametrize(
    ("path", "version", "leads_elsewhere"),
    [
        ("/3.0/CB_Server", "3.0", False),
        ("/MultiSpeak_416/CB", "4.1.6", False),
        ("/v41/CB", "4.1.6", False),
        ("/Version_4.1_Release/CB", "3.0", True),
        ("/multispeak3.0ac/CB", "4.1.6", True),
        ("/30/CB", "4.1.6", False),
        ("/build-4.1.0/CB", "3.0", False),
        ("/5.0/CB", "4.1.6", True),
    ],
)
def test_a_path_that_says_another_version(path: str, version: str, leads_elsewhere: bool) -> None:
    assert bool(mismatch(f"https://x{path}", version, (), {})) == leads_elsewhere


def test_an_answer_goes_to_the_profile_where_the_address_will_not_do() -> None:
    takers = TAKERS["4.1.6"]
    wanted = ("ReadingChangedNotification", "FormattedBlockNotification")
    urls = {PeerServer.MDM: "https://mdm/x", PeerServer.NOT: "https://not/x"}
    profile = NotificationProfile(urls=urls, allowed_urls=("https://cis/*",))
    assert usable_url("https://cis/CB_Server", "4.1.6", wanted, takers, profile) == ("https://cis/CB_Server", "")
    assert usable_url("", "4.1.6", wanted, takers, profile) == ("https://mdm/x", "is missing")
    assert usable_url("https://evil/x", "4.1.6", wanted, takers, profile)[0] == "https://mdm/x"
    assert usable_url("https://cis/3.0/CB_Server", "4.1.6", wanted, takers, profile)[0] == "https://mdm/x"
    assert usable_url("https://cis/OA_Server", "4.1.6", wanted, takers, profile)[0] == "https://mdm/x"
    aimed = replace(profile, target=PeerServer.NOT)
    assert usable_url("", "4.1.6", wanted, takers, aimed)[0] == "https://not/x"
    special = replace(aimed, notification_urls={"FormattedBlockNotification": "https://blocks/x"})
    assert usable_url("", "4.1.6", wanted[1:], takers, special)[0] == "https://blocks/x"
    assert usable_url("nowhere", "4.1.6", wanted, takers, NotificationProfile())[0] == ""
