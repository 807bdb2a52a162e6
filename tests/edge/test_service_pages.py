"""Pages for people at the services' addresses: complete, true to the contract, escaped, with valid examples."""

import re
from html import unescape

import pytest
from lxml import etree, html

from multispeak.contract import HEADER_NAME, load_contract
from multispeak.examples import MEMBERS_MAX, Examples, envelope
from multispeak.operations import operation_handlers
from multispeak.schema import compile_schema
from multispeak.service_pages import Page, ServicePages, folder_page
from multispeak.wsdl_rendering import SERVED
from wsdl import VERSIONS

CONTRACTS = {version: load_contract(version) for version in VERSIONS}
HANDLERS = {version: operation_handlers(version) for version in VERSIONS}
PAGES = {
    (v, s): ServicePages(CONTRACTS, v, CONTRACTS[v].services[s], HANDLERS[v], f"http://127.0.0.1:8080/multispeak/{v}/{s}")
    for v in VERSIONS
    for s in SERVED
}
SERVICES = [(v, s) for v in VERSIONS for s in CONTRACTS[v].services]


def tree(page: Page) -> html.HtmlElement:
    return html.fromstring(page.octets.decode())


@pytest.mark.parametrize(("version", "service"), SERVICES)
def test_examples_of_every_operation_are_valid_and_small(version: str, service: str) -> None:
    contract = CONTRACTS[version]
    schema, examples = compile_schema(contract, contract.services[service]), Examples(contract)
    for operation in contract.services[service].operations.values():
        for message in (examples.request(operation), examples.answer(operation)):
            octets = envelope("1.1", (), message)
            (body,) = etree.fromstring(octets)
            assert schema.validate(body[0]), f"{body[0].tag}: {schema.error_log}"
            assert len(octets) < 8_000


@pytest.mark.parametrize("version", VERSIONS)
def test_an_example_answers_with_something(version: str) -> None:
    """Every list has an object, every object a member: an example without them would teach nothing."""
    contract = CONTRACTS[version]
    void = {n for n, o in contract.services["MR_Server"].operations.items() if not o.response}
    for name, operation in contract.services["MR_Server"].operations.items():
        answer = Examples(contract).answer(operation)
        assert name in void or len(answer) == 1
        if len(answer):
            assert answer[0].text or len(answer[0]) or answer[0].attrib, name


def test_values_can_be_replaced_by_their_subject() -> None:
    operations = CONTRACTS["3.0"].services["MR_Server"].operations
    examples = Examples(CONTRACTS["3.0"], {"meter": "M-7", "new meter": "M-8", "start": "2026-01-01T00:00:00Z"})
    assert examples.request(operations["GetReadingsByMeterNo"]).findtext("{*}meterNo") == "M-7"
    assert examples.request(operations["GetReadingsByMeterNo"]).findtext("{*}startDate") == "2026-01-01T00:00:00Z"
    exchange = examples.request(operations["MeterExchangeNotification"])
    assert [e.findtext("{*}meterNo") for e in exchange.iter("{*}outMeterRead", "{*}inMeterRead")] == ["M-7", "M-8"]


def test_of_wide_objects_only_what_is_known_is_shown() -> None:
    (listed,) = Examples(CONTRACTS["3.0"]).request(CONTRACTS["3.0"].services["MR_Server"].operations["ServiceLocationChangedNotification"])
    names = {etree.QName(child).localname for child in listed[0]}
    assert {"custID", "accountNumber", "billingCycle"} <= names
    assert len(names) < 3 * MEMBERS_MAX


@pytest.mark.parametrize(("version", "service"), PAGES)
def test_a_service_page_lists_every_operation_with_its_effect(version: str, service: str) -> None:
    rows = tree(PAGES[version, service].page()).xpath("//table[contains(@class, 'operations')]/tbody/tr")
    told = {row.get("id"): [cell.text_content() for cell in row] for row in rows}
    assert told.keys() == CONTRACTS[version].services[service].operations.keys()
    for name, (title, effect, state) in told.items():
        assert title == name
        assert state == "implemented"
        assert effect.endswith(".")
        assert effect in HANDLERS[version][name].__doc__.replace("\n", " ")


def test_what_is_not_implemented_says_so() -> None:
    pages = ServicePages(CONTRACTS, "3.0", CONTRACTS["3.0"].services["OD_Server"], {}, "http://127.0.0.1/x")
    assert b">not implemented<" in pages.page().octets
    assert b"0 of 27 operations" in pages.page().octets
    assert b"Server.NotImplemented" in pages.page("PingURL").octets


@pytest.mark.parametrize(("version", "service"), PAGES)
def test_the_page_of_each_operation_holds_valid_envelopes_of_both_soap_versions(version: str, service: str) -> None:
    contract = CONTRACTS[version]
    schema = compile_schema(contract, contract.services[service])
    for name, operation in contract.services[service].operations.items():
        page = PAGES[version, service].page(name)
        assert page.status == 200
        blocks = [block.text_content() for block in tree(page).xpath("//pre")]
        assert [p.text_content() for p in tree(page).xpath("//table[1]/tbody/tr/th")] == [p.name for p in operation.request]
        envelopes = [etree.fromstring(b[b.index("<?xml") :].encode()) for b in blocks if "<?xml" in b]
        assert len(envelopes) == 4
        for one in envelopes:
            (head, body) = one
            assert schema.validate(body[0]), f"{name}: {schema.error_log}"
            assert schema.validate(head[0]), f"{name}: {schema.error_log}"
            assert etree.QName(head[0]).localname == HEADER_NAME
        assert operation.soap_action in blocks[0]


def test_a_name_that_is_none_is_not_found_and_does_no_harm() -> None:
    page = PAGES["3.0", "MR_Server"].page("<script>alert(1)</script>")
    assert page.status == 404
    assert b"<script" not in page.octets
    assert "<script>alert(1)</script>" in unescape(page.octets.decode())
    assert PAGES["3.0", "MR_Server"].page("getreadingsbydate").status == 200


def test_nothing_is_loaded_from_elsewhere_and_every_link_leads_somewhere() -> None:
    pages = [folder_page(PAGES), folder_page(PAGES, "3.0"), *(p.page() for p in PAGES.values()), PAGES["3.0", "MR_Server"].page("PingURL")]
    known = {"/multispeak", "/multispeak#faults"}
    for (version, service), page in PAGES.items():
        path = f"/multispeak/{version}/{service}"
        known |= {path, f"{path}?wsdl", *(f"{path}?op={name}" for name in CONTRACTS[version].services[service].operations)}
        assert page.implemented == page.total
    for page in pages:
        found = tree(page)
        assert not found.xpath("//script | //link | //img | //iframe")
        assert set(found.xpath("//a/@href")) <= known
        assert not re.search(rb"https?://(?!127\.0\.0\.1|www\.multispeak\.org|cis\.example|schemas\.xmlsoap|www\.w3)", page.octets)


def test_the_folder_tells_all_services_and_all_faults() -> None:
    found = tree(folder_page(PAGES))
    assert found.xpath("//table[contains(@class, 'servers')]//th/a/@href") == [f"/multispeak/{v}/{s}" for v, s in PAGES]
    assert "Client.UnknownMeter" in found.xpath("//table[@class='faults']//th/code/text()")
    assert tree(folder_page(PAGES, "4.1.6")).xpath("//h2/text()")[0] == "MultiSpeak 4.1.6"
