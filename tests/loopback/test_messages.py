"""The message log end to end: a real `headend serve`, real calls, and `headend messages` beside it while it serves."""

import json
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.soap_world import ENVELOPES, NAMESPACES
from tests.loopback.processes import run, running
from tests.loopback.test_cli import SETTINGS, SHIPMENT

PASSWORD = "correct horse"


class Served:
    """A head-end that has answered some calls, and the log of them."""

    def __init__(self, config: Path, url: str) -> None:
        self.config = config
        self.url = url

    def post(self, operation: str, inside: str = "", *, password: str = PASSWORD, server: str = "MR_Server") -> None:
        header = f'<MultiSpeakMsgHeader xmlns="{NAMESPACES["3.0"]}" UserID="cis" Pwd="{password}"/>'
        body = f'<{operation} xmlns="{NAMESPACES["3.0"]}">{inside}</{operation}>'
        octets = f'<e:Envelope xmlns:e="{ENVELOPES["1.1"]}"><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>'.encode()
        request = urllib.request.Request(f"{self.url}/multispeak/3.0/{server}", octets, {"Content-Type": "text/xml"})
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as error:
            error.close()

    def messages(self, *arguments: str) -> str:
        done = run("messages", *arguments, "--config", self.config)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.messages(*arguments, "--json").splitlines()]


READ = "<meterNos><string>E1</string><string>E9</string></meterNos><responseURL>http://127.0.0.1:1/CB_Server</responseURL>"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("messages")
    config = directory / "headend.toml"
    config.write_text(SETTINGS)
    (directory / "shipment.csv").write_text(SHIPMENT)
    assert run("import", "shipment", directory / "shipment.csv", "--config", config).returncode == 0
    with running("serve", "--config", config) as serve:
        url = serve.line_with("MR_Server 3.0").split()[-1].partition("/multispeak/")[0]
        one = Served(config, url)
        one.post("PingURL")
        one.post("PingURL", password="guess my password")
        one.post("InitiateMeterReadByMeterNumber", f"{READ}<transactionID>t-7</transactionID><expirationTime>60</expirationTime>")
        details = "<registrationID>r</registrationID><responsePwd>hush-hush</responsePwd>"
        one.post("RegisterForService", f"<registrationDetails>{details}</registrationDetails>", server="OD_Server")
        yield one
        assert serve.end(signal.SIGTERM) == 0
        assert "Traceback" not in serve.rest()
    # What was noted last is written when the service ends.
    assert len(one.json("list")) >= 4


def until(served: Served, count: int, *arguments: str) -> list[dict[str, Any]]:
    """The list, once it has so many."""
    for _ in range(30):
        listed = served.json("list", *arguments)
        if len(listed) >= count:
            break
    return listed


def test_every_exchange_is_listed_with_what_became_of_it(served: Served) -> None:
    listed = until(served, 4)
    told = [(e["operation"], e["server"], e["partner"], e["verdict"], e["objects_in"], e["objects_out"]) for e in listed[:4]]
    assert told == [
        ("PingURL", "MR_Server", "cis", "answered", 0, 0),
        ("PingURL", "MR_Server", "cis", "Client.Authentication", 0, 0),
        ("InitiateMeterReadByMeterNumber", "MR_Server", "cis", "answered", 2, 1),
        ("RegisterForService", "OD_Server", "cis", "answered", 0, 2),
    ]
    assert listed[2]["transaction_id"] == "t-7"
    assert all(e["duration_us"] > 0 and e["octets_out"] > 100 and e["address"] == "127.0.0.1" for e in listed)


def test_filters_and_a_table_for_people(served: Served) -> None:
    until(served, 4)
    assert [e["operation"] for e in served.json("list", "--verdict", "Client.*")] == ["PingURL"]
    assert len(served.json("list", "--operation", "Ping*", "--partner", "cis", "--since", "1h")) == 2
    assert served.json("list", "--since", "2999-01-01T00:00:00Z") == []
    table = served.messages("list", "--operation", "Initiate*")
    assert "MR 3.0" in table
    assert "t-7" in table
    assert "answered" in table
    refused = run("messages", "list", "--config", served.config, "--since", "yesterday")
    assert (refused.returncode, "15m" in refused.stderr) == (2, True)


def test_one_exchange_is_shown_with_its_envelopes_and_without_secrets(served: Served) -> None:
    numbers = [e["number"] for e in until(served, 4)]
    for number in numbers[:4]:
        for shown in (served.messages("show", str(number)), served.messages("show", str(number), "--json")):
            assert not [secret for secret in (PASSWORD, "guess my password", "hush-hush") if secret in shown]
    shown = served.messages("show", str(numbers[2]))
    assert "operation: InitiateMeterReadByMeterNumber" in shown
    assert 'UserID="cis" Pwd="…"' in shown
    assert "\n      <transactionID>t-7</transactionID>\n" in shown
    assert "E9" in shown[shown.index("--- answer") :]
    missing = run("messages", "show", "9999", "--config", served.config)
    assert (missing.returncode, "there is no exchange 9999" in missing.stderr) == (1, True)


def test_the_chain_of_a_transaction(served: Served) -> None:
    until(served, 4)
    told = served.messages("chain", "t-7")
    assert "InitiateMeterReadByMeterNumber" in told
    # Its meter answers nobody, so how far the command has come by now depends on how long the tests before took.
    assert re.search("request 1 of cis, InitiateMeterReadByMeterNumber: 1 [a-z ]+; expires", told)
    exchange, *_told, progress = served.json("chain", "t-7")
    assert exchange["transaction_id"] == "t-7"
    assert sum(progress["states"].values()) == 1
    assert run("messages", "chain", "t-8", "--config", served.config).returncode == 1


def test_a_list_is_followed(served: Served) -> None:
    until(served, 4)
    with running("messages", "list", "--follow", "--json", "--limit", "1", "--operation", "Ping*", "--config", served.config) as follow:
        assert json.loads(follow.line_with("number"))["verdict"] == "Client.Authentication"
        served.post("GetMethods")
        served.post("PingURL")
        assert json.loads(follow.line_with("number"))["operation"] == "PingURL"
        assert follow.end(signal.SIGINT) in {0, 130}


def test_a_log_of_no_days_keeps_nothing(tmp_path: Path) -> None:
    config = tmp_path / "headend.toml"
    config.write_text(SETTINGS.replace("field = { port = 0 }", "field = { port = 0 }\nmessages = { days = 0 }"))
    with running("serve", "--config", config) as serve:
        url = serve.line_with("MR_Server 3.0").split()[-1].partition("/multispeak/")[0]
        one = Served(config, url)
        one.post("PingURL")
        assert serve.end(signal.SIGTERM) == 0
    assert one.json("list") == []
