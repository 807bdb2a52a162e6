"""Routers files: what is read, what is said of rows that are not, and that no secret is shown."""

import pytest

from headend.model.endpoint import NativeAddress, Transport
from headend.model.router import AuthProtocol, CommunityAccess, PrivacyProtocol, UserAccess
from headend.provisioning import ImportFile
from headend.provisioning_rows import FileFormat
from headend.router_provisioning import read_routers

HEADER = (
    "name,host,port,second_host,second_port,version,community,write_community,user,auth,auth_password,privacy,privacy_password,"
    "expected_nodes,location,latitude,longitude"
)
V2C = "north,10.0.0.1,,,,2c,public words,private words,,,,,,500,pole 7,41.5,-88.25"
V3 = "south,south.example,1161,10.9.0.1,,3,,,ops,SHA-512,secret one,aes-256,secret two,,,,"


def read(*lines: str) -> ImportFile:
    return read_routers("\n".join((HEADER, *lines)).encode(), FileFormat.CSV)


def test_a_line_is_a_router() -> None:
    north, south = read(V2C, V3).items
    assert (north.name, north.address, north.second_address) == ("north", NativeAddress(Transport.UDP, "10.0.0.1", 161), None)
    assert north.access == CommunityAccess("public words", "private words")
    assert (north.expected_nodes, north.location, north.latitude, north.longitude) == (500, "pole 7", 41.5, -88.25)
    assert south.second_address == NativeAddress(Transport.UDP, "10.9.0.1", 161)
    assert south.access == UserAccess("ops", AuthProtocol.SHA512, "secret one", PrivacyProtocol.AES256, "secret two")
    assert south.expected_nodes is None


@pytest.mark.parametrize(
    ("line", "old", "new", "reason"),
    [
        (V2C, "north", "", "name is missing"),
        (V2C, "10.0.0.1", "", "host is missing"),
        (V2C, "2c", "1", "version '1' is none of 2c, 3"),
        (V2C, "public words", "", "community is missing"),
        (V2C, ",500,", ",many,", "expected_nodes 'many' is not a number from 0 to 100000"),
        (V2C, "41.5", "141.5", "latitude '141.5' is not a number of degrees"),
        (V3, "1161", "0", "port '0' is not a number from 1 to 65535"),
        (V3, "SHA-512", "md5", "auth 'md5' is none of sha, sha-256, sha-384, sha-512"),
        (V3, "aes-256", "des", "privacy 'des' is none of aes-128, aes-256"),
        (V3, "secret one", "short", "auth_password has fewer than 8 characters"),
        (V3, "secret two", "", "privacy_password is missing"),
        (V3, "ops", "o" * 33, "user has 33 octets, 32 are the most"),
    ],
)
def test_a_bad_field_is_named_with_its_line(line: str, old: str, new: str, reason: str) -> None:
    file = read(line.replace(old, new, 1))
    assert not file.items
    (problem,) = file.problems
    assert str(problem).startswith("line 2: ")
    assert reason in problem.reason


def test_doubles_are_named_and_secrets_never() -> None:
    file = read(V2C, V2C, V3.replace("secret one", "zwölf"))
    assert [str(problem) for problem in file.problems] == [
        "line 3: name 'north' is on line 2 already",
        "line 4: auth_password has fewer than 8 characters",
    ]
    shown = repr(read(V2C, V3)) + str(file.problems)
    assert not [word for word in ("words", "secret", "zwölf") if word in shown]
