"""Settings: what a file may say, and that all its mistakes are told at once."""

from pathlib import Path

import pytest

from headend.model.endpoint import Commodity
from headend.model.habits import COMMON_HABITS, Habit
from headend.model.partner import ClientCertificate, EnergyUnit, MeterIdentifier, MeterScope, NotificationProfile, Partner, PeerServer
from headend.settings import SettingsError, load_settings, settings_from
from multispeak.contract import load_contract
from multispeak.profile_checks import profile_problems
from wsdl import VERSIONS

GOOD = """
[server]
port = 0

[[utilities]]
id = "north"
time_zone = "America/Chicago"
database = "sqlite:///north.db"
key_file = "north.key"

[[utilities.partners]]
user_id = "cis"
password = "correct horse"
"""


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "headend.toml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(tmp_path: Path, text: str) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, text))
    return dict(caught.value.problems)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    utility = load_settings(write(tmp_path, GOOD)).utilities[0]
    assert utility.database == f"sqlite:///{tmp_path}/north.db"
    assert utility.key_file == tmp_path / "north.key"
    assert utility.utility.time_zone.key == "America/Chicago"


def test_a_postgresql_address_is_kept_as_it_is(tmp_path: Path) -> None:
    text = GOOD.replace("sqlite:///north.db", "postgresql://u@localhost/north")
    assert load_settings(write(tmp_path, text)).utilities[0].database == "postgresql://u@localhost/north"


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace("America/Chicago", "Amerika/Chicago")
        .replace("port = 0", "port = 70000\nprot = 1")
        .replace("sqlite:///north.db", "mysql://x")
        .replace('user_id = "cis"\n', "")
    )
    found = problems(tmp_path, text)
    assert set(found) == {
        "server.port",
        "server.prot",
        "utilities[1].time_zone",
        "utilities[1].database",
        "utilities[1].partners[1].user_id",
    }
    assert found["utilities[1].time_zone"] == "'Amerika/Chicago' is not a time zone of the IANA data base"
    assert found["server.prot"] == "is not a setting"
    assert found["utilities[1].partners[1].user_id"] == "is missing"


def test_a_login_belongs_to_one_utility(tmp_path: Path) -> None:
    second = GOOD[GOOD.index("[[utilities]]") :].replace("north", "south")
    assert "partner user_id 'cis' is used 2 times" in problems(tmp_path, GOOD + second)["settings"]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("[server\n", "TOML", "line 1"),
        ("server = {}\n", "utilities", "is missing"),
        (GOOD.replace('id = "north"', 'id = "North Pole"'), "utilities[1].id", "pattern"),
        (GOOD.replace('key_file = "north.key"', 'key_file = "k"\nap_title = "a.b"'), "utilities[1].ap_title", "a.b"),
        (GOOD.replace('key_file = "north.key"', 'key_file = "k"\ngas_day = { close = "29:00" }'), "utilities[1].gas_day.close", "29:00"),
    ],
)
def test_a_mistake_names_its_place(tmp_path: Path, text: str, place: str, said: str) -> None:
    assert said in problems(tmp_path, text)[place]


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load_settings(tmp_path / "none.toml")


def test_no_password_is_ever_shown(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, GOOD))
    assert "correct horse" not in repr(settings)
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, GOOD.replace('"correct horse"', '"short"')))
    assert dict(caught.value.problems) == {"utilities[1].partners[1].password": "has fewer than 8 characters"}


PROFILE = (
    GOOD.replace(
        'password = "correct horse"',
        """password = "correct horse"
company = "ACME"
applications = ["CIS*"]
certificate = { sha256 = "AB:FINGERPRINT" }
operations = ["Get*", "CD_Server/*", "!GetDomain*"]
meters = { commodity = "gas" }
page_size = 7
identifier = "serial_no"
energy_unit = "Wh"
tolerance = ["letter_case", "order"]

[utilities.partners.notifications]
user_id = "headend"
password = "battery staple"
version = "4.1.6"
target = "NOT"
plural = false
timeout_seconds = 45
response_urls = ["https://cis.example/*"]
urls = { NOT = "https://cis.example/NOT_Server", ODEventNotification = "https://oms.example/x" }
""",
    )
    .replace("FINGERPRINT", ":".join(["cd"] * 31))
    .replace("port = 0", 'port = 0\ntls = { certificate = "s.pem", key = "s.key" }')
)


def test_a_profile_becomes_a_partner(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, PROFILE))
    partner = settings.utilities[0].partners[0].partner
    assert settings.server.tls is not None
    assert settings.server.tls.key == tmp_path / "s.key"
    assert (partner.company, partner.applications, partner.page_size) == ("ACME", ("CIS*",), 7)
    assert partner.certificate == ClientCertificate("ab" + "cd" * 31)
    assert partner.meters == MeterScope(commodity=Commodity.GAS)
    assert (partner.identifier, partner.energy_unit) == (MeterIdentifier.SERIAL_NO, EnergyUnit.WATT_HOUR)
    assert partner.tolerated == {Habit.LETTER_CASE, Habit.ORDER}
    told = partner.notifications
    assert (told.version, told.target, told.plural, told.timeout_seconds) == ("4.1.6", PeerServer.NOT, False, 45)
    assert told.urls == {PeerServer.NOT: "https://cis.example/NOT_Server"}
    assert told.notification_urls == {"ODEventNotification": "https://oms.example/x"}
    assert told.credentials is not None
    assert told.credentials.password == "battery staple"
    assert "staple" not in repr(partner) + repr(settings)


def test_a_partner_without_a_profile_may_do_everything(tmp_path: Path) -> None:
    partner = load_settings(write(tmp_path, GOOD)).utilities[0].partners[0].partner
    assert partner == Partner("cis", "cis", "correct horse")
    assert partner.tolerated == COMMON_HABITS


def test_every_mistake_of_a_profile_is_told_at_once(tmp_path: Path) -> None:
    text = (
        PROFILE.replace("correct horse", "$argon2id$v=19$m=99999999,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43)
        .replace("AB:", "XY:")
        .replace('"!GetDomain*"', '"Get Domain"')
        .replace('commodity = "gas"', 'commodity = "gas", group = "north"')
        .replace('"Wh"', '"GWh"')
        .replace('"order"', '"chaos"')
        .replace("battery staple", "$argon2id$x")
        .replace("NOT = ", "XX = ")
        .replace("https://oms.example/x", "https://u:p@oms.example/x")
    )
    found = problems(tmp_path, text)
    assert {p.removeprefix(PARTNER + ".") for p in found} == {
        "password",
        "certificate.sha256",
        "operations[3]",
        "meters",
        "energy_unit",
        "tolerance[2]",
        "notifications.password",
        "notifications.urls.ODEventNotification",
    }
    assert found[PARTNER + ".password"].startswith("is a hash too dear to check")
    assert "99999999" not in "".join(found.values())
    assert found[PARTNER + ".certificate.sha256"].startswith("is no SHA-256 fingerprint")
    assert found[PARTNER + ".meters"] == "names either a group or a commodity"


PARTNER = "utilities[1].partners[1]"


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ('password = "correct horse"', "", f"{PARTNER}.certificate", "one of them must open"),
        ('"correct horse"', '"$argon2id$v=19$m=1,t=1,p=1$AAAA$AAAA"', f"{PARTNER}.password", "`headend password` makes one"),
        ('"correct horse"', '"correct horse"\ncertificate = { subject = "CN=cis" }', "settings", "needs server.tls"),
        ('"correct horse"', '"correct horse"\ncertificate = { subject = "cis" }', f"{PARTNER}.certificate.subject", "RFC 4514"),
        ('"correct horse"', '"correct horse"\ncertificate = {}', f"{PARTNER}.certificate", "either sha256 or subject"),
        ('"correct horse"', '"correct horse"\nnotifications = { urls = { XX = "http://x" } }', f"{PARTNER}.notifications.urls", "XX"),
        (
            '"correct horse"',
            '"correct horse"\nnotifications = { version = "3.0", target = "NOT" }',
            f"{PARTNER}.notifications",
            "no NOT server",
        ),
    ],
)
def test_a_mistake_of_a_profile_names_its_place(tmp_path: Path, old: str, new: str, place: str, said: str) -> None:
    assert said in problems(tmp_path, GOOD.replace(old, new))[place]


def test_a_subject_needs_a_ca_and_a_fingerprint_does_not(tmp_path: Path) -> None:
    with_tls = GOOD.replace("port = 0", 'port = 0\ntls = { certificate = "s.pem", key = "s.key" }')
    by_subject = with_tls.replace('"correct horse"', '"correct horse"\ncertificate = { subject = "CN=cis" }')
    assert "server.tls.client_ca" in problems(tmp_path, by_subject)["settings"]
    load_settings(write(tmp_path, by_subject.replace('key = "s.key"', 'key = "s.key", client_ca = "ca.pem"')))
    load_settings(write(tmp_path, with_tls.replace('"correct horse"', f'"correct horse"\ncertificate = {{ sha256 = "{"ab" * 32}" }}')))


def test_a_certificate_belongs_to_one_partner(tmp_path: Path) -> None:
    one = PROFILE[PROFILE.index("[[utilities.partners]]") :]
    assert "partner certificate" in problems(tmp_path, PROFILE + one.replace('"cis"', '"oms"'))["settings"]


def test_profiles_are_held_against_the_contracts() -> None:
    contracts = [load_contract(version) for version in VERSIONS]
    good = Partner("good", "", "", operations=("Get*", "!Initiate*", "OD_Server/PingURL", "EnableReadingSchedules"))
    profile = NotificationProfile(notification_urls={"MakeTeaNotification": "http://x"})
    bad = Partner("bad", "", "", operations=("*", "!InitiateTea", "MR_Server/GetCDMeterState"), notifications=profile)
    assert [what for _, what in profile_problems(contracts, [good, bad])] == [
        "operations: '!InitiateTea' matches none of this head-end's",
        "operations: 'MR_Server/GetCDMeterState' matches none of this head-end's",
        "notifications.urls: no server of any version takes MakeTeaNotification",
    ]


def test_routers_have_settings_and_two_utilities_no_port_in_common(tmp_path: Path) -> None:
    routers = '[utilities.routers]\ntrap_port = 1162\nmay_reboot = true\npoll_seconds = 60\n'
    first = GOOD.replace("[[utilities.partners]]", f"{routers}\n[[utilities.partners]]")
    settings = load_settings(write(tmp_path, first)).utilities[0].routers
    assert (settings.trap_port, settings.may_reboot, settings.poll_seconds, settings.missed_polls) == (1162, True, 60, 3)
    second = first[first.index("[[utilities]]") :].replace("north", "south").replace('"cis"', '"oms"')
    assert "trap address '127.0.0.1:1162' is used 2 times" in problems(tmp_path, first + second)["settings"]
    assert problems(tmp_path, first.replace("60", "0"))["utilities[1].routers.poll_seconds"]


def test_mistakes_of_targets_exports_and_billing_have_their_places(tmp_path: Path) -> None:
    utility = {
        "id": "demo",
        "time_zone": "America/Chicago",
        "database": "sqlite:///a.db",
        "key_file": "a.key",
        "targets": [
            {"name": "share", "kind": "directory", "path": "out"},
            {"name": "share", "kind": "directory", "path": "other"},
        ],
        "exports": {"schedules": [{"name": "daily", "targets": ["nowhere"]}]},
        "billing": {"targets": ["nobody"], "partner": "cis", "inbox": "in"},
    }
    with pytest.raises(SettingsError) as caught:
        settings_from({"utilities": [utility]}, tmp_path, "a.toml")
    for mistake in (
        "target name 'share' is used 2 times",
        "export 'daily' goes to 'nowhere', which is no target",
        "billing goes to 'nobody', which is no target",
        "billing.partner 'cis' is no partner",
    ):
        assert mistake in str(caught.value)
    target = {"name": "mdm", "kind": "sftp", "host": "h", "user": "u", "host_keys": ["nonsense"]}
    schedule = {"name": "gas-day-closed", "targets": ["mdm"]}
    wrong = utility | {"targets": [target], "exports": {"schedules": [schedule], "spool": "files"}, "billing": {"inbox": "in"}}
    with pytest.raises(SettingsError) as caught:
        settings_from({"utilities": [wrong]}, tmp_path, "a.toml")
    places = [place for place, _ in caught.value.problems]
    assert places == ["utilities[1].exports.schedules[1].name", "utilities[1].billing", "utilities[1].targets[1].sftp.host_keys"]


def test_an_inbox_of_an_sftp_server_has_a_login_and_a_partner(tmp_path: Path) -> None:
    inbox = {"host": "h", "user": "u", "host_keys": ["SHA256:" + "A" * 43], "key_file": "id"}
    utility = {"id": "demo", "time_zone": "UTC", "database": "sqlite:///a.db", "key_file": "a.key", "billing": {"sftp_inbox": inbox}}
    partner = {"user_id": "cis", "password": "correct horse"}

    def problems(changed: dict[str, object]) -> list[tuple[str, str]]:
        billing = {"partner": "cis", "sftp_inbox": inbox | changed}
        with pytest.raises(SettingsError) as caught:
            settings_from({"utilities": [utility | {"billing": billing, "partners": [partner]}]}, tmp_path, "a.toml")
        return list(caught.value.problems)

    with pytest.raises(SettingsError, match="no partner whose files those are"):
        settings_from({"utilities": [utility]}, tmp_path, "a.toml")
    for changed, place in (({"host_keys": ["nonsense"]}, ".host_keys"), ({"key_file": None}, ""), ({"look_seconds": 0}, ".look_seconds")):
        assert [one for one, _ in problems(changed)] == [f"utilities[1].billing.sftp_inbox{place}"]
    (one,) = settings_from(
        {"utilities": [utility | {"billing": {"partner": "cis", "sftp_inbox": inbox}, "partners": [partner]}]}, tmp_path, "a.toml"
    ).utilities
    assert one.billing.sftp_inbox is not None
    assert one.billing.sftp_inbox.key_file == tmp_path / "id"


def test_a_spool_lies_beside_the_settings(tmp_path: Path) -> None:
    utility = {"id": "demo", "time_zone": "UTC", "database": "sqlite:///a.db", "key_file": "a.key"}
    (one,) = settings_from({"utilities": [utility]}, tmp_path, "a.toml").utilities
    assert one.spool == tmp_path / "spool" / "demo"
