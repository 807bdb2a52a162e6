"""HTTPS under a private CA on real sockets: servers that are trusted, clients known by their certificates, zeep with UsernameTokens."""

import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zeep
from click.testing import CliRunner
from requests import Session
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

from headend.cli.selftest import selftest
from tests.fakes.soap_world import NAMESPACES, fault_of
from tests.loopback.processes import QUIET, run, running

SETTINGS = """
[server]
port = 0
{tls}

[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "sqlite:///headend.db"
key_file = "headend.key"
field = {{ port = 0 }}

[[utilities.partners]]
user_id = "cis"
password = "correct horse"

[[utilities.partners]]
user_id = "hashed"
password = "{hashed}"

[[utilities.partners]]
user_id = "oms"
{oms}

[[utilities.partners]]
user_id = "mdm"
certificate = {{ subject = "CN=mdm" }}
"""


@dataclass
class Place:
    """A running head-end, and the files of its CA."""

    directory: Path
    url: str

    def file(self, name: str) -> str:
        return str(self.directory / "certificates" / name)

    def context(self, client: str = "") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.file("ca.pem"))
        if client:
            context.load_cert_chain(self.file(f"client-{client}.pem"), self.file(f"client-{client}.key"))
        return context

    def ping(self, context: ssl.SSLContext, header: str = "", version: str = "4.1.6") -> tuple[str, str]:
        """Code and text of the fault; empty where there is none."""
        namespace = "http://schemas.xmlsoap.org/soap/envelope/"
        body = f'<PingURL xmlns="{NAMESPACES[version]}"/>'
        octets = f'<e:Envelope xmlns:e="{namespace}"><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>'.encode()
        request = urllib.request.Request(f"{self.url}/multispeak/{version}/OD_Server", octets, {"Content-Type": "text/xml"})
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as reply:
                assert b"PingURLResponse" in reply.read()
                return "", ""
        except urllib.error.HTTPError as error:
            with error:
                return fault_of(error.read())


def hashed(password: str) -> str:
    command = [sys.executable, "-m", "headend.cli", "password"]
    done = subprocess.run(command, input=f"{password}\n{password}\n", capture_output=True, text=True, timeout=60, env=QUIET, check=True)
    return done.stdout.splitlines()[-1].rpartition(" ")[2]


def certificates(directory: Path) -> tuple[str, str]:
    """The settings that the command prints: of the server, and of the partner `oms`."""
    where = directory / "certificates"
    tls = run("certificate", "server", "127.0.0.1", "localhost", "--directory", where)
    assert tls.returncode == 0, tls.stderr
    told = {name: run("certificate", "client", name, "--directory", where).stdout.splitlines()[0] for name in ("oms", "mdm")}
    return tls.stdout.splitlines()[0], told["oms"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("tls")
    tls, oms = certificates(directory)
    file = directory / "headend.toml"
    file.write_text(SETTINGS.format(tls=tls, oms=oms, hashed=hashed("battery staple")))
    with running("serve", "--config", file) as serve:
        wsdl = serve.line_with("MR_Server 4.1.6").split()[-1]
        assert wsdl.startswith("https://127.0.0.1:")
        yield Place(directory, wsdl.partition("/multispeak/")[0])
        assert "Traceback" not in "".join(serve.output)


def test_keys_are_their_owners_alone_and_never_replaced(place: Place) -> None:
    for name in ("ca.key", "server.key", "client-oms.key"):
        assert Path(place.file(name)).stat().st_mode & 0o077 == 0
    again = run("certificate", "client", "oms", "--directory", place.directory / "certificates")
    assert (again.returncode, "client-oms.key" in again.stderr) == (1, True)
    assert "Traceback" not in again.stderr
    outside = run("certificate", "client", "../oms", "--directory", place.directory / "certificates")
    assert outside.returncode == 2


def test_openssl_verifies_what_the_private_ca_signed(place: Place) -> None:
    for name, purpose in (("server.pem", "sslserver"), ("client-oms.pem", "sslclient")):
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", place.file("ca.pem"), place.file(name)]
        assert subprocess.run(command, capture_output=True, text=True, check=False).stdout.endswith(": OK\n")


def test_a_client_that_does_not_trust_the_ca_sends_nothing(place: Place) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        place.ping(ssl.create_default_context())


def test_a_certificate_is_a_login_by_fingerprint_or_by_subject(place: Place) -> None:
    assert place.ping(place.context("oms")) == ("", "")
    assert place.ping(place.context("mdm")) == ("", "")
    assert place.ping(place.context())[0] == "Client.Authentication"
    empty = f'<MultiSpeakMsgHeader xmlns="{NAMESPACES["4.1.6"]}" UserID=""/>'
    assert place.ping(place.context("oms"), empty) == ("", "")
    other = f'<MultiSpeakMsgHeader xmlns="{NAMESPACES["4.1.6"]}" UserID="cis" Pwd="correct horse"/>'
    code, text = place.ping(place.context("oms"), other)
    assert (code, "certificate of another partner" in text) == ("Client.Authentication", True)
    assert place.ping(place.context(), other) == ("", "")


def test_a_selftest_may_log_in_by_certificate_alone(place: Place, tmp_path: Path) -> None:
    files = ("--ca", place.file("ca.pem"), "--certificate", place.file("client-mdm.pem"), "--key", place.file("client-mdm.key"))
    arguments = [f"{place.url}/multispeak/3.0/CD_Server", "--login", "certificate", *files, "--output", str(tmp_path)]
    done = CliRunner().invoke(selftest, arguments)
    assert done.exit_code == 0, done.output
    assert "| PingURL |" in (tmp_path / "assertions.md").read_text()


def test_a_certificate_that_the_ca_did_not_sign_ends_the_handshake(place: Place, tmp_path: Path) -> None:
    assert run("certificate", "client", "oms", "--directory", tmp_path).returncode == 0
    context = ssl.create_default_context(cafile=place.file("ca.pem"))
    context.load_cert_chain(tmp_path / "client-oms.pem", tmp_path / "client-oms.key")
    with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
        place.ping(context)


def test_without_a_ca_of_clients_a_fingerprint_is_enough_and_nothing_else_opens(place: Place, tmp_path: Path) -> None:
    """A client certificate of whatever origin, pinned by its fingerprint."""
    foreign = run("certificate", "client", "oms", "--directory", tmp_path / "certificates").stdout.splitlines()[0]
    run("certificate", "client", "stranger", "--directory", tmp_path / "certificates")
    tls = f'tls = {{ certificate = "{place.file("server.pem")}", key = "{place.file("server.key")}" }}'
    file = tmp_path / "headend.toml"
    settings = SETTINGS.format(tls=tls, oms=foreign, hashed=hashed("battery staple"))
    file.write_text(settings[: settings.rindex("[[utilities.partners]]")])
    with running("serve", "--config", file) as serve:
        url = serve.line_with("MR_Server 4.1.6").split()[-1].partition("/multispeak/")[0]
        asked = Place(place.directory, url)
        for name, code in (("oms", ""), ("stranger", "Client.Authentication")):
            context = place.context()
            context.load_cert_chain(*(tmp_path / "certificates" / f"client-{name}.{kind}" for kind in ("pem", "key")))
            assert asked.ping(context)[0] == code


def test_plain_http_and_half_a_handshake_harm_nobody(place: Place) -> None:
    host, _, port = place.url.removeprefix("https://").partition(":")
    for octets in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(octets)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    assert place.ping(place.context("oms")) == ("", "")


@pytest.mark.parametrize("user", ["cis", "hashed"])
@pytest.mark.parametrize("use_digest", [False, True])
@pytest.mark.parametrize("version", NAMESPACES)
def test_zeep_with_a_username_token_and_no_header(place: Place, user: str, use_digest: bool, version: str) -> None:
    session = Session()
    # A CA bundle named in the environment would stand in for ours.
    session.trust_env = False
    session.verify = place.file("ca.pem")
    password = {"cis": "correct horse", "hashed": "battery staple"}[user]
    token = UsernameToken(user, password, use_digest=use_digest)
    client = zeep.Client(f"{place.url}/multispeak/{version}/OD_Server?wsdl", wsse=token, transport=Transport(session=session))
    for _ in range(2):
        if user == "hashed" and use_digest:
            with pytest.raises(zeep.exceptions.Fault, match="cannot be held against a hashed password"):
                client.service.PingURL()
        else:
            assert not client.service.PingURL().body.PingURLResult
    wrong = UsernameToken(user, "wrong horse", use_digest=use_digest)
    refused = zeep.Client(f"{place.url}/multispeak/{version}/OD_Server?wsdl", wsse=wrong, transport=Transport(session=session))
    with pytest.raises(zeep.exceptions.Fault):
        refused.service.PingURL()


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ('tls = { certificate = "none.pem", key = "none.key" }', "none.pem cannot be read: No such file"),
        ('tls = { certificate = "headend.toml", key = "headend.toml" }', "headend.toml holds no certificate"),
        ('tls = {{ certificate = "{0}/server.pem", key = "{0}/server.pem" }}', "server.pem holds no private key"),
        ('tls = {{ certificate = "{0}/server.pem", key = "{0}/ca.key" }}', "ca.key is not the key of the certificate"),
        ('tls = {{ certificate = "{0}/server.pem", key = "{0}/server.key", client_ca = "headend.toml" }}', "headend.toml holds no"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(place: Place, tmp_path: Path, tls: str, said: str) -> None:
    tls = tls.format(place.directory / "certificates") if "{0}" in tls else tls
    settings = SETTINGS.format(tls=tls, oms='password = "correct horse"', hashed="correct horse")
    file = tmp_path / "headend.toml"
    file.write_text(settings[: settings.rindex("[[utilities.partners]]")])
    done = run("serve", "--config", file)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_profile_that_names_what_there_is_not_is_told_at_the_start(tmp_path: Path) -> None:
    settings = SETTINGS.format(tls="", oms='password = "correct horse"\noperations = ["MakeTea"]', hashed="correct horse")
    file = tmp_path / "headend.toml"
    file.write_text(settings[: settings.rindex("[[utilities.partners]]")])
    done = run("serve", "--config", file)
    assert (done.returncode, "'MakeTea' matches none" in done.stderr) == (1, True)
