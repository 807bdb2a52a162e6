"""Hostile and clumsy HTTP against the site's own process: every answer is the right one, and the server serves on."""

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from multispeak.limits import BODY_OCTETS_MAX, HEADERS_MAX
from tests.bench.soap_peers.load import side_by_side
from tests.fakes.soap_world import PASSWORD, envelope, fault_of, loopback_site

PATH = "/multispeak/3.0/MR_Server"
PING = envelope("3.0", "PingURL")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with loopback_site() as found:
        yield found
        assert post(found, PING)[0] == 200, "the server still serves after all of these tests"


def post(address: str, body: bytes, path: str = PATH, **headers: str) -> tuple[int, bytes, str]:
    named = {name.replace("_", "-"): value for name, value in ({"Content_Type": "text/xml; charset=utf-8"} | headers).items()}
    request = urllib.request.Request(address + path, body, named)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.read(), reply.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers["Content-Type"]


def exchange(address: str, *pieces: bytes) -> bytes:
    """Raw octets out, everything that comes back until the server closes."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        received = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while octets := connection.recv(65536):
                received += octets
        except ConnectionError:
            pass
        return received


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "application/x-www-form-urlencoded", ""])
def test_other_content_types_are_415(address: str, content_type: str) -> None:
    status, text, _ = post(address, PING, Content_Type=content_type)
    assert status == 415
    assert b"SOAP 1.1 is text/xml" in text


def test_other_charsets_and_compressed_bodies_are_415(address: str) -> None:
    status, text, _ = post(address, PING, Content_Type="text/xml; charset=iso-8859-1")
    assert (status, b"iso-8859-1" in text) == (415, True)
    status, text, _ = post(address, b"\x1f\x8b", Content_Encoding="gzip")
    assert (status, b"gzip" in text) == (415, True)


def test_faults_are_xml_under_the_content_type_of_their_version(address: str) -> None:
    status, octets, content_type = post(address, b"<a/>")
    assert (status, content_type, fault_of(octets)[0]) == (500, "text/xml; charset=utf-8", "Client.Envelope")
    soap12 = 'application/soap+xml; charset=utf-8; action="http://www.multispeak.org/Version_3.0/PingURL"'
    status, octets, content_type = post(address, b"<a/>", Content_Type=soap12)
    assert (status, content_type, fault_of(octets)[0]) == (400, "application/soap+xml; charset=utf-8", "Sender.Envelope")
    assert post(address, envelope("3.0", "PingURL", soap="1.2"), Content_Type=soap12)[0] == 200
    other = soap12.replace("PingURL", "GetMethods")
    assert fault_of(post(address, envelope("3.0", "PingURL", soap="1.2"), Content_Type=other)[1])[0] == "Sender.SOAPAction"


def test_a_body_announced_too_large_is_413_at_once(address: str) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {100 * BODY_OCTETS_MAX}\r\n\r\n".encode()
    assert exchange(address, head).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_length_is_cut_at_the_bound(address: str) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    received = exchange(address, head, *[chunk] * (BODY_OCTETS_MAX // 0x100000 + 4))
    # The refusal may be lost with what was still on its way; that the connection ends is what counts.
    assert received == b"" or received.startswith(b"HTTP/1.1 413 ")


def test_too_many_headers_are_refused(address: str) -> None:
    lines = b"".join(b"X-%d: 1\r\n" % i for i in range(HEADERS_MAX + 10))
    assert exchange(address, f"POST {PATH} HTTP/1.1\r\n".encode(), lines, b"\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_hundred_thousand_attributes_over_http(address: str) -> None:
    attributes = b" ".join(b'a%d="x"' % i for i in range(100_000))
    status, octets, _ = post(address, PING.replace(b"UserID", attributes + b" UserID"))
    assert (status, fault_of(octets)[0]) == (500, "Client.TooLarge")


def test_an_address_that_is_none_names_those_that_are(address: str) -> None:
    status, text, _ = post(address, PING, "/multispeak/5.0/MR_Server")
    assert (status, b"3.0, 4.1.6" in text) == (404, True)
    status, text, _ = post(address, PING, "/multispeak/3.0/XX_Server.asmx")
    assert (status, b"MR_Server" in text) == (404, True)


def raw(address: str, method: str, path: str = PATH, *, head: str = "", body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Status, headers in small letters and body of one exchange after which the connection ends."""
    octets = exchange(address, f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n".encode() + body)
    start, _, rest = octets.partition(b"\r\n\r\n")
    first, *lines = start.decode().split("\r\n")
    return int(first.split()[1]), {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}, rest


def test_methods_that_are_not_taken_are_refused_with_those_that_are(address: str) -> None:
    for method, status in (("PUT", 405), ("DELETE", 405), ("TRACE", 405), ("PATCH", 405), ("BREW", 501)):
        found, headers, text = raw(address, method)
        assert (found, headers["allow"]) == (status, "GET, HEAD, OPTIONS, POST")
        assert method.encode() in text
    status, headers, _ = raw(address, "POST", "/multispeak/3.0", head="Content-Length: 0\r\n")
    assert (status, headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    status, headers, text = raw(address, "OPTIONS")
    assert (status, headers["allow"], text) == (200, "GET, HEAD, OPTIONS, POST", b"")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (PATH, "MR_Server of MultiSpeak 3.0"),
        (PATH + ".asmx", "MR_Server of MultiSpeak 3.0"),
        ("/multispeak/4.1.6/mr_cb.asmx", "MR_Server of MultiSpeak 4.1.6"),
        ("/multispeak/4.1.6/CD_CB", "CD_Server of MultiSpeak 4.1.6"),
        ("/multispeak/3.0/OD_OA.asmx?OP=pingurl", "&lt;PingURL"),
        ("/multispeak", "OD_Server"),
        ("/multispeak/", "4.1.6"),
        ("/multispeak/3.0", "MultiSpeak 3.0"),
    ],
)
def test_a_browser_gets_a_page_and_head_says_how_long_it_is(address: str, path: str, said: str) -> None:
    status, headers, text = raw(address, "GET", path)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert said in text.decode()
    status, of_head, nothing = raw(address, "HEAD", path)
    assert (status, of_head["content-length"], nothing) == (200, str(len(text)), b"")


def test_head_of_a_wsdl_and_a_page_that_is_none(address: str) -> None:
    status, headers, nothing = raw(address, "HEAD", PATH + "?wsdl")
    assert (status, headers["content-type"], nothing) == (200, "text/xml; charset=utf-8", b"")
    assert int(headers["content-length"]) > 100_000
    status, _, text = raw(address, "GET", PATH + "?op=%3Cscript%3E")
    assert (status, b"<script" in text) == (404, False)


def test_every_name_of_a_service_takes_calls(address: str) -> None:
    for name in ("MR_Server", "MR_Server.asmx", "MR_CB", "mr_cb.asmx", "CD_CB.asmx", "OD_OA", "OD_OA.ASMX"):
        assert post(address, PING, f"/multispeak/3.0/{name}")[0] == 200


def test_a_body_in_chunks_is_taken(address: str) -> None:
    pieces = [PING[:7], PING[7:50], PING[50:]]
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    status, _, text = raw(address, "POST", head="Content-Type: text/xml\r\nTransfer-Encoding: chunked\r\n", body=body)
    assert (status, b"PingURLResponse" in text) == (200, True)


def test_a_client_that_expects_100_gets_it_before_it_sends(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/xml\r\nExpect: 100-continue\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(PING))
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(PING)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    refused = exchange(address, head.encode() + b"Content-Length: %d\r\n\r\n" % (BODY_OCTETS_MAX + 1))
    assert refused.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in refused


def test_a_body_of_unknown_length_is_411(address: str) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n\r\n".encode()
    assert exchange(address, head).startswith(b"HTTP/1.1 411 ")
    assert len(re.findall(rb"HTTP/1.1 ", exchange(address, head + PING))) == 1, "what follows is not taken for a request"


def test_http_1_0_and_keep_alive(address: str) -> None:
    head = "POST {} HTTP/{}\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n{}\r\n"
    octets = exchange(address, head.format(PATH, "1.0", len(PING), "").encode() + PING)
    assert b" 200 " in octets.split(b"\r\n")[0]
    two = (
        head.format(PATH, "1.1", len(PING), "").encode()
        + PING
        + head.format(PATH, "1.1", len(PING), "Connection: close\r\n").encode()
        + PING
    )
    assert len(re.findall(rb"HTTP/1.1 200 ", exchange(address, two))) == 2


def test_a_client_that_leaves_in_mid_request_or_answer_harms_nobody(address: str) -> None:
    body = envelope("3.0", "GetReadingsByDate", "<startDate>2026-03-01T00:00:00Z</startDate><endDate>2026-03-04T00:00:00Z</endDate>")
    host, port = address.removeprefix("http://").split(":")
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for sent in (head, head + body[:100], head + body):
        for _ in range(20):
            with socket.create_connection((host, int(port)), timeout=30) as connection:
                connection.sendall(sent)
    assert post(address, PING)[0] == 200


def test_the_password_is_never_sent_back(address: str) -> None:
    for body in (PING, PING.replace(b"PingURL", b"MakeTea"), PING[:-5]):
        assert PASSWORD.encode() not in post(address, body)[1]


def test_a_hundred_clients_at_once_are_all_answered(address: str) -> None:
    body = envelope("3.0", "GetLatestReadingByMeterNo", "<meterNo>E2</meterNo>")
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    load = side_by_side(address, [head.encode() + body] * 500, 100)
    assert (load.calls, load.failures) == (500, 0)
