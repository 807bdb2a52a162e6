"""`headend selftest` as its users run it: against `headend serve`, and against servers that answer wrongly in every way."""

import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lxml import html
from rich.console import Console

from headend.cli.selftest import Login, run_selftest, selftest, write_document
from multispeak.contract import load_contract
from multispeak.selftest.plan import acts
from multispeak.selftest.posting import HttpCaller
from multispeak.selftest.running import SelfTestOptions
from multispeak.wsdl_rendering import SERVED, render_wsdl
from tests.fakes.soap_world import ENVELOPES
from tests.loopback.processes import run, running
from tests.loopback.test_cli import SETTINGS, SHIPMENT
from wsdl import VERSIONS

PASSWORD = "correct horse"
CONTRACTS = {version: load_contract(version) for version in VERSIONS}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A head-end with a meter that was never read: its address and its settings."""
    directory = tmp_path_factory.mktemp("selftest")
    config = directory / "headend.toml"
    config.write_text(SETTINGS)
    (directory / "shipment.csv").write_text(SHIPMENT)
    assert run("import", "shipment", directory / "shipment.csv", "--config", config).returncode == 0
    with running("serve", "--config", config) as serve:
        yield serve.line_with("MR_Server 3.0").split()[-1].partition("/multispeak/")[0], config
        assert serve.end(signal.SIGTERM) == 0
        assert "Traceback" not in serve.rest(), "no call of a self-test is a mistake of the server's own"


def results(directory: Path) -> dict[tuple[str, str], str]:
    """(service and version, operation) → result, as the Markdown has it."""
    found, service = {}, ""
    for line in (directory / "assertions.md").read_text().splitlines():
        if line.startswith("## "):
            service = line[3:].replace("\\", "")
        elif service and line.startswith("| ") and not line.startswith("| operation"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)][1:-1]
            found[service, cells[0].replace("\\", "")] = cells[2].strip("*")
    return found


def test_our_own_server_passes_and_nothing_acts(served: tuple[str, Path], tmp_path: Path) -> None:
    address, config = served
    done = run("selftest", address, "--config", config, "--output", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = results(tmp_path)
    for version in VERSIONS:
        for service in SERVED:
            for name in CONTRACTS[version].services[service].operations:
                result = found[f"{service} {version}", name]
                assert result == "not called" if acts(name) else result in {"passed", "refused"}, name
            for extra in ("WSDL", "a login that is none", "an unknown operation", "a broken envelope"):
                assert found[f"{service} {version}", extra] == "passed"
    assert sum(result == "passed" for result in found.values()) > 120


def test_with_effects_every_operation_is_called(served: tuple[str, Path], tmp_path: Path) -> None:
    address, config = served
    done = run("selftest", address, "--config", config, "--effects", "--meter", "E1", "--soap", "1.2", "--output", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = results(tmp_path)
    assert set(found.values()) == {"passed"}
    assert len(found) == sum(len(CONTRACTS[v].services[s].operations) + 4 for v in VERSIONS for s in SERVED)
    page = (tmp_path / "assertions.html").read_text()
    assert len(html.fromstring(page).xpath("//table[@class='assertions']/tbody/tr")) == len(found)
    for text in (page, (tmp_path / "assertions.md").read_text(), done.stdout):
        assert PASSWORD not in text


def here(*arguments: str | Path) -> Result:
    """The command in this process: starting one takes longer than these tests."""
    return CliRunner().invoke(selftest, [str(argument) for argument in arguments])


def test_one_service_under_its_alias(served: tuple[str, Path], tmp_path: Path) -> None:
    address, config = served
    done = here(f"{address}/multispeak/4.1.6/OD_OA.asmx", "--config", config, "--output", tmp_path)
    assert done.exit_code == 0, done.output
    assert {service for service, _ in results(tmp_path)} == {"OD_Server 4.1.6"}


@pytest.mark.parametrize("way", ["token", "digest"])
def test_the_login_may_be_a_username_token(served: tuple[str, Path], tmp_path: Path, way: str) -> None:
    address, config = served
    done = here(f"{address}/multispeak/3.0/OD_Server", "--config", config, "--login", way, "--output", tmp_path)
    assert done.exit_code == 0, done.output
    found = results(tmp_path)
    assert found["OD_Server 3.0", "PingURL"] == found["OD_Server 3.0", "a login that is none"] == "passed"
    assert PASSWORD not in (tmp_path / "assertions.md").read_text()


def test_with_a_wrong_password_all_is_refused(served: tuple[str, Path], tmp_path: Path) -> None:
    done = here(f"{served[0]}/multispeak/3.0/CD_Server", "--user", "cis", "--password", "not the one", "--output", tmp_path)
    assert done.exit_code == 1
    assert "with this login nothing can be tested: fault Client.Authentication" in done.output
    found = results(tmp_path)
    assert [name for (_, name), result in found.items() if result == "failed"] == ["PingURL"]
    assert found["CD_Server 3.0", "GetMethods"] == "not called"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name an ADDRESS"),
        (("ftp://x", "--user", ""), "no http or https address"),
        (("http://127.0.0.1:1", "--user", ""), "no connection"),
        (("http://127.0.0.1:1", "--effects"), "--effects needs --meter"),
        (("https://127.0.0.1:1", "--login", "certificate"), "--login certificate needs --certificate"),
        (("http://127.0.0.1:1", "--value", "colour=red"), "subjects: meter"),
    ],
)
def test_what_cannot_be_tested_is_a_sentence(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = here(*arguments, "--output", tmp_path)
    assert done.exit_code in {1, 2}
    assert said in done.output
    assert isinstance(done.exception, SystemExit)


Respond = Callable[[str, bytes], tuple[int, str, bytes]]


class Stranger:
    """A server of some other make: our WSDL of OD_Server 3.0, and an answer of its own to every call."""

    def __init__(self, respond: Respond) -> None:
        wsdl = render_wsdl(CONTRACTS["3.0"], CONTRACTS["3.0"].services["OD_Server"], "http://elsewhere.example/OD.asmx")

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(200, "text/xml", wsdl)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._send(*respond(self.headers.get("SOAPAction", "").strip('"').rpartition("/")[2], body))

            def _send(self, status: int, content_type: str, octets: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                self.wfile.write(octets)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/OD.asmx"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


NS = CONTRACTS["3.0"].namespace


def soap(body: str, header: str = "") -> bytes:
    return f'<e:Envelope xmlns:e="{ENVELOPES["1.1"]}"><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>'.encode()


def answer(name: str, inside: str = "") -> str:
    return f'<{name}Response xmlns="{NS}">{inside}</{name}Response>'


FAULT = "<e:Fault><faultcode>e:{}</faultcode><faultstring>{}</faultstring></e:Fault>"
ODD: list[tuple[str, Respond, str, str]] = [
    ("a web page", lambda name, _: (404, "text/html", b"<h1>Not here</h1>"), "failed", "HTTP 404: <h1>Not here</h1>"),
    ("a login page", lambda name, _: (200, "text/html", b"<form>"), "failed", "content type text/html"),
    ("no XML", lambda name, _: (200, "text/xml", b"<oops"), "failed", "no well-formed XML"),
    ("nothing", lambda name, _: (200, "text/xml", b""), "failed", "no well-formed XML"),
    ("a redirect", lambda name, _: (302, "text/html", b""), "failed", "HTTP 302"),
    ("a DOCTYPE", lambda name, _: (200, "text/xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + soap("<a/>")), "failed", "DOCTYPE"),
    ("another document", lambda name, _: (200, "text/xml", b"<a/>"), "failed", "not the Envelope of SOAP 1.1"),
    ("an empty Body", lambda name, _: (200, "text/xml", soap("")), "failed", "the Body holds 0 elements"),
    ("another answer", lambda name, _: (200, "text/xml", soap(answer("Tea"))), "failed", "not PingURLResponse"),
    ("an invalid answer", lambda name, _: (200, "text/xml", soap(answer(name, "<nonsense/>"))), "failed", "nonsense"),
    (
        "a header that is none",
        lambda name, _: (200, "text/xml", soap(answer(name), f'<MultiSpeakMsgHeader xmlns="{NS}" ObjectsRemaining=""/>')),
        "failed",
        "ObjectsRemaining",
    ),
    ("an echo", lambda name, body: (200, "text/xml", body), "failed", "repeats the caller's password"),
    ("its own trouble", lambda name, _: (500, "text/xml", soap(FAULT.format("Server", "out of cheese"))), "failed", "out of cheese"),
    (
        "what it does not have",
        lambda name, _: (500, "text/xml", soap(FAULT.format("Client", "did not recognize the value of SOAPAction"))),
        "failed",
        "advertised, but",
    ),
    ("a refusal", lambda name, _: (500, "text/xml", soap(FAULT.format("Client", "who are you?"))), "failed", "who are you?"),
    ("no header", lambda name, _: (200, "text/xml", soap(answer(name))), "passed", "no MultiSpeakMsgHeader"),
]


@pytest.mark.parametrize("case", ODD, ids=lambda case: case[0])
def test_whatever_a_server_answers_is_a_note(case: tuple[str, Respond, str, str], tmp_path: Path) -> None:
    title, respond, result, note = case
    stranger = Stranger(respond)
    caller = HttpCaller(10, time.monotonic)
    options = SelfTestOptions("us", "a long secret")
    try:
        report = run_selftest(caller, Login(stranger.url, "us", "a long secret"), options, ("", ""), Console(quiet=True))
    finally:
        caller.close()
        stranger.close()
    write_document(report, tmp_path)
    assert results(tmp_path)["OD_Server 3.0", "PingURL"] == result
    document = (tmp_path / "assertions.html").read_text()
    assert note in html.fromstring(document).text_content()
    assert "a long secret" not in document
    others = results(tmp_path)["OD_Server 3.0", "GetAllOutageDetectionDevices"]
    assert (others == "not called") == (title not in ("an invalid answer", "a header that is none", "no header"))
    # A server that lets everybody in, or answers an unknown operation, fails whatever else it does.
    assert report.failed


def paged(remaining: list[int], last_sent: str) -> Respond:
    """Pages of devices that tell one after the other what remains."""
    left = iter(remaining)

    def respond(name: str, body: bytes) -> tuple[int, str, bytes]:
        said = f' ObjectsRemaining="{next(left)}" LastSent="{last_sent}"' if name == "GetAllOutageDetectionDevices" else ""
        return 200, "text/xml", soap(answer(name), f'<MultiSpeakMsgHeader xmlns="{NS}"{said}/>')

    return respond


@pytest.mark.parametrize(
    ("remaining", "last_sent", "result", "note"),
    [
        ([0], "", "passed", ""),
        ([5, 2], "M-5", "passed", "5 more to come; second page: 2 more to come"),
        ([5, 5], "M-5", "failed", "ObjectsRemaining is 5 on the first page and 5 on the second"),
        ([5], "", "failed", "LastSent is empty: no client can go on"),
    ],
)
def test_pages_must_lead_on(remaining: list[int], last_sent: str, result: str, note: str) -> None:
    stranger = Stranger(paged(remaining, last_sent))
    caller = HttpCaller(10, time.monotonic)
    try:
        report = run_selftest(caller, Login(stranger.url, "", ""), SelfTestOptions("", ""), ("", ""), Console(quiet=True))
    finally:
        caller.close()
        stranger.close()
    (found,) = (one for one in report.services[0].assertions if one.operation == "GetAllOutageDetectionDevices")
    assert (found.verdict, note in found.note) == (result, True), found.note


def test_a_server_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    silent = threading.Event()
    stranger = Stranger(lambda name, _: (200, "text/xml", str(silent.wait(60)).encode()))
    try:
        done = here(stranger.url, "--timeout", "0.3", "--output", tmp_path)
    finally:
        silent.set()
        stranger.close()
    assert done.exit_code == 1
    assert results(tmp_path)["OD_Server 3.0", "PingURL"] == "failed"
    assert "no answer within 0.3 s" in done.output
