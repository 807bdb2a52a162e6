"""Requests made up from the contract, for every operation of every server: an answer as the contract has it, or a fault of our table.

`HEADEND_GENERATED_EXAMPLES=300 pytest tests/edge/test_multispeak_generated.py` looks deeper, each time at other requests.
"""

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from twisted.logger import capturedLogs

from headend.model.partner import Partner
from multispeak.contract import XS_NAMESPACE, XSI_NAMESPACE, load_contract
from multispeak.fault_table import CAUSES
from multispeak.faults import FaultCode
from tests.conftest import RunningReactor
from tests.fakes.generated_requests import Generator, mutated
from tests.fakes.reading_world import NOW, fill
from tests.fakes.soap_world import ENVELOPES, PASSWORD, USER, envelope, fault_of
from tests.fakes.store_site import SERVERS, StoreSite, schema_of
from tests.store.world import one_store
from wsdl import VERSIONS

DEEP = os.environ.get("HEADEND_GENERATED_EXAMPLES", "")
EXAMPLES = int(DEEP or 2)
"""Requests of each kind for each operation of each server."""

CONTRACTS = {version: load_contract(version) for version in VERSIONS}
ENDPOINTS = [(version, server) for version in VERSIONS for server in SERVERS]
# What is wrong with a message is found by the same code whichever server it is sent to; the longer look takes them all.
MISTAKEN = ENDPOINTS if DEEP else [(version, SERVERS[0]) for version in VERSIONS]
DATABASES = ["sqlite", *([pytest.param("postgresql", marks=pytest.mark.postgresql)] if DEEP else [])]
ANSWERS = {str(cause.code) for cause in CAUSES if cause.code.startswith("Client")} | {str(FaultCode.NOT_IMPLEMENTED)}
"""Codes of faults that say something of a request; the rest say something of us."""

looking = settings(
    max_examples=EXAMPLES,
    derandomize=not DEEP,
    database=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


@pytest.fixture(scope="module", params=DATABASES)
def site(request: pytest.FixtureRequest, running: RunningReactor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSite]:
    """The site over a utility with something of everything, which these requests change as they go."""
    for store in one_store(request, running, tmp_path_factory, fill):
        one = StoreSite(store, running)
        one.now = NOW
        yield one


Check = Callable[[str, st.DataObject], None]


def every_operation(version: str, server: str, check: Check) -> None:
    """Run a check with data to draw from for each operation; all that fail are told."""
    told = {operation: _failure(operation, check) for operation in CONTRACTS[version].services[server].operations}
    failed = [f"{operation}: {failure}" for operation, failure in told.items() if failure]
    assert not failed, "\n\n".join(failed)


def _failure(operation: str, check: Check) -> str:
    """What the first example that fails says; empty where none does."""

    @looking
    @given(st.data())
    def examples(data: st.DataObject) -> None:
        check(operation, data)

    try:
        examples()
    except Exception as error:  # noqa: BLE001 - one operation's failure is told beside those of others
        return str(error)[:4_000] or repr(error)
    return ""


def answered(site: StoreSite, version: str, server: str, octets: bytes) -> str:
    """The code of the fault that a request gets, one of our table's; empty for an answer, which was held against the contract."""
    with capturedLogs() as logs:
        answer = site.send(version, server, octets)
    traces = [event["log_failure"].getTraceback() for event in logs if "log_failure" in event]
    if answer.find("{*}Body/{*}Fault") is None:
        assert not traces, octets.decode() + "\n" + traces[0]
        return ""
    code, text = fault_of(etree.tostring(answer))
    assert code in ANSWERS, "\n".join([octets.decode(), code, text, *traces])
    assert PASSWORD not in text
    assert text.strip()
    return code


@pytest.mark.parametrize(("version", "server"), ENDPOINTS)
def test_a_valid_request_is_answered_or_told_what_is_wrong(site: StoreSite, version: str, server: str) -> None:
    generator = Generator(CONTRACTS[version])

    def check(operation: str, data: st.DataObject) -> None:
        inside = data.draw(generator.requests(CONTRACTS[version].services[server].operations[operation]))
        octets = request(version, operation, inside)
        schema_of(version, server).assertValid(body_of(octets))
        answered(site, version, server, octets)

    every_operation(version, server, check)


@pytest.mark.parametrize(("version", "server"), MISTAKEN)
def test_a_request_with_a_mistake_is_refused_where_its_sender_is_not_tolerated(site: StoreSite, version: str, server: str) -> None:
    generator = Generator(CONTRACTS[version])
    strict = Partner(USER, "Billing", PASSWORD, tolerated=frozenset())

    def check(operation: str, data: st.DataObject) -> None:
        inside = data.draw(generator.requests(CONTRACTS[version].services[server].operations[operation]))
        body = data.draw(mutated(body_of(request(version, operation, inside))))
        octets = within_envelope(version, body)
        site.partner = strict
        code = answered(site, version, server, octets)
        if not schema_of(version, server).validate(body_of(octets)):
            assert code == FaultCode.INVALID_MESSAGE, f"{octets.decode()}\nwas answered with {code or 'no fault'}"
        site.partner = Partner(USER, "Billing", PASSWORD)
        answered(site, version, server, octets)

    every_operation(version, server, check)


def request(version: str, operation: str, inside: str) -> bytes:
    """An envelope in which every prefix of the contract is known."""
    spaces = {prefix: uri for prefix, uri in CONTRACTS[version].namespaces.items() if prefix != "tns"}
    spaces |= {"xsi": XSI_NAMESPACE, "xs": XS_NAMESPACE}
    declared = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in spaces.items())
    return envelope(version, operation, inside).replace(b"<e:Envelope", f"<e:Envelope{declared}".encode(), 1)


def body_of(octets: bytes) -> etree._Element:
    """The message within an envelope."""
    body = etree.fromstring(octets).find("{*}Body")
    assert body is not None
    return body[0]


def within_envelope(version: str, body: etree._Element) -> bytes:
    """A message in an envelope with credentials."""
    whole = etree.fromstring(envelope(version, "PingURL"))
    place = whole.find(f"{{{ENVELOPES['1.1']}}}Body")
    assert place is not None
    place[:] = [body]
    return etree.tostring(whole)
