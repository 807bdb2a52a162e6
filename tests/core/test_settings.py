"""Settings: what a file may say, and that all its mistakes are told at once."""

from pathlib import Path

import pytest

from headend.settings import SettingsError, load_settings

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
